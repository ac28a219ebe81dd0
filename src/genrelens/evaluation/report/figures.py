"""Figures of a report, which are readable in black and white and on a phone.

Series differ in marker, line style or hatching, not only in colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrelens.evaluation.metrics import wilson_interval
from genrelens.percentages import percent
from genrelens.plots import image_file

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import ConditionScores
    from genrelens.evaluation.scores import ClassScores, Estimate, Scores

__all__ = ["plot_recall", "plot_rejection", "plot_reliability", "plot_robustness"]

_DARK, _LIGHT, _PAPER = "#1f4e79", "#9db8d2", "#e4ecf4"
_WIDTH = 5.6  # inches; letters stay legible if a phone shows the whole width


def plot_reliability(scores: Scores, path: Path, *, before: Scores | None = None) -> None:
    """Draw a reliability diagram with the number of clips in each bin below it.

    The points of a calibrated model lie on the diagonal (Guo et al. 2017). The bars are the 95 %
    Wilson intervals of the bins.

    Args:
        scores: figures of the model.
        path: the image; its extension sets the format.
        before: figures of the same clips before the calibration, drawn for comparison.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    with image_file(path, _WIDTH, 6.2) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 100], [0, 100], color="0.5", linewidth=1, linestyle=":", label="ideal")
        if before is not None:
            _draw_bins(
                upper,
                before,
                "s--",
                color="0.5",
                mfc="white",
                mec="0.35",
                label=f"before calibration (ECE {percent(before.ece.value, 1)})",
            )
        name = "model" if before is None else "after calibration"
        label = f"{name} (ECE {percent(scores.ece.value, 1)})"
        _draw_bins(upper, scores, "o-", color=_DARK, label=label)
        upper.set(ylabel="clips that were right, %", xlim=(0, 100), ylim=(-2, 102))
        upper.legend(loc="upper left", frameon=False, fontsize=9)
        _draw_counts(lower, scores)
        _style_axes(upper, lower)


def _draw_bins(axes: Any, scores: Scores, line: str, **style: Any) -> None:
    """Draw the accuracy of each bin that has clips, with its interval."""
    bins = [entry for entry in scores.reliability if entry.n]
    centres = [100 * entry.confidence for entry in bins]
    heights = [100 * entry.accuracy for entry in bins]
    ends = [wilson_interval(round(entry.accuracy * entry.n), entry.n) for entry in bins]
    errors = [
        [h - 100 * low for h, (low, _) in zip(heights, ends, strict=True)],
        [100 * high - h for h, (_, high) in zip(heights, ends, strict=True)],
    ]
    axes.errorbar(
        centres,
        heights,
        np.maximum(errors, 0),
        fmt=line,
        elinewidth=0.8,
        capsize=2,
        markersize=5,
        linewidth=1.2,
        **style,
    )


def _draw_counts(axes: Any, scores: Scores) -> None:
    bins = scores.reliability
    bars = axes.bar(
        [100 * entry.low for entry in bins],
        [entry.n for entry in bins],
        [100 * (entry.high - entry.low) for entry in bins],
        align="edge",
        facecolor=_PAPER,
        edgecolor=_DARK,
        hatch="//",
        linewidth=0.8,
    )
    axes.bar_label(bars, [str(entry.n or "") for entry in bins], fontsize=8, padding=1)
    axes.margins(y=0.25)
    axes.set(xlabel="probability of the predicted genre, %", ylabel="clips")


def plot_rejection(scores: Scores, path: Path) -> None:
    """Draw the accuracy of the answers against the share of the clips that are answered.

    The grey band is the 95 % Wilson interval.

    Args:
        scores: figures of the model.
        path: the image; its extension sets the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    points = [point for point in scores.rejection if point.coverage > 0]
    counts = [max(1, round(point.coverage * scores.n)) for point in points]
    band = [
        wilson_interval(round(point.accuracy * n), n)
        for point, n in zip(points, counts, strict=True)
    ]
    coverage = [100 * point.coverage for point in points]
    with image_file(path, _WIDTH, 4.0) as figure:
        axes = figure.subplots()
        low, high = np.transpose(band)
        axes.fill_between(
            coverage, 100 * low, 100 * high, color="0.88", linewidth=0, label="95 % interval"
        )
        axes.plot(
            coverage,
            [100 * point.accuracy for point in points],
            "-",
            color=_DARK,
            linewidth=1.6,
            label="accuracy of the answers",
        )
        axes.axhline(
            100 * scores.accuracy.value,
            color="0.3",
            linestyle="--",
            linewidth=1,
            label=f"all clips answered: {percent(scores.accuracy.value, 1)}",
        )
        axes.set(
            xlabel="clips that get an answer (the highest probabilities first), %",
            xlim=(0, 100),
            ylabel="answers that are right, %",
            ylim=(0, 102),
        )
        axes.legend(loc="lower left", frameon=False, fontsize=9)
        _style_axes(axes)


def plot_recall(classes: Sequence[ClassScores], path: Path) -> None:
    """Draw the recall of each genre with its 95 % interval.

    Args:
        classes: the genres, the first at the top; a genre without clips has no bar.
        path: the image; its extension sets the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    labels = [f"{entry.label} ({entry.support})" for entry in classes]
    _draw_shares(labels, [entry.recall for entry in classes], path, name="recall")


def plot_robustness(rows: Sequence[ConditionScores], path: Path) -> None:
    """Draw the accuracy under each condition with its 95 % interval.

    Args:
        rows: the conditions, the first at the top; a dashed line marks its accuracy.
        path: the image; its extension sets the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    accuracies = [row.accuracy for row in rows]
    _draw_shares(
        [row.condition for row in rows],
        accuracies,
        path,
        name="accuracy",
        reference=accuracies[0].value,
    )


def _draw_shares(
    labels: Sequence[str],
    estimates: Sequence[Estimate],
    path: Path,
    *,
    name: str,
    reference: float | None = None,
) -> None:
    """Draw shares, 0..1, as horizontal bars with their intervals; NaN has no bar."""
    rows = [row for row, estimate in enumerate(estimates) if estimate.value == estimate.value]
    shown = 100 * np.array(
        [(estimates[i].value, estimates[i].low, estimates[i].high) for i in rows]
    ).reshape(-1, 3)
    values, low, high = shown.T
    with image_file(path, _WIDTH, 1.0 + 0.34 * len(labels)) as figure:
        axes = figure.subplots()
        axes.barh(rows, values, height=0.62, facecolor=_LIGHT, edgecolor=_DARK, linewidth=0.8)
        errors = np.maximum([values - low, high - values], 0)
        axes.errorbar(
            values, rows, xerr=errors, fmt="none", ecolor="black", elinewidth=1.1, capsize=3
        )
        for row, value in zip(rows, values, strict=True):
            axes.text(102, row, f"{value:.0f}", va="center", fontsize=9)
        if reference is not None:
            axes.axvline(100 * reference, color="0.3", linestyle="--", linewidth=1)
        axes.set_yticks(range(len(labels)), labels)
        axes.set(xlabel=f"{name}, %", xlim=(0, 100), ylim=(len(labels) - 0.4, -0.6))
        _style_axes(axes)


def _style_axes(*panels: Any) -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
