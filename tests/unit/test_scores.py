"""Figures of an evaluation, by hand and against scikit-learn, scipy and theory."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from genrelens.errors import DataError
from genrelens.evaluation.bootstrap import percentile_interval, resampled_sums
from genrelens.evaluation.metrics import rejection_curve, reliability_bins, wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import FIGURES, ClassScores, Scores, figures, score, terms


def table(probabilities: Any, true: Any, **columns: Any) -> PredictionTable:
    n, n_classes = np.shape(probabilities)
    columns.setdefault("labels", tuple("abcdefghij"[:n_classes]))
    columns.setdefault("clips", tuple(f"clip {i}" for i in range(n)))
    return PredictionTable(
        true=np.asarray(true), probabilities=np.asarray(probabilities, dtype=np.float64), **columns
    )


def drawn(n: int, n_classes: int, seed: int, **columns: Any) -> PredictionTable:
    """Return random predictions better than chance; no two probabilities are equal."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, n_classes, n)
    weights = rng.gamma(0.7, size=(n, n_classes)) + 0.5 * np.eye(n_classes)[true]
    return table(weights / weights.sum(axis=1, keepdims=True), true, **columns)


# Class a: two of three are right, the third is predicted as b. Class b: one of two is right, the
# other is predicted as c. Class d has no clips and no predictions.
BY_HAND = table(
    [
        [0.75, 0.25, 0, 0],
        [0.5, 0.25, 0.25, 0],
        [0.375, 0.5, 0.125, 0],
        [0, 1, 0, 0],
        [0.125, 0.25, 0.625, 0],
    ],
    [0, 0, 0, 1, 1],
)


def one_row(scores: Scores) -> list[float]:
    classes = [
        getattr(each, name).value
        for name in ("precision", "recall", "f1")
        for each in scores.per_class
    ]
    return [getattr(scores, name).value for name in FIGURES] + classes


# ------------------------------------------------------------------------------ by hand


def test_figures_by_hand() -> None:
    scores = score(BY_HAND, resamples=200)
    assert (scores.n, scores.n_groups, scores.labels) == (5, None, tuple("abcd"))
    assert scores.confusion.tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [0] * 4, [0] * 4]
    assert scores.accuracy.value == 3 / 5
    assert scores.macro_recall.value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores.macro_f1.value == pytest.approx((4 / 5 + 1 / 2) / 2)
    assert scores.top2.value == 1
    by_hand = math.log(4 / 3) + math.log(2) + math.log(8 / 3) + 0 + math.log(4)
    assert scores.log_loss.value == pytest.approx(by_hand / 5)
    # Bins: 0.5 twice, one right; 0.625 wrong; 0.75 and 1 right.
    assert scores.ece.value == pytest.approx((0 + 0.625 + 0.25 + 0) / 5)
    assert scores.bootstrap == {"resamples": 200, "seed": 0, "unit": "clip"}


def test_classes_by_hand() -> None:
    a, b, c, d = score(BY_HAND, resamples=200).per_class
    assert [(each.label, each.support) for each in (a, b, c, d)] == [
        ("a", 3),
        ("b", 2),
        ("c", 0),
        ("d", 0),
    ]
    assert (a.precision.value, a.recall.value) == (1, 2 / 3)
    assert (b.precision.value, b.recall.value, b.f1.value) == (0.5, 0.5, 0.5)
    assert c.precision == pytest.approx((0, *wilson_interval(0, 1)))  # predicted once, wrongly
    assert all(math.isnan(each) for each in (*c.recall, *c.f1))
    assert all(math.isnan(each) for each in (*d.precision, *d.recall, *d.f1))
    assert score(BY_HAND, resamples=200).absent == ("c", "d")


def test_a_class_that_is_never_predicted_has_an_f1_of_zero() -> None:
    scores = score(table([[0.9, 0.1], [0.8, 0.2]], [0, 1]))
    never = scores.per_class[1]
    assert math.isnan(never.precision.value)
    assert (never.recall.value, never.f1.value) == (0, 0)
    assert scores.macro_f1.value == pytest.approx((2 / 3 + 0) / 2)


def test_reliability_by_hand() -> None:
    bins = score(BY_HAND).reliability
    assert [(round(each.low, 9), round(each.high, 9), each.n) for each in bins] == [
        (0, 0.1, 0),
        (0.1, 0.2, 0),
        (0.2, 0.3, 0),
        (0.3, 0.4, 0),
        (0.4, 0.5, 2),
        (0.5, 0.6, 0),
        (0.6, 0.7, 1),
        (0.7, 0.8, 1),
        (0.8, 0.9, 0),
        (0.9, 1, 1),
    ]
    assert (bins[4].confidence, bins[4].accuracy) == (0.5, 0.5)
    assert (bins[6].confidence, bins[6].accuracy) == (0.625, 0)
    assert math.isnan(bins[0].confidence)
    assert math.isnan(bins[0].accuracy)


