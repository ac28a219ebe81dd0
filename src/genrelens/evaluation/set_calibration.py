"""Calibrate a model with a set head: temperatures, "not sure", noise, several genres, styles."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import DataError
from genrelens.evaluation.calibration import Abstention, fit_temperature, held_out_abstention
from genrelens.evaluation.held_out_sets import RUN_LENGTHS, HeldOutSets
from genrelens.evaluation.metrics import reliability_bins
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.metadata import GenreRule, ModelMetadata
from genrelens.set_head import softmax

__all__ = [
    "SetCalibration",
    "calibrate_sets",
    "calibrated_sets",
    "calibration_error",
    "fit_genre_rules",
    "fit_noise_rule",
    "fit_temperatures",
    "noise_rule",
]

GENRE_THRESHOLD = 0.25
"""Smallest probability of a genre that applies to a recording, alone or with others."""

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FEWEST = 20  # smallest number of clips to fit rules on
_WHOLE_WEIGHT = 3.0  # weight of whole clips; all runs of one length have weight 1
_FEWEST_OF_CLASS = 5  # smallest number of clips to fit the rule of one genre or style on
_SLOPES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05)  # increase of the threshold per dB
_CLEAN_QUANTILE = 0.02  # share of clean clips that the noise rule affects
_HIGHEST = 0.999
_RARE_STYLE = 0.5  # threshold of a style with too few clips


class SetCalibration(NamedTuple):
    """Rules of a model that were fitted on sets of held-out clips.

    Attributes:
        metadata: the metadata with the new rules, and with figures in ``metrics``.
        answers: threshold of "not sure", and its effect on clips that it was not fitted on.
        errors: number of segments (0: whole clips) -> calibration error before and after. Each
            round is calibrated with the temperatures of the other rounds.

    """

    metadata: ModelMetadata
    answers: Abstention
    errors: Mapping[int, tuple[float, float]]


def calibrate_sets(
    metadata: ModelMetadata, held: HeldOutSets, *, sure: float = 0.9
) -> SetCalibration:
    """Fit all rules of a model with a set head on held-out sets of a cross-validation.

    - ``temperatures``: for each number of segments, smoothed, see :func:`fit_temperatures`.
    - ``sure_threshold``: with it, the share ``sure`` of the answers is correct.
    - ``noise_rule``: see :func:`noise_rule`; it is kept if there are no microphone recordings.
    - ``genre_rules``: Platt scaling for each genre.
    - thresholds of the styles of the set head: those with the highest F1 score.

    Microphone recordings are used only for the noise rule.

    Args:
        metadata: metadata of the model.
        held: results of the models of the rounds.
        sure: required share of correct answers.

    Raises:
        DataError: the labels are not those of the model, there are fewer than 20 clips, or no
            threshold reaches ``sure``.

    Example::

        held = HeldOutSets.load(Path("runs/lens-grouped/sets.npz"))
        found = calibrate_sets(ModelFile.load("my.onnx").metadata, held)
        found.metadata.temperatures, found.answers.coverage

    """
    if tuple(held.labels.tolist()) != metadata.labels:
        raise DataError(
            f"the labels are {', '.join(held.labels)}; those of {metadata.name} are "
            f"{', '.join(metadata.labels)}"
        )
    clean = held.select(~held.microphone)
    if len(set(clean.clips.tolist())) < _FEWEST:
        raise DataError(f"there are fewer than {_FEWEST} clips; no rule can be fitted")
    fitted = _cross_fitted(clean)
    answers = held_out_abstention(_table(clean.select(clean.whole), fitted[clean.whole]), sure)
    temperatures = fit_temperatures(clean)
    changes: dict[str, Any] = {
        "temperatures": temperatures,
        "temperature": temperatures[max(temperatures)],
        "sure_threshold": answers.threshold,
        "genre_rules": fit_genre_rules(clean.select(clean.whole), fitted[clean.whole]),
        "styles": _styles(metadata, clean.select(clean.whole)),
    }
    if held.microphone.any() and np.isfinite(held.snr).all():
        changes["noise_rule"] = fit_noise_rule(held, temperatures, sure=answers.threshold)
    errors = _errors(clean, fitted)
    asked = {"asked": sure, "coverage": answers.coverage, "accuracy": answers.accuracy}
    figures = {str(n): {"before": old, "after": new} for n, (old, new) in errors.items()}
    changes["metrics"] = {**metadata.metrics, "not sure": asked, "calibration error": figures}
    used = {"clips": len(set(clean.clips.tolist())), "date": time.strftime("%Y-%m-%d")}
    changes["provenance"] = {**metadata.provenance, "calibration": used}
    return SetCalibration(replace(metadata, **changes), answers, errors)


def fit_temperatures(held: HeldOutSets) -> dict[int, float]:
    """Return the temperature for each number of segments.

    Temperatures are fitted for each length of run and for whole clips. The returned temperatures
    lie on a curve ``a + b / sqrt(n)`` through these, which reduces the effect of chance.

    Args:
        held: results on clips without noise.

    """
    points = []
    for length in (*RUN_LENGTHS, 0):
        part = held.select(_of_length(held, length))
        if len(part.true) >= _FEWEST:
            weight = _WHOLE_WEIGHT if not length else 1.0
            temperature = fit_temperature(part.logits, part.true)
            points.append((float(part.sizes.mean()), temperature, weight))
    sizes, temperatures, weights = np.array(points).T
    roots = np.sqrt(weights)
    columns = np.stack([np.ones_like(sizes), 1 / np.sqrt(sizes)], axis=1)
    columns = columns if len(sizes) > 1 else columns[:, :1]
    line, *_ = np.linalg.lstsq(columns * roots[:, None], temperatures * roots, rcond=None)
    a, b = float(line[0]), float(line[1]) if len(line) > 1 else 0.0
    longest = max(1, round(float(sizes.max())))
    numbers = sorted({n for n in RUN_LENGTHS if n < longest} | {1, longest})
    return {n: round(max(0.05, a + b / math.sqrt(n)), 4) for n in numbers}


def _of_length(held: HeldOutSets, length: int) -> Bools:
    """Return whether each set is a run of a length, (m,), or for length 0 a whole clip."""
    return held.whole if not length else ~held.whole & (held.sizes.round() == length)


def calibrated_sets(held: HeldOutSets, temperatures: Mapping[int, float]) -> Float64:
    """Return calibrated probabilities of the genres, (m, c).

    Args:
        held: the results.
        temperatures: number of segments -> temperature, see :func:`fit_temperatures`.

    """
    numbers = sorted(temperatures)
    values = [temperatures[number] for number in numbers]
    found = np.interp(np.log(np.maximum(held.sizes, 1)), np.log(numbers), values)
    return softmax(held.logits / found[:, None])


def fit_noise_rule(
    held: HeldOutSets, temperatures: Mapping[int, float], *, sure: float
) -> tuple[tuple[float, float], ...]:
    """Fit :func:`noise_rule` on the microphone recordings.

    The noise of 98 % of the clean clips has no effect.

    Args:
        held: results on clean clips and on microphone recordings.
        temperatures: see :func:`fit_temperatures`.
        sure: threshold without noise.

    """
    microphone = held.select(held.microphone & held.whole)
    knee = float(np.quantile(held.snr[held.whole & ~held.microphone], _CLEAN_QUANTILE))
    calibrated = calibrated_sets(microphone, temperatures)
    return noise_rule(calibrated, microphone.true, microphone.snr, sure=sure, knee=knee)


def noise_rule(
    probabilities: Float64,
    true: NDArray[np.int64],
    snr: Float64,
    *,
    sure: float,
    knee: float,
) -> tuple[tuple[float, float], ...]:
    """Return the rule by which noise raises the threshold of "not sure".

    Below ``knee`` the threshold rises by a constant amount per dB. This amount is one step above
    the smallest amount with the fewest microphone recordings that are sure and wrong.

    Args:
        probabilities: calibrated probabilities of the genres for microphone recordings, (m, c).
        true: indices of their genres, (m,).
        snr: their estimated signal-to-noise ratios in dB, (m,).
        sure: threshold without noise.
        knee: ratio in dB above which noise has no effect.

    Returns:
        ``noise_rule`` of the metadata: two pairs of a ratio in dB and a threshold.

    """
    top = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != true
    errors = [
        int((wrong & (top - slope * np.maximum(0, knee - snr) >= sure)).sum()) for slope in _SLOPES
    ]
    chosen = min(errors.index(min(errors)) + 1, len(_SLOPES) - 1)
    lowest = knee - (_HIGHEST - sure) / _SLOPES[chosen]
    return ((round(lowest, 2), _HIGHEST), (round(knee, 2), round(sure, 4)))


def _cross_fitted(held: HeldOutSets) -> Float64:
    """Return probabilities; each round is calibrated with the temperatures of the others."""
    result = np.empty_like(held.logits)
    rounds = np.unique(held.rounds)
    for number in rounds:
        inside = held.rounds == number
        others = held.select(~inside) if len(rounds) > 1 else held
        result[inside] = calibrated_sets(held.select(inside), fit_temperatures(others))
    return result


def _table(held: HeldOutSets, probabilities: Float64) -> PredictionTable:
    return PredictionTable(
        labels=tuple(held.labels.tolist()),
        clips=tuple(held.clips.tolist()),
        true=held.true,
        probabilities=probabilities,
        groups=tuple(held.groups.tolist()),
        rounds=held.rounds,
    )


def _errors(held: HeldOutSets, fitted: Float64) -> dict[int, tuple[float, float]]:
    errors = {}
    for length in (*RUN_LENGTHS, 0):
        part = _of_length(held, length)
        if part.sum() >= _FEWEST:
            found = (softmax(held.logits[part]), fitted[part])
            old, new = (calibration_error(each, held.true[part]) for each in found)
            errors[length] = (old, new)
    return errors


def calibration_error(probabilities: Float64, true: NDArray[np.int64]) -> float:
    """Return the expected calibration error of the top genre in 10 bins, 0..1.

    Args:
        probabilities: calibrated or not, (m, c).
        true: indices of the genres, (m,).

    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    bins = reliability_bins(confidence, right)
    gaps = [each.n * abs(each.accuracy - each.confidence) for each in bins if each.n]
    return float(sum(gaps) / len(true))


