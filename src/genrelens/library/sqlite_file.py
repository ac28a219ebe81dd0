"""What our SQLite files have in common: where they are, what they hold, how they fail."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genrelens.errors import LibraryError

__all__ = ["FOREIGN", "FileKind", "error_code", "transaction"]

FOREIGN = 26  # SQLite's code for a file that is none of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """A kind of file that genrelens keeps.

    Attributes:
        application: stands in the header, for ``file`` and for us; four letters.
        version: of the tables.
        schema: statements that make the tables.
        pragmas: for each connection that writes.
        reasons: what to say of SQLite's errors, by their code; there is one for ``FOREIGN``.
        environment: name of the variable that says where the file is.
        file_name: in the platform's data folder, if the variable is not set.

    """

    application: bytes
    version: int
    schema: str
    pragmas: tuple[str, ...]
    reasons: Mapping[int, str]
    environment: str
    file_name: str

    def default_path(self) -> Path:
        """Return where the file is if nobody says where."""
        import platformdirs

        chosen = os.environ.get(self.environment)
        if chosen:
            return Path(chosen)
        return platformdirs.user_data_path("genrelens", appauthor=False) / self.file_name

    def prepare(self, connection: sqlite3.Connection, path: Path) -> None:
        """Make the tables where there are none; a file of another kind is left as it is.

        Raises:
            LibraryError: it is of another kind, or of a newer genrelens.
            sqlite3.Error: SQLite cannot go on.

        """
        if not _is_empty(connection):
            self.check(connection, path)
        for pragma in self.pragmas:
            connection.execute(f"PRAGMA {pragma}")
        with transaction(connection):
            if _is_empty(connection):
                for statement in self.schema.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {int.from_bytes(self.application)}")
                connection.execute(f"PRAGMA user_version = {self.version}")
        self.check(connection, path)

    def check(self, connection: sqlite3.Connection, path: Path) -> None:
        """Refuse what is not of this kind; see :meth:`prepare`."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != int.from_bytes(self.application):
            raise LibraryError(f"{path}: {self.reasons[FOREIGN]}")
        if version > self.version:
            raise LibraryError(
                f"{path}: is of version {version}, and this genrelens reads version "
                f"{self.version}: update genrelens"
            )

    @contextmanager
    def explained(self, path: Path) -> Iterator[None]:
        """Turn errors into sentences about the file.

        Raises:
            LibraryError: instead of them.

        """
        try:
            yield
        except sqlite3.Error as error:
            reason = self.reasons.get(error_code(error), str(error))
            raise LibraryError(f"{path}: {reason}") from error
        except OSError as error:
            raise LibraryError(f"{path}: {error.strerror or error}") from error


def error_code(error: sqlite3.Error) -> int:
    """Return SQLite's code of an error, without the details; 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


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


def _is_empty(connection: sqlite3.Connection) -> bool:
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return not n_tables
