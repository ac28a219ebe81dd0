"""The catalogue: the files of a library and their stored predictions.

A file is identified by its path, a prediction by the digest of the audio
(:func:`genrelens.library.digest.audio_digest`). So a file keeps its prediction when it moves or
gets other tags, and copies of a file share one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.discovery.locations import as_path
from genrelens.library.catalog_queries import (
    BELOW,
    EMBEDDINGS,
    FILES,
    GROUPS,
    JOIN,
    LABELS,
    MERGE_FILE,
    MERGE_PREDICTION,
    PATHS,
    PREDICTIONS,
    SELECT,
    STORED,
    StoredRow,
    entry_of,
    path_range,
    where_clause,
)
from genrelens.library.columns import path_key
from genrelens.library.records import Entry, Failure, StoredPrediction, now
from genrelens.library.store import SqliteStore
from genrelens.tags import Tags

__all__ = ["Catalog", "StrPath"]

StrPath = str | os.PathLike[str]

_MERGED = 1000  # entries that are stored at a time


class Catalog(SqliteStore):
    """The files of a library and their predictions, in one SQLite file.

    Use it only in the thread that opened it. Every method raises ``LibraryError`` if the file
    cannot be read or written, or is damaged. The default path is ``$GENRELENS_DB``, or
    ``catalog.sqlite`` in the platform's data folder.

    Attributes:
        path: path of the file, or the location of the data set that the catalogue was made of.
        file_path: path of the SQLite file; a temporary catalogue has none, and ``path`` instead.

    Example::

        with Catalog.open() as catalog:
            for entry in catalog.query(genre="jazz", minimum=0.6):
                print(entry.path, entry.prediction.probability)

    """

    kind = "catalogue"
    application = b"gnrl"
    version = 1
    schema: ClassVar[tuple[str, ...]] = (
        FILES.definition(path="BLOB PRIMARY KEY") + " WITHOUT ROWID",
        "CREATE INDEX files_by_digest ON files (digest)",
        STORED.definition("PRIMARY KEY (digest, model)"),
    )
    upgraded = (STORED, FILES)
    # A scan does not block readers, and a power cut loses nothing that was recorded.
    pragmas: ClassVar[tuple[str, ...]] = ("journal_mode = WAL", "synchronous = FULL")
    reasons = {  # noqa: RUF012 (a ClassVar of the base)
        sqlite3.SQLITE_BUSY: "is in use by another program; try again when that is done",
        sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only; --db chooses "
        "another file",
        sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full; its content is not lost",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is missing or cannot be written",
        sqlite3.SQLITE_NOTADB: "is not a catalogue of genrelens, or is damaged; check the path "
        "(a damaged catalogue can be deleted: genrelens scan makes a new one)",
    }
    remedy = "delete it and scan again; the recordings are not affected"
    environment = "GENRELENS_DB"
    file_name = "catalog.sqlite"
    patience = 30.0

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self.file_path = path

    @classmethod
    def temporary(cls, path: StrPath) -> Self:
        """Return an empty catalogue that is deleted when it is closed.

        It is in memory, and in a temporary file as far as it is large.

        Args:
            path: the name of the catalogue in messages.

        """
        with cls._errors_explained(Path(path)):
            connection = sqlite3.connect("", isolation_level=None)
            cls._prepare(connection, Path(path))
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA synchronous = OFF")
            return cls(as_path(path), connection)

    # ---------------------------------------------------------------------------- reading

    def entry(self, path: StrPath) -> Entry | None:
        """Return a file with its latest prediction; None if it is not in the catalogue."""
        values = {"path": path_key(path), "model": None}
        return next(self._select(f"{SELECT} WHERE f.path = :path", values, _entry), None)

    def file(self, path: StrPath) -> Entry | None:
        """Return a file as :meth:`entry` does, without its prediction: several times as fast."""
        statement = f"SELECT {FILES.names()} FROM files WHERE path = ?"
        return next(self._select(statement, (path_key(path),), _entry), None)

    def query(
        self,
        *,
        genre: str | None = None,
        style: str | None = None,
        minimum: float | None = None,
        verdict: str | None = None,
        under: StrPath | None = None,
        errors: bool = False,
        model: str | None = None,
    ) -> Iterator[Entry]:
        """Yield the files that meet all conditions, sorted by path; without conditions, all files.

        The catalogue may be written to during the iteration.

        Args:
            genre: the predicted genre, or a further one that applies, in upper or lower case: a
                file with several genres is found under each. The verdict must be ``"genre"`` (the
                model is sure) unless ``verdict`` is given; with ``"changes"``, the file is found
                under each of the genres that it changes between.
            style: a style that applies, in upper or lower case.
            minimum: lowest probability, 0 to 1: of ``style`` if it is given, else of ``genre``,
                else of the predicted genre.
            verdict: ``"genre"``, ``"changes"``, ``"not sure"``, ``"not music"`` or ``"silence"``.
            under: a folder that the file is below, or the file itself.
            errors: only files that could not be analysed.
            model: use the predictions of the model with this name instead of the latest ones.

        """
        where, values = where_clause(
            genre=genre,
            style=style,
            minimum=minimum,
            verdict=verdict,
            under=under,
            errors=errors,
            model=model,
        )
        return self._select(f"{SELECT} {where} ORDER BY f.path", values, _entry)

    def paths_of_audio(self, **conditions: Any) -> dict[str, Path]:
        """Return a file for each recording that meets conditions: digest of the audio -> path.

        If several files are copies of a recording, the first path is returned.

        Args:
            **conditions: arguments of :meth:`query`.

        """
        where, values = where_clause(**conditions)
        statement = f"SELECT f.digest, f.path {JOIN} {where} ORDER BY f.path DESC"
        pairs = self._select(statement, values, _digest_and_path)
        return {digest: path for digest, path in pairs if digest is not None}

    def latest_model(self) -> tuple[str, str] | None:
        """Return name and SHA-256 of the model that was used last; None without predictions."""
        statement = "SELECT model, model_digest FROM predictions ORDER BY rowid DESC LIMIT 1"
        return next(self._select(statement, (), lambda row: (str(row[0]), str(row[1]))), None)

    def copies(
        self, digest: str, model_digest: str, *, complete: bool = True, **conditions: Any
    ) -> Iterator[Entry]:
        """Yield the files with some audio that meet conditions, sorted by path.

        Args:
            digest: digest of the audio.
            model_digest: SHA-256 of the model file whose prediction is returned.
            complete: include the prediction; without it, this is several times as fast.
            **conditions: arguments of :meth:`query`.

        """
        where, values = where_clause(**conditions)
        prediction = f", {PREDICTIONS.names('p')}" if complete else ""
        statement = f"""
            SELECT {FILES.names("f")} {prediction} FROM files f
            LEFT JOIN predictions p ON p.digest = f.digest AND p.model_digest = :model_digest
            {where or "WHERE 1"} AND f.digest = :digest ORDER BY f.path
        """
        values |= {"digest": digest, "model_digest": model_digest}
        return self._select(statement, values, _entry)

    def embeddings(self, model_digest: str) -> Iterator[tuple[str, NDArray[np.float16]]]:
        """Yield the digest and the embedding, (d,), of each recording in the files.

        Copies of a recording are one. The order is that of the digests.

        Args:
            model_digest: SHA-256 of the model file; embeddings of other models are not comparable.

        """
        statement = """
            SELECT p.digest, p.embedding FROM predictions p
            WHERE p.model_digest = ? AND p.embedding IS NOT NULL
            AND EXISTS (SELECT 1 FROM files f WHERE f.digest = p.digest) ORDER BY p.digest
        """
        return self._select(statement, (model_digest,), _embedding)

    def has_prediction(self, digest: str, model_digest: str, *, fast: bool) -> bool:
        """Return whether there is a prediction of a model for some audio.

        Args:
            digest: digest of the audio.
            model_digest: SHA-256 of the model file.
            fast: accept a prediction from three excerpts.

        """
        statement = "SELECT 1 FROM predictions WHERE digest = ? AND model_digest = ? AND fast <= ?"
        found = self._select(statement, (digest, model_digest, fast), lambda row: row)
        return next(found, None) is not None

    def of_other_versions(
        self, model: str, model_digest: str, *, under: StrPath | None = None
    ) -> Iterator[Path]:
        """Yield the paths of files whose latest prediction is by another version of a model.

        Args:
            model: name of the model.
            model_digest: SHA-256 of the file of this version.
            under: only files in this folder or below it, or this file.

        """
        below = f"AND {BELOW}" if under is not None else ""
        statement = f"SELECT f.path {JOIN} WHERE p.model = :name AND p.model_digest != :d {below}"
        values: dict[str, Any] = {"model": None, "name": model, "d": model_digest}
        if under is not None:
            values |= path_range(under)
        return self._select(statement, values, lambda row: Path(os.fsdecode(row[0])))

    def models(self) -> list[tuple[str, str]]:
        """Return name and SHA-256 of each model that has predictions, also former ones."""
        statement = "SELECT DISTINCT model, model_digest FROM predictions"
        return list(self._select(statement, (), lambda row: (str(row[0]), str(row[1]))))

    def groups(
        self, *, under: StrPath | None = None, paths: Collection[bytes] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield numbers of files with the same failure, model, verdict and predicted genre.

        Args:
            under: only files in this folder or below it, or this file.
            paths: only files with these paths, as :func:`path_key` returns them.

        Yields:
            ``failure``, ``model``, ``verdict`` and ``genre`` of each group (None if it has none),
            ``files`` (their number) and ``seconds`` (length of their audio).

        """
        where, values = self._selected(under, paths)
        statement = (
            "SELECT f.failure, p.model, p.verdict, p.genre, count(*), total(p.duration)"
            f" {JOIN} WHERE {where} GROUP BY 1, 2, 3, 4"
        )
        return self._select(statement, values, GROUPS.values)

    def count_copies(
        self, *, under: StrPath | None = None, paths: Collection[bytes] | None = None
    ) -> int:
        """Return the number of files with the same audio as another of the selected files.

        Args:
            under: see :meth:`groups`.
            paths: see :meth:`groups`.

        """
        where, values = self._selected(under, paths)
        statement = f"SELECT count(digest) - count(DISTINCT digest) FROM files f WHERE {where}"
        return next(self._select(statement, values, lambda row: int(row[0])))

    def _selected(
        self, under: StrPath | None, paths: Collection[bytes] | None
    ) -> tuple[str, dict[str, Any]]:
        """Return a condition for files, and its parameters."""
        conditions, values = ["TRUE"], dict[str, Any](model=None)
        if under is not None:
            conditions.append(BELOW)
            values |= path_range(under)
        if paths is not None:
            self._connection.create_function("is_chosen", 1, lambda path: path in paths)
            conditions.append("f.path BETWEEN :first AND :last AND is_chosen(f.path)")
            values |= {"first": min(paths, default=b""), "last": max(paths, default=b"")}
        return " AND ".join(conditions), values

    def labels(self) -> tuple[set[str], set[str]]:
        """Return the genres and the styles of all models that have predictions."""
        one_of_each = "SELECT min(rowid) FROM predictions GROUP BY model, model_digest"
        statement = f"SELECT {LABELS.names()} FROM predictions WHERE rowid IN ({one_of_each})"
        genres, styles = set[str](), set[str]()
        for values in self._select(statement, (), LABELS.values):
            genres |= {*values["probabilities"]}
            styles |= {style.name for style in values["styles"]}
        return genres, styles

    def common_folder(self) -> Path | None:
        """Return the deepest folder that all files are below; None if the catalogue is empty."""
        statement = "SELECT min(path), max(path) FROM files"
        first, last = next(self._select(statement, (), lambda row: row))
        if first is None:
            return None
        shared = os.path.commonpath([os.path.dirname(first), os.path.dirname(last)])  # noqa: PTH120
        return Path(os.fsdecode(shared))

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
        """Store a file, and replace its former entry. The entry is on the disk on return.

        Args:
            path: path of the file.
            size: size in bytes.
            mtime_ns: time of modification in nanoseconds.
            digest: digest of the audio; None if it could not be read.
            tags: tags of the file, if there are any.
            prediction: a new prediction; it replaces the former one of the model of that name.
            failure: why there is no prediction.

        """
        entry = Entry(
            path=as_path(os.fsdecode(path_key(path))),
            size=size,
            mtime_ns=mtime_ns,
            digest=digest,
            tags=tags,
            prediction=prediction,
            failure=failure,
            scanned_at=now(),
        )
        with self._transaction() as connection:
            connection.execute(FILES.insertion(or_replace=True), FILES.row(entry))
            if (stored := _stored_row(entry)) is not None:
                connection.execute(STORED.insertion(or_replace=True), stored)

    def merge(self, entries: Iterable[Entry]) -> int:
        """Store entries of another catalogue or data set, all of them or none.

        Of two scans of a file the later one is kept, and of two predictions of a model for the same
        audio the later one. So the order of several merges does not matter, and a repeated one
        changes nothing.

        Returns:
            Number of files and predictions that are new or newer.

        """
        rows = ((FILES.row(each), _stored_row(each)) for each in entries)
        return self.merge_rows(iter(lambda: list(islice(rows, _MERGED)), []))

    def merge_rows(self, batches: Iterable[Sequence[StoredRow]]) -> int:
        """Store rows as :meth:`merge` does entries, all of them or none.

        Args:
            batches: rows as :func:`genrelens.library.parquet_rows.read_rows` returns them.

        Returns:
            Number of files and predictions that are new or newer.

        """
        with self._transaction() as connection:
            before = connection.total_changes
            for rows in batches:
                predictions = (prediction for _, prediction in rows if prediction is not None)
                connection.executemany(MERGE_FILE, (file for file, _ in rows))
                connection.executemany(MERGE_PREDICTION, predictions)
            return connection.total_changes - before

    def remove(self, paths: Iterable[StrPath]) -> None:
        """Remove files. Their predictions stay, in case the files return."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM files WHERE path = ?", ((path_key(path),) for path in paths)
            )


def _embedding(row: tuple[Any, ...]) -> tuple[str, NDArray[np.float16]]:
    values = EMBEDDINGS.values(row)
    return values["digest"], values["embedding"]


def _digest_and_path(row: tuple[Any, ...]) -> tuple[str | None, Path]:
    values = PATHS.values(row)
    return values["digest"], values["path"]


def _stored_row(entry: Entry) -> tuple[Any, ...] | None:
    prediction = entry.prediction
    if prediction is None:
        return None
    return (entry.digest, *PREDICTIONS.row(prediction), prediction.probability)


def _entry(row: tuple[Any, ...]) -> Entry:
    """Return the entry of a row: the columns of a file, and of a prediction if they follow."""
    n = len(FILES.types)
    return entry_of(row[:n], row[n:] or None)
