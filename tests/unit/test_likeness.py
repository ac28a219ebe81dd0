"""Similar recordings: the ranking, copies, conditions, stored matrices and the index."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.errors import AudioError, LibraryError
from genrelens.library import Catalog, similar_recordings
from genrelens.library import embeddings as embeddings_module
from genrelens.library import likeness as likeness_module
from genrelens.library.embeddings import Embeddings
from genrelens.library.vector_index import VectorIndex
from genrelens.tags import Tags
from support.library_folder import stored
from support.shelves import crowds, fill, unit


def names(found: Any) -> list[str]:
    return [each.entry.path.name for each in found]


def expected(vectors: Any, query: int, n: int) -> list[str]:
    """The names of the n nearest, from the definition, in float16 as they are stored."""
    rounded = vectors.astype(np.float16).astype(np.float64)
    order = [int(i) for i in np.argsort(-rounded @ rounded[query]) if i != query]
    return [f"{i:05d}.mp3" for i in order[:n]]


def test_the_nearest_come_first(catalog: Catalog) -> None:
    vectors = crowds(300)
    paths = fill(catalog, vectors)
    found = similar_recordings(catalog, paths[7], n=30)
    assert names(found) == expected(vectors, 7, 30)
    similarities = [each.similarity for each in found]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] == pytest.approx(
        float(vectors[7] @ vectors[int(found[0].entry.path.stem)]), abs=2e-3
    )
    assert found[0].entry.prediction is not None
    assert len(similar_recordings(catalog, paths[7], n=1000)) == 299


def test_a_ranking_is_the_same_however_long() -> None:
    """Parts of 256, 2048 and more rows are sorted one after the other."""
    table = np.zeros(3000, [("digest", "S4"), ("vector", "<f4", (16,))])
    table["vector"] = np.repeat(crowds(500, seed=3), 6, axis=0)  # with equal similarities
    found = Embeddings(table)
    whole = list(found.ranked(found.vectors[5]))
    assert sorted(row for row, _ in whole) == list(range(3000))
    assert all(a >= b for (_, a), (_, b) in pairwise(whole))
    assert list(islice(found.ranked(found.vectors[5]), 10)) == whole[:10]
    among = np.arange(3, 3000, 7)
    some = list(found.ranked(found.vectors[5], among))
    assert [value for _, value in some] == pytest.approx([v for row, v in whole if row % 7 == 3])
    assert sorted(row for row, _ in some) == among.tolist()


def test_copies_are_left_out(catalog: Catalog) -> None:
    vectors = crowds(40)
    paths = fill(catalog, vectors)
    entry = catalog.entry(paths[3])
    assert entry is not None
    facts: dict[str, Any] = {"size": 1, "mtime_ns": 1}
    catalog.record("/m/z copy.mp3", digest=entry.digest, tags=None, **facts)  # the same audio
    song = Tags("FLAC", (), "The  Artist", "", "Song")
    for name, vector in (("/m/a.mp3", vectors[3]), ("/m/b.opus", unit(vectors[3] + 0.01))):
        prediction = stored(embedding=vector, model_digest="d1")
        catalog.record(name, digest=name, tags=song, prediction=prediction, **facts)
    shouted = replace(song, artist="the artist", title="SONG")
    near = stored(embedding=unit(vectors[3] + 0.02), model_digest="d1")
    catalog.record("/m/c.mp3", digest="c", tags=shouted, prediction=near, **facts)
    found = names(similar_recordings(catalog, paths[3], n=50))
    assert found[0] == "a.mp3"
    assert {"z copy.mp3", "00003.mp3", "b.opus", "c.mp3"}.isdisjoint(found)
    assert "00003.mp3" in names(similar_recordings(catalog, "/m/a.mp3", n=50))


def test_artists(catalog: Catalog) -> None:
    paths = fill(catalog, crowds(40), artists=4)
    found = similar_recordings(catalog, paths[1], n=50, other_artists=True)
    assert len(found) == 30
    assert {int(name[:5]) % 4 for name in names(found)} == {0, 2, 3}
    assert len(similar_recordings(catalog, paths[1], n=50)) == 39


@pytest.mark.parametrize("misses", [0, 2000], ids=["looked up", "one by one"])
def test_conditions(catalog: Catalog, misses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_module, "_MISSES", misses)
    vectors = crowds(60)
    paths = fill(catalog, vectors, genres=("rock", "jazz", "pop"))
    fill(catalog, vectors[:9], folder=Path("/n"))  # copies of the first nine, now rock
    found = names(similar_recordings(catalog, paths[0], n=50, genre="Jazz"))
    every = expected(vectors, 0, 60)
    assert found == [name for name in every if int(name[:5]) % 3 == 1 and int(name[:5]) > 8]
    below = similar_recordings(catalog, paths[20], n=50, under="/n")
    assert {each.entry.path.parent for each in below} == {Path("/n")}
    assert sorted(names(below)) == [f"{i:05d}.mp3" for i in range(9)]
    assert similar_recordings(catalog, paths[0], genre="polka") == []
    assert similar_recordings(catalog, paths[0], genre="jazz", minimum=0.95) == []


def test_embeddings_of_other_models_do_not_count(catalog: Catalog) -> None:
    vectors = crowds(30)
    paths = fill(catalog, vectors[:20], model_digest="old")
    fill(catalog, vectors[:5])  # the latest
    assert len(similar_recordings(catalog, paths[0], n=50)) == 4
    assert len(Embeddings.of(catalog, "old")) == 15
    assert len(Embeddings.of(catalog, "d1")) == 5
    with pytest.raises(AudioError, match="No such file"):  # it cannot be classified again
        similar_recordings(catalog, paths[10])


def test_errors(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="has no predictions yet"):
        similar_recordings(catalog, "a.mp3")
    nothing = stored(embedding=None, model_digest="d1")
    catalog.record("/m/0", size=1, mtime_ns=1, digest="0", tags=None, prediction=nothing)
    with pytest.raises(LibraryError, match="has no embeddings by the model small"):
        similar_recordings(catalog, "/m/0")
    fill(catalog, crowds(3))
    with pytest.raises(LibraryError, match="silent"):
        similar_recordings(catalog, "/m/0")
    with pytest.raises(ValueError, match="n=0"):
        similar_recordings(catalog, "/m/00000.mp3", n=0)
    with pytest.raises(AudioError, match="is not a file"):
        similar_recordings(catalog, tmp_path)
    short = stored(embedding=np.ones(3) / 3, model_digest="d1")
    catalog.record("/m/1", size=1, mtime_ns=1, digest="1", tags=None, prediction=short)
    with pytest.raises(LibraryError, match="is damaged"):
        similar_recordings(catalog, "/m/00000.mp3")


# --------------------------------------------------------------------------- stored files


@pytest.fixture
def large(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalogue whose matrix is stored: 400 recordings count as many."""
    monkeypatch.setattr(embeddings_module, "_STORED_FROM", 100)
    fill(catalog, crowds(400))
    return catalog


