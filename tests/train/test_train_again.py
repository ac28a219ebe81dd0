"""Runs that are resumed, and runs that are refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.data.folders import LabelledClip
from genrelens.errors import DataError, RecipeError
from genrelens.train.trainer import Hardware
from support import tiny
from support.runs import EVERYTHING, Start, outputs, same_weights


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """Copy a complete run, so that a test can change it."""
    return shutil.copytree(trained, tmp_path / "copy")


def test_second_run_into_a_folder_is_refused(start: Start, trained: Path) -> None:
    with pytest.raises(
        DataError, match=r"already contains a run; resume it \(--resume\) or choose another"
    ):
        start(trained, EVERYTHING)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("recipe", "contains a run with another recipe; choose"),
        ("clip", "contains a run with another data; choose"),
        ("label", "contains a run with another labels and data; choose"),
    ],
)
def test_resuming_another_run_is_refused(
    change: str, words: str, start: Start, trained: Path
) -> None:
    recipe = EVERYTHING.replace("epochs = 5", "epochs = 6") if change == "recipe" else EVERYTHING
    given = {
        "recipe": start.clips,
        "clip": start.clips[1:],
        "label": [replace(clip, label=clip.label.replace("noise", "hiss")) for clip in start.clips],
    }[change]
    with pytest.raises(DataError, match=words):
        start(trained, recipe, given, resume=True)


def test_damaged_run_file_is_named(start: Start, copy: Path) -> None:
    (copy / "run.json").write_text('{"recipe": ')
    with pytest.raises(DataError, match=r"run\.json: is damaged"):
        start(copy, EVERYTHING, resume=True)


def test_description_of_the_recipe_may_differ(start: Start, copy: Path) -> None:
    start(copy, 'description = "Other words."\n' + EVERYTHING, resume=True)


def test_a_run_of_an_older_version_is_resumed(start: Start, copy: Path) -> None:
    """Its file lacks the settings that were introduced after it; they count as defaults."""
    identity = json.loads((copy / "run.json").read_text())
    for table, key in (("segment_lstm", "cross_fit"), ("training", "precision")):
        del identity["recipe"][table][key]
    del identity["recipe"]["head"]
    (copy / "run.json").write_text(json.dumps(identity))
    start(copy, EVERYTHING, resume=True)
    with pytest.raises(DataError, match="another recipe"):
        start(copy, EVERYTHING.replace("passes = 3", "passes = 3\ncross_fit = 2"), resume=True)


def test_finished_stages_are_not_trained_again(
    start: Start, trained: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second stage gives the same network after a resumed first stage."""
    from genrelens.train.original.fit import SegmentModule

    def training_step(*_: Any) -> None:
        raise AssertionError("the first stage is trained again")

    monkeypatch.setattr(SegmentModule, "training_step", training_step)
    shutil.rmtree(copy / "clips")
    (copy / "model.onnx").unlink()
    start(copy, EVERYTHING, resume=True)
    assert same_weights(trained / "clips", copy / "clips")
    np.testing.assert_array_equal(outputs(copy), outputs(trained))


def test_epochs_that_are_done_are_not_repeated(start: Start, copy: Path, trained: Path) -> None:
    """Killed after the last epoch, before the weights were chosen."""
    from genrelens.train.trainer import read_history

    (copy / "segments" / "weights.pt").unlink()
    start(copy, EVERYTHING, resume=True)
    assert same_weights(trained / "segments", copy / "segments")
    assert read_history(copy / "segments") == read_history(trained / "segments")


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("labels", "words"),
    [([], "found no clips"), (["jazz"], "found only one genre, 'jazz'")],
)
def test_too_few_genres(labels: list[str], words: str, start: Start, tmp_path: Path) -> None:
    given = [LabelledClip(tmp_path / f"{label}.wav", label, "train") for label in labels]
    with pytest.raises(DataError, match=words):
        start(tmp_path / "run", tiny.recipe_text(), given)
    assert not (tmp_path / "run").exists()


def test_genre_without_a_readable_training_clip(start: Start, tmp_path: Path) -> None:
    given = [clip for clip in start.clips if (clip.label, clip.part) != ("noise", "train")]
    with pytest.raises(DataError, match="no readable clip to train on for noise"):
        start(tmp_path / "run", tiny.recipe_text(), given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"label_map": {"blues": "jazz"}},
            "no clip has the label 'jazz' that a genre is renamed to",
        ),
        ({"metrics": {"accuracy": float("nan")}}, "cannot be written as JSON"),
    ],
)
def test_settings_that_do_not_fit_into_the_model_are_refused_at_once(
    changes: dict[str, Any], words: str, start: Start, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        start(tmp_path / "run", tiny.recipe_text(), **changes)
    assert not (tmp_path / "run").exists()


def test_folder_that_cannot_be_created(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="run cannot be written"):
        start(tmp_path / "file" / "run", tiny.recipe_text())


@pytest.mark.parametrize(
    ("n_gpus", "hardware", "words"),
    [
        (0, Hardware(device="cuda"), "finds no GPU here; choose 'auto' or 'cpu'"),
        (1, Hardware(device="cuda", devices=2), "2 devices were requested; torch finds 1 GPU"),
        (1, Hardware(devices=3), "3 devices were requested"),
    ],
)
def test_missing_hardware_is_refused(
    n_gpus: int,
    hardware: Hardware,
    words: str,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    with pytest.raises(RecipeError, match=words):
        start(tmp_path / "run", tiny.recipe_text(), hardware=hardware)


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"devices": 0}])
def test_invalid_hardware(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Hardware(**wrong)
