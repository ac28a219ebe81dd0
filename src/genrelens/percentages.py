"""Percentages as text, written in the same way in all outputs.

===========================  =======================================  ================
what                         function                                 example
===========================  =======================================  ================
a probability in an answer   ``percent(p)``                           ``31 %``
a figure of an evaluation    ``percent(share, 1)``                    ``82.1 %``
its interval                 ``percent_range(low, high)``             ``75.6 to 88.1 %``
a difference of two figures  ``percent(change, 1, signed=True)``      ``+1.2 %``
the bars of one recording    ``percent_significant(p)``               ``0.08124 %``
===========================  =======================================  ================
"""

from __future__ import annotations

import math

__all__ = ["percent", "percent_range", "percent_significant"]


def percent(share: float, digits: int = 0, *, signed: bool = False) -> str:
    """Return a share as text in percent.

    Args:
        share: 0.5 is 50 %; NaN is written as ``"-"``.
        digits: number of decimals.
        signed: write a plus sign before values that are not negative, for differences.

    Example::

        >>> percent(0.3149), percent(0.8214, 1), percent(0.012, 1, signed=True)
        ('31 %', '82.1 %', '+1.2 %')

    """
    if math.isnan(share):
        return "-"
    return f"{100 * share:{'+' if signed else ''}.{digits}f} %"


def percent_range(low: float, high: float, digits: int = 1) -> str:
    """Return an interval of shares as text in percent; ``"-"`` if a bound is NaN.

    Example::

        >>> percent_range(0.7561, 0.8812)
        '75.6 to 88.1 %'

    """
    if math.isnan(low) or math.isnan(high):
        return "-"
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} %"


def percent_significant(probability: float) -> str:
    """Return a probability as text in percent, with four significant digits and no exponent.

    Probabilities below a billionth of a percent are written as ``"0.000 %"``.

    Example::

        >>> percent_significant(0.8512), percent_significant(0.0008124)
        ('85.12 %', '0.08124 %')

    """
    value = 100 * probability
    if value < 1e-9:
        return "0.000 %"
    exponent = int(f"{value:.3e}".partition("e")[2])  # of the rounded value: 99.996 is 1.000e+02
    return f"{value:.{max(0, 3 - exponent)}f} %"
