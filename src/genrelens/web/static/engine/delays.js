/** Channels that repeat the loudest one a little earlier or later, as in `decoders.mono`. */

import { argmax, range } from "./arrays.js";
import { Fft } from "./fft.js";

const COPY = 0.95; // correlation above which a channel is a copy of another one
const [SHORTEST, LONGEST] = [0.0001, 0.05]; // seconds
const COARSE_RATE = 8000; // Hz; delays are searched at about this sample rate
const USED_BAND = 0.7; // fraction of the band at that rate that is used
const CANDIDATE = 0.6; // correlation at a whole sample of that rate
const STEPS = 32; // between the two samples around the best one

/**
 * A spectrum: the real and the imaginary part of all its values, and its length as a vector.
 * @typedef {{real: Float64Array, imaginary: Float64Array, norm: number}} Spectrum
 */

/**
 * Return which channels are a delayed copy of the loudest one.
 * @param {Float32Array[]} channels
 * @param {number} sampleRate  in Hz
 * @returns {boolean[]}
 */
export function delayedCopies(channels, sampleRate) {
  const factor = Math.max(1, Math.floor(sampleRate / COARSE_RATE));
  const n = Math.floor(channels[0].length / factor);
  const fft = new Fft(2 ** bitLength(Math.floor(n * (1 + 2 * LONGEST))));
  const spectra = channels.map((channel) => flatSpectrum(coarse(channel, n, factor), fft));
  const loudest = argmax(spectra.map(({ norm }) => norm));
  return spectra.map((spectrum, index) => {
    if (index === loudest || !(spectrum.norm > 0)) {
      return false;
    }
    return isDelayed(crossSpectrum(spectrum, spectra[loudest]), n, sampleRate / factor, fft);
  });
}

const bitLength = (number) => Math.floor(Math.log2(number)) + 1;

/** Sum groups of `factor` samples. */
function coarse(channel, n, factor) {
  const sums = new Float64Array(n);
  for (let index = 0; index < n * factor; index += 1) {
    sums[Math.floor(index / factor)] += channel[index];
  }
  return sums;
}

/** Return a spectrum with weakened bass and without treble. */
function flatSpectrum(samples, fft) {
  const [real, imaginary] = [new Float64Array(fft.size), new Float64Array(fft.size)];
  real.set(samples);
  fft.transform(real, imaginary);
  const n = fft.size / 2 + 1;
  let power = 0;
  for (let bin = 0; bin < n; bin += 1) {
    const weight = bin / n < USED_BAND ? bin / n : 0;
    real[bin] *= weight;
    imaginary[bin] *= weight;
    power += real[bin] ** 2 + imaginary[bin] ** 2;
  }
  return { real: real.subarray(0, n), imaginary: imaginary.subarray(0, n), norm: Math.sqrt(power) };
}

/** Return the first spectrum times the conjugate of the second, both scaled to length 1. */
function crossSpectrum(first, second) {
  const scale = 1 / (first.norm * second.norm);
  const [a, b, c, d] = [first.real, first.imaginary, second.real, second.imaginary];
  return {
    real: a.map((value, bin) => scale * (value * c[bin] + b[bin] * d[bin])),
    imaginary: a.map((value, bin) => scale * (b[bin] * c[bin] - value * d[bin])),
  };
}

/**
 * Return whether one channel is a delayed copy of the other.
 * @param {Object} cross  cross spectrum of the channels
 * @param {number} n  number of samples of each channel
 * @param {number} rate  their sample rate in Hz
 * @param {Fft} fft
 */
function isDelayed(cross, n, rate, fft) {
  const maxLag = Math.floor(LONGEST * rate);
  const correlations = correlationsOf(cross, fft);
  const lags = range(2 * maxLag + 1).map((index) => index - maxLag);
  const overlap = (lag) => n / (n - Math.abs(lag));
  const values = lags.map(
    (lag) => Math.abs(correlations[(lag + fft.size) % fft.size]) * overlap(lag));
  const best = lags[argmax(values)];
  if (best === 0 || Math.max(...values) < CANDIDATE) {
    return false;
  }
  const between = range(STEPS + 1).map((step) => best - 1 + (2 * step) / STEPS);
  const finer = between.map((lag) => Math.abs(correlationAt(cross, lag, fft.size)) * overlap(best));
  const [delay, value] = [Math.abs(between[argmax(finer)]) / rate, Math.max(...finer)];
  const undelayed = Math.abs(correlationAt(cross, 0, fft.size));
  return delay >= SHORTEST && value >= COPY && 1 - value < (1 - undelayed) / 2;
}

/** Return the correlation at each whole lag: the inverse transform, in the scale of lag 0. */
function correlationsOf({ real, imaginary }, fft) {
  const [re, im] = [new Float64Array(fft.size), new Float64Array(fft.size)];
  for (let bin = 0; bin < real.length; bin += 1) {
    const isEdge = bin === 0 || bin === real.length - 1;
    re[bin] += isEdge ? real[bin] : real[bin] / 2;
    im[bin] -= isEdge ? 0 : imaginary[bin] / 2; // conjugate: the inverse of real values
    if (!isEdge) {
      re[fft.size - bin] = real[bin] / 2;
      im[fft.size - bin] = imaginary[bin] / 2;
    }
  }
  fft.transform(re, im);
  return re;
}

/** Return the correlation at a lag between two samples. */
function correlationAt({ real, imaginary }, lag, size) {
  let total = 0;
  for (let bin = 0; bin < real.length; bin += 1) {
    const angle = (2 * Math.PI * bin * lag) / size;
    total += real[bin] * Math.cos(angle) - imaginary[bin] * Math.sin(angle);
  }
  return total;
}
