"""Training end to end on tiny clips whose genres differ clearly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from genrelens import Classifier
from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError
from genrelens.model_file import ModelFile, ModelMetadata
from support import tiny
from support.runs import Start, same_weights, weights

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import DataLoader

    from genrelens.train.original.fit import SegmentModule

CHECKPOINTS = ("best.ckpt", "last.ckpt")

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
    from genrelens.train.trainer import read_history

    for stage, n_epochs in (("segments", 5), ("clips", 6)):
        history = read_history(trained / stage)
        assert [entry["epoch"] for entry in history] == list(range(n_epochs))
        for entry in history:
            assert set(entry) == {"epoch", "train_loss", "train_error", "val_loss", "val_error"}
            assert entry["train_loss"] > 0
            assert 0 <= entry["train_error"] <= 1


def test_both_stages_learn(trained: Path) -> None:
    """By chance the errors would be 2/3; here 0 is easy."""
    from genrelens.train.trainer import read_history

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


def test_metrics_are_those_of_the_model_file(trained: Path, start: Start) -> None:
    """The public classifier gives the same confusion matrix for the validation clips."""
    classifier = Classifier.load(trained / "model.onnx")
    confusion = np.zeros((3, 3), int)
    for clip in start.clips:
        if clip.part == "valid":
            predicted = tiny.GENRES.index(classifier.classify(clip.path).genre)
            confusion[tiny.GENRES.index(clip.label), predicted] += 1
    assert classifier.metadata.metrics["valid"]["mel-cnn-lstm"]["confusion"] == confusion.tolist()


def test_metadata_holds_the_provenance(trained: Path) -> None:
    metadata: ModelMetadata = ModelFile.load(trained / "model.onnx").metadata
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
        tiny.recipe_text("mel-cnn", epochs=6, crops_per_clip=0, batch_size=8),
        tiny.recipe_text("mfcc-lstm", epochs=6, crops_per_clip=8, learning_rate=5e-3),
    ],
    ids=["mel-cnn", "mfcc-lstm"],
)
def test_one_stage_networks_learn(recipe: str, start: Start, tmp_path: Path) -> None:
    from genrelens.train.trainer import read_history

    model = start(tmp_path / "run", recipe)
    history = read_history(tmp_path / "run" / "segments")
    assert min(entry["train_error"] for entry in history) < 0.3 < history[0]["train_error"]
    assert not (tmp_path / "run" / "clips").exists()
    figures = json.loads((tmp_path / "run" / "metrics.json").read_text())["valid"]
    assert list(figures) == [ModelFile.load(model).metadata.provenance["recipe"]["network"]]


# ------------------------------------------------------------------------ ways to train


def test_the_seed_determines_all_results(start: Start, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        start(tmp_path / name, tiny.recipe_text("mfcc-lstm", epochs=1, seed=seed))
    assert same_weights(tmp_path / "a" / "segments", tmp_path / "b" / "segments")
    assert not same_weights(tmp_path / "a" / "segments", tmp_path / "c" / "segments")


def test_best_epoch_is_kept_and_training_stops(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The validation loss is 2, 1, 2, 3, ..."""
    import torch

    from genrelens.train.original.fit import SegmentModule
    from genrelens.train.trainer import read_history

    def validation_step(module: SegmentModule, *_: Any) -> None:
        loss = torch.tensor(abs(module.current_epoch - 1) + 1.0)
        module.log_part("val", loss, torch.tensor([False]), 1)

    monkeypatch.setattr(SegmentModule, "validation_step", validation_step)
    start(tmp_path / "run", tiny.recipe_text("mfcc-lstm", epochs=30, patience=2))
    stage = tmp_path / "run" / "segments"
    assert [entry["val_loss"] for entry in read_history(stage)] == [2, 1, 2, 3]
    best, last = (torch.load(stage / name, weights_only=True) for name in CHECKPOINTS)
    assert (best["epoch"], last["epoch"]) == (1, 3)  # the last one too, to go on from
    kept = weights(stage)["output.weight"]
    assert torch.equal(kept, best["state_dict"]["network.output.weight"])
    assert not torch.equal(kept, last["state_dict"]["network.output.weight"])


def test_averaged_weights_are_kept(start: Start, tmp_path: Path) -> None:
    import torch

    start(tmp_path / "run", tiny.recipe_text("mel-cnn", epochs=1, ema_decay=0.9))
    stage = tmp_path / "run" / "segments"
    checkpoint = torch.load(stage / "last.ckpt", weights_only=True)
    name = "network.output.weight"
    kept = weights(stage)["output.weight"]
    assert torch.equal(kept, checkpoint["state_dict"][name])
    assert not torch.equal(kept, checkpoint["current_model_state"][name])


def test_settings_of_the_second_stage(start: Start, tmp_path: Path) -> None:
    import torch

    text = tiny.recipe_text("mel-cnn-lstm", epochs=1).replace(
        "epochs = 2", 'epochs = 3\nschedule = "cosine"\nema_decay = 0.9\nlearning_rate = 0.01'
    )
    start(tmp_path / "run", text)
    checkpoint = torch.load(tmp_path / "run" / "clips" / "last.ckpt", weights_only=True)
    name = "network.output.weight"
    assert not torch.equal(checkpoint["state_dict"][name], checkpoint["current_model_state"][name])
    [optimizer] = checkpoint["optimizer_states"]
    assert optimizer["param_groups"][0]["lr"] == pytest.approx(1e-4)  # 1 % at the end