def test_the_edges_of_the_bins() -> None:
    """A bin includes its upper edge; 0 is in the first bin."""
    edges = np.arange(11) / 10
    bins = reliability_bins(edges, np.ones(11, bool))
    assert [each.n for each in bins] == [2] + [1] * 9


def test_rejection_by_hand() -> None:
    points = score(BY_HAND).rejection
    assert points == (
        (1, 0.2, 1),
        (0.75, 0.4, 1),
        (0.625, 0.6, pytest.approx(2 / 3)),
        (0.5, 1, 0.6),
    )
    assert rejection_curve(np.array([]), np.array([], bool)) == ()


def test_worst_by_hand() -> None:
    worst = score(BY_HAND).worst
    assert [each.clip for each in worst] == ["clip 4", "clip 2", "clip 1", "clip 0", "clip 3"]
    assert worst[1] == ("clip 2", "a", "b", 0.375, 0.5)


def test_of_many_clips_only_the_worst_are_listed() -> None:
    many = drawn(300, 3, 0)
    worst = score(many, resamples=10).worst
    wrong = (~many.right).sum()
    assert 50 == len(worst) <= wrong
    surest = np.sort(many.probabilities.max(axis=1)[~many.right])[::-1][:50]
    assert [each.probability_of_predicted for each in worst] == pytest.approx(surest.tolist())


def test_of_equal_probabilities_the_first_counts() -> None:
    """The top 1 is in the top 2, even if all probabilities are equal."""
    scores = score(table([[1 / 3] * 3] * 3, [0, 1, 2]))
    assert scores.accuracy.value == pytest.approx(1 / 3)
    assert scores.top2.value == pytest.approx(2 / 3)


def test_a_wrong_answer_with_probability_one() -> None:
    """The log loss stays finite."""
    scores = score(table([[1, 0], [1, 0]], [1, 1]))
    assert scores.log_loss.value == pytest.approx(-math.log(1e-15))
    assert scores.accuracy == (0, *wilson_interval(0, 2))
    assert scores.ece.value == 1


# ------------------------------------------------------------------------------ references


@given(st.integers(0, 999), st.integers(2, 60), st.integers(3, 5))
def test_against_scikit_learn(seed: int, n: int, n_classes: int) -> None:
    one = drawn(n, n_classes, seed)
    scores = score(one, resamples=3)
    true, predicted, labels = one.true, one.predicted, range(n_classes)
    macro = {"labels": sorted(set(true.tolist())), "average": "macro"}
    expected = [
        reference.accuracy_score(true, predicted),
        reference.recall_score(true, predicted, **macro),
        reference.f1_score(true, predicted, **macro, zero_division=0),
        reference.top_k_accuracy_score(true, one.probabilities, k=2, labels=labels),
        reference.log_loss(true, one.probabilities, labels=labels),
    ]
    found = [getattr(scores, name).value for name in FIGURES[:5]]
    np.testing.assert_allclose(found, expected, rtol=2e-15)
    for name in ("precision", "recall"):
        rates = getattr(reference, f"{name}_score")(
            true, predicted, labels=labels, average=None, zero_division=np.nan
        )
        values = [getattr(each, name).value for each in scores.per_class]
        np.testing.assert_allclose(values, rates, rtol=1e-15)


@given(st.integers(0, 999), st.integers(2, 60), st.integers(2, 5))
def test_weights_of_one_give_the_figures(seed: int, n: int, n_classes: int) -> None:
    """The sums of the bootstrap are those of the figures."""
    one = drawn(n, n_classes, seed)
    sums = np.ones((1, n)) @ terms(one)
    np.testing.assert_allclose(
        figures(sums, n_classes)[0], one_row(score(one, resamples=3)), atol=1e-12
    )


@given(st.integers(0, 999), st.integers(2, 30))
def test_weights_of_two_are_clips_that_occur_twice(seed: int, n: int) -> None:
    one = drawn(n, 3, seed)
    chosen = np.random.default_rng(seed).integers(0, n, n)
    weights = np.bincount(chosen, minlength=n)[None].astype(np.float64)
    again = table(one.probabilities[chosen], one.true[chosen])
    expected = figures(terms(again).sum(axis=0, keepdims=True), 3)
    np.testing.assert_allclose(figures(weights @ terms(one), 3), expected, atol=1e-12)


