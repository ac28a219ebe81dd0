/** Open a recording in the worker: WAV with an own reader, other formats with WebCodecs. */

import { decodedSource } from "./codec.js";
import { openFlac } from "./flac.js";
import { openMpeg } from "./mpeg.js";
import { openOgg } from "./ogg.js";
import { openWav } from "./wav.js";

const OPENERS = [openOgg, openFlac, openMpeg];

/**
 * Open a recording.
 * @param {Blob} file
 * @returns {Promise<?import("./classify.js").Source>}  null if the worker cannot decode it
 */
export async function openSource(file) {
  const wav = await openWav(file);
  if (wav) {
    return wav;
  }
  for (const open of OPENERS) {
    const packets = await open(file);
    if (packets) {
      return decodedSource(packets);
    }
  }
  return null;
}

/**
 * Return a source for samples that the page has decoded.
 * @param {{sampleRate: number, channels: Float32Array[]}} audio
 * @returns {import("./classify.js").Source}
 */
export function decodedAudio({ sampleRate, channels }) {
  const step = 5 * sampleRate;
  const blocks = async function* () {
    for (let start = 0; start < channels[0].length; start += step) {
      yield channels.map((samples) => samples.subarray(start, start + step));
    }
  };
  return { sampleRate, seconds: channels[0].length / sampleRate, blocks };
}
