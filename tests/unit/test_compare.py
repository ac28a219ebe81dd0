"""Comparison of two models, by hand and against scipy and theory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genrelens.errors import DataError
from genrelens.evaluation.comparison import common_clips, compare
from genrelens.evaluation.prediction_table import PredictionTable


def judged(right: Sequence[int], **columns: Any) -> PredictionTable:
    """Return a table of jazz clips; ``right`` marks those that are predicted as jazz."""
    columns.setdefault("clips", tuple(f"clip {i}" for i in range(len(right))))
    columns.setdefault("labels", ("jazz", "rock"))
    return PredictionTable(
        true=np.zeros(len(right), np.int64),
        probabilities=np.array([[0.8, 0.2] if hit else [0.3, 0.7] for hit in right]),
        **columns,
    )


# Both right 40, only the first 2, only the second 12, neither 6.
FIRST = judged([1] * 40 + [1] * 2 + [0] * 12 + [0] * 6)
SECOND = judged([1] * 40 + [0] * 2 + [1] * 12 + [0] * 6)


# ------------------------------------------------------------------------------ by hand


def test_mcnemar_by_hand() -> None:
    """At most 2 heads, or at most 2 tails, of 14 coins: 2 (1 + 14 + 91) / 2^14."""
    found = compare(FIRST, SECOND)
    assert (found.n, found.left_out, found.right_alone) == (60, (0, 0), (2, 12))
    assert found.p_value == pytest.approx(2 * (1 + 14 + 91) / 2**14)
    assert found.accuracies == (42 / 60, 52 / 60)
    assert found.difference.value == pytest.approx(10 / 60)
    assert found.bootstrap == {"resamples": 2000, "seed": 0, "unit": "clip"}
    assert found.better == 1
    assert found.summary("A", "B") == "B is better"
    assert compare(SECOND, FIRST).summary("A", "B") == "A is better"


def test_equal_models() -> None:
    found = compare(FIRST, FIRST)
    assert (found.p_value, found.difference.value, found.right_alone) == (1, 0, (0, 0))
    at_most = 1.959964**2 / (60 + 1.959964**2)  # of 60 clips none differs, by Wilson
    assert found.difference[1:] == pytest.approx((-at_most, at_most))
    assert found.difference.method == "wilson"
    assert found.better is None
    assert found.summary("A", "B") == "no significant difference"


def test_five_against_none_is_not_significant() -> None:
    """The interval excludes zero, but the p-value is 2 / 2^5."""
    found = compare(judged([0] * 5 + [1] * 15), judged([1] * 20))
    assert found.p_value == pytest.approx(2 / 2**5)
    assert found.difference.low > 0
    assert found.better is None


def test_the_interval_agrees_with_scipy() -> None:
    gains = SECOND.right.astype(float) - FIRST.right
    expected = stats.bootstrap(
        (gains,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = compare(FIRST, SECOND, resamples=20_000).difference
    assert found[1:] == pytest.approx((expected.low, expected.high), abs=1.01 / 60)
    assert found.high - found.low > 0.15


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_swapped_models_give_the_opposite_difference(pairs: list[tuple[int, int]]) -> None:
    first, second = (judged(column) for column in zip(*pairs, strict=True))
    there, back = compare(first, second, resamples=100), compare(second, first, resamples=100)
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there.p_value == back.p_value
    if sum(there.right_alone):
        reference = stats.binomtest(there.right_alone[0], sum(there.right_alone)).pvalue
        assert there.p_value == pytest.approx(reference, rel=1e-12)
    assert there.right_alone == back.right_alone[::-1]
    assert there.accuracies[1] - there.accuracies[0] == pytest.approx(there.difference.value)


# ------------------------------------------------------------------------------ groups, rounds


def test_the_clips_of_one_artist_do_not_make_a_difference() -> None:
    """The 12 clips that only the second classifies correctly are of one artist."""
    groups = tuple("x" if 42 <= i < 54 else f"y{i}" for i in range(60))
    found = compare(FIRST, replace(SECOND, groups=groups))
    assert found.bootstrap["unit"] == "group"
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert found.difference.low <= 0 < found.difference.high
    assert found.better is None


def test_clips_of_several_rounds() -> None:
    rounds = {"clips": FIRST.clips[:30] * 2, "rounds": np.repeat([1, 2], 30)}
    one, other = replace(FIRST, **rounds), replace(SECOND, **rounds)
    found = compare(one, other.select(range(59, -1, -1)))
    assert found.p_value is None
    assert found.right_alone == (2, 12)
    assert found.better == 1
    with pytest.raises(DataError, match="by all models in the same round"):
        compare(one, replace(other, rounds=np.repeat([3, 4], 30)))


# ------------------------------------------------------------------------------ common clips


def test_only_common_clips_count_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(60)
    found = compare(FIRST.select(range(58)), SECOND.select(order[order >= 3]))
    assert (found.n, found.left_out) == (55, (3, 2))
    assert found.right_alone == (2, 12)


def test_labels_may_differ_but_not_the_truth() -> None:
    wide = PredictionTable(
        labels=("rock", "blues", "jazz"),
        clips=FIRST.clips,
        true=np.full(60, 2),
        probabilities=np.tile([0.1, 0.2, 0.7], (60, 1)),
    )
    assert compare(FIRST, wide).accuracies == (42 / 60, 1)
    with pytest.raises(DataError, match="clip 7 is jazz for one model and blues for another"):
        compare(FIRST, replace(wide, true=np.where(np.arange(60) == 7, 1, 2)))


def test_nothing_in_common() -> None:
    with pytest.raises(DataError, match=r"no clip was classified by all .* are clip 0 and x$"):
        compare(FIRST, judged([1], clips=("x",)))


def test_too_little_in_common() -> None:
    with pytest.raises(DataError, match=r"only one clip was classified .* \(clips: 1\)"):
        compare(FIRST, SECOND.select([3]))
    with pytest.raises(DataError, match=r"only one group was classified .* \(clips: 60\)"):
        compare(FIRST, replace(SECOND, groups=("x",) * 60))


def test_common_clips_of_three() -> None:
    groups = tuple(f"artist {i % 7}" for i in range(60))
    reduced = common_clips(
        [
            FIRST.select(range(50)),
            replace(SECOND, groups=groups).select(range(10, 60)),
            FIRST.select(range(40, 8, -1)),
        ]
    )
    for table in reduced:
        assert table.clips == FIRST.clips[10:41]
        assert table.groups == groups[10:41]


# ------------------------------------------------------------------------------ plain values


def test_as_json() -> None:
    values = json.loads(json.dumps(compare(FIRST, SECOND).to_dict(), allow_nan=False))
    assert values["difference"]["value"] == pytest.approx(1 / 6)
    assert values["better"] == 1
    assert values["right_alone"] == [2, 12]
