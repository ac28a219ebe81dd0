"""The file of the journal: SQLite, opened by one program at a time, checked and explained."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from genrelens.library.sqlite_file import FOREIGN, FileKind

__all__ = ["connect", "explained"]

_PATIENCE = 2.0  # seconds to wait for another program
_JOURNAL = FileKind(
    application=b"gnrj",
    version=1,
    schema="""
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
        path BLOB NOT NULL,  -- the same, links followed
        temporary BLOB NOT NULL,  -- name of a file in the same folder
        state TEXT NOT NULL,
        digest TEXT NOT NULL,  -- of the sound
        before TEXT NOT NULL,  -- genres, JSON
        after TEXT NOT NULL,
        old_hash BLOB,  -- of the whole file
        new_hash BLOB,
        patch BLOB,  -- from the new file to the old one
        PRIMARY KEY (run, n)
    ) WITHOUT ROWID;
    CREATE INDEX writes_by_path ON writes (path);
""",
    # The lock is kept until the file is closed, or its owner dies.
    pragmas=("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"),
    reasons={
        sqlite3.SQLITE_BUSY: "another genrelens is writing tags; try again when it is done",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
        FOREIGN: "is not a journal of genrelens",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is missing, or not to be written",
        sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
    },
    environment="GENRELENS_JOURNAL",
    file_name="journal.sqlite",
)


def connect(path: str | os.PathLike[str] | None) -> tuple[Path, sqlite3.Connection]:
    """Open a journal, and make it if there is none; return where it is too.

    Raises:
        LibraryError: it cannot be opened, another program has it open, or it is no journal.

    """
    place = Path(path) if path is not None else _JOURNAL.default_path()
    with explained(place):
        if path is None:
            place.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)
        try:
            _JOURNAL.prepare(connection, place)
        except BaseException:
            connection.close()
            raise
    return place, connection


def explained(path: Path) -> AbstractContextManager[None]:
    """Turn errors into ``LibraryError``, sentences about the journal."""
    return _JOURNAL.explained(path)
