"""Temperature scaling, which makes the probabilities of a model match its accuracy.

One number, the temperature, divides the log probabilities of all classes, so the probabilities
change and the answers do not (Guo, Pleiss, Sun & Weinberger: On Calibration of Modern Neural
Networks, ICML 2017). A temperature above 1 lowers the highest probability, one below 1 raises it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import Scores, score
from genrelens.metadata import ModelMetadata
from genrelens.percentages import percent

__all__ = [
    "MAX_TEMPERATURE",
    "MIN_TEMPERATURE",
    "Abstention",
    "Calibration",
    "abstention",
    "apply_temperature",
    "calibrate_model",
    "check_predictions",
    "cross_fitted",
    "fit_temperature",
    "held_out_abstention",
    "objection",
]

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
_SMALLEST = 1e-12  # a probability of 0 has no logarithm
_FOLDS = 5
_FEWEST = 20  # clips; a temperature from fewer is chance
_FLAT = 1e-12  # a slope below which no temperature is better than another

Float64 = NDArray[np.float64]


def fit_temperature(log_probabilities: ArrayLike, true: Sequence[int] | NDArray[np.int64]) -> float:
    """Return the temperature with the lowest mean negative log probability of the true classes.

    Args:
        log_probabilities: (n, n_classes); may be logits. Probabilities below 1e-12, and minus
            infinity, count as 1e-12.
        true: index of the true class, (n,).

    Returns:
        The temperature, from 0.05 to 20; the bound where the optimum is beyond it, such as 0.05
        where all clips are right; 1 where the temperature makes no difference.

    Raises:
        ValueError: there is no clip, a shape is wrong, or a value is NaN or plus infinity.

    Example:
        >>> fit_temperature(np.log([[0.9, 0.1]] * 3 + [[0.1, 0.9]]), [0, 0, 0, 0]) > 1
        True

    """
    logs = np.asarray(log_probabilities, dtype=np.float64)
    classes = np.asarray(true)
    if logs.ndim != 2 or not len(logs) or classes.shape != logs.shape[:1]:
        raise ValueError(f"log_probabilities {logs.shape} and true {classes.shape} do not fit")
    if not np.isfinite(logs.max(axis=1)).all() or np.isnan(logs).any():
        raise ValueError("log_probabilities must be neither NaN nor plus infinity")
    logs = np.maximum(_log_softmax(logs), math.log(_SMALLEST))
    if abs(_slope(logs, classes, 1.0)) < _FLAT:
        return 1.0
    low, high = MIN_TEMPERATURE, MAX_TEMPERATURE
    for _ in range(60):  # convex in 1 / temperature: the slope has one zero, if any
        middle = math.sqrt(low * high)
        if _slope(logs, classes, 1 / middle) > 0:  # the probabilities are too high
            low = middle
        else:
            high = middle
    return min(max(math.sqrt(low * high), MIN_TEMPERATURE), MAX_TEMPERATURE)


def apply_temperature(probabilities: ArrayLike, temperature: float) -> Float64:
    """Return ``softmax(log p / T)``: lower top probabilities for T above 1, higher ones below 1.

    Args:
        probabilities: (..., n_classes); values below 1e-12 count as 1e-12.
        temperature: above 0; 1 changes only zeros.

    Returns:
        Probabilities of the same shape; the last axis sums to 1.

    Raises:
        ValueError: ``temperature`` is not above 0 and finite, or a probability is NaN, infinite
            or negative.

    """
    values = np.asarray(probabilities, dtype=np.float64)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be above 0")
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("probabilities must be finite and at least 0")
    return np.exp(_log_softmax(np.log(np.maximum(values, _SMALLEST)) / temperature))


def cross_fitted(
    table: PredictionTable, *, seed: int = 0
) -> tuple[PredictionTable, dict[int, float]]:
    """Calibrate each clip with a temperature that was fitted without it.

    The temperature of a round is fitted on the clips of the other rounds that are not in it and,
    where groups are known, share no group with it. A table without rounds is split into 5 folds
    at random, with all clips of a group in one fold.

    Args:
        table: the predictions.
        seed: seed of the folds of a table without rounds.

    Returns:
        The table with calibrated probabilities, and the temperature of each round or fold.

    Raises:
        DataError: all clips are in one round, group or file, so no clip is left to fit on.

    """
    folds = _folds(table, seed) if table.rounds is None else table.rounds
    logs = np.log(np.maximum(table.probabilities, _SMALLEST))
    calibrated = np.empty_like(table.probabilities)
    temperatures = {}
    for fold in sorted(set(folds.tolist())):
        held = folds == fold
        others = _others(table, held)
        if not others.any():
            clips = f"the {table.n} clips are all in one round, group or file"
            raise DataError(
                f"no clip is left to fit a temperature on: "
                f"{clips if table.n > 1 else 'there is one clip'}"
            )
        temperatures[fold] = fit_temperature(logs[others], table.true[others])
        calibrated[held] = apply_temperature(table.probabilities[held], temperatures[fold])
    return replace(table, probabilities=calibrated), temperatures


# ------------------------------------------------------------------------------- "not sure"


class Abstention(NamedTuple):
    """A threshold of "not sure" and its effect.

    Attributes:
        threshold: lowest probability of the top genre that gets an answer.
        coverage: share of the clips that get an answer.
        accuracy: share of the answers that are right; NaN without answers.
        answered: number of clips that get an answer.

    """

    threshold: float
    coverage: float
    accuracy: float
    answered: int


def abstention(table: PredictionTable, accuracy: float) -> Abstention:
    """Return the lowest threshold with at least ``accuracy`` of the answers right.

    Args:
        table: predictions with calibrated probabilities.
        accuracy: required share of right answers, 0..1.

    Raises:
        DataError: no threshold reaches ``accuracy``.

    """
    top = table.probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    right = (table.probabilities.argmax(axis=1) == table.true)[order]
    rates = np.cumsum(right) / np.arange(1, table.n + 1)
    last_of_its_value = np.append(np.diff(top[order]) < 0, True)
    enough = np.flatnonzero((rates >= accuracy) & last_of_its_value)
    if not len(enough):
        answers = f"of the {table.n} clips' answers" if table.n > 1 else "of one clip's answers"
        raise DataError(f"no threshold makes {percent(accuracy)} {answers} right")
    chosen = int(enough[-1])
    n = chosen + 1
    return Abstention(float(top[order][chosen]), n / table.n, float(rates[chosen]), n)


def held_out_abstention(table: PredictionTable, accuracy: float, *, seed: int = 0) -> Abstention:
    """Measure :func:`abstention` on clips that its threshold was not chosen on.

    Each round (or fold, see :func:`cross_fitted`) gets the threshold of the other rounds; the
    threshold of the result is that of all clips.
    """
    folds = _folds(table, seed) if table.rounds is None else table.rounds
    top = table.probabilities.max(axis=1)
    answered = np.zeros(table.n, bool)
    for fold in sorted(set(folds.tolist())):
        held = folds == fold
        others = table.select(np.flatnonzero(_others(table, held)))
        answered[held] = top[held] >= abstention(others, accuracy).threshold
    right = table.probabilities.argmax(axis=1) == table.true
    measured = float(right[answered].mean()) if answered.any() else math.nan
    threshold = abstention(table, accuracy).threshold
    return Abstention(threshold, float(answered.mean()), measured, int(answered.sum()))


def _others(table: PredictionTable, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the rows that share no clip and no group with those held out, (n,).

    Repeated draws contain a clip several times, and random folds share artists.
    """
    units = table.clips if table.groups is None else table.groups
    inside = table.select(np.flatnonzero(held))
    clips, groups = set(inside.clips), set(inside.groups or inside.clips)
    pairs = zip(table.clips, units, strict=True)
    return np.array([clip not in clips and unit not in groups for clip, unit in pairs])


