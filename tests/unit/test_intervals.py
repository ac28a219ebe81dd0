"""Intervals where the bootstrap has none: by hand, against theory, and their coverage."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.evaluation.bootstrap import interval_note, paired_difference
from genrelens.evaluation.comparison import compare
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.report.write import write_report
from genrelens.evaluation.scores import Scores, score
from support.commands import run

Z2 = 1.959964**2


def judged(right: Any, **columns: Any) -> PredictionTable:
    """Three genres in turns; ``right`` marks the clips that are classified correctly."""
    hits = np.asarray(right, bool)
    true = np.arange(len(hits)) % 3
    sure = np.linspace(0.6, 0.9, len(hits))[:, None]
    called = np.eye(3)[np.where(hits, true, (true + 1) % 3)]
    return PredictionTable(
        labels=("jazz", "pop", "rock"),
        clips=tuple(f"clip {i}" for i in range(len(hits))),
        true=true,
        probabilities=called * sure + (1 - called) * (1 - sure) / 2,
        **columns,
    )


# ------------------------------------------------------------------------------ shares


def test_a_perfect_score_on_24_clips() -> None:
    """Not 100.0 % to 100.0 %: Wilson's lower bound is n / (n + z^2)."""
    scores = score(judged(np.ones(24)))
    assert scores.accuracy == pytest.approx((1, 24 / (24 + Z2), 1))
    assert scores.accuracy.method == scores.top2.method == "wilson"
    for each in scores.per_class:
        assert each.recall == pytest.approx((1, 8 / (8 + Z2), 1))
        assert each.precision == each.recall
        jaccard = 8 / (8 + Z2)
        assert each.f1 == pytest.approx((1, 2 * jaccard / (1 + jaccard), 1))


def test_no_clip_is_right() -> None:
    scores = score(judged(np.zeros(24)))
    assert scores.accuracy == pytest.approx((0, 0, Z2 / (24 + Z2)))
    assert scores.macro_recall.low == 0
    assert 0.1 < scores.macro_recall.high < 0.35


def test_the_effective_number_is_that_of_the_groups() -> None:
    """100 clips of 10 artists, all right: the interval is that of 10 clips."""
    groups = tuple(f"artist {i % 10}" for i in range(100))
    found = score(judged(np.ones(100), groups=groups)).accuracy
    assert found == pytest.approx((1, 10 / (10 + Z2), 1))


def test_groups_with_equal_results() -> None:
    """Each of 20 artists has one right and one wrong clip: every resample is 50 % right."""
    groups = tuple(f"artist {i // 2}" for i in range(40))
    found = score(judged(np.tile([1, 0], 20), groups=groups)).accuracy
    assert found == pytest.approx((0.5, *wilson_interval(10, 20)))


def test_ten_clips_with_a_mistake_have_a_bootstrap_and_nine_have_none() -> None:
    methods = [score(judged(np.arange(n) > 0)).accuracy.method for n in (9, 10)]
    assert methods == ["wilson", "bootstrap"]


# ------------------------------------------------------------------------------ means


def test_macro_recall_by_hand() -> None:
    """Three independent recalls of 1: the distances to Wilson's bounds add up as variances do."""
    distance = 1 - 8 / (8 + Z2)
    found = score(judged(np.ones(24))).macro_recall
    assert found == pytest.approx((1, 1 - math.sqrt(3 * distance**2) / 3, 1))
    assert found.method == "wilson"


def test_the_macro_f1_interval_is_at_least_as_wide_as_that_of_macro_recall() -> None:
    scores = score(judged(np.ones(24)))
    assert scores.macro_f1.low == pytest.approx(scores.per_class[0].f1.low)
    assert scores.macro_f1.low < scores.macro_recall.low < 1


def test_means_exclude_classes_without_clips() -> None:
    chosen = judged(np.ones(24)).select([i for i in range(24) if i % 3])
    scores = score(chosen)
    assert scores.per_class[0].recall.method == "none"
    distance = 1 - 8 / (8 + Z2)
    assert scores.macro_recall.low == pytest.approx(1 - math.sqrt(2 * distance**2) / 2)


@pytest.mark.parametrize("rate", [0.97, 0.8])
def test_coverage_of_the_intervals(rate: float) -> None:
    """Of 400 draws of 24 clips, 95 % include the true rate, within three standard errors.

    The bootstrap alone included the rate of 97 % accurate models in about half of the draws,
    because in the others all 24 clips were right.
    """
    rng = np.random.default_rng(0)
    found = [score(judged(rng.random(24) < rate), resamples=200) for _ in range(400)]
    for name in ("accuracy", "macro_recall"):
        held = np.mean([getattr(s, name).low <= rate <= getattr(s, name).high for s in found])
        assert held > 0.88, name


# ------------------------------------------------------------------------------ no interval


