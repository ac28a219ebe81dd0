"""``genrelens undo``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.options import Database, JournalFile
from genrelens.cli.tag import known_catalog, print_outcome
from genrelens.library import undo as undo_run
from genrelens.library.tagging.journal import TagRun
from genrelens.library.tagging.undo import list_runs
from genrelens.quiet import quiet_libraries

__all__ = ["undo"]


def undo(
    run: Annotated[
        int | None, typer.Argument(metavar="RUN", help="Number of the run; else the last one.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", metavar="", help="Show what was written so far.")
    ] = False,
    db: Database = None,
    journal: JournalFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print one JSON document.")
    ] = False,
) -> None:
    """Give files the tags that they had before "genrelens tag" wrote to them.

    Files that nobody changed since are what they were, to the last byte; in others only the genres
    are put back. Exit code 1: some files could not be restored.
    """
    if show and run is not None:
        raise typer.BadParameter("--list shows all runs; it goes with no number")
    with known_catalog(db) as catalog, quiet_libraries():
        if show:
            _print_runs(list_runs(catalog=catalog, journal=journal), as_json=as_json)
            return
        try:
            result = undo_run(run, catalog=catalog, journal=journal, on_file=print_outcome)
        except KeyboardInterrupt:
            print_note("stopped; run it again to restore the remaining files")
            raise
    if as_json:
        print_json(result.to_dict())
    else:
        restored = len(result.outcomes) - len(result.failed)
        out.print(f"run {result.run}: {restored} of {len(result.outcomes)} files restored")
    if result.failed:
        raise typer.Exit(1)


def _print_runs(runs: list[TagRun], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(run) for run in runs])
        return
    if not runs:
        print_note("no run has written anything yet")
    for run in runs:
        stopped = "" if run.finished else ", stopped"
        out.print(
            f"{run.id:>4}  {run.started}  {run.written} written, {run.undone} restored{stopped}"
            f"  {display_name(run.model)}",
            soft_wrap=True,
        )
