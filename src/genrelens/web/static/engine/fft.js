/** The fast Fourier transform of complex numbers. */

/** Transforms a fixed number of complex values, in place. */
export class Fft {
  #order;
  #cos;
  #sin;

  /** @param {number} size  a power of two */
  constructor(size) {
    if (size < 2 || (size & (size - 1)) !== 0) {
      throw new RangeError(`size=${size} must be a power of two`);
    }
    this.size = size;
    const bits = Math.log2(size);
    this.#order = Uint32Array.from({ length: size }, (_, index) => reversed(index, bits));
    const angle = (index) => (-2 * Math.PI * index) / size;
    this.#cos = Float64Array.from({ length: size / 2 }, (_, index) => Math.cos(angle(index)));
    this.#sin = Float64Array.from({ length: size / 2 }, (_, index) => Math.sin(angle(index)));
  }

  /**
   * Replace values by their Fourier transform.
   * @param {Float64Array} real  (size,)
   * @param {Float64Array} imaginary  (size,)
   */
  transform(real, imaginary) {
    this.#sort(real, imaginary);
    for (let half = 1; half < this.size; half *= 2) {
      this.#combine(real, imaginary, half);
    }
  }

  #sort(real, imaginary) {
    for (let index = 0; index < this.size; index += 1) {
      const other = this.#order[index];
      if (other > index) {
        [real[index], real[other]] = [real[other], real[index]];
        [imaginary[index], imaginary[other]] = [imaginary[other], imaginary[index]];
      }
    }
  }

  /** Combine pairs of transforms of `half` values. */
  #combine(real, imaginary, half) {
    const stride = this.size / (2 * half);
    for (let start = 0; start < this.size; start += 2 * half) {
      for (let index = 0; index < half; index += 1) {
        const [cos, sin] = [this.#cos[index * stride], this.#sin[index * stride]];
        const [low, high] = [start + index, start + index + half];
        const re = real[high] * cos - imaginary[high] * sin;
        const im = real[high] * sin + imaginary[high] * cos;
        real[high] = real[low] - re;
        imaginary[high] = imaginary[low] - im;
        real[low] += re;
        imaginary[low] += im;
      }
    }
  }
}

function reversed(index, bits) {
  let result = 0;
  for (let bit = 0; bit < bits; bit += 1) {
    result = (result << 1) | ((index >> bit) & 1);
  }
  return result;
}
