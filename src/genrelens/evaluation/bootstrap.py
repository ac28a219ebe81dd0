"""The bootstrap: how far a figure would move with other clips, or with other artists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "Method", "percentile_interval", "resampled_sums"]

_AT_ONCE = 4_000_000  # counts drawn in one go: 32 MB

Float64 = NDArray[np.float64]
Method = Literal["bootstrap", "wilson", "none"]


class _Bounds(NamedTuple):
    value: float
    low: float
    high: float


class Estimate(_Bounds):
    """A figure and its 95 % interval: a tuple of ``value``, ``low`` and ``high``.

    Attributes:
        value: of the figure; NaN where it is not defined.
        low: lower bound, NaN where there is no interval.
        high: upper bound, NaN where there is no interval.
        method: how the interval was computed. ``"bootstrap"``: percentiles of resamples.
            ``"wilson"``: from Wilson's interval of a share, where the bootstrap has none (see
            :mod:`genrelens.evaluation.wilson`). ``"none"``: there is no interval.

    """

    method: Method

    def __new__(cls, value: float, low: float, high: float, method: Method = "bootstrap") -> Self:
        """Make the tuple; ``method`` is an attribute and no member of it."""
        made = super().__new__(cls, value, low, high)
        made.method = method
        return made

    def _asdict(self) -> dict[str, Any]:
        return {**super()._asdict(), "method": self.method}


def resampled_sums(values: Float64, units: Sequence[str], *, resamples: int, seed: int) -> Float64:
    """Sum rows over bootstrap resamples.

    A resample draws as many units as there are, with replacement, each with all its rows. Where
    a unit is an artist it is the cluster bootstrap (Davison & Hinkley: Bootstrap Methods and
    their Application, 1997, section 3.8): clips of one artist are no independent evidence.

    Args:
        values: (n, k).
        units: name of each row's unit, (n,). Their order does not matter.
        resamples: how many.
        seed: of the draws.

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
        samples: (resamples, ...); NaN where a figure is not defined, which does not count.

    Returns:
        Lower and upper bound, (...); NaN where no resample defines the figure.

    """
    defined = ~np.isnan(samples).all(axis=0)
    bounds = np.full((2, *samples.shape[1:]), np.nan)
    bounds[:, defined] = np.nanquantile(samples[:, defined], [0.025, 0.975], axis=0)
    return bounds[0], bounds[1]
