"""Cross-validation: train on each round of a split, and evaluate on the clips held out of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrelens.data.folders import LabelledClip, clip_names, label_set
from genrelens.data.splits import Split
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.calibration import cross_fitted
from genrelens.evaluation.held_out_sets import HeldOutSets
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.provenance import data_fingerprint, environment
from genrelens.evaluation.report.write import write_report
from genrelens.evaluation.scores import score
from genrelens.files import reason, write_text_atomically
from genrelens.prediction import Prediction
from genrelens.train.held_out import classify_held_out, figures
from genrelens.train.job import Run, check_identity
from genrelens.train.train_model import train

__all__ = [
    "MEAN_OVER_SEGMENTS",
    "cross_validate",
    "spread",
    "test_rounds",
    "write_crossval_report",
    "write_metrics",
]

MEAN_OVER_SEGMENTS = "mel-cnn"  # the CNN of mel-cnn-lstm without its LSTM
HELD_OUT_SETS = "sets.npz"
"""File with the results of a set head for sets of held-out segments."""
_IDENTITY = "crossval.json"


def cross_validate(
    run: Run,
    split: Split,
    *,
    rounds: Sequence[int] | None = None,
    jobs: int = 1,
    on_round: Callable[[int, Mapping[str, PredictionTable]], None] = lambda number, tables: None,
    on_failure: Callable[[AudioError], None] = lambda error: None,
) -> dict[str, PredictionTable]:
    """Train a recipe on each round of a split, and classify the clips held out of each round.

    Each round is an ordinary training run in its own folder: ``run.folder / "round-1"`` and so on.
    The same call resumes: complete rounds are not repeated, and an interrupted round continues. If
    the split has no ``valid`` clips, the networks train for all epochs of the recipe, so that no
    choice depends on results.

    Example::

        from pathlib import Path

        from genrelens.data.folders import read_folder
        from genrelens.data.protocols import random_folds
        from genrelens.train import Recipe, Run, cross_validate

        split = random_folds(read_folder(Path("my-genres")), 5)
        run = Run(recipe=Recipe.load("mel-cnn"), folder=Path("runs/cv"))
        tables = cross_validate(run, split)
        print(tables["mel-cnn"].right.mean())

    Args:
        run: recipe and hardware; its folder contains the rounds.
        split: split with ``train`` and ``test`` clips in each round, optionally ``valid`` clips.
        rounds: numbers of the rounds to run, from 1; None runs all.
        jobs: number of test clips to classify at once.
        on_round: called after each round with its number and its table for each network.
        on_failure: called with the error of a test clip that cannot be read.

    Returns:
        The predictions of all test clips of these rounds: for the recipe's network and, if that is
        ``"mel-cnn-lstm"``, for ``"mel-cnn"``, the mean over its segments.

    Raises:
        DataError: the folder contains another cross-validation, the split lacks a round, a genre
            has no training or test clip in a round (a genre with fewer groups than rounds can
            lack test clips), or no test clip can be read.
        RecipeError: this machine lacks the hardware, or cannot train the network in the recipe's
            precision.
        KeyboardInterrupt: the user interrupted the call; it can be resumed.

    """
    chosen = list(range(1, len(split) + 1)) if rounds is None else sorted(set(rounds))
    labels = label_set(split.clips)
    _check(split, chosen, labels)
    _open(run, split, labels)
    run = replace(run, folds=test_rounds(split))
    tables: dict[str, list[PredictionTable]] = {}
    for number, clips in enumerate(split, start=1):
        if number not in chosen:
            continue
        results = _round(
            replace(run, folder=run.folder / f"round-{number}"), number, clips, jobs, on_failure
        )
        for network, table in results.items():
            numbered = replace(table, rounds=np.full(table.n, number))
            tables.setdefault(network, []).append(numbered)
        on_round(number, results)
    _join_sets([run.folder / f"round-{number}" / HELD_OUT_SETS for number in chosen], run.folder)
    return {network: _joined(parts) for network, parts in tables.items()}


def test_rounds(split: Split) -> dict[Path, int]:
    """Return the number of the first round that tests each clip."""
    rounds: dict[Path, int] = {}
    for number, clips in enumerate(split, start=1):
        for clip in clips:
            if clip.part == "test":
                rounds.setdefault(clip.path, number)
    return rounds


def _check(split: Split, rounds: Sequence[int], labels: Sequence[str]) -> None:
    """Check before the training that the rounds can be evaluated after it."""
    absent = [number for number in rounds if not 1 <= number <= len(split)]
    if absent:
        raise DataError(f"there is no round {absent[0]}; the split has {len(split)}")
    units = {(clip.label, clip.group or clip.path) for clip in split.clips}
    counts = Counter(label for label, _ in units)
    rare = {label for label in labels if counts[label] < len(split)}  # not in every test part
    for number, clips in enumerate(split, start=1):
        for part, expected in (("train", set(labels)), ("test", set(labels) - rare)):
            found = label_set(clip for clip in clips if clip.part == part)
            if number in rounds and (missing := sorted(expected - set(found))):
                raise DataError(f"round {number} has no {part} clip of {', '.join(missing)}")


def _open(run: Run, split: Split, labels: Sequence[str]) -> None:
    """Start in an empty folder, or check that the cross-validation in it is the same."""
    identity = {
        "recipe": run.recipe.to_dict(),
        "labels": list(labels),
        "split": split.digest,
    }
    path = run.folder / _IDENTITY
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{reason(error)}; choose another folder", path=run.folder) from error
    if path.exists():
        check_identity(path, identity, "cross-validation")
    else:
        split.save(run.folder / "split.csv")
        write_text_atomically(path, json.dumps(identity, indent=1) + "\n")


def _round(
    run: Run,
    number: int,
    clips: Sequence[LabelledClip],
    jobs: int,
    on_failure: Callable[[AudioError], None],
) -> dict[str, PredictionTable]:
    """Train and evaluate a round, or read its tables if it is complete."""
    networks = [run.recipe.network]
    if run.recipe.network == "mel-cnn-lstm":
        networks.append(MEAN_OVER_SEGMENTS)
    files = {network: run.folder / f"{network}.csv" for network in networks}
    if not all(path.exists() for path in files.values()):
        model = run.folder / "model.onnx"
        if not model.exists():
            train(replace(run, resume=(run.folder / "run.json").exists()), clips)
        names = clip_names([clip.path for clip in clips])  # as in the split
        tests = [index for index, clip in enumerate(clips) if clip.part == "test"]
        sets: list[HeldOutSets] = []

        def collect(index: int, prediction: Prediction) -> None:
            clip, name = clips[tests[index]], names[tests[index]]
            found = HeldOutSets.of_prediction(prediction, clip, name, number=number)
            if found is not None:
                sets.append(found)

        tables = classify_held_out(
            model,
            [clips[i] for i in tests],
            [names[i] for i in tests],
            jobs=jobs,
            on_failure=on_failure,
            on_prediction=collect,
        )
        if sets:
            HeldOutSets.joined(sets).save(run.folder / HELD_OUT_SETS)
        for path, table in zip(files.values(), tables, strict=False):
            table.save(path)
    return {network: PredictionTable.load(path) for network, path in files.items()}


def _join_sets(files: Sequence[Path], folder: Path) -> None:
    """Write the held-out sets of all rounds to one file, if the rounds have any."""
    if all(path.exists() for path in files):
        HeldOutSets.joined([HeldOutSets.load(path) for path in files]).save(folder / HELD_OUT_SETS)


def _joined(tables: Sequence[PredictionTable]) -> PredictionTable:
    """Join the tables of the rounds; all results of a clip drawn more than once form one group."""
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
    """Return accuracy and macro recall of each round, with mean and standard deviation.

    Args:
        table: predictions; a table without ``rounds`` counts as one round.

    Returns:
        ``accuracy`` and ``macro_recall``, each with ``mean``, ``std`` (sample standard deviation;
        None for one round) and ``rounds`` (a list with the figure of each round, 0..1).

    """
    rounds = np.ones(table.n, np.int64) if table.rounds is None else table.rounds
    of_rounds = [figures(table.select(np.flatnonzero(rounds == n))) for n in np.unique(rounds)]
    result = {}
    for name in ("accuracy", "macro_recall"):
        values = [each[name] for each in of_rounds]
        std = float(np.std(values, ddof=1)) if len(values) > 1 else None
        result[name] = {"mean": float(np.mean(values)), "std": std, "rounds": values}
    return result


def write_crossval_report(
    run: Run,
    split: Split,
    network: str,
    table: PredictionTable,
    *,
    failed: Sequence[AudioError] = (),
    safe_csv: bool = False,
) -> dict[str, Any]:
    """Write the predictions and the report of one network of a cross-validation.

    ``NETWORK.csv`` in the run's folder contains the uncalibrated predictions. The report in
    ``report-NETWORK`` uses calibrated predictions: the temperature of each round is fitted on the
    other rounds.

    Example::

        from genrelens.train import cross_validate, write_crossval_report

        tables = cross_validate(run, split)  # see cross_validate
        for network, table in tables.items():
            results = write_crossval_report(run, split, network, table)
            print(network, results["over_rounds"]["accuracy"]["mean"])

    Args:
        run: settings of the cross-validation.
        split: its split.
        network: name of the network, a key of the result of :func:`cross_validate`.
        table: its predictions.
        failed: errors of the test clips that could not be read.
        safe_csv: see :meth:`~genrelens.evaluation.prediction_table.PredictionTable.save`.

    Returns:
        ``scores`` of the calibrated predictions, ``over_rounds`` (see :func:`spread`), and
        ``before_calibration`` with ``ece`` and ``log_loss``.

    Raises:
        DataError: a file cannot be written.
        MissingExtraError: a package of the extra ``evaluate`` is not installed.

    """
    table.save(run.folder / f"{network}.csv", safe_csv=safe_csv)
    scores = before = score(table)
    temperatures: dict[int, float] = {}
    several = table.rounds is not None and len(set(table.rounds.tolist())) > 1
    if several:
        table, temperatures = cross_fitted(table)
        scores = score(table)
    over_rounds = spread(table)
    write_report(
        run.folder / f"report-{network}",
        f"{network}, {split.protocol} cross-validation",
        table,
        scores,
        _provenance(run, split, network, temperatures),
        before=before if several else None,
        failed=[str(error) for error in failed],
        results={"over_rounds": over_rounds},
        safe_csv=safe_csv,
    )
    return {
        "scores": scores.to_dict(),
        "over_rounds": over_rounds,
        "before_calibration": {key: before.to_dict()[key] for key in ("ece", "log_loss")},
    }


def write_metrics(folder: Path, protocol: str, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``metrics.json``, whose figures a model that is trained on all clips can store.

    Example::

        results = write_crossval_report(run, split, network, table)  # see there
        write_metrics(run.folder, split.protocol, {network: results})

    Args:
        folder: folder of the cross-validation.
        protocol: name of the protocol, the key of the figures.
        results: for each network, the value of :func:`write_crossval_report`.

    Raises:
        DataError: the file cannot be written.

    """
    metrics = {network: _stored_figures(result["scores"]) for network, result in results.items()}
    text = json.dumps({protocol: metrics}, indent=1) + "\n"
    write_text_atomically(folder / "metrics.json", text)


def _stored_figures(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of :func:`~genrelens.train.held_out.figures`, with other intervals."""
    accuracy = scores["accuracy"]
    return {
        "n": scores["n"],
        "accuracy": accuracy["value"],
        "accuracy_interval": [accuracy["low"], accuracy["high"]],
        "macro_recall": scores["macro_recall"]["value"],
        "confusion": scores["confusion"],
    }


def _provenance(
    run: Run, split: Split, network: str, temperatures: Mapping[int, float]
) -> dict[str, Any]:
    return {
        "protocol": split.protocol,
        "rounds": len(split),
        "seed of the split": split.seed,
        "split": split.digest,
        "data": data_fingerprint(split.clips),
        "recipe": run.recipe.name,
        "epochs": run.recipe.epochs,
        "network": network,
        "temperature of each round": temperatures,
        **environment(),
    }
