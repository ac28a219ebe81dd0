"""``genrelens calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import out, print_error, print_note
from genrelens.cli.figures import with_interval
from genrelens.cli.train import need_torch
from genrelens.errors import DataError
from genrelens.evaluation.calibration import Abstention
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.model_calibration import (
    Calibration,
    calibrate_model,
    check_predictions,
    objection,
)
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions
from genrelens.evaluation.provenance import predictions_provenance
from genrelens.model_file import ModelFile, packaged_models


def calibrate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="An .onnx file, or a packaged model's name.")
    ],
    predictions: Annotated[
        Path,
        typer.Argument(
            help="What was said of clips that were not trained on: predictions.csv or metrics.json "
            "of evaluate (this model's) or of crossval (its recipe's)."
        ),
    ],
    target: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The new model; in place if not given."),
    ] = None,
    sure: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Be 'not sure' below the probability from which on this share of the answers is "
            "right, for instance 0.9; the model's threshold stays if not given.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            metavar="",
            help="Store the temperature even so.",
        ),
    ] = False,
) -> None:
    """Make a model's probabilities say how often it is right, and store that in its file.

    One temperature is fitted on the predictions. What it is worth is shown on data that it was
    not fitted on: each fold's, with a temperature from the others. If it is not better there than
    the model's present one, nothing is stored and the exit code is 1. The same holds if the
    predictions cannot tell one: all of them right, fewer than 20 clips, or most clips trained on.
    """
    if target is None and str(model) in packaged_models():
        raise DataError(f"{model} is a packaged model; name the new file with --out")
    need_torch()
    from genrelens.train.export import replace_metadata

    metadata = ModelFile.load(model).metadata
    table = load_predictions(predictions)
    digest = predictions_provenance(predictions)["predictions_sha256"]
    try:
        check_predictions(metadata, table, digest)
    except DataError as error:
        raise DataError(error.reason, path=predictions) from error
    _note_training(table, predictions)
    if not force and (why := objection(table)):
        print_error(f"{predictions}: {why}; nothing was stored. --force fits one all the same")
        raise typer.Exit(1)
    found = calibrate_model(metadata, table, sure=sure, force=force, predictions_sha256=digest)
    _print_figures(found)
    if not (found.better or force):
        print_error(
            f"{model}: the new temperature is not better than the present one on clips that it "
            f"was not fitted on (log loss {found.log_losses[1]:.4f}, at present "
            f"{found.log_losses[0]:.4f}); nothing was stored. --force stores it"
        )
        raise typer.Exit(1)
    if found.answers is not None:
        _print_abstention(found.answers)
    replace_metadata(model, found.metadata, target or model)
    out.print(f"{target or model}", soft_wrap=True)


def _note_training(table: PredictionTable, source: Path) -> None:
    """Point out predictions that are surer than those on unseen music, or may be."""
    if table.training_warning:
        print_note(
            f"warning: {source}: {table.training_warning}, and a temperature from such clips is "
            f"too sure",
            style="yellow",
        )
    elif table.in_training is None and table.rounds is None:
        print_note(
            f"note: {source} does not say whether the model was trained on its clips; a "
            f"temperature from such clips is too sure"
        )


def _print_figures(found: Calibration) -> None:
    out.print(
        f"temperature        {found.temperature:.3f} (at present {found.present_temperature:.3f})"
    )
    for name, value in (("calibration error", "ece"), ("log loss", "log_loss")):
        old, new = (
            with_interval(getattr(each, value), "{:.3f}") for each in (found.before, found.after)
        )
        out.print(f"{name:<18} {old} before, {new} after", soft_wrap=True)
    if found.after.few_clips_note:
        out.print(found.after.few_clips_note, soft_wrap=True)


def _print_abstention(answers: Abstention) -> None:
    right = 0 if not answers.answered else round(answers.accuracy * answers.answered)
    low, high = wilson_interval(right, answers.answered)
    out.print(
        f"sure from          {answers.threshold:.3f}: {answers.coverage:.1%} are answered, "
        f"{answers.accuracy:.1%} of the {answers.answered} answers right (95 % interval {low:.1%} "
        f"to {high:.1%} for independent clips)",
        soft_wrap=True,
    )
