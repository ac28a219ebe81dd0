"""``genrelens undo``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.options import AsJson, CatalogFile, JournalFile
from genrelens.cli.tag import existing_catalog, print_outcome
from genrelens.counts import count_of
from genrelens.library import undo as undo_run
from genrelens.library.tagging.journal import TagRun
from genrelens.library.tagging.undo import list_runs
from genrelens.quiet import quiet_libraries

__all__ = ["undo"]


_Run = Annotated[
    int | None,
    typer.Argument(metavar="N", help="Number of the run (see --list).", show_default="the last"),
]
_Show = Annotated[bool, typer.Option("--list", help="List all runs.")]


def undo(
    run: _Run = None,
    show: _Show = False,
    db: CatalogFile = None,
    journal: JournalFile = None,
    as_json: AsJson = False,
) -> None:
    """Restore the files that a run of "genrelens tag --apply" wrote.

    A file that was not edited after the run is restored byte for byte. In a file that was edited,
    only the genres are restored. Exit code 1: some files could not be restored.

    Examples:
        genrelens undo
            Restore the files of the last run.
        genrelens undo --list
            List all runs with their numbers.
        genrelens undo 3
            Restore the files of run 3.

    """
    if show and run is not None:
        raise typer.BadParameter("--list cannot be combined with a number")
    with existing_catalog(db) as catalog, quiet_libraries():
        if show:
            _print_runs(list_runs(catalog=catalog, journal=journal), as_json=as_json)
            return
        try:
            result = undo_run(run, catalog=catalog, journal=journal, on_file=print_outcome)
        except KeyboardInterrupt:
            print_note("stopped; run the same command again to restore the remaining files")
            raise
    if as_json:
        print_json(result.to_dict())
    else:
        restored = len(result.outcomes) - len(result.failed)
        of_all = f"{restored} of {count_of(len(result.outcomes), 'file')} restored"
        out.print(f"run {result.run}: {of_all if result.outcomes else 'already restored'}")
    if result.failed:
        raise typer.Exit(1)


def _print_runs(runs: list[TagRun], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(run) for run in runs])
        return
    if not runs:
        print_note("no files have been written yet")
    for run in runs:
        stopped = "" if run.finished else ", stopped"
        out.print(
            f"{run.id:>4}  {run.started}  {run.written} written, {run.undone} restored{stopped}"
            f"  {display_name(run.model)}",
            soft_wrap=True,
        )
