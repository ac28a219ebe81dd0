"""The catalogue: stored entries, models, and errors with the file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import __version__
from genrelens.errors import LibraryError
from genrelens.library import Catalog
from genrelens.library.records import Failure, StoredPrediction, path_fields
from genrelens.prediction import Genre, Style
from genrelens.tags import Tags
from support.catalogs import entry, paths, put
from support.library_folder import medley, several, stored

TAGS = Tags("ID3v2.4", ("Rock", "Ro\udce9ck"), "An artist", "", "A title")


def prediction(catalog: Catalog, path: str) -> StoredPrediction:
    prediction = entry(catalog, path).prediction
    assert prediction is not None
    return prediction


# ----------------------------------------------------------------------------- entries


def test_an_entry_is_read_as_it_was_stored(catalog: Catalog) -> None:
    prediction = stored("jazz", 0.9, fast=True, heard=90.0)
    put(catalog, "/m/x.mp3", size=2**40, mtime_ns=2**62, tags=TAGS, prediction=prediction)
    found = entry(catalog, "/m/x.mp3")
    assert (found.path, found.size, found.mtime_ns) == (Path("/m/x.mp3"), 2**40, 2**62)
    assert (found.digest, found.tags, found.failure, found.error) == ("a", TAGS, None, None)
    assert found.prediction is not None
    assert found.prediction.to_dict() == prediction.to_dict()
    assert found.prediction.styles == (Style("house", 0.7, 0.5), Style("techno", 0.2, 0.3))
    np.testing.assert_array_equal(found.prediction.embedding, np.array([0.6, -0.8], np.float16))


def test_several_genres_changes_and_noise_are_stored(catalog: Catalog) -> None:
    both = replace(several("pop", 0.6, pop=0.8, electronic=0.7, rock=0.1), snr=-3.5)
    put(catalog, "/x", prediction=both)
    put(catalog, "/y", "b", prediction=medley("classical", "metal"))
    found = prediction(catalog, "/x")
    assert found.genres[1] == Genre("electronic", 0.7, applies=True)
    assert (found.snr, found.found_genres) == (-3.5, ("pop", "electronic"))
    assert prediction(catalog, "/y").found_genres == ("classical", "metal")
    assert found.to_dict() == both.to_dict()


def test_the_genre_comes_first_only_if_the_model_is_sure() -> None:
    both = several("pop", 0.6, electronic=0.7, pop=0.65)
    assert both.found_genres == ("pop", "electronic")
    assert replace(both, verdict="not sure").found_genres == ("electronic", "pop")
    assert stored("pop", 0.36).found_genres == ()


def test_the_stored_form_of_a_prediction() -> None:
    prediction = stored("jazz", 0.9, model_digest="ab", fast=True, heard=90.0)
    assert prediction.to_dict() | {"created_at": ""} == {
        "model": "small",
        "model_digest": "ab",
        "fast": True,
        "version": __version__,
        "created_at": "",
        "verdict": "genre",
        "genre": "jazz",
        "probability": 0.9,
        "probabilities": pytest.approx({"jazz": 0.9, "rock": 0.05, "pop": 0.05}),
        "styles": [
            {
                "name": "house",
                "probability": 0.7,
                "threshold": 0.5,
                "parent": None,
                "applies": True,
            },
            {
                "name": "techno",
                "probability": 0.2,
                "threshold": 0.3,
                "parent": None,
                "applies": False,
            },
        ],
        "genres": [
            {"name": "jazz", "probability": 0.9, "applies": True},
            {"name": "rock", "probability": pytest.approx(0.05), "applies": False},
            {"name": "pop", "probability": pytest.approx(0.05), "applies": False},
        ],
        "changes": [],
        "snr": None,
        "music": 0.99,
        "level": -10.0,
        "duration": 200.0,
        "heard": 90.0,
    }


def test_a_short_recording_is_never_stored_as_fast() -> None:
    assert not stored(fast=True).fast


def test_a_model_with_genres_only(catalog: Catalog) -> None:
    plain = stored(styles=(), embedding=None, music=None, music_threshold=None, sure_threshold=None)
    put(catalog, "/x", prediction=plain)
    assert prediction(catalog, "/x").to_dict() == plain.to_dict()
    assert prediction(catalog, "/x").embedding is None


def test_a_failure_is_stored(catalog: Catalog) -> None:
    failure = Failure("crashed", "d1", __version__)
    put(catalog, "/x", None, failure=failure)
    assert entry(catalog, "/x").failure == failure
    assert entry(catalog, "/x").error == "crashed"
    assert failure.holds("d1")
    assert not failure.holds("d2")
    assert not replace(failure, version="0.0.1").holds("d1")
    assert not Failure("Permission denied").holds("d1")


def test_a_file_without_its_prediction(catalog: Catalog) -> None:
    put(catalog, "/x", tags=TAGS, prediction=stored())
    found = catalog.file("/x")
    assert found is not None
    assert (found.digest, found.tags, found.prediction) == ("a", TAGS, None)
    assert catalog.file("/y") is None
    assert catalog.entry("/y") is None


@pytest.mark.parametrize("name", [b"/\xff\xe9.mp3", "/♫ 🎵\n.mp3".encode(), b"/' OR 1;--"])
def test_file_names_of_any_kind(catalog: Catalog, name: bytes) -> None:
    path = os.fsdecode(name)
    put(catalog, path, prediction=stored())
    assert os.fsencode(entry(catalog, path).path) == name
    assert paths(catalog, under="/") == [path]


def test_a_relative_path_is_made_absolute(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(catalog, "a/../x.mp3")
    assert paths(catalog) == [str(tmp_path / "x.mp3")]
    assert catalog.entry("./x.mp3") is not None


def test_a_new_entry_replaces_the_former_one(catalog: Catalog) -> None:
    put(catalog, "/x", failure=Failure("crashed"))
    put(catalog, "/x", "b", size=6, prediction=stored())
    assert (entry(catalog, "/x").digest, entry(catalog, "/x").size) == ("b", 6)
    assert entry(catalog, "/x").error is None
    assert len(paths(catalog)) == 1


def test_predictions_belong_to_the_digest_not_to_the_path(catalog: Catalog) -> None:
    put(catalog, "/x", "a", prediction=stored("jazz"))
    put(catalog, "/copy", "a")
    put(catalog, "/other", "b", prediction=stored("rock"))
    assert [prediction(catalog, path).genre for path in ("/x", "/copy", "/other")] == [
        "jazz",
        "jazz",
        "rock",
    ]


def test_predictions_stay_when_files_are_removed(catalog: Catalog) -> None:
    put(catalog, "/x", prediction=stored("jazz"))
    put(catalog, "/y", "b")
    catalog.remove(["/x", "/never/there"])
    assert paths(catalog) == ["/y"]
    put(catalog, "/back")
    assert prediction(catalog, "/back").genre == "jazz"


# --------------------------------------------------------------------------------- models


def test_has_prediction(catalog: Catalog) -> None:
    put(catalog, "/x", "a", prediction=stored(model_digest="d1"))
    put(catalog, "/y", "b", prediction=stored(model_digest="d1", fast=True, heard=90.0))
    asked = [
        ("a", "d1", False),
        ("a", "d1", True),
        ("b", "d1", True),
        ("b", "d1", False),
        ("a", "d2", True),
        ("c", "d1", True),
    ]
    answers = [catalog.has_prediction(digest, model, fast=fast) for digest, model, fast in asked]
    assert answers == [True, True, True, False, False, False]


def test_another_version_of_a_model_replaces_its_predictions(catalog: Catalog) -> None:
    for model_digest, genre in (("d1", "jazz"), ("d2", "rock")):
        put(catalog, "/x", prediction=stored(genre, model_digest=model_digest))
    assert prediction(catalog, "/x").genre == "rock"
    assert not catalog.has_prediction("a", "d1", fast=False)


def test_the_latest_of_several_models_counts(catalog: Catalog) -> None:
    put(catalog, "/x", prediction=stored("jazz", name="one", model_digest="d1"))
    put(catalog, "/x", prediction=stored("rock", name="two", model_digest="d2"))
    assert prediction(catalog, "/x").model == "two"
    assert catalog.has_prediction("a", "d1", fast=False)
    assert paths(catalog, genre="jazz") == []
    assert paths(catalog, genre="jazz", model="one") == ["/x"]
    assert paths(catalog, model="three") == []


# ----------------------------------------------------------------------------- the file


def test_default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENRELENS_DB", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Catalog.default_path() == tmp_path / "data" / "genrelens" / "catalog.sqlite"
    with Catalog.open() as catalog:
        put(catalog, "/x")
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "mine.sqlite"))
    with Catalog.open() as catalog:
        assert (catalog.path, paths(catalog)) == (tmp_path / "mine.sqlite", [])


def test_reading_while_another_program_writes(catalog: Catalog) -> None:
    put(catalog, "/x")
    with Catalog.open(catalog.path, readonly=True) as reader:
        put(catalog, "/y")
        assert paths(reader) == ["/x", "/y"]
        with pytest.raises(LibraryError, match="read-only; --db chooses another file"):
            put(reader, "/z")


def test_a_missing_catalogue_is_not_created_to_read(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="there is no catalogue yet; genrelens scan makes one"):
        Catalog.open(tmp_path / "gone.sqlite", readonly=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a?b#c%20.sqlite", "caf\udce9.sqlite", ":memory:"])
def test_a_catalogue_with_any_file_name(tmp_path: Path, name: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with Catalog.open(name) as catalog:
        put(catalog, "/x")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with Catalog.open(name, readonly=True) as catalog:
        assert paths(catalog) == ["/x"]


def refused(path: Path, reason: str, *, readonly: bool = False) -> None:
    with pytest.raises(LibraryError, match=reason) as caught:
        Catalog.open(path, readonly=readonly)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("readonly", [True, False])
def test_files_of_other_kinds_are_refused(tmp_path: Path, readonly: bool) -> None:
    text, foreign = tmp_path / "text", tmp_path / "foreign"
    text.write_bytes(b"no database at all, but long enough to be one " * 99)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE files (path)")
    connection.close()
    before = foreign.read_bytes()
    refused(text, "is not a catalogue of genrelens", readonly=readonly)
    refused(foreign, "is not a catalogue of genrelens", readonly=readonly)
    refused(tmp_path, "is a folder", readonly=readonly)
    refused(
        tmp_path / "gone" / "x",
        "no catalogue" if readonly else "folder is missing",
        readonly=readonly,
    )
    assert foreign.read_bytes() == before


@pytest.mark.parametrize("readonly", [True, False])
def test_a_newer_catalogue_is_refused(catalog: Catalog, readonly: bool) -> None:
    catalog.close()
    with sqlite3.connect(catalog.path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    refused(
        catalog.path,
        "is of version 2, and this genrelens reads version 1: update genrelens",
        readonly=readonly,
    )


def test_a_damaged_catalogue(catalog: Catalog) -> None:
    for number in range(9):
        put(catalog, f"/{number}", f"digest {number}", prediction=stored())
    catalog.close()
    content = bytearray(catalog.path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    catalog.path.write_bytes(content)
    with (
        Catalog.open(catalog.path) as damaged,
        pytest.raises(LibraryError, match=r"is damaged \(.+\); delete it and scan again"),
    ):
        list(damaged.query())


def test_another_program_is_writing(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(catalog.path, isolation_level=None)
    catalog._connection.execute("PRAGMA busy_timeout = 50")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LibraryError, match="is in use by another program; try again"):
        put(catalog, "/x")
    other.execute("ROLLBACK")
    other.close()
    put(catalog, "/x")
    assert paths(catalog) == ["/x"]


def test_another_program_has_locked_the_file(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.close()
    monkeypatch.setattr(Catalog, "patience", 0.05)
    other = sqlite3.connect(catalog.path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    for readonly in (True, False):
        with pytest.raises(LibraryError, match="is in use by another program"):
            Catalog.open(catalog.path, readonly=readonly)
    other.close()


def test_a_full_disk(catalog: Catalog) -> None:
    """Stored entries stay, and writing works again when there is space."""
    put(catalog, "/x", prediction=stored())
    catalog._connection.execute("PRAGMA max_page_count = 8")
    big = Tags("FLAC", tuple(f"genre {number}" for number in range(9999)))
    with pytest.raises(LibraryError, match="the disk is full; its content is not lost"):
        put(catalog, "/y", tags=big)
    assert paths(catalog) == ["/x"]
    catalog._connection.execute("PRAGMA max_page_count = 1000000")
    put(catalog, "/y", tags=big)
    assert paths(catalog) == ["/x", "/y"]


@pytest.fixture
def write_protected(catalog: Catalog) -> Iterator[Path]:
    """A catalogue in a folder without write permission."""
    put(catalog, "/x", prediction=stored())
    catalog.close()
    folder = catalog.path.parent
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    folder.chmod(0o555)
    catalog.path.chmod(0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)  # root may write anywhere
    yield catalog.path
    if root:
        os.seteuid(0)
    folder.chmod(0o755)


def test_a_read_only_folder(write_protected: Path) -> None:
    with Catalog.open(write_protected, readonly=True) as catalog:
        assert paths(catalog, genre="rock") == ["/x"]
    refused(write_protected, "read-only; --db chooses another file")
    refused(write_protected.with_name("new"), "its folder is missing or cannot be written")


def test_a_transaction_is_atomic(catalog: Catalog) -> None:
    broken = replace(stored(), level=None)  # type: ignore[arg-type]
    with pytest.raises(LibraryError, match="NOT NULL"):
        put(catalog, "/x", prediction=broken)
    assert paths(catalog) == []
    put(catalog, "/x", prediction=stored())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("/é/♫", {"path": "/é/♫"}),
        ("/caf\udce9", {"path": "/caf\ufffd", "path_bytes": "L2NhZuk="}),
    ],
)
def test_path_fields(name: str, fields: dict[str, str]) -> None:
    assert path_fields(name) == fields
