/** The frames of FLAC files. */

import { afterId3, bigEndian, Bytes } from "./bytes.js";

const MAX_HEADER = 16; // bytes of a frame before its samples
const SIZES = { 1: 192, 2: 576, 3: 1152, 4: 2304, 5: 4608 };
const LAST_BLOCK = 0x80;

/**
 * Open a FLAC file.
 * @param {Blob} file
 * @returns {Promise<?import("./codec.js").Packets>}  null if it is none
 */
export async function openFlac(file) {
  const bytes = new Bytes(file);
  const start = await afterId3(bytes);
  if (!(await bytes.startsWith("fLaC", start))) {
    return null;
  }
  const info = (await bytes.at(start, 42)).slice();
  const [rate, channels] = [bigEndian(info.subarray(18, 21)) >> 4, ((info[20] >> 1) & 7) + 1];
  const total = (info[21] & 15) * 2 ** 32 + bigEndian(info.subarray(22, 26));
  info[4] |= LAST_BLOCK; // the description has this block only
  const opened = {
    config: { codec: "flac", sampleRate: rate, numberOfChannels: channels, description: info },
    skip: 0,
    total: total || null,
    damage: null,
    packets: async function* () {
      const first = await afterMetadata(bytes, start + 4);
      const isWhole = yield* frames(bytes, first, bigEndian(info.subarray(15, 18)));
      opened.damage = isWhole ? null : "a frame has no header";
    },
  };
  return opened;
}

async function afterMetadata(bytes, start) {
  for (let position = start; ; ) {
    const head = await bytes.at(position, 4);
    position += 4 + bigEndian(head.subarray(1, 4));
    if (head[0] & LAST_BLOCK || head.length < 4) {
      return position;
    }
  }
}

/** Yield the frames; each ends where the next header is found. Return whether all were found. */
async function* frames(bytes, start, largest) {
  const reach = Math.max(2 ** 17, 2 * largest);
  let position = start;
  let number = null;
  while (position < bytes.size) {
    const data = await bytes.at(position, reach);
    const frame = headerOf(data, 0);
    if (!frame || (number !== null && frame.number < number)) {
      return false;
    }
    number = frame.number;
    const next = nextFrame(data, frame);
    const end = next === -1 ? data.length : next;
    yield { data: data.subarray(0, end), samples: frame.samples };
    position += end;
  }
  return true;
}

/** Return the position of the next header whose number follows that of a frame, or -1. */
function nextFrame(data, frame) {
  for (let at = data.indexOf(0xff, 8); at !== -1; at = data.indexOf(0xff, at + 1)) {
    const other = headerOf(data, at);
    if (other && other.number === frame.number + (frame.isVariable ? frame.samples : 1)) {
      return at;
    }
  }
  return -1;
}

/** Return number and size of the frame whose header is at a position, or null. */
function headerOf(data, at) {
  const head = data.subarray(at, at + MAX_HEADER);
  if (head.length < 6 || head[0] !== 0xff || (head[1] & 0xfe) !== 0xf8 || head[3] & 1) {
    return null;
  }
  const coded = codedNumber(head);
  const [sizeCode, rateCode] = [head[2] >> 4, head[2] & 15];
  const sizeBytes = sizeCode === 6 ? 1 : sizeCode === 7 ? 2 : 0;
  const rateBytes = rateCode === 12 ? 1 : rateCode === 13 || rateCode === 14 ? 2 : 0;
  if (!coded || sizeCode === 0 || rateCode === 15) {
    return null;
  }
  const end = coded.end + sizeBytes + rateBytes;
  if (end >= head.length || crc8(head.subarray(0, end)) !== head[end]) {
    return null;
  }
  const explicit = bigEndian(head.subarray(coded.end, coded.end + sizeBytes)) + 1;
  const samples = sizeBytes ? explicit : (SIZES[sizeCode] ?? 2 ** sizeCode);
  return { number: coded.number, samples, isVariable: (head[1] & 1) === 1 };
}

/** Read the number of a frame, which is coded like a character in UTF-8. */
function codedNumber(head) {
  const first = head[4];
  const length = first < 0x80 ? 1 : Math.clz32(~(first << 24));
  if (length > 7 || (first >= 0x80 && length < 2)) {
    return null;
  }
  let number = length === 1 ? first : first & (0x7f >> length);
  for (const byte of head.subarray(5, 4 + length)) {
    number = 64 * number + (byte & 0x3f);
  }
  return { number, end: 4 + length };
}

function crc8(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = ((crc << 1) ^ (crc & 0x80 ? 0x07 : 0)) & 0xff;
    }
  }
  return crc;
}
