"""The figure of the leak: readable in black and white, and on a phone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genrelens.evaluation.bootstrap import Estimate
from genrelens.evaluation.leak import Leak
from genrelens.plots import picture

__all__ = ["PROTOCOLS", "plot_leak"]

PROTOCOLS = {"segment": "by segment\n(a leak)", "clip": "by clip", "group": "by artist"}
"""What a protocol is called in figures."""

_HEIGHT = 0.36  # of a bar; the bars of a protocol stand one below the other


def plot_leak(leak: Leak, path: Path) -> None:
    """Draw the accuracy under each protocol with its 95 % interval, of segments and of clips.

    Args:
        leak: what was measured.
        path: of the picture; its ending says the format.

    Raises:
        DataError: the picture cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    series: dict[str, dict[float, Estimate]] = {"3 s segments": {}, "whole clips": {}}
    for row, score in enumerate(leak.scores):
        shift = _HEIGHT / 2 if score.clips else 0
        series["3 s segments"][row - shift] = score.segments.accuracy
        if score.clips:
            series["whole clips"][row + shift] = score.clips.accuracy
    with picture(path, 5.6, 1.2 + 0.62 * len(leak.scores)) as figure:
        axes = figure.subplots()
        for (name, bars), (colour, hatch) in zip(
            series.items(), (("#9db8d2", ""), ("#e4ecf4", "//")), strict=True
        ):
            rows, shares = list(bars), 100 * np.array(list(bars.values()))
            values, low, high = shares.T
            axes.barh(
                rows,
                values,
                height=_HEIGHT,
                facecolor=colour,
                edgecolor="#1f4e79",
                hatch=hatch,
                label=name,
            )
            axes.errorbar(
                values,
                rows,
                xerr=[values - low, high - values],
                fmt="none",
                ecolor="black",
                capsize=3,
            )
            for place, value in zip(rows, values, strict=True):
                axes.text(
                    1.5,
                    place,
                    f"{value:.0f} %",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )
        axes.set_yticks(
            range(len(leak.scores)), [PROTOCOLS[score.protocol] for score in leak.scores]
        )
        axes.set(xlabel="accuracy, %", xlim=(0, 100), ylim=(len(leak.scores) - 0.4, -0.6))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", fontsize=8)
