"""What is heard of a recording."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens.audio import stream_audio
from genrelens.errors import AudioError, AudioWarning
from genrelens.excerpts import open_excerpts
from support import synth

RATE = 2000  # of the files: a ramp, so that a sample says where it is from


def ramp(seconds: float) -> NDArray[np.float32]:
    """A second is 1/1000; every other sample is as far below zero, so that it is a sound."""
    y = (np.arange(round(seconds * RATE)) / RATE / 1000).astype(np.float32)
    y[1::2] *= -1
    return y


def wav(seconds: float) -> bytes:
    return synth.write(ramp(seconds), RATE, subtype="FLOAT")


def heard(source: Any, **options: Any) -> tuple[list[tuple[float, float, float]], float | None]:
    """Start of each passage, and the times of its first sample and after its last."""
    settings = {"offset": 0.0, "duration": None, "fast": True, **options}
    passages, seconds = open_excerpts(source, sample_rate=RATE, **settings)
    result = []
    for passage in passages:
        samples = np.abs(np.concatenate(list(passage.blocks)).astype(np.float64)) * 1000
        result.append((passage.start, samples[0], samples[-1] + 1 / RATE))
    return result, seconds


def approximately(*rows: tuple[float, float, float]) -> list[Any]:
    return [pytest.approx(row, abs=1e-3) for row in rows]


def test_three_passages() -> None:
    """The middles are at 20, 60 and 100 of 120 s."""
    result, seconds = heard(wav(120))
    assert result == approximately((5, 5, 35), (45, 45, 75), (85, 85, 115))
    assert seconds == 120


def test_passages_of_a_part() -> None:
    """What starts at 10 s and lasts 150 has its middles at 35, 85 and 135; counted from 10."""
    result, seconds = heard(wav(200), offset=10.0, duration=150.0)
    assert result == approximately((10, 20, 50), (60, 70, 100), (110, 120, 150))
    assert seconds == 150
    result, seconds = heard(wav(200), offset=80.0, duration=500.0)
    assert result == approximately((5, 85, 115), (45, 125, 155), (85, 165, 195))
    assert seconds == 120


def test_nothing_but_the_passages_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from genrelens.decoders import SoundFileDecoder

    decoded, blocks = 0, SoundFileDecoder.blocks

    def counted(self: SoundFileDecoder, offset: float, block_seconds: float) -> Any:
        nonlocal decoded
        for block in blocks(self, offset, block_seconds):
            decoded += len(block)
            yield block

    monkeypatch.setattr(SoundFileDecoder, "blocks", counted)
    heard(wav(3000))
    assert decoded / RATE == pytest.approx(90, abs=1)


def test_unless_it_is_fast_all_of_it_is_heard() -> None:
    assert heard(wav(120), fast=False) == (approximately((0, 0, 120)), None)


@pytest.mark.parametrize("options", [{}, {"offset": 40.0}, {"duration": 80.0}])
def test_what_is_short_is_heard_whole(options: dict[str, float]) -> None:
    source = wav(90 if not options else 120)
    start = options.get("offset", 0.0)
    result, seconds = heard(source, **options)
    assert (result, seconds) == (approximately((0, start, start + (80 if options else 90))), None)


def test_every_kind_of_source(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(120))
    expected = heard(path)
    assert len(expected[0]) == 3
    with path.open("rb") as file:
        for source in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), file):
            assert heard(source) == expected


def test_pipes_are_heard_whole(tmp_path: Path) -> None:
    """They can be read once: nobody may ask them how long they last."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for name in (True, False):
        writer = threading.Thread(target=pipe.write_bytes, args=(wav(100),))
        writer.start()
        if name:
            assert heard(pipe) == (approximately((0, 0, 100)), None)
        else:
            with pipe.open("rb") as stream:
                assert heard(stream) == (approximately((0, 0, 100)), None)
        writer.join()


def test_what_does_not_hold_what_it_promises_is_heard_whole() -> None:
    """A header of 120 s with 60 s behind it: the third passage is not there."""
    flac = synth.write(synth.noise(120, RATE), RATE, "FLAC")
    with pytest.warns(UserWarning, match="is damaged"):
        (passage,), seconds = heard(flac[: len(flac) // 2])
    assert (passage[0], seconds) == (0.0, None)
    with pytest.warns(UserWarning, match=r"is damaged; [56]\d\.\d s of it could be read"):
        list(stream_audio(flac[: len(flac) // 2], sample_rate=RATE))


def test_what_is_no_recording() -> None:
    names = ("/nowhere", "/" + "x" * 300, "a\0b")
    for source, error in ((b"text", AudioError), (3, TypeError), *((n, AudioError) for n in names)):
        with pytest.raises(error) as fast:
            heard(source)
        with pytest.raises(error) as usual:
            list(stream_audio(source, sample_rate=RATE))  # type: ignore[arg-type]
        assert str(fast.value) == str(usual.value)
    with pytest.raises(ValueError, match="offset=-1 must be"):
        heard(wav(120), offset=-1)


def loud(seconds: float) -> NDArray[np.float32]:
    return synth.noise(seconds, RATE)


@pytest.mark.parametrize(
    ("silent", "whole"),
    [((40, 80), True), ((44, 58), False), ((44, 64), True), ((86, 120), True), ((36, 44), False)],
)
def test_an_excerpt_in_silence_has_the_recording_decoded_whole(
    silent: tuple[int, int], whole: bool
) -> None:
    """The excerpts are 5..35, 45..75 and 85..115 s; silence of less than half of one is none."""
    y = loud(120)
    y[silent[0] * RATE : silent[1] * RATE] = 0
    for offset in (0, 0.3):  # an offset of the samples is no sound
        result, seconds = heard(synth.write(y + np.float32(offset), RATE, subtype="FLOAT"))
        assert (len(result), seconds) == ((1, None) if whole else (3, 120))


def test_a_header_that_promises_too_much_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last passage, from 85 to 115 s, would hold 20 s only: all of it is decoded instead."""
    monkeypatch.setattr("genrelens.excerpts._known_seconds", lambda _: 120.0)
    assert heard(wav(105)) == (approximately((0, 0, 105)), None)


def test_a_header_that_promises_too_little_is_not_believed() -> None:
    content = synth.write(ramp(200), RATE, "FLAC")
    start = content[21] & 0xF0
    lying = content[:21] + bytes([start]) + (100 * RATE).to_bytes(4, "big") + content[26:]
    with pytest.warns(AudioWarning, match=r"header says 100\.0 s, 200\.0 s were decoded"):
        passages, seconds = heard(lying)
    assert [each[:2] for each in passages] == [(0, pytest.approx(0, abs=0.1))]
    assert passages[0][2] == pytest.approx(200, abs=0.1)
    assert seconds is None
