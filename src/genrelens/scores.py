"""The figures behind an evaluation, each with how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ClassScores",
    "Estimate",
    "RejectionPoint",
    "ReliabilityBin",
    "Scores",
    "WorstClip",
]


class Estimate(NamedTuple):
    """A figure and its 95 % interval (percentile bootstrap); NaN where it is not defined."""

    value: float
    low: float
    high: float


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


class ReliabilityBin(NamedTuple):
    """Clips whose top probability lies in ``(low, high]``, and how often they are right."""

    low: float
    high: float
    n: int
    confidence: float  # mean top probability; NaN in an empty bin
    accuracy: float  # NaN in an empty bin


class RejectionPoint(NamedTuple):
    """Answering only where the top probability is ``threshold`` or more."""

    threshold: float
    coverage: float  # share of the clips that are answered
    accuracy: float  # among them


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
        ece: expected calibration error, 0..1 (Guo et al., 2017): 10 equal-width bins.
        per_class: one entry for each label.
        reliability: the 10 bins of ``ece``.
        rejection: from answering the surest clip alone to answering all.
        worst: the wrong ones, the surest first, then the right ones, the least sure first.
        bootstrap: ``resamples``, ``seed`` and ``unit``, ``"clip"`` or ``"group"``.

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
