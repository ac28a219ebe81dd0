"""Intervals where the bootstrap has none: of few clips, or of clips that all fared alike.

A resample draws from what was measured. If every answer was right, every resample is 100 % right,
and the interval has no width, although 24 clips cannot show more than "at least 86 %". The same
holds for an accuracy of 0 %, for groups that are all equally right, and for two models with the
same answers. Below 10 units (clips, or groups where they are known) a percentile interval is too
narrow as well.

A share then gets Wilson's interval; n is the number of units, since clips of one group are no
independent evidence. Means and differences of shares combine Wilson's intervals by the method of
variance estimates recovery (Newcombe: Interval Estimation for the Difference Between Independent
Proportions, 1998; Zou & Donner: Construction of Confidence Intervals About Effect Measures, 2008).
A log loss and a calibration error have no such bound: they get no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from genrelens.evaluation.bootstrap import Estimate, percentile_interval, resampled_sums
from genrelens.evaluation.metrics import wilson_interval

__all__ = ["f1", "mean_f1", "mean_recall", "note", "paired_difference", "share", "unbounded"]

_FEWEST = 10  # units
_FLAT = 1e-9  # an interval narrower than this has no width but a rounding error


def share(found: Estimate, n_units: int) -> Estimate:
    """Check the interval of a share of clips.

    Args:
        found: the share, 0..1 or NaN, with its bootstrap interval.
        n_units: number of clips (or groups) that it is a share of.

    Returns:
        ``found``, or the share with Wilson's interval where the bootstrap has none.

    """
    return found if _has_bootstrap(found, n_units) else _of_share(found.value, n_units)


def f1(found: Estimate, n_units: int) -> Estimate:
    """Check the interval of the F1 of a class, as :func:`share` does.

    F1 is 2 J / (1 + J), where J is the share of correct clips among those that are of the class
    or were classified so. The bounds of J are Wilson's.

    Args:
        found: the F1, 0..1 or NaN, with its bootstrap interval.
        n_units: number of clips (or groups) of the class or classified so.

    """
    if _has_bootstrap(found, n_units):
        return found
    both = _of_share(found.value / (2 - found.value), n_units)
    low, high = (2 * bound / (1 + bound) for bound in both[1:])
    return Estimate(found.value, low, high, both.method)


def mean_recall(
    found: Estimate, recalls: Sequence[float], n_of_class: Sequence[int], n_units: int
) -> Estimate:
    """Check the interval of a macro recall; its classes share no clip and are independent.

    Args:
        found: the mean of ``recalls`` with its bootstrap interval.
        recalls: of each class; NaN without clips.
        n_of_class: number of clips (or groups) of each class.
        n_units: number of all clips (or groups).

    """
    if _has_bootstrap(found, n_units):
        return found
    pairs = zip(recalls, n_of_class, strict=True)
    parts = [_of_share(recall, n) for recall, n in pairs if not math.isnan(recall)]
    below = math.hypot(*(part.value - part.low for part in parts)) / len(parts)
    above = math.hypot(*(part.high - part.value for part in parts)) / len(parts)
    return _bounded(found.value, below, above, lowest=0)


def mean_f1(found: Estimate, parts: Sequence[Estimate], n_units: int) -> Estimate:
    """Check the interval of a macro F1: a wrong answer lowers two classes, so bounds are averaged.

    Args:
        found: the mean of ``parts`` with its bootstrap interval.
        parts: F1 of each class with its interval, as :func:`f1` returns it; NaN without clips.
        n_units: number of all clips (or groups).

    """
    if _has_bootstrap(found, n_units):
        return found
    there = [part for part in parts if not math.isnan(part.value)]
    low, high = (sum(bounds) / len(there) for bounds in zip(*(p[1:] for p in there), strict=True))
    return Estimate(found.value, low, high, "wilson")


def paired_difference(
    gains: NDArray[np.int64], units: Sequence[str], *, resamples: int, seed: int
) -> Estimate:
    """Return the difference of two accuracies on the same clips, with a paired interval.

    The bootstrap draws units, each with what both models answered. Where it has no interval, for
    instance because no clip fared differently, it is combined from Wilson's intervals of the
    share that was gained and of the share that was lost.

    Args:
        gains: of each clip, (n,): 1 if only the second is right, -1 if only the first, else 0.
        units: what is drawn, of each clip, (n,); see ``resampled_sums``.
        resamples: number of bootstrap resamples.
        seed: of the bootstrap.

    """
    n_units, value = len(set(units)), float(gains.mean())
    columns = np.column_stack([gains, np.ones(len(gains))])
    sums = resampled_sums(columns, units, resamples=resamples, seed=seed)
    low, high = percentile_interval(sums[:, 0] / sums[:, 1])
    found = Estimate(value, min(value, float(low)), max(value, float(high)))
    if _has_bootstrap(found, n_units):
        return found
    return _of_difference(float((gains > 0).mean()), float((gains < 0).mean()), n_units)


def _of_difference(gained: float, lost: float, n_units: int) -> Estimate:
    """Combine the intervals of two shares of a multinomial."""
    up, down = _of_share(gained, n_units), _of_share(lost, n_units)
    free = (1 - gained) * (1 - lost)
    correlation = -math.sqrt(gained * lost / free) if free else 0.0
    below = _hypot(up.value - up.low, down.high - down.value, correlation)
    above = _hypot(up.high - up.value, down.value - down.low, correlation)
    return _bounded(gained - lost, below, above, lowest=-1)


def unbounded(found: Estimate, n_units: int, *, alike: bool) -> Estimate:
    """Check the interval of a log loss or of a calibration error, which nothing bounds.

    Args:
        found: the figure with its bootstrap interval.
        n_units: number of clips (or groups).
        alike: whether all answers are right, or all wrong: no resample holds any other.

    Returns:
        ``found``, or the figure without an interval.

    """
    if _has_bootstrap(found, n_units) and not alike:
        return found
    return Estimate(found.value, math.nan, math.nan, "none")


def note(found: Iterable[Estimate], unit: str) -> str:
    """Return a sentence on intervals that are not of the bootstrap; empty if all are.

    Args:
        found: the figures that are shown.
        unit: ``"clip"`` or ``"group"``.

    """
    methods = {each.method for each in found if not math.isnan(each.value)}
    sentences = []
    if "wilson" in methods:
        sentences.append(
            f"Intervals marked Wilson are computed from the number of {unit}s: it is below "
            f"{_FEWEST}, or all {unit}s of a figure fared alike, so resampling shows no spread."
        )
    if "none" in methods:
        sentences.append(
            "Log loss and calibration error then have no interval: a mistake that was not seen "
            "could cost any amount."
        )
    return " ".join(sentences)


def _has_bootstrap(found: Estimate, n_units: int) -> bool:
    return n_units >= _FEWEST and found.high - found.low > _FLAT


def _of_share(value: float, n_units: int) -> Estimate:
    if math.isnan(value):
        return Estimate(value, math.nan, math.nan, "none")
    return Estimate(value, *wilson_interval(value * n_units, n_units), "wilson")


def _hypot(a: float, b: float, correlation: float) -> float:
    """Return the half-width of a difference whose terms have half-widths ``a`` and ``b``."""
    return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))


def _bounded(value: float, below: float, above: float, *, lowest: float) -> Estimate:
    return Estimate(value, max(lowest, value - below), min(1.0, value + above), "wilson")
