"""The results of ``genrelens scan``: added up, and printed as text or JSON."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from genrelens.cli.console import out, print_error, print_json, print_note, shell_word
from genrelens.cli.inputs import note_skipped
from genrelens.cli.stats import print_stats
from genrelens.counts import count_of
from genrelens.discovery.locations import is_uri
from genrelens.library import Catalog, Dataset, LibraryStats, Scanned
from genrelens.library.records import path_fields

__all__ = ["Tally", "print_outcome", "print_problem", "print_report"]

_Failed = tuple[str, str]  # path and reason


@dataclass
class Tally:
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


def _print_line(document: dict[str, Any]) -> None:
    print(json.dumps(document, allow_nan=False), flush=True)


def print_outcome(outcome: Scanned, place: Catalog | Dataset) -> None:
    """Print a line of JSON for a file: its status, and the fields of ``list --format jsonl``."""
    entry = place.entry(outcome.path) if isinstance(place, Catalog) else None
    fields = _outcome_fields(outcome) if entry is None else entry.to_dict()
    _print_line({"status": outcome.status, **fields, "notes": list(outcome.notes)})


def _outcome_fields(outcome: Scanned) -> dict[str, Any]:
    prediction, failure = outcome.prediction, outcome.failure
    return {
        **path_fields(outcome.path),
        "error": None if failure is None else failure.reason,
        "prediction": None if prediction is None else prediction.to_dict(),
    }


def print_problem(path: str, reason: str) -> None:
    """Print a line of JSON for a path that cannot be read."""
    _print_line({"status": "failed", **path_fields(path), "error": reason})


def print_report(
    tally: Tally,
    location: str,
    stats: LibraryStats,
    *,
    inputs: Sequence[str],
    db: str | None,
    as_json: bool,
    as_lines: bool,
) -> None:
    """Print failures, and the result of a scan as text, as JSON, or as the last line of JSON.

    Args:
        tally: the results.
        location: path of the catalogue or location of the data set.
        stats: numbers of the scanned files.
        inputs: what was scanned.
        db: the catalogue or data set for the next commands; None: the default catalogue.
        as_json: print one document.
        as_lines: print the document as one line.

    """
    for path, reason in tally.failed:
        print_error(f"{path}: {reason}")
    note_skipped(tally.skipped)
    if as_json:
        print_json(_document(tally, location, stats))
    elif as_lines:
        _print_line({"summary": _document(tally, location, stats)})
    else:
        _report(tally)
        _print_summary(stats, inputs, db)


def _report(tally: Tally) -> None:
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


def _print_summary(found: LibraryStats, inputs: Sequence[str], db: str | None) -> None:
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
    found: LibraryStats, inputs: Sequence[str], db: str | None
) -> Iterator[tuple[str, str]]:
    """Yield commands for the scanned files, and what each is for."""
    paths = " ".join(map(shell_word, inputs))
    only_folder = len(inputs) == 1 and os.path.isdir(inputs[0])  # noqa: PTH112
    under = f" --under {paths}" if only_folder else ""
    catalog = f" --db {shell_word(db)}" if db is not None else ""
    if found.failed:
        yield f"genrelens list --errors{under}{catalog}", "the files that failed"
    if found.genres:
        genre = shell_word(next(iter(found.genres)))
        yield f"genrelens list --genre {genre}{under}{catalog}", "the files of a genre"
        yield f"genrelens audit {paths} --html audit.html{catalog}", "tags that disagree"
        if not any(map(is_uri, inputs)):  # tags are written only to files
            yield f"genrelens tag {paths}{catalog}", "genre tags that would be written"


def _document(tally: Tally, location: str, stats: LibraryStats) -> dict[str, Any]:
    return {
        "catalog": location,
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
        "stats": stats.to_dict(),
    }
