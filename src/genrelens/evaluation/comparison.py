"""Compare two models on the same clips, and test whether the difference is significant."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genrelens.data.folders import LabelledClip, clip_names
from genrelens.errors import DataError
from genrelens.evaluation.bootstrap import Estimate, paired_difference
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions

__all__ = ["Comparison", "common_clips", "compare", "load_tables"]

_LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison of two models on the clips that both classified.

    Attributes:
        n: number of these clips.
        left_out: number of clips that only the first model classified, and only the second.
        accuracies: accuracy of the first and of the second model.
        difference: accuracy of the second model minus that of the first, with a 95 % interval from
            the paired bootstrap, or from Wilson's intervals if the bootstrap has none.
        right_alone: number of clips that only the first model classified correctly, and only the
            second.
        p_value: two-sided p-value of McNemar's exact test; None if clips were classified several
            times, because the test does not allow this.
        bootstrap: ``resamples``, ``seed`` and ``unit`` (``"clip"`` or ``"group"``).

    Example::

        found = compare(first, second)
        print(found.difference, found.p_value, found.better)

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
        """Index of the better model, 0 or 1; None if neither is significantly better.

        Test and interval must agree. The test assumes independent clips, but clips of one artist
        are not independent; the interval is too narrow if there are few clips.
        """
        if self.p_value is not None and self.p_value >= _LEVEL:
            return None
        if self.difference.low > 0:
            return 1
        return 0 if self.difference.high < 0 else None

    def summary(self, first: str, second: str) -> str:
        """Return the result as a sentence that names the better model."""
        if self.better is None:
            return "no significant difference"
        return f"{(first, second)[self.better]} is better"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {**asdict(self), "difference": self.difference._asdict(), "better": self.better}


def compare(
    first: PredictionTable, second: PredictionTable, *, resamples: int = 2000, seed: int = 0
) -> Comparison:
    """Compare two models on the clips that both classified.

    The test is McNemar's exact test: if both models were equally good, each would be right on half
    of the clips that only one of them classified correctly (McNemar 1947; Dietterich: Approximate
    Statistical Tests for Comparing Supervised Classification Learning Algorithms, 1998). The
    bootstrap draws clips, or groups if they are known, with the answers of both models.

    Args:
        first: predictions of the model to compare with.
        second: predictions of the other model. Its labels may differ, but not the true genres.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Raises:
        DataError: fewer than two clips (or groups) are in both tables, or their true genres differ.

    Example::

        found = compare(load_predictions(a), load_predictions(b))
        found.summary("model a", "model b")  # 'model b is better'

    """
    one, other = common_clips([first, second])
    units = one.clips if one.groups is None else one.groups
    unit = "clip" if one.groups is None else "group"
    if len(set(units)) < 2:
        raise DataError(
            f"only one {unit} was classified by both models (clips: {one.n}); a comparison needs "
            f"two {unit}s or more"
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
    """Return the two-sided p-value of the binomial test with probability 1/2, exactly."""
    n = first_alone + second_alone
    tail = sum(math.comb(n, k) for k in range(min(first_alone, second_alone) + 1))
    return min(1.0, float(2 * tail / 2**n))


def load_tables(paths: Sequence[Path], clips: Sequence[LabelledClip] = ()) -> list[PredictionTable]:
    """Read predictions on the same clips from several files.

    A file without genres gets the genres of ``clips``, or else those of the earlier files.

    Args:
        paths: reports (their folder or ``metrics.json``) or CSV files.
        clips: labelled clips with the genres.

    Raises:
        DataError: a file is malformed, or the genre of a clip is not known.

    Example::

        ours, theirs = load_tables([Path("report"), Path("theirs.csv")])

    """
    names = clip_names([clip.path for clip in clips])
    truth = {name: clip.label for name, clip in zip(names, clips, strict=True)}
    tables = []
    for path in paths:
        table = load_predictions(path, truth=truth)
        known = dict(zip(table.clips, (table.labels[i] for i in table.true), strict=True))
        truth = {**known, **truth}
        tables.append(table)
    return tables


def common_clips(tables: Sequence[PredictionTable]) -> list[PredictionTable]:
    """Reduce tables to the clips that all contain, in the order of the first table.

    Clips are matched by name, or by name and round if a table contains a clip several times. All
    tables get the groups of the first table that has groups.

    Args:
        tables: one or more tables.

    Raises:
        DataError: no clip is in all tables, or the genre of a clip differs.

    Example::

        ours, theirs = common_clips(load_tables([Path("ours.csv"), Path("theirs.csv")]))

    """
    by_round = any(len(set(table.clips)) < table.n for table in tables)
    indices = [{key: i for i, key in enumerate(_keys(table, by_round))} for table in tables]
    shared = [key for key in indices[0] if all(key in index for index in indices[1:])]
    if not shared:
        names = " and ".join(table.clips[0] for table in tables if table.n)
        rounds = " in the same round" if by_round else ""
        raise DataError(
            f"no clip was classified by all models{rounds}; their first clips are {names}"
        )
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
                f"the genre of {clip} is {one.labels[a]} for one model and {other.labels[b]} for "
                f"another; all models must be evaluated on the same genres"
            )