@given(st.integers(0, 999), st.permutations(range(12)), st.booleans())
def test_the_order_of_the_clips_does_not_matter(seed: int, order: list[int], grouped: bool) -> None:
    groups = tuple("abcd" * 3) if grouped else None
    one = drawn(12, 3, seed, groups=groups)
    scores, again = (score(each, resamples=50) for each in (one, one.select(order)))
    np.testing.assert_allclose(one_row(again), one_row(scores), rtol=1e-12)
    np.testing.assert_allclose(again.log_loss, scores.log_loss, rtol=1e-12)
    assert again.accuracy == scores.accuracy
    assert again.worst == scores.worst
    np.testing.assert_array_equal(again.confusion, scores.confusion)


@given(st.integers(0, 999), st.permutations(range(4)))
def test_the_order_of_the_labels_does_not_matter(seed: int, order: list[int]) -> None:
    one = drawn(20, 4, seed)
    again = score(
        table(
            one.probabilities[:, order],
            np.argsort(order)[one.true],
            labels=tuple(one.labels[i] for i in order),
        ),
        resamples=50,
    )
    scores = score(one, resamples=50)
    for name in FIGURES:
        np.testing.assert_allclose(getattr(again, name), getattr(scores, name), rtol=1e-9)
    classes = {each.label: each for each in again.per_class}
    for each in scores.per_class:
        np.testing.assert_allclose(classes[each.label].f1, each.f1, rtol=1e-9)


# ------------------------------------------------------------------------------ intervals


def test_the_interval_of_an_accuracy_is_binomial() -> None:
    """Drawing n clips of which k are right is drawing from a binomial distribution."""
    n, k = 200, 150
    one = table(np.tile([0.9, 0.1], (n, 1)), np.arange(n) >= k)
    found = score(one, resamples=20_000).accuracy
    low, high = stats.binom(n, k / n).ppf([0.025, 0.975]) / n
    assert found.value == k / n
    assert found.low == pytest.approx(low, abs=1.01 / n)
    assert found.high == pytest.approx(high, abs=1.01 / n)


