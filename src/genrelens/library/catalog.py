"""The catalogue: which files there are, and what was heard in them.

Files are known by their path, what was heard by the digest of the sound
(:func:`genrelens.library.digest.audio_digest`). So a file that moves, gets other tags or is a
copy of another one keeps its prediction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrelens.library.columns import StoredValueError, Table, path_key, table_of
from genrelens.library.records import Entry, Failure, StoredPrediction
from genrelens.library.store import SqliteStore, StoreKind
from genrelens.tags import Tags

__all__ = ["Catalog", "Query"]

StrPath = str | os.PathLike[str]

_FILES = table_of(Entry, "files", leave_out=("prediction",))
_PREDICTIONS = table_of(StoredPrediction, "predictions")
# Also the digest of the sound, and the probability of the genre, which queries ask for.
_HEARD = Table("predictions", {"digest": str, **_PREDICTIONS.types, "probability": float})
_SELECT = f"""
    SELECT {_FILES.names("f")}, {_PREDICTIONS.names("p")}
    FROM files f LEFT JOIN predictions p ON p.rowid = (
        SELECT rowid FROM predictions WHERE digest = f.digest AND (:model IS NULL OR model = :model)
        ORDER BY created_at DESC LIMIT 1
    )
"""
_STYLE = """EXISTS (
    SELECT 1 FROM json_each(p.styles) WHERE value ->> 'name' = :style COLLATE NOCASE
    AND value ->> 'probability' >= coalesce(:minimum, value ->> 'threshold')
)"""

_KIND = StoreKind(
    name="catalogue",
    application=b"gnrl",
    version=1,
    schema=(
        _FILES.definition(path="BLOB PRIMARY KEY") + " WITHOUT ROWID",
        "CREATE INDEX files_by_digest ON files (digest)",
        _HEARD.definition("PRIMARY KEY (digest, model)"),
    ),
    # Readers go on while a scan writes, and a power cut costs nothing.
    pragmas=("journal_mode = WAL", "synchronous = FULL"),
    reasons={
        sqlite3.SQLITE_BUSY: "is in use by another program; try again when that is done",
        sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only; --db chooses "
        "another place",
        sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full; what is in it stays",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is missing, or not to be written",
        sqlite3.SQLITE_NOTADB: "is not a catalogue of genrelens, or is damaged; check the path "
        "(a damaged catalogue can be deleted: genrelens scan makes a new one)",
    },
    remedy="delete it and scan again; the recordings are not affected",
    environment="GENRELENS_DB",
    file_name="catalog.sqlite",
)


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


class Catalog(SqliteStore):
    """A catalogue of files and predictions; one SQLite file.

    Example::

        with Catalog.open() as catalog:
            for entry in catalog.query(Query(genre="jazz", minimum=0.6)):
                print(entry.path, entry.prediction.probability)

    To be used from the thread that opened it. All methods raise ``LibraryError`` where the file
    cannot be read or written, or is damaged. Where it is by default: ``$GENRELENS_DB``, or in
    the platform's data folder.

    Attributes:
        path: of the file.

    """

    kind = _KIND
    patience = 30.0

    # ---------------------------------------------------------------------------- reading

    def entry(self, path: StrPath) -> Entry | None:
        """Return what is known of a file, or None."""
        values = {"path": path_key(path), "model": None}
        return next(self._select(f"{_SELECT} WHERE f.path = :path", values, _entry), None)

    def file(self, path: StrPath) -> Entry | None:
        """Do as :meth:`entry`, but leave the prediction out; several times as fast."""
        statement = f"SELECT {_FILES.names()} FROM files WHERE path = ?"
        return next(self._select(statement, (path_key(path),), _entry), None)

    def files(self, *, under: StrPath | None = None) -> Iterator[Entry]:
        """Yield all files, or those below a folder, by path."""
        return self.query(Query(under=under))

    def query(self, query: Query) -> Iterator[Entry]:
        """Yield the files that meet conditions, by path.

        While this is going on, the catalogue may be written to.
        """
        conditions, values = _conditions(query)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._select(f"{_SELECT} {where} ORDER BY f.path", values, _entry)

    def has_prediction(self, digest: str, model_digest: str, *, fast: bool) -> bool:
        """Tell whether a model has heard a sound.

        Args:
            digest: of the sound.
            model_digest: SHA-256 of the model file.
            fast: three windows of it are enough.

        """
        statement = "SELECT 1 FROM predictions WHERE digest = ? AND model_digest = ? AND fast <= ?"
        found = self._select(statement, (digest, model_digest, fast), lambda row: row)
        return next(found, None) is not None

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
            path=Path(os.fsdecode(path_key(path))),
            size=size,
            mtime_ns=mtime_ns,
            digest=digest,
            tags=tags,
            prediction=prediction,
            failure=failure,
        )
        with self._transaction() as connection:
            connection.execute(_FILES.insertion(or_replace=True), _FILES.row(entry))
            if prediction is not None:
                row = (digest, *_PREDICTIONS.row(prediction), prediction.probability)
                connection.execute(_HEARD.insertion(or_replace=True), row)

    def forget(self, paths: Iterable[StrPath]) -> None:
        """Remove files. Their predictions are kept, in case they come back."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM files WHERE path = ?", ((path_key(path),) for path in paths)
            )


def _entry(row: tuple[Any, ...]) -> Entry:
    """Return the file of a row: the columns of a file, and of a prediction if they follow."""
    n = len(_FILES.types)
    return Entry(**_FILES.values(row[:n]), prediction=_prediction(row[n:]))


def _prediction(row: tuple[Any, ...]) -> StoredPrediction | None:
    if all(value is None for value in row):
        return None
    values = _PREDICTIONS.values(row)
    if values["genre"] not in values["probabilities"]:
        raise StoredValueError("predictions.genre: has no probability")
    return StoredPrediction(**values)


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
