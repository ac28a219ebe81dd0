"""``genrelens scan``."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from genrelens.cli.console import (
    out,
    print_error,
    print_json,
    print_note,
    progress,
    shell_word,
    warnings_as_notes,
)
from genrelens.cli.inputs import note_skipped
from genrelens.cli.options import AsJson, Database, Jobs, LibraryPaths, Model, n_jobs
from genrelens.cli.stats import count_of, print_stats
from genrelens.discovery.find import Found, find_files
from genrelens.errors import LibraryError
from genrelens.library import Catalog, LibraryStats, Scanned, library_stats, scan_files
from genrelens.library import prune as prune_folder
from genrelens.library.records import path_fields
from genrelens.library.scan import DEFAULT_TIMEOUT
from genrelens.quiet import quiet_libraries

__all__ = ["scan"]

_Failed = tuple[str, str]  # path and reason

_Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Skip files and folders whose name matches; a pattern with a slash is compared with "
        "the end of the path. Repeatable.",
    ),
]
_Fast = Annotated[
    bool, typer.Option("--fast", help="Classify three excerpts of 30 s of each long recording.")
]
_Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.1, help="Time limit for each file.")
]
_Nice = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=19,
        help="Scheduling priority (nice level); a higher value is a lower priority.",
    ),
]
_Retry = Annotated[bool, typer.Option("--retry", help="Try files again that failed before.")]
_Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="After the scan, remove files from the catalogue that no longer exist."
    ),
]
_AsLines = Annotated[
    bool,
    typer.Option(
        "--jsonl",
        help="Print a line of JSON for each file as soon as it is done, and the summary at the "
        "end.",
    ),
]


def scan(
    inputs: LibraryPaths,
    db: Database = None,
    model: Model = None,
    exclude: _Exclude = None,
    jobs: Jobs = 0,
    fast: _Fast = False,
    timeout: _Timeout = DEFAULT_TIMEOUT,
    nice: _Nice = 0,
    retry: _Retry = False,
    prune: _Prune = False,
    as_json: AsJson = False,
    as_lines: _AsLines = False,
) -> None:
    """Classify all recordings of a library and store the results in the catalogue.

    You can stop a scan at any time with Ctrl-C; the next one continues. Files that were moved or
    retagged are not classified again. Exit code 1: some files could not be classified, in this scan
    or in an earlier one.

    Examples:
        genrelens scan ~/Music
            Classify all files that are new or have changed.
        genrelens scan ~/Music --fast --nice 10 --jsonl > scan.jsonl
            Classify excerpts of each file, at low priority, and write each result as it comes.
        genrelens scan ~/Music --exclude Podcasts --exclude '*.wma' --prune
            Skip a folder and a format, and remove files from the catalogue that no longer exist.
        genrelens scan /archive --retry --timeout 3600 --db archive.sqlite
            Try failed files again, with up to an hour for each, in a catalogue of its own.

    """
    if as_json and as_lines:
        raise typer.BadParameter("--json cannot be combined with --jsonl")
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    tally = _Tally()
    with Catalog.open(db) as catalog, quiet_libraries(), warnings_as_notes():
        files = list(
            find_files(
                inputs,
                exclude=exclude or [],
                on_problem=tally.problem,
                left_out=tally.skipped,
            )
        )
        outcomes = scan_files(
            catalog, files, model=model, jobs=n_jobs(jobs), fast=fast, timeout=timeout, retry=retry
        )
        for problem in tally.failed if as_lines else ():
            _print_line(_problem_fields(problem))
        with closing(outcomes):
            _watch(outcomes, len(files), tally, catalog if as_lines else None)
        if prune:
            _prune(catalog, inputs, files, tally)
        for path, reason in tally.failed:
            print_error(f"{path}: {reason}")
        note_skipped(tally.skipped)
        found = library_stats(catalog, paths=[file.path for file in files])
        if as_json:
            print_json(_document(tally, catalog.path, found))
        elif as_lines:
            _print_line({"summary": _document(tally, catalog.path, found)})
        else:
            _report(tally)
            _print_summary(found, inputs, db)
    if tally.failed or tally.counts["failed before"]:
        raise typer.Exit(1)


@dataclass
class _Tally:
    """The results of the scan so far."""

    started: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[_Failed] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # by --prune
    skipped: Counter[str] = field(default_factory=Counter)  # by extension
    notes: list[str] = field(default_factory=list)  # about damaged recordings
    duration: float = 0.0  # of the classified recordings, in seconds

    def problem(self, path: str, reason: str) -> None:
        """Add a path that cannot be read or classified, with the reason."""
        self.failed.append((path, reason))

    def add(self, outcome: Scanned) -> None:
        """Add the result of a file."""
        self.counts[outcome.status] += 1
        if outcome.status == "failed" and outcome.failure is not None:
            self.problem(outcome.path, outcome.failure.reason)
        if outcome.prediction is not None:
            self.duration += outcome.prediction.duration
        self.notes += outcome.notes

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def speed(self) -> str:
        """The speed as text, for instance ``200x real time``; empty if no file was classified."""
        return f"{self.duration / self.seconds:.0f}x real time" if self.duration else ""


def _watch(
    outcomes: Iterable[Scanned], n_files: int, tally: _Tally, printed: Catalog | None
) -> None:
    """Add up the outcomes and show progress; print them as JSON from the catalogue ``printed``."""
    try:
        with progress("Scanning", n_files) as bar:
            for n, outcome in enumerate(outcomes, 1):
                tally.add(outcome)
                if outcome.notes or printed is not None:
                    with bar.hidden():
                        for note in outcome.notes:
                            print_note(f"warning: {note}", style="yellow")
                        if printed is not None:
                            _print_line(_outcome_fields(outcome, printed))
                bar(note=f"{n}/{n_files} files  {tally.speed}")
    except KeyboardInterrupt:
        print_note("stopped; run the same command again to continue")
        raise


def _prune(catalog: Catalog, inputs: Sequence[str], files: Sequence[Found], tally: _Tally) -> None:
    for folder in filter(os.path.isdir, inputs):
        try:
            tally.removed += map(str, prune_folder(catalog, folder, files))
        except LibraryError as error:
            if error.path != folder:
                raise
            tally.problem(folder, error.reason)


def _print_line(document: dict[str, Any]) -> None:
    print(json.dumps(document, allow_nan=False), flush=True)


def _outcome_fields(outcome: Scanned, catalog: Catalog) -> dict[str, Any]:
    """Return JSON values of a file: its status, and the fields of ``list --format jsonl``."""
    entry = catalog.entry(outcome.path)
    fields = path_fields(outcome.path) if entry is None else entry.to_dict()
    return {"status": outcome.status, **fields, "notes": list(outcome.notes)}


def _problem_fields(problem: _Failed) -> dict[str, Any]:
    path, reason = problem
    return {"status": "failed", **path_fields(path), "error": reason}


def _report(tally: _Tally) -> None:
    counts = tally.counts
    texts = {
        "analysed": "classified",
        "known": "with audio that was classified before",
        "unchanged": "unchanged",
        "failed": "failed",
        "failed before": "failed before (--retry tries them again)",
    }
    parts = [f"{counts[name]} {text}" for name, text in texts.items() if counts[name]]
    summary = ", ".join(parts) or "nothing to classify"
    out.print(f"{count_of(counts.total(), 'file')}: {summary}", soft_wrap=True)
    if tally.duration:
        minutes = tally.duration / 60
        line = f"{minutes:.1f} min of audio in {tally.seconds:.1f} s: {tally.speed}"
        out.print(line, soft_wrap=True)
    for path in tally.removed:
        print_note(f"removed from the catalogue: {path}")


def _print_summary(found: LibraryStats, inputs: Sequence[str], db: Path | None) -> None:
    """Print the numbers of the scanned files and, at a terminal, the commands that come next."""
    if not found.files:
        return
    out.print()
    print_stats(found)
    if out.is_terminal and (found.genres or found.failed):
        out.print("\nNext:")
        commands = list(_next_commands(found, inputs, db))
        width = max((len(command) for command, _ in commands), default=0)
        for command, purpose in commands:
            out.print(
                Text(f"  {command:<{width}}").append(f"  # {purpose}", style="dim"), soft_wrap=True
            )


def _next_commands(
    found: LibraryStats, inputs: Sequence[str], db: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield commands for the scanned files, and what each is for."""
    paths = " ".join(map(shell_word, inputs))
    only_folder = len(inputs) == 1 and os.path.isdir(inputs[0])  # noqa: PTH112
    under = f" --under {paths}" if only_folder else ""
    catalog = f" --db {shell_word(str(db))}" if db is not None else ""
    if found.failed:
        yield f"genrelens list --errors{under}{catalog}", "the files that failed"
    if found.genres:
        genre = shell_word(next(iter(found.genres)))
        yield f"genrelens list --genre {genre}{under}{catalog}", "the files of a genre"
        yield f"genrelens audit {paths} --html audit.html{catalog}", "tags that disagree"
        yield f"genrelens tag {paths}{catalog}", "genre tags that would be written"


def _document(tally: _Tally, catalog: Path, found: LibraryStats) -> dict[str, Any]:
    return {
        "catalog": str(catalog),
        "files": tally.counts.total(),
        **{
            name.replace(" ", "_"): tally.counts[name]
            for name in ("analysed", "known", "unchanged", "failed", "failed before")
        },
        "failures": [path_fields(path) | {"reason": reason} for path, reason in tally.failed],
        "forgotten": [path_fields(path) for path in tally.removed],
        "notes": tally.notes,
        "audio_seconds": tally.duration,
        "seconds": tally.seconds,
        "stats": found.to_dict(),
    }
