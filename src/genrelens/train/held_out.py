"""Evaluate an exported model file on held-out clips, with the ordinary classifier."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.classifier import Classifier
from genrelens.data.folders import LabelledClip, clip_names
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.calibration import fit_temperature
from genrelens.evaluation.metrics import accuracy, confusion_matrix, macro_recall, wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.prediction import Prediction

__all__ = ["classify_held_out", "evaluate_model", "figures"]

_ENOUGH_TO_CALIBRATE = 50  # clips; a temperature from fewer clips is mostly chance


def evaluate_model(
    model: Path, clips: Sequence[LabelledClip], network: str
) -> tuple[dict[str, dict[str, Any]], float]:
    """Evaluate a model on the validation clips of its training.

    Args:
        model: path of the model file; its temperature must be 1.
        clips: the validation clips.
        network: name of the network.

    Returns:
        The figures (see :func:`figures`) of ``network`` and, if that is ``"mel-cnn-lstm"``, of
        ``"mean over segments"``, by these names. Also the temperature that calibrates the model, or
        1 if there are fewer than 50 clips.

    Raises:
        DataError: no clip can be read.

    """
    names = clip_names([clip.path for clip in clips])
    table, mean = classify_held_out(model, clips, names, jobs=os.cpu_count() or 1)
    tables = {network: table}
    if network == "mel-cnn-lstm":
        tables["mean over segments"] = mean
    temperature = 1.0
    if table.n >= _ENOUGH_TO_CALIBRATE:
        temperature = fit_temperature(np.log(table.probabilities), table.true)
    return {name: figures(each) for name, each in tables.items()}, temperature


def classify_held_out(
    model: Path,
    clips: Sequence[LabelledClip],
    names: Sequence[str],
    *,
    jobs: int = 1,
    on_failure: Callable[[AudioError], None] = lambda error: None,
    on_prediction: Callable[[int, Prediction], None] = lambda index, prediction: None,
) -> tuple[PredictionTable, PredictionTable]:
    """Classify clips that a model was not trained on.

    Args:
        model: path of the model file.
        clips: the clips, labelled with labels of the model.
        names: name of each clip in the tables.
        jobs: number of clips to classify at once.
        on_failure: called with the error of a clip that cannot be read; no table includes it.
        on_prediction: called with the index and the prediction of each clip that can be read.

    Returns:
        The predictions of the model, and those of the mean over its segments. A segment has less
        weight if it overlaps the segment before it. Both are equal unless the model has an LSTM
        over the segments.

    Raises:
        DataError: no clip can be read.

    """
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    results = classifier.classify_many([clip.path for clip in clips], jobs=jobs)
    read: list[int] = []
    whole: list[NDArray[np.float64]] = []
    means: list[NDArray[np.float64]] = []
    for index, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            on_failure(result)
            continue
        on_prediction(index, result)
        read.append(index)
        whole.append(result.probabilities)
        means.append(np.average(result.segments, axis=0, weights=result.segment_weights))
    if not read:
        raise DataError("no held-out clip can be read", path=model.parent)
    labels = classifier.labels
    grouped = all(clips[i].group is not None for i in read)
    table, mean = (
        PredictionTable(
            labels=labels,
            clips=tuple(names[i] for i in read),
            true=np.array([labels.index(clips[i].label) for i in read]),
            probabilities=np.stack(probabilities),
            groups=tuple(str(clips[i].group) for i in read) if grouped else None,
        )
        for probabilities in (whole, means)
    )
    return table, mean


def figures(table: PredictionTable) -> dict[str, Any]:
    """Return the figures of a table for ``metrics.json`` and the model file.

    Returns:
        ``n``, ``accuracy``, ``accuracy_interval`` (95 %, Wilson), ``macro_recall`` and
        ``confusion`` (rows true, columns predicted).

    """
    confusion = confusion_matrix(table.true.tolist(), table.predicted.tolist(), len(table.labels))
    return {
        "n": table.n,
        "accuracy": accuracy(confusion),
        "accuracy_interval": list(wilson_interval(int(np.trace(confusion)), table.n)),
        "macro_recall": macro_recall(confusion),
        "confusion": confusion.tolist(),
    }
