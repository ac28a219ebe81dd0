"""The SQLite files of the library: former versions, permissions, damage."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.errors import LibraryError
from genrelens.library import Catalog, Change, list_runs, undo
from genrelens.library.tagging.delta import file_hash, make_delta
from genrelens.library.tagging.journal import Journal
from genrelens.prediction import Style
from genrelens.tags import Tags

# The tables of genrelens 0.x, before they were made from dataclasses.
FORMER_CATALOG = """
    CREATE TABLE files (
        path BLOB PRIMARY KEY,  -- absolute
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        digest TEXT,  -- of the audio
        tags TEXT,  -- JSON
        failure TEXT  -- JSON
    ) WITHOUT ROWID;
    CREATE INDEX files_by_digest ON files (digest);
    CREATE TABLE predictions (
        digest TEXT NOT NULL,
        model TEXT NOT NULL,
        model_digest TEXT NOT NULL,
        fast INTEGER NOT NULL,
        version TEXT NOT NULL,
        created_at TEXT NOT NULL,
        verdict TEXT NOT NULL,
        genre TEXT NOT NULL,
        probability REAL NOT NULL,  -- of the genre
        probabilities TEXT NOT NULL,  -- JSON
        styles TEXT NOT NULL,  -- JSON
        music REAL,
        level REAL NOT NULL,
        embedding BLOB,  -- float16, little-endian
        duration REAL NOT NULL,
        heard REAL NOT NULL,
        PRIMARY KEY (digest, model)
    );
    PRAGMA application_id = 1735291500;
    PRAGMA user_version = 1;
"""
FORMER_JOURNAL = """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started TEXT NOT NULL,
        finished TEXT,
        genrelens TEXT NOT NULL,
        model TEXT NOT NULL
    );
    CREATE TABLE writes (
        run INTEGER NOT NULL REFERENCES runs,
        n INTEGER NOT NULL,
        name BLOB NOT NULL,  -- of the file, absolute, as the plan has it
        path BLOB NOT NULL,  -- the same, links resolved
        temporary BLOB NOT NULL,  -- name of a file in the same folder
        state TEXT NOT NULL,
        digest TEXT NOT NULL,  -- of the audio
        before TEXT NOT NULL,  -- genres, JSON
        after TEXT NOT NULL,
        old_hash BLOB,  -- of the whole file
        new_hash BLOB,
        patch BLOB,  -- delta from the new file to the old one
        PRIMARY KEY (run, n)
    ) WITHOUT ROWID;
    CREATE INDEX writes_by_path ON writes (path);
    PRAGMA application_id = 1735291498;
    PRAGMA user_version = 1;
"""


def former(path: Path, schema: str, rows: dict[str, tuple[Any, ...]]) -> Path:
    """Create a file of a former version with one row in each table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
        for table, row in rows.items():
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        connection.commit()
    return path


def columns(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Return the columns of each table (name, type, NOT NULL, key) and the header."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        found = {
            name: {
                (column, kind, required, key)
                for _, column, kind, required, _, key in connection.execute(
                    f"PRAGMA table_info({name})"
                )
            }
            for (name,) in tables.fetchall()
        }
        for name in ("application_id", "user_version"):
            found[name] = set(connection.execute(f"PRAGMA {name}"))
        return found


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "caf\udce9.mp3"
    path.write_bytes(b"new content of a file")
    return path


@pytest.fixture
def former_journal(tmp_path: Path, song: Path) -> Path:
    """The journal of a file that was written; its old content is ``old content of a file``."""
    old = song.with_name("old")
    old.write_bytes(b"old content of a file")
    name = os.fsencode(song)
    write = (
        1,
        0,
        name,
        name,
        b".genrelens-0123456789ab.tmp",
        "written",
        "a" * 40,
        '["Rock"]',
        '["Jazz"]',
        file_hash(old),
        file_hash(song),
        make_delta(old, song),
    )
    run = (1, "2025-01-01T00:00:00+00:00", None, "0.9", "lens")
    return former(tmp_path / "journal", FORMER_JOURNAL, {"runs": run, "writes": write})


