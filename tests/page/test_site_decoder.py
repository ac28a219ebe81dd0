"""Decoding in the browser when its decoder fails, or delivers nothing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from support import synth
from support.browser import Visit
from support.site_clips import RATE, example
from support.static_site import classify

# A decoder that delivers a second of sound for each packet, and also what a test asks for.
_DECODE = """async ([member, result]) => {
  const { decodedSource } = await import(new URL("static/engine/codec.js", document.baseURI));
  const sound = (frames) => ({
    numberOfChannels: 1, numberOfFrames: frames, sampleRate: 8000, copyTo() {},
    close() { this.numberOfFrames = 0; },
  });
  const empty = { ...sound(0), copyTo() { throw new RangeError("Frame offset of 0"); } };
  const broken = { ...sound(8000), copyTo() { throw new RangeError("not enough memory"); } };
  class Decoder extends EventTarget {
    static isConfigSupported = async () => ({ supported: true });
    state = "configured";
    decodeQueueSize = 0;
    constructor(callbacks) { super(); this.callbacks = callbacks; }
    configure() {}
    close() { this.state = "closed"; }
    async flush() {}
    decode() {
      queueMicrotask(() => {
        this.callbacks[member]({ empty, broken, error: new Error("wrong bits") }[result]);
        this.callbacks.output(sound(8000));
      });
    }
  }
  const [own, uncaught] = [globalThis.AudioDecoder, []];
  const note = (event) => { event.preventDefault(); uncaught.push(event.message); };
  addEventListener("error", note);
  globalThis.AudioDecoder = Decoder;
  const packets = async function* () {
    for (let index = 0; index < 30; index += 1) { yield { data: new Uint8Array(9) }; }
  };
  const config = { codec: "x", sampleRate: 8000, numberOfChannels: 1 };
  try {
    const source = await decodedSource({ config, skip: 0, total: null, packets });
    let samples = 0;
    for await (const [block] of source.blocks()) { samples += block.length; }
    return { samples, uncaught };
  } catch (error) {
    return { error: error.message, uncaught };
  } finally {
    globalThis.AudioDecoder = own;
    removeEventListener("error", note);
  }
}"""


@pytest.mark.parametrize(
    ("member", "result", "expected"),
    [
        ("output", "empty", {"samples": 30 * 8000}),  # as in Firefox, for Vorbis
        ("output", "broken", {"error": "not enough memory"}),
        ("error", "error", {"error": "This file is damaged: your browser cannot decode it."}),
    ],
)
def test_what_a_decoder_calls_back_with(
    engine_page: Visit, member: str, result: str, expected: dict[str, Any]
) -> None:
    """Nothing is thrown where it would end the worker."""
    found = engine_page.page.evaluate(_DECODE, [member, result])
    assert found == {**expected, "uncaught": []}


def test_a_file_of_which_hardly_anything_can_be_decoded(engine_page: Visit) -> None:
    content = bytearray(synth.write(example("trance"), RATE, "FLAC"))
    bits = np.random.default_rng(0)
    for at in bits.integers(20_000, len(content), len(content) // 50):
        content[at] = bits.integers(256)
    found = classify(engine_page, bytes(content))
    sentence = r"This file is damaged: only 0\.\d s of 10\.0 s could be decoded\."
    assert re.fullmatch(sentence, found["error"])


def test_a_file_that_is_damaged_in_the_middle(engine_page: Visit) -> None:
    content = bytearray(synth.write(example("trance"), RATE, "FLAC"))
    middle = len(content) // 2
    content[middle : middle + 200_000] = bytes(200_000)
    found = classify(engine_page, bytes(content), "a.flac")["document"]
    assert 3 < found["duration"] < 8
    [note] = found["notes"]
    assert note.startswith("a.flac: is damaged; ")
