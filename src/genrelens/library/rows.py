"""What the catalogue keeps as the rows of its tables, and back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from genrelens.library.records import Entry, Failure, StoredPrediction
from genrelens.prediction import Style
from genrelens.tags import Tags

__all__ = ["FILE", "PREDICTION", "entry_of", "file_row", "path_key", "prediction_row"]

Row = tuple[Any, ...]

FILE = ("path", "size", "mtime_ns", "digest", "tags", "failure")
"""Columns of a file."""

PREDICTION = (
    "model", "model_digest", "fast", "version", "created_at", "verdict", "genre",
    "probabilities", "styles", "music", "level", "embedding", "duration", "heard",
)  # fmt: skip
"""Columns of a prediction, but the digest and what follows from the others."""


def path_key(path: str | os.PathLike[str]) -> bytes:
    """Return a path as it stands in the table: absolute, links as they are."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 (Path's leaves ".." where it is)


def file_row(entry: Entry) -> Row:
    """Return the columns :data:`FILE`."""
    return (
        path_key(entry.path), entry.size, entry.mtime_ns, entry.digest,
        _json_or_none(entry.tags), _json_or_none(entry.failure),
    )  # fmt: skip


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(asdict(value))


def prediction_row(prediction: StoredPrediction) -> Row:
    """Return the columns :data:`PREDICTION`."""
    stored = {
        **{name: getattr(prediction, name) for name in PREDICTION},
        "probabilities": json.dumps(prediction.probabilities),
        "styles": json.dumps([asdict(style) for style in prediction.styles]),
    }
    if prediction.embedding is not None:
        stored["embedding"] = prediction.embedding.astype("<f2").tobytes()
    return tuple(stored[name] for name in PREDICTION)


def entry_of(row: Row) -> Entry:
    """Return the file of the columns :data:`FILE`, and of :data:`PREDICTION` if they follow."""
    path, size, mtime_ns, digest, tags, failure = row[: len(FILE)]
    return Entry(
        path=Path(os.fsdecode(path)), size=size, mtime_ns=mtime_ns, digest=digest,
        tags=None if tags is None else _tags(json.loads(tags)),
        failure=None if failure is None else Failure(**json.loads(failure)),
        prediction=_prediction(row[len(FILE) :]),
    )  # fmt: skip


def _tags(values: dict[str, Any]) -> Tags:
    return Tags(**{**values, "genres": tuple(values["genres"])})


def _prediction(row: Row) -> StoredPrediction | None:
    if not row or row[0] is None:
        return None
    values = dict(zip(PREDICTION, row, strict=True))
    content = values["embedding"]
    values |= {
        "fast": bool(values["fast"]),
        "probabilities": json.loads(values["probabilities"]),
        "styles": tuple(Style(**style) for style in json.loads(values["styles"])),
        "embedding": None if content is None else np.frombuffer(content, "<f2"),
    }
    return StoredPrediction(**values)
