"""``genrelens audit``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import display_name, out, print_error, print_json
from genrelens.cli.options import AsJson, Database, SafeCsv
from genrelens.cli.tag import print_unscanned
from genrelens.csv_cells import safe_row
from genrelens.files import write_text_atomically
from genrelens.library import Audit, Catalog, TagMismatch, audit_library, audit_page

__all__ = ["audit"]

_WIDEST = 24  # characters of genres in the table

_Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="DIR...",
        help="Folders, files, playlists (M3U), or quoted patterns.",
        show_default=False,
    ),
]
_Minimum = Annotated[
    float,
    typer.Option(
        "--min",
        metavar="P",
        min=0,
        max=1,
        help="By how much what is heard must be more probable than the tag.",
    ),
]


def audit(
    inputs: _Inputs,
    minimum: _Minimum = 0.0,
    top: Annotated[
        int | None, typer.Option("--top", "-n", metavar="N", min=1, help="Show only the first N.")
    ] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", metavar="", help="Print CSV, one row for each file.")
    ] = False,
    safe_csv: SafeCsv = False,
    as_json: AsJson = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page that plays the files."),
    ] = None,
    db: Database = None,
) -> None:
    """Show the files whose genre tag disagrees with what a scan heard, the worst first.

    Words that the model does not know, as Soundtrack, cannot be compared and are no disagreement.
    """
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    if safe_csv and not as_csv:
        raise typer.BadParameter("--safe-csv goes with --csv")
    with Catalog.open(db, readonly=True) as catalog:
        found = audit_library(catalog, inputs, minimum=minimum)
    if page is not None:
        write_text_atomically(page, audit_page(found, page, top=top))
    shown = found.mismatches[:top]
    if as_json:
        print_json(replace(found, mismatches=shown).to_dict())
    elif as_csv:
        _print_csv(shown, safe=safe_csv)
    else:
        _print_table(shown)
    _report(found, as_table=not (as_json or as_csv))
    if found.problems:
        raise typer.Exit(1)


def _report(found: Audit, *, as_table: bool) -> None:
    for path, reason in found.problems:
        print_error(f"{path}: {reason}")
    n = len(found.unscanned)
    print_unscanned(n, n + sum(found.counts.values()))
    if as_table:
        out.print(display_name(found.summary), soft_wrap=True)


def _print_table(mismatches: Sequence[TagMismatch]) -> None:
    if not mismatches:
        return
    rows = [
        (_cell("; ".join(each.genres), each.tagged), _cell(each.predicted, each.probability))
        for each in mismatches
    ]
    heads = ("tag", "predicted")
    left, right = (min(_WIDEST, max(len(row[i]) for row in [heads, *rows])) for i in (0, 1))
    out.print(f"{heads[0]:<{left}}    {heads[1]:<{right}}    file", style="bold", soft_wrap=True)
    for (tagged, predicted), each in zip(rows, mismatches, strict=True):
        path = display_name(str(each.path))
        out.print(f"{tagged:<{left}}    {predicted:<{right}}    {path}", soft_wrap=True)
    out.print()


def _cell(words: str, probability: float) -> str:
    return f"{display_name(words)} {100 * probability:.0f} %"


def _print_csv(mismatches: Sequence[TagMismatch], *, safe: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "tag", "tag_probability", "heard", "probability", "score", "styles"])
    shown = display_name if out.is_terminal else str
    for each in mismatches:
        row = [
            shown(str(each.path)),
            shown("; ".join(each.genres)),
            each.tagged,
            each.predicted,
            each.probability,
            each.score,
            "|".join(each.styles),
        ]
        writer.writerow(safe_row(row) if safe else row)
