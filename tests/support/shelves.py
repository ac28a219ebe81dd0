"""Catalogues of recordings with chosen embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrelens.library import Catalog
from genrelens.tags import Tags
from support.library_folder import stored

Float64 = NDArray[np.float64]


def unit(vectors: Float64) -> Float64:
    """Scale the rows to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def crowds(n: int, size: int = 16, *, centres: int = 12, seed: int = 0) -> Float64:
    """Return n vectors around some centres, as those of a library with genres, (n, size)."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((centres, size))
    spread = 0.4 * rng.standard_normal((n, size))
    return unit(middle[rng.integers(centres, size=n)] + spread)


def fill(
    catalog: Catalog,
    vectors: Float64,
    *,
    folder: Path = Path("/m"),
    genres: Sequence[str] = ("rock",),
    artists: int = 0,
    model_digest: str = "d1",
) -> list[Path]:
    """Store a recording for each vector: its genre in turn, and its artist if there are some."""
    catalog._connection.execute("PRAGMA synchronous = OFF")  # faster; no power cut is tested
    paths = [folder / f"{number:05d}.mp3" for number in range(len(vectors))]
    for number, (path, vector) in enumerate(zip(paths, vectors, strict=True)):
        artist = f"artist {number % artists}" if artists else ""
        catalog.record(
            path,
            size=1,
            mtime_ns=1,
            digest=f"{number:040x}",
            tags=Tags("FLAC", (), artist, "", f"title {number}" if artist else ""),
            prediction=stored(
                genres[number % len(genres)], 0.9, embedding=vector, model_digest=model_digest
            ),
        )
    return paths
