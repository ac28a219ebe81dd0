/**
 * The high-pass at 23 Hz, as in `genrelens.highpass`: it subtracts the local mean, weighted with a
 * triangular window of 50 ms. The waveform is mirrored at both ends.
 */

import { concatenate } from "./arrays.js";

const AVERAGES_PER_SECOND = 40;
const BLOCKS_PER_SECOND = 2000;
const STEPS = 2 ** 22; // per full scale; sums of whole numbers do not depend on the blocks

/** Filters a waveform in blocks; the result does not depend on the blocks. */
export class HighPass {
  #size; // samples in a small block
  #half; // half of the window in small blocks
  #reach; // samples that are mirrored at each end
  #rest = new Float32Array(0);
  #mirrored = false;
  #nIn = 0;
  #nOut = 0;

  /** @param {number} sampleRate  in Hz */
  constructor(sampleRate) {
    this.#size = Math.floor(sampleRate / BLOCKS_PER_SECOND) | 1;
    this.#half = Math.max(1, Math.round(sampleRate / this.#size / AVERAGES_PER_SECOND / 2));
    this.#reach = (2 * this.#half + 1) * this.#size;
  }

  /** @param {Float32Array} block @returns {Float32Array} */
  push(block) {
    this.#nIn += block.length;
    this.#rest = concatenate([this.#rest, block]);
    if (!this.#mirrored && this.#rest.length >= this.#reach) {
      const start = this.#rest.slice(0, this.#reach).reverse();
      this.#rest = concatenate([start, this.#rest]);
      this.#mirrored = true;
    }
    return this.#mirrored ? this.#filterWhole() : new Float32Array(0);
  }

  /** Return the last samples. */
  end() {
    if (this.#nIn === 0) {
      return new Float32Array(0);
    }
    const front = this.#mirrored ? 0 : this.#reach;
    this.#rest = mirrored(this.#rest, front, this.#reach + 2 * this.#size);
    const missing = this.#nIn - this.#nOut;
    return this.#filterWhole().subarray(0, missing);
  }

  #filterWhole() {
    const nNew = Math.floor(this.#rest.length / this.#size) - 1 - 4 * this.#half;
    if (nNew <= 0) {
      return new Float32Array(0);
    }
    const skipped = this.#nOut === 0 ? (this.#size >> 1) + 1 : 0;
    const filtered = this.#filter(nNew).subarray(skipped);
    this.#nOut += filtered.length;
    this.#rest = this.#rest.slice(nNew * this.#size);
    return filtered;
  }

  /** Filter `nNew` small blocks, from the centre of block number 2 * half on. */
  #filter(nNew) {
    const size = this.#size;
    const means = this.#means(nNew + 1 + 4 * this.#half);
    const start = 2 * this.#half * size + (size >> 1);
    const output = new Float32Array(nNew * size);
    for (let block = 0; block < nNew; block += 1) {
      const slope = (means[block + 1] - means[block]) / size;
      for (let index = 0; index < size; index += 1) {
        const at = block * size + index;
        output[at] = this.#rest[start + at] - (means[block] + slope * index);
      }
    }
    return output;
  }

  /** Return the local mean at the centre of each small block that has enough context. */
  #means(nBlocks) {
    let sums = Float64Array.from({ length: nBlocks }, (_, block) => this.#blockSum(block));
    const width = 2 * this.#half + 1;
    for (let turn = 0; turn < 2; turn += 1) {
      sums = movingSums(sums, width);
    }
    return sums.map((value) => value / (STEPS * this.#size * width ** 2));
  }

  #blockSum(block) {
    let total = 0;
    for (let index = block * this.#size; index < (block + 1) * this.#size; index += 1) {
      total += this.#rest[index];
    }
    return Math.round(total * STEPS);
  }
}

function movingSums(values, width) {
  const result = new Float64Array(values.length - width + 1);
  let total = 0;
  for (let index = 0; index < values.length; index += 1) {
    total += values[index] - (index >= width ? values[index - width] : 0);
    if (index >= width - 1) {
      result[index - width + 1] = total;
    }
  }
  return result;
}

/** Mirror samples beyond both ends, again and again if there are few. */
function mirrored(samples, front, back) {
  const n = samples.length;
  return Float32Array.from({ length: front + n + back }, (_, index) => {
    const at = (((index - front) % (2 * n)) + 2 * n) % (2 * n);
    return samples[at < n ? at : 2 * n - 1 - at];
  });
}
