"""Measure the search for similar recordings: exact, with the index, and whole playlists.

    python benchmarks/similar.py                       # 200 000 and 300 000 made embeddings
    python benchmarks/similar.py --embeddings real.npy # more of the kind of real ones, (n, 200)

Made embeddings lie around 300 centres. With ``--embeddings``, each is a real one with a random
step like those between a real one and its five neighbours. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrelens.library.embeddings import Embeddings
from genrelens.library.playlist import smoothest_path
from genrelens.library.vector_index import VectorIndex

SIZES = (200_000, 300_000)
DIMENSIONS, CENTRES, QUERIES, NEAR = 200, 300, 100, 20

Float32 = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embeddings", type=Path)
    given = parser.parse_args().embeddings
    print("| recordings | exact search | index: build | first search | search | recall@20 |")
    print("|---|---|---|---|---|---|")
    for n in SIZES:
        print(row(made(n, given)), flush=True)
    print(f"\nplaylist of 50 among 1000 candidates: {playlist_ms(made(1000, given)):.0f} ms")


def made(n: int, given: Path | None) -> Float32:
    rng = np.random.default_rng(0)
    if given is None:
        centres, steps = rng.standard_normal((CENTRES, DIMENSIONS)), 0.7 * np.eye(DIMENSIONS)
    else:
        centres = np.load(given).astype(np.float64)
        near = np.argsort(-centres @ centres.T, axis=1)[:, 1:6]
        differences = (centres[near] - centres[:, None]).reshape(-1, centres.shape[1])
        steps = np.linalg.cholesky(np.cov(differences.T) / 2 + 1e-9 * np.eye(centres.shape[1])).T
    vectors = centres[rng.integers(len(centres), size=n)]
    vectors += rng.standard_normal(vectors.shape) @ steps
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def row(vectors: Float32) -> str:
    n, size = vectors.shape
    table = np.zeros(n, [("digest", "S40"), ("vector", "<f4", (size,))])
    table["vector"] = vectors
    exact = Embeddings(table)
    queries = np.random.default_rng(1).choice(n, QUERIES, replace=False)
    found = [[r for r, _ in islice(exact.ranked(vectors[q]), NEAR)] for q in queries]
    search = median_ms([lambda q=q: next(exact.ranked(vectors[q])) for q in queries[:20]])
    with tempfile.TemporaryDirectory() as folder:
        build = median_ms([lambda: VectorIndex.open(Path(folder), "x", vectors)]) / 1000
        load = median_ms([lambda: VectorIndex.open(Path(folder), "x", vectors)] * 3)
        index = VectorIndex.open(Path(folder), "x", vectors)
        near = [index.nearest(vectors[q], NEAR) for q in queries]
        fast = median_ms([lambda q=q: index.nearest(vectors[q], NEAR) for q in queries])
    pairs = zip(found, near, strict=True)
    recall = np.mean([len({*a} & {*b.tolist()}) / NEAR for a, b in pairs])
    cells = f"{search:.0f} ms | {build:.0f} s | {load + fast:.0f} ms | {fast:.1f} ms"
    return f"| {n} | {cells} | {100 * recall:.1f} % |"


def playlist_ms(vectors: Float32) -> float:
    order = np.argsort(vectors @ (vectors[1] - vectors[0]))
    return median_ms([lambda: smoothest_path(vectors[order], 50, to_last=True)] * 3)


def median_ms(calls: list[Callable[[], object]]) -> float:
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    main()
