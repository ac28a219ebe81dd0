"""The tables of the catalogue, and the SQL of its queries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.findings import Style
from genrelens.library.columns import StoredValueError, Table, path_key
from genrelens.library.records import Entry, Failure, StoredPrediction

__all__ = [
    "BELOW",
    "EMBEDDINGS",
    "FILES",
    "GENRE",
    "GROUPS",
    "JOIN",
    "LABELS",
    "MERGE_FILE",
    "MERGE_PREDICTION",
    "PATHS",
    "PREDICTIONS",
    "SELECT",
    "STORED",
    "STYLE",
    "StoredRow",
    "entry_of",
    "path_range",
    "where_clause",
]

StrPath = str | os.PathLike[str]

StoredRow = tuple[tuple[Any, ...], tuple[Any, ...] | None]
"""The row of a file with the columns FILES, and of its prediction with the columns STORED."""

FILES = Table.of(Entry, "files", leave_out=("prediction",))
PREDICTIONS = Table.of(StoredPrediction, "predictions")
# With the digest of the audio, and the probability of the genre for queries.
STORED = Table(
    "predictions",
    {"digest": str, **PREDICTIONS.types, "probability": float},
    PREDICTIONS.defaults,
)
# The groups of files that statistics are made of.
GROUPS = Table(
    "files and predictions",
    {
        "failure": Failure | None,
        "model": str | None,
        "verdict": str | None,
        "genre": str | None,
        "files": int,
        "seconds": float,
    },
)
LABELS = Table("predictions", {"probabilities": dict[str, float], "styles": tuple[Style, ...]})
MERGE_FILE = FILES.merging("path", newest_by="scanned_at")
MERGE_PREDICTION = STORED.merging("digest", "model", newest_by="created_at")
JOIN = """
    FROM files f LEFT JOIN predictions p ON p.digest = f.digest AND p.model = (
        SELECT model FROM predictions WHERE digest = f.digest AND (:model IS NULL OR model = :model)
        ORDER BY created_at DESC LIMIT 1
    )
"""
SELECT = f"SELECT {FILES.names('f')}, {PREDICTIONS.names('p')} {JOIN}"
EMBEDDINGS = Table("predictions", {"digest": str, "embedding": NDArray[np.float16]})
PATHS = Table("files", {"digest": str | None, "path": Path})
BELOW = "(f.path = :folder OR f.path >= :below AND f.path < :beyond)"
GENRE = """(
    p.genre = :genre COLLATE NOCASE AND p.probability >= coalesce(:genre_minimum, 0)
    OR EXISTS (
        SELECT 1 FROM json_each(p.genres) WHERE value ->> 'name' = :genre COLLATE NOCASE
        AND value ->> 'applies' AND value ->> 'probability' >= coalesce(:genre_minimum, 0)
    )
    OR EXISTS (
        SELECT 1 FROM json_each(p.changes) AS c WHERE c.value = :genre COLLATE NOCASE
        AND (:genre_minimum IS NULL OR EXISTS (
            SELECT 1 FROM json_each(p.genres) AS g
            WHERE g.value ->> 'name' = c.value AND g.value ->> 'probability' >= :genre_minimum
        ))
    )
)"""
STYLE = """EXISTS (
    SELECT 1 FROM json_each(p.styles) WHERE value ->> 'name' = :style COLLATE NOCASE
    AND value ->> 'probability' >= coalesce(:minimum, value ->> 'threshold')
)"""


def where_clause(
    *,
    genre: str | None = None,
    style: str | None = None,
    minimum: float | None = None,
    verdict: str | None = None,
    under: StrPath | None = None,
    errors: bool = False,
    model: str | None = None,
) -> tuple[str, dict[str, Any]]:
    """Return the clause ``WHERE`` and its parameters for the arguments of :meth:`Catalog.query`."""
    verdict = verdict or (None if genre is None else "genre")
    values: dict[str, Any] = {
        "genre": genre,
        "style": style,
        "minimum": minimum,
        "genre_minimum": None if style else minimum,
        "verdict": verdict,
        "model": model,
    }
    texts = {
        GENRE: genre is not None,
        "p.verdict = :verdict": verdict is not None,
        STYLE: style is not None,
        "p.probability >= :minimum": minimum is not None and genre is None and style is None,
        BELOW: under is not None,
        "p.model IS NOT NULL": model is not None and not errors,
        "f.failure IS NOT NULL": errors,
    }
    if under is not None:
        values |= path_range(under)
    joined = " AND ".join(text for text, applies in texts.items() if applies)
    return (f"WHERE {joined}" if joined else ""), values


def path_range(folder: StrPath) -> dict[str, bytes]:
    """Return the parameters that select a path and the paths below it."""
    key, separator = path_key(folder), os.sep.encode()
    below = key.rstrip(separator) + separator
    return {"folder": key, "below": below, "beyond": below[:-1] + bytes([separator[0] + 1])}


def entry_of(file: tuple[Any, ...], prediction: tuple[Any, ...] | None) -> Entry:
    """Return the entry of rows with the columns :data:`FILES` and :data:`PREDICTIONS`.

    Raises:
        StoredValueError: a value is not valid.

    """
    own = None if prediction is None else _prediction(prediction)
    return Entry(**FILES.values(file), prediction=own)


def _prediction(row: tuple[Any, ...]) -> StoredPrediction | None:
    if all(value is None for value in row):
        return None
    values = PREDICTIONS.values(row)
    if values["genre"] not in values["probabilities"]:
        raise StoredValueError("predictions.genre: has no probability")
    return StoredPrediction(**values)