# ----------------------------------------------------------------------------------- formats


EMBEDDING = np.array([0.6, -0.8], "<f2")


@pytest.fixture
def former_catalog(tmp_path: Path) -> Path:
    """The catalogue of one file with a prediction."""
    return former(
        tmp_path / "catalog",
        FORMER_CATALOG,
        {
            "files": (
                b"/m/caf\xe9.mp3",
                5,
                7,
                "a" * 40,
                json.dumps(
                    {
                        "format": "ID3v2.4",
                        "genres": ["Rock", "Ro\udce9ck"],
                        "artist": "An artist",
                        "album": "",
                        "title": "A title",
                    }
                ),
                json.dumps({"reason": "crashed", "model_digest": None, "version": None}),
            ),
            "predictions": (
                "a" * 40,
                "lens",
                "d1",
                1,
                "0.9",
                "2025-01-01T00:00:00.000000+00:00",
                "genre",
                "jazz",
                0.75,
                '{"jazz": 0.75, "rock": 0.25}',
                '[{"name": "house", "probability": 0.7, "threshold": 0.5}]',
                None,
                -10.5,
                EMBEDDING.tobytes(),
                200.0,
                90.0,
            ),
        },
    )


@pytest.mark.parametrize("readonly", [True, False])
def test_a_catalogue_of_the_former_version(former_catalog: Path, readonly: bool) -> None:
    with Catalog.open(former_catalog, readonly=readonly) as catalog:
        [entry] = catalog.query(genre="JAZZ", style="house")
        assert catalog.has_prediction("a" * 40, "d1", fast=True)
    assert os.fsencode(entry.path) == b"/m/caf\xe9.mp3"
    assert (entry.size, entry.mtime_ns, entry.digest, entry.error) == (5, 7, "a" * 40, "crashed")
    assert entry.tags == Tags("ID3v2.4", ("Rock", "Ro\udce9ck"), "An artist", "", "A title")
    prediction = entry.prediction
    assert prediction is not None
    assert (prediction.genre, prediction.probabilities) == ("jazz", {"jazz": 0.75, "rock": 0.25})
    assert (prediction.fast, prediction.music, prediction.level) == (True, None, -10.5)
    assert (prediction.duration, prediction.heard) == (200.0, 90.0)
    assert prediction.styles == (Style("house", 0.7, 0.5),)
    assert (prediction.genres, prediction.changes, prediction.snr) == ((), (), None)
    assert prediction.found_genres == ("jazz",)
    np.testing.assert_array_equal(prediction.embedding, EMBEDDING)


def test_a_journal_of_the_former_version(former_journal: Path, song: Path) -> None:
    [run] = list_runs(journal=former_journal)
    assert (run.id, run.model, run.finished, run.written) == (1, "lens", None, 1)
    assert not undo(journal=former_journal).failed
    assert song.read_bytes() == b"old content of a file"


def test_a_file_without_a_prediction_in_a_former_catalogue(former_catalog: Path) -> None:
    """The columns that a catalogue lacks are no prediction of their own."""
    edit(former_catalog, "UPDATE files SET digest = NULL")
    with Catalog.open(former_catalog, readonly=True) as catalog:
        [entry] = catalog.query()
    assert entry.prediction is None


def test_reading_a_former_catalogue_does_not_change_it(former_catalog: Path) -> None:
    before = former_catalog.read_bytes()
    Catalog.open(former_catalog, readonly=True).close()
    assert former_catalog.read_bytes() == before


def test_a_former_catalogue_gets_the_columns_of_a_new_one(
    former_catalog: Path, tmp_path: Path
) -> None:
    for path in (former_catalog, tmp_path / "new"):
        Catalog.open(path).close()
    assert columns(former_catalog) == columns(tmp_path / "new")


