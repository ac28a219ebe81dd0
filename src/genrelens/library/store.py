"""The library's SQLite files: where they are, how they are opened, and what is wrong with them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import quote

from genrelens.errors import LibraryError
from genrelens.files import reason
from genrelens.library.columns import StoredValueError

__all__ = ["SqliteStore", "StoreKind"]

StrPath = str | os.PathLike[str]
_T = TypeVar("_T")

_BATCH = 500  # rows that are fetched at once
_FOREIGN = sqlite3.SQLITE_NOTADB
# A statement fails with one of these where the file does not hold what it must.
_DAMAGED = (
    0,  # by Python: text that is not UTF-8
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_RANGE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """A kind of file.

    Attributes:
        name: for messages: ``"catalogue"``.
        application: four letters in the header of the file, for ``file`` and for us.
        version: of the tables.
        schema: statements that create the tables.
        pragmas: of each connection that writes.
        reasons: SQLite's error code -> what to say of it.
        remedy: what to do about a damaged file.
        environment: name of the variable that holds the path.
        file_name: in the platform's data folder, if the variable is not set.
        verified: check the whole file each time it is opened to write.

    """

    name: str
    application: bytes
    version: int
    schema: tuple[str, ...]
    pragmas: tuple[str, ...]
    reasons: Mapping[int, str]
    remedy: str
    environment: str
    file_name: str
    verified: bool = False


class SqliteStore:
    """An open SQLite file. Base of the catalogue and the journal.

    To be used from the thread that opened it. All methods raise ``LibraryError`` where the file
    cannot be read or written, or is damaged; the message says what to do.

    Attributes:
        path: of the file.

    """

    kind: ClassVar[StoreKind]
    patience: ClassVar[float]
    """Seconds to wait for another program that has the file locked."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def default_path(cls) -> Path:
        """Return the path that the environment or the platform gives."""
        import platformdirs

        chosen = os.environ.get(cls.kind.environment)
        if chosen:
            return Path(chosen)
        return platformdirs.user_data_path("genrelens", appauthor=False) / cls.kind.file_name

    @classmethod
    def open(cls, path: StrPath | None = None, *, readonly: bool = False) -> Self:
        """Open a file; create it if there is none or it is empty.

        Args:
            path: of the file; None takes :meth:`default_path`.
            readonly: change nothing, and need no permission to; the file must exist.

        Raises:
            LibraryError: it cannot be opened, is damaged, is a file of another kind, or was
                written by a newer genrelens.

        """
        place = cls.default_path() if path is None else Path(path)
        with _explained(cls.kind, place):
            if path is None and not readonly:
                place.parent.mkdir(parents=True, exist_ok=True)
            connect = _connect_to_read if readonly else _connect_to_write
            connection = connect(cls.kind, place, cls.patience)
            try:
                return cls(place, connection)
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------ for subclasses

    def _select(
        self, statement: str, values: Any, decode: Callable[[tuple[Any, ...]], _T]
    ) -> Iterator[_T]:
        """Yield the decoded rows of a query, in memory that does not grow with their number."""
        with _explained(self.kind, self.path):
            cursor = self._connection.execute(statement, values)
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    yield decode(row)

    def _execute(self, statement: str, *values: Any) -> None:
        with _explained(self.kind, self.path):
            self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of what follows or nothing of it."""
        with _explained(self.kind, self.path), _transaction(self._connection):
            yield self._connection


# ---------------------------------------------------------------------------------- opening


def _connect(path: Path, options: str, patience: float) -> sqlite3.Connection:
    name = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    return sqlite3.connect(name, timeout=patience, isolation_level=None, uri=True)


def _connect_to_write(kind: StoreKind, path: Path, patience: float) -> sqlite3.Connection:
    _refuse_folder(kind, path)
    connection = _connect(path, "mode=rwc", patience)
    try:
        _prepare(kind, connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(kind: StoreKind, path: Path, patience: float) -> sqlite3.Connection:
    """Open a file that may lie where nothing can be written.

    SQLite keeps an index of the write-ahead log beside the file, for readers too. Where it cannot,
    and there is no log, the file itself holds everything.
    """
    if not path.exists():
        raise LibraryError(f"{path}: there is no {kind.name} yet; genrelens scan makes one")
    _refuse_folder(kind, path)
    for options in ("mode=ro", "immutable=1"):
        connection = _connect(path, options, patience)
        try:
            _check(kind, connection, path)
        except sqlite3.OperationalError as error:
            connection.close()
            log = path.with_name(f"{path.name}-wal")
            busy = _code(error) == sqlite3.SQLITE_BUSY
            if "immutable" in options or busy or log.exists():
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise AssertionError("the last attempt returns or raises")


def _refuse_folder(kind: StoreKind, path: Path) -> None:
    if path.is_dir():
        raise LibraryError(f"{path}: is a folder, not a {kind.name}")


def _prepare(kind: StoreKind, connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables where there are none; leave a file of another kind as it is."""
    if not _is_empty(connection):
        _check(kind, connection, path)
    for pragma in kind.pragmas:
        connection.execute(f"PRAGMA {pragma}")
    with _transaction(connection):
        if _is_empty(connection):
            for statement in kind.schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {int.from_bytes(kind.application)}")
            connection.execute(f"PRAGMA user_version = {kind.version}")
    _check(kind, connection, path)
    if kind.verified:
        [(found,)] = connection.execute("PRAGMA integrity_check(1)")
        if found != "ok":
            raise StoredValueError(found)


def _check(kind: StoreKind, connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is not of this kind, or of a version that cannot be."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != int.from_bytes(kind.application):
        raise LibraryError(f"{path}: {kind.reasons[_FOREIGN]}")
    if version > kind.version:
        raise LibraryError(
            f"{path}: is of version {version}, and this genrelens reads version "
            f"{kind.version}: update genrelens"
        )
    if version < 1:
        raise StoredValueError(f"there is no version {version}")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return not n_tables


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


# ----------------------------------------------------------------------------------- errors


@contextmanager
def _explained(kind: StoreKind, path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into a ``LibraryError`` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        known = kind.reasons.get(code, str(error))
        misuse = isinstance(error, sqlite3.ProgrammingError)
        text = _damaged(kind, error) if code in _DAMAGED and not misuse else known
        raise LibraryError(f"{path}: {text}") from error
    except UnicodeEncodeError as error:  # in a value to be stored or asked for
        raise LibraryError(f"{path}: cannot hold {error.object!r}, which is not text") from error
    except (StoredValueError, UnicodeDecodeError, MemoryError) as error:  # the last two by SQLite
        raise LibraryError(f"{path}: {_damaged(kind, error)}") from error
    except OSError as error:
        raise LibraryError(f"{path}: {reason(error)}") from error


def _damaged(kind: StoreKind, error: Exception) -> str:
    return f"is damaged ({' '.join(reason(error).split())}); {kind.remedy}"


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's code of an error, without the details; 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
