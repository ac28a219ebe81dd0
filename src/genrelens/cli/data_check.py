"""``genrelens data check``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import (
    display_name,
    out,
    print_error,
    print_json,
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.cli.options import AsJson, DataFolder, Jobs, n_jobs
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.data.quality import (
    ClipIssue,
    Duplicates,
    Inspection,
    divided_duplicates,
    inspect_clips,
    ungrouped_duplicates,
)
from genrelens.data.splits import Split
from genrelens.errors import AudioError
from genrelens.percentages import percent
from genrelens.quiet import quiet_libraries

__all__ = ["check"]


_SplitFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV file with the columns clip, split and group; also report duplicates in "
        "different parts.",
    ),
]


def check(
    folder: DataFolder, split: _SplitFile = None, as_json: AsJson = False, jobs: Jobs = 0
) -> None:
    """Find duplicates (also re-encoded ones) and unreadable, silent, clipped and short clips.

    Exit code 1: a clip cannot be read, or duplicates are in different parts of the split.

    Examples:
        genrelens data check my-genres
            Check all clips.
        genrelens data check my-genres --split folds.csv
            Also report duplicates that are in different parts of the split.

    """
    with quiet_libraries(), warnings_as_notes():
        clips = read_folder(folder)
        rounds = list(Split.load(split, clips)) if split else []
        found = _inspect(clips, min(n_jobs(jobs), len(clips)))
    divided = _once(group for each in rounds for group in divided_duplicates(found, each))
    ungrouped = _once(group for each in rounds for group in ungrouped_duplicates(found, each))
    if as_json:
        sides = {"torn": divided, "ungrouped": ungrouped} if split else {}
        rows = {name: [group.to_dict() for group in groups] for name, groups in sides.items()}
        print_json({**found.to_dict(), **rows, "data": folder.resolve().name})
    else:
        _print_inspection(found, folder)
    _warn(found.contradictions, "have different labels", lambda clip: clip.label)
    _warn(ungrouped, "are in different groups", lambda clip: clip.group)
    _warn(divided, "are on both sides of the split", lambda clip: clip.part)
    if found.unreadable or divided:
        raise typer.Exit(1)


def _inspect(clips: list[LabelledClip], jobs: int) -> Inspection:
    with progress("Reading", len(clips)) as bar:

        def report(clip: LabelledClip, error: AudioError | None) -> None:
            bar()
            if error:
                print_error(str(error))

        return inspect_clips(clips, jobs=jobs, on_clip=report)


def _once(groups: Iterable[Duplicates]) -> list[Duplicates]:
    """Return each group once, although several rounds of a split may report it."""
    first: dict[tuple[Path, ...], Duplicates] = {}
    for group in groups:
        first.setdefault(group.paths, group)
    return list(first.values())


def _warn(
    groups: Iterable[Duplicates], problem: str, key: Callable[[LabelledClip], str | None]
) -> None:
    for group in groups:
        names = ", ".join(f"{clip.path.name} ({key(clip) or 'none'})" for clip in group.clips)
        print_note(f"warning: duplicates {problem}: {names}", style="yellow")


def _print_inspection(found: Inspection, folder: Path) -> None:
    counts = {
        "clips": found.n,
        "unreadable": len(found.unreadable),
        "silent": len(found.silent),
        "clipped": len(found.clipped),
        "too short": len(found.short),
        "duplicates": sum(len(group.clips) for group in found.duplicates),
    }
    for name, count in counts.items():
        out.print(f"{name:<12}{count:>6}")
    _print_table(
        "Duplicates",
        ("group", "kind", "equal bits", "overlap", "label", "file"),
        [
            (
                str(number),
                group.kind,
                percent(group.similarity, 1),
                f"{group.seconds:.1f} s",
                clip.label,
                _name(clip.path, folder),
            )
            for number, group in enumerate(found.duplicates, 1)
            for clip in group.clips
        ],
    )
    issues: dict[str, tuple[Sequence[ClipIssue], Callable[[float], str]]] = {
        "Silent": (found.silent, "{:.0f} dBFS".format),
        "Clipped": (found.clipped, lambda share: f"{percent(share, 2)} of the samples"),
        "Too short": (found.short, "{:.2f} s".format),
    }
    for title, (clips, text) in issues.items():
        rows = [(text(each.value), _name(each.clip.path, folder)) for each in clips]
        _print_table(title, ("value", "file"), rows)
    unreadable = [
        (display_name(error.source), display_name(error.reason)) for error in found.unreadable
    ]
    _print_table("Unreadable", ("file", "reason"), unreadable)


def _name(path: Path, folder: Path) -> str:
    return display_name(str(path.relative_to(folder)))


def _print_table(title: str, columns: Iterable[str], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    out.print(f"\n{title}")
    out.print(table)
