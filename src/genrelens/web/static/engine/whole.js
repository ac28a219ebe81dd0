/** Decoding of a whole recording at once, for the formats that the worker cannot decode. */

const OTHER_RATE = 48000; // the browser converts to this rate if the rate is unknown
const LEAST_RATE = 8000; // of OfflineAudioContext
const SEARCHED = 2 ** 21; // bytes at each end of a file in which its rate is searched
const RATE_OFFSET = 28; // bytes from the name of the sample entry in an MP4 file to its rate
const MAX_SECONDS = 20 * 60; // 460 MB of memory in stereo
const MAX_BYTES = 64 * 2 ** 20; // if the length is unknown
const METADATA_TIMEOUT = 10000; // milliseconds

/**
 * Decode a recording with the Web Audio API.
 * @param {File} file
 * @returns {Promise<{sampleRate: number, channels: Float32Array[]}>}
 * @throws {Error}  the browser cannot decode it, or it is too long to be decoded at once
 */
export async function decodeWhole(file) {
  const seconds = await secondsOf(file);
  const isTooLong = seconds > MAX_SECONDS || (seconds === null && file.size > MAX_BYTES);
  if (isTooLong) {
    throw new Error(
      "This file is too long for its format here: more than 20 minutes are possible as WAV, MP3, " +
        "FLAC or Ogg only.");
  }
  const context = new OfflineAudioContext(1, 1, (await rateOf(file)) ?? OTHER_RATE);
  let buffer;
  try {
    buffer = await context.decodeAudioData(await file.arrayBuffer());
  } catch (error) {
    throw new Error(explain(error, file), { cause: error });
  }
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, channel) =>
    buffer.getChannelData(channel).slice(),
  );
  return { sampleRate: buffer.sampleRate, channels };
}

/** Return the rate that an MP4 file states, or null: a conversion by the browser changes more. */
async function rateOf(file) {
  const ends = [file.slice(0, SEARCHED), file.slice(Math.max(0, file.size - SEARCHED))];
  for (const end of ends) {
    const bytes = new DataView(await end.arrayBuffer());
    const text = new TextDecoder("latin1").decode(bytes);
    const at = Math.max(text.indexOf("mp4a\0\0\0\0\0\0"), text.indexOf("alac\0\0\0\0\0\0"));
    const position = at + RATE_OFFSET;
    const isFound = at !== -1 && position + 2 <= text.length;
    if (isFound && bytes.getUint16(position) >= LEAST_RATE) {
      return bytes.getUint16(position);
    }
  }
  return null;
}

/** Return the length that the browser finds, or null. */
function secondsOf(file) {
  const audio = document.createElement("audio");
  audio.preload = "metadata";
  const url = URL.createObjectURL(file);
  return new Promise((resolve) => {
    const finish = () => {
      resolve(Number.isFinite(audio.duration) ? audio.duration : null);
      URL.revokeObjectURL(url);
    };
    audio.addEventListener("loadedmetadata", finish);
    audio.addEventListener("error", finish);
    setTimeout(finish, METADATA_TIMEOUT);
    audio.src = url;
  });
}

function explain(error, { size }) {
  if (error.name === "NotReadableError" || error.name === "NotFoundError") {
    return "Your browser cannot read this file. Is it a folder, or was it moved?";
  }
  return size === 0
    ? "This file is empty."
    : "Your browser cannot decode this file. MP3, FLAC, Ogg, WAV and M4A work in most browsers.";
}
