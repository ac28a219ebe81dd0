"""Find the recordings of an archive: files, objects in stores, and tables of their paths.

Find more than :func:`genrelens.discovery.find.find_files`: also objects below URIs, and the paths
and URIs in a column of a CSV or Parquet file.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from genrelens.audio import AUDIO_SUFFIXES
from genrelens.discovery.find import Found, find_files, is_excluded
from genrelens.discovery.locations import is_uri
from genrelens.discovery.playlists import STREAMS, entry_path
from genrelens.discovery.stores import Store
from genrelens.errors import LibraryError, MissingExtraError
from genrelens.files import reason

__all__ = ["TABLE_SUFFIXES", "find_sources", "in_shard"]

TABLE_SUFFIXES = frozenset((".csv", ".parquet"))
"""Endings of tables of paths, in lower case."""

_Problem = Callable[[str, str], None]


def find_sources(
    inputs: Iterable[str],
    *,
    column: str = "path",
    exclude: Sequence[str] = (),
    on_problem: _Problem,
    left_out: Counter[str] | None = None,
) -> Iterator[Found]:
    """Find recordings, each once.

    - A URI (``s3://bucket/music``, ``gs://...``) names the objects below it that have the extension
      of an audio format, or the one object with that key.
    - A CSV or Parquet file names the paths and URIs in one of its columns. Relative paths are
      relative to the folder of the file. Other URIs than ``file:`` are skipped, as in playlists.
    - Anything else names files as for :func:`find_files`.

    Args:
        inputs: URIs, tables, folders, files, playlists and patterns.
        column: the column of tables.
        exclude: patterns of files and folders to skip, as for :func:`find_files`.
        on_problem: called with (path, reason) for what cannot be read.
        left_out: counts the skipped files by extension, as for :func:`find_files`.

    Yields:
        The recordings. The ``path`` of an object is its URI.

    Example::

        for found in find_sources(["s3://bucket/music", "new.csv"], on_problem=print):
            print(found.path, found.size)

    """
    seen: set[str] = set()
    skipped = Counter[str]() if left_out is None else left_out
    for each in _expanded(inputs, column, on_problem, skipped):
        if not is_uri(each):
            new = find_files([each], exclude=exclude, on_problem=on_problem, left_out=skipped)
        else:
            new = _objects(each, exclude, on_problem, skipped)
        for found in new:
            if found.path not in seen:
                seen.add(found.path)
                yield found


def _expanded(
    inputs: Iterable[str], column: str, on_problem: _Problem, skipped: Counter[str]
) -> Iterator[str]:
    """Yield the inputs, with the content of tables in their place."""
    for each in inputs:
        if Path(each).suffix.lower() not in TABLE_SUFFIXES or is_uri(each) or Path(each).is_dir():
            yield each
            continue
        try:
            for path in _paths_in(each, column):
                if path is None:
                    skipped[STREAMS] += 1
                else:
                    yield path
        except LibraryError as error:
            on_problem(each, error.reason)


def _paths_in(table: str, column: str) -> Iterator[str | None]:
    read = _parquet_column if table.lower().endswith(".parquet") else _csv_column
    folder = os.path.dirname(os.path.abspath(table))  # noqa: PTH100, PTH120
    try:
        for cell in read(table, column):
            text = os.fsdecode(cell) if isinstance(cell, bytes) else cell
            if text:
                yield text if is_uri(text) else entry_path(text, folder)
    except (OSError, ValueError, csv.Error) as error:
        raise LibraryError(" ".join(reason(error).split()), path=table) from error


def _csv_column(table: str, column: str) -> Iterator[str | None]:
    with Path(table).open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        _check_column(column, rows.fieldnames or [])
        for row in rows:
            yield row[column]


def _parquet_column(table: str, column: str) -> Iterator[str | bytes | None]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    with Path(table).open("rb") as content, parquet.ParquetFile(content) as file:
        names = file.schema_arrow.names
        _check_column(column, names)
        as_bytes = f"{column}_bytes"  # of a path that is not UTF-8, as genrelens list writes it
        for batch in file.iter_batches(columns=[n for n in (column, as_bytes) if n in names]):
            for row in batch.to_pylist():
                yield row.get(as_bytes) or row[column]


def _check_column(column: str, names: Sequence[str]) -> None:
    if column not in names:
        shown = ", ".join(names) or "none"
        raise ValueError(f"has no column {column!r} (its columns: {shown}); see --column")


def _objects(
    uri: str, exclude: Sequence[str], on_problem: _Problem, skipped: Counter[str]
) -> Iterator[Found]:
    try:
        store = Store(uri)
        for name, size, mtime_ns in store.objects():
            suffix = Path(name).suffix.lower()
            if _is_left_out(store.uri, name, exclude):
                continue
            if name == store.uri or suffix in AUDIO_SUFFIXES:
                yield Found(name, size, mtime_ns)
            else:
                skipped[suffix] += 1
    except LibraryError as error:
        on_problem(error.path or uri, error.reason)


def _is_left_out(group: str, uri: str, exclude: Sequence[str]) -> bool:
    """Return whether an object, or a part of its key below the group, is hidden or excluded."""
    path = group
    for name in uri.removeprefix(group).split("/")[1:]:
        path = f"{path}/{name}"
        if name.startswith(".") or is_excluded(path, exclude):
            return True
    return uri == group and is_excluded(uri, exclude)


def in_shard(path: str, shard: tuple[int, int]) -> bool:
    """Return whether a recording is in a shard, so that machines can share an archive.

    Each path is in one of the ``n`` shards, on every machine and in every version.

    Args:
        path: path or URI of the recording.
        shard: ``(i, n)``: shard ``i`` of ``n``, with ``i`` in 1..n.

    Example::

        >>> [in_shard("/music/song.mp3", (i, 3)) for i in (1, 2, 3)].count(True)
        1

    """
    number, n_shards = shard
    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
    return int.from_bytes(digest) % n_shards == number - 1