@pytest.mark.parametrize("right", [np.ones(24), np.zeros(24), [1, 1, 0, 1, 1]])
def test_no_interval_of_the_calibration_if_all_are_right_or_few(right: Any) -> None:
    scores = score(judged(right))
    for figure in (scores.ece, scores.log_loss):
        assert figure.method == "none"
        assert not math.isnan(figure.value)
        assert math.isnan(figure.low)
        assert math.isnan(figure.high)
    assert scores.to_dict()["ece"]["low"] is None
    assert Scores.from_dict(scores.to_dict()).ece.method == "none"


def test_notes() -> None:
    perfect, ordinary = score(judged(np.ones(24))), score(judged(np.arange(60) % 4 > 0))
    assert interval_note([ordinary.accuracy, ordinary.ece], "clip") == ""
    assert "Wilson are computed from the number of groups" in interval_note(
        [perfect.accuracy], "group"
    )
    assert "no interval" not in interval_note([perfect.accuracy], "clip")
    assert "no interval" in interval_note([perfect.accuracy, perfect.ece], "clip")
    assert (ordinary.few_clips_note, bool(perfect.few_clips_note)) == ("", True)


# ------------------------------------------------------------------------------ differences


def gains(gained: int, lost: int, n: int) -> Any:
    return np.array([1] * gained + [-1] * lost + [0] * (n - gained - lost))


def difference(gained: int, lost: int, n: int) -> tuple[float, float, float]:
    units = [f"clip {i}" for i in range(n)]
    return paired_difference(gains(gained, lost, n), units, resamples=200, seed=0)


def test_equal_answers_have_an_interval() -> None:
    at_most = Z2 / (24 + Z2)
    assert difference(0, 0, 24) == pytest.approx((0, -at_most, at_most))


def test_the_second_model_is_always_right() -> None:
    value, low, high = difference(24, 0, 24)
    expected = 1 - math.hypot(1 - 24 / (24 + Z2), Z2 / (24 + Z2))
    assert (value, low, high) == pytest.approx((1, expected, 1))


def test_few_clips_by_hand() -> None:
    """Four gained and two lost of eight: the two shares exclude each other."""
    (up_low, up_high), (down_low, down_high) = wilson_interval(4, 8), wilson_interval(2, 8)
    rho = -math.sqrt((0.5 * 0.25) / (0.5 * 0.75))
    a, b = 0.5 - up_low, down_high - 0.25
    below = math.sqrt(a * a + b * b - 2 * rho * a * b)
    a, b = up_high - 0.5, 0.25 - down_low
    above = math.sqrt(a * a + b * b - 2 * rho * a * b)
    assert difference(4, 2, 8) == pytest.approx((0.25, 0.25 - below, 0.25 + above))


def test_swapped_models_give_the_opposite_interval() -> None:
    value, low, high = difference(5, 1, 8)
    assert difference(1, 5, 8) == pytest.approx((-value, -high, -low))


def test_models_with_the_same_answers() -> None:
    table = judged(np.ones(24))
    found = compare(table, table)
    assert found.difference.method == "wilson"
    assert found.to_dict()["difference"]["method"] == "wilson"
    assert found.better is None


# ------------------------------------------------------------------------------ output


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    def evaluate(table: PredictionTable, *options: Any) -> str:
        table.save(tmp_path / "p.csv")
        return run(capsys, "evaluate", "--predictions", tmp_path / "p.csv", *options).out

    return evaluate


def test_text_of_a_perfect_score(evaluate: Callable[..., str]) -> None:
    text = evaluate(judged(np.ones(24)))
    assert "accuracy      100.0 % (95 % interval 86.2 to 100.0 %, Wilson)" in text
    assert "macro recall  100.0 % (81.3 to 100.0 %, Wilson)" in text
    assert "100.0 to 100.0 %" not in text
    assert "(no interval) expected error of the probabilities" in text
    assert "Intervals marked Wilson are computed from the number of clips" in text


def test_text_of_two_equal_models(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    judged(np.ones(24)).save(tmp_path / "p.csv")
    done = run(capsys, "compare", tmp_path / "p.csv", tmp_path / "p.csv")
    assert "accuracy +0.0 percentage points (95 % interval -13.8 to +13.8, Wilson)" in done.out
    assert " 100.0 (86.2 to 100.0 Wilson) " in done.out


def test_page_of_a_perfect_score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "genrelens.evaluation.report.write._draw",
        lambda *_: ({}, dict.fromkeys(("confusion", "recall", "reliability", "rejection"), b"")),
    )
    table = judged(np.ones(24))
    page = write_report(tmp_path, "perfect", table, score(table), {}).read_text()
    text = re.sub(r"\s+", " ", page.replace("&nbsp;", " "))
    assert "95 % interval of this accuracy is 86.2 % to 100.0 %" in text
    assert "100.0 % to 100.0 %" not in text
    assert "100 to 100" not in text
    assert "Intervals marked Wilson are computed from the number of clips" in text
