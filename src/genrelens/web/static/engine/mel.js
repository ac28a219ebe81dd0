/** The compressed mel spectrogram, as in `genrelens.mel` and `genrelens.features`. */

import { concatenate, range } from "./arrays.js";
import { Fft } from "./fft.js";

// Slaney's scale is linear below 1 kHz (15 mel at 1 kHz) and logarithmic above.
const LINEAR_HZ_PER_MEL = 200 / 3;
const [BREAK_HZ, BREAK_MEL] = [1000, 15];
const LOG_STEP = Math.log(6.4) / 27;

/**
 * The settings of the front end, from the metadata of the model.
 * @typedef {Object} Features
 * @property {number} sample_rate
 * @property {number} n_fft
 * @property {number} hop_length
 * @property {number} n_mels
 * @property {number} f_min
 * @property {number} f_max
 * @property {number} log_scale
 * @property {number} segment_frames
 * @property {number} segment_hop
 */

/** Computes the frames of a waveform in blocks. */
export class MelSpectrogram {
  #features;
  #fft;
  #window;
  #filters;
  #rest;
  #real;
  #imaginary;

  /** @param {Features} features */
  constructor(features) {
    this.#features = features;
    const size = features.n_fft;
    this.#fft = new Fft(size);
    this.#window = Float64Array.from(
      range(size), (index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size));
    this.#filters = melFilters(features);
    this.#rest = new Float32Array(size / 2);
    [this.#real, this.#imaginary] = [new Float64Array(size), new Float64Array(size)];
  }

  /**
   * @param {Float32Array} block
   * @returns {Float32Array[]}  frames of `n_mels` values
   */
  push(block) {
    const { n_fft: size, hop_length: hop } = this.#features;
    this.#rest = concatenate([this.#rest, block]);
    const frames = [];
    const nFrames = Math.max(0, Math.floor((this.#rest.length - size) / hop) + 1);
    for (let index = 0; index < nFrames; index += 2) {
      frames.push(...this.#pair(index * hop, index + 1 < nFrames ? (index + 1) * hop : null));
    }
    this.#rest = this.#rest.slice(nFrames * hop);
    return frames;
  }

  /** Return the last frames. */
  end() {
    return this.push(new Float32Array(this.#features.n_fft / 2));
  }

  /** Return the frames that start at two samples, from one transform; `second` can be null. */
  #pair(first, second) {
    const size = this.#features.n_fft;
    for (let index = 0; index < size; index += 1) {
      const weight = this.#window[index];
      this.#real[index] = weight * this.#rest[first + index];
      this.#imaginary[index] = second === null ? 0 : weight * this.#rest[second + index];
    }
    this.#fft.transform(this.#real, this.#imaginary);
    const powers = this.#powers();
    return (second === null ? powers.slice(0, 1) : powers).map((power) => this.#compress(power));
  }

  /** Separate the spectra of the real and of the imaginary part, and return their powers. */
  #powers() {
    const [re, im, size] = [this.#real, this.#imaginary, this.#features.n_fft];
    const [first, second] = [new Float64Array(size / 2 + 1), new Float64Array(size / 2 + 1)];
    for (let low = 0; low <= size / 2; low += 1) {
      const high = (size - low) % size;
      first[low] = ((re[low] + re[high]) ** 2 + (im[low] - im[high]) ** 2) / 4;
      second[low] = ((im[low] + im[high]) ** 2 + (re[high] - re[low]) ** 2) / 4;
    }
    return [first, second];
  }

  #compress(power) {
    const scale = this.#features.log_scale;
    return Float32Array.from(this.#filters, ({ start, weights }) => {
      let total = 0;
      for (let index = 0; index < weights.length; index += 1) {
        total += weights[index] * power[start + index];
      }
      return Math.log1p(scale * total);
    });
  }
}

/** Return the triangular filters of unit area, without the zeros around each of them. */
function melFilters(features) {
  const { n_fft: size, sample_rate: rate } = features;
  const edges = melEdges(features);
  const frequencies = range(size / 2 + 1).map((bin) => (bin * rate) / size);
  return range(features.n_mels).map((band) => {
    const [low, middle, high] = edges.slice(band, band + 3);
    const weights = frequencies.map((hz) => {
      const triangle = Math.min((hz - low) / (middle - low), (high - hz) / (high - middle));
      return Math.fround((Math.max(0, triangle) * 2) / (high - low));
    });
    const start = Math.max(0, weights.findIndex((weight) => weight > 0));
    const stop = weights.findLastIndex((weight) => weight > 0) + 1;
    return { start, weights: Float64Array.from(weights.slice(start, stop)) };
  });
}

/** Return the lower edge, the centres and the upper edge of the bands in Hz. */
export function melEdges({ n_mels: n, f_min: low, f_max: high }) {
  const [first, last] = [hzToMel(low), hzToMel(high)];
  return range(n + 2).map((index) => melToHz(first + ((last - first) * index) / (n + 1)));
}

function hzToMel(hz) {
  return hz < BREAK_HZ ? hz / LINEAR_HZ_PER_MEL : BREAK_MEL + Math.log(hz / BREAK_HZ) / LOG_STEP;
}

function melToHz(mel) {
  return mel < BREAK_MEL
    ? mel * LINEAR_HZ_PER_MEL
    : BREAK_HZ * Math.exp(LOG_STEP * (mel - BREAK_MEL));
}
