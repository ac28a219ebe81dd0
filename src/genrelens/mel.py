"""Spectrograms, the mel scale and its filters, decibels and the cosine transform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "DB_FLOOR",
    "dct_matrix",
    "hz_to_mel",
    "iter_spectrogram",
    "mel_edges",
    "mel_filterbank",
    "mel_to_hz",
    "power_to_db",
    "row_product",
]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

DB_FLOOR = -100.0
"""The lowest level of :func:`power_to_db` by default, in dB."""

_FRAMES_AT_ONCE = 512  # bounds memory; the runs of frames do not depend on the blocks
_MAX_PRODUCT = 2**18  # multiplications that OpenBLAS computes in one thread

# Slaney's scale is linear below 1 kHz (15 mel at 1 kHz) and logarithmic above.
_LINEAR_HZ_PER_MEL = 200 / 3
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27


def iter_spectrogram(
    blocks: Iterable[Float32], *, n_fft: int, hop_length: int
) -> Iterator[Float32]:
    """Yield the power spectrogram of a waveform in blocks.

    Args:
        blocks: consecutive blocks of one waveform, each (n,) float32.
        n_fft: window length in samples, even.
        hop_length: distance between frames in samples.

    Yields:
        (k, 1 + n_fft // 2) float32 with k <= 512.

    """
    margin = np.zeros(n_fft // 2, np.float32)
    enough = n_fft + (_FRAMES_AT_ONCE - 1) * hop_length
    rest = np.empty(0, np.float32)
    for block in chain([margin], blocks, [margin]):
        rest = np.concatenate([rest, block])
        while len(rest) >= enough:
            yield _power(rest[:enough], n_fft, hop_length)
            rest = rest[_FRAMES_AT_ONCE * hop_length :]
    if len(rest) >= n_fft:
        yield _power(rest, n_fft, hop_length)


def _power(samples: Float32, n_fft: int, hop_length: int) -> Float32:
    frames = sliding_window_view(samples, n_fft)[::hop_length]
    spectrum = np.fft.rfft(frames * _hann(n_fft))
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> Float32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def hz_to_mel(hz: Float64) -> Float64:
    """Convert frequencies in Hz to Slaney's mel scale; same shape."""
    logarithmic = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mel: Float64) -> Float64:
    """Convert values on Slaney's mel scale to frequencies in Hz; same shape."""
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def mel_edges(n_mels: int, f_min: float, f_max: float) -> Float64:
    """Return the lower edge, the centres and the upper edge of the bands in Hz, (n_mels + 2,)."""
    low, high = hz_to_mel(np.array([f_min, f_max]))
    return mel_to_hz(np.linspace(low, high, n_mels + 2))


@lru_cache(maxsize=16)
def mel_filterbank(
    *, sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> Float32:
    """Return triangular mel filters of unit area.

    Args:
        sample_rate: in Hz.
        n_fft: window length in samples.
        n_mels: number of filters.
        f_min: lower edge of the lowest filter, in Hz.
        f_max: upper edge of the highest filter, in Hz.

    Returns:
        (n_mels, 1 + n_fft // 2) float32, read-only. A filter that is narrower than the distance
        between Fourier bins can be all zero.

    Source: Slaney, Auditory Toolbox (1998).

    """
    edges = mel_edges(n_mels, f_min, f_max)
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return _frozen(triangles * (2 / (edges[2:] - edges[:-2]))[:, None])


@lru_cache(maxsize=4)
def dct_matrix(n_in: int, n_out: int) -> Float32:
    """Return the orthonormal DCT-II as a matrix, (n_in, n_out) float32, read-only."""
    angles = np.pi * np.outer(np.arange(n_in) + 0.5, np.arange(n_out)) / n_in
    matrix = np.sqrt(2 / n_in) * np.cos(angles)
    matrix[:, 0] = np.sqrt(1 / n_in)
    return _frozen(matrix)


def _frozen(matrix: Float64) -> Float32:
    result = matrix.astype(np.float32)
    result.flags.writeable = False
    return result


def power_to_db(power: ArrayLike, *, floor_db: float = DB_FLOOR) -> Float32:
    """Convert powers to dB re 1.0, at least ``floor_db``; same shape, float32."""
    floor = np.float32(10 ** (floor_db / 10))
    return 10 * np.log10(np.maximum(np.asarray(power, dtype=np.float32), floor))


def row_product(rows: Float32, matrix: Float32) -> Float32:
    """Multiply (n, k) by (k, m), a few rows at a time.

    OpenBLAS, which numpy contains, splits larger products between threads. While these threads
    wait for the next product in a loop, they take the cores from the network.
    """
    n_rows = max(1, _MAX_PRODUCT // matrix.size)
    padded = np.pad(rows, ((0, -len(rows) % n_rows), (0, 0)))
    product = padded.reshape(-1, n_rows, len(matrix)) @ matrix
    return product.reshape(-1, matrix.shape[1])[: len(rows)]
