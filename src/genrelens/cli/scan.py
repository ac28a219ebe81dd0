"""``genrelens scan``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.config_file import on_command_line
from genrelens.cli.console import (
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.cli.endings import check_ending
from genrelens.cli.options import AsJson, CatalogFile, Jobs, Model, ScanSources, n_jobs
from genrelens.cli.scan_report import Tally, print_outcome, print_problem, print_report
from genrelens.counts import count_of
from genrelens.discovery.find import Found
from genrelens.discovery.locations import is_uri
from genrelens.errors import LibraryError
from genrelens.library import (
    Catalog,
    Dataset,
    LibraryStats,
    Scanned,
    dataset_stats,
    find_sources,
    in_shard,
    library_stats,
    scan_files,
    scan_to_dataset,
)
from genrelens.library import prune as prune_folder
from genrelens.library.dataset import is_dataset
from genrelens.library.scan import DEFAULT_TIMEOUT, Results
from genrelens.quiet import quiet_libraries

__all__ = ["scan"]

_Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Skip files and folders whose name matches; a pattern with a slash is compared with "
        "the end of the path. Repeatable.",
    ),
]
_Fast = Annotated[
    bool, typer.Option("--fast", help="Classify three short excerpts of each long recording.")
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
        help="Classify only part I of N of the recordings, so that N machines can share the work.",
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
_AsLines = Annotated[
    bool,
    typer.Option(
        "--jsonl",
        help="Print a line of JSON for each file as soon as it is done, and the summary at the "
        "end.",
    ),
]


def scan(
    ctx: typer.Context,
    inputs: ScanSources,
    db: CatalogFile = None,
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
    as_lines: _AsLines = False,
) -> None:
    """Classify all recordings of a library and store the results in the catalogue or a data set.

    You can stop a scan at any time with Ctrl-C; the next scan continues there. Files that were
    moved or retagged are not classified again. Exit code 1: some files could not be classified, in
    this scan or in an earlier one.

    Examples:
        genrelens scan ~/Music
            Classify all files that are new or have changed.
        genrelens scan ~/Music --fast --nice 10 --jsonl > scan.jsonl
            Classify excerpts of each file, at low priority, and write each result as it comes.
        genrelens scan ~/Music --exclude Podcasts --exclude '*.wma' --prune
            Skip a folder and a format, and remove files from the catalogue that no longer exist.
        genrelens scan s3://archive/music --out s3://archive/library --ray
            Classify the objects of a store on a Ray cluster and write a data set.

    """
    if as_json and as_lines:
        raise typer.BadParameter("--json cannot be combined with --jsonl")
    if target is None and ray is not None:
        raise typer.BadParameter("--ray needs --out")
    if target is not None and (prune or on_command_line(ctx, "db")):
        raise typer.BadParameter("--out cannot be combined with --db or --prune")
    if target is not None and not is_uri(target):
        check_ending(Path(target), "data set", "--out")
    chosen = _read_shard(shard)
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    tally = Tally()
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
        for path, reason in tally.failed if as_lines else ():
            print_problem(path, reason)
        with closing(start(files, **options)) as outcomes:
            _watch(outcomes, len(files), tally, place if as_lines else None)
        if isinstance(place, Catalog) and prune:
            _prune(place, inputs, files, tally)
        print_report(
            tally,
            str(place.path) if isinstance(place, Catalog) else place.location,
            _counted(place, [file.path for file in files]),
            inputs=inputs,
            db=target or db,
            as_json=as_json,
            as_lines=as_lines,
        )
    if tally.failed or tally.counts["failed before"]:
        raise typer.Exit(1)


def _counted(place: Catalog | Dataset, paths: Sequence[str]) -> LibraryStats:
    if isinstance(place, Catalog):
        return library_stats(place, paths=paths)
    return dataset_stats(place, paths=paths)


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
        if db is not None and is_dataset(db):
            text = "is not the file of a catalogue; --out writes a data set"
            raise LibraryError(text, path=db)
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


def _watch(
    outcomes: Iterable[Scanned],
    n_files: int,
    tally: Tally,
    printed: Catalog | Dataset | None,
) -> None:
    """Add up the outcomes and show progress; print them as JSON if ``printed`` is given."""
    try:
        with progress("Scanning", n_files) as bar:
            for n, outcome in enumerate(outcomes, 1):
                tally.add(outcome)
                if outcome.notes or printed is not None:
                    with bar.hidden():
                        for note in outcome.notes:
                            print_note(f"warning: {note}", style="yellow")
                        if printed is not None:
                            print_outcome(outcome, printed)
                bar(note=f"{n}/{count_of(n_files, 'file')}  {tally.speed}")
    except KeyboardInterrupt:
        print_note("stopped; run the same command again to continue")
        raise


def _prune(catalog: Catalog, inputs: Sequence[str], files: Sequence[Found], tally: Tally) -> None:
    for folder in filter(os.path.isdir, inputs):
        try:
            tally.removed += map(str, prune_folder(catalog, folder, files))
        except LibraryError as error:
            if error.path != folder:
                raise
            tally.problem(folder, error.reason)
