"""Playlists without jumps: ends, order, copies, and steps beside other ways."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from genrelens.library import Catalog, make_playlist
from genrelens.library.playlist import smoothest_path
from support.shelves import crowds, fill, unit

N = 30


def numbers(found: Any) -> list[int]:
    return [int(each.entry.path.stem) for each in found]


def steps(vectors: Any, path: list[int]) -> Any:
    return np.linalg.norm(np.diff(vectors[path], axis=0), axis=1)


@pytest.mark.parametrize("to_last", [True, False])
def test_no_path_has_smaller_steps(to_last: bool) -> None:
    """All paths of five of nine vectors are tried."""
    vectors = crowds(9, 4, centres=3, seed=5).astype(np.float32)
    middles = [(0, *rest) for rest in combinations(range(1, 9), 4)]
    paths = [path for path in middles if not to_last or path[-1] == 8]
    costs = [(steps(vectors, list(path)) ** 4).sum() for path in paths]
    assert smoothest_path(vectors, 5, to_last=to_last) == list(paths[int(np.argmin(costs))])


def test_from_one_to_another_without_jumps(catalog: Catalog) -> None:
    vectors = crowds(600)
    paths = fill(catalog, vectors)
    rng = np.random.default_rng(0)
    largest: dict[str, list[float]] = {"path": [], "random": [], "nearest": []}
    for _ in range(8):
        start, end = rng.permutation(600)[:2].tolist()
        found = make_playlist(catalog, [paths[start], paths[end]], n=N)
        path = numbers(found)
        assert (path[0], path[-1], len(path), len({*path})) == (start, end, N, N)
        progress = vectors @ (vectors[end] - vectors[start])
        assert (np.diff(progress[path[1:-1]]) > -1e-2).all()  # it never turns back
        assert found[0].similarity == 1
        assert found[5].similarity == pytest.approx(vectors[path[4]] @ vectors[path[5]], abs=2e-3)
        largest["path"].append(steps(vectors, path).max())
        largest["random"].append(steps(vectors, rng.permutation(600)[:N].tolist()).max())
        nearest = np.argsort(-(vectors @ vectors[start]))[: N - 1].tolist()
        largest["nearest"].append(steps(vectors, [*nearest, end]).max())
    means = {name: np.mean(values) for name, values in largest.items()}
    assert means["path"] < 0.75 * min(means["random"], means["nearest"])


def test_one_seed_drifts_away(catalog: Catalog) -> None:
    vectors = crowds(300)
    paths = fill(catalog, vectors)
    path = numbers(make_playlist(catalog, [paths[4]], n=N))
    assert path[0] == 4
    assert len({*path}) == N
    assert (np.diff(vectors[path[1:]] @ vectors[4]) < 1e-2).all()
    assert steps(vectors, path).max() < steps(vectors, list(range(N))).max()


def test_through_several(catalog: Catalog) -> None:
    paths = fill(catalog, crowds(300))
    path = numbers(make_playlist(catalog, [paths[i] for i in (5, 90, 17, 200)], n=N))
    assert (path[0], path[-1], len(path), len({*path})) == (5, 200, N, N)
    assert 0 < path.index(90) < path.index(17) < N - 1
    assert numbers(make_playlist(catalog, [paths[3], paths[1]], n=2)) == [3, 1]
    assert numbers(make_playlist(catalog, [paths[3]], n=1)) == [3]


def test_conditions_hold_for_all_but_the_seeds(catalog: Catalog) -> None:
    paths = fill(catalog, crowds(90), genres=("rock", "jazz", "pop"))
    path = numbers(make_playlist(catalog, [paths[0], paths[3]], n=20, genre="jazz"))
    assert {number % 3 for number in path[1:-1]} == {1}
    assert len(path) == 20
    assert len(make_playlist(catalog, [paths[0]], n=80, genre="jazz")) == 31  # as many as there are


def test_copies_are_not_repeated(catalog: Catalog) -> None:
    vectors = np.repeat(crowds(20), 3, axis=0)
    vectors = unit(vectors + np.random.default_rng(1).normal(0, 0.01, vectors.shape))
    paths = fill(catalog, vectors)
    song = [f"{i // 3}" for i in range(60)]
    for path, name in zip(paths, song, strict=True):
        entry = catalog.entry(path)
        assert entry is not None
        assert entry.tags is not None
        tags = type(entry.tags)("FLAC", (), "artist", "", name)
        catalog.record(path, size=1, mtime_ns=1, digest=entry.digest, tags=tags)
    found = numbers(make_playlist(catalog, [paths[0], paths[59]], n=60))
    assert len(found) == 20
    assert sorted(number // 3 for number in found) == list(range(20))


def test_errors(catalog: Catalog) -> None:
    paths = fill(catalog, crowds(5))
    with pytest.raises(ValueError, match="0 seeds"):
        make_playlist(catalog, [])
    with pytest.raises(ValueError, match="n=1"):
        make_playlist(catalog, paths[:2], n=1)
    with pytest.raises(ValueError, match="the same recording"):
        make_playlist(catalog, [paths[0], paths[0]])
