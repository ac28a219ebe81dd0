"""``genrelens calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import out, print_error, print_note
from genrelens.cli.endings import check_ending
from genrelens.cli.figures import figure_text
from genrelens.counts import plural
from genrelens.errors import DataError
from genrelens.evaluation.calibration import Abstention
from genrelens.evaluation.held_out_sets import HeldOutSets
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.model_calibration import (
    Calibration,
    calibrate_model,
    check_predictions,
    objection,
)
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions
from genrelens.evaluation.provenance import predictions_provenance
from genrelens.evaluation.set_calibration import calibrate_sets
from genrelens.metadata import ModelMetadata
from genrelens.model_file import ModelFile, packaged_models
from genrelens.percentages import percent, percent_range

_Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="Name of a packaged model, or an .onnx file."),
]
_Predictions = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Predictions for clips that the model was not trained on: predictions.csv or "
        "metrics.json of evaluate, or a CSV file or sets.npz of crossval.",
    ),
]
_Target = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="File of the new model.", show_default="MODEL"
    ),
]
_Sure = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        min=0,
        max=1,
        help='Also set the threshold of "not sure" so that this share of the answers is correct.',
        show_default="the threshold is not changed",
    ),
]
_Force = Annotated[
    bool, typer.Option("--force", help="Store the temperature even if a check fails.")
]


def calibrate(
    model: _Model,
    predictions: _Predictions,
    target: _Target = None,
    sure: _Sure = None,
    force: _Force = False,
) -> None:
    """Fit the temperature of a model, so that its probabilities match how often it is right.

    The new temperature is tested on folds that it was not fitted on. Nothing is stored, and the
    exit code is 1, if it is not better there than the current one, if all predictions are right, if
    there are fewer than 20 clips, or if the model was trained on most of them.

    Examples:
        genrelens calibrate runs/mine/model.onnx runs/folds/mel-cnn-lstm.csv
            Calibrate a model with the predictions of a cross-validation of its recipe.
        genrelens calibrate runs/mine/model.onnx runs/folds/mel-cnn-lstm.csv --sure 0.9
            Also set the threshold of "not sure" so that about 90 % of the answers are correct.
        genrelens calibrate runs/mine/model.onnx runs/folds/sets.npz --sure 0.9
            Fit all rules of a model like lens: for segments, sections, noise and several genres.
        genrelens calibrate mel-cnn-lstm report/predictions.csv --out calibrated.onnx
            Write a calibrated copy of a packaged model.

    """
    if target is None and str(model) in packaged_models():
        raise DataError(f"{model} is a packaged model; name the new file with --out")
    check_ending(target, "onnx", "--out")
    from genrelens.train import replace_metadata

    metadata = ModelFile.load(model).metadata
    if predictions.suffix == ".npz":
        replace_metadata(model, _calibrated_sets(metadata, predictions, sure), target or model)
        out.print(f"{target or model}", soft_wrap=True)
        return
    table = load_predictions(predictions)
    digest = predictions_provenance(predictions)["predictions_sha256"]
    try:
        check_predictions(metadata, table, digest)
    except DataError as error:
        raise DataError(error.reason, path=predictions) from error
    _note_training(table, predictions)
    if not force and (why := objection(table)):
        print_error(f"{predictions}: {why}; nothing was stored (--force stores it)")
        raise typer.Exit(1)
    found = calibrate_model(metadata, table, sure=sure, force=force, predictions_sha256=digest)
    _print_figures(found)
    if not (found.better or force):
        print_error(
            f"{model}: the new temperature is not better than the current one on clips that it "
            f"was not fitted on (log loss {found.log_losses[1]:.4f}, with the current one "
            f"{found.log_losses[0]:.4f}); nothing was stored (--force stores it)"
        )
        raise typer.Exit(1)
    if found.answers is not None:
        _print_abstention(found.answers)
    replace_metadata(model, found.metadata, target or model)
    out.print(f"{target or model}", soft_wrap=True)


def _calibrated_sets(metadata: ModelMetadata, source: Path, sure: float | None) -> ModelMetadata:
    """Fit the rules of a model with a set head, and print their effect."""
    held = HeldOutSets.load(source)
    try:
        found = calibrate_sets(metadata, held, sure=0.9 if sure is None else sure)
    except DataError as error:
        raise DataError(error.reason, path=source) from error
    for n, value in found.metadata.temperatures.items():
        out.print(f"temperature of {n:>2} {plural(n, 'segment'):<8}  {value:.3f}")
    for n, (before, after) in found.errors.items():
        name = f"{n:>2} {plural(n, 'segment')}" if n else "whole clips"
        out.print(f"calibration error, {name:<12} {before:.3f} before, {after:.3f} after")
    _print_abstention(found.answers)
    return found.metadata


def _note_training(table: PredictionTable, source: Path) -> None:
    """Warn if the predictions are, or may be, for clips that the model was trained on."""
    if table.training_warning:
        print_note(
            f"warning: {source}: {table.training_warning}, and a temperature fitted on them makes "
            f"the probabilities too high",
            style="yellow",
        )
    elif table.in_training is None and table.rounds is None:
        print_note(
            f"note: {source} does not record whether the model was trained on its clips; a "
            f"temperature fitted on training clips makes the probabilities too high"
        )


def _print_figures(found: Calibration) -> None:
    out.print(
        f"temperature        {found.temperature:.3f} (current: {found.present_temperature:.3f})"
    )
    for name, value in (("calibration error", "ece"), ("log loss", "log_loss")):
        old, new = (
            figure_text(getattr(each, value), "number") for each in (found.before, found.after)
        )
        out.print(f"{name:<18} {old} before, {new} after", soft_wrap=True)
    if found.after.few_clips_note:
        out.print(found.after.few_clips_note, soft_wrap=True)


def _print_abstention(answers: Abstention) -> None:
    right = 0 if not answers.answered else round(answers.accuracy * answers.answered)
    low, high = wilson_interval(right, answers.answered)
    out.print(
        f"threshold          {answers.threshold:.3f}: {percent(answers.coverage, 1)} of the clips "
        f"get an answer, {percent(answers.accuracy, 1)} of these {answers.answered} are right "
        f"(95 % interval {percent_range(low, high)} for independent clips)",
        soft_wrap=True,
    )
