"""Levels of segments, and invalid samples, computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genrelens.features import FeatureConfig
from genrelens.levels import LevelMeter, first_invalid, to_dbfs

CONFIG = FeatureConfig(
    kind="mel",
    sample_rate=8000,
    n_fft=4,
    hop_length=4,
    n_mels=1,
    f_min=0,
    f_max=4000,
    segment_frames=2,
    segment_hop=2,
)


def levels(starts: list[int], *blocks: Any) -> list[float]:
    meter = LevelMeter(hop_length=CONFIG.hop_length, segment_frames=CONFIG.segment_frames)
    passed = list(meter.through([np.array(block, np.float32) for block in blocks]))
    assert [list(block) for block in passed] == [list(np.float32(block)) for block in blocks]
    assert meter.n_samples == sum(map(len, blocks))
    return [float(level) for level in meter.levels(np.array(starts))]


def test_a_frame_has_the_level_of_the_samples_around_its_centre() -> None:
    """Frames 0 and 1 are samples 0 to 5, frames 2 and 3 samples 6 to 13, 4 and 5 the rest."""
    y = [0.1] * 6 + [0.5, -0.5] * 4 + [0.2] * 2
    expected = pytest.approx(20 * np.log10([0.1, 0.5, 0.2]))
    for blocks in ([y], [y[:5], y[5:6], [], y[6:]], [[each] for each in y]):
        assert levels([0, 2, 4], *blocks) == expected


def test_segments_can_overlap() -> None:
    y = [0.1] * 6 + [0.5] * 8
    mixed = 10 * np.log10((4 * 0.01 + 4 * 0.25) / 8)
    assert levels([0, 1, 2], y) == pytest.approx([-20, mixed, 20 * np.log10(0.5)])


def test_the_padding_of_a_short_recording_does_not_count() -> None:
    assert levels([0], [0.5, -0.5, 0.5]) == pytest.approx([20 * np.log10(0.5)])


def test_extremes() -> None:
    assert levels([0, 2], [0.0] * 14) == [-120, -120]
    assert levels([0], [1.0, -1.0] * 3) == [0]
    assert levels([0], [1e6] * 6) == pytest.approx([120])
    assert to_dbfs(np.array([1e-30, 0.01, 1])).tolist() == pytest.approx([-120, -20, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.1e6, -1e30])
def test_the_first_invalid_sample_is_found(value: float) -> None:
    samples = np.array([0.0, 1e6, value, np.nan], np.float32)
    assert first_invalid(samples) == 2
    assert first_invalid(samples[:2]) is None
