"""Run a classifier on labelled clips, or read the predictions of any model on them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.classifier import Classifier
from genrelens.counts import count_of, plural
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
from genrelens.evaluation.scores import Scores, score
from genrelens.library.digest import audio_digest
from genrelens.metadata import ModelMetadata
from genrelens.prediction import Prediction
from genrelens.training_audio import TrainingAudio

__all__ = ["Evaluation", "evaluate", "evaluate_predictions", "genres_of_labels", "true_classes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Result of a model on labelled clips.

    Attributes:
        table: the predictions and the true genres.
        failed: errors of the clips that could not be read; no figure includes them.
        model: name of the model.
        seed: seed of the bootstrap in ``scores``.
        unrestricted: the result if the model chooses from all its genres; None if that is this one.

    Example::

        result = evaluate(Classifier.load(), clips)
        print(result.accuracy, result.scores.macro_f1)

    """

    table: PredictionTable
    failed: tuple[AudioError, ...] = ()
    model: str
    seed: int = 0
    unrestricted: Evaluation | None = None

    @cached_property
    def scores(self) -> Scores:
        """All figures with 95 % intervals, computed at the first access.

        Raises:
            DataError: there is only one clip, or only one group.

        """
        return score(self.table, seed=self.seed)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the model."""
        return self.table.labels

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix: numbers of clips, (n_classes, n_classes) int64; rows true."""
        return confusion_matrix(self.table.true, self.table.predicted, len(self.labels))

    @property
    def n(self) -> int:
        """Number of classified clips."""
        return self.table.n

    @property
    def accuracy(self) -> float:
        """Share of the clips that are classified correctly, 0..1."""
        return accuracy(self.confusion)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy (Wilson) for independent clips."""
        return wilson_interval(int(np.trace(self.confusion)), self.n)

    @property
    def macro_recall(self) -> float:
        """Mean recall of the genres that have clips, 0..1."""
        return macro_recall(self.confusion)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values.

        The recall of a genre without clips is None. ``unrestricted`` has the figures among all
        genres of the model, or is absent.
        """
        figures = self._figures()
        if self.unrestricted is not None:
            figures["unrestricted"] = self.unrestricted._figures()
        return figures

    def _figures(self) -> dict[str, Any]:
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
    label_map: Mapping[str, str] | None = None,
    genres: Iterable[str] | None = None,
    jobs: int = 1,
    seed: int = 0,
    on_clip: Callable[[LabelledClip, Prediction | AudioError], None] = lambda clip, result: None,
) -> Evaluation:
    """Classify labelled clips and compare the predictions with the labels.

    The table of the result marks the clips that the model was trained on.

    Args:
        classifier: the model.
        clips: the clips, each once, with labels of the data or of the model; the label map of the
            model is applied.
        label_map: renames labels of the result, see :meth:`PredictionTable.relabel`.
        genres: genres of the model to choose from, which include those of the clips; the figures
            among all its genres are in ``unrestricted`` of the result. None: all.
        jobs: number of clips at once.
        seed: seed of the bootstrap.
        on_clip: called for each clip with its prediction or error.

    Raises:
        DataError: the model does not have a label, or no clip could be read.
        ValueError: the model does not have one of ``genres``, or there are fewer than 2.

    Example::

        result = evaluate(Classifier.load(), read_folder(Path("clips")))
        result.accuracy  # 0.81

    """
    if not clips:
        raise DataError("there are no clips to evaluate")
    true_classes(clips, classifier)
    metadata = classifier.metadata
    choices = [metadata] if genres is None else [metadata.restricted(genres), metadata]
    found, failed = _classify(classifier, clips, choices, jobs, on_clip)
    if not found:
        raise DataError(f"no clip of {len(clips)} could be read; the first: {failed[0]}")
    names = clip_names([clip.path for clip in clips])
    columns: dict[str, Any] = {
        "names": [names[i] for i in found],
        "label_map": metadata.label_map,
        "in_training": _in_training(classifier, [clips[i].path for i in found]),
    }
    evaluations = []
    for choice, rows in zip(choices, zip(*found.values(), strict=True), strict=True):
        table = PredictionTable.of([clips[i] for i in found], rows, labels=choice.labels, **columns)
        evaluations.append(
            Evaluation(
                table=table.relabel(label_map or {}), failed=failed, model=metadata.name, seed=seed
            )
        )
    first, *others = evaluations
    return replace(first, unrestricted=others[0]) if others else first


def _classify(
    classifier: Classifier,
    clips: Sequence[LabelledClip],
    choices: Sequence[ModelMetadata],
    jobs: int,
    on_clip: Callable[[LabelledClip, Prediction | AudioError], None],
) -> tuple[dict[int, list[NDArray[np.float64]]], tuple[AudioError, ...]]:
    """Classify clips.

    Returns:
        Index of each clip that could be read -> its probabilities for each choice of genres; and
        the errors of the others.

    """
    found: dict[int, list[NDArray[np.float64]]] = {}
    failed: list[AudioError] = []
    results = classifier.classify_many([clip.path for clip in clips], jobs=jobs)
    for index, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            failed.append(result)
        else:
            found[index] = [result.with_metadata(choice).probabilities for choice in choices]
        on_clip(clips[index], result)
    return found, tuple(failed)


