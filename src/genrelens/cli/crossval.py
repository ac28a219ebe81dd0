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
    Groups,
    Protocol,
    Relabel,
    Request,
    TestFraction,
    label_map,
    read_clips,
)
from genrelens.cli.figures import with_interval
from genrelens.cli.options import AsJson, Jobs, MusicnnWheel, NotMusic, SafeCsv, n_jobs
from genrelens.cli.train import (
    Cache,
    Device,
    Epochs,
    Reading,
    changed_recipe,
    check_device,
)
from genrelens.data.splits import Split
from genrelens.errors import AudioError
from genrelens.evaluation.estimates import FIGURES
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.report.write import check_report_folder
from genrelens.evaluation.scores import Scores
from genrelens.quiet import quiet_libraries

if TYPE_CHECKING:
    from rich.table import Table

    from genrelens.train import Run


_Folder = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Where it goes; runs/RECIPE-PROTOCOL if not given."),
]
_SplitFile = Annotated[
    Path | None, typer.Option(help="A split file (see data split), instead of a protocol.")
]
_Rounds = Annotated[str | None, typer.Option(metavar="1,2", help="Only these rounds of the split.")]


def crossval(
    recipe: Annotated[str, typer.Argument(help="A recipe of the package or a .toml file.")],
    data: Annotated[Path, typer.Option("--data", "-d", help="A folder of genre/file.")],
    folder: _Folder = None,
    protocol: Protocol = "random",
    folds: Folds = 5,
    draws: Draws = None,
    test_fraction: TestFraction = 0.1,
    groups: Groups = None,
    group_column: GroupColumn = "group",
    split: _SplitFile = None,
    rounds: _Rounds = None,
    musicnn: MusicnnWheel = None,
    not_music: NotMusic = None,
    relabel: Relabel = None,
    epochs: Epochs = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    device: Device = "auto",
    cache: Cache = None,
    jobs: Jobs = 0,
    safe_csv: SafeCsv = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe on each fold and judge it by the clips it never met.

    The same command again goes on where it was cut off.
    """
    check_device(device)
    from genrelens.train import Hardware, Run

    numbers = _rounds(rounds)
    request = Request(
        protocol=protocol, folds=folds, draws=draws, test_fraction=test_fraction, seed=seed
    )
    chosen = changed_recipe(recipe, epochs=epochs)
    renamed = label_map(relabel)
    target = _target(folder, f"{chosen.name}-{protocol if split is None else split.stem}")
    with warnings_as_notes(), quiet_libraries(), ExitStack() as stack:
        clips = read_clips(data, renamed, groups, group_column)
        made = request.make(clips) if split is None else Split.load(split, clips)
        run = Run(
            recipe=chosen,
            folder=target,
            musicnn=musicnn,
            not_music=not_music,
            label_map=renamed,
            cache_dir=cache,
            hardware=Hardware(device=device, progress=False),
            on_clip=Reading(clips, stack),
            on_stage=print_note,
        )
        results, failed = _validated(run, made, numbers, n_jobs(jobs), safe_csv=safe_csv)
    _print_results(results, made, run.folder, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _target(folder: Path | None, name: str) -> Path:
    target = folder or Path("runs") / name
    check_report_folder(target)
    return target


def _validated(
    run: Run, split: Split, rounds: Sequence[int] | None, jobs: int, *, safe_csv: bool
) -> tuple[dict[str, Any], list[AudioError]]:
    """Train and evaluate; return the figures of each network, and the clips that failed."""
    from genrelens.train import cross_validate, write_crossval_report

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
    return results, failed


def _rounds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--rounds {text} must read like 1,2,5") from None


def _print_round(number: int, tables: Mapping[str, PredictionTable]) -> None:
    shares = ", ".join(f"{network} {table.right.mean():.1%}" for network, table in tables.items())
    print_note(f"round {number}: {shares} of {next(iter(tables.values())).n} test clips right")


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
    out.print(f"intervals are 95 %; reports are in {folder}", soft_wrap=True)


def _table(results: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table("", *results, box=None, pad_edge=False)
    forms = {"log_loss": "{:.3f}", "ece": "{:.3f}"}
    found = [Scores.from_dict(result["scores"]) for result in results.values()]
    for name in FIGURES:
        form = forms.get(name, "{:.1%}")
        cells = (with_interval(getattr(each, name), form) for each in found)
        table.add_row(name.replace("_", " "), *cells)
    spreads = [result["over_rounds"]["accuracy"] for result in results.values()]
    table.add_row("accuracy over rounds", *map(_mean_and_std, spreads))
    return table


def _mean_and_std(spread: Mapping[str, Any]) -> str:
    std = "" if spread["std"] is None else f" ± {spread['std']:.1%}"
    return f"{spread['mean']:.1%}{std}"
