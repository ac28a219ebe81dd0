"""``genrelens leak``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import (
    out,
    print_error,
    print_json,
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.cli.data_split import Folds, GroupColumn, Groups, Relabel, read_clips
from genrelens.cli.figures import figure_text
from genrelens.cli.options import AsJson, DataFolder, Jobs, Seed, n_jobs
from genrelens.counts import count_of
from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError
from genrelens.evaluation.leak import (
    PROTOCOLS,
    Leak,
    SegmentTable,
    leak_splits,
    measure_leak,
    plot_leak,
    tabulate,
)
from genrelens.quiet import quiet_libraries

__all__ = ["leak"]


_Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the result as a PNG, PDF or SVG file.")
]


def leak(
    folder: DataFolder,
    groups: Groups = None,
    group_column: GroupColumn = "group",
    relabel: Relabel = None,
    folds: Folds = 5,
    seed: Seed = 0,
    as_json: AsJson = False,
    plot: _Plot = None,
    jobs: Jobs = 0,
) -> None:
    """Measure how much of the accuracy is due to the split: by segment, by clip or by artist.

    The same features and the same classifier are tested on each split. Exit code 1: some clips
    could not be read.

    Examples:
        genrelens leak my-genres
            Compare a split by segment, which leaks, with a split by clip.
        genrelens leak my-genres --groups artists.csv --plot leak.png
            Add a split by artist and draw the result.

    """
    if plot is not None:
        from genrelens.plots import check_image_path

        check_image_path(plot)
    with quiet_libraries(), warnings_as_notes():
        clips = read_clips([folder], relabel, [groups] if groups else None, group_column)
        leak_splits(clips, folds, seed=seed)  # raises an error for an impossible split
        table = _tabulate(clips, min(n_jobs(jobs), len(clips)))
        result = _measure(table, folds, seed)
    if as_json:
        failed = [{"path": error.source, "error": str(error)} for error in table.failed]
        print_json({**result.to_dict(), "failed": failed, "data": folder.resolve().name})
    else:
        _print_table(result)
    if result.n_groups is None:
        print_note("note: --groups FILE adds a split by artist")
    if plot is not None:
        plot_leak(result, plot)
    if table.failed:
        raise typer.Exit(1)


def _tabulate(clips: list[LabelledClip], jobs: int) -> SegmentTable:
    with progress("Reading", len(clips)) as bar:

        def report(clip: LabelledClip, error: AudioError | None) -> None:
            bar()
            if error:
                print_error(str(error))

        return tabulate(clips, jobs=jobs, on_clip=report)


def _measure(table: SegmentTable, folds: int, seed: int) -> Leak:
    grouped = all(clip.group is not None for clip in table.clips)
    with progress("Training", folds * (3 if grouped else 2)) as bar:
        return measure_leak(table, n_folds=folds, seed=seed, on_fold=bar)


def _print_table(result: Leak) -> None:
    from rich.table import Table

    of_groups = f" of {count_of(result.n_groups, 'group')}" if result.n_groups is not None else ""
    out.print(
        f"{count_of(result.n_clips, 'clip')}{of_groups}, {count_of(len(result.labels), 'genre')}, "
        f"{count_of(result.n_segments, 'segment')}; "
        f"{count_of(result.n_train, 'training segment')} in each fold\n",
        soft_wrap=True,
    )
    columns = ("split", "accuracy of segments", "macro recall", "of clips", "macro recall")
    table = Table(*columns, box=None, pad_edge=False)
    for score in result.scores:
        shares = [*score.segments, *(score.clips or ())]
        table.add_row(PROTOCOLS[score.protocol], *map(figure_text, shares))
    out.print(table)
