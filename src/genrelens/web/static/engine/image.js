/** The network's input as an image for the page, as in `genrelens.feature_image`. */

import { range } from "./arrays.js";
import { melEdges } from "./mel.js";

const MAX_COLUMNS = 1200;
const COLUMNS_PER_SEGMENT = 8;

export class FeatureImage {
  #features;
  #columns = []; // of each segment

  /** @param {import("./mel.js").Features} features */
  constructor(features) {
    this.#features = features;
  }

  /** Add a segment. @param {Float32Array[]} frames */
  add(frames) {
    const fresh = frames.slice(0, this.#features.segment_hop);
    const [size, longer] = [
      Math.floor(fresh.length / COLUMNS_PER_SEGMENT), fresh.length % COLUMNS_PER_SEGMENT,
    ];
    let start = 0;
    this.#columns.push(
      range(COLUMNS_PER_SEGMENT).map((column) =>
        meanOf(fresh.slice(start, (start += size + (column < longer ? 1 : 0)))),
      ),
    );
  }

  /**
   * Return the image, see `Spectrogram` in the description of the API.
   * @param {number[]} shares  share of each segment, at its end, to show
   */
  toDocument(shares) {
    const columns = this.#columns.flatMap((own, index) =>
      own.slice(COLUMNS_PER_SEGMENT - Math.round(COLUMNS_PER_SEGMENT * shares[index])),
    );
    const run = Math.ceil(columns.length / MAX_COLUMNS);
    const pooled = range(Math.ceil(columns.length / run)).map((index) =>
      meanOf(columns.slice(index * run, (index + 1) * run)),
    );
    const [low, high] = extremes(pooled);
    const scaled = pooled.flatMap((column) =>
      Array.from(column, (value) => Math.round((255 * (value - low)) / Math.max(high - low, 1e-9))),
    );
    const { n_mels: bands, segment_hop: segmentHop, hop_length: hop } = this.#features;
    return {
      kind: "mel",
      columns: pooled.length,
      bands,
      seconds_per_column:
        (((segmentHop * hop) / this.#features.sample_rate) * run) / COLUMNS_PER_SEGMENT,
      hz: melEdges(this.#features).slice(1, -1).map((hz) => Math.round(10 * hz) / 10),
      minimum: low,
      maximum: high,
      data: base64(scaled),
    };
  }
}

function meanOf(rows) {
  const mean = new Float32Array(rows[0].length);
  for (const row of rows) {
    row.forEach((value, index) => (mean[index] += value / rows.length));
  }
  return mean;
}

function extremes(columns) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of columns.flatMap((column) => [...column])) {
    [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return [low, high];
}

function base64(bytes) {
  return btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
}
