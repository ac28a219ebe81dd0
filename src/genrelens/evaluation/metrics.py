"""Metrics of a classifier: confusion matrix, accuracy, recall, Wilson interval, bins."""

from __future__ import annotations

import math
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


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, n_classes: int) -> Counts:
    """Count pairs of true and predicted class.

    Args:
        true: class indices, (n,).
        predicted: class indices, (n,).
        n_classes: number of classes.

    Returns:
        (n_classes, n_classes) int64; rows are true, columns predicted.

    Raises:
        ValueError: the lengths differ or an index is outside ``0..n_classes - 1``.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]

    """
    rows, columns = np.asarray(true, np.int64), np.asarray(predicted, np.int64)
    if len(rows) != len(columns):
        raise ValueError(f"{len(rows)} true classes and {len(columns)} predicted ones")
    for name, values in (("true", rows), ("predicted", columns)):
        if len(values) and not 0 <= values.min() <= values.max() < n_classes:
            raise ValueError(f"a {name} class is outside 0..{n_classes - 1}")
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def accuracy(confusion: ArrayLike) -> float:
    """Return the share of the diagonal, 0..1; NaN for an empty matrix.

    Example:
        >>> accuracy([[3, 1], [0, 4]])
        0.875

    """
    counts = np.asarray(confusion)
    return float(np.trace(counts) / counts.sum()) if counts.sum() else math.nan


def recalls(confusion: ArrayLike) -> NDArray[np.float64]:
    """Return the recall of each class, (n_classes,) in 0..1; NaN for a class without clips.

    Example:
        >>> recalls([[3, 1], [0, 4]]).tolist()
        [0.75, 1.0]

    """
    counts = np.asarray(confusion, dtype=np.float64)
    support = counts.sum(axis=1)
    result = np.full(len(counts), math.nan)
    np.divide(np.diagonal(counts), support, out=result, where=support > 0)
    return result


def macro_recall(confusion: ArrayLike) -> float:
    """Return the mean recall of the classes that have clips, 0..1; NaN without clips.

    Example:
        >>> macro_recall([[3, 1], [0, 4]])
        0.875

    """
    per_class = recalls(confusion)
    present = per_class[~np.isnan(per_class)]
    return float(present.mean()) if len(present) else math.nan


def wilson_interval(successes: float, n: int, *, z: float = 1.959964) -> tuple[float, float]:
    """Return the interval of a share (Wilson, 1927), at 95 % for the default ``z``.

    Args:
        successes: number of successful trials, 0..n; may be a fraction.
        n: number of independent trials; 0 gives (0, 1).
        z: quantile of the normal distribution.

    Returns:
        Lower and upper bound, in 0..1.

    Raises:
        ValueError: ``successes`` is outside 0..n.

    Example:
        >>> low, high = wilson_interval(24, 24)
        >>> round(low, 3), high
        (0.862, 1.0)

    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes={successes} must be in 0..n={n}")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - spread) / scale  # exactly
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


# ------------------------------------------------------------------------------- confidence


class ReliabilityBin(NamedTuple):
    """The clips with a confidence in ``(low, high]``: number, mean confidence and accuracy."""

    low: float
    high: float
    n: int
    confidence: float  # mean; NaN in an empty bin
    accuracy: float  # NaN in an empty bin


class RejectionPoint(NamedTuple):
    """Coverage and accuracy if only clips with confidence >= ``threshold`` are answered."""

    threshold: float
    coverage: float  # share of the clips that are answered
    accuracy: float  # share of these that are right


def reliability_index(confidence: Float64) -> NDArray[np.int64]:
    """Return for each value the index of its bin, ``(0, 0.1]`` to ``(0.9, 1]``, (n,)."""
    edges = np.arange(1, N_BINS) / N_BINS
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def reliability_bins(confidence: Float64, right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """Compare the confidence of a model with its accuracy in 10 equal-width bins.

    The expected calibration error is the mean absolute difference of both, weighted with ``n``
    (Guo, Pleiss, Sun & Weinberger: On Calibration of Modern Neural Networks, ICML 2017).

    Args:
        confidence: probability of the top label of each clip, (n,), 0..1.
        right: whether the top label is the true one, (n,).

    Returns:
        The 10 bins, the lowest confidence first.

    """
    index = reliability_index(confidence)
    counts = np.bincount(index, minlength=N_BINS)
    means = np.full((2, N_BINS), math.nan)
    for mean, values in zip(means, (confidence, right), strict=True):
        sums = np.bincount(index, weights=values, minlength=N_BINS)
        np.divide(sums, counts, out=mean, where=counts > 0)
    return tuple(
        ReliabilityBin(i / N_BINS, (i + 1) / N_BINS, int(n), float(mean), float(share))
        for i, (n, mean, share) in enumerate(zip(counts, *means, strict=True))
    )


def rejection_curve(confidence: Float64, right: NDArray[np.bool_]) -> tuple[RejectionPoint, ...]:
    """Return coverage and accuracy for each confidence threshold.

    Args:
        confidence: probability of the top label of each clip, (n,), 0..1.
        right: whether the top label is the true one, (n,).

    Returns:
        One point per distinct confidence, the highest threshold first; at the last point all clips
        are answered.

    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    hits = np.cumsum(right[order])
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(order) else order
    return tuple(
        RejectionPoint(float(falling[i]), (i + 1) / len(order), float(hits[i] / (i + 1)))
        for i in last.tolist()
    )
