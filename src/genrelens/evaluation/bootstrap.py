"""95 % intervals: the bootstrap, and Wilson's interval where the bootstrap has none.

The bootstrap resamples the clips (or groups) with replacement and returns percentiles of the
resulting figures. It has no valid interval in two cases:

- All units have the same result. If all answers are right, every resample is 100 % right and the
  interval has no width, although 24 right answers only show an accuracy of at least 86 %. The same
  holds for an accuracy of 0 %, for groups with equal accuracy, and for two models with equal
  answers.
- There are fewer than 10 units (clips, or groups if they are known): percentile intervals of so
  few units are too narrow.

In these cases a share gets Wilson's interval with n = number of units, because clips of one group
are not independent evidence. Means and differences of shares combine Wilson's intervals by the
method of variance estimates recovery (Newcombe: Interval Estimation for the Difference Between
Independent Proportions, 1998; Zou & Donner: Construction of Confidence Intervals About Effect
Measures, 2008). A log loss and a calibration error have no upper bound, so they get no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.evaluation.metrics import wilson_interval

__all__ = [
    "Estimate",
    "Method",
    "checked_f1",
    "checked_loss",
    "checked_macro_f1",
    "checked_macro_recall",
    "checked_share",
    "interval_note",
    "paired_difference",
    "percentile_estimates",
    "percentile_interval",
    "resampled_sums",
]

_AT_ONCE = 4_000_000  # counts drawn at once: 32 MB
_FEWEST = 10  # smallest number of units for the bootstrap
_FLAT = 1e-9  # a smaller width of an interval is a rounding error

Float64 = NDArray[np.float64]
Method = Literal["bootstrap", "wilson", "none"]


class _Bounds(NamedTuple):
    value: float
    low: float
    high: float


class Estimate(_Bounds):
    """A figure and its 95 % interval: a tuple of ``value``, ``low`` and ``high``.

    Attributes:
        value: the figure; NaN where it is not defined.
        low: lower bound; NaN where there is no interval.
        high: upper bound; NaN where there is no interval.
        method: how the interval was computed. ``"bootstrap"``: percentiles of resamples.
            ``"wilson"``: from Wilson's interval of a share, where the bootstrap has none.
            ``"none"``: there is no interval.

    Example:
        >>> accuracy = Estimate(0.81, 0.75, 0.87)
        >>> value, low, high = accuracy
        >>> accuracy.method
        'bootstrap'

    """

    method: Method

    def __new__(cls, value: float, low: float, high: float, method: Method = "bootstrap") -> Self:
        """Create the tuple; ``method`` is an attribute, not an item of the tuple."""
        made = super().__new__(cls, value, low, high)
        made.method = method
        return made

    def _asdict(self) -> dict[str, Any]:
        return {**super()._asdict(), "method": self.method}


# ------------------------------------------------------------------------------- bootstrap


def resampled_sums(values: Float64, units: Sequence[str], *, resamples: int, seed: int) -> Float64:
    """Sum rows over bootstrap resamples.

    A resample draws n of the n units with replacement, each with all its rows. If a unit is an
    artist, this is the cluster bootstrap (Davison & Hinkley: Bootstrap Methods and their
    Application, 1997, section 3.8), because clips of one artist are not independent evidence.

    Args:
        values: the rows, (n, k).
        units: name of the unit of each row, (n,). The order of the units does not matter.
        resamples: number of resamples.
        seed: seed of the draws.

    Returns:
        (resamples, k) float64.

    """
    number = {name: i for i, name in enumerate(sorted(set(units)))}
    totals = np.zeros((len(number), values.shape[1]))
    np.add.at(totals, [number[unit] for unit in units], values)
    rng = np.random.default_rng(seed)
    even = np.full(len(number), 1 / len(number))
    chunk = max(1, _AT_ONCE // len(number))
    return np.concatenate(
        [
            rng.multinomial(len(number), even, min(chunk, resamples - start)) @ totals
            for start in range(0, resamples, chunk)
        ]
    )


def percentile_interval(samples: Float64) -> tuple[Float64, Float64]:
    """Return the 2.5th and the 97.5th percentile of each column.

    Args:
        samples: (resamples, ...); NaN where a figure is not defined. NaN is ignored.

    Returns:
        Lower and upper bound, (...); NaN where no resample defines the figure.

    """
    defined = ~np.isnan(samples).all(axis=0)
    bounds = np.full((2, *samples.shape[1:]), np.nan)
    bounds[:, defined] = np.nanquantile(samples[:, defined], [0.025, 0.975], axis=0)
    return bounds[0], bounds[1]


def percentile_estimates(values: Float64, samples: Float64) -> list[Estimate]:
    """Return figures with percentile intervals; an interval is widened to include its figure.

    Args:
        values: the figures, (k,).
        samples: the figures of the resamples, (resamples, k).

    """
    low, high = percentile_interval(samples)
    low, high = np.fmin(low, values), np.fmax(high, values)
    return [Estimate(*each) for each in np.transpose([values, low, high]).tolist()]


def paired_difference(
    gains: NDArray[np.int64], units: Sequence[str], *, resamples: int, seed: int
) -> Estimate:
    """Return the difference of two accuracies on the same clips, with a paired interval.

    The bootstrap draws units, each with the answers of both models. If it has no interval, for
    instance because both models gave the same answers, Wilson's intervals of the gained and of the
    lost share are combined.

    Args:
        gains: for each clip, (n,): 1 if only the second model is right, -1 if only the first is,
            else 0.
        units: name of each clip's unit, (n,); see :func:`resampled_sums`.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    """
    n_units = len(set(units))
    columns = np.column_stack([gains, np.ones(len(gains))])
    sums = resampled_sums(columns, units, resamples=resamples, seed=seed)
    (found,) = percentile_estimates(np.array([gains.mean()]), sums[:, :1] / sums[:, 1:])
    if _has_bootstrap(found, n_units):
        return found
    return _share_difference(float((gains > 0).mean()), float((gains < 0).mean()), n_units)


