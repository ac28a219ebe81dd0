"""Clips for the static site: parts of the bundled ones and odd ones, and their comparison."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import soundfile
import soxr

from genrelens.web.information import examples_folder
from support import synth
from support.synth import Float32

RATE = 44_100


@lru_cache
def example(name: str, seconds: float = 10.0) -> Float32:
    """Return the beginning of a bundled clip, mono at 44.1 kHz."""
    y, rate = soundfile.read(examples_folder() / f"{name}.ogg", dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(y.mean(axis=1)[: int(seconds * rate)], rate, RATE))


def _wav(y: Any, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    return synth.write(y, rate, subtype=subtype)


def _at(rate: int) -> Float32:
    return np.asarray(soxr.resample(example("jazz-quartet"), RATE, rate))


def _stereo(factor: float, delay: int = 3) -> Float32:
    y = _at(48_000)
    return np.stack([y, factor * np.roll(y, delay)], axis=1)


def _mix() -> Float32:
    """Bach, metal and a pause, twice: a recording that changes.

    The pause has dither. The network responds to the difference between a sample of exactly zero
    and one of 1e-8, and the rounding noise of soxr reaches into digital silence beside music.
    """
    pause = synth.noise(9, RATE, level=3e-5)
    part = [example("bach-prelude", 16), example("metal-war-of-freedom", 16), pause]
    return np.concatenate([*part, *part])


WAVS: dict[str, Callable[[], bytes]] = {
    "rock": lambda: _wav(example("rock-riff")),
    "between": lambda: _wav(example("between-genres")),
    "stereo": lambda: _wav(np.stack([example("trance"), example("punk-chords")], axis=1)),
    "8 kHz, 8 bits": lambda: _wav(_at(8_000), 8_000, "PCM_U8"),
    "48 kHz, 24 bits": lambda: _wav(_stereo(0.7), 48_000, "PCM_24"),
    "96 kHz, floats": lambda: _wav(_at(96_000), 96_000, "FLOAT"),
    "odd rate": lambda: _wav(_at(44_056), 44_056, "PCM_32"),
    "opposed": lambda: _wav(_stereo(-0.9, 0), 48_000),
    "delayed": lambda: _wav(_stereo(0.9, 480), 48_000),
    "extensible": lambda: synth.write(_stereo(1.0), 48_000, "WAVEX"),
    "silence": lambda: _wav(np.zeros((8 * RATE, 2), np.float32)),
    "two seconds": lambda: _wav(example("jazz-quartet", 2)),
    "noise": lambda: _wav(synth.noise(9, RATE)),
    "a mix": lambda: _wav(_mix()),
}

COMPRESSED: dict[str, Callable[[], bytes]] = {
    "Ogg Vorbis": lambda: (examples_folder() / "trance.ogg").read_bytes(),
    "MP3": lambda: synth.write(example("rock-riff"), RATE, "MP3"),
    "MP3 with gaps stated": lambda: synth.encode(example("trance"), RATE, "libmp3lame", "mp3"),
    "FLAC": lambda: synth.write(_stereo(0.7), 48_000, "FLAC", "PCM_24"),
    "Opus": lambda: synth.write(_at(48_000), 48_000, "OGG", "OPUS"),
    "AAC": lambda: synth.encode(example("rock-riff"), RATE, "aac", "adts"),
    "M4A": lambda: synth.encode(example("rock-riff"), RATE, "aac", "ipod"),
    "WebM": lambda: synth.encode(_at(48_000), 48_000, "libopus", "webm"),
}


def differences(found: Any, expected: Any, tolerance: float, path: str = "") -> list[str]:
    """Return where two documents differ by more than the tolerance for probabilities.

    Names in lists of genres and styles may be in another order if they are equally probable. Times
    must be the same; estimates in dB may differ a little more.
    """
    if path == ".answer":  # its percentages are rounded, so they may differ by one
        found, expected = (re.sub(r"\d+ %", "", text) for text in (found, expected))
    if path in (".genres", ".styles"):
        found, expected = ({each["name"]: each for each in value} for value in (found, expected))
    if isinstance(expected, dict):
        return _differences_of_dicts(found, expected, tolerance, path)
    if isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [text for i, pair in pairs for text in differences(*pair, tolerance, f"{path}.{i}")]
    is_number = isinstance(expected, float) and isinstance(found, int | float)
    allowed = 100 * tolerance if path.endswith((".snr", ".level")) else tolerance
    same = abs(found - expected) <= allowed if is_number else found == expected
    return [] if same else [f"{path}: {found} instead of {expected}"]


def _differences_of_dicts(
    found: Any, expected: dict[str, Any], tolerance: float, path: str
) -> list[str]:
    if set(found) != set(expected):
        return [f"{path}: {sorted(found)} instead of {sorted(expected)}"]
    return [
        text
        for key in expected
        for text in differences(found[key], expected[key], tolerance, f"{path}.{key}")
    ]
