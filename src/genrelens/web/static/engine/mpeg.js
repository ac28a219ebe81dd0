/** The frames of MP3 and of AAC in ADTS. */

import { range } from "./arrays.js";
import { afterId3, asText, bigEndian, Bytes } from "./bytes.js";

const DECODER_DELAY = 529; // samples that every MP3 decoder adds at the start
const MAX_GAP = 2 ** 16; // bytes without a frame, after which the file is at its end
const SEARCHED = 2 ** 17; // bytes in which the first frame must be

const BITRATES_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const BITRATES_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const MP3_RATES = [44100, 48000, 32000];
const AAC_RATES = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
];

/**
 * Open an MP3 file, or AAC in ADTS.
 * @param {Blob} file
 * @returns {Promise<?import("./codec.js").Packets>}  null if it is neither
 */
export async function openMpeg(file) {
  const bytes = new Bytes(file);
  const start = await afterId3(bytes);
  for (const [codec, parse] of [["mp3", mp3Frame], ["mp4a.40.2", adtsFrame]]) {
    const first = await findFrame(bytes, start, parse, SEARCHED, 2);
    if (first) {
      return packetsOf(bytes, first, codec, parse);
    }
  }
  return null;
}

async function packetsOf(bytes, first, codec, parse) {
  const { sampleRate, channels } = first;
  const info = codec === "mp3" ? gapsOf(await bytes.at(first.position, first.size), first) : null;
  const start = first.position + (info ? first.size : 0);
  return {
    config: { codec, sampleRate, numberOfChannels: channels },
    skip: info?.skip ?? 0,
    total: info?.total ?? null,
    packets: () => frames(bytes, start, parse),
  };
}

async function* frames(bytes, start, parse) {
  let frame = await findFrame(bytes, start, parse, MAX_GAP, 1);
  while (frame) {
    const data = await bytes.at(frame.position, frame.size);
    if (data.length === frame.size) {
      yield { data, samples: frame.samples };
    }
    frame = await findFrame(bytes, frame.position + frame.size, parse, MAX_GAP, 1);
  }
}

/** Find the next position where `n` frames follow each other, within some bytes. */
async function findFrame(bytes, start, parse, limit, n) {
  for (let position = start; position < Math.min(start + limit, bytes.size); position += 1) {
    const head = await bytes.at(position, 7);
    const frame = head[0] === 0xff ? parse(head) : null;
    if (frame && (await isFollowed(bytes, position + frame.size, parse, n - 1, frame))) {
      return { ...frame, position };
    }
  }
  return null;
}

async function isFollowed(bytes, position, parse, n, first) {
  if (n === 0 || position >= bytes.size) {
    return true;
  }
  const next = parse(await bytes.at(position, 7));
  return next !== null && next.sampleRate === first.sampleRate;
}

/** Return size, rate and channels of an MP3 frame (Layer III) from its header, or null. */
function mp3Frame(head) {
  const [version, layer] = [(head[1] >> 3) & 3, (head[1] >> 1) & 3];
  const [bits, rate] = [head[2] >> 4, (head[2] >> 2) & 3];
  const isFrame = head.length >= 4 && (head[1] & 0xe0) === 0xe0 && version !== 1 && layer === 1;
  if (!isFrame || bits === 0 || bits === 15 || rate === 3) {
    return null;
  }
  const isFirst = version === 3; // MPEG-1
  const sampleRate = MP3_RATES[rate] / (isFirst ? 1 : version === 2 ? 2 : 4);
  const samples = isFirst ? 1152 : 576;
  const bitrate = 1000 * (isFirst ? BITRATES_1 : BITRATES_2)[bits];
  const size = Math.floor(((samples / 8) * bitrate) / sampleRate) + ((head[2] >> 1) & 1);
  return { size, sampleRate, samples, channels: head[3] >> 6 === 3 ? 1 : 2, isFirst };
}

/** Return size, rate and channels of an AAC frame from its ADTS header, or null. */
function adtsFrame(head) {
  const sampleRate = AAC_RATES[(head[2] >> 2) & 15];
  if (head.length < 7 || (head[1] & 0xf6) !== 0xf0 || !sampleRate) {
    return null;
  }
  const size = ((head[3] & 3) << 11) | (head[4] << 3) | (head[5] >> 5);
  const channels = ((head[2] & 1) << 2) | (head[3] >> 6);
  const samples = 1024 * ((head[6] & 3) + 1);
  return size > 7 ? { size, sampleRate, samples, channels: channels || 2 } : null;
}

/**
 * Return the samples to skip at the start and the number of all samples, which encoders store in
 * an extra first frame; null if there is no such frame.
 */
function gapsOf(frame, { isFirst, channels, samples }) {
  const side = isFirst ? (channels === 1 ? 17 : 32) : channels === 1 ? 9 : 17;
  const start = 4 + side;
  if (!["Xing", "Info"].includes(asText(frame.subarray(start, start + 4)))) {
    return null;
  }
  const flags = frame[start + 7];
  const [hasFrames, hasBytes, hasTable, hasQuality] = range(4).map((bit) => (flags >> bit) & 1);
  const nFrames = hasFrames ? bigEndian(frame.subarray(start + 8, start + 12)) : 0;
  const lame = start + 8 + 4 * hasFrames + 4 * hasBytes + 100 * hasTable + 4 * hasQuality;
  const [a, b, c] = frame.subarray(lame + 21, lame + 24);
  const [delay, padding] = [(a << 4) | (b >> 4), ((b & 15) << 8) | c];
  if (!frame[lame] || !(delay + padding) || !nFrames) {
    return { skip: 0, total: nFrames ? nFrames * samples : null };
  }
  return { skip: delay + DECODER_DELAY, total: nFrames * samples - delay - padding };
}
