"""A classifier against labelled files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.classifier import Classifier
from genrelens.datasets import LabelledClip
from genrelens.errors import AudioError, DataError
from genrelens.metrics import accuracy, confusion_matrix, macro_recall, recalls, wilson_interval
from genrelens.prediction import Prediction

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """How a classifier did on labelled clips.

    Attributes:
        labels: of the model.
        confusion: counts of clips, (n_classes, n_classes) int64; rows true, columns predicted.
        failed: the clips that could not be read, which are in no figure.
        model: name of the model.

    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    failed: tuple[AudioError, ...]
    model: str

    @property
    def n(self) -> int:
        """Number of clips that were classified."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of the clips that were classified right."""
        return accuracy(self.confusion)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy (Wilson), clips taken as independent."""
        return wilson_interval(int(np.trace(self.confusion)), self.n)

    @property
    def macro_recall(self) -> float:
        """Mean recall of the genres that have clips."""
        return macro_recall(self.confusion)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values; the recall of a genre without clips is None."""
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_recall": self.macro_recall,
            "recall": {
                label: None if np.isnan(value) else float(value)
                for label, value in zip(self.labels, recalls(self.confusion), strict=True)
            },
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "failed": [{"path": error.source, "error": str(error)} for error in self.failed],
            "model": self.model,
        }


def evaluate(
    classifier: Classifier,
    clips: Sequence[LabelledClip],
    *,
    jobs: int = 1,
    on_clip: Callable[[LabelledClip, Prediction | AudioError], None] = lambda clip, result: None,
) -> Evaluation:
    """Classify labelled clips and count.

    Args:
        classifier: what is judged.
        clips: labelled in the data's or the model's words; the model's label map is applied.
        jobs: how many clips at once.
        on_clip: called for each clip with what came out.

    Raises:
        DataError: a label is unknown to the model, or no clip could be read.

    """
    if not clips:
        raise DataError("there are no clips to judge on")
    targets = [_target(clip, classifier) for clip in clips]
    true: list[int] = []
    predicted: list[int] = []
    failed: list[AudioError] = []
    results = classifier.classify_many([clip.path for clip in clips], jobs=jobs)
    for clip, target, (_, result) in zip(clips, targets, results, strict=True):
        if isinstance(result, AudioError):
            failed.append(result)
        else:
            true.append(target)
            predicted.append(int(result.probabilities.argmax()))
        on_clip(clip, result)
    if not true:
        raise DataError(f"no clip of {len(clips)} could be read; the first: {failed[0]}")
    return Evaluation(
        labels=classifier.labels,
        confusion=confusion_matrix(true, predicted, len(classifier.labels)),
        failed=tuple(failed),
        model=classifier.metadata.name,
    )


def _target(clip: LabelledClip, classifier: Classifier) -> int:
    label = classifier.metadata.label_map.get(clip.label, clip.label)
    try:
        return classifier.labels.index(label)
    except ValueError:
        raise DataError(
            f"{clip.path}: the model {classifier.metadata.name} has no genre {label!r}; "
            f"it knows {', '.join(sorted({*classifier.labels, *classifier.metadata.label_map}))}"
        ) from None
