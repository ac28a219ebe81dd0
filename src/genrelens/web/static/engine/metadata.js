/** The metadata of a model and its rules, as in `genrelens.metadata`. */

import { interpolate, range } from "./arrays.js";

/** The metadata; a restricted copy chooses from some of the genres. */
export class Metadata {
  #values;

  /**
   * @param {Object} values  the JSON object in the model file
   * @param {number[]} [columns]  indices of the genres to choose from
   */
  constructor(values, columns = range(values.labels.length)) {
    this.#values = values;
    this.columns = columns;
    this.labels = columns.map((column) => values.labels[column]);
    this.isRestricted = columns.length < values.labels.length;
  }

  get name() {
    return this.#values.name;
  }

  /** @returns {import("./mel.js").Features} */
  get features() {
    return this.#values.features;
  }

  get windowSegments() {
    return this.#values.window_segments;
  }

  get musicThreshold() {
    return this.#values.music_threshold ?? null;
  }

  get segmentSeconds() {
    const { segment_frames: frames, hop_length: hop, sample_rate: rate } = this.features;
    return (frames * hop) / rate;
  }

  get hasTemperatures() {
    return Object.keys(this.#values.temperatures ?? {}).length > 0;
  }

  /** The rule of each genre; none with a choice of genres, because they apply among all. */
  get genreRules() {
    return this.isRestricted ? [] : (this.#values.genre_rules ?? []);
  }

  /** The styles with their threshold and parent, if that is one of the genres. */
  get styles() {
    return (this.#values.styles ?? []).map(({ name, threshold, parent = null }) => ({
      name, threshold, parent: this.labels.includes(parent) ? parent : null,
    }));
  }

  /** Temperature of a single segment. */
  get timelineTemperature() {
    return this.hasTemperatures
      ? this.temperatureFor(1)
      : (this.#values.segment_temperature ?? 1);
  }

  /** Return the temperature that calibrates a mean over segments. */
  temperatureFor(nSegments) {
    if (!this.hasTemperatures) {
      return this.#values.temperature ?? 1;
    }
    const numbers = Object.keys(this.#values.temperatures).map(Number).sort((a, b) => a - b);
    const values = numbers.map((number) => this.#values.temperatures[number]);
    return interpolate(Math.log(Math.max(nSegments, 1)), numbers.map(Math.log), values);
  }

  /** The lowest probability of a sure genre without noise; null: any is sure. */
  get sureThreshold() {
    return this.#values.sure_threshold ?? null;
  }

  /** Return the lowest probability of a sure genre at a signal-to-noise ratio, or null. */
  sureThresholdFor(snr) {
    if (snr === null || !this.#values.noise_rule?.length) {
      return this.sureThreshold;
    }
    return Math.max(this.sureThreshold ?? 0, this.noiseThreshold(snr));
  }

  /** Return the threshold of the noise rule; 0 without a rule or with an unknown ratio. */
  noiseThreshold(snr) {
    const rule = this.#values.noise_rule ?? [];
    if (snr === null || !rule.length) {
      return 0;
    }
    const [ratios, thresholds] = [0, 1].map((column) => rule.map((point) => point[column]));
    return snr < ratios[0] ? Infinity : interpolate(snr, ratios, thresholds);
  }

  /**
   * Return the metadata for a choice of genres; an empty list chooses from all.
   * @param {string[]} genres
   * @throws {Error}  the model does not have a genre, or there are fewer than two
   */
  restricted(genres) {
    const wanted = new Set(genres.map((genre) => genre.toLowerCase()));
    if (!wanted.size) {
      return this;
    }
    const labels = this.#values.labels;
    const unknown = [...wanted].filter((genre) => !labels.includes(genre));
    if (unknown.length) {
      throw new Error(`The model ${this.name} has no genre ${unknown.join(", ")}.`);
    }
    if (wanted.size < 2) {
      throw new Error("1 genre was given; at least 2 are needed.");
    }
    return new Metadata(this.#values, range(labels.length).filter((i) => wanted.has(labels[i])));
  }

  /** Return the same probability for all genres of the model. */
  equal() {
    return this.#values.labels.map((_, __, labels) => 1 / labels.length);
  }

  /** Return the probabilities of the genres to choose from, which sum to 1. */
  shares(probabilities) {
    if (!this.isRestricted) {
      return Array.from(probabilities);
    }
    const chosen = this.columns.map((column) => probabilities[column]);
    const total = chosen.reduce((all, value) => all + value, 0);
    return chosen.map((value) => (total > 0 ? value / total : 1 / chosen.length));
  }
}
