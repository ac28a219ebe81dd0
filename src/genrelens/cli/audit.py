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
from genrelens.cli.endings import check_ending
from genrelens.cli.options import AsJson, Database, LibraryPaths, SafeCsv, as_probability
from genrelens.cli.tag import print_outdated, print_unscanned
from genrelens.csv_cells import safe_row
from genrelens.files import write_text_atomically
from genrelens.library import Audit, TagMismatch, audit_library, audit_page, open_library
from genrelens.percentages import percent

__all__ = ["audit"]

_WIDEST = 24  # characters in a column of genres

_Minimum = Annotated[
    float,
    typer.Option(
        "--min",
        metavar="P",
        parser=as_probability,
        help="Show only files where the probabilities of the predicted and the tagged genre differ "
        "by at least this much, such as 0.5 or 50%.",
    ),
]
_Top = Annotated[
    int | None,
    typer.Option("--top", "-n", metavar="N", min=1, help="Show only the N largest disagreements."),
]
_AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV with one row for each file.")]
_Page = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Also write a web page with a player for each file."
    ),
]


def audit(
    inputs: LibraryPaths,
    minimum: _Minimum = 0.0,
    top: _Top = None,
    as_csv: _AsCsv = False,
    safe_csv: SafeCsv = False,
    as_json: AsJson = False,
    page: _Page = None,
    db: Database = None,
) -> None:
    """Show files whose genre tag disagrees with the prediction, the largest disagreement first.

    Only files that have been scanned are compared. Files whose genre the model cannot predict, such
    as Gospel, are counted separately. Exit code 1: the tags of some files could not be read.

    Examples:
        genrelens audit ~/Music --html audit.html
            Write a page where you can listen to these files.
        genrelens audit ~/Music --min 0.5 --top 20
            Show the 20 largest disagreements of at least 50 percentage points.
        genrelens audit ~/Music/Unsorted --csv > audit.csv
            Write a table for a spreadsheet.

    """
    if as_csv and as_json:
        raise typer.BadParameter("--json cannot be combined with --csv")
    if safe_csv and not as_csv:
        raise typer.BadParameter("--safe-csv needs --csv")
    check_ending(page, "html", "--html")
    with open_library(db) as catalog:
        found = audit_library(catalog, inputs, minimum=minimum)
    print_outdated(found.outdated)
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
    rows = [("tag", "predicted", "file"), *map(_row, mismatches)]
    widths = [min(_WIDEST, max(len(row[i]) for row in rows)) for i in (0, 1)]
    for number, (tagged, predicted, path) in enumerate(rows):
        line = f"{tagged:<{widths[0]}}    {predicted:<{widths[1]}}    {path}"
        out.print(line, style="" if number else "bold", soft_wrap=True)
    out.print()


def _row(each: TagMismatch) -> tuple[str, str, str]:
    tagged = f"{'; '.join(each.genres)} {percent(each.tagged)}"
    predicted = f"{each.predicted} {percent(each.probability)}"
    return display_name(tagged), display_name(predicted), display_name(str(each.path))


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
