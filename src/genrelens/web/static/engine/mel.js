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
  #cos;
  #sin;
  #rest;
  #real;
  #imaginary;

  /** @param {Features} features */
  constructor(features) {
    this.#features = features;
    const size = features.n_fft;
    this.#fft = new Fft(size / 2);
    this.#window = Float64Array.from(
      range(size), (index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size));
    this.#filters = melFilters(features);
    const angles = range(size / 2 + 1).map((bin) => (-2 * Math.PI * bin) / size);
    this.#cos = Float64Array.from(angles, (angle) => Math.cos(angle));
    this.#sin = Float64Array.from(angles, (angle) => Math.sin(angle));
    this.#rest = new Float32Array(size / 2);
    this.#real = new Float64Array(size / 2);
    this.#imaginary = new Float64Array(size / 2);
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
    for (let index = 0; index < nFrames; index += 1) {
      frames.push(this.#compress(this.#power(index * hop)));
    }
    this.#rest = this.#rest.slice(nFrames * hop);
    return frames;
  }

  /** Return the last frames. */
  end() {
    return this.push(new Float32Array(this.#features.n_fft / 2));
  }

  /** Return the power spectrum of the frame that starts at a sample. */
  #power(start) {
    const [re, im] = [this.#real, this.#imaginary];
    for (let index = 0; index < this.#fft.size; index += 1) {
      const at = 2 * index; // two real values in one complex one
      re[index] = this.#window[at] * this.#rest[start + at];
      im[index] = this.#window[at + 1] * this.#rest[start + at + 1];
    }
    this.#fft.transform(re, im);
    return this.#separated();
  }

  /** Separate the spectra of the even and the odd samples, and return the power of all samples. */
  #separated() {
    const [re, im, n] = [this.#real, this.#imaginary, this.#fft.size];
    const power = new Float64Array(n + 1);
    for (let low = 0; low <= n; low += 1) {
      const [at, high] = [low % n, (n - low) % n];
      const [evenRe, evenIm] = [(re[at] + re[high]) / 2, (im[at] - im[high]) / 2];
      const [oddRe, oddIm] = [(im[at] + im[high]) / 2, (re[high] - re[at]) / 2];
      const [cos, sin] = [this.#cos[low], this.#sin[low]];
      power[low] =
        (evenRe + cos * oddRe - sin * oddIm) ** 2 + (evenIm + cos * oddIm + sin * oddRe) ** 2;
    }
    return power;
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
