"""Which parts of a recording are heard, and how loud they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import AudioSource, load_audio, probe, stream_audio
from genrelens.errors import AudioError

__all__ = ["FLOOR_LEVEL", "Meter", "Passage", "open_passages"]

Float32 = NDArray[np.float32]

FLOOR_LEVEL = -120.0
"""What the level of digital silence is called, in dBFS."""

_PLACES = (1 / 6, 3 / 6, 5 / 6)  # of the middles of what is heard in haste
_SECONDS = 30.0  # of each: what the networks hear at once


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a recording.

    Attributes:
        start: in seconds.
        blocks: its samples, mono, each (n,) float32.

    """

    start: float
    blocks: Iterable[Float32]


def open_passages(
    source: AudioSource, *, sample_rate: int, offset: float, duration: float | None, fast: bool
) -> tuple[list[Passage], float | None]:
    """Open what is to be heard of a recording: all of it, or three passages.

    Arguments, errors and warnings are those of :func:`genrelens.audio.stream_audio`.

    Args:
        source: of the audio.
        sample_rate: of the blocks, in Hz.
        offset: where the recording starts for us, in seconds; passages are counted from there.
        duration: how much of it counts, in seconds; None is all.
        fast: hear 30 s around 1/6, 3/6 and 5/6 of it, and do not decode the rest. What lasts 90 s
            or less, does not say how long it lasts, can be read only once, or does not hold what
            it promises is heard whole.

    Returns:
        The passages, and the length of the recording in seconds if some of it is left out, else
        None.

    """
    whole = stream_audio(source, sample_rate=sample_rate, offset=offset, duration=duration)
    left = (_known_seconds(source) or 0.0) - offset if fast else 0.0
    seconds = left if duration is None else min(left, duration)
    if seconds <= len(_PLACES) * _SECONDS:
        return [Passage(0.0, whole)], None
    starts = [place * seconds - _SECONDS / 2 for place in _PLACES]
    try:
        passages = [
            Passage(start, [load_audio(source, sample_rate=sample_rate, offset=offset + start,
                                       duration=_SECONDS)])
            for start in starts
        ]  # fmt: skip
    except AudioError:  # it ends before its header says, or is damaged: the whole will tell
        return [Passage(0.0, whole)], None
    if any(_n_samples(each) < 0.99 * _SECONDS * sample_rate for each in passages):
        return [Passage(0.0, whole)], None
    return passages, seconds


def _n_samples(passage: Passage) -> int:
    return sum(map(len, passage.blocks))


def _known_seconds(source: AudioSource) -> float | None:
    """Return how long a recording says it lasts, if asking does not use it up."""
    if isinstance(source, str | os.PathLike):
        again = os.path.isfile(source)  # noqa: PTH113 (Path's raises on a name that is too long)
    elif isinstance(source, bytes | bytearray | memoryview):
        again = True
    else:
        again = hasattr(source, "seekable") and source.seekable()
    try:
        return probe(source).seconds if again else None
    except AudioError:
        return None


class Meter:
    """Counts and measures the samples that pass.

    Args:
        size: samples of a stretch; the loudest one counts. What is left over in the end is a
            stretch of its own.

    Attributes:
        n_samples: that have passed.

    """

    def __init__(self, size: int) -> None:
        self.n_samples = 0
        self._size = size
        self._loudest = 0.0  # mean square

    @property
    def level(self) -> float:
        """RMS level of the loudest stretch in dBFS, -120 at least; a full square wave has 0."""
        return max(FLOOR_LEVEL, 10 * math.log10(max(self._loudest, 1e-30)))

    def through(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """Pass the blocks (n,) of one passage on."""
        rest = np.empty(0, np.float32)
        for block in blocks:
            self.n_samples += len(block)
            rest = np.concatenate([rest, block])
            whole = len(rest) // self._size * self._size
            self._measure(rest[:whole].reshape(-1, self._size))
            rest = rest[whole:]
            yield block
        self._measure(rest[None])

    def _measure(self, stretches: Float32) -> None:
        if stretches.size:
            energies = np.einsum("ij,ij->i", stretches, stretches, dtype=np.float64)
            self._loudest = max(self._loudest, float(energies.max()) / stretches.shape[1])
