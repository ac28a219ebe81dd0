"""A classifier against labelled files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.classifier import Classifier
from genrelens.data.folders import LabelledClip, clip_names
from genrelens.errors import AudioError, DataError, DataWarning
from genrelens.evaluation.metrics import (
    accuracy,
    confusion_matrix,
    macro_recall,
    recalls,
    wilson_interval,
)
from genrelens.evaluation.prediction_csv import columns, read_rows
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions
from genrelens.library.digest import audio_digest
from genrelens.prediction import Prediction
from genrelens.training_audio import TrainingAudio

__all__ = [
    "Evaluation",
    "evaluate",
    "judge_predictions",
    "merge_labels",
    "true_classes",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """How a model did on labelled clips.

    The figures here need numpy alone; :func:`genrelens.evaluation.scores.score` makes all others
    of ``table``.

    Attributes:
        table: what the model said of each clip.
        failed: the clips that could not be read, which are in no figure.
        model: name of the model.

    """

    table: PredictionTable
    failed: tuple[AudioError, ...] = ()
    model: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the model."""
        return self.table.labels

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of clips, (n_classes, n_classes) int64; rows true, columns predicted."""
        predicted = self.table.predicted.tolist()
        return confusion_matrix(self.table.true.tolist(), predicted, len(self.labels))

    @property
    def n(self) -> int:
        """Number of clips that were judged."""
        return self.table.n

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
            "in_training": self.table.n_in_training,
            "warning": self.table.training_warning or None,
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
    """Classify labelled clips; the table marks those that the model was trained on.

    Args:
        classifier: what is judged.
        clips: labelled in the data's or the model's words; the model's label map is applied. None
            of them twice.
        jobs: how many clips at once.
        on_clip: called for each clip with what came out.

    Raises:
        DataError: a label is unknown to the model, or no clip could be read.

    """
    if not clips:
        raise DataError("there are no clips to judge on")
    targets = true_classes(clips, classifier)
    names = clip_names([clip.path for clip in clips])
    judged: list[int] = []
    probabilities: list[NDArray[np.float64]] = []
    failed: list[AudioError] = []
    results = classifier.classify_many([clip.path for clip in clips], jobs=jobs)
    for index, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            failed.append(result)
        else:
            judged.append(index)
            probabilities.append(result.probabilities)
        on_clip(clips[index], result)
    if not judged:
        raise DataError(f"no clip of {len(clips)} could be read; the first: {failed[0]}")
    grouped = any(clip.group is not None for clip in clips)
    table = PredictionTable(
        labels=classifier.labels,
        clips=tuple(names[i] for i in judged),
        true=np.array([targets[i] for i in judged], np.int64),
        probabilities=np.stack(probabilities),
        groups=tuple(clips[i].group or names[i] for i in judged) if grouped else None,
        in_training=_in_training(classifier, [clips[i].path for i in judged]),
    )
    return Evaluation(table=table, failed=tuple(failed), model=classifier.metadata.name)


def _in_training(classifier: Classifier, paths: Sequence[Path]) -> NDArray[np.bool_] | None:
    """Mark the recordings that a model was trained on, (n,); None if its file does not say."""
    known = TrainingAudio.from_provenance(classifier.metadata.provenance)
    if known is None:
        return None
    return np.array([_digest(path) in known for path in paths])


def _digest(path: Path) -> str:
    """Return the digest of a recording, or that of none if the file went away meanwhile."""
    try:
        return audio_digest(path)
    except AudioError:
        return ""


def judge_predictions(
    path: Path,
    clips: Sequence[LabelledClip] = (),
    *,
    label_map: Mapping[str, str] | None = None,
) -> Evaluation:
    """Judge what any model said, from a file.

    Args:
        path: a CSV file with the column ``clip``, if it is known ``genre``, and one column of
            probabilities for each label; or the ``metrics.json`` of a report.
        clips: what to judge on: their genres, their groups if they have some, and no row of other
            clips. Without them the file must say the genres, and all rows count.
        label_map: renames those labels of the clips that the file does not have, then those of
            the file: see ``merge_labels``.

    Raises:
        DataError: the file is malformed, lacks a genre, or has no row of any of the clips.

    Warns:
        DataWarning: some of the clips have no row.

    """
    renamed = dict(label_map or {})
    named = dict(zip(clip_names([clip.path for clip in clips]), clips, strict=True))
    if path.is_dir() or path.suffix.lower() == ".json":  # a report, which says the genres itself
        table = load_predictions(path)
        _check_rows(path, named, table.clips)
        rows = enumerate(table.clips)
        table = table.select([row for row, name in rows if name in named or not named])
    else:
        table = _read_table(path, named, renamed)
    if any(clip.group is not None for clip in clips):
        table = replace(table, groups=tuple(named[name].group or name for name in table.clips))
    return Evaluation(table=merge_labels(table, renamed), model=path.stem)


def _read_table(
    path: Path, named: Mapping[str, LabelledClip], renamed: Mapping[str, str]
) -> PredictionTable:
    """Read the rows of clips, or all if there are none; others may be of genres unknown here."""
    labels, rows = read_rows(path)
    _check_rows(path, named, [row.clip for row in rows])
    truth = {
        name: clip.label if clip.label in labels else renamed.get(clip.label, clip.label)
        for name, clip in named.items()
    }
    chosen = [row for row in rows if row.clip in named or not named]
    return PredictionTable(**columns(str(path), labels, chosen, truth))


def _check_rows(path: Path, clips: Mapping[str, LabelledClip], rows: Sequence[str]) -> None:
    """Refuse a file on other clips; warn of clips that it does not have."""
    absent = sorted(set(clips) - set(rows))
    if clips and rows and len(absent) == len(clips):
        raise DataError(
            f"{path}: has no row of any of the {len(clips)} clips; it names {rows[0]}, they are "
            f"called {absent[0]}, without folder and ending"
        )
    if absent:
        message = f"{path}: {len(absent)} of {len(clips)} clips have no row, for instance "
        warnings.warn(DataWarning(f"{message}{absent[0]}; they are in no figure"), stacklevel=4)


def merge_labels(table: PredictionTable, label_map: Mapping[str, str]) -> PredictionTable:
    """Rename labels; the probabilities of those that get the same name are added up.

    Args:
        table: what a model said.
        label_map: old label -> new label, for instance ``{"blues": "jazz"}``; may name labels
            that the table does not have.

    Raises:
        DataError: fewer than two labels would be left.

    """
    renamed = [label_map.get(label, label) for label in table.labels]
    labels = list(dict.fromkeys(renamed))
    if len(labels) < 2:
        raise DataError(f"only the label {labels[0]!r} would be left of {', '.join(table.labels)}")
    places = np.array([labels.index(label) for label in renamed], np.int64)
    sums = np.eye(len(labels))[places]  # (old, new): 1 where an old label goes
    return replace(
        table,
        labels=tuple(labels),
        true=places[table.true],
        probabilities=table.probabilities @ sums,
    )


def true_classes(clips: Iterable[LabelledClip], classifier: Classifier) -> list[int]:
    """Index of each clip's label among the model's."""
    metadata = classifier.metadata
    labels = [metadata.label_map.get(clip.label, clip.label) for clip in clips]
    unknown = {
        label: clip
        for clip, label in zip(clips, labels, strict=True)
        if label not in metadata.labels
    }
    if unknown:
        clip = next(iter(unknown.values()))
        raise DataError(
            f"{clip.path}: the model {metadata.name} has no genre "
            f"{', '.join(map(repr, sorted(unknown)))}; it knows "
            f"{', '.join(sorted({*metadata.labels, *metadata.label_map}))}. Leave those clips out, "
            "or rename their genre with --relabel OLD=NEW"
        )
    return [metadata.labels.index(label) for label in labels]
