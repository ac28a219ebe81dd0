/**
 * The mono mix, as in `genrelens.decoders.mono`: the mean of the channels, except where they cancel
 * each other. A channel that is opposed to the loudest one is inverted, and a delayed copy of the
 * loudest one is ignored.
 */

import { argmax, concatenate, range, sum } from "./arrays.js";
import { delayedCopies } from "./delays.js";

const OPPOSED = 0.5; // power of the sum over the sum of the powers, below which channels cancel
const CONTEXT = 5; // seconds
const FADE = 0.02; // seconds of the transition between the weights of two seconds
const MAX_VALUES = 2 ** 19; // in a "second", all channels together

/** Mixes the channels of a recording in blocks, second by second. */
export class Mixer {
  #rate;
  #size; // samples in a second
  #pending = []; // blocks that are not joined yet
  #nPending = 0;
  #waiting; // samples that are not mixed yet, for each channel
  #powers = []; // of the sum, and sum of the powers, for each second
  #done = 0; // number of seconds that are mixed
  #weights = null; // of the channels in the last mixed second
  #copies;

  /** @param {number} nChannels @param {number} sampleRate  in Hz */
  constructor(nChannels, sampleRate) {
    this.#rate = sampleRate;
    this.#size = Math.max(1, Math.min(sampleRate, Math.floor(MAX_VALUES / nChannels)));
    this.#waiting = range(nChannels).map(() => new Float32Array(0));
    this.#copies = range(nChannels).map(() => false);
  }

  /**
   * @param {Float32Array[]} channels  one block for each channel
   * @returns {Float32Array}  the mix, up to five seconds late
   */
  push(channels) {
    if (channels.length === 1) {
      return channels[0];
    }
    this.#pending.push(channels);
    this.#nPending += channels[0].length;
    if (this.#nPending < CONTEXT * this.#size) {
      return new Float32Array(0);
    }
    this.#join();
    const n = this.#powers.length;
    return n < CONTEXT ? new Float32Array(0) : this.#mixUntil(n - (CONTEXT >> 1));
  }

  /** Return the rest of the mix. */
  end() {
    if (this.#waiting.length === 1) {
      return new Float32Array(0);
    }
    this.#join();
    const start = (this.#powers.length - this.#done) * this.#size;
    if (start < this.#waiting[0].length) {
      this.#measure(this.#waiting.map((channel) => channel.subarray(start)));
    }
    return this.#mixUntil(this.#powers.length);
  }

  /** Append the pending blocks, and measure the seconds that they complete. */
  #join() {
    this.#waiting = this.#waiting.map((channel, index) =>
      concatenate([channel, ...this.#pending.map((block) => block[index])]),
    );
    [this.#pending, this.#nPending] = [[], 0];
    const n = this.#done + Math.floor(this.#waiting[0].length / this.#size);
    while (this.#powers.length < n) {
      this.#measure(this.#second(this.#powers.length));
    }
  }

  #measure(channels) {
    let [ofSum, ofChannels] = [0, 0];
    for (let index = 0; index < channels[0].length; index += 1) {
      let total = 0;
      for (const channel of channels) {
        total += channel[index];
        ofChannels += channel[index] ** 2;
      }
      ofSum += total ** 2;
    }
    this.#powers.push([ofSum, ofChannels]);
  }

  /** Mix the seconds before number `stop` that are not mixed yet. */
  #mixUntil(stop) {
    const numbers = range(Math.max(0, stop - this.#done)).map((index) => this.#done + index);
    const mixed = numbers.map((number) =>
      this.#mixSecond(this.#second(number), this.#weightsOf(number)),
    );
    const n = sum(mixed.map((part) => part.length));
    this.#waiting = this.#waiting.map((channel) => channel.slice(n));
    this.#done += numbers.length;
    return concatenate(mixed);
  }

  /** Return whether the channels are opposed in the five seconds around a second. */
  #isOpposed(number) {
    const n = this.#powers.length;
    const width = Math.min(CONTEXT, n);
    const start = Math.min(Math.max(0, number - (CONTEXT >> 1)), n - width);
    const context = this.#powers.slice(start, start + width);
    return sum(context.map(([total]) => total)) < OPPOSED * sum(context.map(([, each]) => each));
  }

  /** Return the weights of the channels in a second that is not mixed yet. */
  #weightsOf(number) {
    if (number % CONTEXT === 0) {
      const middle = this.#second(Math.min(number + (CONTEXT >> 1), this.#powers.length - 1));
      if (2 * middle[0].length >= this.#size) {
        this.#copies = delayedCopies(middle, this.#rate);
      }
    }
    const signs = this.#isOpposed(number) ? signsOf(this.#second(number)) : null;
    return this.#copies.map((isCopy, channel) => (isCopy ? 0 : (signs?.[channel] ?? 1)));
  }

  #second(number) {
    const start = (number - this.#done) * this.#size;
    return this.#waiting.map((channel) => channel.subarray(start, start + this.#size));
  }

  /** Mix a second, with a fade from the weights of the previous one at the start. */
  #mixSecond(channels, wanted) {
    const before = this.#weights ?? wanted;
    const isOpposite = sum(wanted.map((weight, index) => weight * before[index])) < 0;
    const weights = isOpposite ? wanted.map((weight) => -weight) : wanted; // avoids a jump
    const mix = weightedMean(channels, weights);
    this.#weights = weights;
    if (weights.some((weight, index) => weight !== before[index])) {
      const start = channels.map((channel) => channel.subarray(0, Math.round(FADE * this.#size)));
      weightedMean(start, before).forEach((value, index, { length }) => {
        mix[index] = value + (index / length) * (mix[index] - value);
      });
    }
    return mix;
  }
}

/** Return the mean of the channels with weight 1 or -1, ignoring those with weight 0. */
function weightedMean(channels, weights) {
  const mix = new Float32Array(channels[0].length);
  const n = weights.filter((weight) => weight !== 0).length;
  for (const [number, channel] of channels.entries()) {
    const weight = weights[number] / n;
    for (let index = 0; weight !== 0 && index < mix.length; index += 1) {
      mix[index] += weight * channel[index];
    }
  }
  return mix;
}

/** Return the sign of each channel's correlation with the loudest one. */
function signsOf(channels) {
  const loudest = channels[argmax(channels.map((channel) => correlation(channel, channel)))];
  return channels.map((channel) => (correlation(channel, loudest) < 0 ? -1 : 1));
}

function correlation(first, second) {
  let total = 0;
  for (let index = 0; index < first.length; index += 1) {
    total += first[index] * second[index];
  }
  return total;
}
