"""Audio frames of FFmpeg whose planes PyAV counts wrongly.

A read beyond the memory of a frame can crash this process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrelens.audio import load_audio
from genrelens.decoders import DecodeError
from genrelens.decoders.ffmpeg import FrameArrays
from support import synth

RATE = 48_000


def channels(n: int, seconds: float = 1) -> Any:
    """Return sines; the fourth is low, since it is the subwoofer in 7.1."""
    pitches = [200, 300, 400, 60, *range(500, 100 + 100 * n, 100)]
    return np.stack([synth.sine(pitch, seconds, RATE, 0.4) for pitch in pitches], axis=1)


@pytest.mark.parametrize(
    ("codec", "container", "n", "tolerance"),
    [
        ("wavpack", "matroska", 8, 0.02),
        ("aac", "ipod", 8, 0.02),
        ("aac", "ipod", 16, 0.02),
        ("libopus", "matroska", 8, 0.02),
        ("pcm_s16le", "mov", 16, 1e-4),
    ],
)
def test_eight_and_more_channels(codec: str, container: str, n: int, tolerance: float) -> None:
    """All eight pointers of a frame are in use; PyAV alone reads beyond them."""
    y = channels(n)
    content = synth.encode(y, RATE, codec, container)
    decoded = load_audio(content, sample_rate=RATE)
    middle = slice(RATE // 4, RATE // 2)
    best = min(
        np.abs(np.roll(decoded, -lag)[middle] - y.mean(axis=1)[middle]).max()
        for lag in (0, 312, 1024, 2048)
    )
    assert best < tolerance


def frame(n: int, n_planes: int, rate: int = RATE) -> Any:
    return SimpleNamespace(
        layout=SimpleNamespace(nb_channels=n),
        planes=[b""] * n_planes,
        format=SimpleNamespace(is_planar=True),
        sample_rate=rate,
    )


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        (frame(25, 29), "a frame claims 25 channels"),
        (frame(9, 9), "a frame claims 9 channels"),
        (frame(2, 3), "a frame claims 2 channels, and has 3"),
        (frame(2, 1), "a frame claims 2 channels, and has 1"),
        (frame(0, 0), "0 channels are not in"),
        (frame(2, 2, rate=0), "a sample rate of 0 Hz is not in"),
        (frame(2, 2, rate=2**31 - 1), "a sample rate of 2147483647 Hz is not in"),
    ],
)
def test_an_impossible_frame_is_an_error(claimed: Any, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        FrameArrays(2).check(claimed)


def test_frames_can_have_as_many_channels_as_the_header_states() -> None:
    FrameArrays(16).check(frame(16, 20))
    FrameArrays(2).check(frame(6, 6))
