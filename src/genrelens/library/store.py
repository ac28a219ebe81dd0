"""SQLite files of the library: default paths, opening, checks, transactions, errors.

A kind of file is a subclass of :class:`SqliteStore`: the catalogue and the journal.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import quote

from genrelens.discovery.locations import is_uri
from genrelens.errors import LibraryError
from genrelens.files import reason
from genrelens.library.columns import StoredValueError, Table

__all__ = ["SqliteStore"]

StrPath = str | os.PathLike[str]
_T = TypeVar("_T")

_BATCH = 500  # rows per fetch
# Error codes of a statement whose file does not hold what it must.
_DAMAGED = (
    0,  # raised by Python: text that is not UTF-8
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


class SqliteStore:
    """An open SQLite file. Base of the catalogue and the journal.

    Use it only in the thread that opened it. Every method raises ``LibraryError`` if the file
    cannot be read or written, or is damaged; the message names the remedy.

    Attributes:
        path: path of the file.

    """

    kind: ClassVar[str]
    """Word for this kind of file in messages."""
    application: ClassVar[bytes]
    """Four bytes in the header that identify this kind of file."""
    version: ClassVar[int]
    """Version of the tables."""
    schema: ClassVar[tuple[str, ...]]
    """Statements that create the tables."""
    upgraded: ClassVar[tuple[Table, ...]] = ()
    """Tables that may lack their columns with a default in files of former versions.

    The columns are added, which needs no new version: former versions of genrelens can still read
    and write the file.
    """
    pragmas: ClassVar[tuple[str, ...]]
    """Settings of each connection that writes."""
    reasons: ClassVar[Mapping[int, str]]
    """SQLite's error code -> reason in the message."""
    remedy: ClassVar[str]
    """What the user can do about a damaged file."""
    environment: ClassVar[str]
    """Name of the environment variable with the default path."""
    file_name: ClassVar[str]
    """Name in the platform's data folder, if the variable is not set."""
    verified: ClassVar[bool] = False
    """Whether to check the whole file each time it is opened to write."""
    patience: ClassVar[float]
    """Seconds to wait for another program that has locked the file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def default_path(cls) -> Path:
        """Return the path from the environment variable, or in the platform's data folder."""
        import platformdirs

        chosen = os.environ.get(cls.environment)
        if chosen:
            return Path(chosen)
        return platformdirs.user_data_path("genrelens", appauthor=False) / cls.file_name

    @classmethod
    def open(cls, path: StrPath | None = None, *, readonly: bool = False) -> Self:
        """Open a file; create it if it does not exist or is empty.

        Args:
            path: path of the file; None is :meth:`default_path`.
            readonly: write nothing and need no write permission; the file must exist.

        Raises:
            LibraryError: the file cannot be opened, is damaged, is of another kind, or was
                written by a newer genrelens.

        """
        if path is not None and is_uri(path):  # as a path, it would be a folder such as "s3:"
            raise LibraryError(f"is a URI, not the file of a {cls.kind}", path=path)
        target = cls.default_path() if path is None else Path(path)
        with cls._errors_explained(target):
            if path is None and not readonly:
                target.parent.mkdir(parents=True, exist_ok=True)
            connection = cls._connect_to_read(target) if readonly else cls._connect_to_write(target)
            try:
                return cls(target, connection)
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
        """Yield the decoded rows of a query; memory does not grow with their number."""
        with self._errors_explained(self.path):
            cursor = self._connection.execute(statement, values)
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    yield decode(row)

    def _execute(self, statement: str, *values: Any) -> None:
        with self._errors_explained(self.path):
            self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all changes of the block, or none of them."""
        with self._errors_explained(self.path), _transaction(self._connection):
            yield self._connection

    # ------------------------------------------------------------------------------- opening

    @classmethod
    def _connect_to_write(cls, path: Path) -> sqlite3.Connection:
        cls._refuse_folder(path)
        connection = _connect(path, "mode=rwc", cls.patience)
        try:
            cls._prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection

    @classmethod
    def _connect_to_read(cls, path: Path) -> sqlite3.Connection:
        """Open a file that may be in a folder without write permission.

        SQLite keeps an index of the write-ahead log beside the file, for readers too. If it cannot
        and there is no log, then the file itself holds everything.
        """
        if not path.exists():
            raise LibraryError(f"there is no {cls.kind} yet; genrelens scan makes one", path=path)
        cls._refuse_folder(path)
        for options in ("mode=ro", "immutable=1"):
            connection = _connect(path, options, cls.patience)
            try:
                cls._check(connection, path)
                for table, missing in cls._missing_columns(connection):
                    connection.execute(table.view(missing))
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

    @classmethod
    def _refuse_folder(cls, path: Path) -> None:
        if path.is_dir():
            raise LibraryError(f"is a folder, not a {cls.kind}", path=path)

    @classmethod
    def _prepare(cls, connection: sqlite3.Connection, path: Path) -> None:
        """Create the tables in an empty file, or add columns to those of a former version.

        A file of another kind is refused unchanged.
        """
        if not _is_empty(connection):
            cls._check(connection, path)
        for pragma in cls.pragmas:
            connection.execute(f"PRAGMA {pragma}")
        with _transaction(connection):
            if _is_empty(connection):
                for statement in cls.schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {int.from_bytes(cls.application)}")
                connection.execute(f"PRAGMA user_version = {cls.version}")
            for table, missing in cls._missing_columns(connection):
                for name in missing:
                    connection.execute(table.addition(name))
        cls._check(connection, path)
        if cls.verified:
            [(result,)] = connection.execute("PRAGMA integrity_check(1)")
            if result != "ok":
                raise StoredValueError(result)

    @classmethod
    def _missing_columns(cls, connection: sqlite3.Connection) -> list[tuple[Table, list[str]]]:
        """Return the tables of a former version, each with the columns that it does not have."""
        found = []
        for table in cls.upgraded:
            query = "SELECT name FROM pragma_table_info(?, 'main')"
            present = {name for (name,) in connection.execute(query, (table.name,))}
            missing = [name for name in table.defaults if name not in present]
            found += [(table, missing)] if missing else []
        return found

    @classmethod
    def _check(cls, connection: sqlite3.Connection, path: Path) -> None:
        """Refuse a file of another kind or of an impossible or newer version."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != int.from_bytes(cls.application):
            raise LibraryError(cls.reasons[sqlite3.SQLITE_NOTADB], path=path)
        if version > cls.version:
            raise LibraryError(
                f"is of version {version}, and this genrelens reads version {cls.version}: "
                "update genrelens",
                path=path,
            )
        if version < 1:
            raise StoredValueError(f"there is no version {version}")

    # -------------------------------------------------------------------------------- errors

    @classmethod
    @contextmanager
    def _errors_explained(cls, path: Path) -> Iterator[None]:
        """Turn every error with a file into a ``LibraryError`` that names the remedy."""
        try:
            yield
        except sqlite3.Error as error:
            code = _code(error)
            misuse = isinstance(error, sqlite3.ProgrammingError)
            if code in _DAMAGED and not misuse:
                raise cls._damaged(error, path) from error
            raise LibraryError(cls.reasons.get(code, str(error)), path=path) from error
        except UnicodeEncodeError as error:  # in a value to be stored or searched for
            text = f"cannot hold {error.object!r}, which is not text"
            raise LibraryError(text, path=path) from error
        except (StoredValueError, UnicodeDecodeError, MemoryError) as error:  # two by SQLite
            raise cls._damaged(error, path) from error
        except OSError as error:
            raise LibraryError(reason(error), path=path) from error

    @classmethod
    def _damaged(cls, error: Exception, path: Path) -> LibraryError:
        details = " ".join(reason(error).split())
        return LibraryError(f"is damaged ({details}); {cls.remedy}", path=path)


def _connect(path: Path, options: str, patience: float) -> sqlite3.Connection:
    name = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    return sqlite3.connect(name, timeout=patience, isolation_level=None, uri=True)


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


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's error code without its details; 0 if there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