def fit_genre_rules(held: HeldOutSets, probabilities: Float64) -> tuple[GenreRule, ...]:
    """Fit Platt scaling for each genre; rare genres share the fit of all genres together."""
    inside = np.clip(probabilities, 1e-5, 1 - 1e-5)
    logits = np.log(inside / (1 - inside))
    truth = held.true[:, None] == np.arange(len(held.labels))
    common = _platt(logits.ravel(), truth.ravel(), strength=100.0)
    rules = []
    for genre in range(len(held.labels)):
        enough = truth[:, genre].sum() >= _FEWEST_OF_CLASS
        rule = _platt(logits[:, genre], truth[:, genre]) if enough else common
        rules.append(rule if rule.slope > 0.1 else common)
    return tuple(rules)


def _platt(logits: Float64, truth: Bools, *, strength: float = 1.0) -> GenreRule:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=strength).fit(logits[:, None], truth)
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return GenreRule(round(max(slope, 0.01), 4), round(intercept, 4), GENRE_THRESHOLD)


def _styles(metadata: ModelMetadata, held: HeldOutSets) -> tuple[Any, ...]:
    """Return the styles; those of the set head, the last ones, with new thresholds."""
    folders = metadata.provenance.get("recipe", {}).get("head", {}).get("styles", {})
    n_tags = len(metadata.styles) - held.styles.shape[1]
    new = list(metadata.styles[:n_tags])
    for column, style in enumerate(metadata.styles[n_tags:]):
        shown = held.folders == folders.get(style.name, style.name)
        new.append(replace(style, threshold=_best_threshold(held.styles[:, column], shown)))
    return tuple(new)


def _best_threshold(values: Float64, truth: Bools) -> float:
    """Return the threshold with the highest F1 score."""
    if truth.sum() < _FEWEST_OF_CLASS:
        return _RARE_STYLE
    order = np.argsort(-values)
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + truth.sum())
    return round(float(np.clip(values[order][int(f1.argmax())], 0.05, 0.95)), 4)
