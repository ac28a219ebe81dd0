"""The figures behind an evaluation, each with how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import DataError
from genrelens.evaluation.bootstrap import Estimate
from genrelens.evaluation.estimates import FIGURES, estimates
from genrelens.evaluation.metrics import (
    RejectionPoint,
    ReliabilityBin,
    confusion_matrix,
    rejection_curve,
    reliability_bins,
)
from genrelens.evaluation.prediction_table import PredictionTable

__all__ = [
    "ClassScores",
    "Estimate",
    "RejectionPoint",
    "ReliabilityBin",
    "Scores",
    "WorstClip",
    "score",
]

Float64 = NDArray[np.float64]

_N_WORST = 50
_FEW = 50  # clips; the expected calibration error of fewer is mostly chance


class ClassScores(NamedTuple):
    """One class against the rest.

    Attributes:
        label: of the class.
        support: number of its clips.
        precision: share of the clips called so that are so; NaN if none was called so.
        recall: share of its clips that were found; NaN without clips.
        f1: harmonic mean of both, 0 where the class has clips and none was called so; NaN
            without clips.

    """

    label: str
    support: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


class WorstClip(NamedTuple):
    """A clip and what it was taken for."""

    clip: str
    true: str
    predicted: str
    probability_of_true: float
    probability_of_predicted: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """How a model did on clips whose genre is known.

    Attributes:
        n: number of clips.
        n_groups: number of groups (artists), or None where they are not known.
        labels: of the model.
        confusion: counts of clips, (n_classes, n_classes) int64; rows true, columns predicted.
        accuracy: share of the clips that are right.
        macro_recall: mean recall of the classes that have clips.
        macro_f1: mean F1 of the classes that have clips.
        top2: share of the clips whose genre is among the two most probable.
        log_loss: mean negative log probability of the true genre, in nats.
        ece: expected calibration error, 0..1 (Guo et al., 2017): top label, 10 equal-width bins.
        per_class: one entry for each label.
        reliability: the 10 bins of ``ece``.
        rejection: from answering the surest clip alone to answering all.
        worst: 50 clips: the wrong ones, the surest first, then the right ones, the least sure
            first.
        bootstrap: ``resamples``, ``seed`` and ``unit``, ``"clip"`` or ``"group"``; an estimate's
            ``method`` says whether its interval is of the bootstrap.

    """

    n: int
    n_groups: int | None
    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    accuracy: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    top2: Estimate
    log_loss: Estimate
    ece: Estimate
    per_class: tuple[ClassScores, ...]
    reliability: tuple[ReliabilityBin, ...]
    rejection: tuple[RejectionPoint, ...]
    worst: tuple[WorstClip, ...]
    bootstrap: dict[str, Any]

    @property
    def absent(self) -> tuple[str, ...]:
        """The labels without clips: they are in no mean, their own figures are NaN."""
        return tuple(each.label for each in self.per_class if not each.support)

    @property
    def few_clips_note(self) -> str:
        """A sentence on what a few clips cannot show; empty where there are enough."""
        if self.n >= _FEW:
            return ""
        return (
            f"The calibration error of {self.n} clips is mostly chance, and too high: it takes "
            f"{_FEW} or more."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold; NaN is None."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {**values, "confusion": self.confusion.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make scores of what ``to_dict`` returned.

        Raises:
            DataError: a figure is missing or malformed.

        """
        try:
            return cls(
                n=int(values["n"]),
                n_groups=values["n_groups"],
                labels=tuple(values["labels"]),
                confusion=np.array(values["confusion"], dtype=np.int64),
                per_class=tuple(_class_scores(each) for each in values["per_class"]),
                reliability=tuple(ReliabilityBin(**_nan(each)) for each in values["reliability"]),
                rejection=tuple(RejectionPoint(**each) for each in values["rejection"]),
                worst=tuple(WorstClip(**each) for each in values["worst"]),
                bootstrap=dict(values["bootstrap"]),
                **{name: Estimate(**_nan(values[name])) for name in FIGURES},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"these are no scores ({error!r})") from error


def score(table: PredictionTable, *, resamples: int = 2000, seed: int = 0) -> Scores:
    """Judge predictions; each figure gets a 95 % interval.

    The intervals are percentiles of a bootstrap. Where it has none, because there are few clips or
    all fared alike, shares get Wilson's (see :mod:`genrelens.evaluation.wilson`).

    Clips are drawn with replacement; where groups are known it is groups, each with all its
    clips. A resample that lacks a class takes its means over the others, and counts for no
    figure of that class.

    Args:
        table: what is judged.
        resamples: number of bootstrap resamples.
        seed: of the bootstrap.

    Raises:
        DataError: there is one clip only, or one group: no interval can be had of it.
        MissingExtraError: scikit-learn is not installed.
        ValueError: ``resamples`` is below 1.

    """
    if resamples < 1:
        raise ValueError(f"resamples={resamples} must be at least 1")
    units = table.clips if table.groups is None else table.groups
    unit = "clip" if table.groups is None else "group"
    n_units = len(set(units))
    if n_units < 2:
        raise DataError(
            f"only {n_units} {unit} was judged (clips: {table.n}); an interval needs two {unit}s "
            f"or more"
        )
    found = estimates(table, units, resamples=resamples, seed=seed)
    confidence = table.probabilities.max(axis=1)
    return Scores(
        n=table.n,
        n_groups=None if table.groups is None else n_units,
        labels=table.labels,
        confusion=_confusion(table),
        per_class=_per_class(table, found[len(FIGURES) :]),
        reliability=reliability_bins(confidence, table.right),
        rejection=rejection_curve(confidence, table.right),
        worst=_worst(table, confidence),
        bootstrap={"resamples": resamples, "seed": seed, "unit": unit},
        **dict(zip(FIGURES, found, strict=False)),
    )


# ------------------------------------------------------------------------------- clips, classes


def _confusion(table: PredictionTable) -> NDArray[np.int64]:
    return confusion_matrix(table.true.tolist(), table.predicted.tolist(), len(table.labels))


def _per_class(table: PredictionTable, found: list[Estimate]) -> tuple[ClassScores, ...]:
    c = len(table.labels)
    support = np.bincount(table.true, minlength=c).tolist()
    columns = (found[i * c : (i + 1) * c] for i in range(3))
    return tuple(map(ClassScores, table.labels, support, *columns))


def _worst(table: PredictionTable, confidence: Float64) -> tuple[WorstClip, ...]:
    right, predicted = table.right, table.predicted
    signed = np.where(right, confidence, -confidence)
    order = sorted(range(table.n), key=lambda i: (right[i], signed[i], table.clips[i]))
    return tuple(
        WorstClip(
            table.clips[i],
            table.labels[table.true[i]],
            table.labels[predicted[i]],
            float(table.probabilities[i, table.true[i]]),
            float(confidence[i]),
        )
        for i in order[:_N_WORST]
    )


# ------------------------------------------------------------------------------- plain values


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def _class_scores(values: Mapping[str, Any]) -> ClassScores:
    rates = {name: Estimate(**_nan(values[name])) for name in ("precision", "recall", "f1")}
    return ClassScores(label=values["label"], support=values["support"], **rates)
