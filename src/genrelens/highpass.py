"""A high-pass filter that removes a DC offset and rumble below 20 Hz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["high_pass", "iter_high_pass"]

Float32 = NDArray[np.float32]

_AVERAGES_PER_SECOND = 40  # -3 dB at 23 Hz, 0.4 dB at most above 40 Hz
_BLOCKS_PER_SECOND = 2000  # small blocks; the local mean is interpolated between their centres
_STEPS = 2**22  # per full scale; integer sums are exact and do not depend on the blocks


def high_pass(y: Float32, sample_rate: int) -> Float32:
    """Remove a DC offset and frequencies below about 23 Hz (-3 dB) from a waveform.

    The filter subtracts the local mean, weighted with a triangular window of 50 ms around each
    sample (a mean over 25 ms, applied twice). It has no phase shift, and digital silence remains
    digital silence. The waveform is mirrored at both ends, so that an offset causes no step there.

    Args:
        y: (n_samples,) float32, full scale 1.0.
        sample_rate: in Hz.

    Returns:
        (n_samples,) float32.

    """
    return np.concatenate([np.empty(0, np.float32), *iter_high_pass([y], sample_rate)])


def iter_high_pass(blocks: Iterable[Float32], sample_rate: int) -> Iterator[Float32]:
    """Yield what :func:`high_pass` returns, for a waveform in blocks.

    Args:
        blocks: consecutive blocks of one waveform, each (n,) float32.
        sample_rate: in Hz.

    Yields:
        (n,) float32 with n >= 1; concatenated, they are bit-identical to the result of
        :func:`high_pass`.

    """
    size, half = _geometry(sample_rate)
    reach = (2 * half + 1) * size  # samples mirrored at each end: a whole number of small blocks
    n_in = n_out = 0
    rest, mirrored = np.empty(0, np.float32), False
    for block in blocks:
        n_in += len(block)
        rest = np.concatenate([rest, block])
        if not mirrored and len(rest) >= reach:
            rest, mirrored = np.concatenate([rest[:reach][::-1], rest]), True
        n_new = len(rest) // size - 1 - 4 * half
        if mirrored and n_new > 0:
            filtered = _filtered(rest, n_new, size, half)[size // 2 + 1 if n_out == 0 else 0 :]
            n_out += len(filtered)
            rest = rest[n_new * size :]
            yield filtered
    if n_in == 0:
        return
    front = 0 if mirrored else reach
    rest = np.pad(rest, (front, reach + 2 * size), mode="symmetric")
    n_new = len(rest) // size - 1 - 4 * half
    filtered = _filtered(rest, n_new, size, half)[size // 2 + 1 if n_out == 0 else 0 :]
    yield filtered[: n_in - n_out]


def _geometry(sample_rate: int) -> tuple[int, int]:
    """Return the odd number of samples in a small block, and the half window in such blocks."""
    size = sample_rate // _BLOCKS_PER_SECOND | 1
    return size, max(1, round(sample_rate / size / _AVERAGES_PER_SECOND / 2))


def _filtered(samples: Float32, n_new: int, size: int, half: int) -> Float32:
    """Filter ``n_new`` small blocks, starting at the centre of block number ``2 * half``."""
    n_blocks = n_new + 1 + 4 * half
    in_blocks = samples[: n_blocks * size].reshape(n_blocks, size)
    sums = np.rint(np.einsum("ij->i", in_blocks).astype(np.float64) * _STEPS).astype(np.int64)
    width = 2 * half + 1
    for _ in range(2):
        running = np.cumsum(np.append(0, sums))
        sums = running[width:] - running[:-width]
    means = (sums * (1 / (_STEPS * size * width**2))).astype(np.float32)  # (n_new + 1,)
    fraction = np.arange(size, dtype=np.float32) / np.float32(size)
    baseline = means[:-1, None] + fraction * np.diff(means)[:, None]
    start = 2 * half * size + size // 2
    return np.asarray(samples[start : start + n_new * size] - baseline.ravel())