def genres_of_labels(
    metadata: ModelMetadata, labels: Iterable[str], label_map: Mapping[str, str] | None = None
) -> list[str] | None:
    """Return the genres of a model that clips with some labels can have.

    Args:
        metadata: metadata of the model.
        labels: labels of the clips; those that the model does not have are ignored.
        label_map: labels that are renamed in the result, see :func:`evaluate`. Genres that get the
            same name belong together.

    Returns:
        The genres in the order of the model; None if they are all of its genres, or fewer than 2.

    """
    renamed = dict(label_map or {})
    own = {metadata.label_map.get(label, label) for label in labels}
    wanted = {renamed.get(label, label) for label in own}
    genres = [label for label in metadata.labels if renamed.get(label, label) in wanted]
    return genres if 2 <= len(genres) < len(metadata.labels) else None


def _in_training(classifier: Classifier, paths: Sequence[Path]) -> NDArray[np.bool_] | None:
    """Return whether each recording was in the training, (n,) bool; None if that is unknown."""
    known = TrainingAudio.from_provenance(classifier.metadata.provenance)
    if known is None:
        return None
    return np.array([_digest(path) in known for path in paths])


def _digest(path: Path) -> str:
    """Return the digest of a recording, or an empty text if the file has been removed."""
    try:
        return audio_digest(path)
    except AudioError:
        return ""


def true_classes(clips: Iterable[LabelledClip], classifier: Classifier) -> list[int]:
    """Return the index of each clip's label among the labels of a model.

    Raises:
        DataError: the model does not have a label.

    """
    metadata = classifier.metadata
    labels = [metadata.label_map.get(clip.label, clip.label) for clip in clips]
    unknown = {
        label: clip
        for clip, label in zip(clips, labels, strict=True)
        if label not in metadata.labels
    }
    if unknown:
        known = sorted({*metadata.labels, *metadata.label_map})
        raise DataError(
            f"the model {metadata.name} has no genre {', '.join(map(repr, sorted(unknown)))}; it "
            f"has {', '.join(known)}. Rename the genre of those clips with --relabel OLD=NEW, or "
            "leave them out with --relabel OLD=",
            path=next(iter(unknown.values())).path,
        )
    return [metadata.labels.index(label) for label in labels]


# ------------------------------------------------------------------------------ any model


def evaluate_predictions(
    path: Path,
    clips: Sequence[LabelledClip] = (),
    *,
    label_map: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate the predictions of any model from a file.

    Args:
        path: a CSV file with the column ``clip``, optionally ``genre``, and one column of
            probabilities for each label; or the ``metrics.json`` of a report, or its folder.
        clips: labelled clips with the genres and, if known, the groups; rows of other clips are
            ignored. Without clips the file must hold the genres, and all rows
            count.
        label_map: renames those labels of the clips that the file does not have, then those of
            the file: see :meth:`PredictionTable.relabel`.
        seed: seed of the bootstrap.

    Raises:
        DataError: the file is malformed, lacks a genre, or has no row of any of the clips.

    Warns:
        DataWarning: some of the clips have no row.

    Example::

        evaluate_predictions(Path("predictions.csv")).accuracy  # 0.75

    """
    renamed = dict(label_map or {})
    named = dict(zip(clip_names([clip.path for clip in clips]), clips, strict=True))
    if path.is_dir() or path.suffix.lower() == ".json":  # a report, which holds the genres
        table = load_predictions(path)
        _check_rows(path, named, table.clips)
        rows = enumerate(table.clips)
        table = table.select([row for row, name in rows if name in named or not named])
    else:
        table = _read_table(path, named, renamed)
    if any(clip.group is not None for clip in clips):
        table = replace(table, groups=tuple(named[name].group or name for name in table.clips))
    return Evaluation(table=table.relabel(renamed), model=path.stem, seed=seed)


def _read_table(
    path: Path, named: Mapping[str, LabelledClip], renamed: Mapping[str, str]
) -> PredictionTable:
    """Read the rows of the clips, or all rows if there are no clips.

    The rows of other clips are not checked: their genres may be unknown here.
    """
    labels, rows = read_rows(path)
    _check_rows(path, named, [row.clip for row in rows])
    truth = {
        name: clip.label if clip.label in labels else renamed.get(clip.label, clip.label)
        for name, clip in named.items()
    }
    chosen = [row for row in rows if row.clip in named or not named]
    return PredictionTable(**columns(str(path), labels, chosen, truth))


def _check_rows(path: Path, clips: Mapping[str, LabelledClip], rows: Sequence[str]) -> None:
    """Reject a file about other clips; warn about clips without a row."""
    absent = sorted(set(clips) - set(rows))
    if clips and rows and len(absent) == len(clips):
        raise DataError(
            f"has no row of {plural(len(clips), 'the clip', f'any of the {len(clips)} clips')}; "
            f"its first clip is {rows[0]}, theirs is {absent[0]}, without folder and extension",
            path=path,
        )
    if absent:
        some = (
            f"{len(absent)} of {count_of(len(clips), 'clip')} {plural(len(absent), 'has', 'have')}"
        )
        message = f"{path}: {some} no row, for instance "
        warnings.warn(DataWarning(f"{message}{absent[0]}; no figure includes them"), stacklevel=4)
