"""The catalogue in other programs' formats: CSV, JSON Lines, Parquet, M3U8."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from genrelens.csv_cells import safe_row
from genrelens.errors import LibraryError, MissingExtraError
from genrelens.files import reason, replaced
from genrelens.library.catalog import Catalog, Query
from genrelens.library.playlists import playlist_lines, playlist_name
from genrelens.library.records import Entry, path_fields

__all__ = ["FORMATS", "document", "export", "export_playlists"]

_BATCH = 1000  # rows of a Parquet row group in memory
_SEPARATOR = "|"  # between genres or styles in a cell of CSV

StrPath = str | os.PathLike[str]
_Row = dict[str, Any]


def export(
    entries: Iterable[Entry],
    file: BinaryIO,
    kind: str,
    *,
    relative_to: StrPath | None = None,
    safe_csv: bool = False,
) -> None:
    """Write files of the catalogue, in memory that does not grow with their number.

    Names that are not UTF-8 are the bytes that they are in CSV, have a second field
    ``path_bytes`` in JSON Lines (base64) and Parquet (binary), and are ``file:`` addresses in M3U8.

    Args:
        entries: in order.
        file: to write to.
        kind: one of :data:`FORMATS`: ``"csv"``: a row each, the main facts; ``"jsonl"``: an object
            each, all that is known; ``"parquet"``: the same and the embedding, as a table;
            ``"m3u8"``: a playlist.
        relative_to: folder that paths are made relative to.
        safe_csv: in CSV, put an apostrophe before text that a spreadsheet would run as a formula
            (it begins with ``=``, ``+``, ``-`` or ``@``); numbers stay as they are.

    Raises:
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    """
    if kind == "csv":
        _write_csv(entries, file, relative_to, safe=safe_csv)
    else:
        FORMATS[kind](entries, file, relative_to)


def export_playlists(
    catalog: Catalog, query: Query, folder: Path, *, relative_to: StrPath | None = None
) -> dict[Path, int]:
    """Write one playlist for each genre among the files that meet conditions.

    The model must be sure of the genre, unless the query asks for another verdict.

    Args:
        catalog: to be read.
        query: the conditions.
        folder: to write to; it is made if it is not there. Other files in it stay.
        relative_to: folder that the paths in the playlists are relative to.

    Returns:
        The playlists and how many files each names.

    Raises:
        DataError: a playlist cannot be written.
        LibraryError: the folder cannot be made, or two genres have the same file name.

    """
    query = replace(query, verdict=query.verdict or "genre")
    found = (entry.prediction for entry in catalog.query(query))
    genres = sorted({prediction.genre for prediction in found if prediction is not None})
    names = {playlist_name(genre) for genre in genres}
    if len(names) < len(genres):
        raise LibraryError(
            f"two of the genres would have the same file name: {genres}", path=folder
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(reason(error), path=folder) from error
    written = {}
    for genre in genres:
        counter = _Counter(catalog.query(replace(query, genre=genre)))
        path = folder / playlist_name(genre)
        with replaced(path) as file:
            _write_m3u8(counter, file, relative_to)
        written[path] = counter.n
    return written


class _Counter:
    """Counts what passes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.n = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.n += 1
            yield entry


# --------------------------------------------------------------------------------- formats


def _write_csv(
    entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None, *, safe: bool = False
) -> None:
    columns = [
        "path",
        "artist",
        "album",
        "title",
        "tagged",
        "verdict",
        "genre",
        "probability",
        "styles",
        "music",
        "duration",
        "model",
        "error",
    ]
    text = io.TextIOWrapper(
        file, encoding="utf-8", errors="surrogateescape", newline="", write_through=True
    )
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for entry in entries:
            row = _row(entry, relative_to)
            row |= {name: _SEPARATOR.join(row[name] or []) for name in ("tagged", "styles")}
            row["path"] = _path(entry, relative_to)
            cells = [row.get(name) for name in columns]
            writer.writerow(safe_row(cells) if safe else cells)
    finally:
        text.detach()  # the file stays open


def _write_jsonl(entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None) -> None:
    for entry in entries:
        text = json.dumps(document(entry, relative_to), ensure_ascii=False, allow_nan=False)
        file.write(f"{text}\n".encode("utf-8", errors="replace"))


def document(entry: Entry, relative_to: StrPath | None = None) -> dict[str, Any]:
    """Return all that is known of a file as plain values that JSON can hold."""
    known = {k: v for k, v in entry.to_dict().items() if k not in ("path", "path_bytes")}
    return path_fields(_path(entry, relative_to)) | known


def _write_m3u8(entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None) -> None:
    for line in playlist_lines(entries, relative_to=relative_to):
        file.write(f"{line}\n".encode())


def _write_parquet(entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    schema = pa.schema(
        [
            ("path", pa.string()),
            ("path_bytes", pa.binary()),
            ("size", pa.int64()),
            ("mtime", pa.timestamp("us", tz="UTC")),
            ("digest", pa.string()),
            ("artist", pa.string()),
            ("album", pa.string()),
            ("title", pa.string()),
            ("tagged", pa.list_(pa.string())),
            ("verdict", pa.string()),
            ("genre", pa.string()),
            ("probability", pa.float64()),
            ("probabilities", pa.map_(pa.string(), pa.float64())),
            ("styles", pa.list_(pa.string())),
            ("style_probabilities", pa.map_(pa.string(), pa.float64())),
            ("music", pa.float64()),
            ("level", pa.float64()),
            ("embedding", pa.list_(pa.float32())),
            ("duration", pa.float64()),
            ("heard", pa.float64()),
            ("fast", pa.bool_()),
            ("model", pa.string()),
            ("model_digest", pa.string()),
            ("version", pa.string()),
            ("created_at", pa.string()),
            ("error", pa.string()),
        ]
    )
    rows = (_row(entry, relative_to) for entry in entries)
    with parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(rows, _BATCH)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))


FORMATS: dict[str, Callable[[Iterable[Entry], BinaryIO, StrPath | None], None]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "m3u8": _write_m3u8,
}


# ------------------------------------------------------------------------------------ rows


def _path(entry: Entry, relative_to: StrPath | None) -> str:
    return str(entry.path) if relative_to is None else os.path.relpath(entry.path, relative_to)


def _row(entry: Entry, relative_to: StrPath | None) -> _Row:
    """Lay out flat all that is known of a file."""
    path, tags, heard = _path(entry, relative_to), entry.tags, entry.prediction
    row: _Row = {
        "path": path_fields(path)["path"],
        "path_bytes": os.fsencode(path) if "path_bytes" in path_fields(path) else None,
        "size": entry.size,
        "mtime": entry.mtime_ns // 1000,
        "digest": entry.digest,
        "error": entry.error,
        "artist": tags and tags.artist,
        "album": tags and tags.album,
        "title": tags and tags.title,
        "tagged": tags and list(tags.genres),
        "styles": None,
    }
    if heard is not None:
        row |= {name: getattr(heard, name) for name in heard.__slots__} | {
            "probability": heard.probability,
            "styles": [style.name for style in heard.styles if style.applies],
            "style_probabilities": {style.name: style.probability for style in heard.styles},
            "embedding": None if heard.embedding is None else heard.embedding.tolist(),
        }
    return row
