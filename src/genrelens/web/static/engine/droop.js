/** The small droop of soxr's filter for ratios that are not simple: 0.009 dB at 7.3 kHz. */

import { concatenate } from "./arrays.js";

/** Weights of the values 0 to 8 samples before and after, fitted to soxr's measured response. */
const WEIGHTS = [
  -0.0002158, 0.0003924, -0.0002983, 0.0001968, -0.0001197, 0.0000722, -0.0000434, 0.0000255,
  -0.0000146,
];
const REACH = WEIGHTS.length - 1;

/** Adds the droop to a waveform in blocks. */
export class Droop {
  #rest = new Float32Array(REACH);

  /** @param {Float32Array} block @returns {Float32Array} */
  push(block) {
    const samples = concatenate([this.#rest, block]);
    const output = new Float32Array(Math.max(0, samples.length - 2 * REACH));
    for (let index = 0; index < output.length; index += 1) {
      const centre = index + REACH;
      let total = samples[centre] * (1 + WEIGHTS[0]);
      for (let k = 1; k <= REACH; k += 1) {
        total += 0.5 * WEIGHTS[k] * (samples[centre - k] + samples[centre + k]);
      }
      output[index] = total;
    }
    this.#rest = samples.slice(output.length);
    return output;
  }

  /** Return the last samples. */
  end() {
    return this.push(new Float32Array(REACH));
  }
}
