"""Write entries of the catalogue as CSV, JSON, JSON Lines, Parquet or M3U8 playlists."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import string
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

from genrelens.csv_cells import safe_row
from genrelens.discovery.locations import is_uri
from genrelens.errors import LibraryError
from genrelens.files import reason, replaced
from genrelens.library.catalog import Catalog
from genrelens.library.parquet import entry_row, relative_path, write_parquet
from genrelens.library.records import Entry, path_fields

__all__ = ["FORMATS", "entry_document", "export_entries", "export_playlists", "playlist_name"]

_SEPARATOR = "|"  # between genres or styles in a cell of CSV
_LISTS = ("tagged", "styles", "genres", "changes")  # columns with several values
_PRINTABLE = string.punctuation + " "  # in URIs of objects, which are written as they are

StrPath = str | os.PathLike[str]


def export_entries(
    entries: Iterable[Entry],
    file: BinaryIO,
    kind: str,
    *,
    relative_to: StrPath | None = None,
    safe_csv: bool = False,
) -> None:
    """Write entries of the catalogue; memory does not grow with their number.

    A path that is not UTF-8 is written as its bytes in CSV and as a ``file:`` URL in M3U8; in JSON
    Lines (base64) and Parquet (binary) it has a second field ``path_bytes``.

    Args:
        entries: the entries, in order.
        file: binary file to write to.
        kind: format, a key of :data:`FORMATS`: ``"csv"``: the main fields, a row for each entry;
            ``"jsonl"``: all fields except the embedding, an object for each entry;
            ``"json"``: the same as one array;
            ``"parquet"``: all fields, as a table; ``"m3u8"``: a playlist.
        relative_to: folder that paths are relative to; None writes absolute paths.
        safe_csv: in CSV, put an apostrophe before text that a spreadsheet would run as a formula
            (it begins with ``=``, ``+``, ``-`` or ``@``); numbers are not changed.

    Raises:
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    Example::

        with Catalog.open() as catalog, open("library.csv", "wb") as file:
            export_entries(catalog.query(genre="jazz"), file, "csv")

    """
    if kind == "csv":
        _write_csv(entries, file, relative_to, safe=safe_csv)
    else:
        FORMATS[kind](entries, file, relative_to)


def export_playlists(
    catalog: Catalog,
    folder: Path,
    *,
    by: Literal["genre", "style"] = "genre",
    relative_to: StrPath | None = None,
    **conditions: Any,
) -> dict[Path, int]:
    """Write a playlist (M3U8) for each genre or style of the entries that meet conditions.

    A file with several genres or styles is in the playlist of each.

    Args:
        catalog: the catalogue.
        folder: folder to write to; it is created if necessary. Other files in it are not changed.
        by: ``"genre"`` or ``"style"``: a playlist for each.
        relative_to: folder that the paths in the playlists are relative to.
        **conditions: arguments of :meth:`Catalog.query`; for genres, ``verdict`` is ``"genre"``
            (the model is sure) by default.

    Returns:
        Path of each playlist -> number of files in it.

    Raises:
        DataError: a playlist cannot be written.
        LibraryError: the folder cannot be created, or two playlists have the same file name.

    Example::

        with Catalog.open() as catalog:
            export_playlists(catalog, Path("playlists"), minimum=0.7)

    """
    names_in = {"genre": _genres_in, "style": _styles_in}[by]
    if by == "genre":
        conditions["verdict"] = conditions.get("verdict") or "genre"
    found = {name for entry in catalog.query(**conditions) for name in names_in(entry)}
    only = (conditions.get(by) or "").casefold()
    names = sorted(name for name in found if not only or name.casefold() == only)
    if len(set(map(playlist_name, names))) < len(names):
        raise LibraryError(f"two of the {by}s would have the same file name: {names}", path=folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(reason(error), path=folder) from error
    written = {}
    for name in names:
        entries = _Counter(catalog.query(**{**conditions, by: name}))
        path = folder / playlist_name(name)
        with replaced(path) as file:
            _write_m3u8(entries, file, relative_to)
        written[path] = entries.n
    return written


def _genres_in(entry: Entry) -> Iterable[str]:
    """Return the genres that an entry can be found under."""
    prediction = entry.prediction
    return () if prediction is None else {prediction.genre, *prediction.found_genres}


def _styles_in(entry: Entry) -> Iterable[str]:
    prediction = entry.prediction
    styles = () if prediction is None else prediction.styles
    return [style.name for style in styles if style.applies]


class _Counter:
    """Counts the entries that are taken from an iterable."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.n = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.n += 1
            yield entry


