"""Every figure of a table of predictions, each with its 95 % interval.

All figures stand in one row: those of ``FIGURES``, then precision, recall and F1 of each class. All
but the last steps are sums over clips, so that thousands of resamples are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import MissingExtraError
from genrelens.evaluation import wilson
from genrelens.evaluation.bootstrap import Estimate, percentile_interval, resampled_sums
from genrelens.evaluation.metrics import N_BINS, reliability_bins, reliability_index
from genrelens.evaluation.prediction_table import PredictionTable

__all__ = ["FIGURES", "estimates", "figures", "point_values", "terms"]

FIGURES = ("accuracy", "macro_recall", "macro_f1", "top2", "log_loss", "ece")

_ECE = FIGURES.index("ece")
_SMALLEST = 1e-15  # a probability of 0 would make the log loss infinite

Float64 = NDArray[np.float64]


def estimates(
    table: PredictionTable, units: Sequence[str], *, resamples: int, seed: int
) -> list[Estimate]:
    """Measure everything, with percentile bootstrap intervals, or Wilson's where there are none.

    The calibration errors of the resamples are moved to have the mean that was measured: the
    error of a small sample is too large, and that of a resample by as much again. An interval
    is widened to hold its figure, should the resamples not. Where all resamples are alike or there
    are few units, :mod:`genrelens.evaluation.wilson` takes over.

    Args:
        table: what is judged.
        units: what is drawn, of each clip, (n,); see ``resampled_sums``.
        resamples: number of bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    """
    values = point_values(table)
    sums = resampled_sums(terms(table), units, resamples=resamples, seed=seed)
    samples = figures(sums, len(table.labels))
    ece = samples[:, _ECE]
    samples[:, _ECE] = np.maximum(ece - ece.mean() + values[_ECE], 0)
    low, high = percentile_interval(samples)
    low, high = np.fmin(low, values), np.fmax(high, values)
    found = [
        Estimate(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)
    ]
    return _checked(found, table, units)


def _checked(
    found: Sequence[Estimate], table: PredictionTable, units: Sequence[str]
) -> list[Estimate]:
    """Replace the intervals that the bootstrap cannot give."""
    c, n = len(table.labels), len(set(units))
    accuracy, macro_recall, macro_f1, top2, log_loss, ece = found[: len(FIGURES)]
    precisions, recalls, f1s = (found[len(FIGURES) + i * c :][:c] for i in range(3))
    called, true, either = _units_of_classes(table, units)
    alike = accuracy.value in (0, 1)
    f1s = list(map(wilson.f1, f1s, either))
    return [
        wilson.share(accuracy, n),
        wilson.mean_recall(macro_recall, [each.value for each in recalls], true, n),
        wilson.mean_f1(macro_f1, f1s, n),
        wilson.share(top2, n),
        wilson.unbounded(log_loss, n, alike=alike),
        wilson.unbounded(ece, n, alike=alike),
        *map(wilson.share, precisions, called),
        *map(wilson.share, recalls, true),
        *f1s,
    ]


def _units_of_classes(
    table: PredictionTable, units: Sequence[str]
) -> tuple[list[int], list[int], list[int]]:
    """Count the units classified as each class, those of it, and those of either kind."""
    called: list[set[str]] = [set() for _ in table.labels]
    true: list[set[str]] = [set() for _ in table.labels]
    for unit, t, p in zip(units, table.true.tolist(), table.predicted.tolist(), strict=True):
        true[t].add(unit)
        called[p].add(unit)
    both = zip(called, true, strict=True)
    return [*map(len, called)], [*map(len, true)], [len(a | b) for a, b in both]


def point_values(table: PredictionTable) -> Float64:
    """Return the figures of all clips, (6 + 3 * n_classes,), as far as it has them of scikit-learn.

    Its top-k accuracy prefers the last of equals where its argmax prefers the first, so that the
    top 1 need not be in the top 2. That one is ours.
    """
    try:
        from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "evaluate") from error
    classes = range(len(table.labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        table.true, table.predicted, labels=classes, zero_division=np.nan
    )
    there = support > 0
    probabilities = np.maximum(table.probabilities, _SMALLEST)
    bins = reliability_bins(table.probabilities.max(axis=1), table.right)
    first = (
        accuracy_score(table.true, table.predicted),
        recall[there].mean(),
        f1[there].mean(),
        _in_top2(table).mean(),
        log_loss(table.true, probabilities, labels=classes),
        sum(each.n * abs(each.accuracy - each.confidence) for each in bins if each.n) / table.n,
    )
    return np.concatenate([first, precision, recall, np.where(there, f1, math.nan)])


def terms(table: PredictionTable) -> Float64:
    """Return what each clip adds to the sums that all figures are made of, (n, 3 c + 12)."""
    classes = np.eye(len(table.labels))
    true, predicted = classes[table.true], classes[table.predicted]
    of_true = table.probabilities[np.arange(table.n), table.true]
    confidence = table.probabilities.max(axis=1)
    gaps = np.eye(N_BINS)[reliability_index(confidence)] * (table.right - confidence)[:, None]
    loss = -np.log(np.maximum(of_true, _SMALLEST))
    return np.column_stack([true, predicted, true * predicted, _in_top2(table), loss, gaps])


def figures(sums: Float64, c: int) -> Float64:
    """Make figures of sums of terms, (resamples, 3 c + 12) -> (resamples, 6 + 3 c)."""
    support, called, hits, (top2, loss), gaps = (
        sums[:, :c],
        sums[:, c : 2 * c],
        sums[:, 2 * c : 3 * c],
        sums[:, 3 * c : 3 * c + 2].T,
        sums[:, 3 * c + 2 :],
    )
    n = support.sum(axis=1)
    precision, recall = _ratio(hits, called), _ratio(hits, support)
    f1 = np.where(support > 0, _ratio(2 * hits, support + called), math.nan)
    ece = np.abs(gaps).sum(axis=1) / n
    means = np.nanmean(recall, axis=1), np.nanmean(f1, axis=1)
    first = np.column_stack([hits.sum(axis=1) / n, *means, top2 / n, loss / n, ece])
    return np.hstack([first, precision, recall, f1])


def _ratio(part: Float64, whole: Float64) -> Float64:
    return np.divide(part, whole, out=np.full_like(part, math.nan), where=whole > 0)


def _in_top2(table: PredictionTable) -> NDArray[np.bool_]:
    order = np.argsort(-table.probabilities, axis=1, kind="stable")[:, :2]
    return np.asarray((order == table.true[:, None]).any(axis=1))
