/** Decoding with the browser's WebCodecs, packet by packet, so that memory is bounded. */

import { concatenate, range } from "./arrays.js";

const MAX_QUEUE = 64; // packets that wait in the decoder
const BLOCK_SECONDS = 2;
const MAX_FAILURES = 20; // of the decoder, after which the file cannot be decoded

/**
 * The packets of a compressed recording.
 * @typedef {Object} Packets
 * @property {AudioDecoderConfig} config
 * @property {number} skip  samples to skip at the start
 * @property {?number} total  number of samples after that; null if it is unknown
 * @property {?string} [damage]  why packets are missing; known after the last one
 * @property {() => AsyncIterable<{data: Uint8Array}>} packets
 */

/**
 * Return a source that decodes packets.
 * @param {Packets} opened
 * @returns {Promise<?import("./classify.js").Source>}  null if this browser lacks the decoder
 */
export async function decodedSource(opened) {
  if (!globalThis.AudioDecoder) {
    return null;
  }
  const { supported } = await AudioDecoder.isConfigSupported(opened.config).catch(() => ({}));
  if (!supported) {
    return null;
  }
  const decoder = new PacketDecoder(opened.config);
  const decoded = decoder.decode(opened.packets());
  const first = await decoded.next(); // the true rate: AAC may have twice the stated one
  if (first.done) {
    return null;
  }
  const { sampleRate } = first.value;
  const scale = sampleRate / opened.config.sampleRate;
  const limits = [opened.skip * scale, (opened.total ?? Infinity) * scale].map(Math.round);
  return {
    sampleRate,
    seconds: opened.total === null ? null : opened.total / opened.config.sampleRate,
    blocks: () => joined(trimmed(withFirst(first.value, decoded), ...limits), sampleRate),
    get damage() {
      return decoder.failures ? decoder.reason : (opened.damage ?? null);
    },
  };
}

async function* withFirst(first, others) {
  yield first;
  yield* others;
}

/**
 * Decodes packets; after a failure it goes on with the next ones.
 *
 * The decoder calls back at any time. An exception there would end the worker, with the recordings
 * that wait in it, so it is kept, and `decode` throws it.
 */
class PacketDecoder {
  #config;
  #decoder = null;
  #decoded = [];
  #fatal = null; // the error that `decode` is to throw
  failures = 0;
  reason = "";

  constructor(config) {
    this.#config = config;
  }

  /** Yield `{sampleRate, channels}`, a few milliseconds each. */
  async *decode(packets) {
    try {
      let timestamp = 0;
      for await (const { data } of packets) {
        this.#send(data, (timestamp += 1000));
        await this.#room();
        yield* this.#take();
      }
      await this.#decoder?.flush().catch((error) => this.#fail(error));
      yield* this.#take();
    } finally {
      this.#close();
    }
  }

  /** Return what was decoded since the last call. */
  #take() {
    if (this.#fatal) {
      throw this.#fatal;
    }
    return this.#decoded.splice(0);
  }

  #send(data, timestamp) {
    if (!this.#decoder || this.#decoder.state === "closed") {
      this.#decoder = new AudioDecoder({
        output: (audio) => this.#keep(audio),
        error: (error) => this.#fail(error),
      });
      this.#decoder.configure(this.#config);
    }
    this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data }));
  }

  /** Wait until the decoder has room for more packets. */
  async #room() {
    const decoder = this.#decoder;
    while (decoder.state !== "closed" && decoder.decodeQueueSize > MAX_QUEUE) {
      await new Promise((resolve) => {
        decoder.addEventListener("dequeue", resolve, { once: true });
        setTimeout(resolve, 1000); // a decoder that fails reports no such event
      });
    }
  }

  #keep(audio) {
    try {
      if (audio.numberOfFrames) { // Firefox returns nothing for the first packet of Vorbis
        this.#decoded.push(planesOf(audio));
      }
    } catch (error) {
      this.#fatal ??= error;
    } finally {
      audio.close();
    }
  }

  #fail(error) {
    this.failures += 1;
    this.reason = error.message;
    if (this.failures > MAX_FAILURES) {
      this.#fatal ??= new Error("This file is damaged: your browser cannot decode it.");
    }
  }

  #close() {
    if (this.#decoder && this.#decoder.state !== "closed") {
      this.#decoder.close();
    }
  }
}

function planesOf(audio) {
  const channels = range(audio.numberOfChannels).map((planeIndex) => {
    const samples = new Float32Array(audio.numberOfFrames);
    audio.copyTo(samples, { planeIndex, format: "f32-planar" });
    return samples;
  });
  return { sampleRate: audio.sampleRate, channels };
}

/** Leave out samples at the start, and those after the end. */
async function* trimmed(blocks, skip, total) {
  let position = -skip;
  for await (const { channels } of blocks) {
    const n = channels[0].length;
    const [start, stop] = [Math.max(0, -position), Math.min(n, total - position)];
    if (stop > start) {
      yield channels.map((samples) => samples.subarray(start, stop));
    }
    position += n;
    if (position >= total) {
      return;
    }
  }
}

/** Join short blocks to longer ones. */
async function* joined(blocks, sampleRate) {
  let parts = [];
  let n = 0;
  const all = () => parts[0].map((_, index) => concatenate(parts.map((part) => part[index])));
  for await (const channels of blocks) {
    if (parts.length && parts[0].length !== channels.length) {
      yield all();
      [parts, n] = [[], 0];
    }
    parts.push(channels);
    n += channels[0].length;
    if (n >= BLOCK_SECONDS * sampleRate) {
      yield all();
      [parts, n] = [[], 0];
    }
  }
  if (parts.length) {
    yield all();
  }
}
