"""Counts and rates of a classifier, and how far they and its probabilities can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "N_BINS",
    "RejectionPoint",
    "ReliabilityBin",
    "accuracy",
    "confusion_matrix",
    "macro_recall",
    "recalls",
    "rejection_curve",
    "reliability_bins",
    "reliability_index",
    "wilson_interval",
]

N_BINS = 10

Counts = NDArray[np.int64]
Float64 = NDArray[np.float64]


def confusion_matrix(true: Sequence[int], predicted: Sequence[int], n_classes: int) -> Counts:
    """Count pairs of true and predicted class.

    Args:
        true: class indices, (n,).
        predicted: class indices, (n,).
        n_classes: number of classes.

    Returns:
        (n_classes, n_classes) int64; rows are true, columns predicted.

    Raises:
        ValueError: the lengths differ or an index is outside ``0..n_classes - 1``.

    """
    if len(true) != len(predicted):
        raise ValueError(f"{len(true)} true classes but {len(predicted)} predicted ones")
    for name, values in (("true", true), ("predicted", predicted)):
        if len(values) and not 0 <= min(values) <= max(values) < n_classes:
            raise ValueError(f"{name} class outside 0..{n_classes - 1}")
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (np.asarray(true, np.int64), np.asarray(predicted, np.int64)), 1)
    return counts


def accuracy(confusion: ArrayLike) -> float:
    """Share of the diagonal; NaN for an empty matrix."""
    counts = np.asarray(confusion)
    return float(np.trace(counts) / counts.sum()) if counts.sum() else math.nan


def recalls(confusion: ArrayLike) -> NDArray[np.float64]:
    """Recall of each class, (n_classes,); NaN for a class without clips."""
    counts = np.asarray(confusion, dtype=np.float64)
    support = counts.sum(axis=1)
    result = np.full(len(counts), math.nan)
    np.divide(np.diagonal(counts), support, out=result, where=support > 0)
    return result


def macro_recall(confusion: ArrayLike) -> float:
    """Mean recall of the classes that have clips; NaN if none has."""
    per_class = recalls(confusion)
    present = per_class[~np.isnan(per_class)]
    return float(present.mean()) if len(present) else math.nan


def wilson_interval(successes: float, n: int, *, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a share, 95 % unless ``z`` says otherwise (Wilson, 1927).

    Args:
        successes: how many of ``n``, 0..n; a fraction where trials were right in part.
        n: number of independent trials; 0 gives (0, 1).
        z: quantile of the normal distribution.

    Returns:
        Lower and upper bound, in 0..1.

    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes={successes} must be in 0..n={n}")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - spread) / scale  # not a rounding error off
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


# ------------------------------------------------------------------------------- confidence


class ReliabilityBin(NamedTuple):
    """Clips whose confidence lies in ``(low, high]``, and how often they are right."""

    low: float
    high: float
    n: int
    confidence: float  # mean; NaN in an empty bin
    accuracy: float  # NaN in an empty bin


class RejectionPoint(NamedTuple):
    """What comes of answering only where the confidence is ``threshold`` or more."""

    threshold: float
    coverage: float  # share of the clips that are answered
    accuracy: float  # among them


def reliability_index(confidence: Float64) -> NDArray[np.int64]:
    """Tell in which of 10 equal-width bins, ``(0, 0.1]`` to ``(0.9, 1]``, each value lies, (n,)."""
    edges = np.arange(1, N_BINS) / N_BINS
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def reliability_bins(confidence: Float64, right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """Compare how sure a model is with how often it is right.

    The expected calibration error is the mean distance of the two, weighted with ``n`` (Guo,
    Pleiss, Sun & Weinberger: On Calibration of Modern Neural Networks, ICML 2017).

    Args:
        confidence: top probabilities, (n,), 0..1.
        right: whether the top label is the true one, (n,).

    Returns:
        10 bins.

    """
    index = reliability_index(confidence)
    counts = np.bincount(index, minlength=N_BINS)
    means = np.full((2, N_BINS), math.nan)
    for mean, values in zip(means, (confidence, right), strict=True):
        sums = np.bincount(index, weights=values, minlength=N_BINS)
        np.divide(sums, counts, out=mean, where=counts > 0)
    return tuple(
        ReliabilityBin(i / N_BINS, (i + 1) / N_BINS, int(n), float(sure), float(share))
        for i, (n, sure, share) in enumerate(zip(counts, *means, strict=True))
    )


def rejection_curve(confidence: Float64, right: NDArray[np.bool_]) -> tuple[RejectionPoint, ...]:
    """Trade answers for accuracy: only the surest clips are answered.

    Args:
        confidence: (n,).
        right: (n,).

    Returns:
        One point for each confidence that occurs, the highest threshold first; the last point
        answers all clips.

    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    hits = np.cumsum(right[order])
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(order) else order
    return tuple(
        RejectionPoint(float(falling[i]), (i + 1) / len(order), float(hits[i] / (i + 1)))
        for i in last.tolist()
    )
