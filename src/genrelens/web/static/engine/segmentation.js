/** The sections of a recording: stretches of the timeline with one genre. */

import { argmax, average, range } from "./arrays.js";

const HIGHEST_LOG_ODDS = Math.log(100); // of two states, per segment
const SWITCH_COST = Math.log(101);
const TINY = 1e-12;

/**
 * A section without its genre.
 * @typedef {Object} Run
 * @property {number[]} indices  of its segments
 * @property {number} state  index of a genre; then "not music", then "silence"
 * @property {number} start  in seconds
 * @property {number} end  in seconds
 */

/**
 * Group consecutive segments into runs: the most probable sequence of states when each change has
 * a fixed cost. A border lies in the middle of the overlap of the segments on its two sides.
 *
 * @param {Object[]} segments  with `time`, `share`, `silent`, `probabilities` and `music`
 * @param {import("./metadata.js").Metadata} metadata
 * @param {number} end  of the recording in seconds
 * @returns {Run[]}
 */
export function findRuns(segments, metadata, end) {
  const states = mostProbableStates(
    segments.map((segment) => scoresOf(segment, metadata.musicThreshold)));
  const seconds = metadata.segmentSeconds;
  const starts = range(segments.length).filter(
    (index) => index === 0 || states[index] !== states[index - 1]);
  const border = (index) => (segments[index - 1].time + seconds + segments[index].time) / 2;
  return starts.map((first, number) => {
    const next = starts[number + 1] ?? segments.length;
    const stop = next < segments.length ? border(next) : segments.at(-1).time + seconds;
    return {
      indices: range(next - first).map((index) => first + index),
      state: states[first],
      start: first === 0 ? segments[0].time : border(first),
      end: Math.min(stop, end),
    };
  });
}

/**
 * Return the mean signal-to-noise ratio of a run, in which segments that are not music hardly
 * count; null if the model does not estimate it.
 */
export function snrOf(segments) {
  if (segments.every(({ snr }) => snr === null)) {
    return null;
  }
  const weights = segments.map(({ share, isCounted }) => share * (isCounted ? 1 : 1e-9));
  return average(segments.map(({ snr }) => snr ?? 0), weights);
}

/** Return the index of the genre and the verdict of a section. */
export function verdictOf(state, probabilities, sureThreshold) {
  if (state >= probabilities.length) {
    return [argmax(probabilities), state === probabilities.length ? "not music" : "silence"];
  }
  const isUnsure = sureThreshold !== null && probabilities[state] < sureThreshold;
  return [state, isUnsure ? "not sure" : "genre"];
}

/**
 * Return the log-likelihood of each genre, of "not music" and of silence, weighted by the share.
 * The score of the best state is 0.
 */
function scoresOf({ probabilities, music, silent, share }, threshold) {
  const silence = silent ? 0 : -HIGHEST_LOG_ODDS;
  if (silent) {
    return [...probabilities, 0].map(() => -HIGHEST_LOG_ODDS * share).concat(silence);
  }
  const genres = probabilities.map((value) => Math.log(Math.max(value, TINY)));
  const scores = withMusic(genres, music, threshold);
  const highest = Math.max(...scores);
  const limited = scores.map((score) => Math.max(score - highest, -HIGHEST_LOG_ODDS));
  return [...limited, silence].map((score) => score * share);
}

/** Add "not music", which is compared with the best genre. */
function withMusic(genres, music, threshold) {
  if (music === null || threshold === null) {
    return [...genres, -Infinity];
  }
  const clipped = Math.min(Math.max(music, TINY), 1 - TINY);
  const odds = Math.log(clipped / (1 - clipped)) - Math.log(threshold / (1 - threshold));
  const shift = -Math.max(...genres) - logOnePlusExp(-odds);
  return [...genres.map((score) => score + shift), -logOnePlusExp(odds)];
}

const logOnePlusExp = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Find the sequence of states with the highest sum of scores minus the cost of its changes. */
function mostProbableStates(scores) {
  const previous = [];
  let total = scores[0];
  for (const row of scores.slice(1)) {
    const best = argmax(total);
    const switched = total[best] - SWITCH_COST;
    previous.push(total.map((value, state) => (switched > value ? best : state)));
    total = total.map((value, state) => Math.max(value, switched) + row[state]);
  }
  const states = [argmax(total)];
  for (const row of previous.reverse()) {
    states.push(row[states.at(-1)]);
  }
  return states.reverse();
}
