"""A high-pass that removes what is no sound: an offset (DC) and what sways below 20 Hz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["high_pass", "iter_high_pass"]

Float32 = NDArray[np.float32]

_AVERAGES_PER_SECOND = 40  # -3 dB at 23 Hz, 0.4 dB at most above 40 Hz
_STEPS = 2**22  # of a sample's full scale: whole numbers add up exactly


def high_pass(y: Float32, sample_rate: int) -> Float32:
    """Remove an offset and what lies below about 23 Hz (-3 dB) from a waveform.

    The local mean is subtracted: that of 25 ms, averaged over 25 ms again, which is a window of
    triangular shape around each sample. So the phase stays, an offset vanishes completely, and
    digital silence stays digital silence. Beyond its ends the waveform is taken as its mirror
    image, so that an offset makes no step there.

    Args:
        y: (n_samples,) float32, full scale 1.0.
        sample_rate: in Hz.

    Returns:
        (n_samples,) float32.

    """
    return np.concatenate([np.empty(0, np.float32), *iter_high_pass([y], sample_rate)])


def iter_high_pass(blocks: Iterable[Float32], sample_rate: int) -> Iterator[Float32]:
    """Like :func:`high_pass` for a waveform that arrives in blocks.

    Yields:
        (n,) float32; all of them together are what :func:`high_pass` returns, to the bit.

    """
    reach = 2 * _half_width(sample_rate)
    rest = np.empty(0, np.float32)
    mirrored = False
    for block in blocks:
        rest = np.concatenate([rest, block])
        if not mirrored and len(rest) >= reach:
            rest, mirrored = np.concatenate([rest[:reach][::-1], rest]), True
        if mirrored and len(rest) > 2 * reach:
            yield _filtered(rest, sample_rate)
            rest = rest[len(rest) - 2 * reach :]
    if mirrored:
        yield _filtered(np.concatenate([rest, rest[len(rest) - reach :][::-1]]), sample_rate)
    elif len(rest):
        yield _filtered(np.pad(rest, reach, mode="symmetric"), sample_rate)


def _half_width(sample_rate: int) -> int:
    return max(1, round(sample_rate / _AVERAGES_PER_SECOND / 2))


def _filtered(samples: Float32, sample_rate: int) -> Float32:
    """Filter all samples but ``2 * half_width`` at each end, which are there to be averaged."""
    half = _half_width(sample_rate)
    width = 2 * half + 1
    sums = np.rint(samples * np.float32(_STEPS)).astype(np.int64)
    for _ in range(2):
        running = np.cumsum(sums)
        sums = running[width - 1 :].copy()
        sums[1:] -= running[:-width]
    kept = samples[2 * half : len(samples) - 2 * half]
    return np.asarray(kept - sums * (1 / (_STEPS * width**2)), dtype=np.float32)
