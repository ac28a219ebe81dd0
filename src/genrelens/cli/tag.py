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


_Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Folders, files, playlists (M3U), or quoted patterns; or one plan (see --plan).",
        show_default=False,
    ),
]
_Apply = Annotated[
    bool, typer.Option("--apply", help="Write the changes; without it they are only shown.")
]
_PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Write a plan, to be edited and applied later."),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")]


def tag(
    inputs: _Inputs,
    apply: _Apply = False,
    plan_file: _PlanFile = None,
    existing: Existing = None,
    min_confidence: MinConfidence = None,
    max_genres: MaxGenres = None,
    words: OwnWords = None,
    id3: ID3Version = None,
    yes: _Yes = False,
    db: Database = None,
    journal: JournalFile = None,
    as_json: AsJson = False,
) -> None:
    """Write predicted genres to the tags of files that have been scanned.

    Nothing is written without --apply. Files that are "not sure", "not music" or "silence" are
    never changed. "genrelens undo" restores the files. Exit code 1: some files could not be read
    or written.

    Examples:
        genrelens tag ~/Music
            Show what would be written.
        genrelens tag ~/Music --plan plan.jsonl
            Write a plan, to be edited in any text editor.
        genrelens tag plan.jsonl --apply
            Write the genres of a plan.
        genrelens tag ~/Music --existing append --min-confidence 0.8 --apply --yes
            Add genres with a probability of at least 80 %, without a question.

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
    """Ask at a terminal whether to go on."""
    if not plan.changes or not asked or not sys.stdin.isatty():
        return True
    n = len(plan.changes)
    try:
        if typer.confirm(f"Write to {n} file{'s' * (n > 1)}?", err=True):
            return True
    except typer.Abort as stopped:  # by Ctrl-C, or Ctrl-D
        err.print()  # the question stands on this line
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
            print_note('stopped; "genrelens undo" takes back what was written')
            raise


@contextmanager
def known_catalog(db: Path | None) -> Iterator[Catalog | None]:
    """Open the catalogue to write to, if there is one."""
    if not (db or Catalog.default_path()).exists():
        yield None
        return
    with Catalog.open(db) as catalog:
        yield catalog


def print_outcome(outcome: Outcome) -> None:
    """Say what there is to know of a file on stderr: nothing, mostly."""
    if not outcome.done:
        print_error(f"{outcome.path}: {outcome.reason}")
    elif outcome.reason:
        print_note(f"note: {outcome.path}: {outcome.reason}")


def print_unscanned(n: int, n_files: int) -> None:
    """Say on stderr how many files the catalogue has no result for, if there are any."""
    if n:
        words = f"{n} of {n_files} files were not classified yet, or have changed since"
        print_note(f"warning: {words}: run genrelens scan", style="yellow")


# ----------------------------------------------------------------------------------- output


def _print_plan(plan: Plan, *, applied: bool) -> None:
    """Print a line for each file: confidence, genres before and after, path."""
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
        out.print(f"{len(plan.skipped)} stay as they are ({reasons})", soft_wrap=True)
    if result is None or result.run is None:
        _say_what_next(plan, plan_file)
    else:
        written = len(result.outcomes) - len(result.failed)
        way_back = f"; to take it back: genrelens undo {result.run}" if written else ""
        out.print(f"{written} written{way_back}")


def _say_what_next(plan: Plan, plan_file: Path | None) -> None:
    n = len(plan.changes)
    out.print(f"{n} to be written; nothing was: --apply writes" if n else "nothing to be written")
    if plan_file is not None:
        name = display_name(str(plan_file))
        out.print(f"the plan is in {name}: genrelens tag --apply {name}", soft_wrap=True)
