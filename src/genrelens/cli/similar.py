"""``genrelens similar``; and the options and the output that it shares with ``playlist``."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from genrelens.cli.console import display_name, out, print_note
from genrelens.cli.endings import check_ending
from genrelens.cli.names import check_names
from genrelens.cli.options import Database, GenreCondition, SafeCsv, StyleCondition, Target, Under
from genrelens.csv_cells import safe_row
from genrelens.files import replaced
from genrelens.library import Similar, export_entries, open_library, similar_recordings
from genrelens.library.export import entry_document
from genrelens.percentages import percent

__all__ = [
    "ComparedModel",
    "Format",
    "Kind",
    "RelativeTo",
    "checked_format",
    "print_recordings",
    "similar",
]

_ANSWERS = ("genre", "not sure")  # verdicts that are shown with a probability
_COLUMNS = ["similarity", "path", "artist", "album", "title", "verdict", "genre", "probability"]


class Format(StrEnum):
    """Formats of a list of recordings."""

    table = auto()
    json = auto()
    csv = auto()
    m3u8 = auto()


_Recording = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A recording. If it is not in the catalogue, it is classified without being stored.",
        show_default=False,
        readable=False,  # a file without permission is reported like one that is missing
    ),
]
_Number = Annotated[
    int, typer.Option("--n", "-n", metavar="N", min=1, help="Largest number of recordings.")
]
_OtherArtists = Annotated[
    bool,
    typer.Option(
        "--other-artists", help="Leave out recordings by the same artist (from the tags)."
    ),
]
ComparedModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Compare the embeddings by this model: a name, or an .onnx file.",
        show_default="the model of the latest scan",
    ),
]
Kind = Annotated[
    Format | None,
    typer.Option(
        "--format", "-f", help="Output format.", show_default="by the extension of --out, or table"
    ),
]
RelativeTo = Annotated[
    Path | None,
    typer.Option(
        "--relative-to",
        metavar="FOLDER",
        help="Write paths relative to this folder.",
        show_default="absolute paths",
    ),
]


def similar(
    recording: _Recording,
    n: _Number = 20,
    genre: GenreCondition = None,
    style: StyleCondition = None,
    under: Under = None,
    other_artists: _OtherArtists = False,
    kind: Kind = None,
    target: Target = None,
    relative_to: RelativeTo = None,
    safe_csv: SafeCsv = False,
    model: ComparedModel = None,
    db: Database = None,
) -> None:
    """List the recordings of the catalogue that are most similar to one, by their embeddings.

    Each line begins with the similarity: 1 for the same sound, about 0 for unrelated recordings.
    Copies of the recording are left out.

    Examples:
        genrelens similar song.mp3
            List the 20 most similar recordings of the library.
        genrelens similar song.mp3 --n 50 --genre jazz --other-artists
            List jazz by other artists.
        genrelens similar song.mp3 --out like-song.m3u8
            Write a playlist.

    """
    chosen = checked_format(kind, target, safe_csv=safe_csv)
    with open_library(db) as catalog:
        found = similar_recordings(
            catalog,
            recording,
            n=n,
            other_artists=other_artists,
            model=model,
            on_build=_note_index,
            genre=genre,
            style=style,
            under=under,
        )
        if not found:
            check_names(catalog, genre=genre, style=style)
    print_recordings(found, chosen, target, relative_to, safe_csv=safe_csv)


def _note_index() -> None:
    print_note("building an index of the catalogue; later searches use it")


# ---------------------------------------------------------------- output, also of playlist


def checked_format(kind: Format | None, target: Path | None, *, safe_csv: bool) -> Format:
    """Return the format of ``--format``, or the one for the extension of ``--out``."""
    ending = "" if target is None else target.suffix.lower().removeprefix(".")
    chosen = kind or (Format(ending) if ending in set(Format) else Format.table)
    if target is not None and chosen is Format.table:
        raise typer.BadParameter("--out writes json, csv and m3u8; choose one with --format")
    check_ending(target, chosen, "--out")
    if safe_csv and chosen is not Format.csv:
        raise typer.BadParameter("--safe-csv needs --format csv or --out FILE.csv")
    return chosen


def print_recordings(
    found: Sequence[Similar],
    kind: Format,
    target: Path | None,
    relative_to: Path | None,
    *,
    safe_csv: bool = False,
) -> None:
    """Print recordings with their similarities, or write them to a file."""
    if not found:
        print_note("no recording meets these conditions")
    if kind is Format.table:
        for each in found:
            out.print(_line(each, relative_to), soft_wrap=True)
        return
    content = _content(found, kind, relative_to, safe_csv=safe_csv)
    if target is not None:
        with replaced(target) as file:
            file.write(content)
    elif out.is_terminal:
        for line in content.decode(errors="surrogateescape").splitlines():
            out.print(display_name(line), soft_wrap=True)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def _content(
    found: Sequence[Similar], kind: Format, relative_to: Path | None, *, safe_csv: bool
) -> bytes:
    if kind is Format.json:
        return _json(found, relative_to)
    return _m3u8(found, relative_to) if kind is Format.m3u8 else _csv(found, relative_to, safe_csv)


def _path(each: Similar, relative_to: Path | None) -> str:
    path = each.entry.path
    return str(path) if relative_to is None else os.path.relpath(path, relative_to)


def _line(each: Similar, relative_to: Path | None) -> Text:
    line = Text(f"{each.similarity:5.2f}  ")
    prediction = each.entry.prediction
    if prediction is not None:
        answer = prediction.genre if prediction.verdict == "genre" else prediction.verdict
        share = percent(prediction.probability) if prediction.verdict in _ANSWERS else ""
        line.append(f"{display_name(answer):<14} {share:>5}  ")
    return line.append(display_name(_path(each, relative_to)), style="bold")


def _json(found: Sequence[Similar], relative_to: Path | None) -> bytes:
    documents = [
        {"similarity": each.similarity} | entry_document(each.entry, relative_to) for each in found
    ]
    return f"{json.dumps(documents, indent=1, allow_nan=False)}\n".encode()


def _m3u8(found: Sequence[Similar], relative_to: Path | None) -> bytes:
    file = io.BytesIO()
    export_entries((each.entry for each in found), file, "m3u8", relative_to=relative_to)
    return file.getvalue()


def _csv(found: Sequence[Similar], relative_to: Path | None, safe: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in found:
        tags, prediction = each.entry.tags, each.entry.prediction
        names = ["", "", ""] if tags is None else [tags.artist, tags.album, tags.title]
        results: list[Any] = ["", "", ""]
        if prediction is not None:
            results = [prediction.verdict, prediction.genre, prediction.probability]
        row = [each.similarity, _path(each, relative_to), *names, *results]
        writer.writerow(safe_row(row) if safe else row)
    return text.getvalue().encode(errors="surrogateescape")
