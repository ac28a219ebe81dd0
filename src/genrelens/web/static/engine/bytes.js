/** The bytes of a file, of which only a part is in memory. */

const CHUNK = 2 ** 20;

export class Bytes {
  #file;
  #start = 0;
  #chunk = new Uint8Array(0);

  /** @param {Blob} file */
  constructor(file) {
    this.#file = file;
    this.size = file.size;
  }

  /** Return the bytes from a position on; fewer than `length` at the end of the file. */
  async at(position, length) {
    const offset = position - this.#start;
    const wanted = Math.max(0, Math.min(length, this.size - position));
    if (offset < 0 || offset + wanted > this.#chunk.length) {
      const part = this.#file.slice(position, position + Math.max(CHUNK, wanted));
      this.#chunk = new Uint8Array(await part.arrayBuffer());
      this.#start = position;
      return this.#chunk.subarray(0, wanted);
    }
    return this.#chunk.subarray(offset, offset + wanted);
  }

  /** Return whether a text stands at a position. */
  async startsWith(text, position = 0) {
    return asText(await this.at(position, text.length)) === text;
  }
}

/** Return bytes as text, one character each. */
export const asText = (bytes) => String.fromCharCode(...bytes);

/** Return the number in big-endian bytes. */
export const bigEndian = (bytes) => bytes.reduce((number, byte) => 256 * number + byte, 0);

/** Return the number in little-endian bytes. */
export const littleEndian = (bytes) => bigEndian([...bytes].reverse());

/** Return the position after an ID3v2 tag at the start of a file, which may have several. */
export async function afterId3(bytes) {
  let position = 0;
  while (await bytes.startsWith("ID3", position)) {
    const head = await bytes.at(position, 10);
    const size = head.subarray(6, 10).reduce((number, byte) => 128 * number + (byte & 0x7f), 0);
    position += 10 + size + (head[5] & 0x10 ? 10 : 0);
  }
  return position;
}
