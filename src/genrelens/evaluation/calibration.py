"""Temperature scaling, which makes the probabilities of a model match its accuracy.

All log probabilities are divided by one number, the temperature. This changes the probabilities but
not the answers (Guo, Pleiss, Sun & Weinberger: On Calibration of Modern Neural Networks, ICML
2017). A temperature above 1 lowers the highest probability; a temperature below 1 raises it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.percentages import percent

__all__ = [
    "MAX_TEMPERATURE",
    "MIN_TEMPERATURE",
    "SMALLEST",
    "Abstention",
    "abstention",
    "apply_temperature",
    "cross_fitted",
    "fit_temperature",
    "held_out_abstention",
]

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
SMALLEST = 1e-12  # replaces smaller probabilities, because 0 has no logarithm
_FOLDS = 5
_FLAT = 1e-12  # with a smaller slope, all temperatures are equally good

Float64 = NDArray[np.float64]


def fit_temperature(log_probabilities: ArrayLike, true: Sequence[int] | NDArray[np.int64]) -> float:
    """Return the temperature with the lowest mean negative log probability of the true classes.

    Args:
        log_probabilities: (n, n_classes); may be logits. Probabilities below 1e-12, and minus
            infinity, count as 1e-12.
        true: index of the true class, (n,).

    Returns:
        The temperature, from 0.05 to 20. An optimum outside this range becomes its bound; if all
        clips are right, this is 0.05. The result is 1 if all temperatures are equally good.

    Raises:
        ValueError: there is no clip, a shape is wrong, or a value is NaN or plus infinity.

    Example:
        >>> fit_temperature(np.log([[0.9, 0.1]] * 3 + [[0.1, 0.9]]), [0, 0, 0, 0]) > 1
        True

    """
    logs = np.asarray(log_probabilities, dtype=np.float64)
    classes = np.asarray(true)
    if logs.ndim != 2 or not len(logs) or classes.shape != logs.shape[:1]:
        raise ValueError(f"log_probabilities {logs.shape} and true {classes.shape} do not match")
    if not np.isfinite(logs.max(axis=1)).all() or np.isnan(logs).any():
        raise ValueError("log_probabilities must be neither NaN nor plus infinity")
    logs = np.maximum(_log_softmax(logs), math.log(SMALLEST))
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
    """Return ``softmax(log p / T)``: the top probability falls for T > 1 and rises for T < 1.

    Args:
        probabilities: (..., n_classes); values below 1e-12 count as 1e-12.
        temperature: ``T``, above 0; 1 changes only zeros and sums that differ from 1.

    Returns:
        Probabilities of the same shape; the last axis sums to 1.

    Raises:
        ValueError: ``temperature`` is not above 0 and finite, or a probability is NaN, infinite
            or negative.

    Example:
        >>> apply_temperature([0.8, 0.2], 2.0).round(3).tolist()
        [0.667, 0.333]

    """
    values = np.asarray(probabilities, dtype=np.float64)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be above 0")
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("probabilities must be finite and at least 0")
    return np.exp(_log_softmax(np.log(np.maximum(values, SMALLEST)) / temperature))


def cross_fitted(
    table: PredictionTable, *, seed: int = 0
) -> tuple[PredictionTable, dict[int, float]]:
    """Calibrate each clip with a temperature that was fitted without this clip.

    The temperature of a round is fitted on the clips of the other rounds, without clips that are
    also in this round or, if groups are known, share a group with it. A table without rounds is
    split into 5 folds at random, with all clips of a group in one fold.

    Args:
        table: the predictions.
        seed: seed of the folds of a table without rounds.

    Returns:
        The table with calibrated probabilities, and the temperature of each round or fold.

    Raises:
        DataError: all clips are in one round, group or file, so no clip is left to fit on.

    Example::

        calibrated, temperatures = cross_fitted(load_predictions(Path("report")))

    """
    folds = _folds(table, seed) if table.rounds is None else table.rounds
    logs = np.log(np.maximum(table.probabilities, SMALLEST))
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
        threshold: lowest probability of the top genre with which a clip is answered, 0..1.
        coverage: share of the clips that are answered, 0..1.
        accuracy: share of the answers that are right, 0..1; NaN without answers.
        answered: number of clips that are answered.

    Example::

        answers = held_out_abstention(table, 0.9)
        print(answers.threshold, answers.coverage)

    """

    threshold: float
    coverage: float
    accuracy: float
    answered: int


def abstention(table: PredictionTable, accuracy: float) -> Abstention:
    """Return the lowest threshold of "not sure" at which the required share of answers is right.

    Args:
        table: predictions with calibrated probabilities.
        accuracy: required share of right answers, 0..1.

    Raises:
        DataError: no threshold reaches ``accuracy``.

    Example::

        answers = abstention(table, 0.9)  # 90 % of the answers are right
        print(answers.threshold)

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
    """Measure coverage and accuracy of :func:`abstention` on held-out clips.

    The threshold for each round (or fold, see :func:`cross_fitted`) is chosen on the other rounds.
    The ``threshold`` of the result is chosen on all clips.

    Args:
        table: predictions with calibrated probabilities.
        accuracy: required share of right answers, 0..1.
        seed: seed of the folds of a table without rounds.

    Raises:
        DataError: no threshold reaches ``accuracy`` on all clips, or on those outside a round.

    Example::

        answers = held_out_abstention(table, 0.9)
        print(answers.coverage, answers.accuracy)

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
    """Mark the rows that share neither a clip nor a group with the held-out rows, (n,) bool.

    Repeated draws contain a clip several times, and random folds share artists.
    """
    units = table.clips if table.groups is None else table.groups
    inside = table.select(np.flatnonzero(held))
    clips, groups = set(inside.clips), set(inside.groups or inside.clips)
    pairs = zip(table.clips, units, strict=True)
    return np.array([clip not in clips and unit not in groups for clip, unit in pairs])


def _folds(table: PredictionTable, seed: int) -> NDArray[np.int64]:
    """Assign groups (or clips) to folds of about equal size at random; return (n,) from 1."""
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