def test_the_interval_of_a_log_loss_agrees_with_scipy() -> None:
    one = drawn(80, 3, 4)
    loss = -np.log(one.probabilities[np.arange(80), one.true])
    expected = stats.bootstrap(
        (loss,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = score(one, resamples=20_000).log_loss
    assert found.low == pytest.approx(expected.low, abs=0.01)
    assert found.high == pytest.approx(expected.high, abs=0.01)
    assert found.high - found.low > 0.2  # so that 0.01 is a strict tolerance


def test_the_interval_of_a_macro_f1_agrees_with_scipy() -> None:
    one = drawn(60, 3, 5)

    def macro_f1(true: Any, predicted: Any) -> float:
        return float(reference.f1_score(true, predicted, average="macro"))

    expected = stats.bootstrap(
        (one.true, one.predicted),
        macro_f1,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = score(one, resamples=5000).macro_f1
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.02)
    assert found.high - found.low > 0.1


def test_clips_of_one_artist_are_not_independent() -> None:
    """Ten groups of ten equal clips are ten clips: the interval is that of n = 10."""
    right = np.repeat([1, 1, 1, 1, 1, 1, 1, 0, 0, 0], 10)
    probabilities, groups = np.tile([0.8, 0.2], (100, 1)), tuple(str(i // 10) for i in range(100))
    by_clip = score(table(probabilities, 1 - right), resamples=20_000)
    by_group = score(table(probabilities, 1 - right, groups=groups), resamples=20_000)
    assert by_group.bootstrap["unit"] == "group"
    assert (by_group.n, by_group.n_groups) == (100, 10)
    assert by_group.accuracy.value == by_clip.accuracy.value == 0.7
    low, high = stats.binom(10, 0.7).ppf([0.025, 0.975]) / 10
    assert by_group.accuracy[1:] == pytest.approx((low, high))
    widths = [each.accuracy.high - each.accuracy.low for each in (by_clip, by_group)]
    assert widths[1] > 2.5 * widths[0]


def test_a_clip_of_several_rounds_is_drawn_with_all_its_rounds() -> None:
    once = drawn(20, 3, 1)
    twice = table(
        np.tile(once.probabilities, (2, 1)),
        np.tile(once.true, 2),
        clips=once.clips * 2,
        rounds=np.repeat([1, 2], 20),
    )
    assert score(twice, resamples=100).accuracy == score(once, resamples=100).accuracy
    assert score(twice, resamples=100).n == 40


def test_groups_of_one_clip_are_clips() -> None:
    one = drawn(30, 3, 1)
    alone = drawn(30, 3, 1, groups=one.clips)
    assert score(alone, resamples=100).accuracy == score(one, resamples=100).accuracy


def test_the_interval_of_a_calibration_error_is_not_shifted() -> None:
    """For a perfectly calibrated model on few clips, the resampled errors are far too high."""
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 60)
    right = rng.random(60) < sure
    scores = score(table(np.column_stack([sure, 1 - sure]), (~right).astype(int)))
    assert 0 <= scores.ece.low < scores.ece.value < scores.ece.high < 0.3
    assert scores.ece.value - scores.ece.low > 0.02


@given(st.integers(0, 999), st.integers(2, 12))
def test_an_interval_includes_its_figure(seed: int, n: int) -> None:
    scores = score(drawn(n, 4, seed), resamples=20)
    rows = [getattr(scores, name) for name in FIGURES]
    rows += [each for one in scores.per_class for each in (one.precision, one.recall, one.f1)]
    for value, low, high in rows:
        assert math.isnan(low) or low <= value <= high


def test_the_seed_determines_the_intervals() -> None:
    one = drawn(50, 3, 2)
    first, same, other = (score(one, resamples=100, seed=seed) for seed in (7, 7, 8))
    assert first.to_dict() == same.to_dict()
    assert first.log_loss.value == other.log_loss.value
    assert first.log_loss.low != other.log_loss.low


def test_resamples_draw_as_many_units_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.eye(3)[:, [0, 1, 2]]
    sums = resampled_sums(values, ["x", "y", "z"], resamples=1000, seed=0)
    assert (sums.sum(axis=1) == 3).all()
    np.testing.assert_allclose(sums.mean(axis=0), 1, atol=0.1)
    assert sums.var(axis=0) == pytest.approx([2 / 3] * 3, abs=0.1)  # multinomial
    monkeypatch.setattr("genrelens.evaluation.bootstrap._AT_ONCE", 7)
    np.testing.assert_array_equal(
        sums, resampled_sums(values, ["x", "y", "z"], resamples=1000, seed=0)
    )


def test_percentiles_ignore_undefined_figures() -> None:
    samples = np.full((101, 2), np.nan)
    samples[:41, 0] = np.arange(41)
    low, high = percentile_interval(samples)
    np.testing.assert_allclose((low, high), [[1, np.nan], [39, np.nan]])


# ------------------------------------------------------------------------------ errors


def test_one_clip_has_no_interval() -> None:
    with pytest.raises(
        DataError, match=r"there is only 1 clip \(clips: 1\); an interval needs two"
    ):
        score(table([[0.5, 0.5]], [0]))


def test_one_group_has_no_interval() -> None:
    with pytest.raises(
        DataError, match=r"there is only 1 group \(clips: 3\); an interval needs two"
    ):
        score(table([[0.5, 0.5]] * 3, [0, 1, 0], groups=("x",) * 3))


def test_no_resamples() -> None:
    with pytest.raises(ValueError, match="resamples=0 must be at least 1"):
        score(BY_HAND, resamples=0)


# ------------------------------------------------------------------------------ plain values


def test_as_json_and_back() -> None:
    scores = score(BY_HAND, resamples=50)
    text = json.dumps(scores.to_dict(), allow_nan=False)
    again = Scores.from_dict(json.loads(text))
    assert again.to_dict() == scores.to_dict()
    np.testing.assert_array_equal(again.confusion, scores.confusion)
    assert isinstance(again.per_class[0], ClassScores)
    assert again.absent == scores.absent
    assert again.accuracy == scores.accuracy
    assert json.loads(text)["per_class"][3]["f1"] == {
        "value": None,
        "low": None,
        "high": None,
        "method": "none",
    }
    former = json.loads(text)
    for name in FIGURES:  # reports of former versions do not name the method
        del former[name]["method"]
    assert Scores.from_dict(former).accuracy == scores.accuracy


@pytest.mark.parametrize("key", ["n", "accuracy", "per_class", "confusion", "worst", "rejection"])
def test_invalid_scores(key: str) -> None:
    values = score(BY_HAND, resamples=5).to_dict()
    for broken in ({**values, key: "x"}, {k: v for k, v in values.items() if k != key}):
        with pytest.raises(DataError, match="these are not scores"):
            Scores.from_dict(broken)
