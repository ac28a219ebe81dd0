"""``genrelens tag``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genrelens.cli.config_file import on_command_line
from genrelens.cli.console import (
    display_name,
    err,
    out,
    print_error,
    print_json,
    print_note,
    progress,
)
from genrelens.cli.endings import check_ending
from genrelens.cli.options import AsJson, Database, JournalFile, as_probability
from genrelens.counts import count_of, plural
from genrelens.library import (
    Catalog,
    Outcome,
    Plan,
    Policy,
    Result,
    apply_changes,
    open_library,
    plan_changes,
    read_mapping,
    read_plan,
    write_plan,
)
from genrelens.library.dataset import is_dataset
from genrelens.library.tagging.plan import is_plan
from genrelens.percentages import percent
from genrelens.quiet import quiet_libraries

__all__ = [
    "Existing",
    "MaxGenres",
    "MinConfidence",
    "Words",
    "existing_catalog",
    "make_policy",
    "print_outcome",
    "print_outdated",
    "print_unscanned",
    "tag",
]

_OF_POLICY = ("existing", "min_confidence", "max_genres", "words", "id3")  # the parameters
_WIDEST = 28  # characters in a column of genres
_NONE = "(none)"


class _ExistingChoice(StrEnum):
    KEEP = "keep"
    APPEND = "append"
    REPLACE = "replace"


class _ID3Choice(StrEnum):
    V2_3 = "2.3"
    V2_4 = "2.4"


Existing = Annotated[
    _ExistingChoice | None,
    typer.Option(
        help="If a file has a genre: keep it, append the predicted one, or replace it.",
        show_default="keep",
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        parser=as_probability,
        help="Lowest probability of each genre: 0.8 or 80%.",
        show_default="0.5",
    ),
]
MaxGenres = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Largest number of genres to write: the genre first, then further genres that apply, "
        "then styles that apply.",
        show_default="1",
    ),
]
Words = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file that maps genres to your own names."),
]
_ID3Version = Annotated[
    _ID3Choice | None,
    typer.Option(
        help="Version of ID3v2 to write.", show_default="that of the file; 2.4 for new tags"
    ),
]
_Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Folders, files, playlists (M3U, PLS, XSPF; XML, NML and crates of DJ programs), or "
        "quoted patterns; or one plan (see --plan).",
        show_default=False,
    ),
]
_Apply = Annotated[
    bool,
    typer.Option("--apply", help="Write the changes; without this option they are only shown."),
]
_PlanFile = Annotated[
    Path | None,
    typer.Option(
        "--plan", metavar="FILE", help="Write a plan to this file, to be edited and applied later."
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Write without asking for confirmation.")]


def tag(
    ctx: typer.Context,
    inputs: _Inputs,
    apply: _Apply = False,
    plan_file: _PlanFile = None,
    existing: Existing = None,
    min_confidence: MinConfidence = None,
    max_genres: MaxGenres = None,
    words: Words = None,
    id3: _ID3Version = None,
    yes: _Yes = False,
    db: Database = None,
    journal: JournalFile = None,
    as_json: AsJson = False,
) -> None:
    """Write predicted genres to the tags of files that have been scanned.

    Nothing is written without --apply. Files that are "not sure", "not music" or "silence",
    or that change from genre to genre, are never changed. "genrelens undo" restores the files. Exit
    code 1: some files could not be read or written.

    Examples:
        genrelens tag ~/Music
            Show what would be written.
        genrelens tag ~/Music --plan plan.jsonl
            Write a plan, which you can edit in any text editor.
        genrelens tag plan.jsonl --apply
            Write the genres of a plan.
        genrelens tag ~/Music --existing append --min-confidence 0.8 --apply --yes
            Add genres with a probability of at least 80 %, without asking for confirmation.

    """
    policy = make_policy(existing, min_confidence, max_genres, words, id3)
    check_ending(plan_file, "plan", "--plan")
    if len(inputs) == 1 and is_plan(inputs[0]):
        if plan_file or on_command_line(ctx, *_OF_POLICY):
            raise typer.BadParameter(
                "a plan cannot be combined with --plan or with options that choose the genres"
            )
        plan = read_plan(inputs[0])
        _print_former_models(plan)
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


def make_policy(
    existing: str | None,
    min_confidence: float | None,
    max_genres: int | None,
    words: Path | None,
    id3: str | None = None,
) -> Policy | None:
    """Return the requested policy; None if no option was given."""
    settings: dict[str, Any] = {
        "existing": existing and str(existing),
        "min_confidence": min_confidence,
        "max_genres": max_genres,
        "id3_version": id3 and int(id3[-1]),
        "mapping": words and read_mapping(words),
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return Policy(**given) if given else None


def _plan(inputs: list[str], policy: Policy, words: Path | None, db: str | None) -> Plan:
    with open_library(db) as catalog:
        plan = plan_changes(catalog, inputs, policy)
    print_outdated(plan.outdated)
    for label in plan.unknown_labels:
        print_note(f"warning: {words}: no model has the genre {label!r}", style="yellow")
    return plan


def _is_wanted(plan: Plan, *, asked: bool) -> bool:
    """Ask whether to write, if standard input is a terminal."""
    if not plan.changes or not asked or not sys.stdin.isatty():
        return True
    n = len(plan.changes)
    try:
        if typer.confirm(f"Write to {count_of(n, 'file')}?", err=True):
            return True
    except typer.Abort as stopped:  # Ctrl-C or Ctrl-D
        err.print()  # end the line of the question
        print_note("nothing was written")
        raise KeyboardInterrupt from stopped
    print_note("nothing was written")
    return False


def _apply(plan: Plan, db: str | None, journal: Path | None) -> Result:
    with (
        existing_catalog(db) as catalog,
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
def existing_catalog(db: str | None) -> Iterator[Catalog | None]:
    """Open the catalogue for writing, or yield None if it does not exist or is a data set.

    The next scan finds out which files of a data set were written.
    """
    path = db or os.environ.get(Catalog.environment) or Catalog.default_path()
    if is_dataset(path) or not os.path.exists(path):  # noqa: PTH110 (no error for a long name)
        yield None
        return
    with Catalog.open(db) as catalog:
        yield catalog


def print_outcome(outcome: Outcome) -> None:
    """Print the error if a file was not written, or else its note."""
    if not outcome.done:
        print_error(f"{outcome.path}: {outcome.reason}")
    elif outcome.reason:
        print_note(f"note: {outcome.path}: {outcome.reason}")


def print_unscanned(n: int, n_files: int) -> None:
    """Warn if the catalogue has no result for some files."""
    if n:
        have = plural(n, "has", "have")
        some = f"{n} of {count_of(n_files, 'file')}"
        text = f"{some} {have} not been classified, or {have} changed since"
        print_note(f"warning: {text}: run genrelens scan", style="yellow")


def print_outdated(counts: Mapping[str, int]) -> None:
    """Warn about files that another version of a packaged model classified."""
    for name, n in counts.items():
        text = f"files that another version of the model {name} classified: {n}"
        print_note(f"warning: {text}; run genrelens scan", style="yellow")


def _print_former_models(plan: Plan) -> None:
    """Warn if a plan is by another version of a packaged model."""
    for name in plan.former_models:
        text = f"another version of the model {name} made the predictions of this plan"
        advice = "to use this version, run genrelens scan and make the plan again"
        print_note(f"warning: {text}; {advice}", style="yellow")


# ----------------------------------------------------------------------------------- output


def _print_plan(plan: Plan, *, applied: bool) -> None:
    """Print a line for each file: confidence, genres before and after, path."""
    if not plan.changes:
        return
    rows = [
        (percent(change.confidence), _joined(change.before), _joined(change.after))
        for change in plan.changes
    ]
    before, after = (min(_WIDEST, max(len(row[i]) for row in rows)) for i in (1, 2))
    for (share, old, new), change in zip(rows, plan.changes, strict=True):
        path = display_name(str(change.path))
        out.print(f"{share:>5}  {old:<{before}} -> {new:<{after}}  {path}", soft_wrap=True)
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