def _folds(table: PredictionTable, seed: int) -> NDArray[np.int64]:
    """Return the fold of each clip, (n,) from 1: groups (or clips) at random, about equal sizes."""
    units = table.clips if table.groups is None else table.groups
    names = sorted(set(units))
    dealt = np.random.default_rng(seed).permutation(len(names)) % _FOLDS + 1
    fold = dict(zip(names, dealt.tolist(), strict=True))
    return np.array([fold[unit] for unit in units], dtype=np.int64)


def _slope(logs: Float64, classes: NDArray[np.int64], sharpness: float) -> float:
    """Return the derivative of the loss with respect to ``sharpness``, 1 / temperature."""
    expected = (np.exp(_log_softmax(sharpness * logs)) * logs).sum(axis=1)
    return float(np.mean(expected - logs[np.arange(len(logs)), classes]))


def _log_softmax(logits: Float64) -> Float64:
    """Return the log softmax of the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


# ------------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A new temperature of a model, and its effect on clips that it was not fitted on.

    Attributes:
        metadata: the metadata of the model with the new temperature, the figures and, if asked
            for, the new threshold of "not sure".
        present_temperature: temperature of the model so far.
        log_losses: mean negative log probability of the true genres, in nats: with the present
            temperature, and of each fold with a temperature from the other folds.
        before: figures with the present temperature.
        after: figures of each fold with a temperature from the other folds.
        answers: threshold of "not sure" and its effect; None if not asked for.

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
        """Whether the log loss falls on clips that the temperature was not fitted on."""
        return self.log_losses[1] < self.log_losses[0]


def objection(table: PredictionTable) -> str:
    """Return a sentence on why no temperature can be fitted; empty if one can.

    It cannot with fewer than 20 clips, if most clips were in the model's training, and if every
    answer is right, because the best temperature is then the lowest.
    """
    n_clips = len(set(table.clips))
    if n_clips < _FEWEST:
        are = "there is one clip" if n_clips == 1 else f"there are {n_clips} clips"
        return f"{are}; a temperature needs {_FEWEST} or more"
    if 2 * (table.n_in_training or 0) > table.n:
        return (
            f"{table.n_in_training} of {table.n} clips were in the model's training, so no "
            f"temperature for unseen music can be fitted"
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
    """Fit a temperature for a model, and compare it with the present one on other data.

    :func:`genrelens.train.export.replace_metadata` stores ``metadata`` of the result in a model
    file.

    Args:
        metadata: metadata of the model.
        table: predictions on clips that the model was not trained on. With rounds they come from
            the models of a cross-validation, which have no temperature; without, from the model
            itself.
        sure: required share of right answers, 0..1, for a new threshold of "not sure"; None keeps
            the threshold.
        force: fit a temperature in spite of an :func:`objection`.
        predictions_sha256: digest of the file of the predictions, for the provenance.
        seed: seed of the folds of a table without rounds.

    Raises:
        DataError: the labels are not those of the model, the model was calibrated with these
            predictions already, there is an :func:`objection`, all clips are in one round, group
            or file, or no threshold reaches ``sure``.

    Example:
        >>> table = load_predictions(Path("report"))  # doctest: +SKIP
        >>> found = calibrate_model(ModelFile.load("my.onnx").metadata, table)  # doctest: +SKIP
        >>> found.temperature, found.better  # doctest: +SKIP
        (1.31, True)

    """
    check_predictions(metadata, table, predictions_sha256)
    if not force and (why := objection(table)):
        raise DataError(why)
    # What the probabilities were divided by: the models of a cross-validation have no temperature.
    own = metadata.temperature if table.rounds is None else 1.0
    present = replace(
        table, probabilities=apply_temperature(table.probabilities, metadata.temperature / own)
    )
    fitted, _ = cross_fitted(table, seed=seed)
    before, after = score(present), score(fitted)
    with np.errstate(divide="ignore"):
        factor = fit_temperature(np.log(table.probabilities), table.true)
    figures = _calibration_figures(table, before, after)
    calibration = {**figures, "predictions_sha256": predictions_sha256}
    new = replace(
        metadata,
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
        present_temperature=metadata.temperature,
        log_losses=(_log_loss(present), _log_loss(fitted)),
        before=before,
        after=after,
        answers=answers,
    )


def check_predictions(
    metadata: ModelMetadata, table: PredictionTable, predictions_sha256: str | None
) -> None:
    """Reject predictions that cannot be of a model.

    Args:
        metadata: metadata of the model.
        table: the predictions.
        predictions_sha256: digest of the file of the predictions; None if there is none.

    Raises:
        DataError: the labels are not those of the model, or the model was calibrated with these
            predictions already, so they come from the model as it was before.

    """
    if table.labels != metadata.labels:
        raise DataError(
            f"the labels are {', '.join(table.labels)}; those of {metadata.name} are "
            f"{', '.join(metadata.labels)}"
        )
    former = metadata.provenance.get("calibration")
    used = former.get("predictions_sha256") if isinstance(former, dict) else None
    if table.rounds is None and predictions_sha256 is not None and used == predictions_sha256:
        raise DataError(
            f"{metadata.name} was calibrated with these predictions; they come from the model as "
            f"it was before. Evaluate it again"
        )


def _log_loss(table: PredictionTable) -> float:
    of_true = table.probabilities[np.arange(table.n), table.true]
    return float(-np.log(np.maximum(of_true, _SMALLEST)).mean())


def _calibration_figures(table: PredictionTable, before: Scores, after: Scores) -> dict[str, Any]:
    """Return what the provenance of a model holds about a calibration."""
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
