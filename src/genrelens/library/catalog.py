"""The catalogue: which files there are, and what was heard in them.

Files are known by their path, what was heard by the digest of the sound
(:func:`genrelens.library.content.audio_digest`). So a file that moves, gets other tags or is a
copy of another one keeps its prediction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genrelens.library.database import connect, default_catalog, explained
from genrelens.library.records import Entry, Failure, StoredPrediction
from genrelens.library.rows import (
    FILE,
    PREDICTION,
    entry_of,
    file_row,
    path_key,
    prediction_row,
)
from genrelens.library.sqlite_file import transaction
from genrelens.tags import Tags

__all__ = ["Catalog", "Query"]

StrPath = str | os.PathLike[str]

_FILE_COLUMNS = ", ".join(f"f.{name}" for name in FILE)
_PREDICTION_COLUMNS = ", ".join(f"p.{name}" for name in PREDICTION)
_SELECT = f"""
    SELECT {_FILE_COLUMNS}, {_PREDICTION_COLUMNS}
    FROM files f LEFT JOIN predictions p ON p.rowid = (
        SELECT rowid FROM predictions WHERE digest = f.digest AND (:model IS NULL OR model = :model)
        ORDER BY created_at DESC LIMIT 1
    )
"""
_STYLE = """EXISTS (
    SELECT 1 FROM json_each(p.styles) WHERE value ->> 'name' = :style COLLATE NOCASE
    AND value ->> 'probability' >= coalesce(:minimum, value ->> 'threshold')
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which files are asked for; all conditions must hold.

    Attributes:
        genre: the answer is this genre; upper and lower case are the same. Unless ``verdict``
            says otherwise, the model must be sure of it.
        style: the recording has this style.
        minimum: least probability, of ``style`` if one is asked for, else of the genre.
        verdict: what the model says: ``"genre"``, ``"not sure"``, ``"not music"``, ``"silence"``.
        under: the file is below this folder, or is this file.
        errors: it could not be analysed.
        model: predictions by the model of this name count, instead of the latest.

    """

    genre: str | None = None
    style: str | None = None
    minimum: float | None = None
    verdict: str | None = None
    under: StrPath | None = None
    errors: bool = False
    model: str | None = None


class Catalog:
    """A catalogue of files and predictions; one SQLite file.

    Example::

        with Catalog.open() as catalog:
            for entry in catalog.query(Query(genre="jazz", minimum=0.6)):
                print(entry.path, entry.prediction.probability)

    To be used from the thread that opened it. All methods raise ``LibraryError`` where the file
    cannot be read or written.

    Attributes:
        path: of the file.

    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: StrPath | None = None, *, readonly: bool = False) -> Self:
        """Open a catalogue, and make it if it is not there.

        Args:
            path: of the file; None takes ``$GENRELENS_DB`` or that in the platform's data folder.
            readonly: change nothing; it must be there.

        Raises:
            LibraryError: it cannot be opened, is something else, or of a newer genrelens.

        """
        place = default_catalog() if path is None else Path(path)
        if path is None and not readonly:
            place.parent.mkdir(parents=True, exist_ok=True)
        return cls(place, connect(place, readonly=readonly))

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

    # ---------------------------------------------------------------------------- reading

    def entry(self, path: StrPath) -> Entry | None:
        """Return what is known of a file, or None."""
        rows = self._rows(
            f"{_SELECT} WHERE f.path = :path", {"path": path_key(path), "model": None}
        )
        return next(map(entry_of, rows), None)

    def file(self, path: StrPath) -> Entry | None:
        """Do as :meth:`entry`, but leave the prediction out; several times as fast."""
        statement = f"SELECT {_FILE_COLUMNS} FROM files f WHERE path = ?"
        return next(map(entry_of, self._rows(statement, (path_key(path),))), None)

    def files(self, *, under: StrPath | None = None) -> Iterator[Entry]:
        """Yield all files, or those below a folder, by path."""
        return self.query(Query(under=under))

    def query(self, query: Query) -> Iterator[Entry]:
        """Yield the files that meet conditions, by path.

        While this is going on, the catalogue may be written to.
        """
        conditions, values = _conditions(query)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return map(entry_of, self._rows(f"{_SELECT} {where} ORDER BY f.path", values))

    def has_prediction(self, digest: str, model_digest: str, *, fast: bool) -> bool:
        """Tell whether a model has heard a sound.

        Args:
            digest: of the sound.
            model_digest: SHA-256 of the model file.
            fast: three windows of it are enough.

        """
        rows = self._rows(
            "SELECT 1 FROM predictions WHERE digest = ? AND model_digest = ? AND fast <= ?",
            (digest, model_digest, fast),
        )
        return next(rows, None) is not None

    # ---------------------------------------------------------------------------- writing

    def record(
        self,
        path: StrPath,
        *,
        size: int,
        mtime_ns: int,
        digest: str | None,
        tags: Tags | None,
        prediction: StoredPrediction | None = None,
        failure: Failure | None = None,
    ) -> None:
        """Note a file as it is now, instead of what was known of it. It is safe on return.

        Args:
            path: of the file.
            size: in bytes.
            mtime_ns: time of modification in nanoseconds.
            digest: of its sound; None if it could not be read.
            tags: that it has, if any.
            prediction: new, of the sound; replaces an earlier one by the model of that name.
            failure: why there is none.

        """
        entry = Entry(
            path=Path(path), size=size, mtime_ns=mtime_ns, digest=digest, tags=tags,
            prediction=prediction, failure=failure,
        )  # fmt: skip
        with explained(self.path), transaction(self._connection):
            self._insert("files", FILE, file_row(entry))
            if prediction is not None:
                names = ("digest", "probability", *PREDICTION)
                row = (digest, prediction.probability, *prediction_row(prediction))
                self._insert("predictions", names, row)

    def forget(self, paths: Iterable[StrPath]) -> None:
        """Remove files. What was heard in them is kept, in case they come back."""
        with explained(self.path), transaction(self._connection):
            self._connection.executemany(
                "DELETE FROM files WHERE path = ?", ((path_key(path),) for path in paths)
            )

    def _insert(self, table: str, names: Iterable[str], values: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * len(values))
        self._connection.execute(
            f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({marks})", values
        )

    def _rows(self, statement: str, values: Any) -> Iterator[tuple[Any, ...]]:
        with explained(self.path):
            cursor = self._connection.execute(statement, values)
            while rows := cursor.fetchmany(500):
                yield from rows