# ------------------------------------------------------------------------ CSV and JSON Lines


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
        "genres",
        "changes",
        "snr",
        "error",
    ]
    text = io.TextIOWrapper(
        file, encoding="utf-8", errors="surrogateescape", newline="", write_through=True
    )
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for entry in entries:
            row = entry_row(entry, relative_to)
            row |= {name: _SEPARATOR.join(row[name] or []) for name in _LISTS}
            row["path"] = relative_path(entry.path, relative_to)
            cells = [row.get(name) for name in columns]
            writer.writerow(safe_row(cells) if safe else cells)
    finally:
        text.detach()  # leaves the file open


def _write_jsonl(entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None) -> None:
    for entry in entries:
        document = entry_document(entry, relative_to)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        file.write(f"{text}\n".encode("utf-8", errors="replace"))


def _write_json(entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None) -> None:
    """Write one JSON array in ASCII, as ``json.dumps(..., indent=1)`` does, entry by entry."""
    before = "[\n"
    for entry in entries:
        text = json.dumps(entry_document(entry, relative_to), indent=1, allow_nan=False)
        lines = "\n".join(f" {line}" for line in text.split("\n"))
        file.write(f"{before}{lines}".encode())
        before = ",\n"
    file.write(b"[]\n" if before == "[\n" else b"\n]\n")


def entry_document(entry: Entry, relative_to: StrPath | None = None) -> dict[str, Any]:
    """Return JSON values of all fields of an entry except the embedding.

    Args:
        entry: the entry.
        relative_to: folder that the path is relative to; None leaves it absolute.

    """
    fields = {k: v for k, v in entry.to_dict().items() if k not in ("path", "path_bytes")}
    return path_fields(relative_path(entry.path, relative_to)) | fields


# ---------------------------------------------------------------------------------- playlists


def _write_m3u8(entries: Iterable[Entry], file: BinaryIO, relative_to: StrPath | None) -> None:
    """Write an extended M3U playlist in UTF-8.

    A path that is not UTF-8 or contains a line break is written as a ``file:`` URL, which players
    resolve, so that the playlist is valid UTF-8 with one line for each path.
    """
    file.write(b"#EXTM3U\n")
    for entry in entries:
        if entry.prediction is not None:
            duration = round(entry.prediction.duration)
            file.write(f"#EXTINF:{duration},{_title(entry)}\n".encode())
        file.write(f"{_location(entry.path, relative_to)}\n".encode())


def _title(entry: Entry) -> str:
    tags = entry.tags
    parts = [tags.artist, tags.title] if tags is not None and tags.title else [entry.path.stem]
    title = " - ".join(filter(None, parts))
    return " ".join(title.encode("utf-8", errors="replace").decode().split())


def _location(path: Path, relative_to: StrPath | None) -> str:
    if is_uri(path):
        return quote(str(path), safe=_PRINTABLE)
    content = os.fsencode(path)
    url = f"file://{quote(content)}"
    try:
        name = content.decode("utf-8")
    except UnicodeDecodeError:
        return url
    if len(name.splitlines()) != 1 or name != name.strip():
        return url
    if relative_to is None:
        return name
    relative = os.path.relpath(name, relative_to)
    return f"./{relative}" if relative.startswith("#") else relative


def playlist_name(genre: str) -> str:
    """Return the file name of a genre's playlist, valid on every file system."""
    return (re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", genre).strip(". ") or "-") + ".m3u8"


FORMATS: dict[str, Callable[[Iterable[Entry], BinaryIO, StrPath | None], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": write_parquet,
    "m3u8": _write_m3u8,
}
"""Format -> function that writes it."""
