/** A fast first step of the conversion of high sample rates: half the rate. */

import { concatenate } from "./arrays.js";
import { kaiserSinc } from "./kaiser.js";

const HALF = 27; // samples on each side
const BETA = 10.06; // -100 dB

/** Every second weight of this filter is zero; only those on one side are stored. */
const WEIGHTS = Float64Array.from(
  { length: (HALF + 1) / 2 }, (_, index) => kaiserSinc(2 * index + 1, 0.5, HALF + 1, BETA));

/**
 * Halves the rate of a waveform in blocks. The lower 36 % of the band stay as they are; nothing
 * is mirrored into them.
 */
export class Halver {
  #rest = new Float32Array(HALF);

  /** @param {Float32Array} block @returns {Float32Array} */
  push(block) {
    this.#rest = concatenate([this.#rest, block]);
    const n = Math.max(0, Math.ceil((this.#rest.length - 2 * HALF) / 2));
    const output = new Float32Array(n);
    for (let index = 0; index < n; index += 1) {
      output[index] = this.#apply(2 * index + HALF);
    }
    this.#rest = this.#rest.slice(2 * n);
    return output;
  }

  /** Return the last samples. */
  end() {
    return this.push(new Float32Array(HALF));
  }

  #apply(centre) {
    const samples = this.#rest;
    let total = 0.5 * samples[centre];
    for (let index = 0; index < WEIGHTS.length; index += 1) {
      const distance = 2 * index + 1;
      total += WEIGHTS[index] * (samples[centre - distance] + samples[centre + distance]);
    }
    return total;
  }
}
