/** One recording that is being classified: from blocks of samples to the outputs for segments. */

import { FeatureImage } from "./image.js";
import { SILENCE_LEVEL, Segmenter } from "./segments.js";

/**
 * One segment of a recording.
 * @typedef {Object} HeardSegment
 * @property {number} time  start in seconds
 * @property {number} share  what the segments before it do not cover, 0..1
 * @property {number} level  in dBFS
 * @property {boolean} silent
 * @property {?import("./model.js").Outputs} outputs  null if it is silent or not classified yet
 */

const MOST_RUNS = 3; // windows that wait for the network while more is decoded

export class Recording {
  #model;
  #runs = []; // of the network, in progress
  #segmenter;
  #image;
  #segments = [];
  #waiting = []; // audible segments that fill no window yet, with their entries in #segments
  #nextStart = 0; // the start at which a segment would not overlap the one before

  /** @param {import("./model.js").Model} model */
  constructor(model) {
    this.#model = model;
    this.#segmenter = new Segmenter(model.metadata.features);
    this.#image = new FeatureImage(model.metadata.features);
  }

  /** Seconds of the recording so far. */
  get seconds() {
    return this.#segmenter.nSamples / this.#model.metadata.features.sample_rate;
  }

  /** Whether the recording is shorter than a segment, and is padded. */
  get padded() {
    return this.#segmenter.nSamples < this.#segmenter.minSamples;
  }

  /** The segments that are classified or silent, up to the first one that is not yet. */
  get segments() {
    const pending = this.#segments.findIndex(({ silent, outputs }) => !silent && !outputs);
    return pending === -1 ? this.#segments : this.#segments.slice(0, pending);
  }

  /**
   * Add a block of mono samples at the rate of the model, and begin each window that it completes.
   * @param {Float32Array} block
   * @returns {Promise<boolean>}  whether a window was completed
   */
  async push(block) {
    this.#begin(this.#segmenter.push(block), this.#model.metadata.windowSegments);
    return this.#finish(MOST_RUNS);
  }

  /** Run the last window, and wait for all. */
  async end() {
    this.#begin(this.#segmenter.end(), 1);
    await this.#finish(0);
  }

  /** Return the network's input as an image. */
  image() {
    return this.#image.toDocument(this.#segments.map(({ share }) => share));
  }

  /** Begin to run windows while at least `fewest` segments are waiting. */
  #begin(segments, fewest) {
    segments.forEach((segment) => this.#add(segment));
    while (this.#waiting.length >= fewest) {
      const run = this.#run(this.#waiting.splice(0, this.#model.metadata.windowSegments));
      run.catch(() => {}); // #finish reports the error
      this.#runs.push(run);
    }
  }

  async #run(window) {
    const outputs = await this.#model.run(window.map(({ segment }) => segment));
    window.forEach(({ entry }, index) => (entry.outputs = outputs[index]));
  }

  /** Wait until at most `most` windows are in progress; return whether one was completed. */
  async #finish(most) {
    const isLong = this.#runs.length > most;
    while (this.#runs.length > most) {
      await this.#runs.shift();
    }
    return isLong;
  }

  #add(segment) {
    const { hop_length: hop, sample_rate: rate, segment_hop: segmentHop } =
      this.#model.metadata.features;
    const { start, level } = segment;
    const share = 1 - (this.#nextStart - start) / segmentHop;
    const silent = level < SILENCE_LEVEL;
    const entry = { time: (start * hop) / rate, share, level, silent, outputs: null };
    this.#nextStart = start + segmentHop;
    this.#segments.push(entry);
    this.#image.add(segment.frames);
    if (!silent) {
      this.#waiting.push({ segment, entry });
    }
  }
}
