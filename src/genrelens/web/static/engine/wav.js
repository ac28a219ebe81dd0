/** A reader for WAV files, which decodes block by block, so that memory is bounded. */

import { range } from "./arrays.js";

const [PCM, FLOAT, EXTENSIBLE] = [1, 3, 0xfffe];
const UNKNOWN = 0xffffff00; // sizes from here on are those of an unfinished file
const BLOCK_SECONDS = 5;
const MAX_BLOCK = 2 ** 22; // bytes

/** Return the function that reads a sample of a format, or undefined. */
function readerOf(tag, bits) {
  const readers = {
    [`${PCM} 8`]: (view, at) => (view.getUint8(at) - 128) / 128,
    [`${PCM} 16`]: (view, at) => view.getInt16(at, true) / 2 ** 15,
    [`${PCM} 24`]: (view, at) =>
      ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 2 ** 23,
    [`${PCM} 32`]: (view, at) => view.getInt32(at, true) / 2 ** 31,
    [`${FLOAT} 32`]: (view, at) => view.getFloat32(at, true),
    [`${FLOAT} 64`]: (view, at) => view.getFloat64(at, true),
  };
  return readers[`${tag} ${bits}`];
}

/**
 * Open a WAV file.
 * @param {Blob} file
 * @returns {Promise<?import("./classify.js").Source>}  null if it is no WAV file of a known format
 */
export async function openWav(file) {
  const head = await viewOf(file, 0, 12);
  const isWav =
    head.byteLength === 12 && ["RIFF", "RF64"].includes(text(head, 0)) && text(head, 8) === "WAVE";
  const { fmt, data, long } = isWav ? await findChunks(file) : {};
  if (!fmt || !data) {
    return null;
  }
  const format = readFormat(await viewOf(file, fmt.start, Math.min(fmt.size, 40)));
  const read = readerOf(format.tag, format.bits);
  const stated = long && data.size === 0xffffffff ? long : data.size;
  const present = file.size - data.start;
  const isUnknown = stated === 0 || (stated >= UNKNOWN && stated > present);
  const size = isUnknown ? present : Math.min(stated, present);
  const { channels, sampleRate } = format;
  const bytesPerFrame = (channels * format.bits) / 8;
  if (!read || !channels || !sampleRate) {
    return null;
  }
  const seconds = (bytes) => Math.floor(bytes / bytesPerFrame) / sampleRate;
  return {
    sampleRate,
    seconds: seconds(size),
    statedSeconds: isUnknown ? null : seconds(stated),
    blocks: () => blocks(file.slice(data.start, data.start + size), format, read),
  };
}

/** Find the format, the samples, and the length in a file of more than 4 GB. */
async function findChunks(file) {
  const found = {};
  let position = 12;
  while (position + 8 <= file.size && !found.data) {
    const head = await viewOf(file, position, 24);
    const chunk = { start: position + 8, size: head.getUint32(4, true) };
    const id = text(head, 0).trim();
    if (id === "fmt" || id === "data") {
      found[id] = chunk;
    } else if (id === "ds64") {
      found.long = Number(head.getBigUint64(16, true));
    }
    position += 8 + chunk.size + (chunk.size % 2);
  }
  return found;
}

function readFormat(view) {
  const tag = view.getUint16(0, true);
  return {
    tag: tag === EXTENSIBLE && view.byteLength >= 26 ? view.getUint16(24, true) : tag,
    channels: view.getUint16(2, true),
    sampleRate: view.getUint32(4, true),
    bits: view.getUint16(14, true),
  };
}

async function* blocks(data, { channels, sampleRate, bits }, read) {
  const bytes = bits / 8;
  const nFrames = Math.floor(data.size / (bytes * channels));
  const longest = Math.max(1, Math.floor(MAX_BLOCK / (bytes * channels)));
  const step = Math.min(BLOCK_SECONDS * sampleRate, longest);
  for (let first = 0; first < nFrames; first += step) {
    const n = Math.min(step, nFrames - first);
    const view = await viewOf(data, first * bytes * channels, n * bytes * channels);
    yield range(channels).map((channel) => {
      const samples = new Float32Array(n);
      for (let index = 0; index < n; index += 1) {
        samples[index] = read(view, (index * channels + channel) * bytes);
      }
      return samples;
    });
  }
}

async function viewOf(file, start, size) {
  return new DataView(await file.slice(start, start + size).arrayBuffer());
}

function text(view, at) {
  return String.fromCharCode(...range(4).map((index) => view.getUint8(at + index)));
}
