"""The file of the catalogue: SQLite, opened, checked and explained."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote

from genrelens.errors import LibraryError
from genrelens.library.sqlite_file import FOREIGN, FileKind, error_code

__all__ = ["connect", "default_catalog", "explained"]

_BUSY, _READ_ONLY, _DAMAGED, _FULL, _NOT_OPENED = 5, 8, 11, 13, 14
_CATALOGUE = FileKind(
    application=b"gnrl",
    version=1,
    schema="""
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
""",
    # Readers go on while a scan writes, and a power cut costs nothing.
    pragmas=("journal_mode = WAL", "synchronous = FULL"),
    reasons={
        _BUSY: "is in use by another program; try again when that is done",
        _READ_ONLY: "cannot be written: it or its folder is read-only; --db chooses another place",
        _DAMAGED: "is damaged; move it away and scan again",
        _FULL: "cannot be written: the disk is full; what is in it stays",
        _NOT_OPENED: "cannot be opened: its folder is missing, or not to be written",
        FOREIGN: "is not a catalogue of genrelens",
    },
    environment="GENRELENS_DB",
    file_name="catalog.sqlite",
)


def default_catalog() -> Path:
    """Return where the catalogue is: ``$GENRELENS_DB``, or in the platform's data folder."""
    return _CATALOGUE.default_path()


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
            _CATALOGUE.prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def explained(path: Path) -> AbstractContextManager[None]:
    """Turn errors into ``LibraryError``, sentences about the catalogue."""
    return _CATALOGUE.explained(path)


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
            _CATALOGUE.check(connection, path)
        except sqlite3.OperationalError as error:
            connection.close()
            log = path.with_name(f"{path.name}-wal")
            if "immutable" in options or error_code(error) == _BUSY or log.exists():
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("the last attempt returns or raises")
