/** From the outputs for segments to the prediction, as in `genrelens.pooling` and `.prediction`. */

import { argmax, average, averageRows, range, sigmoid, softmax, sum } from "./arrays.js";
import { SILENCE_LEVEL } from "./segments.js";
import { findRuns, snrOf, verdictOf } from "./segmentation.js";
import { SegmentSets } from "./sets.js";

const CHANGE_SECONDS = 10; // shortest section that counts as a change
const MUSIC_SECONDS = 20; // a recording with a stretch of music of this length is music
const MAX_STYLES = 3; // in an answer that is not sure

const percent = (probability) => `${(100 * probability).toFixed(0)} %`;
const isBelow = (value, threshold) => value !== null && threshold !== null && value < threshold;
const isMusic = ({ verdict }) => verdict === "genre" || verdict === "not sure";
const duration = ({ start, end }) => end - start;

/**
 * Return the document of a prediction, like the server's with `timeline=true`.
 *
 * @param {import("./model.js").Model} model
 * @param {import("./recording.js").HeardSegment[]} segments  at least one
 * @param {Object} facts
 * @param {string} facts.path  name of the file
 * @param {string[]} facts.genres  genres to choose from; empty: all
 * @param {number} facts.duration  of the recording, in seconds
 * @param {number} facts.heard  seconds that are classified
 * @param {boolean} facts.padded  the recording is shorter than a segment
 */
export async function predict(model, segments, facts) {
  const prediction = new Prediction(model.metadata.restricted(facts.genres), facts);
  await prediction.pool(model, segments);
  return prediction.toDocument();
}

class Prediction {
  #metadata;
  #facts;

  constructor(metadata, facts) {
    this.#metadata = metadata;
    this.#facts = facts;
  }

  /** Pool the outputs for segments, and find the sections. */
  async pool(model, segments) {
    const metadata = this.#metadata;
    this.segments = weighted(segments.map((each) => describeSegment(each, metadata)), metadata);
    const audible = this.segments.filter(({ silent }) => !silent);
    const sets = new SegmentSets(model, this.segments);
    this.level = Math.max(...segments.map(({ level }) => level));
    const [found] = await sets.probabilities([range(segments.length)]);
    this.probabilities = metadata.shares(found ?? metadata.equal());
    this.music = metadata.musicThreshold === null ? null : await sets.music();
    const hasSnr = audible.some(({ snr }) => snr !== null);
    this.snr = hasSnr
      ? average(audible.map(({ snr }) => snr), audible.map(({ counts, share }) => counts * share))
      : null;
    this.styles = await pooledStyles(sets, audible, metadata);
    this.sections = this.#corrected(await this.#findSections(sets));
    this.verdict = this.#findVerdict();
  }

  async #findSections(sets) {
    const metadata = this.#metadata;
    const runs = findRuns(this.segments, metadata, this.#facts.duration);
    const found = await sets.probabilities(runs.map(({ indices }) => indices));
    return runs.map(({ indices, state, start, end }, number) => {
      const probabilities = metadata.shares(found[number] ?? metadata.equal());
      const threshold = metadata.sureThresholdFor(
        snrOf(indices.map((index) => this.segments[index])));
      const [genre, verdict] = verdictOf(state, probabilities, threshold);
      const probability = probabilities[genre];
      return { start, end, verdict, genre: metadata.labels[genre], probability };
    });
  }

  /** If only one section is music, it has the genre and the probability of the recording. */
  #corrected(found) {
    const { padded } = this.#facts;
    const isUnsure = padded && !this.isSilent;
    const sections = isUnsure ? found.map((each) => ({ ...each, verdict: "not sure" })) : found;
    let music = sections.filter(isMusic);
    if (!music.length && !isBelow(this.music, this.#metadata.musicThreshold)) {
      music = sections.filter(({ verdict }) => verdict !== "silence");
    }
    const overall = {
      verdict: this.isSure && !padded ? "genre" : "not sure",
      genre: this.genre,
      probability: Math.max(...this.probabilities),
    };
    return music.length === 1
      ? sections.map((each) => (each === music[0] ? { ...each, ...overall } : each))
      : sections;
  }

