"""Metrics, by hand and against scikit-learn, scipy and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens.evaluation.metrics import (
    accuracy,
    confusion_matrix,
    macro_recall,
    recalls,
    wilson_interval,
)

# Class 0: three right, one predicted as 1. Class 1: one of two right. Class 2: no clips.
BY_HAND = [[3, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_confusion_matrix_by_hand() -> None:
    counts = confusion_matrix([0, 0, 0, 0, 1, 1], [0, 0, 1, 0, 1, 2], 3)
    assert counts.dtype == np.int64
    assert counts.tolist() == BY_HAND


def test_rates_by_hand() -> None:
    assert accuracy(BY_HAND) == 4 / 6
    np.testing.assert_array_equal(recalls(BY_HAND), [0.75, 0.5, math.nan])
    assert macro_recall(BY_HAND) == 0.625


def test_empty_matrix() -> None:
    nothing = confusion_matrix([], [], 2)
    assert nothing.tolist() == [[0, 0], [0, 0]]
    assert math.isnan(accuracy(nothing))
    assert math.isnan(macro_recall(nothing))


@pytest.mark.parametrize(
    ("true", "predicted", "words"),
    [
        ([0, 1], [0], "2 true classes and 1 predicted"),
        ([0, 2], [0, 0], r"true class is outside 0\.\.1"),
        ([0, 0], [-1, 0], r"predicted class is outside 0\.\.1"),
    ],
)
def test_impossible_counts(true: list[int], predicted: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        confusion_matrix(true, predicted, 2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_against_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn import metrics as reference

    true, predicted = zip(*pairs, strict=True)
    counts = confusion_matrix(true, predicted, 4)
    expected = reference.confusion_matrix(true, predicted, labels=range(4))
    np.testing.assert_array_equal(counts, expected)
    assert accuracy(counts) == pytest.approx(reference.accuracy_score(true, predicted))
    present = sorted(set(true))
    recall = reference.recall_score(
        true, predicted, labels=present, average="macro", zero_division=0
    )
    assert macro_recall(counts) == pytest.approx(recall)


def test_wilson_interval_as_published() -> None:
    """85 of 100 is 76.7 to 90.7 % (docs: how we measure)."""
    low, high = wilson_interval(85, 100)
    assert (round(100 * low, 1), round(100 * high, 1)) == (76.7, 90.7)


@given(n=st.integers(1, 1000), share=st.floats(0, 1))
def test_wilson_interval_against_scipy(n: int, share: float) -> None:
    from scipy.stats import binomtest

    successes = round(share * n)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_wilson_interval_at_the_ends() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    narrow, wide = wilson_interval(5, 10, z=1), wilson_interval(5, 10, z=3)
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_invalid_arguments_of_the_wilson_interval(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=rf"successes={successes} must be in 0\.\.n={n}"):
        wilson_interval(successes, n)