# ------------------------------------------------------------------------------ conditions


def _conditions(query: Query) -> tuple[list[str], dict[str, Any]]:
    """Return conditions in SQL and the values of their parameters."""
    values = {name: getattr(query, name) for name in ("genre", "style", "minimum", "model")}
    values["verdict"] = query.verdict or ("genre" if query.genre is not None else None)
    texts = {
        "genre": "p.genre = :genre COLLATE NOCASE",
        "verdict": "p.verdict = :verdict",
        "style": _STYLE,
        "minimum": "p.probability >= :minimum",
    }
    if query.style is not None:
        del texts["minimum"]  # it is that of the style
    conditions = [text for name, text in texts.items() if values[name] is not None]
    if query.under is not None:
        key = path_key(query.under)
        below = key.rstrip(_SEPARATOR) + _SEPARATOR
        values |= {"place": key, "below": below, "beyond": below[:-1] + _AFTER_SEPARATOR}
        conditions.append("(f.path = :place OR f.path >= :below AND f.path < :beyond)")
    if query.model is not None and not query.errors:
        conditions.append("p.model IS NOT NULL")
    if query.errors:
        conditions.append("f.failure IS NOT NULL")
    return conditions, values


_SEPARATOR = os.sep.encode()
_AFTER_SEPARATOR = bytes([_SEPARATOR[0] + 1])
