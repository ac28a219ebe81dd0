"""Calibrate a model: fit its temperature, test it on other data, and describe the result."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genrelens.counts import count_of, plural
from genrelens.errors import DataError
from genrelens.evaluation.calibration import (
    SMALLEST,
    Abstention,
    apply_temperature,
    cross_fitted,
    fit_temperature,
    held_out_abstention,
)
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import Scores, score
from genrelens.metadata import ModelMetadata

__all__ = ["Calibration", "calibrate_model", "check_predictions", "objection"]

_FEWEST = 20  # clips; a temperature from fewer clips is mostly chance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A new temperature of a model, and its effect on clips that it was not fitted on.

    Attributes:
        metadata: metadata of the model with the new temperature, the figures and, if requested, the
            new threshold of "not sure".
        present_temperature: temperature of the model before the calibration.
        log_losses: mean negative log probability of the true genres, in nats: with the present
            temperature, and with each fold calibrated by the temperature of the other folds.
        before: figures with the present temperature.
        after: figures with each fold calibrated by the temperature of the other folds.
        answers: threshold of "not sure" and its effect; None if not requested.

    Example::

        found = calibrate_model(metadata, table)
        print(found.temperature, found.before.ece.value, found.after.ece.value)

    """

    metadata: ModelMetadata
    present_temperature: float
    log_losses: tuple[float, float]
    before: Scores
    after: Scores
    answers: Abstention | None

    @property
    def temperature(self) -> float:
        """The new temperature, fitted on all clips."""
        return self.metadata.temperature

    @property
    def better(self) -> bool:
        """Whether the log loss is lower on clips that the temperature was not fitted on."""
        return self.log_losses[1] < self.log_losses[0]


def objection(table: PredictionTable) -> str:
    """Return why no temperature can be fitted, as a sentence; empty if it can.

    A temperature cannot be fitted if there are fewer than 20 clips, if the model was trained on
    most of the clips, or if every answer is right: the lowest temperature would then be the best.

    Example::

        if not objection(table):
            found = calibrate_model(metadata, table)

    """
    n_clips = len(set(table.clips))
    if n_clips < _FEWEST:
        are = "there is one clip" if n_clips == 1 else f"there are {n_clips} clips"
        return f"{are}; a temperature needs {_FEWEST} or more"
    if 2 * (table.n_in_training or 0) > table.n:
        return (
            f"{table.n_in_training} of {count_of(table.n, 'clip')} "
            f"{plural(table.n_in_training or 0, 'was', 'were')} in the model's training, so no "
            f"temperature can be fitted for unseen music"
        )
    if table.right.all():
        return (
            "every answer is right, so no temperature can be fitted; all probabilities would "
            "become 100 %"
        )
    return ""


def calibrate_model(
    metadata: ModelMetadata,
    table: PredictionTable,
    *,
    sure: float | None = None,
    force: bool = False,
    predictions_sha256: str | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit a temperature for a model, and compare it with the current one on other data.

    :func:`genrelens.train.export.replace_metadata` stores ``metadata`` of the result in a model
    file.

    Args:
        metadata: metadata of the model.
        table: predictions on clips that the model was not trained on. A table with rounds
            comes from the models of a cross-validation, which have no temperature; a table without
            rounds comes from the model itself.
        sure: required share of right answers, 0..1, for a new threshold of "not sure"; None keeps
            the threshold.
        force: fit a temperature despite an :func:`objection`.
        predictions_sha256: SHA-256 of the file with the predictions, for the provenance.
        seed: seed of the folds of a table without rounds.

    Raises:
        DataError: the labels differ from those of the model, the model was calibrated with these
            predictions already, there is an :func:`objection`, all clips are in one round, group
            or file, or no threshold reaches ``sure``.

    Example::

        table = load_predictions(Path("report"))
        found = calibrate_model(ModelFile.load("my.onnx").metadata, table)
        found.temperature, found.better  # (1.31, True)

    """
    check_predictions(metadata, table, predictions_sha256)
    if not force and (why := objection(table)):
        raise DataError(why)
    former = metadata.temperature
    # The temperature of the predictions; the models of a cross-validation have none.
    own = former if table.rounds is None else 1.0
    present = replace(table, probabilities=apply_temperature(table.probabilities, former / own))
    fitted, _ = cross_fitted(table, seed=seed)
    before, after = score(present), score(fitted)
    with np.errstate(divide="ignore"):
        factor = fit_temperature(np.log(table.probabilities), table.true)
    figures = _calibration_figures(table, before, after)
    calibration = {**figures, "predictions_sha256": predictions_sha256}
    new = replace(
        _recalibrated(metadata, factor * own / former),
        temperature=factor * own,
        provenance={**metadata.provenance, "calibration": calibration},
    )
    answers = None
    if sure is not None:
        answers = held_out_abstention(fitted, sure)
        asked = {"asked": sure, "coverage": answers.coverage, "accuracy": answers.accuracy}
        metrics = {**new.metrics, "not sure": asked}
        new = replace(new, sure_threshold=answers.threshold, metrics=metrics)
    return Calibration(
        metadata=new,
        present_temperature=former,
        log_losses=(_log_loss(present), _log_loss(fitted)),
        before=before,
        after=after,
        answers=answers,
    )


def _recalibrated(metadata: ModelMetadata, factor: float) -> ModelMetadata:
    """Multiply all temperatures by a factor, and keep what the genre rules give.

    Of two genres, the logit of the probability is divided by the factor, exactly; of more, about.
    """
    return replace(
        metadata,
        temperatures={n: value * factor for n, value in metadata.temperatures.items()},
        genre_rules=tuple(
            replace(rule, slope=rule.slope * factor) for rule in metadata.genre_rules
        ),
    )


def check_predictions(
    metadata: ModelMetadata, table: PredictionTable, predictions_sha256: str | None
) -> None:
    """Check that predictions can come from a model.

    Args:
        metadata: metadata of the model.
        table: the predictions.
        predictions_sha256: SHA-256 of the file with the predictions; None if there is no file.

    Raises:
        DataError: the labels differ from those of the model, or the model was calibrated with these
            predictions already, so that they come from the model before the calibration.

    """
    if table.labels != metadata.labels:
        raise DataError(
            f"the labels are {', '.join(table.labels)}, but those of {metadata.name} are "
            f"{', '.join(metadata.labels)}"
        )
    former = metadata.provenance.get("calibration")
    used = former.get("predictions_sha256") if isinstance(former, dict) else None
    if table.rounds is None and predictions_sha256 is not None and used == predictions_sha256:
        raise DataError(
            f"{metadata.name} was already calibrated with these predictions, which it made before "
            f"that; evaluate it again"
        )


def _log_loss(table: PredictionTable) -> float:
    of_true = table.probabilities[np.arange(table.n), table.true]
    return float(-np.log(np.maximum(of_true, SMALLEST)).mean())


def _calibration_figures(table: PredictionTable, before: Scores, after: Scores) -> dict[str, Any]:
    """Return the entries about a calibration for the provenance of a model."""
    old, new = before.to_dict(), after.to_dict()
    ends = ("value", "low", "high")
    figures = {
        name: {
            "before": [old[name][end] for end in ends],
            "after": [new[name][end] for end in ends],
        }
        for name in ("ece", "log_loss")
    }
    return {
        "clips": table.n,
        "in_training": table.n_in_training,
        "groups": before.n_groups,
        "rounds": None if table.rounds is None else len(set(table.rounds.tolist())),
        **figures,
        "date": time.strftime("%Y-%m-%d"),
    }
