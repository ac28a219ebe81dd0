"""All figures of an evaluation, each with its 95 % interval.

Internally the figures are one row: those of ``FIGURES``, then precision, recall and F1 of each
class. Each figure is computed from sums over clips, so that thousands of bootstrap resamples need
only one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.counts import count_of
from genrelens.errors import DataError
from genrelens.evaluation.bootstrap import (
    Estimate,
    checked_f1,
    checked_loss,
    checked_macro_f1,
    checked_macro_recall,
    checked_share,
    percentile_estimates,
    resampled_sums,
)
from genrelens.evaluation.metrics import (
    N_BINS,
    RejectionPoint,
    ReliabilityBin,
    confusion_matrix,
    rejection_curve,
    reliability_bins,
    reliability_index,
)
from genrelens.evaluation.prediction_table import PredictionTable

__all__ = ["FIGURES", "ClassScores", "Estimate", "Scores", "WorstClip", "figures", "score", "terms"]

FIGURES = ("accuracy", "macro_recall", "macro_f1", "top2", "log_loss", "ece")
"""Names of the figures that cover all classes, in the order of :func:`figures`."""

Float64 = NDArray[np.float64]

_ECE = FIGURES.index("ece")
_SMALLEST = 1e-15  # a probability of 0 would make the log loss infinite
_N_WORST = 50
_FEW = 50  # clips; the expected calibration error of fewer clips is mostly chance


class ClassScores(NamedTuple):
    """Figures of one class against all others.

    Attributes:
        label: name of the class.
        support: number of its clips.
        precision: share of the clips predicted as this class that belong to it; NaN if the class is
            never predicted.
        recall: share of its clips that were classified correctly; NaN without clips.
        f1: harmonic mean of precision and recall; 0 if the class has clips but is never
            predicted; NaN without clips.

    Example::

        for each in score(table).per_class:
            print(each.label, each.recall.value)

    """

    label: str
    support: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


class WorstClip(NamedTuple):
    """A clip with its true and its predicted genre and their probabilities, 0..1.

    Example::

        for each in score(table).worst:
            print(each.clip, each.true, each.predicted)

    """

    clip: str
    true: str
    predicted: str
    probability_of_true: float
    probability_of_predicted: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Figures of a model on clips whose genre is known.

    Attributes:
        n: number of clips.
        n_groups: number of groups (artists); None if they are not known.
        labels: genres of the model.
        confusion: numbers of clips, (n_classes, n_classes) int64; rows true, columns predicted.
        accuracy: share of the clips that are classified correctly.
        macro_recall: mean recall of the classes that have clips.
        macro_f1: mean F1 of the classes that have clips.
        top2: share of the clips whose genre is among the two most probable ones.
        log_loss: mean negative log probability of the true genre, in nats.
        ece: expected calibration error, 0..1 (Guo et al., 2017): top label, 10 equal-width bins.
        per_class: one entry for each label.
        reliability: the 10 bins of ``ece``.
        rejection: coverage and accuracy by threshold, from answering only the clip with the highest
            confidence to answering all clips.
        worst: at most 50 clips: first wrong answers by falling confidence, then right answers by
            rising confidence.
        bootstrap: ``resamples``, ``seed`` and ``unit`` (``"clip"`` or ``"group"``). The
            ``method`` of an estimate states whether its interval comes from the bootstrap.

    Example::

        scores = score(load_predictions(Path("report")))
        print(scores.accuracy, scores.macro_f1, scores.ece)

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
        """Labels without clips: no mean includes them, and their figures are NaN."""
        return tuple(each.label for each in self.per_class if not each.support)

    @property
    def few_clips_note(self) -> str:
        """A note on the calibration error of few clips; empty if there are enough clips."""
        if self.n >= _FEW:
            return ""
        return (
            f"The calibration error of {count_of(self.n, 'clip')} is mostly chance, and too high. "
            f"A useful value needs {_FEW} clips or more."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON; NaN becomes None."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {**values, "confusion": self.confusion.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the scores that :meth:`to_dict` returned as ``values``.

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
            raise DataError(f"these are not scores ({error!r})") from error


def score(table: PredictionTable, *, resamples: int = 2000, seed: int = 0) -> Scores:
    """Compute all figures of predictions, each with a 95 % interval.

    The intervals are percentiles of a bootstrap. If the bootstrap has no interval, because there
    are few clips or all have the same result, shares get Wilson's interval (see
    :mod:`genrelens.evaluation.bootstrap`).

    Clips are drawn with replacement. If groups are known, groups are drawn, each with all its
    clips. A resample that lacks a class averages over the other classes and is ignored for the
    figures of that class.

    Args:
        table: the predictions and the true genres.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Raises:
        DataError: there is only one clip, or only one group, so no interval can be computed.
        ValueError: ``resamples`` is below 1.

    Example::

        scores = score(load_predictions(Path("report")))
        scores.accuracy.value, scores.accuracy.low, scores.accuracy.high  # (0.81, 0.75, 0.87)

    """
    if resamples < 1:
        raise ValueError(f"resamples={resamples} must be at least 1")
    units = table.clips if table.groups is None else table.groups
    unit = "clip" if table.groups is None else "group"
    n_units = len(set(units))
    if n_units < 2:
        raise DataError(
            f"there is only {n_units} {unit} (clips: {table.n}); an interval needs two {unit}s "
            f"or more"
        )
    found = _estimates(table, units, resamples=resamples, seed=seed)
    confidence = table.probabilities.max(axis=1)
    return Scores(
        n=table.n,
        n_groups=None if table.groups is None else n_units,
        labels=table.labels,
        confusion=confusion_matrix(table.true, table.predicted, len(table.labels)),
        per_class=_per_class(table, found[len(FIGURES) :]),
        reliability=reliability_bins(confidence, table.right),
        rejection=rejection_curve(confidence, table.right),
        worst=_worst(table, confidence),
        bootstrap={"resamples": resamples, "seed": seed, "unit": unit},
        **dict(zip(FIGURES, found, strict=False)),
    )


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


# ------------------------------------------------------------------------------- figures


def terms(table: PredictionTable) -> Float64:
    """Return the contribution of each clip to the sums for :func:`figures`, (n, 3 c + 12)."""
    classes = np.eye(len(table.labels))
    true, predicted = classes[table.true], classes[table.predicted]
    of_true = table.probabilities[np.arange(table.n), table.true]
    confidence = table.probabilities.max(axis=1)
    gaps = np.eye(N_BINS)[reliability_index(confidence)] * (table.right - confidence)[:, None]
    loss = -np.log(np.maximum(of_true, _SMALLEST))
    return np.column_stack([true, predicted, true * predicted, _in_top2(table), loss, gaps])


def figures(sums: Float64, c: int) -> Float64:
    """Compute figures from sums of :func:`terms`.

    Args:
        sums: one row for each set of clips, (m, 3 c + 12).
        c: number of classes.

    Returns:
        (m, 6 + 3 c): the six of ``FIGURES``, then precision, recall and F1 of each class; NaN where
        a figure is not defined.

    """
    support, called, hits, (top2, loss), gaps = (
        sums[:, :c],
        sums[:, c : 2 * c],
        sums[:, 2 * c : 3 * c],
        sums[:, 3 * c : 3 * c + 2].T,
        sums[:, 3 * c + 2 :],
    )
    n = support.sum(axis=1)
    precision, recall = _ratio(hits, called), _ratio(hits, support)
    f1 = np.where(support > 0, _ratio(2 * hits, support + called), math.nan)
    ece = np.abs(gaps).sum(axis=1) / n
    means = np.nanmean(recall, axis=1), np.nanmean(f1, axis=1)
    first = np.column_stack([hits.sum(axis=1) / n, *means, top2 / n, loss / n, ece])
    return np.hstack([first, precision, recall, f1])


def _ratio(part: Float64, whole: Float64) -> Float64:
    return np.divide(part, whole, out=np.full_like(part, math.nan), where=whole > 0)


def _in_top2(table: PredictionTable) -> NDArray[np.bool_]:
    """Mark the clips whose genre is among the two most probable ones, (n,) bool.

    Of equally probable genres, the first counts as more probable.
    """
    order = np.argsort(-table.probabilities, axis=1, kind="stable")[:, :2]
    return np.asarray((order == table.true[:, None]).any(axis=1))


def _estimates(
    table: PredictionTable, units: Sequence[str], *, resamples: int, seed: int
) -> list[Estimate]:
    """Return all figures with their intervals.

    The calibration error of a small sample is too large, and the errors of its resamples are too
    large again. Therefore the errors of the resamples are shifted so that their mean is the
    measured error.
    """
    c = len(table.labels)
    each_clip = terms(table)
    values = figures(each_clip.sum(axis=0, keepdims=True), c)[0]
    samples = figures(resampled_sums(each_clip, units, resamples=resamples, seed=seed), c)
    ece = samples[:, _ECE]
    samples[:, _ECE] = np.maximum(ece - ece.mean() + values[_ECE], 0)
    return _checked(percentile_estimates(values, samples), table, units)


def _checked(
    found: Sequence[Estimate], table: PredictionTable, units: Sequence[str]
) -> list[Estimate]:
    """Replace the intervals where the bootstrap has none."""
    c, n = len(table.labels), len(set(units))
    accuracy, macro_recall, macro_f1, top2, log_loss, ece = found[: len(FIGURES)]
    precisions, recalls, f1s = (found[len(FIGURES) + i * c :][:c] for i in range(3))
    called, true, either = _units_of_classes(table, units)
    alike = accuracy.value in (0, 1)
    f1s = list(map(checked_f1, f1s, either))
    return [
        checked_share(accuracy, n),
        checked_macro_recall(macro_recall, [each.value for each in recalls], true, n),
        checked_macro_f1(macro_f1, f1s, n),
        checked_share(top2, n),
        checked_loss(log_loss, n, alike=alike),
        checked_loss(ece, n, alike=alike),
        *map(checked_share, precisions, called),
        *map(checked_share, recalls, true),
        *f1s,
    ]


def _units_of_classes(
    table: PredictionTable, units: Sequence[str]
) -> tuple[list[int], list[int], list[int]]:
    """Count for each class the units with this predicted class, this true class, and either."""
    called: list[set[str]] = [set() for _ in table.labels]
    true: list[set[str]] = [set() for _ in table.labels]
    for unit, t, p in zip(units, table.true.tolist(), table.predicted.tolist(), strict=True):
        true[t].add(unit)
        called[p].add(unit)
    both = zip(called, true, strict=True)
    return [*map(len, called)], [*map(len, true)], [len(a | b) for a, b in both]


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