def stored_files(catalog: Catalog, ending: str = "") -> list[Path]:
    folder = catalog.path.with_name("catalog.sqlite.similar")
    return sorted(folder.glob(f"*{ending}")) if folder.exists() else []


def test_the_stored_matrix_is_the_same(large: Catalog) -> None:
    first = Embeddings.of(large, "d1")
    (path,) = stored_files(large)
    again = Embeddings.of(large, "d1")
    assert isinstance(again.vectors, np.memmap)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert [again.digest(row) for row in (0, 399)] == [first.digest(row) for row in (0, 399)]
    assert stored_files(large) == [path]


def test_a_change_of_the_catalogue_replaces_it(large: Catalog) -> None:
    Embeddings.of(large, "d1")
    before = stored_files(large)
    large.remove(["/m/00007.mp3"])
    assert len(Embeddings.of(large, "d1")) == 399
    (after,) = stored_files(large)
    assert before != [after]
    with Catalog.open(large.path, readonly=True) as reader:
        assert len(Embeddings.of(reader, "d1")) == 399


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00v\x00{'descr': ", None])
def test_a_damaged_matrix_is_read_again(large: Catalog, content: bytes | None) -> None:
    first = Embeddings.of(large, "d1")
    (path,) = stored_files(large)
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    np.testing.assert_array_equal(Embeddings.of(large, "d1").vectors, first.vectors)


def test_a_folder_that_cannot_be_written(large: Catalog) -> None:
    large.path.with_name("catalog.sqlite.similar").write_bytes(b"a file is in the way")
    assert len(Embeddings.of(large, "d1")) == 400
    assert len(similar_recordings(large, "/m/00001.mp3")) == 20


# --------------------------------------------------------------------------------- index


@pytest.fixture
def indexed(large: Catalog, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    pytest.importorskip("usearch")
    monkeypatch.setattr(embeddings_module, "EXACT_LIMIT", 300)
    monkeypatch.setattr(embeddings_module, "_FIRST", 64)
    return large


def test_a_search_with_the_index_finds_nearly_the_same(indexed: Catalog) -> None:
    """The index is approximate; the rest follows in any case."""
    built: list[bool] = []
    found = similar_recordings(indexed, "/m/00007.mp3", n=399, on_build=lambda: built.append(True))
    assert len({*names(found)[:40]} & {*expected(crowds(400), 7, 40)}) >= 38
    assert sorted(names(found)) == sorted(expected(crowds(400), 7, 399))  # then the rest
    assert built == [True]
    similar_recordings(indexed, "/m/00008.mp3", on_build=lambda: built.append(True))
    assert built == [True]
    assert len(stored_files(indexed, ".usearch")) == 1


def test_the_index_follows_the_content(indexed: Catalog) -> None:
    similar_recordings(indexed, "/m/00007.mp3")
    (before,) = stored_files(indexed, ".usearch")
    indexed.record("/m/failed", size=1, mtime_ns=1, digest=None, tags=None)
    similar_recordings(indexed, "/m/00007.mp3")
    assert stored_files(indexed, ".usearch") == [before]  # the embeddings are the same
    indexed.remove(["/m/00009.mp3"])
    found = similar_recordings(indexed, "/m/00007.mp3", n=400)
    assert len(found) == 398
    (after,) = stored_files(indexed, ".usearch")
    assert after != before


@pytest.mark.parametrize("damage", ["cut", "bit", "empty"])
def test_a_damaged_index_is_built_again(indexed: Catalog, damage: str) -> None:
    similar_recordings(indexed, "/m/00007.mp3")
    (path,) = stored_files(indexed, ".usearch")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-100], "bit": bytes(content), "empty": b""}[damage])
    found = similar_recordings(indexed, "/m/00007.mp3", n=20)
    assert names(found) == expected(crowds(400), 7, 20)
    (rebuilt,) = stored_files(indexed, ".usearch")
    assert len(rebuilt.read_bytes()) == len(whole)


def test_without_usearch_the_search_is_exact(
    indexed: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    assert names(similar_recordings(indexed, "/m/00007.mp3", n=20)) == expected(crowds(400), 7, 20)
    assert stored_files(indexed, ".usearch") == []


def test_recall(tmp_path: Path) -> None:
    """Of the 20 nearest of 8000 vectors of a musical library's shape, 95 % are found."""
    pytest.importorskip("usearch")
    vectors = crowds(8_000, 200, centres=100).astype(np.float32)
    index = VectorIndex.open(tmp_path, "x", vectors)
    hits = 0
    for row in range(0, 8_000, 160):
        true = np.argpartition(-(vectors @ vectors[row]), 20)[:20]
        hits += len({*index.nearest(vectors[row], 20).tolist()} & {*true.tolist()})
    assert hits / (50 * 20) >= 0.95
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208
