"""Training end to end on tiny clips that no one can mistake for each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch

import tiny
from genrelens import Classifier
from genrelens.artifact import Artifact, ModelMetadata
from genrelens.datasets import LabelledClip, random_split, read_folder
from genrelens.errors import AudioError, DataError, RecipeError
from genrelens.train.fit import Run, train
from genrelens.train.modules import SegmentModule
from genrelens.train.recipe import Recipe
from genrelens.train.stage import Hardware, read_history

EVERYTHING = (
    tiny.recipe_text("mel-cnn-lstm", epochs=5, crops_per_clip=8, schedule="cosine",
                     label_smoothing=0.05, weight_decay=0.01)
    .replace("epochs = 2", "epochs = 6\npasses = 3\nlearning_rate = 0.03\nshortest = 2")
    + "\n[augment]\ngain_db = 3\nlow_pass = 0.3\nnoise = 0.3\nstretch = 0.1\nshift_bands = 1"
    "\nmask_frames = 2\nmask_bands = 2\nmixup = 0.2\n"
)  # fmt: skip


class Start(Protocol):
    """Runs a recipe on the tiny clips; see :func:`start`."""

    def __call__(
        self, folder: Path, recipe: str, clips: Sequence[LabelledClip] | None = None, **run: Any
    ) -> Path: ...


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledClip]:
    """Nine clips to train on and three to validate with."""
    folder = tiny.write_clips(tmp_path_factory.mktemp("clips"))
    return random_split(read_folder(folder), valid_fraction=0.25, seed=1)


@pytest.fixture(scope="module")
def start(clips: list[LabelledClip], tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Train a recipe, given as TOML, in a folder, on the CPU."""
    place = tmp_path_factory.mktemp("recipes")

    def run(
        folder: Path, recipe: str, given: Sequence[LabelledClip] | None = None, **changes: Any
    ) -> Path:
        (place / "tiny.toml").write_text(recipe)
        settings: dict[str, Any] = {
            "recipe": Recipe.load(place / "tiny.toml"), "folder": folder,
            "cache_dir": place / "cache", "hardware": Hardware(device="cpu", progress=False),
        }  # fmt: skip
        return train(Run(**settings | changes), clips if given is None else given)

    return run


@pytest.fixture(scope="module")
def trained(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of both stages with everything switched on."""
    return start(tmp_path_factory.mktemp("runs") / "full", EVERYTHING).parent


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to spoil."""
    return shutil.copytree(trained, tmp_path / "copy")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "weights.pt", weights_only=True)
    return state


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def outputs(folder: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    return Artifact.load(folder / "model.onnx").run(tiny.random_segments(5).numpy())[0]


# ------------------------------------------------------------------------------ results


def test_run_leaves_all_its_files(trained: Path) -> None:
    for stage in ("segments", "clips"):
        assert (trained / stage / "curves.png").read_bytes().startswith(b"\x89PNG")
        assert list((trained / stage).glob("tensorboard/version_0/events.out.tfevents.*"))
        assert (trained / stage / "csv" / "version_0" / "metrics.csv").exists()
    assert (trained / "metrics.json").exists()
    assert (trained / "model.onnx").exists()
    assert not list(trained.rglob("*.part")) + list(trained.rglob("*.tmp"))


def test_history_has_loss_and_error_of_each_epoch(trained: Path) -> None:
    for stage, n_epochs in (("segments", 5), ("clips", 6)):
        history = read_history(trained / stage)
        assert [entry["epoch"] for entry in history] == list(range(n_epochs))
        for entry in history:
            assert set(entry) == {"epoch", "train_loss", "train_error", "val_loss", "val_error"}
            assert entry["train_loss"] > 0
            assert 0 <= entry["train_error"] <= 1


def test_both_stages_learn(trained: Path) -> None:
    """By chance the errors would be 2/3; here 0 is easy."""
    for stage in ("segments", "clips"):
        history = read_history(trained / stage)
        assert history[-1]["train_error"] < 0.3 < history[0]["train_error"]
    figures = json.loads((trained / "metrics.json").read_text())["valid"]
    assert set(figures) == {"mel-cnn-lstm", "mean over segments"}
    for values in figures.values():
        assert values["accuracy"] > 0.5
        assert values["n"] == 3
        assert np.trace(values["confusion"]) == round(3 * values["accuracy"])
        assert values["accuracy_interval"][0] < values["accuracy"]


def test_model_hears_what_the_run_measured(trained: Path, clips: list[LabelledClip]) -> None:
    """The same validation clips through the public door give the same confusion matrix."""
    classifier = Classifier.load(trained / "model.onnx")
    confusion = np.zeros((3, 3), int)
    for clip in clips:
        if clip.part == "valid":
            predicted = tiny.GENRES.index(classifier.classify(clip.path).genre)
            confusion[tiny.GENRES.index(clip.label), predicted] += 1
    assert classifier.metadata.metrics["valid"]["mel-cnn-lstm"]["confusion"] == confusion.tolist()


def test_model_says_where_it_comes_from(trained: Path) -> None:
    metadata: ModelMetadata = Artifact.load(trained / "model.onnx").metadata
    assert (metadata.name, metadata.labels) == ("tiny", tiny.GENRES)
    assert metadata.features == tiny.MEL
    assert metadata.window_segments == 93  # 30 s / (20 * 128 / 8000 s)
    assert metadata.metrics == json.loads((trained / "metrics.json").read_text())
    provenance = metadata.provenance
    assert provenance["recipe"]["training"]["schedule"] == "cosine"
    assert provenance["data"]["clips"]["train"] == dict.fromkeys(tiny.GENRES, 3)
    assert provenance["data"]["clips"]["valid"] == dict.fromkeys(tiny.GENRES, 1)
    assert set(provenance["versions"]) == {"genrelens", "torch", "pytorch-lightning"}


@pytest.mark.parametrize(
    "recipe",
    [
        tiny.recipe_text("mel-cnn", epochs=3, crops_per_clip=0, batch_size=4),
        tiny.recipe_text("mfcc-lstm", epochs=6, crops_per_clip=8, learning_rate=5e-3),
    ],
    ids=["mel-cnn", "mfcc-lstm"],
)
def test_one_stage_networks_learn(recipe: str, start: Start, tmp_path: Path) -> None:
    model = start(tmp_path / "run", recipe)
    history = read_history(tmp_path / "run" / "segments")
    assert min(entry["train_error"] for entry in history) < 0.3 < history[0]["train_error"]
    assert not (tmp_path / "run" / "clips").exists()
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())["valid"]
    assert list(figures) == [Artifact.load(model).metadata.provenance["recipe"]["network"]]


