"""``genrelens stats``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from genrelens.cli.console import bar_of, display_name, out, print_json, print_note
from genrelens.cli.options import AsJson, Database, Under
from genrelens.counts import count_of
from genrelens.discovery.locations import is_uri
from genrelens.library import Catalog, LibraryStats, library_stats, open_library
from genrelens.library.columns import path_key
from genrelens.library.records import path_fields

__all__ = ["length", "print_stats", "stats"]

_LONGEST_BAR = 40
_MOST_REASONS = 10
_OTHER_VERDICTS = {"changes": "green", "not sure": "yellow", "not music": "dim", "silence": "dim"}


def stats(under: Under = None, db: Database = None, as_json: AsJson = False) -> None:
    """Count the files of the catalogue: genres, failures with their reasons, copies and hours.

    A file with several genres is counted under the most probable one.

    Examples:
        genrelens stats
            Count all files of the catalogue.
        genrelens stats --under ~/Music/Unsorted
            Count the files in a folder and below it.
        genrelens stats --json > stats.json
            Write the numbers for another program.

    """
    with open_library(db) as catalog:
        found = library_stats(catalog, under=under)
        if as_json:
            print_json(_document(found, catalog, under))
        else:
            print_stats(found)
        if under is not None and not found.files:
            print_note(f"no file of the catalogue is in {under}{_absence(under)}")


def _absence(folder: Path) -> str:
    return "" if is_uri(folder) or folder.exists() else ", which does not exist"


def _document(found: LibraryStats, catalog: Catalog, under: Any) -> dict[str, Any]:
    folder = None if under is None else path_fields(os.fsdecode(path_key(under)))["path"]
    return {"catalog": str(catalog.path), "under": folder, **found.to_dict()}


def print_stats(found: LibraryStats) -> None:
    """Print a bar for each genre and verdict, the copies, and the failures by reason."""
    copies = f", {found.copies} with the audio of another file" if found.copies else ""
    out.print(
        f"{count_of(found.files, 'file')}, {length(found.seconds)} of audio{copies}", soft_wrap=True
    )
    rows = [(genre, n, "cyan") for genre, n in found.genres.items()]
    others = {**found.verdicts, "failed": found.failed}
    styles = {**_OTHER_VERDICTS, "failed": "red"}
    rows += [(name, others[name], style) for name, style in styles.items() if others.get(name)]
    _print_rows(rows)
    _print_failures(found.failures)


def _print_rows(rows: list[tuple[str, int, str]]) -> None:
    if not rows:
        return
    most = max(n for _, n, _ in rows)
    widths = max(len(display_name(name)) for name, _, _ in rows), len(str(most))
    longest = min(_LONGEST_BAR, out.width - sum(widths) - 6)
    for name, n, style in rows:
        row = Text(f"  {display_name(name):<{widths[0]}}  {n:>{widths[1]}}")
        out.print(row.append(f"  {bar_of(n / most, longest)}".rstrip(), style), soft_wrap=True)


def _print_failures(failures: Mapping[str, int]) -> None:
    for reason, n in list(failures.items())[:_MOST_REASONS]:
        out.print(f"failed, {count_of(n, 'file')}: {display_name(reason)}", soft_wrap=True)
    if rest := sum(list(failures.values())[_MOST_REASONS:]):
        out.print(f"failed, {count_of(rest, 'file')}: other reasons")


def length(seconds: float) -> str:
    """Return a length of audio as text, for instance ``57.1 h``."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
