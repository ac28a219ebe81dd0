"""Figures of the conditions: by hand, and the paired interval against scipy's bootstrap."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens import AudioError, DataError
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.robustness import Robustness, compare_conditions

LABELS = ("blues", "jazz", "rock")


def table(true: list[int], rows: list[list[float]], **fields: object) -> PredictionTable:
    return PredictionTable(
        labels=LABELS,
        clips=tuple(f"clip{i}" for i in range(len(true))),
        true=np.array(true),
        probabilities=np.array(rows),
        **fields,  # type: ignore[arg-type]
    )


def random_table(
    right: NDArray[np.bool_], groups: tuple[str, ...] | None = None
) -> PredictionTable:
    """Clips of the first genre, of which those of ``right`` are taken for it."""
    rows = np.where(right[:, None], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1])
    return table([0] * len(right), rows.tolist(), groups=groups)


CLEAN = table([0, 0, 1, 2], [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.9, 0.0], [0.5, 0.0, 0.5]])
HISS = table([0, 0, 1, 2], [[0.1, 0.5, 0.4], [0.5, 0.3, 0.2], [0.3, 0.1, 0.6], [0.1, 0.1, 0.8]])


def compared(**tables: PredictionTable) -> Robustness:
    return compare_conditions(tables, model="tiny", resamples=200)


def test_by_hand() -> None:
    """Clean: rock is taken for blues. Hiss: blues for jazz, and jazz for rock."""
    result = compare_conditions(
        {"clean": CLEAN, "hiss": HISS},
        model="tiny",
        descriptions={"hiss": "with hiss"},
        resamples=200,
    )
    clean, hiss = result.rows
    assert (clean.condition, hiss.condition) == ("clean", "hiss")
    assert (clean.description, hiss.description) == ("", "with hiss")
    assert (clean.n, hiss.n) == (4, 4)
    assert (clean.accuracy.value, hiss.accuracy.value) == (0.75, 0.5)
    assert clean.macro_recall.value == pytest.approx((1 + 1 + 0) / 3)
    assert hiss.macro_recall.value == pytest.approx((0.5 + 0 + 1) / 3)
    assert (clean.difference, clean.difference.method) == ((0, 0, 0), "none")
    assert hiss.difference.value == -0.25
    assert hiss.difference.low <= -0.7
    assert hiss.difference.high >= 0.25
    assert hiss.difference.method == "wilson"  # four clips
    assert (clean.changed, hiss.changed) == (0, 0.75)
    assert clean.confidence_change == 0
    assert hiss.confidence_change == pytest.approx(np.mean([0.5, 0.5, 0.6, 0.8]) - 0.7)
    assert result.bootstrap == {"resamples": 200, "seed": 0, "unit": "clip"}
    assert result.tables["hiss"] is HISS


def test_paired_interval() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    before = rng.random(80) < 0.7
    after = np.where(rng.random(80) < 0.25, ~before, before)
    result = compare_conditions(
        {"clean": random_table(before), "hiss": random_table(after)}, model="tiny"
    )
    difference = result.rows[1].difference
    gains = after.astype(float) - before
    expected = stats.bootstrap(
        (gains,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert difference.value == pytest.approx(gains.mean())
    assert difference.low == pytest.approx(expected.low, abs=0.02)
    assert difference.high == pytest.approx(expected.high, abs=0.02)


def test_a_group_is_one_piece_of_evidence() -> None:
    """Twenty artists whose four clips fare alike: the interval is twice as wide."""
    fate = np.repeat(np.arange(20) % 3 == 0, 4)
    groups = tuple(f"artist{i // 4}" for i in range(80))
    everything = np.ones(80, bool)

    def width(groups: tuple[str, ...] | None) -> float:
        clean, hiss = random_table(everything, groups), random_table(~fate, groups)
        row = compare_conditions({"clean": clean, "hiss": hiss}, model="tiny").rows[1]
        return row.difference.high - row.difference.low

    assert width(groups) / width(None) == pytest.approx(2, rel=0.2)


def test_plain_values() -> None:
    result = compare_conditions(
        {"clean": CLEAN, "hiss": HISS}, model="tiny", failed=[AudioError("a.mp3", "is empty")]
    )
    values = json.loads(json.dumps(result.to_dict()))
    assert values["failed"] == [{"path": "a.mp3", "error": "a.mp3: is empty"}]
    assert values["model"] == "tiny"
    assert values["bootstrap"]["unit"] == "clip"
    assert [row["condition"] for row in values["conditions"]] == ["clean", "hiss"]
    hiss = values["conditions"][1]
    assert hiss["difference"]["value"] == -0.25
    low, high = wilson_interval(2, 4)
    assert hiss["accuracy"] == {"value": 0.5, "low": low, "high": high, "method": "wilson"}
    assert (hiss["n"], hiss["changed"]) == (4, 0.75)


@pytest.mark.parametrize(
    "other",
    [
        replace(HISS, clips=("clip0", "clip1", "clip3", "clip2")),
        replace(HISS, labels=("blues", "rock", "jazz")),
        HISS.select([0, 1, 2]),
    ],
)
def test_tables_of_different_clips(other: PredictionTable) -> None:
    with pytest.raises(ValueError, match="of 'hiss' are others"):
        compared(clean=CLEAN, hiss=other)


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no table"):
        compared()


def test_one_clip_has_no_interval() -> None:
    with pytest.raises(DataError, match="an interval needs two"):
        compared(clean=CLEAN.select([0]))
