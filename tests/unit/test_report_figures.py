"""Figures of a report: positions and values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.report.figures import (
    plot_recall,
    plot_rejection,
    plot_reliability,
    plot_robustness,
)
from genrelens.evaluation.robustness import ConditionScores
from genrelens.evaluation.scores import ClassScores, Estimate
from support.drawn import figures, ticks
from support.evaluation_results import scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

__all__ = ["figures"]  # the fixture


def errorbars(axes: Axes) -> list[ErrorbarContainer]:
    from matplotlib.container import ErrorbarContainer

    return [each for each in axes.containers if isinstance(each, ErrorbarContainer)]


def ends(bars: ErrorbarContainer) -> list[tuple[float, float]]:
    """Return the ends of the error bars along their axis."""
    segments = np.array(bars.lines[2][0].get_segments())
    along = 0 if bars.has_xerr else 1
    return [(float(low), float(high)) for low, high in segments[:, :, along]]


def test_reliability(figures: list[Figure], tmp_path: Path) -> None:
    """Four clips at 0.9 (three right), two at 0.6 (one right)."""
    plot_reliability(scores(), tmp_path / "r.png")
    upper, lower = figures[0].axes
    (model,) = errorbars(upper)
    np.testing.assert_allclose(model.lines[0].get_xydata(), [[60, 50], [90, 75]])
    expected = [tuple(100 * np.array(wilson_interval(k, n))) for k, n in [(1, 2), (3, 4)]]
    np.testing.assert_allclose(ends(model), expected)
    np.testing.assert_array_equal(upper.lines[0].get_xydata(), [[0, 0], [100, 100]])
    assert [bar.get_height() for bar in lower.patches] == [0, 0, 0, 0, 0, 2, 0, 0, 4, 0]
    assert [bar.get_x() for bar in lower.patches] == pytest.approx(range(0, 100, 10))
    assert all(bar.get_hatch() for bar in lower.patches)


def test_reliability_before_and_after(figures: list[Figure], tmp_path: Path) -> None:
    """The series differ in line style and marker, not only in colour."""
    plot_reliability(scores(), tmp_path / "r.png", before=scores(sharpness=2))
    before, after = errorbars(figures[0].axes[0])
    assert before.lines[0].get_xdata().max() > after.lines[0].get_xdata().max()
    looks = [
        (each.lines[0].get_linestyle(), each.lines[0].get_marker()) for each in (before, after)
    ]
    assert looks == [("--", "s"), ("-", "o")]
    legend = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert [text.partition(" (ECE ")[0] for text in legend] == [
        "ideal",
        "before calibration",
        "after calibration",
    ]


def test_rejection(figures: list[Figure], tmp_path: Path) -> None:
    """Of the four clips with the highest probabilities three are right; of all six, four."""
    plot_rejection(scores(), tmp_path / "r.png")
    (axes,) = figures[0].axes
    curve, overall = axes.lines
    np.testing.assert_allclose(curve.get_xydata(), [[100 * 4 / 6, 75], [100, 100 * 4 / 6]])
    assert overall.get_ydata()[0] == pytest.approx(100 * 4 / 6)
    band = axes.collections[0].get_paths()[0].get_extents()
    assert band.ymin == pytest.approx(100 * wilson_interval(4, 6)[0])
    assert band.ymax == pytest.approx(100 * wilson_interval(3, 4)[1])


def bars_of(axes: Axes) -> dict[float, float]:
    from matplotlib.container import BarContainer

    (bars,) = (each for each in axes.containers if isinstance(each, BarContainer))
    return {bar.get_y() + bar.get_height() / 2: bar.get_width() for bar in bars}


def test_recall(figures: list[Figure], tmp_path: Path) -> None:
    nothing = Estimate(math.nan, math.nan, math.nan)
    classes = [
        ClassScores("jazz", 40, nothing, Estimate(0.5, 0.3, 0.7), nothing),
        ClassScores("polka", 0, nothing, nothing, nothing),
        ClassScores("$rock$", 2, nothing, Estimate(1.0, 1.0, 1.0), nothing),
    ]
    plot_recall(classes, tmp_path / "r.png")
    (axes,) = figures[0].axes
    assert ticks(axes, "y") == ["jazz (40)", "polka (0)", "$rock$ (2)"]
    assert bars_of(axes) == pytest.approx({0: 50, 2: 100})
    assert ends(errorbars(axes)[0]) == [pytest.approx((30, 70)), pytest.approx((100, 100))]
    assert {text.get_position()[1]: text.get_text() for text in axes.texts} == {0: "50", 2: "100"}
    low, high = axes.get_ylim()
    assert low > high  # the first is on top


def test_recall_without_clips(figures: list[Figure], tmp_path: Path) -> None:
    nothing = Estimate(math.nan, math.nan, math.nan)
    plot_recall([ClassScores("jazz", 0, nothing, nothing, nothing)], tmp_path / "r.png")
    assert bars_of(figures[0].axes[0]) == {}


def condition(name: str, accuracy: Estimate) -> ConditionScores:
    return ConditionScores(
        condition=name,
        description="",
        n=9,
        accuracy=accuracy,
        macro_recall=accuracy,
        difference=Estimate(0, 0, 0),
        changed=0.0,
        confidence_change=0.0,
    )


def test_robustness(figures: list[Figure], tmp_path: Path) -> None:
    rows = [condition("clean", Estimate(0.8, 0.7, 0.9)), condition("room", Estimate(0.6, 0.5, 0.7))]
    plot_robustness(rows, tmp_path / "r.png")
    (axes,) = figures[0].axes
    assert ticks(axes, "y") == ["clean", "room"]
    assert bars_of(axes) == pytest.approx({0: 80, 1: 60})
    assert axes.lines[-1].get_xdata()[0] == pytest.approx(80)


@pytest.mark.parametrize("name", ["r.png", "r.svg"])
def test_probabilities_that_are_all_one(name: str, figures: list[Figure], tmp_path: Path) -> None:
    """All clips are in one bin at the edge of the figure, and the curve has one point."""
    sure = scores(sharpness=300)
    plot_reliability(sure, tmp_path / name)
    plot_rejection(sure, tmp_path / name)
    reliability, rejection = figures
    (model,) = errorbars(reliability.axes[0])
    np.testing.assert_allclose(model.lines[0].get_xydata(), [[100, 100 * 4 / 6]])
    np.testing.assert_allclose(rejection.axes[0].lines[0].get_xydata(), [[100, 100 * 4 / 6]])
