"""``genrelens list``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from enum import StrEnum, auto
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer
from rich.text import Text

from genrelens.cli.console import display_name, out, print_note
from genrelens.cli.endings import check_ending
from genrelens.cli.names import check_names
from genrelens.cli.options import (
    Database,
    GenreCondition,
    SafeCsv,
    StyleCondition,
    Target,
    Under,
    as_probability,
)
from genrelens.cli.stats import length
from genrelens.cli.tag import print_outdated
from genrelens.counts import count_of
from genrelens.discovery.find import is_gone
from genrelens.files import replaced
from genrelens.findings import styles_to_show
from genrelens.library import (
    Catalog,
    Entry,
    StoredPrediction,
    export_entries,
    export_playlists,
    open_library,
)
from genrelens.library.export import FORMATS
from genrelens.library.versions import count_outdated
from genrelens.percentages import percent

__all__ = ["list_files"]

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


_Minimum = Annotated[
    float | None,
    typer.Option(
        "--min",
        metavar="P",
        parser=as_probability,
        help="Lowest probability of the genre (with --style: of the style), such as 0.6 or 60%.",
    ),
]
_AskedVerdict = Annotated[
    _Verdict | None,
    typer.Option(
        help="Only files with this verdict.", show_default="genre with --genre, any without"
    ),
]
_Missing = Annotated[bool, typer.Option("--missing", help="Only files that no longer exist.")]
_Errors = Annotated[bool, typer.Option("--errors", help="Only files that could not be classified.")]
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
_Playlists = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write one M3U8 playlist for each genre (see --by) to this folder."
    ),
]
_PlaylistsBy = Annotated[
    _By | None,
    typer.Option(
        "--by", help="Write a playlist for each genre or for each style.", show_default="genre"
    ),
]
_RelativeTo = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Write paths relative to this folder.",
        show_default="absolute paths; in a table at a terminal, the folder that the header names",
    ),
]


def list_files(
    db: Database = None,
    genre: GenreCondition = None,
    style: StyleCondition = None,
    minimum: _Minimum = None,
    verdict: _AskedVerdict = None,
    under: Under = None,
    missing: _Missing = False,
    errors: _Errors = False,
    model: _Model = None,
    kind: _Kind = None,
    target: Target = None,
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
    check_ending(playlists, "playlists", "--playlists")
    if by is not None and playlists is None:
        raise typer.BadParameter("--by needs --playlists")
    chosen = _format(kind, target)
    if safe_csv and (chosen != "csv" or playlists is not None):
        raise typer.BadParameter("--safe-csv needs --format csv or --out FILE.csv")
    with open_library(db) as catalog:
        entries = catalog.query(**conditions)
        first = next(entries, None)
        if first is None:
            check_names(catalog, genre=genre, style=style)
        print_outdated(count_outdated(catalog, under=under))
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
        entries = chain(() if first is None else (first,), entries)
        if missing:
            entries = (entry for entry in entries if is_gone(entry.path))
        if target is not None:
            with replaced(target) as file:
                export_entries(entries, file, chosen, relative_to=relative_to, safe_csv=safe_csv)
        elif chosen == "table":
            _print_table(entries, _shown_folder(catalog, under, relative_to))
        else:
            _print(entries, chosen, relative_to, safe_csv=safe_csv)


def _format(kind: _Format | None, target: Path | None) -> str:
    """Return the format of ``--format``, or the one for the extension of ``--out``."""
    ending = "" if target is None else target.suffix.lower().removeprefix(".")
    chosen = str(kind) if kind is not None else ending if ending in FORMATS else "table"
    if target is not None and chosen not in FORMATS:
        choice = "choose one of these formats" if kind is not None else "choose one with --format"
        raise typer.BadParameter(f"--out writes {', '.join(FORMATS)}, not a table; {choice}")
    check_ending(target, chosen, "--out")
    if target is None and chosen == "parquet":
        raise typer.BadParameter("--format parquet needs --out")
    return chosen


def _print_playlists(written: dict[Path, int]) -> None:
    for path, n_files in written.items():
        out.print(f"{display_name(str(path))}  {count_of(n_files, 'file')}", soft_wrap=True)
    if not written:
        print_note("no file meets these conditions")


def _print(
    entries: Iterable[Entry], kind: str, relative_to: Path | None, *, safe_csv: bool
) -> None:
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


# ---------------------------------------------------------------------------------- table


def _print_table(entries: Iterable[Entry], folder: Path | None) -> None:
    """Print a line for each file as soon as it is read; at a terminal, also a header and a total.

    Args:
        entries: the files.
        folder: folder that the paths are relative to; None prints absolute paths.

    """
    if out.is_terminal:
        place = f" in {display_name(str(folder))}" if folder is not None else ""
        out.print(Text(f"{'genre':<14}        file{place}", style="dim"), soft_wrap=True)
    n, seconds = 0, 0.0
    for n, entry in enumerate(entries, 1):  # noqa: B007 (n is used after the loop)
        out.print(_line(entry, folder), soft_wrap=True)
        seconds += entry.prediction.duration if entry.prediction is not None else 0.0
    if not n:
        print_note("no file meets these conditions")
    elif out.is_terminal:
        print_note(f"{count_of(n, 'file')}, {length(seconds)} of audio")


def _shown_folder(catalog: Catalog, under: Path | None, relative_to: Path | None) -> Path | None:
    """Return the folder that the paths of the table are relative to; None: paths are absolute.

    It is the one of ``--relative-to``. Without that option, lines in a pipe have absolute paths. At
    a terminal, paths are relative to the folder of ``--under``, to the working directory if all
    files are below it, or to the folder that all files of the catalogue share.
    """
    if relative_to is not None or not out.is_terminal:
        return relative_to
    if under is not None and catalog.file(under) is None:  # a folder
        return under
    shared, here = catalog.common_folder(), Path.cwd()
    if shared is not None and shared.is_relative_to(here):
        return here
    return shared if shared is not None and shared.name else None


def _shown_path(path: Path, folder: Path | None) -> str:
    return display_name(str(path) if folder is None else os.path.relpath(path, folder))


def _line(entry: Entry, folder: Path | None) -> Text:
    prediction = entry.prediction
    path = _shown_path(entry.path, folder)
    if entry.error is not None or prediction is None:
        reason = entry.error or "the catalogue has no result; scan it again"
        return Text(f"{'error':<22}{path}: {display_name(reason)}", style="red")
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
