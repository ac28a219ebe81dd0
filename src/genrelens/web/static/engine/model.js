/** A loaded model: the network and its set head. */

import { Metadata } from "./metadata.js";
import { Network } from "./network.js";
import { metadataOf } from "./onnx.js";

const [SEGMENTS, SETS] = [0, 1]; // numbers of the two graphs

/**
 * The outputs of the network for one segment.
 * @typedef {Object} Outputs
 * @property {Float32Array} features  for the set head
 * @property {number[]} styleLogits  of the network's own styles
 * @property {SetOutputs} alone  the set head's outputs for this segment alone
 */

/**
 * The outputs of the set head for one set of segments; missing outputs are null.
 * @typedef {Object} SetOutputs
 * @property {Float32Array} genreLogits
 * @property {Float32Array} styleLogits
 * @property {?number} musicLogit
 * @property {?number} snr
 */

export class Model {
  #network;

  /**
   * Load a model.
   * @param {string} runtime  address of the folder of onnxruntime-web
   * @param {Uint8Array} content  the model file
   */
  static async load(runtime, content) {
    const texts = metadataOf(content);
    const head = Uint8Array.from(atob(texts["genrelens.set_head"]), (byte) => byte.charCodeAt(0));
    const model = new Model();
    model.#network = await Network.start(runtime, [content, head]);
    model.metadata = new Metadata(JSON.parse(texts.genrelens));
    return model;
  }

  /**
   * Run the network on consecutive segments.
   * @param {import("./segments.js").Segment[]} segments
   * @returns {Promise<Outputs[]>}
   */
  async run(segments) {
    const { segment_frames: nFrames, n_mels: nBins } = this.metadata.features;
    const input = new Float32Array(segments.length * nFrames * nBins);
    segments.forEach(({ frames }, segment) =>
      frames.forEach((frame, row) => input.set(frame, (segment * nFrames + row) * nBins)),
    );
    const shape = [segments.length, nFrames, nBins];
    const outputs = await this.#network.run(SEGMENTS, input, shape);
    const features = rows(outputs.features);
    const styles = outputs.style_logits ? rows(outputs.style_logits) : segments.map(() => []);
    const alone = await this.evaluate(features.map(describeOne));
    return features.map((row, index) => ({
      features: row, styleLogits: styles[index], alone: alone[index],
    }));
  }

  /**
   * Evaluate sets of segments with the set head.
   * @param {Float32Array[]} sets  see `describe` in sets.js
   * @returns {Promise<SetOutputs[]>}
   */
  async evaluate(sets) {
    if (!sets.length) {
      return [];
    }
    const width = sets[0].length;
    const input = new Float32Array(sets.length * width);
    sets.forEach((set, index) => input.set(set, index * width));
    const outputs = await this.#network.run(SETS, input, [sets.length, width], {
      isUrgent: true,
    });
    const [genres, styles] = [rows(outputs.genre_logits), rows(outputs.style_logits)];
    return genres.map((genreLogits, index) => ({
      genreLogits,
      styleLogits: styles[index],
      musicLogit: outputs.music_logits?.data[index] ?? null,
      snr: outputs.snr?.data[index] ?? null,
    }));
  }
}

/** Describe one segment as a set of its own: no deviation, and the logarithm of 1. */
function describeOne(features) {
  const set = new Float32Array(2 * features.length + 1);
  set.set(features);
  return set;
}

function rows({ data, dims: [n, width] }) {
  return Array.from({ length: n }, (_, index) => data.slice(index * width, (index + 1) * width));
}
