"""Temperature scaling: probabilities that say how often the model is right.

One number divides the log probabilities of all classes, so that no answer changes, only how sure
it is (Guo, Pleiss, Sun & Weinberger: On Calibration of Modern Neural Networks, ICML 2017). A
temperature above 1 makes a model less sure, one below 1 surer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable

__all__ = [
    "MAX_TEMPERATURE",
    "MIN_TEMPERATURE",
    "Abstention",
    "Recalibration",
    "abstention",
    "apply_temperature",
    "cross_fitted",
    "fit_temperature",
    "held_out_abstention",
    "objection",
    "recalibrate",
]

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
_SMALLEST = 1e-12  # a probability of 0 has no logarithm
_FOLDS = 5
_FEWEST = 20  # clips: with fewer, a temperature is chance
_FLAT = 1e-12  # a slope below which no temperature is better than another

Float64 = NDArray[np.float64]


def fit_temperature(log_probabilities: ArrayLike, true: Sequence[int] | NDArray[np.int64]) -> float:
    """Find the temperature with the least mean negative log probability of the true classes.

    Args:
        log_probabilities: (n, n_classes); logits do as well. Probabilities below 1e-12, and
            minus infinity, are taken as 1e-12.
        true: index of the true class, (n,).

    Returns:
        The temperature, from 0.05 to 20. The bound where the optimum is beyond it: 0.05 where
        all clips are right. 1 where it makes no difference.

    Raises:
        ValueError: there is no clip, a shape is wrong, or a value is NaN or plus infinity.

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
        if _slope(logs, classes, 1 / middle) > 0:  # too sure
            low = middle
        else:
            high = middle
    return min(max(math.sqrt(low * high), MIN_TEMPERATURE), MAX_TEMPERATURE)


def apply_temperature(probabilities: ArrayLike, temperature: float) -> Float64:
    """Make probabilities less sure (above 1) or surer (below 1): ``softmax(log p / T)``.

    Args:
        probabilities: (..., n_classes); below 1e-12 they are taken as 1e-12.
        temperature: above 0; 1 changes nothing but zeros.

    Returns:
        Of the same shape; the last axis sums to 1.

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

    The temperature of a round is fitted on the clips of the others that are not in it and, where
    groups are known, share no group with it. A table without rounds is put into 5 folds at random,
    all clips of a group in one.

    Args:
        table: what is calibrated.
        seed: of the folds, where there are no rounds.

    Returns:
        The table with calibrated probabilities, and the temperature of each round or fold.

    Raises:
        DataError: all clips are of one round, one group or one file: nothing to fit on.

    """
    folds = _folds(table, seed) if table.rounds is None else table.rounds
    logs = np.log(np.maximum(table.probabilities, _SMALLEST))
    calibrated = np.empty_like(table.probabilities)
    temperatures = {}
    for fold in sorted(set(folds.tolist())):
        held = folds == fold
        others = _others(table, held)
        if not others.any():
            clips = f"the {table.n} clips are all of one round, group or file"
            raise DataError(
                f"nothing is left to fit a temperature on: "
                f"{clips if table.n > 1 else 'there is one clip'}"
            )
        temperatures[fold] = fit_temperature(logs[others], table.true[others])
        calibrated[held] = apply_temperature(table.probabilities[held], temperatures[fold])
    return replace(table, probabilities=calibrated), temperatures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recalibration:
    """A new temperature beside the present one, on clips that it was not fitted on.

    Attributes:
        temperature: fitted on all clips; what the model would divide its logits by.
        present: the predictions with the present temperature of the model.
        fitted: the predictions of each fold with a temperature from the others.
        log_losses: mean negative log probability of the true classes, of ``present`` and of
            ``fitted``, in nats.

    """

    temperature: float
    present: PredictionTable
    fitted: PredictionTable
    log_losses: tuple[float, float]

    @property
    def better(self) -> bool:
        """Whether the log loss falls on clips that the temperature was not fitted on."""
        return self.log_losses[1] < self.log_losses[0]