def test_a_former_version_can_read_and_write_the_files_of_this_one(tmp_path: Path) -> None:
    """It names the columns that it knows, and a row that it writes gets the others."""
    Catalog.open(tmp_path / "new").close()
    new, old = columns(tmp_path / "new"), columns(former(tmp_path / "old", FORMER_CATALOG, {}))
    assert {name for name, *_ in new["predictions"] - old["predictions"]} == {
        "genres",
        "changes",
        "snr",
    }
    assert {name for name, *_ in new["files"] - old["files"]} == {"scanned_at"}
    assert new.keys() == old.keys()
    assert all(old[table] <= new[table] for table in old)
    with closing(sqlite3.connect(tmp_path / "new")) as connection:
        names = [name for name, *_ in old["predictions"]]
        marks = ", ".join("?" * len(names))
        row = ["x" if kind in ("TEXT", "BLOB") else 0 for _, kind, *_ in old["predictions"]]
        statement = f"INSERT INTO predictions ({', '.join(names)}) VALUES ({marks})"
        connection.execute(statement, row)
        query = "SELECT genres, changes, snr FROM predictions"
        assert connection.execute(query).fetchall() == [("[]", "[]", None)]


def test_the_tables_of_the_journal_equal_those_of_the_former_version(tmp_path: Path) -> None:
    Journal.open(tmp_path / "new").close()
    assert columns(tmp_path / "new") == columns(former(tmp_path / "old", FORMER_JOURNAL, {}))


# --------------------------------------------------------------------------------- permissions


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644)])
def test_the_umask_is_kept(tmp_path: Path, mask: int, mode: int) -> None:
    former_mask = os.umask(mask)
    try:
        for kind in (Catalog, Journal):
            path = tmp_path / kind.__name__
            kind.open(path).close()
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(former_mask)


# ----------------------------------------------------------------------------------- damage


def edit(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.mark.parametrize("state", ["planned", "ready", "undoing", "writtem"])
def test_only_temporary_files_of_genrelens_are_removed(
    former_journal: Path, song: Path, state: str
) -> None:
    """A damaged journal may name a recording as its temporary file."""
    edit(former_journal, "UPDATE writes SET state = ?", state)
    edit(former_journal, "UPDATE writes SET temporary = ?", os.fsencode(song.name))
    with pytest.raises(LibraryError, match=r"is damaged \(writes\.temporary: .*from a backup"):
        list_runs(journal=former_journal)
    assert song.read_bytes() == b"new content of a file"


@pytest.mark.parametrize("patch", [b"nonsense", b"", zlib.compress(bytes(23))])
def test_a_damaged_delta_leaves_the_file_unchanged(
    former_journal: Path, song: Path, patch: bytes
) -> None:
    edit(former_journal, "UPDATE writes SET patch = ?", patch)
    [outcome] = undo(journal=former_journal).outcomes
    assert not outcome.done
    assert "restore the journal from a backup" in outcome.reason
    assert song.read_bytes() == b"new content of a file"
    assert list_runs(journal=former_journal)[0].written == 1  # so it can be tried again


def test_a_run_number_is_never_used_twice(former_journal: Path, song: Path) -> None:
    """If the rows of the runs are lost, the rows of the files are not overwritten."""
    edit(former_journal, "DELETE FROM runs")
    edit(former_journal, "DELETE FROM sqlite_sequence")
    facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "digest": "a" * 40, "confidence": 1.0}
    change = Change(path=song, before=(), after=("x",), reason="", **facts)
    with (
        Journal.open(former_journal) as journal,
        pytest.raises(LibraryError, match=r"is damaged \(UNIQUE"),
    ):
        journal.begin([change], model="lens")


def test_a_query_with_an_invalid_text(tmp_path: Path) -> None:
    with (
        Catalog.open(tmp_path / "x") as catalog,
        pytest.raises(LibraryError, match="which is not text"),
    ):
        list(catalog.query(genre="caf\udce9"))


def test_misuse_is_not_reported_as_damage(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "x")
    catalog.close()
    with pytest.raises(LibraryError, match="closed database") as caught:
        list(catalog.query())
    assert "damaged" not in str(caught.value)