  #findVerdict() {
    if (this.isSilent) {
      return "silence";
    }
    if (this.#facts.padded) {
      return "not sure";
    }
    if (!this.#isMusic()) {
      return "not music";
    }
    if (this.isSure) {
      return "genre";
    }
    return this.#changing().size ? "changes" : "not sure";
  }

  get isSilent() {
    return this.level < SILENCE_LEVEL;
  }

  get genre() {
    return this.#metadata.labels[argmax(this.probabilities)];
  }

  get isSure() {
    return !isBelow(Math.max(...this.probabilities), this.#metadata.sureThresholdFor(this.snr));
  }

  /** Whether noise is the reason for "not sure". */
  get isNoisy() {
    const enough = !isBelow(Math.max(...this.probabilities), this.#metadata.sureThreshold);
    return this.verdict === "not sure" && !this.#facts.padded && enough;
  }

  #isMusic() {
    let seconds = 0;
    return (
      !isBelow(this.music, this.#metadata.musicThreshold) ||
      this.sections.some((section) => {
        seconds = isMusic(section) ? seconds + duration(section) : 0;
        return seconds >= MUSIC_SECONDS;
      })
    );
  }

  /** The genres of the sections and their highest probabilities; empty if it does not change. */
  #changing() {
    const shortest = CHANGE_SECONDS - this.#metadata.segmentSeconds / 2;
    const sure = this.sections.filter(
      (each) => each.verdict === "genre" && duration(each) >= shortest);
    const genres = new Map();
    for (const { genre, probability } of sure) {
      genres.set(genre, Math.max(probability, genres.get(genre) ?? 0));
    }
    const music = sum(this.sections.filter(isMusic).map(duration));
    const isMost = 2 * sum(sure.map(duration)) >= music;
    return genres.size >= 2 && isMost ? genres : new Map();
  }

  get changes() {
    return this.verdict === "changes" ? this.#changing() : new Map();
  }

  /** All genres with the probability that each applies. */
  get genres() {
    const metadata = this.#metadata;
    const { changes } = this;
    const answers = this.verdict === "genre" ? [this.genre] : [...changes.keys()];
    const isNever = this.#facts.padded || ["silence", "not music"].includes(this.verdict);
    const lowest = isNever ? Infinity : metadata.noiseThreshold(this.snr);
    const found = metadata.labels.map((name, index) => {
      const rule = metadata.genreRules[index] ?? null;
      const share = this.probabilities[index];
      const own = rule ? alone(rule, share) : share;
      const probability = Math.max(own, changes.get(name) ?? 0);
      const applies = rule !== null && probability >= Math.max(rule.threshold, lowest);
      return { name, probability, applies: applies || answers.includes(name) };
    });
    return found.sort((first, second) => second.probability - first.probability);
  }

  /** The most probable genres with their probabilities. */
  #top() {
    const pairs = this.#metadata.labels.map((label, index) => [label, this.probabilities[index]]);
    return pairs.sort(([, first], [, second]) => second - first);
  }

  get answer() {
    if (this.verdict === "genre") {
      return this.genre;
    }
    if (this.verdict === "changes") {
      return `changes: ${[...this.changes.keys()].join(", ")}`;
    }
    if (this.verdict !== "not sure") {
      return this.verdict;
    }
    const named = this.#top().slice(0, 2);
    const text = named.map(([name, probability]) => `${name} ${percent(probability)}`).join(", ");
    const styles = this.#styleNames(named.map(([name]) => name)).join(", ");
    return `not sure: ${text}${styles && `; sounds ${styles}`}`;
  }

  #styleNames(named) {
    const isShown = !this.#facts.padded && !this.isNoisy;
    return this.styles
      .filter(({ name, applies }) => isShown && applies && !named.includes(name))
      .slice(0, MAX_STYLES)
      .map(({ name }) => name);
  }

  toDocument() {
    const { path, duration: seconds, heard, padded } = this.#facts;
    return {
      path,
      answer: this.answer,
      verdict: this.verdict,
      genre: this.genre,
      probabilities: Object.fromEntries(this.#top()),
      genres: this.genres,
      changes: [...this.changes.keys()],
      styles: this.styles,
      music: this.music,
      snr: this.snr,
      noisy: this.isNoisy,
      level: this.level,
      duration: seconds,
      heard,
      padded,
      model: this.#metadata.name,
      labels: this.#metadata.labels,
      timeline: this.#timeline(),
      sections: this.sections,
    };
  }

  #timeline() {
    const hasSnr = this.snr !== null;
    return this.segments.map(({ time, probabilities, music, snr }) => ({
      start: time,
      end: Math.min(time + this.#metadata.segmentSeconds, this.#facts.duration),
      genre: this.#metadata.labels[argmax(probabilities)],
      probabilities,
      ...(music === null ? {} : { music }),
      ...(hasSnr ? { snr } : {}),
    }));
  }
}

/** Return a segment with its probabilities; all genres are equally probable in silence. */
function describeSegment(segment, metadata) {
  const alone = segment.outputs?.alone ?? null;
  const temperature = metadata.timelineTemperature;
  const all = alone
    ? softmax(alone.genreLogits.map((logit) => logit / temperature))
    : metadata.equal();
  const hasMusic = metadata.musicThreshold !== null;
  const music = hasMusic ? (alone ? sigmoid(alone.musicLogit) : 0) : null;
  const isCounted = !segment.silent && !isBelow(music, metadata.musicThreshold);
  const snr = alone?.snr ?? null;
  return { ...segment, probabilities: metadata.shares(all), music, isCounted, snr };
}

/** Mark the segments that count: those of music, or all audible ones if there is no music. */
function weighted(segments, metadata) {
  const hasMusic = segments.some(({ isCounted, share }) => isCounted && share > 0);
  return segments.map((each) => {
    const counts = hasMusic ? each.isCounted : !each.silent;
    const byProbability = hasMusic && !metadata.hasTemperatures && each.music !== null;
    return { ...each, counts, weight: counts * each.share * (byProbability ? each.music : 1) };
  });
}

async function pooledStyles(sets, audible, metadata) {
  const own = await sets.styles();
  const tags = audible.map(({ outputs }) => Array.from(outputs.styleLogits, sigmoid));
  const means = own && [...averageRows(tags, audible.map(({ weight }) => weight)), ...own];
  const styles = metadata.styles.map(({ name, threshold, parent }, index) => {
    const probability = means?.[index] ?? 0;
    return { name, probability, applies: probability >= threshold, parent };
  });
  return styles.sort((first, second) => second.probability - first.probability);
}

/** Return the probability that a genre applies, by its rule. */
function alone({ slope, intercept }, share) {
  const inside = Math.min(Math.max(share, 1e-12), 1 - 1e-12);
  return sigmoid(slope * Math.log(inside / (1 - inside)) + intercept);
}
