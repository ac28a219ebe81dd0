/** From a waveform to the segments that the network classifies, as in `genrelens.features`. */

import { concatenate, sum } from "./arrays.js";
import { HighPass } from "./highpass.js";
import { MelSpectrogram } from "./mel.js";

/** The level of digital silence, in dBFS. */
const FLOOR_LEVEL = -120;
/** A segment below this level, in dBFS, is silent. */
export const SILENCE_LEVEL = -70;

/**
 * One segment.
 * @typedef {Object} Segment
 * @property {number} start  number of its first frame
 * @property {number} level  in dBFS
 * @property {Float32Array[]} frames
 */

/** Cuts a waveform in blocks into segments. */
export class Segmenter {
  #features;
  #filter;
  #meter;
  #spectrogram;
  #frames = []; // from the start of the last segment on
  #first = 0; // number of the first of these frames
  #skip = 0; // frames from there to the next start
  #nPadded = 0;

  /** @param {import("./mel.js").Features} features */
  constructor(features) {
    this.#features = features;
    this.#filter = new HighPass(features.sample_rate);
    this.#meter = new LevelMeter(features);
    this.#spectrogram = new MelSpectrogram(features);
  }

  /** Number of samples so far. */
  get nSamples() {
    return this.#meter.nSamples;
  }

  /** Number of samples of one segment; a shorter waveform is padded with zeros. */
  get minSamples() {
    return (this.#features.segment_frames - 1) * this.#features.hop_length;
  }

  /** @param {Float32Array} block  mono, at the rate of the model @returns {Segment[]} */
  push(block) {
    return this.#add(this.#filter.push(block));
  }

  /** Return the last segments, at least one. */
  end() {
    const segments = this.#add(this.#filter.end());
    this.#meter.end();
    const missing = this.minSamples - this.nSamples;
    const padding = missing > 0 ? this.#spectrogram.push(new Float32Array(missing)) : [];
    segments.push(...this.#cut([...padding, ...this.#spectrogram.end()]));
    return [...segments, ...this.#last()];
  }

  #add(samples) {
    this.#meter.push(samples);
    return this.#cut(this.#spectrogram.push(samples));
  }

  #cut(frames) {
    const { segment_frames: length, segment_hop: hop } = this.#features;
    this.#frames.push(...frames);
    const segments = [];
    while (this.#frames.length >= this.#skip + length) {
      this.#frames.splice(0, this.#skip);
      this.#first += this.#skip;
      this.#skip = hop;
      segments.push(this.#segment(0));
    }
    return segments;
  }

  /** Return the segment that ends with the last whole hop, if it is not there yet. */
  #last() {
    const start = this.#frames.length - 1 - this.#features.segment_frames;
    return start > 0 ? [this.#segment(start)] : [];
  }

  #segment(offset) {
    const start = this.#first + offset;
    const frames = this.#frames.slice(offset, offset + this.#features.segment_frames);
    return { start, level: this.#meter.level(start), frames };
  }
}

/** Measures the level of the samples around each frame. */
class LevelMeter {
  nSamples = 0;
  #hop;
  #length;
  #powers = []; // of the frames from number #first on
  #first = 0;
  #rest;

  constructor({ hop_length: hop, segment_frames: length }) {
    this.#hop = hop;
    this.#length = length;
    this.#rest = new Float32Array(Math.floor(hop / 2)); // before the first sample
  }

  push(block) {
    this.nSamples += block.length;
    const samples = concatenate([this.#rest, block]);
    const nWhole = Math.floor(samples.length / this.#hop);
    for (let frame = 0; frame < nWhole; frame += 1) {
      this.#measure(samples.subarray(frame * this.#hop, (frame + 1) * this.#hop));
    }
    this.#rest = samples.slice(nWhole * this.#hop);
  }

  end() {
    this.#measure(this.#rest);
  }

  #measure(samples) {
    this.#powers.push(samples.reduce((total, value) => total + value * value, 0));
  }

  /** Return the level of the segment that starts at a frame, and discard the frames before. */
  level(start) {
    this.#powers.splice(0, start - this.#first);
    this.#first = start;
    const half = Math.floor(this.#hop / 2);
    const first = Math.max(0, start * this.#hop - half);
    const last = Math.min((start + this.#length) * this.#hop - half, this.nSamples);
    const mean = sum(this.#powers.slice(0, this.#length)) / Math.max(1, last - first);
    return 10 * Math.log10(Math.max(mean, 10 ** (FLOOR_LEVEL / 10)));
  }
}
