"""The mel scale and the constant matrices that stand on it: filters and cosine transform."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["dct_matrix", "hz_to_mel", "mel_edges", "mel_filterbank", "mel_to_hz"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Slaney's scale is linear below 1 kHz (15 mel at 1 kHz) and logarithmic above.
_LINEAR_HZ_PER_MEL = 200 / 3
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(hz: Float64) -> Float64:
    """Frequencies in Hz to Slaney's mel scale; same shape."""
    logarithmic = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mel: Float64) -> Float64:
    """Slaney's mel scale to frequencies in Hz; same shape."""
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def mel_edges(n_mels: int, f_min: float, f_max: float) -> Float64:
    """Lower edge, centres and upper edge of the bands in Hz, (n_mels + 2,)."""
    low, high = hz_to_mel(np.array([f_min, f_max]))
    return mel_to_hz(np.linspace(low, high, n_mels + 2))


@lru_cache(maxsize=16)
def mel_filterbank(
    *, sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> Float32:
    """Triangular mel filters of unit area (Slaney's Auditory Toolbox, 1998).

    Returns:
        (n_mels, 1 + n_fft // 2) float32, read-only. A filter narrower than the distance of two
        Fourier bins can be all zero.

    """
    edges = mel_edges(n_mels, f_min, f_max)
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return _frozen(triangles * (2 / (edges[2:] - edges[:-2]))[:, None])


@lru_cache(maxsize=4)
def dct_matrix(n_in: int, n_out: int) -> Float32:
    """Orthonormal DCT-II as a matrix, (n_in, n_out) float32, read-only."""
    angles = np.pi * np.outer(np.arange(n_in) + 0.5, np.arange(n_out)) / n_in
    matrix = np.sqrt(2 / n_in) * np.cos(angles)
    matrix[:, 0] = np.sqrt(1 / n_in)
    return _frozen(matrix)


def _frozen(matrix: Float64) -> Float32:
    result = matrix.astype(np.float32)
    result.flags.writeable = False
    return result
