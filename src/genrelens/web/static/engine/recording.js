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

export class Recording {
  #model;
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
   * Add a block of mono samples at the rate of the model, and run each window that it completes.
   * @param {Float32Array} block
   * @returns {Promise<boolean>}  whether a window was run
   */
  async push(block) {
    return this.#run(this.#segmenter.push(block), this.#model.metadata.windowSegments);
  }

  /** Run the last window. */
  async end() {
    await this.#run(this.#segmenter.end(), 1);
  }

  /** Return the network's input as an image. */
  image() {
    return this.#image.toDocument(this.#segments.map(({ share }) => share));
  }

  /** Run windows while at least `fewest` segments are waiting. */
  async #run(segments, fewest) {
    segments.forEach((segment) => this.#add(segment));
    let hasRun = false;
    while (this.#waiting.length >= fewest) {
      const window = this.#waiting.splice(0, this.#model.metadata.windowSegments);
      const outputs = await this.#model.run(window.map(({ segment }) => segment));
      window.forEach(({ entry }, index) => (entry.outputs = outputs[index]));
      hasRun = true;
    }
    return hasRun;
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
