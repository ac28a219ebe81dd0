"""Text of figures with their intervals, for the terminal."""

from __future__ import annotations

from typing import Literal

from genrelens.evaluation.bootstrap import Estimate
from genrelens.percentages import percent, percent_range

__all__ = ["figure_text", "interval_text"]

Form = Literal["percent", "change", "points", "number"]


def figure_text(estimate: Estimate, form: Form = "percent") -> str:
    """Return a figure and its interval, for instance ``66.9 % (59.2 to 74.1 %)``.

    Args:
        estimate: the figure.
        form: ``"percent"``, ``"change"`` (in percent with a sign), ``"points"`` (the same without
            ``%``) or ``"number"`` (three decimals).

    """
    return f"{_value(estimate.value, form)} ({interval_text(estimate, form)})"


def interval_text(estimate: Estimate, form: Form = "percent") -> str:
    """Return an interval as ``59.2 to 74.1 %``, with ``, Wilson`` if it is one of Wilson's.

    Without an interval, return ``no interval``.
    """
    if estimate.method == "none":
        return "no interval"
    if form == "percent":
        text = percent_range(estimate.low, estimate.high)
    else:
        low = _value(estimate.low, form).removesuffix(" %")
        text = f"{low} to {_value(estimate.high, form)}"
    return text + (", Wilson" if estimate.method == "wilson" else "")


def _value(value: float, form: Form) -> str:
    if form == "number":
        return f"{value:.3f}"
    if form == "points":
        return f"{100 * value:+.1f}"
    return percent(value, 1, signed=form == "change")
