"""Catalogues of data sets: kept, extended, made again, and done without if that is impossible."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from genrelens.errors import LibraryError
from genrelens.library import Catalog, Dataset, Failure, open_library
from genrelens.library import dataset_cache as caching
from genrelens.library.embeddings import Embeddings
from support.library_folder import MODEL_DIGEST
from support.library_folder import data_row as row

pytest.importorskip("pyarrow")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the catalogues."""
    monkeypatch.setenv("GENRELENS_DATASET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A data set of two parts."""
    dataset = Dataset(tmp_path / "library")
    dataset.write([row("/a"), row("/b", "jazz")], part="1.parquet")
    dataset.write([row("/c", "pop")], part="2.parquet")
    return dataset


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the parts that were read."""
    names: list[str] = []
    rows = Dataset.rows

    def noted(self: Dataset, part: str) -> object:
        names.append(part)
        return rows(self, part)

    monkeypatch.setattr(Dataset, "rows", noted)
    return names


def opened(dataset: Dataset) -> dict[str, str]:
    """Open a data set as commands do; return the genre of each file."""
    with open_library(dataset.location) as catalog:
        assert str(catalog.path) == dataset.location
        return {str(each.path): each.prediction.genre for each in catalog.query()}  # type: ignore[union-attr]


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


ALL = {"/a": "rock", "/b": "jazz", "/c": "pop"}


def test_a_data_set_is_read_once(dataset: Dataset, cache: Path, read: list[str]) -> None:
    assert opened(dataset) == opened(dataset) == ALL
    assert read == ["1.parquet", "2.parquet"]
    [file] = kept(cache)
    assert file.name.endswith(".sqlite")


def test_only_new_parts_are_read(dataset: Dataset, cache: Path, read: list[str]) -> None:
    opened(dataset)
    dataset.write([row("/d"), row("/a", "pop", day=2), row("/b", "pop", day=0)], part="0.parquet")
    read.clear()
    assert opened(dataset) == {"/a": "pop", "/b": "jazz", "/c": "pop", "/d": "rock"}
    assert opened(dataset) == {"/a": "pop", "/b": "jazz", "/c": "pop", "/d": "rock"}
    assert read == ["0.parquet"]
    assert len(kept(cache)) == 1


def test_replaced_and_deleted_parts_do_not_count(
    dataset: Dataset, cache: Path, read: list[str]
) -> None:
    opened(dataset)
    dataset.write([row("/a", "pop")], part="1.parquet")
    assert opened(dataset) == {"/a": "pop", "/c": "pop"}
    (Path(dataset.location) / "2.parquet").unlink()
    assert opened(dataset) == {"/a": "pop"}
    file = Path(dataset.location) / "1.parquet"
    found = file.stat()
    dataset.write([row("/a", "jaz")], part="1.parquet")
    assert file.stat().st_size != found.st_size or file.stat().st_mtime_ns != found.st_mtime_ns
    assert opened(dataset) == {"/a": "jaz"}
    assert len(kept(cache)) == 1


def test_after_tidying(dataset: Dataset, cache: Path) -> None:
    opened(dataset)
    dataset.write([row("/a", "pop", day=2)])
    for number in range(20):
        dataset.write([row(f"/{number}")])
    opened(dataset)
    dataset.tidy()
    assert len(dataset.parts()) == 1
    expected = {**ALL, "/a": "pop", **{f"/{number}": "rock" for number in range(20)}}
    assert opened(dataset) == expected


def test_a_copy_can_be_written_to(dataset: Dataset, cache: Path) -> None:
    for _ in range(2):
        with dataset.catalog() as catalog:
            catalog.record("/x", size=1, mtime_ns=1, digest=None, tags=None, failure=Failure("x"))
            assert len(list(catalog.query())) == 4
    [file] = kept(cache)
    assert opened(dataset) == ALL
    with Catalog.open(file, readonly=True) as catalog:
        assert catalog.entry("/x") is None


def test_each_location_has_its_own(dataset: Dataset, cache: Path, tmp_path: Path) -> None:
    other = Dataset(tmp_path / "other")
    other.write([row("/z")])
    assert (opened(dataset), opened(other), opened(dataset)) == (ALL, {"/z": "rock"}, ALL)
    assert len(kept(cache)) == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def change(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE predictions SET genre = 'pop'")
    connection.close()


@pytest.mark.parametrize(
    "spoil",
    [
        cut,
        flip,
        change,
        lambda path: path.write_text(""),
        lambda path: path.write_text("x"),
    ],
)
@pytest.mark.parametrize("grown", [False, True])
def test_a_damaged_file_is_made_again(
    dataset: Dataset, cache: Path, spoil: Callable[[Path], None], grown: bool
) -> None:
    opened(dataset)
    [file] = kept(cache)
    spoil(file)
    expected = dict(ALL)
    if grown:
        dataset.write([row("/d")])
        expected["/d"] = "rock"
    assert opened(dataset) == expected
    assert file not in kept(cache)
    assert len(kept(cache)) == 1


def test_damage_that_is_found_later_names_the_remedy(dataset: Dataset, cache: Path) -> None:
    opened(dataset)
    [file] = kept(cache)
    times = file.stat()
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"probability"', b'"probability\0'))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(LibraryError, match="genrelens env shows the folder with the") as raised:
        opened(dataset)
    assert str(raised.value.path) == dataset.location


@pytest.mark.parametrize("grown", [False, True])
def test_a_folder_that_cannot_be_written(
    dataset: Dataset, cache: Path, grown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if grown:
        opened(dataset)
        dataset.write([row("/d")])
    before = kept(cache)
    monkeypatch.setattr(caching, "temporary_beside", lambda path: path.parent / f"{300 * 'x'}.tmp")
    assert opened(dataset) == ALL | ({"/d": "rock"} if grown else {})
    assert kept(cache) == before


def test_a_cache_that_is_a_file(dataset: Dataset, cache: Path) -> None:
    cache.write_text("x")
    assert opened(dataset) == ALL


def test_a_full_disk(dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(self: caching.DatasetCatalog, parts: object, rows: object) -> None:
        if self.path.suffix == ".tmp":
            self._execute("PRAGMA max_page_count = 1")
        add(self, parts, rows)  # type: ignore[arg-type]

    add = caching.DatasetCatalog.add
    monkeypatch.setattr(caching.DatasetCatalog, "add", fill)
    dataset.write([row(f"/{number}") for number in range(99)])
    assert len(opened(dataset)) == 102
    assert kept(cache) == []


def test_a_folder_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GENRELENS_DATASET_CACHE", "~/kept")
    assert caching.cache_folder() == tmp_path / "kept"


def test_nothing_is_kept_if_the_user_wants_that(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENRELENS_DATASET_CACHE", "")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert opened(dataset) == ALL
    assert set(tmp_path.iterdir()) == before
    assert caching.cache_folder() is None
    monkeypatch.delenv("GENRELENS_DATASET_CACHE")
    assert str(caching.cache_folder()).endswith("datasets")


@pytest.mark.parametrize("error", [KeyboardInterrupt, LibraryError("x", path="p")])
def test_an_interruption_leaves_nothing(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def rows(self: Dataset, part: str) -> Iterator[object]:
        yield from real(self, part)
        raise error

    real = Dataset.rows
    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "rows", rows)
        with pytest.raises(type(error) if isinstance(error, LibraryError) else error):  # type: ignore[arg-type]
            opened(dataset)
    assert kept(cache) == []
    assert opened(dataset) == ALL


def test_a_damaged_part_is_named(dataset: Dataset, cache: Path) -> None:
    opened(dataset)
    (Path(dataset.location) / "3.parquet").write_text("x")
    with pytest.raises(LibraryError, match="is not a part") as raised:
        opened(dataset)
    assert str(raised.value.path) == f"{dataset.location}/3.parquet"
    (Path(dataset.location) / "3.parquet").unlink()
    assert opened(dataset) == ALL


def test_two_processes_at_once(dataset: Dataset, cache: Path, read: list[str]) -> None:
    """A second one makes and opens a catalogue while the first one reads its own."""
    with open_library(dataset.location) as first:
        entries = first.query()
        next(entries)
        dataset.write([row("/d")])
        assert "/d" in opened(dataset)
        assert len(list(entries)) == 2
        assert first.entry("/d") is None


def test_what_was_left_or_is_not_used_is_removed(
    dataset: Dataset, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(dataset)
    [file] = kept(cache)
    foreign = cache / "Photos" / "holiday.sqlite", file.parent / "notes.txt"
    for path in foreign:  # of a user who chose a folder with other files
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        os.utime(path.parent, (0, 0))
    other = Dataset(tmp_path / "other")
    other.write([row("/z")])
    os.utime(file.parent)
    opened(other)
    assert file.exists()  # both fit
    os.utime(file.parent, (0, 0))
    other.write([row("/y")])
    opened(other)
    assert not file.exists()
    assert [path.read_text() for path in foreign] == ["x", "x"]
    for path in foreign:
        path.unlink()
    opened(dataset)
    assert len(kept(cache)) == 2
    monkeypatch.setattr(caching, "_MOST_BYTES", 1)
    dataset.write([row("/x")])
    opened(dataset)
    assert len(kept(cache)) == 1


def test_temporary_files_of_killed_processes(dataset: Dataset, cache: Path) -> None:
    opened(dataset)
    [file] = kept(cache)
    left, current = file.parent / ".genrelens-1.tmp", file.parent / ".genrelens-2.tmp"
    left.touch()
    os.utime(left, (0, 0))
    current.touch()
    dataset.write([row("/d")])
    opened(dataset)
    assert not left.exists()
    assert current.exists()


def test_embeddings_are_kept_beside_it(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrelens.library.embeddings._STORED_FROM", 1)
    for expected in (3, 3, 4):
        if expected == 4:
            dataset.write([row("/d")])
        with open_library(dataset.location) as catalog:
            vectors = Embeddings.of(catalog, MODEL_DIGEST).vectors
            np.testing.assert_allclose(vectors, [[0.6, -0.8]] * expected, atol=1e-3)
        assert [path.suffix for path in kept(cache)] == [".sqlite", ".npy"]
