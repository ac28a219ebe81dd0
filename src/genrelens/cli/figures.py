"""How figures with intervals are written on the terminal."""

from __future__ import annotations

from genrelens.evaluation.bootstrap import Estimate

__all__ = ["interval_text", "with_interval"]


def with_interval(estimate: Estimate, form: str = "{:.1%}") -> str:
    """Write ``66.9% (59.2% to 74.1%)``, or why there is no such interval.

    Args:
        estimate: the figure.
        form: format of each number.

    """
    return f"{form.format(estimate.value)} ({interval_text(estimate, form)})"


def interval_text(estimate: Estimate, form: str = "{:.1%}") -> str:
    """Write ``59.2% to 74.1%``, with ``Wilson`` behind it if it is Wilson's, or ``no interval``."""
    if estimate.method == "none":
        return "no interval"
    low, high = form.format(estimate.low), form.format(estimate.high)
    return f"{low} to {high}" + (", Wilson" if estimate.method == "wilson" else "")
