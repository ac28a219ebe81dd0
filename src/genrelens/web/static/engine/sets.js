/** Sets of segments, evaluated by the set head, as in `genrelens.set_head`. */

import { average, averageRows, range, sigmoid, softmax, sum } from "./arrays.js";

const LEAST_SHARE = 1e-3; // share of a segment that overlaps another completely
const SLACK = 0.5; // a window is not divided for so few segments more

/**
 * Describe a set of segments by the statistics of their features: weighted mean, weighted standard
 * deviation, and the logarithm of the sum of the weights.
 * @param {Float32Array[]} features
 * @param {number[]} weights
 */
export function describe(features, weights) {
  const total = sum(weights);
  const n = features[0].length;
  const set = new Float32Array(2 * n + 1);
  for (let column = 0; column < n; column += 1) {
    let [mean, variance] = [0, 0];
    features.forEach((row, index) => (mean += (row[column] * weights[index]) / total));
    features.forEach(
      (row, index) => (variance += ((row[column] - mean) ** 2 * weights[index]) / total));
    set[column] = mean;
    set[n + column] = Math.sqrt(variance);
  }
  set[2 * n] = Math.log(Math.max(total, 1));
  return set;
}

/** Evaluates sets of the segments of one recording. */
export class SegmentSets {
  #model;
  #segments;

  /**
   * @param {import("./model.js").Model} model
   * @param {Object[]} segments  with `share`, `silent`, `counts` (is music) and `outputs`
   */
  constructor(model, segments) {
    this.#model = model;
    this.#segments = segments;
  }

  /**
   * Return the calibrated probabilities of all genres of the model for runs of segments.
   * @param {number[][]} runs  indices of segments
   */
  async probabilities(runs) {
    const { metadata } = this.#model;
    const windows = runs.map((run) => this.#windows(this.#chosen(run)));
    const outputs = await this.#model.evaluate(windows.flatMap(({ sets }) => sets));
    let next = 0;
    return windows.map(({ sizes }) => {
      const own = outputs.slice(next, (next += sizes.length));
      const rows = own.map(({ genreLogits }, index) =>
        softmax(genreLogits.map((logit) => logit / metadata.temperatureFor(sizes[index]))),
      );
      return rows.length ? averageRows(rows, sizes) : null;
    });
  }

  /** Return the probabilities of the set head's styles, or null without audible segments. */
  async styles() {
    const { sets, sizes } = this.#windows(this.#chosen(range(this.#segments.length)));
    const outputs = await this.#model.evaluate(sets);
    const rows = outputs.map(({ styleLogits }) => Array.from(styleLogits, sigmoid));
    return rows.length ? averageRows(rows, sizes) : null;
  }

  /** Return the probability that the audible part is music. */
  async music() {
    const { sets, sizes } = this.#windows(this.#audible(range(this.#segments.length)));
    const outputs = await this.#model.evaluate(sets);
    return outputs.length ? average(outputs.map((each) => sigmoid(each.musicLogit)), sizes) : 0;
  }

  #audible(run) {
    return run.filter((index) => !this.#segments[index].silent);
  }

  /** Only segments of music count; if there are none, those that are not silent. */
  #chosen(run) {
    const audible = this.#audible(run);
    const music = audible.filter((index) => this.#segments[index].counts);
    return music.length ? music : audible;
  }

  /** Return the description and the size of each window of a set. */
  #windows(chosen) {
    const shares = chosen.map((index) => Math.max(this.#segments[index].share, LEAST_SHARE));
    const total = sum(shares);
    const longest = this.#model.metadata.windowSegments + SLACK;
    const nWindows = Math.max(1, Math.ceil(total / longest));
    const parts = range(nWindows).map(() => []);
    let before = 0;
    shares.forEach((share, position) => {
      const window = Math.floor(((before + share / 2) * nWindows) / Math.max(total, 1e-9));
      parts[Math.min(window, nWindows - 1)].push(position);
      before += share;
    });
    const filled = parts.filter((part) => part.length);
    const weights = filled.map((part) => part.map((position) => shares[position]));
    const sets = filled.map((part, index) =>
      describe(
        part.map((position) => this.#segments[chosen[position]].outputs.features),
        weights[index],
      ),
    );
    return { sets, sizes: weights.map(sum) };
  }
}
