"""The file of the journal: SQLite, opened by one program at a time, checked and explained."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genrelens.errors import LibraryError
from genrelens.library.database import transaction

__all__ = ["connect", "explained"]

_ENVIRONMENT = "GENRELENS_JOURNAL"
_APPLICATION = int.from_bytes(b"gnrj")
_VERSION = 1
_PATIENCE = 2.0  # seconds to wait for another program
_SCHEMA = """
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
"""


def connect(path: str | os.PathLike[str] | None) -> tuple[Path, sqlite3.Connection]:
    """Open a journal, and make it if there is none; return where it is too.

    Raises:
        LibraryError: it cannot be opened, another program has it open, or it is no journal.

    """
    place = Path(path) if path is not None else _default()
    with explained(place):
        if path is None:
            place.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)
        try:
            _prepare(connection, place)
        except BaseException:
            connection.close()
            raise
    return place, connection


def _default() -> Path:
    import platformdirs

    chosen = os.environ.get(_ENVIRONMENT)
    if chosen:
        return Path(chosen)
    return platformdirs.user_data_path("genrelens", appauthor=False) / "journal.sqlite"


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if not _is_empty(connection):
        _check(connection, path)  # before anything is done to it
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # until it is closed, or its owner dies
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with transaction(connection):
        if _is_empty(connection):
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
    _check(connection, path)


def _is_empty(connection: sqlite3.Connection) -> bool:
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return not n_tables


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise LibraryError(f"{path}: is not a journal of genrelens")
    if version > _VERSION:
        raise LibraryError(
            f"{path}: is of version {version}, and this genrelens reads version {_VERSION}: "
            "update genrelens"
        )


_REASONS = {
    sqlite3.SQLITE_BUSY: "another genrelens is writing tags; try again when it is done",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
    sqlite3.SQLITE_NOTADB: "is not a journal of genrelens",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is missing, or not to be written",
    sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors into sentences about the journal."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the details
        raise LibraryError(f"{path}: {_REASONS.get(code, error)}") from error
    except OSError as error:
        raise LibraryError(f"{path}: {error.strerror or error}") from error
