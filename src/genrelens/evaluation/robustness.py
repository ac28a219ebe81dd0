"""What a model says of the same clips under conditions that must not change the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import AudioError
from genrelens.evaluation.bootstrap import Estimate
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import score
from genrelens.evaluation.wilson import paired_difference

__all__ = ["ConditionScores", "Robustness", "compare_conditions"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionScores:
    """How a model did under one condition.

    Attributes:
        condition: its name.
        description: what was done to the recordings; empty where it is not known.
        n: number of clips.
        accuracy: share of the clips that are right.
        macro_recall: mean recall of the genres that have clips.
        difference: accuracy minus that under the first condition; the interval is paired: it
            draws clips, each with what was said of it under both. 0 without an interval for the
            first condition itself.
        changed: share of the clips whose most probable genre is another one, right or wrong.
        confidence_change: mean change of the probability of the most probable genre.

    """

    condition: str
    description: str
    n: int
    accuracy: Estimate
    macro_recall: Estimate
    difference: Estimate
    changed: float
    confidence_change: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold."""
        return {
            "condition": self.condition,
            "description": self.description,
            "n": self.n,
            "accuracy": self.accuracy._asdict(),
            "macro_recall": self.macro_recall._asdict(),
            "difference": self.difference._asdict(),
            "changed": self.changed,
            "confidence_change": self.confidence_change,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Robustness:
    """How a model did under each condition.

    Attributes:
        rows: one for each condition; the first is what the others are compared with.
        tables: what the model said under each condition, by its name; the same clips in all.
        failed: the clips that could not be heard, which are in no figure.
        model: name of the model.
        bootstrap: ``resamples``, ``seed`` and ``unit``, ``"clip"`` or ``"group"``.

    """

    rows: tuple[ConditionScores, ...]
    tables: Mapping[str, PredictionTable]
    failed: tuple[AudioError, ...]
    model: str
    bootstrap: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures (not the tables) as plain values that JSON can hold."""
        return {
            "conditions": [row.to_dict() for row in self.rows],
            "failed": [{"path": error.source, "error": str(error)} for error in self.failed],
            "model": self.model,
            "bootstrap": dict(self.bootstrap),
        }


def compare_conditions(
    tables: Mapping[str, PredictionTable],
    *,
    model: str,
    descriptions: Mapping[str, str] | None = None,
    failed: Sequence[AudioError] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> Robustness:
    """Judge what a model said of the same clips under several conditions.

    Args:
        tables: by the name of the condition, of the same clips in the same order; the first is
            what the others are compared with.
        model: its name.
        descriptions: of the conditions, by their names.
        failed: the clips that could not be heard.
        resamples: number of bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        DataError: there is one clip only, or one group: no interval can be had of it.
        MissingExtraError: scikit-learn is not installed.
        ValueError: there is no table, or they are of different clips.

    """
    if not tables:
        raise ValueError("there is no table to compare")
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if (table.clips, table.labels) != (first.clips, first.labels):
            raise ValueError(f"the clips or labels of {name!r} are others than those of the first")
    scores = {name: score(table, resamples=resamples, seed=seed) for name, table in tables.items()}
    rows = tuple(
        ConditionScores(
            condition=name,
            description=(descriptions or {}).get(name, ""),
            n=table.n,
            accuracy=scores[name].accuracy,
            macro_recall=scores[name].macro_recall,
            difference=Estimate(0.0, 0.0, 0.0, "none")
            if table is first
            else _difference(first, table, resamples, seed),
            changed=float(np.mean(table.predicted != first.predicted)),
            confidence_change=float(np.mean(_confidence(table) - _confidence(first))),
        )
        for name, table in tables.items()
    )
    return Robustness(
        rows=rows,
        tables=dict(tables),
        failed=tuple(failed),
        model=model,
        bootstrap=scores[rows[0].condition].bootstrap,
    )


def _difference(
    first: PredictionTable, table: PredictionTable, resamples: int, seed: int
) -> Estimate:
    """Accuracy of ``table`` minus that of ``first``, with its paired bootstrap interval."""
    gains = table.right.astype(np.int64) - first.right
    units = first.clips if first.groups is None else first.groups
    return paired_difference(gains, units, resamples=resamples, seed=seed)


def _confidence(table: PredictionTable) -> Float64:
    confidence: Float64 = table.probabilities.max(axis=1)
    return confidence
