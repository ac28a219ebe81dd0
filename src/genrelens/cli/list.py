"""``genrelens list``."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer
from rich.text import Text

from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.options import Database, SafeCsv
from genrelens.cli.tag import print_other_versions
from genrelens.discovery.find import is_gone
from genrelens.files import replaced
from genrelens.findings import styles_to_show
from genrelens.library import (
    Catalog,
    Entry,
    StoredPrediction,
    export_entries,
    export_playlists,
)
from genrelens.library.export import FORMATS, entry_document
from genrelens.percentages import percent

__all__ = ["FolderCondition", "GenreCondition", "StyleCondition", "list_files"]

_ANSWERS = ("genre", "not sure")  # verdicts that are shown with a probability
_MOST_STYLES = 3  # in a line of the table


class _Format(StrEnum):
    table = auto()
    json = auto()
    csv = auto()
    jsonl = auto()
    parquet = auto()
    m3u8 = auto()


class _By(StrEnum):
    genre = auto()
    style = auto()


class _Verdict(StrEnum):
    genre = "genre"
    changes = "changes"
    not_sure = "not sure"
    not_music = "not music"
    silence = "silence"


GenreCondition = Annotated[
    str | None,
    typer.Option(
        metavar="GENRE",
        help="Files of this genre; a file with several genres is found under each of them.",
    ),
]
StyleCondition = Annotated[
    str | None, typer.Option(metavar="STYLE", help="Files to which this style applies.")
]
_Minimum = Annotated[
    float | None,
    typer.Option(
        "--min",
        metavar="P",
        min=0,
        max=1,
        help="Lowest probability of the genre, or with --style of the style.",
    ),
]
_AskedVerdict = Annotated[
    _Verdict | None,
    typer.Option(help="Files with this verdict.", show_default="genre with --genre, any without"),
]
FolderCondition = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Files in this folder or below it.")
]
_Missing = Annotated[bool, typer.Option("--missing", help="Files that no longer exist.")]
_Errors = Annotated[bool, typer.Option("--errors", help="Files that could not be classified.")]
_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Show the predictions of this model.",
        show_default="the model of the latest scan",
    ),
]
_Kind = Annotated[
    _Format | None,
    typer.Option(
        "--format", "-f", help="Output format.", show_default="by the extension of --out, or table"
    ),
]
_Target = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="Write to this file.", show_default="standard output"
    ),
]
_Playlists = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write one M3U8 playlist for each genre (see --by) to this folder."
    ),
]
_PlaylistsBy = Annotated[
    _By | None,
    typer.Option(
        "--by", help="What the playlists are for: genres or styles.", show_default="genre"
    ),
]
_RelativeTo = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write paths relative to this folder.", show_default="absolute paths"
    ),
]


def list_files(
    db: Database = None,
    genre: GenreCondition = None,
    style: StyleCondition = None,
    minimum: _Minimum = None,
    verdict: _AskedVerdict = None,
    under: FolderCondition = None,
    missing: _Missing = False,
    errors: _Errors = False,
    model: _Model = None,
    kind: _Kind = None,
    target: _Target = None,
    playlists: _Playlists = None,
    by: _PlaylistsBy = None,
    relative_to: _RelativeTo = None,
    safe_csv: SafeCsv = False,
) -> None:
    """List the files of the catalogue that meet all given conditions.

    Examples:
        genrelens list --genre disco --min 0.6
            List files classified as disco with a probability of at least 60 %.
        genrelens list --style house --format m3u8 --out house.m3u8
            Write a playlist of files to which the style house applies.
        genrelens list --errors
            List files that could not be classified, with the reasons.
        genrelens list --playlists ~/Music --relative-to ~/Music
            Write one playlist for each genre, with relative paths.

    """
    conditions: dict[str, Any] = {
        "genre": genre,
        "style": style,
        "minimum": minimum,
        "verdict": verdict and str(verdict),
        "under": under,
        "errors": errors,
        "model": model,
    }
    if playlists is not None and (kind or target or missing):
        raise typer.BadParameter("--playlists cannot be combined with --format, --out or --missing")
    if by is not None and playlists is None:
        raise typer.BadParameter("--by needs --playlists")
    chosen = _format(kind, target)
    if safe_csv and (chosen != "csv" or playlists is not None):
        raise typer.BadParameter("--safe-csv needs --format csv or --out FILE.csv")
    with Catalog.open(db, readonly=True) as catalog:
        print_other_versions(catalog)
        if playlists is not None:
            written = export_playlists(
                catalog,
                playlists,
                by="style" if by is _By.style else "genre",
                relative_to=relative_to,
                **conditions,
            )
            _print_playlists(written)
            return
        entries = catalog.query(**conditions)
        if missing:
            entries = (entry for entry in entries if is_gone(entry.path))
        if target is not None:
            with replaced(target) as file:
                export_entries(entries, file, chosen, relative_to=relative_to, safe_csv=safe_csv)
        else:
            _print(entries, chosen, relative_to, safe_csv=safe_csv)


def _format(kind: _Format | None, target: Path | None) -> str:
    """Return the format of ``--format``, or the one for the extension of ``--out``."""
    ending = "" if target is None else target.suffix.lower().removeprefix(".")
    chosen = str(kind) if kind is not None else ending if ending in FORMATS else "table"
    if target is not None and chosen not in FORMATS:
        raise typer.BadParameter(f"--out writes {', '.join(FORMATS)}; choose one with --format")
    if target is None and chosen == "parquet":
        raise typer.BadParameter("--format parquet needs --out")
    return chosen


def _print_playlists(written: dict[Path, int]) -> None:
    for path, n_files in written.items():
        out.print(f"{display_name(str(path))}  {n_files} files", soft_wrap=True)
    if not written:
        print_note("no file meets these conditions")


def _print(
    entries: Iterable[Entry], kind: str, relative_to: Path | None, *, safe_csv: bool
) -> None:
    if kind == "table":
        _print_table(entries)
    elif kind == "json":
        print_json([entry_document(entry, relative_to) for entry in entries])
    else:
        sys.stdout.flush()
        file = cast(BinaryIO, _Shown()) if out.is_terminal else sys.stdout.buffer
        export_entries(entries, file, kind, relative_to=relative_to, safe_csv=safe_csv)


class _Shown(io.RawIOBase):
    """A file that prints what is written to it, with control characters escaped."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        for line in bytes(content).decode("utf-8", errors="surrogateescape").splitlines():
            out.print(display_name(line), soft_wrap=True)
        return len(content)


