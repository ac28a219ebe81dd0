"""``genrelens evaluate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from genrelens.classifier import Classifier
from genrelens.cli.console import (
    out,
    print_error,
    print_json,
    progress,
    quiet_libraries,
    warnings_as_notes,
)
from genrelens.cli.options import Jobs, Model, n_jobs
from genrelens.datasets import LabelledClip, apply_split, read_folder
from genrelens.errors import AudioError, DataError
from genrelens.evaluate import Evaluation
from genrelens.evaluate import evaluate as run_evaluation
from genrelens.metrics import recalls
from genrelens.prediction import Prediction

_PARTS = ("train", "valid", "test")


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of genre/file.")],
    model: Model = None,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A CSV file with the columns clip and split."),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="PART", help="With --split: judge on train, valid (if not given) or test."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print one JSON object.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Draw the confusion matrix, for instance matrix.png."),
    ] = None,
    jobs: Jobs = 0,
) -> None:
    """Judge a model on labelled clips: accuracy, macro recall and confusion matrix."""
    if part is not None and (split is None or part not in _PARTS):
        raise typer.BadParameter(f"--part needs --split and is one of {', '.join(_PARTS)}")
    if plot is not None:
        from genrelens.plots import check_picture

        check_picture(plot)
    with quiet_libraries(), warnings_as_notes():
        clips = _clips(folder, split, part or "valid")
        result = _evaluate(clips, model, min(n_jobs(jobs), len(clips)))
    if as_json:
        print_json({**result.to_dict(), "data": folder.resolve().name})
    else:
        _print_table(result)
    if plot is not None:
        from genrelens.plots import plot_confusion

        plot_confusion(result.confusion, result.labels, plot)
    if result.failed:
        raise typer.Exit(1)


def _clips(folder: Path, split: Path | None, part: str) -> list[LabelledClip]:
    clips = read_folder(folder)
    if split is not None:
        clips = [clip for clip in apply_split(clips, split) if clip.part == part]
        if not clips:
            raise DataError(f"{split}: no clip of {folder} is in part {part!r}")
    return [replace(clip, part=None) for clip in clips]


def _evaluate(clips: list[LabelledClip], model: str | None, jobs: int) -> Evaluation:
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    with progress("Evaluating", len(clips)) as bar:

        def report(clip: LabelledClip, outcome: Prediction | AudioError) -> None:
            bar()
            if isinstance(outcome, AudioError):
                print_error(str(outcome))

        return run_evaluation(classifier, clips, jobs=jobs, on_clip=report)


def _print_table(result: Evaluation) -> None:
    from rich.table import Table

    low, high = result.accuracy_interval
    failed = f" ({len(result.failed)} more could not be read)" if result.failed else ""
    out.print(f"model         {result.model}", soft_wrap=True)
    out.print(f"clips         {result.n}{failed}", soft_wrap=True)
    out.print(f"accuracy      {result.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})",
              soft_wrap=True)  # fmt: skip
    out.print(f"macro recall  {result.macro_recall:.1%}")
    out.print("\nConfusion matrix: rows are true, columns predicted", soft_wrap=True)
    table = Table("", box=None, pad_edge=False)
    for label in (*result.labels, "recall"):
        table.add_column(label, justify="right", overflow="fold")
    for label, row, recall in zip(
        result.labels, result.confusion.tolist(), recalls(result.confusion), strict=True
    ):
        counts = [str(count) if count else "." for count in row]
        table.add_row(label, *counts, "-" if recall != recall else f"{recall:.0%}")
    out.print(table)
