"""Rows of Parquet files as rows of the catalogue's tables, whole columns at a time.

The maps of a prediction are JSON in the catalogue. Their labels are few, and each is converted once
for a batch of rows; numbers are converted and texts joined by pyarrow.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genrelens.errors import LibraryError
from genrelens.findings import Genre, Style
from genrelens.library.catalog_queries import FILES, STORED, StoredRow, entry_of
from genrelens.library.columns import encoded
from genrelens.library.parquet import FORMER, REMEDY, parquet_schema
from genrelens.library.parquet_checks import check_columns, paths_of
from genrelens.library.parquet_items import Items
from genrelens.library.records import Entry, Failure
from genrelens.tags import Tags

__all__ = ["UNREADABLE", "conformed", "read_entries", "read_rows", "unreadable"]

StrPath = str | os.PathLike[str]

Columns = dict[str, Any]

_BATCH = 4096  # rows in memory
_PLAIN = (  # columns that the catalogue stores as they are
    *("digest", "model", "model_digest", "version", "created_at", "verdict", "genre"),
    *("music", "level", "duration", "heard", "snr"),
)
_TEXTS = ("artist", "album", "title")


def read_entries(file: Any, name: StrPath) -> Iterator[Entry]:
    """Yield the entries of a Parquet file; see :func:`read_rows`."""
    for rows in read_rows(file, name):
        for found, prediction in rows:
            yield entry_of(found, prediction and prediction[1:-1])


def read_rows(file: Any, name: StrPath) -> Iterator[list[StoredRow]]:
    """Yield the rows of a Parquet file in the form of the catalogue, some thousands at a time.

    A file that ``genrelens list`` of a former version wrote lacks some columns, which get defaults.

    Args:
        file: the file, open to read, or its path.
        name: name of the file for errors.

    Raises:
        LibraryError: the file is damaged, is no Parquet file with these columns, or has a value
            that breaks a rule of :mod:`genrelens.library.parquet_checks`.
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    """
    known = set(parquet_schema().names)
    from pyarrow import parquet

    try:
        content = parquet.ParquetFile(file)
        found = set(content.schema_arrow.names)
        if missing := sorted(set(FORMER) - found):
            text = f'has no column "{missing[0]}", as data sets of genrelens have'
            raise LibraryError(text, path=name)
        first = 0
        for batch in content.iter_batches(_BATCH, columns=sorted(found & known)):
            columns = conformed(batch, parquet_schema().names)
            check_columns(columns, first)
            yield _rows(columns | _defaults(columns))
            first += len(batch)
    except UNREADABLE as error:
        raise unreadable(error, name) from error


UNREADABLE = (OSError, ValueError, TypeError, KeyError, NotImplementedError)
"""Errors of a file that is damaged, or has other columns."""


def unreadable(error: Exception, name: StrPath) -> LibraryError:
    """Return the error with the name of the file, and what to do."""
    details = " ".join(str(error).split())
    text = f"is not a part of a data set of genrelens, or is damaged ({details}); {REMEDY}"
    return LibraryError(text, path=name)


def conformed(batch: Any, names: Sequence[str]) -> Columns:
    """Return columns of a batch or a table with the types of the schema.

    Columns that former versions of genrelens did not write contain nulls.

    Args:
        batch: the batch or table of pyarrow.
        names: names of the columns.

    Raises:
        ValueError: a column has values of another kind, or is missing though former versions of
            genrelens wrote it.

    """
    import pyarrow as pa

    columns = {}
    for field in map(parquet_schema().field, names):
        if field.name in batch.schema.names:
            columns[field.name] = _converted(batch.column(field.name), field)
        elif field.name in FORMER:
            raise ValueError(f'there is no column "{field.name}"')
        else:
            columns[field.name] = pa.nulls(len(batch), field.type)
    return columns


def _converted(array: Any, field: Any) -> Any:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type == field.type:
        return array
    try:
        return array.cast(field.type)
    except pa.ArrowNotImplementedError:
        return pa.array(array.to_pylist(), field.type)


def _defaults(columns: Columns) -> Columns:
    """Return the columns that former versions of genrelens did not write."""
    import pyarrow as pa
    from pyarrow import compute

    microseconds = columns["mtime"].cast(pa.int64())
    formats = compute.if_else(columns["tagged"].is_valid(), "", pa.scalar(None, pa.string()))
    return {
        "mtime_ns": compute.coalesce(
            columns["mtime_ns"], compute.multiply_checked(microseconds, 1000)
        ),
        "tag_format": compute.coalesce(columns["tag_format"], formats),
    }


# ----------------------------------------------------------------------- rows of the catalogue


def _rows(columns: Columns) -> list[StoredRow]:
    """Return the rows of the catalogue for checked columns."""
    predicted = columns["model"].is_valid()
    stored = {name: array.filter(predicted) for name, array in columns.items()}
    files = zip(*_in_order(FILES.types, _files(columns)), strict=True)
    predictions = zip(*_in_order(STORED.types, _predictions(stored)), strict=True)
    return [
        (file, next(predictions) if has else None)
        for file, has in zip(files, predicted.to_pylist(), strict=True)
    ]


def _in_order(types: Mapping[str, Any], columns: Columns) -> list[list[Any]]:
    """Return the columns of a table as lists."""
    return [each if isinstance(each := columns[name], list) else each.to_pylist() for name in types]


def _files(columns: Columns) -> Columns:
    return {
        **{name: columns[name] for name in ("size", "mtime_ns", "digest", "scanned_at")},
        "path": paths_of(columns),
        "tags": _each(_tags, columns, "tag_format", "tagged", *_TEXTS),
        "failure": _each(_failure, columns, "error", "error_model_digest", "error_version"),
    }


def _each(convert: Any, columns: Columns, *names: str) -> list[str | None]:
    """Return the stored form of an object of each row; None if the first column has no value."""
    rows = zip(*(columns[name].to_pylist() for name in names), strict=True)
    return [None if row[0] is None else encoded(convert(*row)) for row in rows]


def _tags(kind: str, genres: list[str] | None, *texts: str | None) -> Tags:
    return Tags(kind, tuple(genres or ()), *(text or "" for text in texts))


def _failure(reason: str, model_digest: str | None, version: str | None) -> Failure:
    return Failure(reason, model_digest, version)


def _predictions(columns: Columns) -> Columns:
    import pyarrow as pa

    probabilities = Items(columns["probabilities"])
    places = Items.of_texts(columns["genre"]).positions_in(probabilities)
    return {
        **{name: columns[name] for name in _PLAIN},
        "fast": columns["fast"].cast(pa.int8()),
        "probability": probabilities.values.take(pa.array(places)),
        "probabilities": _probabilities(probabilities),
        "genres": _genres(columns),
        "styles": _styles(columns),
        "changes": _changes(columns),
        "embedding": _embeddings(columns["embedding"]),
    }


def _probabilities(items: Items) -> Any:
    from pyarrow import compute

    texts = compute.binary_join_element_wise(_quoted(items.keys), _numbers(items.values), ": ")
    return _joined(items, texts, "{", "}")


def _genres(columns: Columns) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    items = Items(columns["genre_probabilities"])
    found = items.positions_in(Items(columns["genres"])) >= 0
    applies = _looked_up(items, columns["genre_applies"])
    texts = compute.if_else(compute.coalesce(applies, pa.array(found)), "true", "false")
    values = {"name": _quoted(items.keys), "probability": _numbers(items.values), "applies": texts}
    return _joined(items, _objects(Genre, values), "[", "]")


def _styles(columns: Columns) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    items = Items(columns["style_probabilities"])
    found = pa.array(items.positions_in(Items(columns["styles"])) >= 0)
    former = compute.if_else(found, items.values, 1.0)
    thresholds = compute.coalesce(_looked_up(items, columns["style_thresholds"]), former)
    parents = _quoted(_looked_up(items, columns["style_parents"]))
    values = {
        "name": _quoted(items.keys),
        "probability": _numbers(items.values),
        "threshold": _numbers(thresholds),
        "parent": compute.coalesce(parents, "null"),
    }
    return _joined(items, _objects(Style, values), "[", "]")


def _changes(columns: Columns) -> Any:
    items = Items(columns["changes"])
    return _joined(items, _quoted(items.keys), "[", "]")


def _embeddings(array: Any) -> Any:
    """Return vectors as bytes: little-endian float16."""
    import pyarrow as pa
    from pyarrow import compute

    items = Items(array)
    content = pa.py_buffer(items.keys.to_numpy().astype("<f2").tobytes())
    ends = pa.py_buffer((2 * items.ends).astype(np.int32).tobytes())
    vectors = pa.Array.from_buffers(pa.binary(), len(array), [None, ends, content])
    return compute.if_else(array.is_valid(), vectors, pa.scalar(None, pa.binary()))


# --------------------------------------------------------------------------- texts for JSON


def _looked_up(items: Items, array: Any) -> Any:
    """Return the value that another map has for the row and key of each item, or a null."""
    import pyarrow as pa

    other = Items(array)
    places = items.positions_in(other)
    return other.values.take(pa.array(places, mask=places < 0))


def _quoted(labels: Any) -> Any:
    """Return texts as JSON; a null remains one."""
    import pyarrow as pa

    encoded_once = labels.dictionary_encode()
    texts = pa.array(list(map(json.dumps, encoded_once.dictionary.to_pylist())), pa.string())
    return texts.take(encoded_once.indices)


def _numbers(values: Any) -> Any:
    """Return numbers as the shortest texts that are read as the same numbers."""
    import pyarrow as pa

    return values.cast(pa.string())


def _objects(kind: type, values: Columns) -> Any:
    """Return a JSON object for each of the values of the fields of a dataclass, as texts."""
    from pyarrow import compute

    parts: list[Any] = []
    for field in dataclasses.fields(kind):
        parts += [f'{", " if parts else "{"}"{field.name}": ', values[field.name]]
    return compute.binary_join_element_wise(*parts, "}", "")


def _joined(items: Items, texts: Any, start: str, end: str) -> Any:
    """Return the texts of the items of each row as one text with brackets."""
    import pyarrow as pa
    from pyarrow import compute

    lists = pa.ListArray.from_arrays(pa.array(items.ends), texts)
    return compute.binary_join_element_wise(start, compute.binary_join(lists, ", "), end, "")
