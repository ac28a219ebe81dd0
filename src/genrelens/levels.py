"""How loud a recording is, segment by segment, and from where on it is silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from genrelens.frontend import FeatureConfig

__all__ = ["FLOOR_LEVEL", "SILENCE_LEVEL", "LevelMeter", "to_dbfs"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

FLOOR_LEVEL = -120.0
"""The level that digital silence is given, in dBFS."""

SILENCE_LEVEL = -70.0
"""A segment below this level, in dBFS, is silence; so is a recording of such segments only.

Dither of 16 bits lies at -96 dBFS, and a converter that idles on its last three bits below -78. A
network gives such noise a genre too, and there is nothing to classify in it.
"""


def to_dbfs(mean_square: Float64) -> Float64:
    """Convert mean squares to RMS levels in dBFS, -120 at least; a full square wave has 0."""
    floor = 10 ** (FLOOR_LEVEL / 10)
    return np.asarray(10 * np.log10(np.maximum(mean_square, floor)))


class LevelMeter:
    """Measures the segments of a waveform that passes in blocks.

    A frame stands for the samples around its centre, as many as the hop is long: these pass
    before the frame can be computed.

    Args:
        config: the front end.

    Attributes:
        n_samples: number of samples that have passed.

    """

    def __init__(self, config: FeatureConfig) -> None:
        self.n_samples = 0
        self._hop, self._frames = config.hop_length, config.segment_frames
        self._powers = np.empty(0)  # of the frames from number self._first on
        self._first = 0
        self._rest = np.zeros(self._hop // 2, np.float32)  # before the first sample

    def through(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """Pass blocks (n,) on."""
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
        """Return the RMS levels of segments in dBFS; earlier ones are not asked for again.

        Args:
            starts: frames that segments start with, (k,), ascending.

        """
        sums = [self._powers[s : s + self._frames].sum() for s in starts - self._first]
        self._powers = self._powers[starts[-1] - self._first :]
        self._first = int(starts[-1])
        first = np.maximum(starts * self._hop - self._hop // 2, 0)
        last = (starts + self._frames) * self._hop - self._hop // 2
        n_samples = np.minimum(last, self.n_samples) - first
        return to_dbfs(np.array(sums) / np.maximum(n_samples, 1))
