/** The packets of Vorbis and Opus in Ogg files. */

import { asText, Bytes, littleEndian } from "./bytes.js";

const OPUS_RATE = 48000;
const HEADER = 27; // bytes of a page before its table of lengths
const MAX_PAGE = HEADER + 255 + 255 * 255;
const CONTINUED = 1; // flag: the first packet of a page began on the page before

/**
 * Open an Ogg file.
 * @param {Blob} file
 * @returns {Promise<?import("./codec.js").Packets>}  null if it is no Vorbis or Opus
 */
export async function openOgg(file) {
  const bytes = new Bytes(file);
  if (!(await bytes.startsWith("OggS"))) {
    return null;
  }
  const [id] = await firstPackets(bytes, 1);
  const total = await lastGranule(bytes);
  if (asText(id.subarray(1, 7)) === "vorbis") {
    return openVorbis(bytes, total);
  }
  return asText(id.subarray(0, 8)) === "OpusHead" ? openOpus(bytes, id, total) : null;
}

async function openVorbis(bytes, total) {
  const headers = await firstPackets(bytes, 3);
  const [id] = headers;
  const description = new Uint8Array([
    2, ...lacing(headers[0].length), ...lacing(headers[1].length),
    ...headers[0], ...headers[1], ...headers[2],
  ]);
  const sampleRate = littleEndian(id.subarray(12, 16));
  return {
    config: { codec: "vorbis", sampleRate, numberOfChannels: id[11], description },
    skip: 0,
    total,
    packets: () => packets(bytes, 3),
  };
}

function openOpus(bytes, id, total) {
  const skip = littleEndian(id.subarray(10, 12));
  return {
    // Without the header, a decoder does not skip samples itself.
    config: { codec: "opus", sampleRate: OPUS_RATE, numberOfChannels: Math.min(2, id[9]) },
    skip,
    total: total === null ? null : total - skip,
    packets: () => packets(bytes, 2),
  };
}

async function firstPackets(bytes, n) {
  const found = [];
  for await (const { data } of packets(bytes, 0)) {
    found.push(data.slice());
    if (found.length === n) {
      break;
    }
  }
  const missing = Array(n - found.length).fill(new Uint8Array(0));
  return [...found, ...missing];
}

const lacing = (length) => [...Array(Math.floor(length / 255)).fill(255), length % 255];

/** Yield the packets of the first stream after some headers. */
async function* packets(bytes, nHeaders) {
  let parts = []; // of a packet that continues on the next page
  let skipped = 0;
  for await (const { lengths, body, flags } of pages(bytes)) {
    parts = flags & CONTINUED ? parts : [];
    let start = 0;
    let length = 0;
    for (const part of lengths) {
      length += part;
      if (part < 255) {
        const data = joined([...parts, body.subarray(start, start + length)]);
        skipped += 1;
        if (skipped > nHeaders && data.length) {
          yield { data, samples: 0 };
        }
        [parts, start, length] = [[], start + length, 0];
      }
    }
    if (length) {
      parts.push(body.slice(start));
    }
  }
}

function joined(parts) {
  if (parts.length === 1) {
    return parts[0];
  }
  const data = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let position = 0;
  for (const part of parts) {
    data.set(part, position);
    position += part.length;
  }
  return data;
}

/** Yield the pages of the first stream. */
async function* pages(bytes) {
  let serial = null;
  for (let position = 0; position + HEADER <= bytes.size; ) {
    const page = await bytes.at(position, MAX_PAGE);
    if (asText(page.subarray(0, 4)) !== "OggS") {
      position += 1;
      continue;
    }
    const lengths = page.subarray(HEADER, HEADER + page[26]);
    const size = lengths.reduce((total, length) => total + length, 0);
    const start = HEADER + page[26];
    const own = littleEndian(page.subarray(14, 18));
    serial ??= own;
    if (own === serial) {
      yield { lengths, body: page.subarray(start, start + size), flags: page[5] };
    }
    position += start + size;
  }
}

/** Return the number of samples up to the end of the last page, or null. */
async function lastGranule(bytes) {
  const tail = await bytes.at(Math.max(0, bytes.size - MAX_PAGE), MAX_PAGE);
  for (let at = tail.length - HEADER; at >= 0; at -= 1) {
    if (tail[at] === 0x4f && asText(tail.subarray(at, at + 4)) === "OggS") {
      const granule = littleEndian(tail.subarray(at + 6, at + 14));
      return granule < 2 ** 53 ? granule : null;
    }
  }
  return null;
}
