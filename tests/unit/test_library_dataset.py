"""Data sets: written and read without loss, merged, tidied; what is damaged is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrelens.discovery.locations import ObjectPath
from genrelens.errors import LibraryError, MissingExtraError
from genrelens.library import (
    Catalog,
    Dataset,
    Entry,
    dataset_stats,
    import_library,
    library_stats,
    open_library,
)
from genrelens.library.parquet import parquet_schema
from genrelens.prediction import Style
from genrelens.tags import Tags
from support.dataset_rows import TIMES, digest_of, failed, row
from support.library_folder import medley, several, stored

pa = pytest.importorskip("pyarrow")

ODD = ["/m/new\nline.mp3", "/m/אבג.mp3", os.fsdecode(b"/m/caf\xe9.mp3"), "/m/" + 300 * "x"]


def described(entries: Iterator[Entry]) -> dict[str, object]:
    """Return everything that entries hold, by path, so that they can be compared."""
    found = {}
    for entry in entries:
        fields = {name: getattr(entry, name) for name in Entry.__slots__ if name != "prediction"}
        prediction = entry.prediction
        if prediction is not None:
            fields |= {name: getattr(prediction, name) for name in prediction.__slots__}
            embedding = prediction.embedding
            fields["embedding"] = None if embedding is None else embedding.tobytes()
        assert str(entry.path) not in found
        found[str(entry.path)] = fields
    return found


def contents(dataset: Dataset) -> dict[str, object]:
    return described(dataset.entries())


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(tmp_path / "library")


# -------------------------------------------------------------------------- writing and reading


def test_rows_are_read_as_they_were_written(dataset: Dataset) -> None:
    house = (Style("house", 0.75, 0.5, "electronic"), Style("trance", 0.25, 0.5))
    entries = [
        *map(row, ODD),
        row("/a", prediction=stored("jazz", fast=True, styles=house, embedding=None)),
        row("/b", prediction=replace(several("pop", 0.6, pop=0.8, rock=0.1), snr=-3.5)),
        row("/c", prediction=medley("classical", "metal"), tags=None),
        row("s3://bucket/a/b c?.mp3"),
        failed("/d"),
        replace(failed("/e"), digest=digest_of("e"), prediction=stored("pop")),
    ]
    dataset.write(entries)
    assert contents(dataset) == described(iter(entries))
    with dataset.catalog() as catalog:
        assert described(catalog.query()) == described(iter(entries))
    with open_library(dataset.location) as catalog:
        [found] = catalog.query(genre="metal", verdict="changes")
        assert (found.path, found.digest) == (Path("/c"), digest_of("/c"))
        assert str(next(catalog.query(under="s3://bucket/a")).path) == "s3://bucket/a/b c?.mp3"


def test_other_programs_read_the_parts(dataset: Dataset) -> None:
    polars = pytest.importorskip("polars")
    dataset.write([row("/a"), failed("/b")])
    table = polars.read_parquet(f"{dataset.location}/*.parquet").sort("path")
    assert table["path"].to_list() == ["/a", "/b"]
    assert table["genre"].to_list() == ["rock", None]
    assert table["error"].to_list() == [None, "crashed its decoder (SIGSEGV)"]
    np.testing.assert_allclose(table["embedding"][0], [0.6, -0.8], atol=1e-3)


def test_text_that_is_not_unicode_is_replaced(dataset: Dataset) -> None:
    dataset.write([row("/a", tags=Tags("ID3v2.4", ("Ro\udce9ck",), "Be\udce9", "", ""))])
    [entry] = dataset.entries()
    assert entry.tags == Tags("ID3v2.4", ("Ro?ck",), "Be?", "", "")


def test_a_part_that_is_written_again_replaces_itself(dataset: Dataset) -> None:
    first = dataset.write([row("/a"), row("/b")])
    assert dataset.write([row("/b", TIMES[1]), row("/a", TIMES[1])]) == first
    assert dataset.parts() == [first]
    assert dataset.write([row("/a")]) != first


def test_other_files_in_the_folder_do_not_count(dataset: Dataset) -> None:
    part = dataset.write([row("/a")])
    for name in (".part-x.parquet", "_part.parquet", "notes.txt", ".genrelens-1.tmp"):
        (Path(dataset.location) / name).write_text("x")
    assert dataset.parts() == [part]


# ----------------------------------------------------------------------------------- tidying


def test_the_later_scan_of_a_file_counts(dataset: Dataset) -> None:
    old = dataset.write([row("/a", TIMES[1], "jazz"), row("/b"), row(ODD[2])])
    dataset.write([failed("/a", TIMES[0]), row("/c", TIMES[2])])
    dataset.write([row("/b", TIMES[3], "pop"), row(ODD[2], TIMES[3])])
    expected = described(
        iter(
            [
                row("/a", TIMES[1], "jazz"),
                row("/b", TIMES[3], "pop"),
                row("/c", TIMES[2]),
                row(ODD[2], TIMES[3]),
            ]
        )
    )
    with dataset.catalog() as catalog:
        assert described(catalog.query()) == expected
    assert dataset.tidy() == 3
    assert contents(dataset) == expected
    assert old not in dataset.parts()
    assert dataset.tidy() == 0


def test_a_part_without_later_rows_is_deleted(dataset: Dataset) -> None:
    old = dataset.write([failed("/a"), failed("/b")])
    dataset.write([row("/a", TIMES[1]), row("/b", TIMES[1]), row("/c")])
    assert dataset.tidy() == 2
    assert len(dataset.parts()) == 1
    assert old not in dataset.parts()


def test_small_parts_are_merged(dataset: Dataset) -> None:
    for number in range(20):
        dataset.write([row(f"/{number}"), row(f"/{number} too")])
    before = contents(dataset)
    assert dataset.tidy() == 0
    assert len(dataset.parts()) == 1
    assert contents(dataset) == before


def test_tidying_an_empty_data_set(dataset: Dataset) -> None:
    assert dataset.tidy() == 0
    assert not Path(dataset.location).exists()


# ---------------------------------------------------------------------------------- counting


def test_the_counts_are_those_of_a_catalogue(dataset: Dataset) -> None:
    silent = replace(stored("pop"), verdict="silence", embedding=None)
    rows = [
        *map(row, ODD),
        row("/copy", digest=digest_of(ODD[0])),
        row("/b", genre="jazz"),
        row("/c", prediction=medley("classical", "metal")),
        row("/d", prediction=silent),
        row("s3://bucket/e"),
        failed("/f"),
        replace(failed("/g"), digest=digest_of("/b"), prediction=stored("jazz")),
        row("/h", digest=None, prediction=None),
    ]
    dataset.write(rows[:5])
    dataset.write(rows[5:])
    chosen = [ODD[2], "/copy", "/f", "s3://bucket/e", "/none"]
    with dataset.catalog() as catalog:
        assert dataset_stats(dataset) == library_stats(catalog)
        some = dataset_stats(dataset, paths=chosen)
        assert some == library_stats(catalog, paths=chosen)
        assert dataset_stats(dataset, paths=[]) == library_stats(catalog, paths=[])
    assert (some.files, some.failed, some.genres, some.seconds) == (4, 1, {"rock": 3}, 600)
    assert dataset_stats(dataset).copies == 2


def test_the_counts_of_no_data_set(tmp_path: Path) -> None:
    assert dataset_stats(Dataset(tmp_path / "none")).files == 0


# ------------------------------------------------------------------------------------ import


def test_an_import_keeps_the_later_scan_and_is_idempotent(catalog: Catalog, tmp_path: Path) -> None:
    first, second = Dataset(tmp_path / "1"), Dataset(tmp_path / "2")
    first.write([row("/a", TIMES[0]), row("/b", TIMES[2], "jazz"), failed("/c")])
    second.write([row("/a", TIMES[1], "pop"), row("/b", TIMES[1]), row("s3://b/d")])
    assert import_library(catalog, first.location) == 5
    assert import_library(catalog, second.location) == 4
    merged = described(catalog.query())
    genres = {path: fields.get("genre") for path, fields in merged.items()}  # type: ignore[attr-defined]
    assert genres == {"/a": "pop", "/b": "jazz", "/c": None, "s3://b/d": "rock"}
    for dataset in (first, second, first):
        assert import_library(catalog, dataset.location) == 0
    assert described(catalog.query()) == merged


def test_an_exported_file_and_another_catalogue_are_imported(
    catalog: Catalog, tmp_path: Path
) -> None:
    dataset = Dataset(tmp_path / "1")
    part = dataset.write([row("/a"), failed("/b")])
    assert import_library(catalog, tmp_path / "1" / part) == 3
    with Catalog.open(tmp_path / "other.sqlite") as other:
        assert import_library(other, tmp_path / "catalog.sqlite") == 3
        assert described(other.query()) == contents(dataset)


def test_a_file_of_a_former_scan_is_older(catalog: Catalog, tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "1")
    dataset.write([replace(row("/a"), scanned_at=None)])
    catalog.merge([row("/a", genre="pop")])
    assert import_library(catalog, dataset.location) == 0


def test_a_file_of_a_former_version(catalog: Catalog, tmp_path: Path) -> None:
    """``genrelens list`` wrote fewer columns; the rest get defaults."""
    from pyarrow import parquet

    styled = replace(
        several("jazz", 0.6, pop=0.3),
        styles=(Style("Funk", 0.4, 0.2, None), Style("Rap", 0.1, 0.3, None)),
        created_at=TIMES[0],
    )
    entries = [row("/a", prediction=styled), failed("/b"), row("/c", tags=None)]
    dataset = Dataset(tmp_path / "data")
    path = tmp_path / "data" / dataset.write(entries)
    table = parquet.read_table(path)
    new = table.column_names[table.column_names.index("error") + 1 :]
    assert len(new) == 8
    parquet.write_table(table.drop_columns(new), path)
    assert import_library(catalog, path) == 5
    found = {str(entry.path): entry for entry in catalog.query()}
    first = found["/a"]
    assert first.prediction is not None
    assert first.tags is not None
    assert (first.mtime_ns, first.scanned_at) == (1_600_000_000_123_456_000, None)
    assert (first.tags.format, first.tags.genres) == ("", ("Rock", "Pop"))
    assert first.prediction.found_genres == styled.found_genres
    applied = {style.name: style.applies for style in first.prediction.styles}
    assert applied == {"Funk": True, "Rap": False}
    assert found["/b"].error == "crashed its decoder (SIGSEGV)"
    assert found["/c"].tags is None
    assert import_library(catalog, dataset.location) == 0  # as a part of a data set
    dataset.write([row("/a", TIMES[1])])
    assert dataset.tidy() == 1
    times = {str(entry.path): entry.scanned_at for entry in dataset.entries()}
    assert times == {"/a": TIMES[1], "/b": None, "/c": None}


# --------------------------------------------------------------- other programs, other places


def test_parts_of_other_programs(dataset: Dataset) -> None:
    """Other types of the same values, another order of labels and more columns do not matter."""
    from pyarrow import parquet

    house = (Style("house", 0.75, 0.5, "electronic"), Style("trance", 0.25, 0.5))
    entries = [row("/a", prediction=stored("jazz", styles=house)), failed("/b"), row(ODD[2])]
    path = Path(dataset.location) / dataset.write(entries)
    expected = contents(dataset)
    columns = parquet.read_table(path).to_pydict()
    columns["style_thresholds"][0].reverse()
    columns["genre_applies"][0].reverse()
    table = pa.table({**columns, "note": ["x"] * 3}, _of_other_programs())
    parquet.write_table(table, path)
    assert contents(dataset) == expected


def _of_other_programs() -> object:
    wide = pa.map_(pa.large_string(), pa.float64())
    kinds = {"title": pa.large_string(), "size": pa.int32(), "duration": pa.float32()}
    kinds |= {"embedding": pa.list_(pa.float64()), "style_thresholds": wide}
    fields = [pa.field(f.name, kinds.get(f.name, f.type)) for f in parquet_schema()]
    return pa.schema([*fields, pa.field("note", pa.string())])


def test_locations_without_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="contains no part of a data set"):
        open_library(tmp_path)
    with pytest.raises(LibraryError, match="no catalogue yet"):
        open_library(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match="is a file, not the folder of a data set"):
        Dataset(tmp_path / "file")
    with pytest.raises(LibraryError, match=r"Not a directory|is a file"):
        Dataset(tmp_path / "file" / "below").write([row("/a")])


@pytest.mark.parametrize("uri", ["http://x/y", "s3://", "s3:///x", "HTTPS://x", "file:///m"])
def test_other_uris_are_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LibraryError, match="is not the URI of a bucket") as raised:
        Dataset(uri)
    assert raised.value.path == uri
    with pytest.raises(LibraryError, match="is empty"):
        Dataset("")
    assert not list(tmp_path.iterdir())


def test_a_uri_is_no_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LibraryError, match="is a URI, not the file of a catalogue"):
        Catalog.open("s3://bucket/catalog.sqlite")
    assert not list(tmp_path.iterdir())


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for location in (tmp_path, "s3://bucket/x"):
        with pytest.raises(MissingExtraError, match=r"pip install 'genrelens\[parquet\]'"):
            Dataset(location)


def test_a_temporary_catalogue_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Catalog.temporary("library") as catalog:
        catalog.merge([row("/a")])
        assert len(list(catalog.query())) == 1
        assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------------- URIs


def test_the_path_of_an_object_is_its_uri() -> None:
    import copy
    import pickle

    path = ObjectPath("s3://bucket/Music/a song.mp3")
    assert str(path) == os.fspath(path) == path.as_uri() == "s3://bucket/Music/a song.mp3"
    assert (path.name, path.stem, path.suffix) == ("a song.mp3", "a song", ".mp3")
    assert pickle.loads(pickle.dumps(path)) == copy.deepcopy(path) == path
    assert path != Path("s3://bucket/Music/a song.mp3")
    assert len({path, ObjectPath(path), ObjectPath("s3://bucket/other")}) == 2
