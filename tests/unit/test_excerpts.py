"""The excerpts of a recording that are decoded."""

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

RATE = 2000  # of the files: a ramp, so that a sample shows its position


def ramp(seconds: float) -> NDArray[np.float32]:
    """Return samples of 1/1000 per second with alternating sign."""
    y = (np.arange(round(seconds * RATE)) / RATE / 1000).astype(np.float32)
    y[1::2] *= -1
    return y


def wav(seconds: float) -> bytes:
    return synth.write(ramp(seconds), RATE, subtype="FLOAT")


def opened(source: Any, **options: Any) -> tuple[list[tuple[float, float, float]], float | None]:
    """Return start, first time and end time of each excerpt, and the duration."""
    settings = {"offset": 0.0, "duration": None, "excerpt_seconds": 30.0, **options}
    excerpts, seconds = open_excerpts(source, sample_rate=RATE, **settings)
    result = []
    for excerpt in excerpts:
        samples = np.abs(np.concatenate(list(excerpt.blocks)).astype(np.float64)) * 1000
        result.append((excerpt.start, samples[0], samples[-1] + 1 / RATE))
    return result, seconds


def approximately(*rows: tuple[float, float, float]) -> list[Any]:
    return [pytest.approx(row, abs=1e-3) for row in rows]


def test_three_excerpts() -> None:
    """The centres are at 20, 60 and 100 of 120 s."""
    result, seconds = opened(wav(120))
    assert result == approximately((5, 5, 35), (45, 45, 75), (85, 85, 115))
    assert seconds == 120


def test_excerpts_of_a_part() -> None:
    """A part of 150 s that starts at 10 s has its centres at 35, 85 and 135 s."""
    result, seconds = opened(wav(200), offset=10.0, duration=150.0)
    assert result == approximately((10, 20, 50), (60, 70, 100), (110, 120, 150))
    assert seconds == 150
    result, seconds = opened(wav(200), offset=80.0, duration=500.0)
    assert result == approximately((5, 85, 115), (45, 125, 155), (85, 165, 195))
    assert seconds == 120


def test_only_the_excerpts_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from genrelens.decoders import SoundFileDecoder

    decoded, blocks = 0, SoundFileDecoder.blocks

    def counted(self: SoundFileDecoder, offset: float, block_seconds: float) -> Any:
        nonlocal decoded
        for block in blocks(self, offset, block_seconds):
            decoded += len(block)
            yield block

    monkeypatch.setattr(SoundFileDecoder, "blocks", counted)
    opened(wav(3000))
    assert decoded / RATE == pytest.approx(90, abs=1)


def test_short_excerpts() -> None:
    result, seconds = opened(wav(120), excerpt_seconds=15.0)
    expected = approximately((12.5, 12.5, 27.5), (52.5, 52.5, 67.5), (92.5, 92.5, 107.5))
    assert (result, seconds) == (expected, 120)


def test_the_whole_is_decoded_without_a_length() -> None:
    assert opened(wav(120), excerpt_seconds=None) == (approximately((0, 0, 120)), None)


@pytest.mark.parametrize("options", [{}, {"offset": 40.0}, {"duration": 80.0}])
def test_a_short_recording_is_decoded_whole(options: dict[str, float]) -> None:
    source = wav(90 if not options else 120)
    start = options.get("offset", 0.0)
    result, seconds = opened(source, **options)
    assert (result, seconds) == (approximately((0, start, start + (80 if options else 90))), None)


def test_every_kind_of_source(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(120))
    expected = opened(path)
    assert len(expected[0]) == 3
    with path.open("rb") as file:
        for source in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), file):
            assert opened(source) == expected


def test_a_pipe_is_decoded_whole(tmp_path: Path) -> None:
    """A pipe can be read only once, so its duration is not probed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for name in (True, False):
        writer = threading.Thread(target=pipe.write_bytes, args=(wav(100),))
        writer.start()
        if name:
            assert opened(pipe) == (approximately((0, 0, 100)), None)
        else:
            with pipe.open("rb") as stream:
                assert opened(stream) == (approximately((0, 0, 100)), None)
        writer.join()


def test_a_recording_shorter_than_stated_is_decoded_whole() -> None:
    """The header states 120 s, but the file has 60 s, so the third excerpt does not exist."""
    flac = synth.write(synth.noise(120, RATE), RATE, "FLAC")
    with pytest.warns(UserWarning, match="is damaged"):
        (excerpt,), seconds = opened(flac[: len(flac) // 2])
    assert (excerpt[0], seconds) == (0.0, None)
    with pytest.warns(UserWarning, match=r"is damaged; [56]\d\.\d s could be decoded"):
        list(stream_audio(flac[: len(flac) // 2], sample_rate=RATE))


def test_errors_are_those_of_stream_audio() -> None:
    names = ("/nowhere", "/" + "x" * 300, "a\0b")
    for source, error in ((b"text", AudioError), (3, TypeError), *((n, AudioError) for n in names)):
        with pytest.raises(error) as fast:
            opened(source)
        with pytest.raises(error) as usual:
            list(stream_audio(source, sample_rate=RATE))  # type: ignore[arg-type]
        assert str(fast.value) == str(usual.value)
    with pytest.raises(ValueError, match="offset=-1 must be"):
        opened(wav(120), offset=-1)


def loud(seconds: float) -> NDArray[np.float32]:
    return synth.noise(seconds, RATE)


@pytest.mark.parametrize(
    ("silent", "whole"),
    [((40, 80), True), ((44, 58), False), ((44, 64), True), ((86, 120), True), ((36, 44), False)],
)
def test_a_silent_excerpt_has_the_recording_decoded_whole(
    silent: tuple[int, int], whole: bool
) -> None:
    """The excerpts are 5..35, 45..75 and 85..115 s; one is silent for more or less than half."""
    y = loud(120)
    y[silent[0] * RATE : silent[1] * RATE] = 0
    for offset in (0, 0.3):  # a DC offset
        result, seconds = opened(synth.write(y + np.float32(offset), RATE, subtype="FLOAT"))
        assert (len(result), seconds) == ((1, None) if whole else (3, 120))


def test_a_header_that_states_too_much_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last excerpt, from 85 to 115 s, would have only 20 s; the whole is decoded instead."""
    monkeypatch.setattr("genrelens.excerpts._known_seconds", lambda _: 120.0)
    assert opened(wav(105)) == (approximately((0, 0, 105)), None)


def test_a_header_that_states_too_little_is_not_trusted() -> None:
    content = synth.write(ramp(200), RATE, "FLAC")
    start = content[21] & 0xF0
    lying = content[:21] + bytes([start]) + (100 * RATE).to_bytes(4, "big") + content[26:]
    with pytest.warns(AudioWarning, match=r"the header states 100\.0 s, 200\.0 s were decoded"):
        excerpts, seconds = opened(lying)
    assert [each[:2] for each in excerpts] == [(0, pytest.approx(0, abs=0.1))]
    assert excerpts[0][2] == pytest.approx(200, abs=0.1)
    assert seconds is None
