"""``genrelens scan``."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from genrelens.cli.console import (
    out,
    print_error,
    print_json,
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.cli.inputs import note_left_out
from genrelens.cli.options import AsJson, Database, Jobs, Model, n_jobs
from genrelens.discovery.find import Found, find_files
from genrelens.errors import LibraryError
from genrelens.library import Catalog, Scanned, scan_files
from genrelens.library import prune as prune_folder
from genrelens.library.records import path_fields
from genrelens.library.scan import DEFAULT_TIMEOUT
from genrelens.quiet import quiet_libraries

__all__ = ["scan"]

_Failed = tuple[str, str]  # path and reason

_Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="DIR",
        help="Folders, files, playlists (M3U), or quoted patterns ('Music/**/*.flac').",
        show_default=False,
    ),
]
_Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave out files and folders of this name, or path if it has a slash; repeatable.",
    ),
]
_Fast = Annotated[
    bool,
    typer.Option("--fast", metavar="", help="Hear three parts of 30 s of each recording."),
]
_Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.1, help="Give a file up after this time.")
]
_Nice = Annotated[
    int,
    typer.Option(metavar="N", min=0, max=19, help="Let other programs go first, 0 to 19."),
]
_Retry = Annotated[
    bool, typer.Option("--retry", metavar="", help="Try again the files that failed before.")
]
_Prune = Annotated[
    bool,
    typer.Option(
        "--prune", metavar="", help="Then forget the files that are gone from the folders."
    ),
]


def scan(
    inputs: _Inputs,
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
) -> None:
    """Hear every recording of a library and note its genre in a catalogue.

    Whatever is known stays known when files move or get other tags; stop at any time and go on
    later. Exit code 1: files cannot be analysed, now or before.
    """
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    tally = _Tally()
    with Catalog.open(db) as catalog, quiet_libraries(), warnings_as_notes():
        files = list(
            find_files(
                inputs,
                exclude=exclude or [],
                on_problem=tally.problem,
                left_out=tally.left_out,
            )
        )
        outcomes = scan_files(
            catalog, files, model=model, jobs=n_jobs(jobs), fast=fast, timeout=timeout, retry=retry
        )
        with closing(outcomes):
            _watch(outcomes, len(files), tally)
        if prune:
            _prune(catalog, inputs, files, tally)
        for path, reason in tally.failed:
            print_error(f"{path}: {reason}")
        note_left_out(tally.left_out)
        _report(tally, catalog.path, as_json=as_json)
    if tally.failed or tally.counts["failed before"]:
        raise typer.Exit(1)


@dataclass
class _Tally:
    """Counts and problems of a scan."""

    started: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[_Failed] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # by ending
    duration: float = 0.0  # seconds of audio that were classified

    def problem(self, path: str, reason: str) -> None:
        """Record a file that cannot be read or analysed."""
        self.failed.append((path, reason))

    def add(self, outcome: Scanned) -> None:
        """Count the result of a file."""
        self.counts[outcome.status] += 1
        if outcome.status == "failed" and outcome.failure is not None:
            self.problem(outcome.path, outcome.failure.reason)
        if outcome.prediction is not None:
            self.duration += outcome.prediction.duration

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.started

    @property
    def speed(self) -> str:
        """Speed as a multiple of real time; empty if no audio was classified."""
        return f"{self.duration / self.seconds:.0f}x real time" if self.duration else ""


def _watch(outcomes: Iterable[Scanned], n_files: int, tally: _Tally) -> None:
    """Count the results, with a progress bar on a terminal."""
    try:
        with progress("Scanning", n_files) as bar:
            for n, outcome in enumerate(outcomes, 1):
                tally.add(outcome)
                if outcome.notes:
                    with bar.hidden():
                        for note in outcome.notes:
                            print_note(f"warning: {note}", style="yellow")
                bar(note=f"{n}/{n_files} files  {tally.speed}")
    except KeyboardInterrupt:
        print_note("stopped; run it again to continue")
        raise


def _prune(catalog: Catalog, inputs: Sequence[str], files: Sequence[Found], tally: _Tally) -> None:
    for folder in filter(os.path.isdir, inputs):
        try:
            tally.removed += map(str, prune_folder(catalog, folder, files))
        except LibraryError as error:
            if error.path != folder:
                raise
            tally.problem(folder, error.reason)


def _report(tally: _Tally, catalog: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(tally, catalog))
        return
    counts = tally.counts
    phrases = {
        "analysed": "analysed",
        "known": "known by their audio",
        "unchanged": "unchanged",
        "failed": "failed",
        "failed before": "failed before (--retry tries them again)",
    }
    parts = [f"{counts[name]} {phrase}" for name, phrase in phrases.items() if counts[name]]
    out.print(f"{counts.total()} files: {', '.join(parts) or 'nothing to analyse'}", soft_wrap=True)
    if tally.duration:
        minutes = tally.duration / 60
        line = f"{minutes:.1f} min of music in {tally.seconds:.1f} s: {tally.speed}"
        out.print(line, soft_wrap=True)
    for path in tally.removed:
        print_note(f"removed from the catalogue: {path}")


def _document(tally: _Tally, catalog: Path) -> dict[str, Any]:
    return {
        "catalog": str(catalog),
        "files": tally.counts.total(),
        **{
            name.replace(" ", "_"): tally.counts[name]
            for name in ("analysed", "known", "unchanged", "failed", "failed before")
        },
        "failures": [path_fields(path) | {"reason": reason} for path, reason in tally.failed],
        "forgotten": [path_fields(path) for path in tally.removed],
        "audio_seconds": tally.duration,
        "seconds": tally.seconds,
    }
