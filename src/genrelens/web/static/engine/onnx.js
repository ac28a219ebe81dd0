/** The metadata in an ONNX file, which is a message of Protocol Buffers. */

const METADATA_PROPS = 14; // field of ModelProto with pairs of texts
const [KEY, VALUE] = [1, 2]; // fields of such a pair
const [VARINT, FIXED64, DELIMITED, FIXED32] = [0, 1, 2, 5]; // wire types

/**
 * Return the texts that a model file contains beside its graph.
 * @param {Uint8Array} content
 * @returns {Object<string, string>}
 * @throws {Error}  the content is not an ONNX file
 */
export function metadataOf(content) {
  const texts = {};
  for (const [field, value] of fieldsOf(content)) {
    if (field === METADATA_PROPS) {
      const pair = new Map(fieldsOf(value));
      texts[decode(pair.get(KEY))] = decode(pair.get(VALUE));
    }
  }
  return texts;
}

const decode = (bytes) => new TextDecoder().decode(bytes);

/** Yield number and content of each field of a message that has a length. */
function* fieldsOf(bytes) {
  let position = 0;
  const varint = () => {
    let [value, factor, byte] = [0, 1, 0];
    do {
      byte = bytes[position++];
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte & 0x80);
    return value;
  };
  while (position < bytes.length) {
    const tag = varint();
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    if (type === DELIMITED) {
      const length = varint();
      yield [field, bytes.subarray(position, position + length)];
      position += length;
    } else if (type === VARINT) {
      varint();
    } else if (type === FIXED64 || type === FIXED32) {
      position += type === FIXED64 ? 8 : 4;
    } else {
      throw new Error("The model file is damaged.");
    }
  }
}