def objection(table: PredictionTable) -> str:
    """Return in a sentence why no temperature can be fitted on predictions; empty if one can.

    It cannot where there are fewer than 20 clips, where most clips were in the model's training,
    and where every answer is right: the best temperature is then the lowest.
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
            "every answer is right, so no temperature can be fitted; it would make the model "
            "certain"
        )
    return ""


def recalibrate(table: PredictionTable, temperature: float, *, seed: int = 0) -> Recalibration:
    """Fit a temperature, and test it against the present one on data it was not fitted on.

    Args:
        table: predictions on clips that the model was not trained on. With rounds they come from
            the models of a cross-validation, which had no temperature; without, from the model
            itself.
        temperature: of the model at present, above 0.
        seed: of the folds, where there are no rounds.

    Raises:
        DataError: there are no two folds, see :func:`cross_fitted`.

    """
    own = temperature if table.rounds is None else 1.0  # what the predictions were divided by
    present = replace(
        table, probabilities=apply_temperature(table.probabilities, temperature / own)
    )
    fitted, _ = cross_fitted(table, seed=seed)
    with np.errstate(divide="ignore"):
        factor = fit_temperature(np.log(table.probabilities), table.true)
    return Recalibration(
        temperature=factor * own,
        present=present,
        fitted=fitted,
        log_losses=(_log_loss(present), _log_loss(fitted)),
    )


def _log_loss(table: PredictionTable) -> float:
    of_true = table.probabilities[np.arange(table.n), table.true]
    return float(-np.log(np.maximum(of_true, _SMALLEST)).mean())


@dataclass(frozen=True, slots=True)
class Abstention:
    """When to say "not sure", and what it brings.

    Attributes:
        threshold: probability of the likeliest genre from which on an answer is given.
        coverage: share of the clips that are answered.
        accuracy: share of the answers that are right; NaN if there is none.
        answered: number of clips that are answered.

    """

    threshold: float
    coverage: float
    accuracy: float
    answered: int


def abstention(table: PredictionTable, accuracy: float) -> Abstention:
    """Find the lowest threshold above which at least ``accuracy`` of the answers are right.

    Args:
        table: with calibrated probabilities.
        accuracy: asked of the answers, 0..1.

    Raises:
        DataError: not even the surest answers are right that often.

    """
    top = table.probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    right = (table.probabilities.argmax(axis=1) == table.true)[order]
    rates = np.cumsum(right) / np.arange(1, table.n + 1)
    last_of_its_value = np.append(np.diff(top[order]) < 0, True)
    enough = np.flatnonzero((rates >= accuracy) & last_of_its_value)
    if not len(enough):
        answers = f"of the {table.n} clips' answers" if table.n > 1 else "of one clip's answers"
        raise DataError(f"no threshold makes {accuracy:.0%} {answers} right")
    chosen = int(enough[-1])
    n = chosen + 1
    return Abstention(float(top[order][chosen]), n / table.n, float(rates[chosen]), n)


def held_out_abstention(table: PredictionTable, accuracy: float, *, seed: int = 0) -> Abstention:
    """Measure :func:`abstention` on clips that its threshold was not chosen on.

    Each round (or fold, see :func:`cross_fitted`) is answered with the threshold of the others;
    the threshold of the result is that of all.
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

    Repeated draws judge a clip again, and random folds hold clips of one artist.
    """
    units = table.clips if table.groups is None else table.groups
    inside = table.select(np.flatnonzero(held))
    clips, groups = set(inside.clips), set(inside.groups or inside.clips)
    pairs = zip(table.clips, units, strict=True)
    return np.array([clip not in clips and unit not in groups for clip, unit in pairs])


def _folds(table: PredictionTable, seed: int) -> NDArray[np.int64]:
    """Deal the groups (or clips) at random into folds of about equal size, from 1, (n,)."""
    units = table.clips if table.groups is None else table.groups
    names = sorted(set(units))
    dealt = np.random.default_rng(seed).permutation(len(names)) % _FOLDS + 1
    fold = dict(zip(names, dealt.tolist(), strict=True))
    return np.array([fold[unit] for unit in units], dtype=np.int64)


def _slope(logs: Float64, classes: NDArray[np.int64], sharpness: float) -> float:
    """Return the derivative of the loss by ``sharpness``, which is 1 / temperature."""
    expected = (np.exp(_log_softmax(sharpness * logs)) * logs).sum(axis=1)
    return float(np.mean(expected - logs[np.arange(len(logs)), classes]))


def _log_softmax(logits: Float64) -> Float64:
    """Return normalised logarithms of the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
