/**
 * Conversion of the sample rate with the filter of soxr's quality HQ, which the command line uses:
 * linear phase, flat up to 91 % of the lower Nyquist frequency, below -120 dB above it. soxr's
 * impulse response was measured: it is a sinc with a Kaiser window, and for ratios that are not
 * simple, such as 44100 : 16000, there is a small droop.
 */

import { concatenate } from "./arrays.js";
import { Droop } from "./droop.js";
import { Halver } from "./halve.js";
import { kaiserSinc } from "./kaiser.js";

const LEAST_HALVED = 2.756; // ratio of the rates from which on a halving changes nothing else
const CUTOFF = 0.95687; // of the lower Nyquist frequency: -6 dB, the middle of the transition
const [BETA, BETA_OTHER] = [13.04, 13.78]; // of the Kaiser window, for simple and other ratios
const BETA_PER_OCTAVE = 0.55;
const HALF_PER_BETA = 7.42; // samples of the lower rate
const MAX_SIMPLE = 16; // a ratio n : m is simple if n, of the rate of the result, is not above this
const OCTAVES_FROM = 2.9; // ratio of the rates from which on the window grows
const REACH = 96; // samples of the lower rate; the weights beyond are below 1e-6
const MAX_PHASES = 1024; // with more, the filter is interpolated between two of them

/** Converts a waveform in blocks; the result does not depend on the blocks. */
export class Resampler {
  #rateIn;
  #rateOut;
  #stages = [];
  #nIn = 0;
  #nOut = 0;

  /**
   * @param {number} rateIn  in Hz, a whole number
   * @param {number} rateOut  in Hz, a whole number
   */
  constructor(rateIn, rateOut) {
    [this.#rateIn, this.#rateOut] = [rateIn, rateOut];
    let factor = 1;
    for (; rateIn >= LEAST_HALVED * factor * rateOut; factor *= 2) {
      this.#stages.push(new Halver());
    }
    if (rateIn !== rateOut) {
      this.#stages.push(new RationalFilter(rateIn, factor * rateOut, windowOf(rateIn, rateOut)));
    }
    if (rateIn > rateOut && !isSimple(rateIn, rateOut)) {
      this.#stages.push(new Droop());
    }
  }

  /** @param {Float32Array} block @returns {Float32Array}  what can be computed so far */
  push(block) {
    this.#nIn += block.length;
    const output = this.#stages.reduce((samples, stage) => stage.push(samples), block);
    this.#nOut += output.length;
    return output;
  }

  /** Return the last samples. */
  end() {
    const last = this.#stages.reduce(
      (samples, stage) => concatenate([stage.push(samples), stage.end()]), new Float32Array(0));
    const nTotal = Math.floor((this.#nIn * this.#rateOut) / this.#rateIn + 0.5);
    return last.subarray(0, nTotal - this.#nOut);
  }
}

const isSimple = (rateIn, rateOut) => rateOut / greatestDivisor(rateIn, rateOut) <= MAX_SIMPLE;

/** Return the Kaiser window: beta, and half its length in samples of the lower rate. */
function windowOf(rateIn, rateOut) {
  const least = isSimple(rateIn, rateOut) ? BETA : BETA_OTHER;
  const beta = least + BETA_PER_OCTAVE * Math.max(0, Math.log2(rateIn / rateOut / OCTAVES_FROM));
  return { beta, half: HALF_PER_BETA * beta };
}

/** Converts by a ratio of whole numbers. */
class RationalFilter {
  #rateIn;
  #rateOut;
  #phases;
  #rest;
  #first; // number of the first sample of #rest
  #nOut = 0;

  constructor(rateIn, rateOut, window) {
    const divisor = greatestDivisor(rateIn, rateOut);
    [this.#rateIn, this.#rateOut] = [rateIn / divisor, rateOut / divisor];
    this.#phases = new Phases(this.#rateIn, this.#rateOut, window);
    this.#rest = new Float32Array(this.#phases.half);
    this.#first = -this.#phases.half;
  }

  push(block) {
    this.#rest = concatenate([this.#rest, block]);
    const known = this.#first + this.#rest.length - this.#phases.half; // centres before this
    const output = this.#convert(Math.ceil((known * this.#rateOut) / this.#rateIn));
    this.#discard();
    return output;
  }

  /** Return the last samples and some more. */
  end() {
    return this.push(new Float32Array(2 * this.#phases.half));
  }

  /** Return the samples up to number `stop`, exclusive. */
  #convert(stop) {
    const output = new Float32Array(Math.max(0, stop - this.#nOut));
    const before = this.#first + this.#phases.half - 1;
    for (let index = 0; index < output.length; index += 1) {
      const position = (this.#nOut + index) * this.#rateIn; // in steps of 1 / #rateOut samples
      const whole = Math.floor(position / this.#rateOut);
      const fraction = position / this.#rateOut - whole;
      output[index] = this.#phases.apply(this.#rest, whole - before, fraction);
    }
    this.#nOut += output.length;
    return output;
  }

  /** Discard the samples before those that the next output needs. */
  #discard() {
    const next = Math.floor((this.#nOut * this.#rateIn) / this.#rateOut) - this.#phases.half;
    const n = Math.min(Math.max(0, next - this.#first), this.#rest.length);
    this.#rest = this.#rest.slice(n);
    this.#first += n;
  }
}

/** The filter at some positions between two samples. */
class Phases {
  #filters;
  #isExact;
  #window;

  constructor(rateIn, rateOut, window) {
    this.#window = window;
    const ratio = Math.min(1, rateOut / rateIn); // the lower rate as a share of rateIn
    this.half = 2 * Math.ceil(REACH / ratio / 2 + 0.5); // so that 4 divides the taps
    this.#isExact = rateOut <= MAX_PHASES;
    const n = this.#isExact ? rateOut : MAX_PHASES;
    this.#filters = Array.from({ length: n + 1 }, (_, phase) => this.#filter(phase / n, ratio));
  }

  #filter(fraction, ratio) {
    return Float64Array.from({ length: 2 * this.half }, (_, index) => {
      const distance = (index - this.half + 1 - fraction) * ratio;
      return ratio * kaiserSinc(distance, CUTOFF, this.#window.half, this.#window.beta);
    });
  }

  /** Return the filtered value `fraction` of a sample after number `start + half - 1`. */
  apply(samples, start, fraction) {
    const position = fraction * (this.#filters.length - 1);
    if (this.#isExact) {
      return product(samples, start, this.#filters[Math.round(position)]);
    }
    const low = Math.floor(position);
    const [below, above] = [low, low + 1].map((phase) =>
      product(samples, start, this.#filters[phase]),
    );
    return below + (position - low) * (above - below);
  }
}

/** Return the sum of products; 4 divides the number of taps. */
function product(samples, start, taps) {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let index = 0; index < taps.length; index += 4) {
    const at = start + index;
    a += samples[at] * taps[index];
    b += samples[at + 1] * taps[index + 1];
    c += samples[at + 2] * taps[index + 2];
    d += samples[at + 3] * taps[index + 3];
  }
  return a + b + c + d;
}

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
