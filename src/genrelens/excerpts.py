"""Which parts of a recording are heard."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import AudioSource, load_audio, probe, stream_audio
from genrelens.errors import AudioError
from genrelens.highpass import high_pass
from genrelens.levels import SILENCE_LEVEL, to_dbfs

__all__ = ["Excerpt", "open_excerpts"]

Float32 = NDArray[np.float32]

_PLACES = (1 / 6, 3 / 6, 5 / 6)  # of the middles of what is heard in haste
_SECONDS = 30.0  # of each: what the networks hear at once


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a recording.

    Attributes:
        start: in seconds.
        blocks: its samples, mono, each (n,) float32.

    """

    start: float
    blocks: Iterable[Float32]


def open_excerpts(
    source: AudioSource, *, sample_rate: int, offset: float, duration: float | None, fast: bool
) -> tuple[list[Excerpt], float | None]:
    """Open what is to be heard of a recording: all of it, or three passages.

    Arguments, errors and warnings are those of :func:`genrelens.audio.stream_audio`.

    Args:
        source: of the audio.
        sample_rate: of the blocks, in Hz.
        offset: where the recording starts for us, in seconds; passages are counted from there.
        duration: how much of it counts, in seconds; None is all.
        fast: hear 30 s around 1/6, 3/6 and 5/6 of it, and do not decode the rest. What lasts 90 s
            or less, does not say how long it lasts, can be read only once, or does not hold what
            it promises is decoded whole; so is a recording that is silent for half of one of these.

    Returns:
        The passages, and the length of the recording in seconds if some of it is left out, else
        None.

    """
    whole = stream_audio(source, sample_rate=sample_rate, offset=offset, duration=duration)
    left = (_known_seconds(source) or 0.0) - offset if fast else 0.0
    seconds = left if duration is None else min(left, duration)
    if seconds <= len(_PLACES) * _SECONDS:
        return [Excerpt(0.0, whole)], None
    starts = [place * seconds - _SECONDS / 2 for place in _PLACES]
    passages = []
    for start in starts:
        try:
            samples = load_audio(
                source, sample_rate=sample_rate, offset=offset + start, duration=_SECONDS
            )
        except AudioError:  # it ends before its header says, or is damaged: the whole will tell
            return [Excerpt(0.0, whole)], None
        is_short = len(samples) < 0.99 * _SECONDS * sample_rate
        if is_short or not _sounds(samples, sample_rate):  # the music is somewhere else
            return [Excerpt(0.0, whole)], None
        passages.append(Excerpt(start, [samples]))
    return passages, seconds


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


def _sounds(samples: Float32, sample_rate: int) -> bool:
    """Return whether at least half of the seconds of an excerpt (n,) are louder than silence."""
    n_seconds = max(1, len(samples) // sample_rate)
    filtered = high_pass(samples, sample_rate)[: n_seconds * sample_rate]
    seconds = np.square(filtered.reshape(n_seconds, -1), dtype=np.float64)
    return bool((to_dbfs(seconds.mean(axis=1)) >= SILENCE_LEVEL).mean() >= 0.5)
