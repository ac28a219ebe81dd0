"""The file of the catalogue: SQLite, opened, checked and explained."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from genrelens.errors import LibraryError

__all__ = ["connect", "default_catalog", "explained", "transaction"]

_ENVIRONMENT = "GENRELENS_DB"
_APPLICATION = int.from_bytes(b"gnrl")  # stands in the header, for ``file`` and for us
_VERSION = 1
_SCHEMA = """
    CREATE TABLE files (
        path BLOB PRIMARY KEY,  -- absolute, as the file system has it
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        digest TEXT,  -- of the sound
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
"""
_BUSY, _READ_ONLY, _DAMAGED, _FULL, _NOT_OPENED, _FOREIGN = 5, 8, 11, 13, 14, 26
_REASONS = {
    _BUSY: "is in use by another program; try again when that is done",
    _READ_ONLY: "cannot be written: it or its folder is read-only; --db chooses another place",
    _DAMAGED: "is damaged; move it away and scan again",
    _FULL: "cannot be written: the disk is full; what is in it stays",
    _NOT_OPENED: "cannot be opened: its folder is missing, or not to be written",
    _FOREIGN: "is not a catalogue of genrelens",
}


def default_catalog() -> Path:
    """Return where the catalogue is: ``$GENRELENS_DB``, or in the platform's data folder."""
    import platformdirs

    chosen = os.environ.get(_ENVIRONMENT)
    if chosen:
        return Path(chosen)
    return platformdirs.user_data_path("genrelens", appauthor=False) / "catalog.sqlite"


def connect(path: Path, *, readonly: bool, patience: float = 30.0) -> sqlite3.Connection:
    """Open a catalogue; an empty or missing file becomes one, unless it is only read.

    Args:
        path: of the file.
        readonly: change nothing, and need no permission to.
        patience: seconds to wait for another program that is writing.

    Raises:
        LibraryError: there is none, it cannot be opened, or it is of a newer genrelens.

    """
    if readonly and not path.exists():
        raise LibraryError(f"{path}: there is no catalogue yet; genrelens scan makes one")
    if path.is_dir():
        raise LibraryError(f"{path}: is a folder, not a catalogue")
    with explained(path):
        if readonly:
            return _open_to_read(path, patience)
        connection = _open(path, "mode=rwc", patience)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into sentences about the catalogue.

    Raises:
        LibraryError: instead of them.

    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the details
        raise LibraryError(f"{path}: {_REASONS.get(code, error)}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all or nothing of what is written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite may have gone back by itself
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _open(path: Path, options: str, patience: float) -> sqlite3.Connection:
    name = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    return sqlite3.connect(name, timeout=patience, isolation_level=None, uri=True)


def _open_to_read(path: Path, patience: float) -> sqlite3.Connection:
    """Open what may lie where nothing can be written.

    SQLite keeps an index of the write-ahead log beside the file, for readers too. Where it cannot,
    and there is no log, the file itself is all there is.
    """
    for options in ("mode=ro", "immutable=1"):
        connection = _open(path, options, patience)
        try:
            _check(connection, path)
        except sqlite3.OperationalError as error:
            connection.close()
            log = path.with_name(f"{path.name}-wal")
            if "immutable" in options or error.sqlite_errorcode & 0xFF == _BUSY or log.exists():
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("the last attempt returns or raises")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where there are none, and choose what a power cut may cost: nothing."""
    if not _is_empty(connection):
        _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")  # readers go on while a scan writes
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
        raise LibraryError(f"{path}: {_REASONS[_FOREIGN]}")
    if version > _VERSION:
        raise LibraryError(
            f"{path}: is of version {version}, and this genrelens reads version {_VERSION}: "
            "update genrelens"
        )
