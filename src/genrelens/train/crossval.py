"""Cross-validation: train on each round of a split, and judge by the clips kept back from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genrelens.classifier import Classifier
from genrelens.data.folders import LabelledClip, clip_names, label_set
from genrelens.data.splits import Split
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.metrics import accuracy, confusion_matrix, macro_recall
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.files import write_text_atomically
from genrelens.prediction import Prediction
from genrelens.train.job import Run
from genrelens.train.original.fit import train

__all__ = ["MEAN_OVER_SEGMENTS", "Progress", "cross_validate", "spread"]

MEAN_OVER_SEGMENTS = "mel-cnn"  # the CNN of mel-cnn-lstm without its LSTM
_IDENTITY = "crossval.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What to call as the work goes on.

    Attributes:
        on_round: with the number of a round, from 1, and its table for each network.
        on_failure: with the error of a test clip that could not be read.

    """

    on_round: Callable[[int, Mapping[str, PredictionTable]], None] = lambda number, tables: None
    on_failure: Callable[[AudioError], None] = lambda error: None


def cross_validate(
    run: Run,
    split: Split,
    *,
    rounds: Sequence[int] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[str, PredictionTable]:
    """Train a recipe on each round of a split and let each model judge the clips it never met.

    Every round has a folder of its own, ``run.folder / "round-1"`` and so on, a training run as
    any other. A round that is finished there is not trained again and one that was cut off goes
    on, so the same call resumes. Without ``valid`` clips in the split nothing is chosen by looking
    at results: a network trains for as many epochs as the recipe says.

    Args:
        run: recipe and hardware; its folder holds the rounds.
        split: with ``train`` and ``test`` clips in each round, ``valid`` ones if wanted.
        rounds: which to do, from 1; None does all.
        jobs: how many test clips to classify at once.
        progress: what to call meanwhile.

    Returns:
        The test clips of all those rounds with what was said of them: for the recipe's network
        and, where an LSTM follows the CNN, for the plain mean over the CNN's segments.

    Raises:
        DataError: the folder holds another cross-validation, the split has no such round, a
            genre has no clip to train on in some round, or no test clip could be read.
        RecipeError: the hardware that was asked for is not there, or cannot train the network in
            the recipe's precision.
        KeyboardInterrupt: it was stopped; it can be resumed.

    """
    report = progress or Progress()
    chosen = list(range(1, len(split) + 1)) if rounds is None else sorted(set(rounds))
    labels = label_set(split.clips)
    _check(split, chosen, labels)
    _open(run, split, labels)
    tables: dict[str, list[PredictionTable]] = {}
    for number, clips in enumerate(split, start=1):
        if number not in chosen:
            continue
        judged = _round(replace(run, folder=run.folder / f"round-{number}"), clips, jobs, report)
        for network, table in judged.items():
            numbered = replace(table, rounds=np.full(table.n, number))
            tables.setdefault(network, []).append(numbered)
        report.on_round(number, judged)
    return {network: _joined(parts) for network, parts in tables.items()}


def _check(split: Split, rounds: Sequence[int], labels: Sequence[str]) -> None:
    """Refuse before the first hour of training what could not be used after the last."""
    absent = [number for number in rounds if not 1 <= number <= len(split)]
    if absent:
        raise DataError(f"there is no round {absent[0]}; the split has {len(split)}")
    for number, clips in enumerate(split, start=1):
        for part in ("train", "test"):
            found = label_set(clip for clip in clips if clip.part == part)
            if number in rounds and (missing := sorted(set(labels) - set(found))):
                raise DataError(f"round {number} has no {part} clip of {', '.join(missing)}")


def _open(run: Run, split: Split, labels: Sequence[str]) -> None:
    """Start in an empty folder, or check that what is in it is the same."""
    identity = {
        "recipe": run.recipe.to_dict(),
        "labels": list(labels),
        "split": split.digest,
    }
    path = run.folder / _IDENTITY
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        found = json.loads(path.read_text()) if path.exists() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{error}; choose another folder", path=path) from error
    if found is None:
        split.save(run.folder / "split.csv")
        write_text_atomically(path, json.dumps(identity, indent=1) + "\n")
    elif found != json.loads(json.dumps(identity)):
        changed = [name for name, value in identity.items() if found.get(name) != value]
        raise DataError(
            f"holds a cross-validation with another {' and '.join(changed)}; choose another folder",
            path=run.folder,
        )


def _round(
    run: Run, clips: Sequence[LabelledClip], jobs: int, report: Progress
) -> dict[str, PredictionTable]:
    networks = [run.recipe.network]
    if run.recipe.network == "mel-cnn-lstm":
        networks.append(MEAN_OVER_SEGMENTS)
    files = {network: run.folder / f"{network}.csv" for network in networks}
    if not all(path.exists() for path in files.values()):
        path = run.folder / "model.onnx"
        if not path.exists():
            train(replace(run, resume=(run.folder / "run.json").exists()), clips)
        for network, table in _judge(path, clips, networks, jobs, report).items():
            table.save(files[network])
    return {network: PredictionTable.load(path) for network, path in files.items()}


def _judge(
    model: Path,
    clips: Sequence[LabelledClip],
    networks: Sequence[str],
    jobs: int,
    report: Progress,
) -> dict[str, PredictionTable]:
    """Classify the test clips with the model file, through the door that users take."""
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    pairs = list(_readable(classifier, clips, jobs, report))
    if not pairs:
        raise DataError("no test clip of this round could be read", path=model.parent)
    labels = classifier.labels
    paths = [clip.path for clip in clips]
    names = dict(zip(paths, clip_names(paths), strict=True))  # as the split names them
    grouped = all(clip.group is not None for clip, _ in pairs)
    probabilities = {
        networks[0]: [result.probabilities for _, result in pairs],
        MEAN_OVER_SEGMENTS: [result.segments.mean(axis=0) for _, result in pairs],
    }
    return {
        network: PredictionTable(
            labels=labels,
            clips=tuple(names[clip.path] for clip, _ in pairs),
            true=np.array([labels.index(clip.label) for clip, _ in pairs]),
            probabilities=np.stack(probabilities[network]),
            groups=tuple(str(clip.group) for clip, _ in pairs) if grouped else None,
        )
        for network in networks
    }


def _readable(
    classifier: Classifier, clips: Sequence[LabelledClip], jobs: int, report: Progress
) -> Iterator[tuple[LabelledClip, Prediction]]:
    tests = [clip for clip in clips if clip.part == "test"]
    results = classifier.classify_many([clip.path for clip in tests], jobs=jobs)
    for clip, (_, result) in zip(tests, results, strict=True):
        if isinstance(result, AudioError):
            report.on_failure(result)
        else:
            yield clip, result


def _joined(tables: Sequence[PredictionTable]) -> PredictionTable:
    """Join the rounds; a clip that was drawn more than once is no independent evidence."""
    names = tuple(name for table in tables for name in table.clips)
    groups = tuple(group for table in tables for group in table.groups or ())
    if len(set(names)) < len(names) and not groups:
        groups = names
    return replace(
        tables[0],
        clips=names,
        true=np.concatenate([table.true for table in tables]),
        probabilities=np.concatenate([table.probabilities for table in tables]),
        groups=groups or None,
        rounds=np.concatenate([t.rounds for t in tables if t.rounds is not None]),
    )


def spread(table: PredictionTable) -> dict[str, dict[str, Any]]:
    """Accuracy and macro recall of each round, their mean and standard deviation.

    Returns:
        ``accuracy`` and ``macro_recall``, each with ``mean``, ``std`` (of a sample; None for one
        round) and ``rounds``, a list with the figure of each.

    """
    rounds = np.ones(table.n, np.int64) if table.rounds is None else table.rounds
    predicted = table.probabilities.argmax(axis=1)
    confusions = [
        confusion_matrix(
            table.true[rounds == number].tolist(),
            predicted[rounds == number].tolist(),
            len(table.labels),
        )
        for number in np.unique(rounds)
    ]
    figures = {"accuracy": accuracy, "macro_recall": macro_recall}
    result = {}
    for name, figure in figures.items():
        values = [figure(confusion) for confusion in confusions]
        std = float(np.std(values, ddof=1)) if len(values) > 1 else None
        result[name] = {"mean": float(np.mean(values)), "std": std, "rounds": values}
    return result
