"""Playlists without jumps: paths through the library from one recording to another.

A path from A to B takes recordings in the order of their progress ``x . (B - A)``, so it never
turns back and contains no recording twice. Among all such paths of the requested length, it is the
one with the smallest sum of the fourth powers of its steps (distances of consecutive embeddings):
the fourth power makes a large step expensive. It is computed exactly, by dynamic programming over
the recordings that are near the arc from A to B. Without B, the progress is the distance from A.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.counts import count_of
from genrelens.library.catalog import Catalog
from genrelens.library.likeness import Likeness, Similar, same_song, vector_of
from genrelens.library.records import Entry

__all__ = ["make_playlist", "smoothest_path"]

_CANDIDATES = 1000  # recordings near the arc that a path may use
_POINTS = 9  # points of the arc
_POWER = 4  # of the steps in the sum

Float32 = NDArray[np.float32]


def make_playlist(
    catalog: Catalog,
    seeds: Sequence[str | os.PathLike[str]],
    *,
    n: int = 50,
    model: str | None = None,
    **conditions: Any,
) -> list[Similar]:
    """Return a playlist whose consecutive recordings are similar.

    It begins with the first seed, contains the others in their order, and ends with the last. With
    one seed, it moves slowly away from it. No recording is repeated, nor are its copies (the same
    audio, or the same artist and title).

    Args:
        catalog: a catalogue that a scan has filled.
        seeds: paths of one or more different recordings. A file that is not in the catalogue is
            classified first.
        n: number of recordings, at least that of the seeds; there are fewer if the catalogue has
            fewer that meet the conditions.
        model: as for :func:`similar_recordings`.
        **conditions: arguments of :meth:`Catalog.query` except ``model`` and ``errors``; the seeds
            need not meet them.

    Returns:
        The recordings in order, each with its similarity to the one before; 1 for the first.

    Raises:
        AudioError, LibraryError, ModelError: as for :func:`similar_recordings`.
        TypeError: ``seeds`` is a single path.
        ValueError: there is no seed, a seed is given twice, or ``n`` is too small.

    Example::

        with Catalog.open(readonly=True) as catalog:
            for entry, similarity in make_playlist(catalog, ["calm.mp3", "wild.mp3"], n=30):
                print(f"{similarity:.2f}", entry.path)

    """
    if isinstance(seeds, str | os.PathLike):
        raise TypeError("seeds is a list of paths, not one path")
    likeness = Likeness(catalog, model=model, **conditions)
    fixed = [likeness.find(seed) for seed in seeds]
    if not fixed or n < len(fixed):
        raise ValueError(
            f"{count_of(len(fixed), 'seed does', 'seeds do')} not make a playlist of "
            f"n={count_of(n, 'recording')}"
        )
    if len({seed.digest for seed in fixed}) < len(fixed):
        raise ValueError("two of the seeds are the same recording")
    path = _Path(likeness, fixed)
    ends: list[Entry | None] = [*fixed[1:]] or [None]
    for end, size in zip(ends, _sizes(fixed, n), strict=True):
        path.extend(end, size)
    return _with_similarities(path.entries)


class _Path:
    """A path that grows seed by seed."""

    def __init__(self, likeness: Likeness, seeds: Sequence[Entry]) -> None:
        self._likeness = likeness
        self.entries = [seeds[0]]
        self._audio = {seed.digest for seed in seeds}
        self._files = {seed.path for seed in seeds}
        self._songs = {same_song(seed) for seed in seeds} - {None}

    def extend(self, end: Entry | None, size: int) -> None:
        """Append ``size`` recordings, and the end if there is one."""
        start = vector_of(self.entries[-1])
        last = start if end is None else vector_of(end)
        rows = self._candidates(_arc(start, last), max(_CANDIDATES, 2 * size))
        aim = -start if end is None else last - start
        vectors = self._likeness.embeddings.vectors[rows]
        order = np.argsort(vectors @ aim, kind="stable")
        tail = [] if end is None else [end]
        chain = np.stack([start, *vectors[order], *map(vector_of, tail)])
        length = 1 + min(size, len(rows)) + len(tail)
        path = smoothest_path(chain, length, to_last=end is not None)
        for place in path[1 : length - len(tail)]:
            self._add(self._likeness.entry(rows[order[place - 1]]))
        for entry in tail:
            self._add(entry)

    def _candidates(self, arc: Float32, n: int) -> list[int]:
        """Return the rows of recordings nearest to an arc, (k, d), that are not in the path yet."""
        embeddings, songs = self._likeness.embeddings, set(self._songs)
        rows: list[int] = []
        for row in embeddings.nearest_to_any(arc, self._likeness.among):
            file = None if embeddings.digest(row) in self._audio else self._likeness.file(row)
            if file is None or file.path in self._files or same_song(file) in songs:
                continue
            songs |= {same_song(file)} - {None}
            rows.append(row)
            if len(rows) == n:
                break
        return rows

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._audio.add(entry.digest)
        self._songs |= {same_song(entry)} - {None}


def smoothest_path(vectors: Float32, n: int, *, to_last: bool) -> list[int]:
    """Return the n ascending places of vectors whose path has the smallest steps.

    The sum of the fourth powers of the distances of consecutive vectors is minimal.

    Args:
        vectors: (m, d) of length 1, in the order in which a path may use them.
        n: length of the path, 1 to m.
        to_last: end with the last vector; otherwise with any. The first is always the beginning.

    """
    m = len(vectors)
    costs = np.maximum(0, 2 - 2 * vectors @ vectors.T) ** (_POWER / 2)
    costs[np.tril_indices(m)] = np.inf
    best = np.full(m, np.inf, np.float32)  # the cheapest path of the present length to each place
    best[0] = 0
    before = []  # the last place but one of these paths, for each length
    for _ in range(n - 1):
        total = best[:, None] + costs
        before.append(total.argmin(axis=0))
        best = total.min(axis=0)
    path = [m - 1 if to_last else int(best.argmin())]
    for places in reversed(before):
        path.append(int(places[path[-1]]))
    return path[::-1]


def _arc(start: Float32, end: Float32) -> Float32:
    """Return points on the arc between two vectors, (k, d) of length 1."""
    shares = np.linspace(0, 1, _POINTS, dtype=np.float32)[:, None]
    points = (1 - shares) * start + shares * end
    return np.asarray(points / np.maximum(1e-6, np.linalg.norm(points, axis=1, keepdims=True)))


def _sizes(seeds: Sequence[Entry], n: int) -> list[int]:
    """Return how many recordings to place after each seed but the last, by the angles."""
    if len(seeds) == 1:
        return [n - 1]
    vectors = np.stack([vector_of(seed) for seed in seeds])
    angles = np.arccos(np.clip((vectors[1:] * vectors[:-1]).sum(axis=1), -1, 1)) + 1e-6
    ends = np.rint(np.cumsum(angles) / angles.sum() * (n - len(seeds)))
    return [int(size) for size in np.diff(ends, prepend=0)]


def _with_similarities(entries: Sequence[Entry]) -> list[Similar]:
    vectors = [vector_of(entry) for entry in entries]
    steps = [1.0, *(float(a @ b) for a, b in pairwise(vectors))]
    return [Similar(entry, min(1.0, step)) for entry, step in zip(entries, steps, strict=True)]