# ------------------------------------------------------------------------ ways to train


def test_seed_decides_everything(start: Start, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        start(tmp_path / name, tiny.recipe_text("mfcc-lstm", epochs=1, seed=seed))
    assert same_weights(tmp_path / "a" / "segments", tmp_path / "b" / "segments")
    assert not same_weights(tmp_path / "a" / "segments", tmp_path / "c" / "segments")


def test_best_epoch_is_kept_and_training_stops(start: Start, tmp_path: Path) -> None:
    """A rate so low that no weight moves: no epoch is better than the first."""
    text = tiny.recipe_text(
        "mfcc-lstm", epochs=30, patience=2, learning_rate=1e-12, input_norm=False
    )
    start(tmp_path / "run", text)
    losses = [entry["val_loss"] for entry in read_history(tmp_path / "run" / "segments")]
    assert losses == losses[:1] * 3
    best = torch.load(tmp_path / "run" / "segments" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0


def test_averaged_weights_are_the_ones_that_are_kept(start: Start, tmp_path: Path) -> None:
    start(tmp_path / "run", tiny.recipe_text("mel-cnn", epochs=1, ema_decay=0.9))
    stage = tmp_path / "run" / "segments"
    checkpoint = torch.load(stage / "last.ckpt", weights_only=True)
    name = "network.output.weight"
    kept = weights(stage)["output.weight"]
    assert torch.equal(kept, checkpoint["state_dict"][name])
    assert not torch.equal(kept, checkpoint["current_model_state"][name])


def test_all_clips_without_validation(
    start: Start, clips: list[LabelledClip], tmp_path: Path
) -> None:
    everything = [replace(clip, part="train") for clip in clips]
    earlier = {"valid": {"mel-cnn": {"accuracy": 0.5}}}
    model = start(tmp_path / "run", tiny.recipe_text(epochs=2), everything, metrics=earlier)
    stage = tmp_path / "run" / "segments"
    assert [set(entry) for entry in read_history(stage)] == [
        {"epoch", "train_loss", "train_error"}
    ] * 2
    assert not (stage / "best.ckpt").exists()
    last = torch.load(stage / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(weights(stage)["output.weight"], last["network.output.weight"])
    assert Artifact.load(model).metadata.metrics == earlier


@pytest.mark.parametrize("network", ["mel-cnn-lstm", "mfcc-lstm"])
def test_bfloat16_on_the_cpu(network: str, start: Start, tmp_path: Path) -> None:
    start(tmp_path / "run", tiny.recipe_text(network, epochs=1, precision="bf16-mixed"))
    [epoch] = read_history(tmp_path / "run" / "segments")
    assert np.isfinite([epoch["train_loss"], epoch["val_loss"]]).all()
    assert {values.dtype for values in weights(tmp_path / "run" / "segments").values()} <= {
        torch.float32, torch.int64,
    }  # fmt: skip


@pytest.mark.slow
def test_two_processes_train_together(start: Start, tmp_path: Path) -> None:
    hardware = Hardware(device="cpu", devices=2, progress=False)
    text = tiny.recipe_text("mel-cnn", epochs=2, crops_per_clip=8)
    start(tmp_path / "run", text, hardware=hardware)
    history = read_history(tmp_path / "run" / "segments")
    assert [entry["epoch"] for entry in history] == [0, 1]
    assert history[1]["train_loss"] < history[0]["train_loss"]
    steps = torch.load(tmp_path / "run" / "segments" / "last.ckpt", weights_only=True)
    assert steps["global_step"] == 2 * (9 * 8 // 2 // 8)  # half the segments for each process


def test_unreadable_clip_is_skipped_and_reported(
    start: Start, clips: list[LabelledClip], tmp_path: Path
) -> None:
    broken = LabelledClip(tmp_path / "broken.wav", "noise", "train")
    broken.path.write_text("no sound")
    told: list[AudioError | None] = []
    model = start(
        tmp_path / "run", tiny.recipe_text("mfcc-lstm", epochs=1), [*clips, broken],
        on_clip=lambda clip, error: told.append(error),
    )  # fmt: skip
    assert len(told) == 13
    assert [str(error).startswith(str(broken.path)) for error in told if error] == [True]
    counts = Artifact.load(model).metadata.provenance["data"]["clips"]["train"]
    assert counts == dict.fromkeys(tiny.GENRES, 3)


def test_clips_of_the_test_part_are_never_opened(
    start: Start, clips: list[LabelledClip], tmp_path: Path
) -> None:
    absent = LabelledClip(tmp_path / "absent.wav", "noise", "test")
    told: list[LabelledClip] = []
    start(
        tmp_path / "run", tiny.recipe_text("mfcc-lstm", epochs=1), [*clips, absent],
        on_clip=lambda clip, error: told.append(clip),
    )  # fmt: skip
    assert told == clips


# ---------------------------------------------------------------------- again and again


def test_second_run_into_a_folder_is_refused(start: Start, trained: Path) -> None:
    with pytest.raises(DataError, match="holds a run already; resume it or choose another"):
        start(trained, EVERYTHING)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("recipe", "holds a run with another recipe$"),
        ("clip", "holds a run with another data$"),
        ("label", "holds a run with another labels and data$"),
    ],
)
def test_resuming_another_run_is_refused(
    change: str, words: str, start: Start, trained: Path, clips: list[LabelledClip]
) -> None:
    recipe = EVERYTHING.replace("epochs = 5", "epochs = 6") if change == "recipe" else EVERYTHING
    given = {
        "recipe": clips,
        "clip": clips[1:],
        "label": [replace(clip, label=clip.label.replace("noise", "hiss")) for clip in clips],
    }[change]
    with pytest.raises(DataError, match=words):
        start(trained, recipe, given, resume=True)


def test_damaged_run_file_is_named(start: Start, copy: Path) -> None:
    (copy / "run.json").write_text('{"recipe": ')
    with pytest.raises(DataError, match=r"run\.json: is damaged"):
        start(copy, EVERYTHING, resume=True)


def test_finished_stages_are_not_trained_again(
    start: Start, trained: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second stage gives the very same network, whether the first was trained just now."""

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


def test_genre_without_a_readable_training_clip(
    start: Start, clips: list[LabelledClip], tmp_path: Path
) -> None:
    given = [clip for clip in clips if (clip.label, clip.part) != ("noise", "train")]
    with pytest.raises(DataError, match="no readable clip to train on for noise"):
        start(tmp_path / "run", tiny.recipe_text(), given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label_map": {"blues": "jazz"}}, "renamed 'jazz', but no clip has that label"),
        ({"metrics": {"accuracy": float("nan")}}, "do not fit into JSON"),
    ],
)
def test_what_would_not_fit_into_the_model_is_refused_at_once(
    changes: dict[str, Any], words: str, start: Start, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        start(tmp_path / "run", tiny.recipe_text(), **changes)
    assert not (tmp_path / "run").exists()


def test_folder_that_cannot_be_made(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="run cannot be written"):
        start(tmp_path / "file" / "run", tiny.recipe_text())


@pytest.mark.parametrize(
    ("n_gpus", "hardware", "words"),
    [
        (0, Hardware(device="cuda"), "finds no GPU here; choose 'auto' or 'cpu'"),
        (1, Hardware(device="cuda", devices=2), "2 devices were asked for; torch finds 1 GPU"),
        (1, Hardware(devices=3), "3 devices were asked for"),
    ],
)
def test_hardware_that_is_not_there(
    n_gpus: int, hardware: Hardware, words: str, start: Start, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    with pytest.raises(RecipeError, match=words):
        start(tmp_path / "run", tiny.recipe_text(), hardware=hardware)


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"devices": 0}])
def test_hardware_must_make_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Hardware(**wrong)
