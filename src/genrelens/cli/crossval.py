"""``genrelens crossval``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrelens.cli.console import (
    out,
    print_error,
    print_json,
    print_note,
    warnings_as_notes,
)
from genrelens.cli.data_split import (
    Draws,
    Folds,
    GroupColumn,
    GroupFiles,
    Protocol,
    RareGenres,
    Relabel,
    TestFraction,
    check_protocol,
    read_clips,
)
from genrelens.cli.endings import check_ending
from genrelens.cli.figures import Form, figure_text
from genrelens.cli.options import AsJson, Jobs, MusicnnWheel, NotMusic, SafeCsv, Seed, n_jobs
from genrelens.cli.train import (
    Cache,
    Device,
    Epochs,
    Precision,
    Reading,
    RecipeName,
    changed_recipe,
    check_device,
)
from genrelens.counts import count_of
from genrelens.data.protocols import split_clips
from genrelens.data.relabel import applied_label_map
from genrelens.data.splits import Split
from genrelens.errors import AudioError
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.report.write import check_report_folder
from genrelens.evaluation.scores import FIGURES, Scores
from genrelens.percentages import percent
from genrelens.quiet import quiet_libraries

if TYPE_CHECKING:
    from rich.table import Table

    from genrelens.train import Run


_Data = Annotated[
    list[Path],
    typer.Option(
        "--data",
        "-d",
        metavar="FOLDER",
        help="A folder with one subfolder for each genre; repeatable.",
    ),
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Folder of the runs and reports.",
        show_default="runs/RECIPE-PROTOCOL",
    ),
]
_SplitFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="CSV file of a split (see data split), instead of --protocol."
    ),
]
_Rounds = Annotated[
    str | None,
    typer.Option(
        metavar="N,N",
        help="Numbers of the rounds to train, such as 1,2.",
        show_default="all rounds",
    ),
]


def crossval(
    recipe: RecipeName,
    data: _Data,
    folder: _Folder = None,
    protocol: Protocol = "random",
    folds: Folds = 5,
    draws: Draws = None,
    test_fraction: TestFraction = 0.1,
    rare_genres: RareGenres = False,
    groups: GroupFiles = None,
    group_column: GroupColumn = "group",
    split: _SplitFile = None,
    rounds: _Rounds = None,
    musicnn: MusicnnWheel = None,
    not_music: NotMusic = None,
    relabel: Relabel = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    precision: Precision = None,
    device: Device = "auto",
    cache: Cache = None,
    jobs: Jobs = 0,
    safe_csv: SafeCsv = False,
    as_json: AsJson = False,
) -> None:
    """Cross-validate a recipe: train on all folds except one, and test on that one.

    If it is interrupted, run the same command again to continue. Exit code 1: some clips could not
    be read.

    Examples:
        genrelens crossval mel-cnn-lstm --data my-genres
            Train and test five times, on random folds.
        genrelens crossval mel-cnn-lstm --data my-genres --protocol grouped --groups artists.csv
            Keep all clips of an artist in one fold.
        genrelens crossval mfcc-lstm --data my-genres --split folds.csv --rounds 1,2
            Use the first two rounds of a split file.
        genrelens crossval mel-cnn --data old --data new --groups old.csv --groups new.csv
            Join two folders, each with a file of its artists.

    """
    check_device(device)
    check_ending(folder, "run", "--out")
    from genrelens.train import Hardware, Run

    numbers = _rounds(rounds)
    if split is None:
        check_protocol(protocol, draws, groups)
    options: dict[str, Any] = {"folds": folds, "draws": draws, "test_fraction": test_fraction}
    options["rare_genres"] = rare_genres
    chosen = changed_recipe(recipe, epochs=epochs, precision=precision)
    target = _target(folder, f"{chosen.name}-{protocol if split is None else split.stem}")
    with warnings_as_notes(), quiet_libraries(), ExitStack() as stack:
        clips = read_clips(data, relabel, groups, group_column)
        if split is None:
            made = split_clips(clips, protocol, seed=seed, **options)
        else:
            made = Split.load(split, clips)
        run = Run(
            recipe=chosen,
            folder=target,
            musicnn=musicnn,
            not_music=not_music,
            label_map=applied_label_map(clips),
            cache_dir=cache,
            hardware=Hardware(device=device, progress=False),
            on_clip=Reading(clips, stack),
            on_stage=print_note,
        )
        results, failed = _evaluated(run, made, numbers, n_jobs(jobs), safe_csv=safe_csv)
    _print_results(results, made, run.folder, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _target(folder: Path | None, name: str) -> Path:
    target = folder or Path("runs") / name
    check_report_folder(target)
    return target


def _evaluated(
    run: Run, split: Split, rounds: Sequence[int] | None, jobs: int, *, safe_csv: bool
) -> tuple[dict[str, Any], list[AudioError]]:
    """Train and evaluate; return the figures of each network, and the errors of failed clips."""
    from genrelens.train import cross_validate, write_crossval_report
    from genrelens.train.crossval import write_metrics

    failed: list[AudioError] = []
    tables = cross_validate(
        run,
        split,
        rounds=rounds,
        jobs=jobs,
        on_round=_print_round,
        on_failure=_collector(failed),
    )
    results = {
        name: write_crossval_report(run, split, name, table, failed=failed, safe_csv=safe_csv)
        for name, table in tables.items()
    }
    write_metrics(run.folder, split.protocol, results)
    return results, failed


def _rounds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--rounds {text} must have the form 1,2,5") from None


def _print_round(number: int, tables: Mapping[str, PredictionTable]) -> None:
    n = next(iter(tables.values())).n
    shares = ", ".join(f"{name} {percent(table.right.mean(), 1)}" for name, table in tables.items())
    print_note(f"round {number}: accuracy on {count_of(n, 'test clip')}: {shares}")


def _collector(failed: list[AudioError]) -> Callable[[AudioError], None]:
    def collect(error: AudioError) -> None:
        failed.append(error)
        print_error(str(error))

    return collect


def _print_results(
    results: Mapping[str, Any], split: Split, folder: Path, *, as_json: bool
) -> None:
    if as_json:
        print_json({"split": split.digest, "protocol": split.protocol, "networks": results})
        return
    out.print(_table(results))
    out.print(f"The intervals are 95 % intervals; the reports are in {folder}", soft_wrap=True)


def _table(results: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table("", *results, box=None, pad_edge=False)
    forms: dict[str, Form] = {"log_loss": "number", "ece": "number"}
    found = [Scores.from_dict(result["scores"]) for result in results.values()]
    for name in FIGURES:
        form = forms.get(name, "percent")
        cells = (figure_text(getattr(each, name), form) for each in found)
        table.add_row(name.replace("_", " "), *cells)
    spreads = [result["over_rounds"]["accuracy"] for result in results.values()]
    table.add_row("accuracy over rounds", *map(_mean_and_std, spreads))
    return table


def _mean_and_std(spread: Mapping[str, Any]) -> str:
    std = "" if spread["std"] is None else f" ± {percent(spread['std'], 1)}"
    return f"{percent(spread['mean'], 1)}{std}"
