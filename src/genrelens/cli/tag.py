"""``genrelens tag``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import (
    display_name,
    err,
    out,
    print_error,
    print_json,
    print_note,
    progress,
)
from genrelens.cli.options import AsJson, Database, JournalFile
from genrelens.cli.policies import (
    Existing,
    ID3Version,
    MaxGenres,
    MinConfidence,
    OwnWords,
    make_policy,
)
from genrelens.library import (
    Catalog,
    Outcome,
    Plan,
    Policy,
    Result,
    apply_changes,
    plan_changes,
    read_plan,
    write_plan,
)
from genrelens.library.tagging.plan import is_plan
from genrelens.quiet import quiet_libraries

__all__ = ["known_catalog", "print_outcome", "print_unscanned", "tag"]

_WIDEST = 28  # characters of genres in the table
_NONE = "-"


def tag(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR...|PLAN",
            help="Folders, files, playlists, quoted patterns; or a plan that --plan wrote.",
            show_default=False,
        ),
    ],
    apply: Annotated[
        bool, typer.Option("--apply", metavar="", help="Write it; else it is only shown.")
    ] = False,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Write the plan, to be edited and applied."),
    ] = None,
    existing: Existing = None,
    min_confidence: MinConfidence = None,
    max_genres: MaxGenres = None,
    words: OwnWords = None,
    id3: ID3Version = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar="", help="Do not ask before writing.")
    ] = False,
    db: Database = None,
    journal: JournalFile = None,
    as_json: AsJson = False,
) -> None:
    """Write genres to the tags of files, as the catalogue of a scan has them.

    Without --apply, nothing is written: what would be is shown. Written files keep their times,
    and "genrelens undo" gives them their former tags. Exit code 1: some files were not written.
    """
    policy = make_policy(existing, min_confidence, max_genres, words, id3)
    if len(inputs) == 1 and is_plan(inputs[0]):
        if policy or plan_file:
            raise typer.BadParameter("a plan holds its own settings; only --apply goes with it")
        plan = read_plan(inputs[0])
    else:
        plan = _plan(inputs, policy or Policy(), words, db)
    result = None
    if plan_file is not None:
        write_plan(plan, plan_file)
    if not as_json:
        _print_plan(plan, applied=apply)
    if apply and _is_wanted(plan, asked=not yes and not as_json):
        result = _apply(plan, db, journal)
    _report(plan, result, plan_file, as_json=as_json)
    if plan.problems or (result is not None and result.failed):
        raise typer.Exit(1)


def _plan(inputs: list[str], policy: Policy, words: Path | None, db: Path | None) -> Plan:
    with Catalog.open(db, readonly=True) as catalog:
        plan = plan_changes(catalog, inputs, policy)
    for label in plan.unknown_labels:
        print_note(f"warning: {words}: no model knows {label!r}", style="yellow")
    return plan


def _is_wanted(plan: Plan, *, asked: bool) -> bool:
    """Ask on a terminal whether to write."""
    if not plan.changes or not asked or not sys.stdin.isatty():
        return True
    n = len(plan.changes)
    try:
        if typer.confirm(f"Write to {n} file{'s' * (n > 1)}?", err=True):
            return True
    except typer.Abort as stopped:  # Ctrl-C or Ctrl-D
        err.print()  # end the line of the question
        print_note("nothing was written")
        raise KeyboardInterrupt from stopped
    print_note("nothing was written")
    return False


def _apply(plan: Plan, db: Path | None, journal: Path | None) -> Result:
    with (
        known_catalog(db) as catalog,
        quiet_libraries(),
        progress("Writing", len(plan.changes)) as bar,
    ):

        def report(outcome: Outcome) -> None:
            with bar.hidden():
                print_outcome(outcome)
            bar()

        try:
            return apply_changes(plan, catalog=catalog, journal=journal, on_file=report)
        except KeyboardInterrupt:
            print_note('stopped; "genrelens undo" restores the files that were written')
            raise


@contextmanager
def known_catalog(db: Path | None) -> Iterator[Catalog | None]:
    """Open the catalogue for writing if it exists; else yield None."""
    if not (db or Catalog.default_path()).exists():
        yield None
        return
    with Catalog.open(db) as catalog:
        yield catalog


def print_outcome(outcome: Outcome) -> None:
    """Print the error or the note of a file on stderr, if there is one."""
    if not outcome.done:
        print_error(f"{outcome.path}: {outcome.reason}")
    elif outcome.reason:
        print_note(f"note: {outcome.path}: {outcome.reason}")


def print_unscanned(n: int, n_files: int) -> None:
    """Print on stderr how many files have no current prediction, if there are any."""
    if n:
        words = f"{n} of {n_files} files were not classified yet, or have changed since"
        print_note(f"warning: {words}: run genrelens scan", style="yellow")


# ----------------------------------------------------------------------------------- output


def _print_plan(plan: Plan, *, applied: bool) -> None:
    """Print a line for each change: confidence, genres before and after, path."""
    if not plan.changes:
        return
    rows = [
        (f"{100 * change.confidence:.0f} %", _joined(change.before), _joined(change.after))
        for change in plan.changes
    ]
    before, after = (min(_WIDEST, max(len(row[i]) for row in rows)) for i in (1, 2))
    for (percent, old, new), change in zip(rows, plan.changes, strict=True):
        path = display_name(str(change.path))
        out.print(f"{percent:>5}  {old:<{before}} -> {new:<{after}}  {path}", soft_wrap=True)
    if not applied:
        out.print()


def _joined(genres: tuple[str, ...]) -> str:
    return display_name("; ".join(genres)) or _NONE


def _report(plan: Plan, result: Result | None, plan_file: Path | None, *, as_json: bool) -> None:
    for path, reason in plan.problems:
        print_error(f"{path}: {reason}")
    n_files = len(plan.changes) + len(plan.skipped) + len(plan.unscanned)
    print_unscanned(len(plan.unscanned), n_files)
    if as_json:
        print_json({**plan.to_dict(), "result": result and result.to_dict()})
        return
    if plan.skipped:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in plan.reasons.most_common())
        out.print(f"{len(plan.skipped)} unchanged ({reasons})", soft_wrap=True)
    if result is None or result.run is None:
        _print_next_step(plan, plan_file)
    else:
        written = len(result.outcomes) - len(result.failed)
        hint = f"; to undo this: genrelens undo {result.run}" if written else ""
        out.print(f"{written} written{hint}")


def _print_next_step(plan: Plan, plan_file: Path | None) -> None:
    n = len(plan.changes)
    out.print(f"{n} to write; nothing was written: add --apply" if n else "nothing to write")
    if plan_file is not None:
        name = display_name(str(plan_file))
        out.print(
            f"the plan is in {name}; to apply it: genrelens tag --apply {name}", soft_wrap=True
        )
