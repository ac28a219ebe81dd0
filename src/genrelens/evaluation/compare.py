"""Two models on the same clips: whether one is better, or it is chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from genrelens.errors import DataError, MissingExtraError
from genrelens.evaluation.bootstrap import Estimate
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.wilson import paired_difference

__all__ = ["Comparison", "common_clips", "compare"]

_LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a second model did against a first, on the clips that both judged.

    Attributes:
        n: number of these clips.
        left_out: clips that the first alone, and the second alone, judged.
        accuracies: of the first and of the second.
        difference: accuracy of the second less that of the first, with the 95 % interval of the
            paired bootstrap, or one from Wilson's where that has none.
        right_alone: clips that the first alone, and the second alone, got right.
        p_value: of McNemar's exact test, two-sided; None where clips were judged several times,
            which it cannot take.
        bootstrap: ``resamples``, ``seed`` and ``unit``, ``"clip"`` or ``"group"``.

    """

    n: int
    left_out: tuple[int, int]
    accuracies: tuple[float, float]
    difference: Estimate
    right_alone: tuple[int, int]
    p_value: float | None
    bootstrap: dict[str, Any]

    @property
    def better(self) -> int | None:
        """Which is better, 0 the first or 1 the second; None where no difference can be told.

        Both must say so, the test and the interval: the test takes clips as independent, which
        those of one artist are not; the interval of a few clips is too narrow.
        """
        if self.p_value is not None and self.p_value >= _LEVEL:
            return None
        if self.difference.low > 0:
            return 1
        return 0 if self.difference.high < 0 else None

    def verdict(self, first: str, second: str) -> str:
        """Say it in a sentence."""
        if self.better is None:
            return "no difference can be told"
        return f"{(first, second)[self.better]} is better"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        return {**asdict(self), "difference": self.difference._asdict(), "better": self.better}


def compare(
    first: PredictionTable, second: PredictionTable, *, resamples: int = 2000, seed: int = 0
) -> Comparison:
    """Compare two models on the clips that both judged.

    McNemar's test in its exact form: of the clips that only one got right, each model would have
    half if they were equally good (McNemar 1947; Dietterich: Approximate Statistical Tests for
    Comparing Supervised Classification Learning Algorithms, 1998). The interval draws clips, or
    groups where they are known, with what both models said of them.

    Args:
        first: the one that is compared with.
        second: the other; its labels may be others, but not what is true.
        resamples: number of bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        DataError: there are not two clips (or groups) in common, or their genres differ.
        MissingExtraError: scipy is not installed.

    """
    one, other = common_clips([first, second])
    units = one.clips if one.groups is None else one.groups
    unit = "clip" if one.groups is None else "group"
    if len(set(units)) < 2:
        raise DataError(
            f"only one {unit} was judged by both models (clips: {one.n}); a comparison needs two "
            f"{unit}s or more"
        )
    gains = other.right.astype(np.int64) - one.right
    alone = int((gains < 0).sum()), int((gains > 0).sum())
    return Comparison(
        n=one.n,
        left_out=(first.n - one.n, second.n - one.n),
        accuracies=(float(one.right.mean()), float(other.right.mean())),
        difference=paired_difference(gains, units, resamples=resamples, seed=seed),
        right_alone=alone,
        p_value=None if len(set(one.clips)) < one.n else _mcnemar(*alone),
        bootstrap={"resamples": resamples, "seed": seed, "unit": unit},
    )


def _mcnemar(first_alone: int, second_alone: int) -> float:
    try:
        from scipy.stats import binomtest
    except ImportError as error:
        raise MissingExtraError("scipy", "evaluate") from error
    n = first_alone + second_alone
    return float(binomtest(first_alone, n).pvalue) if n else 1.0


def common_clips(tables: Sequence[PredictionTable]) -> list[PredictionTable]:
    """Reduce tables to the clips that all hold, in the order of the first.

    Clips are matched by name; where a table holds a clip several times, by name and round. All
    get the groups of the first table that knows them.

    Args:
        tables: one or more.

    Raises:
        DataError: there is no such clip, or the genre of one differs.

    """
    by_round = any(len(set(table.clips)) < table.n for table in tables)
    indices = [{key: i for i, key in enumerate(_keys(table, by_round))} for table in tables]
    shared = [key for key in indices[0] if all(key in index for index in indices[1:])]
    if not shared:
        names = " and ".join(table.clips[0] for table in tables if table.n)
        rounds = " in the same round" if by_round else ""
        raise DataError(f"no clip was judged by all models{rounds}; their first clips are {names}")
    reduced = [
        table.select([index[key] for key in shared])
        for table, index in zip(tables, indices, strict=True)
    ]
    for table in reduced[1:]:
        _check_truth(reduced[0], table)
    groups = next((table.groups for table in reduced if table.groups is not None), None)
    return [replace(table, groups=groups) for table in reduced]


def _keys(table: PredictionTable, by_round: bool) -> list[Hashable]:
    if not by_round:
        return list(table.clips)
    rounds = [1] * table.n if table.rounds is None else table.rounds.tolist()
    return list(zip(table.clips, rounds, strict=True))


def _check_truth(one: PredictionTable, other: PredictionTable) -> None:
    for clip, a, b in zip(one.clips, one.true, other.true, strict=True):
        if one.labels[a] != other.labels[b]:
            raise DataError(
                f"{clip} is {one.labels[a]} for one model and {other.labels[b]} for another; they "
                f"must be judged on the same genres"
            )
