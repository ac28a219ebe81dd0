"""``genrelens scan``."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
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
from genrelens.cli.inputs import note_skipped
from genrelens.cli.options import AsJson, Database, Jobs, Model, ScanSources, n_jobs
from genrelens.discovery.find import Found
from genrelens.errors import LibraryError
from genrelens.library import (
    Catalog,
    Dataset,
    Scanned,
    find_sources,
    in_shard,
    scan_files,
    scan_to_dataset,
)
from genrelens.library import prune as prune_folder
from genrelens.library.records import path_fields
from genrelens.library.scan import DEFAULT_TIMEOUT, Results
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
_Target = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Write the results to a data set, a folder or URI of Parquet files, instead of the "
        "catalogue.",
        show_default=False,
    ),
]
_Ray = Annotated[
    str | None,
    typer.Option(
        metavar="[ADDRESS]",
        help="Classify on a Ray cluster: auto (the one of this machine, or of $RAY_ADDRESS), local "
        "(a new one on this machine), HOST:PORT or ray://HOST:PORT. Needs --out.",
        show_default="auto, if no address is given",
    ),
]
_Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Classify only part I of N of the recordings, so that N machines share them.",
    ),
]
_Column = Annotated[
    str, typer.Option(metavar="NAME", help="Column of CSV and Parquet files with the paths.")
]
_Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="After the scan, remove files from the catalogue that no longer exist."
    ),
]


def scan(
    inputs: ScanSources,
    db: Database = None,
    target: _Target = None,
    ray: _Ray = None,
    shard: _Shard = None,
    column: _Column = "path",
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
    """Classify all recordings of a library and store the results in the catalogue or a data set.

    You can stop a scan at any time with Ctrl-C; the next one continues. Files that were moved or
    retagged are not classified again. Exit code 1: some files could not be classified, in this scan
    or in an earlier one.

    Examples:
        genrelens scan ~/Music
            Classify all files that are new or have changed.
        genrelens scan ~/Music --fast --nice 10
            Classify excerpts of each file, at low priority.
        genrelens scan ~/Music --exclude Podcasts --exclude '*.wma' --prune
            Skip a folder and a format, and remove files from the catalogue that no longer exist.
        genrelens scan s3://archive/music --out s3://archive/library --ray
            Classify the objects of a store on a Ray cluster and write a data set.

    """
    if target is None and ray is not None:
        raise typer.BadParameter("--ray needs --out")
    if target is not None and (prune or db is not None):
        raise typer.BadParameter("--out cannot be combined with --db or --prune")
    chosen = _read_shard(shard)
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    tally = _Tally()
    options = {"model": model, "jobs": jobs, "fast": fast, "timeout": timeout, "retry": retry}
    with warnings_as_notes(), quiet_libraries(), _opened(db, target, ray) as (place, start):
        found = find_sources(
            inputs,
            column=column,
            exclude=exclude or [],
            on_problem=tally.problem,
            left_out=tally.skipped,
        )
        files = [each for each in found if chosen is None or in_shard(each.path, chosen)]
        with closing(start(files, **options)) as outcomes:
            _watch(outcomes, len(files), tally)
        if isinstance(place, Catalog) and prune:
            _prune(place, inputs, files, tally)
        for path, reason in tally.failed:
            print_error(f"{path}: {reason}")
        note_skipped(tally.skipped)
        location = str(place.path) if isinstance(place, Catalog) else place.location
        _report(tally, location, as_json=as_json)
    if tally.failed or tally.counts["failed before"]:
        raise typer.Exit(1)


def _read_shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    matched = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if matched is None or not 1 <= int(matched[1]) <= int(matched[2]):
        text = "must be I/N with I from 1 to N, such as 2/4"
        raise typer.BadParameter(text, param_hint="--shard")
    return int(matched[1]), int(matched[2])


@contextmanager
def _opened(
    db: str | None, target: str | None, ray: str | None
) -> Iterator[tuple[Catalog | Dataset, Callable[..., Results]]]:
    """Open what the results are written to; yield it with the function that scans."""
    if target is None:
        with Catalog.open(db) as catalog:
            yield catalog, _with_all_cores(partial(scan_files, catalog))
    elif ray is None:
        dataset = Dataset(target)
        yield dataset, _with_all_cores(partial(scan_to_dataset, dataset))
    else:
        from genrelens.cluster import cluster, scan_on_cluster

        dataset = Dataset(target)
        with cluster(ray):
            yield dataset, partial(scan_on_cluster, dataset)


def _with_all_cores(start: Callable[..., Results]) -> Callable[..., Results]:
    return lambda files, jobs, **options: start(files, jobs=n_jobs(jobs), **options)


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


def _watch(outcomes: Iterable[Scanned], n_files: int, tally: _Tally) -> None:
    """Add up the outcomes, with a progress bar at a terminal."""
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


def _report(tally: _Tally, location: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(tally, location))
        return
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
    out.print(f"{counts.total()} files: {summary}", soft_wrap=True)
    if tally.duration:
        minutes = tally.duration / 60
        line = f"{minutes:.1f} min of audio in {tally.seconds:.1f} s: {tally.speed}"
        out.print(line, soft_wrap=True)
    for path in tally.removed:
        print_note(f"removed from the catalogue: {path}")


def _document(tally: _Tally, location: str) -> dict[str, Any]:
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
    }
