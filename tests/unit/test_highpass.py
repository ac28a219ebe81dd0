"""The high-pass filter against its formula, and in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens.highpass import high_pass, iter_high_pass
from support import synth

RATE = 8000
NOISE = synth.noise(3, RATE)


def test_the_filter_subtracts_a_triangular_mean() -> None:
    """The mean has a deviation of 6e-3; computing it in small blocks changes it by 3 %."""
    box = np.ones(199) / 199  # 25 ms
    mirrored = np.pad(NOISE.astype(np.float64), 198, mode="symmetric")
    expected = np.convolve(mirrored, np.convolve(box, box), "valid")
    got = NOISE - high_pass(NOISE, RATE)
    assert expected.std() > 5e-3
    np.testing.assert_allclose(got, expected, atol=1e-3)
    assert (got - expected).std() < 2e-4


@pytest.mark.parametrize(
    ("hz", "lowest", "highest"),
    [
        (2, -60, -35),
        (10, -15, -12),
        (23, -3.3, -2.7),
        (30, -1.5, -0.5),
        (40, -0.05, 0.05),
        (57, -0.45, 0),
        (110, -0.1, 0),
        (1000, -0.01, 0.01),
    ],
)
def test_the_frequency_response(hz: float, lowest: float, highest: float) -> None:
    y = synth.sine(hz, 4, RATE)
    inside = slice(RATE, 3 * RATE)
    gain = np.linalg.norm(high_pass(y, RATE)[inside]) / np.linalg.norm(y[inside])
    assert lowest <= 20 * np.log10(gain) <= highest


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
def test_an_offset_vanishes_without_a_step(rate: int) -> None:
    """The filter has no phase shift and mirrors the waveform at its ends."""
    y = synth.noise(1, rate)
    np.testing.assert_allclose(high_pass(y + np.float32(0.4), rate), high_pass(y, rate), atol=1e-6)
    assert np.abs(high_pass(np.full(rate, 0.4, np.float32), rate)).max() < 1e-6


def test_silence_stays_silence() -> None:
    """Digital silence stays exactly zero, even after loud noise."""
    y = np.concatenate([1e6 * NOISE, np.zeros(1000, np.float32)])
    assert not high_pass(y, RATE)[len(NOISE) + 210 :].any()


@pytest.mark.parametrize("n", [1, 2, 199, 200, 201, 400, 401])
def test_short_waveforms(n: int) -> None:
    y = high_pass(NOISE[:n], RATE)
    assert (y.shape, y.dtype) == ((n,), np.float32)


def test_no_samples() -> None:
    assert high_pass(np.empty(0, np.float32), RATE).shape == (0,)


@given(cuts=st.lists(st.integers(0, 24_000), max_size=40), n_samples=st.integers(1, 24_000))
def test_blocks_give_the_same_result_as_the_whole_waveform(cuts: list[int], n_samples: int) -> None:
    y = NOISE[:n_samples]
    blocks = np.split(y, sorted(min(cut, n_samples) for cut in cuts))
    pieces = list(iter_high_pass(blocks, RATE))
    assert all(len(piece) for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), high_pass(y, RATE))
