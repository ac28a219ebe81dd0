"""Zero-phase filters, shaped noise and signal-to-noise ratios, in numpy.

A filter is a gain over frequency. It is applied to the spectrum of the whole waveform, so its
attenuation at each frequency is exact and there is no delay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Response",
    "apply_filter",
    "at_snr",
    "convolve",
    "high_pass",
    "low_pass",
    "pink",
    "power",
    "shaped_noise",
    "speech",
]

Float64 = NDArray[np.float64]
Response = Callable[[Float64], Float64]
"""A function of frequencies in Hz; it returns gains of the same shape, at least 0."""

_PADDING = 0.5  # seconds of silence at the end, so that ringing does not wrap to the beginning


# --------------------------------------------------------------------------------- gains


def high_pass(cutoff: float, order: int) -> Response:
    """Return a Butterworth high-pass: -3.01 dB at ``cutoff`` Hz, ``6 * order`` dB per octave."""

    def gain(hz: Float64) -> Float64:
        ratio = (hz / cutoff) ** order
        return ratio / np.sqrt(1 + ratio * ratio)

    return gain


def low_pass(cutoff: float, order: int) -> Response:
    """Return a Butterworth low-pass: -3.01 dB at ``cutoff`` Hz, ``6 * order`` dB per octave."""

    def gain(hz: Float64) -> Float64:
        ratio = (hz / cutoff) ** order
        return 1 / np.sqrt(1 + ratio * ratio)

    return gain


def pink(hz: Float64) -> Float64:
    """Return the gain that makes white noise pink: -3 dB per octave above 20 Hz, flat below."""
    return np.sqrt(20 / np.maximum(hz, 20))


def speech(hz: Float64) -> Float64:
    """Return the gain that gives white noise roughly the long-term spectrum of speech.

    It is flat from 100 to 500 Hz and falls by 9 dB per octave above, as Byrne et al. (1994) found
    in twelve languages.
    """
    return high_pass(100, 2)(hz) * np.maximum(hz / 500, 1) ** -1.5


# ---------------------------------------------------------------------------- waveforms


def apply_filter(y: Float64, sample_rate: int, *responses: Response) -> Float64:
    """Return a waveform (n,) with its spectrum multiplied by gains, (n,)."""
    return convolve(y, np.ones(1), sample_rate, *responses)


def convolve(y: Float64, h: Float64, sample_rate: int, *responses: Response) -> Float64:
    """Convolve ``y`` (n,) with an impulse response ``h`` (m,) and filter; return n samples."""
    size = 1 << (len(y) + len(h) + int(_PADDING * sample_rate)).bit_length()
    spectrum = np.fft.rfft(y, size)
    if len(h) > 1:
        spectrum *= np.fft.rfft(h, size)
    hz = np.asarray(np.fft.rfftfreq(size, 1 / sample_rate), np.float64)
    for response in responses:
        spectrum *= response(hz)
    return np.fft.irfft(spectrum, size)[: len(y)]


def shaped_noise(
    n_samples: int, sample_rate: int, rng: np.random.Generator, *responses: Response
) -> Float64:
    """Return Gaussian noise (n_samples,) whose spectrum has the shape of the gains."""
    return apply_filter(rng.standard_normal(n_samples), sample_rate, *responses)


def power(y: Float64) -> float:
    """Return the mean square of a waveform."""
    return float(np.mean(np.square(y)))


def at_snr(noise: Float64, signal: Float64, snr: float) -> Float64:
    """Scale noise so that the mean power of ``signal`` is ``snr`` dB above that of the noise.

    For a silent signal, the result is silent.
    """
    wanted, found = power(signal) / 10 ** (snr / 10), power(noise)
    return noise * np.sqrt(wanted / found) if found else noise
