"""Cross-validation on tiny clips."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import Classifier
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.data.protocols import random_draws, random_folds
from genrelens.data.splits import Split
from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable
from support import tiny


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledClip]:
    return read_folder(tiny.write_clips(tmp_path_factory.mktemp("clips")))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from genrelens.train.recipe import Recipe
    from genrelens.train.trainer import Hardware

    place = tmp_path_factory.mktemp("recipe")
    (place / "tiny.toml").write_text(tiny.recipe_text("mel-cnn-lstm", epochs=4, crops_per_clip=8))
    return {
        "recipe": Recipe.load(place / "tiny.toml"),
        "cache_dir": place / "cache",
        "hardware": Hardware(device="cpu", progress=False),
    }


@pytest.fixture(scope="module")
def split(clips: list[LabelledClip]) -> Split:
    return random_folds(clips, 2, seed=1)


@pytest.fixture(scope="module")
def done(
    settings: dict[str, Any], split: Split, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, PredictionTable]]:
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    folder = tmp_path_factory.mktemp("cv") / "run"
    return folder, cross_validate(Run(folder=folder, **settings), split)


@pytest.fixture
def copy(done: tuple[Path, Any], tmp_path: Path) -> Path:
    return shutil.copytree(done[0], tmp_path / "copy")


def test_every_clip_is_classified_once_by_the_model_not_trained_on_it(
    done: tuple[Path, dict[str, PredictionTable]], split: Split
) -> None:
    folder, tables = done
    assert set(tables) == {"mel-cnn-lstm", "mel-cnn"}
    table = tables["mel-cnn-lstm"]
    assert sorted(table.clips) == sorted(clip.path.stem for clip in split.clips)
    assert table.rounds is not None
    rounds = dict(zip(table.clips, table.rounds.tolist(), strict=True))
    truth = dict(zip(table.clips, (table.labels[i] for i in table.true), strict=True))
    for number, parts in enumerate(split, start=1):
        classifier = Classifier.load(folder / f"round-{number}" / "model.onnx")
        provenance = classifier.metadata.provenance["data"]["clips"]
        assert sum(provenance["train"].values()) == 6
        for clip in parts:
            assert (rounds[clip.path.stem] == number) == (clip.part == "test")
            assert truth[clip.path.stem] == clip.label
            if clip.part == "test":
                row = table.clips.index(clip.path.stem)
                prediction = classifier.classify(clip.path)
                np.testing.assert_allclose(
                    table.probabilities[row], prediction.probabilities, atol=1e-9
                )
                mean = np.average(prediction.segments, axis=0, weights=prediction.segment_weights)
                np.testing.assert_allclose(tables["mel-cnn"].probabilities[row], mean, atol=1e-9)


def test_models_learn_genres_that_differ_clearly(
    done: tuple[Path, dict[str, PredictionTable]],
) -> None:
    table = done[1]["mel-cnn"]
    assert (table.probabilities.argmax(axis=1) == table.true).mean() > 0.6


def test_finished_rounds_are_not_trained_again(
    copy: Path, settings: dict[str, Any], split: Split, done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrelens.train import crossval
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    shutil.rmtree(copy / "round-2")
    trained = []
    original = crossval.train
    monkeypatch.setattr(
        crossval, "train", lambda run, clips: (trained.append(run.folder), original(run, clips))
    )
    tables = cross_validate(Run(folder=copy, **settings), split)
    assert trained == [copy / "round-2"]
    np.testing.assert_array_equal(tables["mel-cnn"].probabilities, done[1]["mel-cnn"].probabilities)


def test_interrupted_round_is_continued(
    copy: Path, settings: dict[str, Any], split: Split, done: Any
) -> None:
    """Killed after the first stage: only the second stage is trained, then the clips classified."""
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    cut = copy / "round-1"
    for name in ("model.onnx", "mel-cnn.csv", "mel-cnn-lstm.csv", "metrics.json"):
        (cut / name).unlink()
    shutil.rmtree(cut / "clips")
    before = (cut / "segments" / "weights.pt").stat().st_mtime_ns
    tables = cross_validate(Run(folder=copy, **settings), split, rounds=[1])
    assert (cut / "segments" / "weights.pt").stat().st_mtime_ns == before
    whole = done[1]["mel-cnn-lstm"]
    assert whole.rounds is not None
    np.testing.assert_allclose(
        tables["mel-cnn-lstm"].probabilities, whole.probabilities[whole.rounds == 1], atol=1e-6
    )


def test_some_rounds_only(copy: Path, settings: dict[str, Any], split: Split) -> None:
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    finished: list[int] = []
    tables = cross_validate(
        Run(folder=copy, **settings),
        split,
        rounds=[2],
        on_round=lambda number, tables: finished.append(number),
    )
    assert finished == [2]
    assert tables["mel-cnn"].rounds is not None
    assert set(tables["mel-cnn"].rounds.tolist()) == {2}


def test_folder_of_another_cross_validation_is_refused(
    copy: Path, settings: dict[str, Any], split: Split, clips: list[LabelledClip]
) -> None:
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    run = Run(folder=copy, **settings)
    with pytest.raises(DataError, match="another split; choose another folder"):
        cross_validate(run, random_folds(clips, 2, seed=2))
    with pytest.raises(DataError, match="another recipe"):
        cross_validate(replace(run, recipe=run.recipe.with_training(epochs=9)), split)
    (copy / "crossval.json").write_text("{")
    with pytest.raises(DataError, match=r"crossval\.json.*choose another folder"):
        cross_validate(run, split)
    with pytest.raises(DataError, match="choose another folder"):
        cross_validate(replace(run, folder=copy / "split.csv"), split)


def test_rounds_that_cannot_be_evaluated_are_refused_before_any_training(
    settings: dict[str, Any], split: Split, tmp_path: Path
) -> None:
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    run = Run(folder=tmp_path / "run", **settings)
    with pytest.raises(DataError, match="no round 3; the split has 2"):
        cross_validate(run, split, rounds=[1, 3])
    parts = tuple(
        "train" if clip.label == "noise" else part
        for clip, part in zip(split.clips, split.rounds[1], strict=True)
    )
    with pytest.raises(DataError, match="round 2 has no test clip of noise"):
        cross_validate(run, replace(split, rounds=(split.rounds[0], parts)))
    assert not run.folder.exists()


def test_a_round_may_lack_test_clips_of_a_genre_with_few_groups(
    settings: dict[str, Any], split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise has one group for two rounds; the check comes before the training."""
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    class TrainedError(Exception):
        pass

    def train(*_: object) -> None:
        raise TrainedError

    monkeypatch.setattr("genrelens.train.crossval.train", train)
    clips = tuple(
        replace(c, group="hiss" if c.label == "noise" else str(c.path)) for c in split.clips
    )
    parts = tuple(
        "train" if clip.label == "noise" else part
        for clip, part in zip(clips, split.rounds[0], strict=True)
    )
    few = replace(split, clips=clips, rounds=(parts, parts))
    with pytest.raises(TrainedError):
        cross_validate(Run(folder=tmp_path / "run", **settings), few)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    """Use one small model for each round, instead of training it."""
    from genrelens.train import crossval

    def train(run: Any, clips: object) -> Path:
        run.folder.mkdir()
        return Path(shutil.copy(model, run.folder / "model.onnx"))

    monkeypatch.setattr(crossval, "train", train)


