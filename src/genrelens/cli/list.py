"""``genrelens list``."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer
from rich.text import Text

from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.options import Database, SafeCsv
from genrelens.discovery.find import is_gone
from genrelens.files import replaced
from genrelens.library import Catalog, Entry, export_entries, export_playlists
from genrelens.library.export import FORMATS, entry_document

__all__ = ["list_files"]

_WITH_GENRE = ("genre", "not sure")  # verdicts that name a genre
_STYLES = 3  # shown in a line of the table


class _Format(StrEnum):
    table = auto()
    json = auto()
    csv = auto()
    jsonl = auto()
    parquet = auto()
    m3u8 = auto()


class _Verdict(StrEnum):
    genre = "genre"
    not_sure = "not sure"
    not_music = "not music"
    silence = "silence"


_Genre = Annotated[str | None, typer.Option(metavar="GENRE", help="Files of this genre.")]
_Style = Annotated[str | None, typer.Option(metavar="STYLE", help="Files that have this style.")]
_Minimum = Annotated[
    float | None,
    typer.Option(
        "--min",
        metavar="P",
        min=0,
        max=1,
        help="Least probability, 0 to 1, of the style if one is asked for, else of the genre.",
    ),
]
_AskedVerdict = Annotated[
    _Verdict | None, typer.Option(help="What the model says; with --genre it is: genre.")
]
_Under = Annotated[Path | None, typer.Option(metavar="DIR", help="Files below this folder.")]
_Missing = Annotated[bool, typer.Option("--missing", metavar="", help="Files that are gone.")]
_Errors = Annotated[
    bool, typer.Option("--errors", metavar="", help="Files that could not be analysed.")
]
_Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="Ask this model, not the latest."),
]
_Kind = Annotated[
    _Format | None,
    typer.Option("--format", "-f", help="Format; else by the ending of --out, or a table."),
]
_Target = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file.")
]
_Playlists = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write one playlist for each genre to a folder."),
]
_RelativeTo = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Make paths relative to this folder.")
]


def list_files(
    db: Database = None,
    genre: _Genre = None,
    style: _Style = None,
    minimum: _Minimum = None,
    verdict: _AskedVerdict = None,
    under: _Under = None,
    missing: _Missing = False,
    errors: _Errors = False,
    model: _Model = None,
    kind: _Kind = None,
    target: _Target = None,
    playlists: _Playlists = None,
    relative_to: _RelativeTo = None,
    safe_csv: SafeCsv = False,
) -> None:
    """List files of the catalogue: all of them, or those that meet conditions.

    Playlists hold absolute paths unless --relative-to names the folder that they will lie in.
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
        raise typer.BadParameter("--playlists goes with neither --format, --out nor --missing")
    chosen = _format(kind, target)
    if safe_csv and (chosen != "csv" or playlists is not None):
        raise typer.BadParameter("--safe-csv goes with CSV: --format csv, or --out FILE.csv")
    with Catalog.open(db, readonly=True) as catalog:
        if playlists is not None:
            written = export_playlists(catalog, playlists, relative_to=relative_to, **conditions)
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
    """Return the format that was chosen, or that of the ending of the file."""
    ending = "" if target is None else target.suffix.lower().removeprefix(".")
    chosen = str(kind) if kind is not None else ending if ending in FORMATS else "table"
    if target is not None and chosen not in FORMATS:
        raise typer.BadParameter(f"--out writes {', '.join(FORMATS)}; choose one with --format")
    if target is None and chosen == "parquet":
        raise typer.BadParameter("parquet needs --out FILE")
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
    """Prints the bytes written to it, without control characters for the terminal."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        for line in bytes(content).decode("utf-8", errors="surrogateescape").splitlines():
            out.print(display_name(line), soft_wrap=True)
        return len(content)


def _print_table(entries: Iterable[Entry]) -> None:
    """Print a line for each file as it is read."""
    n = 0
    for n, entry in enumerate(entries, 1):  # noqa: B007 (used after the loop)
        out.print(_line(entry), soft_wrap=True)
    if not n:
        print_note("no file meets these conditions")


def _line(entry: Entry) -> Text:
    prediction = entry.prediction
    path = display_name(str(entry.path))
    if entry.error is not None or prediction is None:
        return Text(f"{'error':<22}{path}: {display_name(str(entry.error))}", style="red")
    answer = prediction.genre if prediction.verdict == "genre" else prediction.verdict
    percent = f"{100 * prediction.probability:3.0f} %" if prediction.verdict in _WITH_GENRE else ""
    line = Text(f"{display_name(answer):<14} {percent:<5} ")
    line.append(f" {path}", style="bold")
    return line.append("".join(_styles(entry)), style="dim")


def _styles(entry: Entry) -> Iterator[str]:
    if entry.prediction is not None:
        names = [style.name for style in entry.prediction.styles if style.applies][:_STYLES]
        if names:
            yield f"  {', '.join(map(display_name, names))}"