def _print_table(entries: Iterable[Entry]) -> None:
    """Print a line for each file as soon as it is read."""
    n = 0
    for n, entry in enumerate(entries, 1):  # noqa: B007 (n is used after the loop)
        out.print(_line(entry), soft_wrap=True)
    if not n:
        print_note("no file meets these conditions")


def _line(entry: Entry) -> Text:
    prediction = entry.prediction
    path = display_name(str(entry.path))
    if entry.error is not None or prediction is None:
        return Text(f"{'error':<22}{path}: {display_name(str(entry.error))}", style="red")
    answer = prediction.genre if prediction.verdict == "genre" else prediction.verdict
    share = percent(prediction.probability) if prediction.verdict in _ANSWERS else ""
    line = Text(f"{display_name(answer):<14} {share:>5} ")
    line.append(f" {path}", style="bold")
    details = "; ".join(", ".join(map(display_name, names)) for names in _details(prediction))
    return line.append(f"  {details}" if details else "", style="dim")


def _details(prediction: StoredPrediction) -> list[list[str]]:
    """Return the genres that the line does not begin with, and the styles that apply."""
    genres = [genre for genre in prediction.found_genres if genre != prediction.genre]
    styles = styles_to_show(prediction.styles, prediction.verdict, prediction.probabilities)
    shown = [style.name for style in styles[:_MOST_STYLES]]
    return [names for names in (list(prediction.changes) or genres, shown) if names]
