"""The level of segments in dBFS, the level of silence, and the range of valid samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOOR_LEVEL", "SILENCE_LEVEL", "LevelMeter", "first_invalid", "to_dbfs"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

FLOOR_LEVEL = -120.0
"""The level of digital silence, in dBFS."""

SILENCE_LEVEL = -70.0
"""A segment below this level, in dBFS, is silent. A recording is silent if all its segments are.

16-bit dither is at -96 dBFS. The noise of an idle converter in its last three bits is below -78
dBFS. A network would assign a genre even to such noise, although there is nothing to classify.
"""

_MAX_AMPLITUDE = 1e6  # 120 dB over full scale; the power still fits into float32


def first_invalid(samples: Float32) -> int | None:
    """Return the index of the first invalid sample: not finite, or over 120 dB over full scale.

    Args:
        samples: (n,) with n >= 1, full scale 1.0.

    Returns:
        The index, or None if all samples are valid.

    """
    if -_MAX_AMPLITUDE <= samples.min() <= samples.max() <= _MAX_AMPLITUDE:
        return None
    return int(np.argmin(np.abs(samples) <= _MAX_AMPLITUDE))


def to_dbfs(mean_square: Float64) -> Float64:
    """Convert mean squares to RMS levels in dBFS, at least -120; a full-scale square wave has 0."""
    floor = 10 ** (FLOOR_LEVEL / 10)
    return np.asarray(10 * np.log10(np.maximum(mean_square, floor)))


class LevelMeter:
    """Measures the levels of the segments of a waveform, block by block.

    The level of a frame is the level of the ``hop_length`` samples around its centre. These samples
    are measured before the frame can be computed.

    Args:
        hop_length: distance between frames in samples.
        segment_frames: number of frames in a segment.

    Attributes:
        n_samples: number of samples measured so far.

    """

    def __init__(self, *, hop_length: int, segment_frames: int) -> None:
        self.n_samples = 0
        self._hop, self._frames = hop_length, segment_frames
        self._powers = np.empty(0)  # of the frames from number self._first on
        self._first = 0
        self._rest = np.zeros(hop_length // 2, np.float32)  # before the first sample

    def through(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """Measure blocks (n,) and yield them unchanged."""
        for block in blocks:
            self.n_samples += len(block)
            rest = np.concatenate([self._rest, block])
            n_whole = len(rest) // self._hop * self._hop
            self._measure(rest[:n_whole].reshape(-1, self._hop))
            self._rest = rest[n_whole:]
            yield block
        self._measure(self._rest[None])

    def _measure(self, frames: Float32) -> None:
        powers = np.einsum("ij,ij->i", frames, frames)
        self._powers = np.concatenate([self._powers, powers.astype(np.float64)])

    def levels(self, starts: Int64) -> Float64:
        """Return the RMS levels of segments in dBFS, and discard the frames before the last one.

        Args:
            starts: number of the first frame of each segment, (k,), ascending, also over calls.

        """
        sums = [self._powers[s : s + self._frames].sum() for s in starts - self._first]
        self._powers = self._powers[starts[-1] - self._first :]
        self._first = int(starts[-1])
        first = np.maximum(starts * self._hop - self._hop // 2, 0)
        last = (starts + self._frames) * self._hop - self._hop // 2
        n_samples = np.minimum(last, self.n_samples) - first
        return to_dbfs(np.array(sums) / np.maximum(n_samples, 1))