def test_cosine_schedule_by_hand() -> None:
    from genrelens.train.trainer import cosine_schedule

    share = cosine_schedule(12, warm_up=4)
    assert [share(step) for step in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert [share(step) for step in (4, 8, 12, 99)] == pytest.approx([1, 0.505, 0.01, 0.01])


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_of_the_second_stage(smoothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, for logits 1, 0 and 0 and the first class."""
    import torch
    from torch import nn

    from genrelens.train.original.fit import LstmModule
    from genrelens.train.recipe import SegmentLstmConfig

    class First(nn.Module):
        def forward(self, sequences: Tensor) -> Tensor:
            return sequences[:, 0]

    module = LstmModule(First(), SegmentLstmConfig(label_smoothing=smoothing), None)
    monkeypatch.setattr(module, "log_part", lambda *_: None)
    loss = module.training_step((torch.tensor([[[1.0, 0, 0]] * 4]), torch.tensor([0])), 0)
    total = np.log(np.e + 2)
    assert loss.item() == pytest.approx(total - (1 - smoothing) - smoothing / 3)


def test_weights_are_averaged_on_the_device_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning creates the average before it moves the network to the GPU."""
    import torch
    from pytorch_lightning.callbacks import EMAWeightAveraging

    from genrelens.train.trainer import Hardware, _callbacks

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for device in ("cpu", "cuda"):
        hardware = Hardware(device=device)
        callbacks = _callbacks(tmp_path, hardware, 0, 0.9, validates=False)
        [average] = [each for each in callbacks if isinstance(each, EMAWeightAveraging)]
        assert average._device == torch.device(device)


def test_all_clips_without_validation(start: Start, tmp_path: Path) -> None:
    import torch

    from genrelens.train.trainer import read_history

    everything = [replace(clip, part="train") for clip in start.clips]
    earlier = {"valid": {"mel-cnn": {"accuracy": 0.5}}}
    model = start(tmp_path / "run", tiny.recipe_text(epochs=2), everything, metrics=earlier)
    stage = tmp_path / "run" / "segments"
    assert [set(entry) for entry in read_history(stage)] == [
        {"epoch", "train_loss", "train_error"}
    ] * 2
    assert not (stage / "best.ckpt").exists()
    last = torch.load(stage / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(weights(stage)["output.weight"], last["network.output.weight"])
    assert ModelFile.load(model).metadata.metrics == earlier


@pytest.mark.slow
def test_two_processes_train_together(start: Start, tmp_path: Path) -> None:
    import torch

    from genrelens.train.trainer import Hardware, read_history

    hardware = Hardware(device="cpu", devices=2, progress=False)
    text = tiny.recipe_text("mel-cnn", epochs=2, crops_per_clip=8)
    start(tmp_path / "run", text, hardware=hardware)
    history = read_history(tmp_path / "run" / "segments")
    assert [entry["epoch"] for entry in history] == [0, 1]
    assert history[1]["train_loss"] < history[0]["train_loss"]
    steps = torch.load(tmp_path / "run" / "segments" / "last.ckpt", weights_only=True)
    assert steps["global_step"] == 2 * (9 * 8 // 2 // 8)  # half the segments for each process


def test_unreadable_clip_is_skipped_and_reported(start: Start, tmp_path: Path) -> None:
    broken = LabelledClip(tmp_path / "broken.wav", "noise", "train")
    broken.path.write_text("no audio")
    results: list[AudioError | None] = []
    model = start(
        tmp_path / "run",
        tiny.recipe_text("mfcc-lstm", epochs=1),
        [*start.clips, broken],
        on_clip=lambda clip, error: results.append(error),
    )
    assert len(results) == 13
    assert [str(error).startswith(str(broken.path)) for error in results if error] == [True]
    counts = ModelFile.load(model).metadata.provenance["data"]["clips"]["train"]
    assert counts == dict.fromkeys(tiny.GENRES, 3)


def test_clips_of_the_test_part_are_never_opened(start: Start, tmp_path: Path) -> None:
    absent = LabelledClip(tmp_path / "absent.wav", "noise", "test")
    read: list[LabelledClip] = []
    start(
        tmp_path / "run",
        tiny.recipe_text("mfcc-lstm", epochs=1),
        [*start.clips, absent],
        on_clip=lambda clip, error: read.append(clip),
    )
    assert read == start.clips


def test_long_clips_reach_the_lstm_in_windows(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is as long as a window of the model: here 4 segments, 1.3 s."""
    from genrelens.train.original import fit

    lengths: list[list[int]] = []

    def loader(sequences: list[tuple[Tensor, int]], *args: Any, **options: Any) -> DataLoader[Any]:
        lengths.append([len(logits) for logits, _ in sequences])
        return equal_length_loader(sequences, *args, **options)

    equal_length_loader = fit.equal_length_loader
    monkeypatch.setattr(fit, "equal_length_loader", loader)
    monkeypatch.setattr(fit, "window_segments", lambda features: 4)
    start(tmp_path / "run", tiny.recipe_text("mel-cnn-lstm", epochs=1))
    train, valid = lengths
    assert set(train + valid) == {2, 3, 4}  # clips have 7, 8, 10 and 11 segments
    assert sum(train) + sum(valid) == 3 * (7 + 8 + 10 + 11)
