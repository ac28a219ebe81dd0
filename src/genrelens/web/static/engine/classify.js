/** Classify a recording: decode, mix, convert, run the network, and build the documents. */

import { Mixer } from "./mono.js";
import { predict } from "./prediction.js";
import { Recording } from "./recording.js";
import { Resampler } from "./resample.js";

const MAX_AMPLITUDE = 1e6; // 120 dB over full scale
const MIN_PAUSE = 250; // milliseconds between two partial documents
const MIN_DECODED = 0.1; // of the length of a damaged file; less would mislead
const PADDING = 0.2; // seconds by which a stated and a real length may differ

/**
 * A recording that is decoded block by block.
 * @typedef {Object} Source
 * @property {number} sampleRate  in Hz
 * @property {?number} seconds  length; null if it is unknown
 * @property {?number} [statedSeconds]  length that the header states, right or wrong
 * @property {?string} [damage]  why a part could not be decoded; known after the last block
 * @property {() => AsyncIterable<Float32Array[]>} blocks  blocks of samples for each channel
 */

/**
 * Classify a recording.
 *
 * @param {import("./model.js").Model} model
 * @param {Source} source
 * @param {Object} options
 * @param {string} options.name  of the file
 * @param {string[]} options.genres  genres to choose from; empty: all
 * @param {(document: Object) => void} options.onPartial  called with the document so far
 * @param {AbortSignal} options.signal
 * @returns {Promise<Object>}  the document, like the server's, see `web/schemas.py`
 * @throws {Error}  with a sentence for people
 */
export async function classify(model, source, { name, genres, onPartial, signal }) {
  model.metadata.restricted(genres); // reports an unknown genre at once
  const recording = new Recording(model);
  let last = performance.now();
  for await (const block of monoBlocks(source, model.metadata.features.sample_rate)) {
    signal.throwIfAborted();
    const hasNews = await recording.push(block);
    if (hasNews && performance.now() - last >= MIN_PAUSE) {
      onPartial(await documentSoFar(model, recording, source, { name, genres }));
      last = performance.now();
    }
  }
  checkDecoded(source, recording.seconds);
  if (!recording.seconds) {
    throw new Error("This file contains no audio samples.");
  }
  await recording.end();
  const { seconds, padded } = recording;
  const facts = { path: name, genres, duration: seconds, heard: seconds, padded };
  const document = await predict(model, recording.segments, facts);
  const notes = notesOn(source, seconds, name);
  return { ...document, ...(notes.length ? { notes } : {}), spectrogram: recording.image() };
}

function documentSoFar(model, recording, source, { name, genres }) {
  const { segments } = recording;
  const heard = segments.at(-1).time + model.metadata.segmentSeconds;
  const duration = Math.max(heard, source.seconds ?? 0);
  return predict(model, segments, { path: name, genres, duration, heard, padded: false });
}

/** Yield a recording as mono at the rate of the model. */
async function* monoBlocks(source, sampleRate) {
  const resampler = new Resampler(source.sampleRate, sampleRate);
  let mixer = null;
  let [nSamples, nChannels] = [0, 0];
  for await (const channels of source.blocks()) {
    channels.forEach((samples) => check(samples, nSamples, source.sampleRate));
    nSamples += channels[0].length;
    if (channels.length !== nChannels) {
      yield resampler.push(mixer?.end() ?? new Float32Array(0));
      mixer = new Mixer((nChannels = channels.length), source.sampleRate);
    }
    yield resampler.push(mixer.push(channels));
  }
  yield resampler.push(mixer?.end() ?? new Float32Array(0));
  yield resampler.end();
}

/** Check that samples are finite and not far over full scale; `before` is how many came before. */
function check(samples, before, sampleRate) {
  const wrong = samples.findIndex((value) => !(Math.abs(value) <= MAX_AMPLITUDE));
  if (wrong !== -1) {
    const seconds = ((before + wrong) / sampleRate).toFixed(2);
    throw new Error(
      `This file contains the sample ${samples[wrong]} at ${seconds} s; full scale is 1.`);
  }
}

/** Check that enough of a damaged recording could be decoded. */
function checkDecoded({ statedSeconds, seconds, damage }, decoded) {
  const expected = statedSeconds ?? seconds;
  if (damage && expected && decoded < MIN_DECODED * expected) {
    const [part, whole] = [decoded, expected].map((value) => value.toFixed(1));
    throw new Error(`This file is damaged: only ${part} s of ${whole} s could be decoded.`);
  }
}

function notesOn({ statedSeconds = null, damage = null }, seconds, name) {
  const decoded = `${seconds.toFixed(1)} s`;
  const isWrong = statedSeconds !== null && Math.abs(statedSeconds - seconds) > PADDING;
  return [
    damage && `${name}: is damaged; ${decoded} could be decoded (${damage})`,
    isWrong && `${name}: the header states ${statedSeconds.toFixed(1)} s, ${decoded} were decoded`,
  ].filter(Boolean);
}
