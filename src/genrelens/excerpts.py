"""The part of a recording that is classified: the whole, or three short excerpts (``--fast``)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import AudioSource, probe, stream_audio
from genrelens.errors import AudioError
from genrelens.highpass import high_pass
from genrelens.levels import SILENCE_LEVEL, to_dbfs
from genrelens.threads import map_in_threads

__all__ = ["Excerpt", "expected_seconds", "open_excerpts"]

Float32 = NDArray[np.float32]

_CENTRES = (1 / 6, 3 / 6, 5 / 6)  # centres of the excerpts, as fractions of the duration
_SHORT = 90.0  # seconds; a recording that is not longer is not divided
_BLOCK = 3.0  # seconds; with longer blocks, more is decoded that is not needed


class Excerpt(NamedTuple):
    """A part of a recording.

    Attributes:
        start: offset in seconds.
        blocks: its samples, mono, each (n,) float32.

    """

    start: float
    blocks: Iterable[Float32]


def open_excerpts(
    source: AudioSource,
    *,
    sample_rate: int,
    offset: float,
    duration: float | None,
    excerpt_seconds: float | None = None,
    threads: int = 1,
) -> tuple[list[Excerpt], float | None]:
    """Return the excerpts of a recording: the whole recording as one, or three short ones.

    The arguments, errors and warnings are those of :func:`genrelens.audio.stream_audio`.

    Args:
        source: the recording.
        sample_rate: rate of the blocks, in Hz.
        offset: where to start, in seconds; the starts of excerpts are relative to it.
        duration: how much to use, in seconds; None uses all.
        excerpt_seconds: decode only this much around 1/6, 3/6 and 5/6 of the duration; at most 30.
            The whole recording is decoded nevertheless if it lasts at most 90 s, its header states
            no duration or one that is too long, the source can be read only once, or an excerpt is
            silent for more than half of its time. None decodes the whole recording.
        threads: number of excerpts that are decoded at once; 1 for a file object.

    Returns:
        The excerpts, and the duration of the recording in seconds; None if the whole recording is
        decoded.

    """
    whole = stream_audio(source, sample_rate=sample_rate, offset=offset, duration=duration)
    if excerpt_seconds is None:
        return [Excerpt(0.0, whole)], None
    seconds = expected_seconds(source, offset, duration) or 0.0
    if seconds <= _SHORT:
        return [Excerpt(0.0, whole)], None
    starts = [centre * seconds - excerpt_seconds / 2 for centre in _CENTRES]
    is_file_object = not isinstance(source, str | os.PathLike | bytes | bytearray | memoryview)
    decoded = map_in_threads(
        lambda start: _excerpt(source, offset + start, excerpt_seconds, sample_rate),
        starts,
        jobs=1 if is_file_object else threads,
    )
    excerpts = []
    with closing(decoded):
        for start, samples in decoded:
            if samples is None:
                return [Excerpt(0.0, whole)], None
            excerpts.append(Excerpt(start, [samples]))
    return excerpts, seconds


def _excerpt(source: AudioSource, start: float, seconds: float, sample_rate: int) -> Float32 | None:
    """Decode an excerpt; return None if it cannot be decoded completely or is silent."""
    try:
        blocks = stream_audio(
            source, sample_rate=sample_rate, offset=start, duration=seconds, block_seconds=_BLOCK
        )
        samples = np.concatenate(list(blocks))
    except AudioError:  # shorter than stated, or damaged; decoding the whole reports it
        return None
    is_short = len(samples) < 0.99 * seconds * sample_rate
    return None if is_short or _is_silent(samples, sample_rate) else samples


def expected_seconds(
    source: AudioSource, offset: float = 0.0, duration: float | None = None
) -> float | None:
    """Return how much of a recording will be decoded, according to its header.

    Args:
        source: the recording; it is not read if it can be read only once.
        offset: where to start, in seconds.
        duration: how much to use, in seconds; None uses all.

    Returns:
        A length in seconds, at least 0; None if it is unknown.

    """
    known = _known_seconds(source)
    if known is None:
        return None
    remaining = max(0.0, known - offset)
    return remaining if duration is None else min(remaining, duration)


def _known_seconds(source: AudioSource) -> float | None:
    """Return the duration that the header states, or None if the source can be read only once."""
    if isinstance(source, str | os.PathLike):
        is_rereadable = os.path.isfile(source)  # noqa: PTH113 (Path.is_file fails on long names)
    elif isinstance(source, bytes | bytearray | memoryview):
        is_rereadable = True
    else:
        is_rereadable = hasattr(source, "seekable") and source.seekable()
    try:
        return probe(source).seconds if is_rereadable else None
    except AudioError:
        return None


def _is_silent(samples: Float32, sample_rate: int) -> bool:
    """Return whether more than half of the seconds of an excerpt (n,) are silent."""
    n_seconds = max(1, len(samples) // sample_rate)
    filtered = high_pass(samples, sample_rate)[: n_seconds * sample_rate]
    powers = np.square(filtered.reshape(n_seconds, -1), dtype=np.float64).mean(axis=1)
    return bool((to_dbfs(powers) < SILENCE_LEVEL).mean() > 0.5)
