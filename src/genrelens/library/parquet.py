"""Entries of the catalogue as rows of a Parquet table; parquet_rows reads them without loss."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from genrelens.discovery.locations import is_uri
from genrelens.errors import MissingExtraError
from genrelens.library.columns import Table
from genrelens.library.records import Entry, StoredPrediction, path_fields

__all__ = [
    "FORMER",
    "REMEDY",
    "entry_row",
    "parquet_schema",
    "relative_path",
    "write_parquet",
]

REMEDY = "delete this file and scan again"

_BATCH = 1000  # rows of a row group in memory
_PLAIN = (  # fields of a prediction that are columns as they are
    *("model", "model_digest", "fast", "version", "created_at", "verdict", "genre"),
    *("music", "level", "duration", "heard", "snr"),
)
_TEXTS = ("artist", "album", "title")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_FILES = Table.of(Entry, "files", leave_out=("prediction",))
_PREDICTIONS = Table.of(StoredPrediction, "predictions")

StrPath = str | os.PathLike[str]
_Row = dict[str, Any]


def parquet_schema() -> Any:
    """Return the :class:`pyarrow.Schema` of the rows.

    Raises:
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    text, number = pa.string(), pa.float64()
    kinds = {
        **dict.fromkeys(("size", "mtime_ns"), pa.int64()),
        **dict.fromkeys(("probability", "music", "level", "snr", "duration", "heard"), number),
        **dict.fromkeys(("tagged", "genres", "changes", "styles"), pa.list_(text)),
        **dict.fromkeys(("probabilities", "genre_probabilities"), pa.map_(text, number)),
        **dict.fromkeys(("style_probabilities", "style_thresholds"), pa.map_(text, number)),
        "path_bytes": pa.binary(),
        "mtime": pa.timestamp("us", tz="UTC"),
        "genre_applies": pa.map_(text, pa.bool_()),
        "style_parents": pa.map_(text, text),
        "embedding": pa.list_(pa.float32()),
        "fast": pa.bool_(),
    }
    return pa.schema([(name, kinds.get(name, text)) for name in _COLUMNS])


FORMER = (  # the columns of genrelens list before there were data sets
    *("path", "path_bytes", "size", "mtime", "digest", "artist", "album", "title", "tagged"),
    *("verdict", "genre", "probability", "probabilities", "genres", "genre_probabilities"),
    *("changes", "styles", "style_probabilities", "music", "level", "snr", "embedding"),
    *("duration", "heard", "fast", "model", "model_digest", "version", "created_at", "error"),
)
_COLUMNS = (
    *FORMER,
    *("mtime_ns", "scanned_at", "tag_format", "genre_applies", "style_thresholds"),
    *("style_parents", "error_model_digest", "error_version"),
)


# ---------------------------------------------------------------------------------- writing


def write_parquet(
    entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None = None
) -> None:
    """Write entries as a Parquet file; memory does not grow with their number.

    Args:
        entries: the entries, in order.
        file: binary file to write to.
        relative_to: folder that paths are relative to; None writes absolute paths.

    Raises:
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    """
    schema = parquet_schema()
    import pyarrow as pa
    from pyarrow import parquet

    rows = (_as_unicode(entry_row(entry, relative_to)) for entry in entries)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(islice(rows, _BATCH)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))


def relative_path(path: Path, relative_to: StrPath | None) -> str:
    """Return a path as text, relative to a folder if one is given; a URI is never relative."""
    if relative_to is None or is_uri(path):
        return str(path)
    return os.path.relpath(path, relative_to)


def entry_row(entry: Entry, relative_to: StrPath | None = None) -> _Row:
    """Return all fields of an entry as one flat row."""
    path, tags, failure = relative_path(entry.path, relative_to), entry.tags, entry.failure
    row: _Row = {
        "path": path_fields(path)["path"],
        "path_bytes": os.fsencode(path) if "path_bytes" in path_fields(path) else None,
        "size": entry.size,
        "mtime": entry.mtime_ns // 1000,
        "mtime_ns": entry.mtime_ns,
        "digest": entry.digest,
        "scanned_at": entry.scanned_at,
        **{name: tags and getattr(tags, name) for name in _TEXTS},
        "tagged": tags and list(tags.genres),
        "tag_format": tags and tags.format,
        "error": entry.error,
        "error_model_digest": failure and failure.model_digest,
        "error_version": failure and failure.version,
        **dict.fromkeys(("styles", "genres", "changes")),
    }
    return row if entry.prediction is None else row | _prediction_row(entry.prediction)


def _as_unicode(row: _Row) -> _Row:
    """Replace the surrogates in a row, which stand for bytes that are not text."""
    texts = {name: _text(row[name]) for name in (*_TEXTS, "error") if row[name] is not None}
    tagged = row["tagged"] and list(map(_text, row["tagged"]))
    return row | texts | {"tagged": tagged}


def _text(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()


def _prediction_row(prediction: StoredPrediction) -> _Row:
    embedding, genres, styles = prediction.embedding, prediction.genres, prediction.styles
    return {name: getattr(prediction, name) for name in _PLAIN} | {
        "probability": prediction.probability,
        "probabilities": prediction.probabilities,
        "genres": list(prediction.found_genres),
        "genre_probabilities": {genre.name: genre.probability for genre in genres},
        "genre_applies": {genre.name: genre.applies for genre in genres},
        "changes": list(prediction.changes),
        "styles": [style.name for style in styles if style.applies],
        "style_probabilities": {style.name: style.probability for style in styles},
        "style_thresholds": {style.name: style.threshold for style in styles},
        "style_parents": {style.name: style.parent for style in styles if style.parent},
        "embedding": None if embedding is None else embedding.tolist(),
    }
