"""``genrelens calibrate``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from genrelens.artifact import Artifact, ModelMetadata
from genrelens.cli.console import out
from genrelens.cli.train import need_torch
from genrelens.errors import DataError
from genrelens.evaluation.calibration import cross_fitted, fit_temperature, held_out_abstention
from genrelens.evaluation.predictions import PredictionTable, load_predictions
from genrelens.evaluation.scores import Scores, score


def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file.")],
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
) -> None:
    """Make a model's probabilities say how often it is right, and store that in its file.

    One temperature is fitted on the predictions. What it is worth is shown on data that it was
    not fitted on: each fold's, with a temperature from the others.
    """
    need_torch()
    from genrelens.train.export import replace_metadata

    metadata = Artifact.load(model).metadata
    table = load_predictions(predictions)
    if table.labels != metadata.labels:
        raise DataError(
            f"{predictions}: its labels are {', '.join(table.labels)}; those of {model} are "
            f"{', '.join(metadata.labels)}"
        )
    fitted = cross_fitted(table)[0]
    before, after = score(table), score(fitted)
    temperature = _temperature(metadata, table)
    provenance = {
        **metadata.provenance, "calibration": _provenance(table, before, after),
    }  # fmt: skip
    new = replace(metadata, temperature=temperature, provenance=provenance)
    answers = None if sure is None else held_out_abstention(fitted, sure)
    if answers is not None:
        figures = {"asked": sure, "coverage": answers.coverage, "accuracy": answers.accuracy}
        new = replace(
            new, sure_threshold=answers.threshold, metrics={**new.metrics, "not sure": figures}
        )
    replace_metadata(model, new, target or model)
    out.print(f"temperature  {temperature:.3f} (was {metadata.temperature:.3f})")
    for name, value in (("calibration error", "ece"), ("log loss", "log_loss")):
        old, fresh = getattr(before, value), getattr(after, value)
        out.print(f"{name:<18} {_interval(old)} before, {_interval(fresh)} after", soft_wrap=True)
    if answers is not None:
        out.print(
            f"sure from          {answers.threshold:.3f}: {answers.coverage:.1%} are answered, "
            f"{answers.accuracy:.1%} of the answers right",
            soft_wrap=True,
        )
    out.print(f"{target or model}", soft_wrap=True)


def _temperature(metadata: ModelMetadata, table: PredictionTable) -> float:
    """Fit on the table: on top of the model's own temperature if the model itself made it.

    A table with rounds comes from the models of a cross-validation, which had no temperature.
    """
    with np.errstate(divide="ignore"):
        fitted = fit_temperature(np.log(table.probabilities), table.true)
    return fitted * metadata.temperature if table.rounds is None else fitted


def _provenance(table: PredictionTable, before: Scores, after: Scores) -> dict[str, Any]:
    return {
        "clips": table.n,
        "groups": before.n_groups,
        "rounds": None if table.rounds is None else len(set(table.rounds.tolist())),
        "ece": {"before": list(before.ece), "after": list(after.ece)},
        "log_loss": {"before": list(before.log_loss), "after": list(after.log_loss)},
        "date": time.strftime("%Y-%m-%d"),
    }


def _interval(estimate: tuple[float, float, float]) -> str:
    value, low, high = estimate
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
