"""Gains against scipy's Butterworth filters, convolution, shaped noise and its level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens.acoustics.filters import (
    Response,
    apply_filter,
    at_snr,
    convolve,
    high_pass,
    low_pass,
    pink,
    power,
    shaped_noise,
    speech,
)

Float64 = NDArray[np.float64]
RATE = 16_000


def density(y: Float64, hz: float, bandwidth: float = 0.1) -> float:
    """Power density around a frequency in dB, by Welch's method."""
    from scipy import signal

    frequencies, found = signal.welch(y, RATE, nperseg=8192)
    near = np.abs(frequencies / hz - 1) < bandwidth
    return float(10 * np.log10(found[near].mean()))


@pytest.mark.parametrize(("make", "kind"), [(high_pass, "highpass"), (low_pass, "lowpass")])
@pytest.mark.parametrize("order", [2, 8])
def test_butterworth(make: type, kind: str, order: int) -> None:
    from scipy import signal

    hz = np.geomspace(5, 8000, 200)
    b, a = signal.butter(order, 2 * np.pi * 300, kind, analog=True)
    _, expected = signal.freqs(b, a, worN=2 * np.pi * hz)
    np.testing.assert_allclose(make(300, order)(hz), np.abs(expected), rtol=1e-6)


def test_zero_frequency() -> None:
    assert high_pass(30, 8)(np.zeros(1)) == 0
    assert low_pass(30, 8)(np.zeros(1)) == 1


def test_a_sine_is_scaled_and_not_delayed() -> None:
    y = np.sin(2 * np.pi * 250 * np.arange(4 * RATE) / RATE)
    filtered = apply_filter(y, RATE, high_pass(500, 2))
    gain = 1 / np.sqrt(1 + 2**4)  # an octave below the cut-off, second order
    middle = slice(RATE, 3 * RATE)
    np.testing.assert_allclose(filtered[middle], gain * y[middle], atol=1e-4)


def test_the_end_does_not_ring_into_the_beginning() -> None:
    y = np.zeros(RATE)
    y[-1] = 1.0
    filtered = apply_filter(y, RATE, high_pass(30, 8))
    assert np.abs(filtered[: RATE // 2]).max() < 1e-4 * np.abs(filtered[-RATE // 8 :]).max()


@pytest.mark.parametrize("n", [1, 100, 5000])
def test_convolution(n: int) -> None:
    rng = np.random.default_rng(0)
    y, h = rng.standard_normal(n), rng.standard_normal(700)
    np.testing.assert_allclose(convolve(y, h, RATE), np.convolve(y, h)[:n], atol=1e-9)


@pytest.mark.parametrize(
    ("response", "slope"), [(pink, -3.01), (speech, -9.03), (lambda hz: np.ones_like(hz), 0.0)]
)
def test_slope_of_noise(response: Response, slope: float) -> None:
    """In dB for each octave from 600 Hz to 4800 Hz."""
    y = shaped_noise(30 * RATE, RATE, np.random.default_rng(0), response)
    levels = [density(y, hz) for hz in (600, 1200, 2400, 4800)]
    for low, high in pairwise(levels):
        assert high - low == pytest.approx(slope, abs=0.5)


def test_speech_is_flat_to_500_hz() -> None:
    y = shaped_noise(60 * RATE, RATE, np.random.default_rng(0), speech)
    assert density(y, 200) == pytest.approx(density(y, 450), abs=1)
    assert density(y, 30, 0.3) < density(y, 200) - 15


@pytest.mark.parametrize("snr", [-5.0, 0.0, 20.0])
def test_signal_to_noise_ratio(snr: float) -> None:
    rng = np.random.default_rng(0)
    y, noise = 0.3 * rng.standard_normal(999), rng.standard_normal(999)
    scaled = at_snr(noise, y, snr)
    assert 20 * np.log10(np.std(y) / np.std(scaled)) == pytest.approx(snr, abs=0.05)
    assert power(y) / power(scaled) == pytest.approx(10 ** (snr / 10))
    assert np.corrcoef(noise, scaled)[0, 1] == pytest.approx(1)


def test_silence_has_no_noise_below_it() -> None:
    noise = np.random.default_rng(0).standard_normal(99)
    assert not at_snr(noise, np.zeros(99), 20.0).any()
    assert not at_snr(np.zeros(99), noise, 20.0).any()