@pytest.mark.usefixtures("no_training")
def test_unreadable_test_clips_are_reported_and_left_out(
    settings: dict[str, Any], clips: list[LabelledClip], tmp_path: Path
) -> None:
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    broken = LabelledClip(tmp_path / "broken.wav", "noise")
    broken.path.write_text("no audio")
    split = random_folds([*clips, broken], 2, seed=1)
    failures: list[Any] = []
    run = Run(folder=tmp_path / "run", **settings)
    tables = cross_validate(run, split, on_failure=failures.append)
    assert [failure.path for failure in failures] == [str(broken.path)]
    assert sorted(tables["mel-cnn"].clips) == sorted(clip.path.stem for clip in clips)


@pytest.mark.usefixtures("no_training")
def test_repeated_draws_of_a_clip_form_one_group(
    settings: dict[str, Any], clips: list[LabelledClip], tmp_path: Path
) -> None:
    from genrelens.train.crossval import cross_validate
    from genrelens.train.job import Run

    run = Run(folder=tmp_path / "run", **settings)
    table = cross_validate(run, random_draws(clips, 3, test_fraction=0.5, seed=0))["mel-cnn"]
    assert table.n == 18
    assert len(set(table.clips)) < 18
    assert table.groups == table.clips


def test_report_is_on_calibrated_predictions(
    done: tuple[Path, dict[str, PredictionTable]],
    settings: dict[str, Any],
    split: Split,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from genrelens.train import crossval
    from genrelens.train.job import Run

    written: list[tuple[Any, ...]] = []
    monkeypatch.setattr(crossval, "write_report", lambda *args, **_: written.append(args))
    table = done[1]["mel-cnn"]
    run = Run(folder=tmp_path, **settings)
    results = crossval.write_crossval_report(run, split, "mel-cnn", table)
    raw = PredictionTable.load(tmp_path / "mel-cnn.csv")
    np.testing.assert_array_equal(raw.probabilities, table.probabilities)
    folder, title, calibrated, scores, provenance = written[0]
    assert (folder, title) == (tmp_path / "report-mel-cnn", "mel-cnn, random cross-validation")
    assert not np.allclose(calibrated.probabilities, table.probabilities)
    assert set(provenance["temperature of each round"]) == {1, 2}
    assert results["scores"] == scores.to_dict()
    assert results["over_rounds"] == crossval.spread(calibrated)
    assert set(results["before_calibration"]) == {"ece", "log_loss"}


def test_spread_of_a_hand_made_table() -> None:
    from genrelens.train.crossval import spread

    right, wrong = [0.9, 0.1], [0.2, 0.8]
    table = PredictionTable(
        labels=("a", "b"),
        clips=tuple("uvwxyz"),
        true=np.array([0, 0, 0, 0, 0, 1]),
        probabilities=np.array([right, right, right, wrong, right, right]),
        rounds=np.array([1, 1, 1, 1, 2, 2]),
    )
    figures = spread(table)
    assert figures["accuracy"] == {
        "rounds": [0.75, 0.5],
        "mean": 0.625,
        "std": pytest.approx(0.25 / 2**0.5),
    }
    assert figures["macro_recall"]["rounds"] == [0.75, 0.5]
    assert spread(replace(table, rounds=None))["accuracy"]["std"] is None


def test_folder_names_the_split_that_was_used(done: tuple[Path, Any], split: Split) -> None:
    loaded = Split.load(done[0] / "split.csv", split.clips)
    assert loaded.digest == split.digest
    assert json.loads((done[0] / "crossval.json").read_text())["split"] == split.digest