# ------------------------------------------------------------------------------- Wilson


def checked_share(found: Estimate, n_units: int) -> Estimate:
    """Return a share with Wilson's interval if the bootstrap has none for it.

    Args:
        found: the share, 0..1 or NaN, with its bootstrap interval.
        n_units: number of clips (or groups) that the share refers to.

    """
    return found if _has_bootstrap(found, n_units) else _wilson_share(found.value, n_units)


def checked_f1(found: Estimate, n_units: int) -> Estimate:
    """Return the F1 of a class with Wilson's interval if the bootstrap has none for it.

    F1 is 2 J / (1 + J), where J is the share of correct clips among the clips whose true or
    predicted class is this class. The bounds of J are Wilson's.

    Args:
        found: the F1, 0..1 or NaN, with its bootstrap interval.
        n_units: number of clips (or groups) whose true or predicted class is this class.

    """
    if _has_bootstrap(found, n_units):
        return found
    jaccard = _wilson_share(found.value / (2 - found.value), n_units)
    low, high = (2 * bound / (1 + bound) for bound in jaccard[1:])
    return Estimate(found.value, low, high, jaccard.method)


def checked_macro_recall(
    found: Estimate, recalls: Sequence[float], n_of_class: Sequence[int], n_units: int
) -> Estimate:
    """Return a macro recall with Wilson's interval if the bootstrap has none for it.

    No clip is in two classes, so the recalls are independent.

    Args:
        found: the mean of ``recalls`` with its bootstrap interval.
        recalls: recall of each class; NaN for a class without clips.
        n_of_class: number of clips (or groups) of each class.
        n_units: number of all clips (or groups).

    """
    if _has_bootstrap(found, n_units):
        return found
    pairs = zip(recalls, n_of_class, strict=True)
    parts = [_wilson_share(recall, n) for recall, n in pairs if not math.isnan(recall)]
    below = math.hypot(*(part.value - part.low for part in parts)) / len(parts)
    above = math.hypot(*(part.high - part.value for part in parts)) / len(parts)
    return _bounded(found.value, below, above, lowest=0)


def checked_macro_f1(found: Estimate, parts: Sequence[Estimate], n_units: int) -> Estimate:
    """Return a macro F1 with averaged Wilson bounds if the bootstrap has no interval for it.

    The bounds are averaged because a wrong answer lowers the F1 of two classes.

    Args:
        found: the mean of ``parts`` with its bootstrap interval.
        parts: F1 of each class from :func:`checked_f1`; NaN for a class without clips.
        n_units: number of all clips (or groups).

    """
    if _has_bootstrap(found, n_units):
        return found
    defined = [part for part in parts if not math.isnan(part.value)]
    bounds = zip(*(part[1:] for part in defined), strict=True)
    low, high = (sum(each) / len(defined) for each in bounds)
    return Estimate(found.value, low, high, "wilson")


def checked_loss(found: Estimate, n_units: int, *, alike: bool) -> Estimate:
    """Return a log loss or a calibration error, without an interval if the bootstrap has none.

    Args:
        found: the figure with its bootstrap interval.
        n_units: number of clips (or groups).
        alike: whether all answers are right, or all wrong, so that all resamples are alike.

    """
    if _has_bootstrap(found, n_units) and not alike:
        return found
    return Estimate(found.value, math.nan, math.nan, "none")


def interval_note(found: Iterable[Estimate], unit: str) -> str:
    """Return a note on the intervals that do not come from the bootstrap; empty if all do.

    Args:
        found: the figures that are shown.
        unit: ``"clip"`` or ``"group"``.

    Example::

        print(interval_note([scores.accuracy, scores.ece], scores.bootstrap["unit"]))

    """
    methods = {each.method for each in found if not math.isnan(each.value)}
    sentences = []
    if "wilson" in methods:
        sentences.append(
            f"Intervals marked Wilson are computed from the number of {unit}s: there are fewer "
            f"than {_FEWEST}, or all {unit}s of a figure have the same result, so that "
            f"all resamples are alike."
        )
    if "none" in methods:
        sentences.append(
            "Log loss and calibration error then have no interval, because a single mistake "
            "could raise them by any amount."
        )
    return " ".join(sentences)


def _has_bootstrap(found: Estimate, n_units: int) -> bool:
    return n_units >= _FEWEST and found.high - found.low > _FLAT


def _wilson_share(value: float, n_units: int) -> Estimate:
    if math.isnan(value):
        return Estimate(value, math.nan, math.nan, "none")
    return Estimate(value, *wilson_interval(value * n_units, n_units), "wilson")


def _share_difference(gained: float, lost: float, n_units: int) -> Estimate:
    """Combine the intervals of two shares of a multinomial distribution."""
    up, down = _wilson_share(gained, n_units), _wilson_share(lost, n_units)
    free = (1 - gained) * (1 - lost)
    correlation = -math.sqrt(gained * lost / free) if free else 0.0
    below = _half_width(up.value - up.low, down.high - down.value, correlation)
    above = _half_width(up.high - up.value, down.value - down.low, correlation)
    return _bounded(gained - lost, below, above, lowest=-1)


def _half_width(a: float, b: float, correlation: float) -> float:
    """Return the half-width of a difference whose terms have the half-widths ``a`` and ``b``."""
    return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))


def _bounded(value: float, below: float, above: float, *, lowest: float) -> Estimate:
    return Estimate(value, max(lowest, value - below), min(1.0, value + above), "wilson")
