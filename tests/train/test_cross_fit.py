"""Logits of training clips from networks that were not trained on them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from genrelens.data.folders import LabelledClip
from genrelens.errors import DataError
from genrelens.train.original.cross_fit import cross_fit_parts
from support import tiny
from support.runs import Start, outputs, same_weights

if TYPE_CHECKING:
    from genrelens.train.dataset import TrainingClip

RECIPE = (
    tiny.recipe_text("mel-cnn-lstm", epochs=2, schedule="cosine", ema_decay=0.5)
    + "\npasses = 2\ncross_fit = 3\n[augment]\ngain_db = 3\nmixup = 0.2\n"
)
STAGES = ("segments", "cross-fit-1", "cross-fit-2", "cross-fit-3", "clips")


def clip(name: str, label: str, group: str | None = None) -> LabelledClip:
    return LabelledClip(Path(f"{name}.wav"), label, "train", group=group)


# ------------------------------------------------------------------------------- parts


def test_parts_have_equal_shares_of_the_genres() -> None:
    clips = [clip(str(number), label) for label in "abc" for number in range(6)]
    parts = cross_fit_parts(clips, 3, seed=1)
    counts = Counter((each.label, part) for each, part in zip(clips, parts, strict=True))
    assert counts == {(label, part): 2 for label in "abc" for part in range(3)}
    assert cross_fit_parts(clips, 3, seed=1) == parts
    assert cross_fit_parts(clips, 3, seed=2) != parts


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_part(seed: int) -> None:
    """The artists have one to four clips, one of them in two genres."""
    sizes = {"a": (4, 1, 1, 2), "b": (3, 3, 2), "c": (1, 1)}
    clips = [
        clip(f"{label}.{artist}.{number}", label, f"{label}{artist}")
        for label, counts in sizes.items()
        for artist, n in enumerate(counts)
        for number in range(n)
    ]
    clips.append(clip("other", "c", "a0"))
    parts = cross_fit_parts(clips, 3, seed=seed)
    assert set(parts) == {0, 1, 2}
    assert len({(each.group, part) for each, part in zip(clips, parts, strict=True)}) == 9
    assert max(Counter(parts).values()) <= 8  # 19 clips


def test_a_microphone_recording_is_with_its_clip() -> None:
    names = [f"pop.{number}{end}" for number in range(9) for end in ("", "-snippet-10-20")]
    parts = cross_fit_parts([clip(name, "pop") for name in names], 4, seed=0)
    assert parts[::2] == parts[1::2]
    assert set(parts) == {0, 1, 2, 3}


def test_there_are_no_more_parts_than_groups() -> None:
    clips = [clip(str(number), "ab"[number % 2], f"band {number // 3}") for number in range(6)]
    assert sorted(cross_fit_parts(clips, 5, seed=0)) == [0, 0, 0, 1, 1, 1]
    with pytest.raises(DataError, match="all training clips are of one group"):
        cross_fit_parts(clips[:3], 5, seed=0)


# ----------------------------------------------------------- targets with the mean


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_targets_contain_the_sharpened_mean(share: float) -> None:
    """The mean of both segments is 0.5, 0.4, 0.1; it is sharpened by the power 1.5."""
    import torch
    from torch import nn

    from genrelens.train.original.fit import LstmModule
    from genrelens.train.recipe import SegmentLstmConfig

    logits = torch.tensor([[[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]]]).log()
    module = LstmModule(nn.Identity(), SegmentLstmConfig(mean_target=share), None)
    targets = module._targets(logits, torch.tensor([2]))
    if not share:
        assert targets.tolist() == [2]
        return
    sharpened = np.array([0.5, 0.4, 0.1]) ** 1.5
    expected = share * sharpened / sharpened.sum() + (1 - share) * np.array([0, 0, 1])
    np.testing.assert_allclose(targets, [expected], rtol=1e-5)
    assert targets.sum().item() == pytest.approx(1)


def test_the_target_is_the_mean_of_the_whole_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The LSTM gets one of two segments; the mean over both is uniform."""
    import torch
    from torch import nn

    from genrelens.train.original.fit import LstmModule
    from genrelens.train.recipe import SegmentLstmConfig
    from genrelens.train.trainer import NetworkModule

    class First(nn.Module):
        def forward(self, sequences: torch.Tensor) -> torch.Tensor:
            lengths.append(sequences.shape[1])
            return sequences[:, 0]

    lengths: list[int] = []
    module = LstmModule(First(), SegmentLstmConfig(mean_target=1.0, shortest=1), None)
    monkeypatch.setattr(NetworkModule, "log_part", lambda *_: None)
    logits = torch.tensor([[[0.8, 0.2], [0.2, 0.8]]]).log()
    torch.manual_seed(0)
    losses = [module.training_step((logits, torch.tensor([0])), 0).item() for _ in range(10)]
    assert set(lengths) == {1, 2}
    np.testing.assert_allclose(losses, -(np.log(0.8) + np.log(0.2)) / 2, rtol=1e-5)


# ------------------------------------------------------------------------------ training


@pytest.fixture(scope="module")
def cross_fitted(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start(tmp_path_factory.mktemp("cross") / "run", RECIPE).parent


def test_no_clip_has_logits_of_a_network_that_was_trained_on_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch import nn

    from genrelens.train.original.fit import OriginalTraining

    trained_on: dict[int, set[Path]] = {}
    networks: list[nn.Module] = []  # kept, so that no two have the same id
    calls: list[tuple[set[Path], set[Path], int]] = []
    fit_segments, logits = OriginalTraining._fit_segments, OriginalTraining._logits

    def paths(clips: Sequence[TrainingClip]) -> set[Path]:
        return {each.clip.path for each in clips}

    def fit(training: OriginalTraining, train: Any, *args: Any, **options: Any) -> nn.Module:
        networks.append(fit_segments(training, train, *args, **options))
        trained_on[id(networks[-1])] = paths(train)
        return networks[-1]

    def compute(training: OriginalTraining, clips: Any, network: nn.Module, *, passes: int) -> Any:
        calls.append((paths(clips), trained_on[id(network)], passes))
        return logits(training, clips, network, passes=passes)

    monkeypatch.setattr(OriginalTraining, "_fit_segments", fit)
    monkeypatch.setattr(OriginalTraining, "_logits", compute)
    stages: list[str] = []
    start(tmp_path / "run", RECIPE, on_stage=stages.append)
    train = {each.path for each in start.clips if each.part == "train"}
    *parts, valid = calls
    assert [passes for _, _, passes in parts] == [2, 2, 2]
    for clips, others, _ in parts:
        assert len(clips) == 3  # one of each genre
        assert others == train - clips
    assert set.union(*(clips for clips, _, _ in parts)) == train
    assert valid == ({each.path for each in start.clips if each.part == "valid"}, train, 1)
    assert stages[1:6] == [
        "Training the segment network of tiny",
        *(f"Training the network for part {number} of 3" for number in (1, 2, 3)),
        "Training the LSTM over the segments' logits",
    ]


def test_the_final_network_is_trained_on_all_clips(
    start: Start, cross_fitted: Path, tmp_path: Path
) -> None:
    """It is the network of a run without cross-fitting; the LSTM over it is another one."""
    start(tmp_path / "run", RECIPE.replace("cross_fit = 3", "cross_fit = 0"))
    assert same_weights(tmp_path / "run" / "segments", cross_fitted / "segments")
    assert not same_weights(tmp_path / "run" / "clips", cross_fitted / "clips")
    assert not list((tmp_path / "run").glob("cross-fit*"))


def interrupt(
    start: Start, folder: Path, patch: pytest.MonkeyPatch, *, stage: str, epoch: int
) -> None:
    """Start a run that is interrupted in an epoch of a stage."""
    from genrelens.train.original.fit import SegmentModule

    training_step = SegmentModule.training_step

    def interrupted(module: SegmentModule, *args: Any) -> Any:
        if module.trainer.default_root_dir.endswith(stage) and module.current_epoch == epoch:
            raise KeyboardInterrupt
        return training_step(module, *args)

    with patch.context() as context:
        context.setattr(SegmentModule, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(folder, RECIPE)
    assert not (folder / stage / "weights.pt").exists()


def test_a_resumed_run_gives_the_same_network(
    start: Start, cross_fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted in the first epoch of the network for the second part."""
    interrupt(start, tmp_path / "run", monkeypatch, stage="cross-fit-2", epoch=0)
    start(tmp_path / "run", RECIPE, resume=True)
    for stage in STAGES:
        assert same_weights(tmp_path / "run" / stage, cross_fitted / stage)
    np.testing.assert_array_equal(outputs(tmp_path / "run"), outputs(cross_fitted))


def test_finished_epochs_of_a_part_are_kept(
    start: Start, cross_fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted in the second epoch of the network for the first part."""
    from genrelens.train.trainer import read_history

    interrupt(start, tmp_path / "run", monkeypatch, stage="cross-fit-1", epoch=1)
    before = read_history(tmp_path / "run" / "cross-fit-1")
    start(tmp_path / "run", RECIPE, resume=True)
    after = read_history(tmp_path / "run" / "cross-fit-1")
    assert [entry["epoch"] for entry in after] == [0, 1]
    assert after[:1] == before == read_history(cross_fitted / "cross-fit-1")[:1]
    assert same_weights(tmp_path / "run" / "segments", cross_fitted / "segments")


def test_finished_networks_are_not_trained_again(
    start: Start, cross_fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrelens.train.original.fit import SegmentModule

    def training_step(*_: Any) -> None:
        raise AssertionError("a network is trained again")

    monkeypatch.setattr(SegmentModule, "training_step", training_step)
    copy = shutil.copytree(cross_fitted, tmp_path / "copy")
    shutil.rmtree(copy / "clips")
    (copy / "model.onnx").unlink()
    start(copy, RECIPE, resume=True)
    assert same_weights(copy / "clips", cross_fitted / "clips")
    np.testing.assert_array_equal(outputs(copy), outputs(cross_fitted))


def test_resuming_with_other_groups_is_refused(
    start: Start, cross_fitted: Path, tmp_path: Path
) -> None:
    """The finished networks were trained on clips of other parts."""
    copy = shutil.copytree(cross_fitted, tmp_path / "copy")
    grouped = [replace(each, group=each.path.stem[-1]) for each in start.clips]
    with pytest.raises(DataError, match="contains a run with another groups"):
        start(copy, RECIPE, grouped, resume=True)


def test_clips_of_one_group_are_refused_before_the_training(start: Start, tmp_path: Path) -> None:
    clips = [replace(each, group="band") for each in start.clips]
    with pytest.raises(DataError, match="cross_fit needs two groups"):
        start(tmp_path / "run", RECIPE, clips)
    assert not (tmp_path / "run" / "segments").exists()


def test_a_genre_of_one_group_is_possible(start: Start, tmp_path: Path) -> None:
    """The network for its part is trained on clips of the other genres."""
    groups = {"noise": "one"}
    clips = [
        replace(each, part="train", group=groups.get(each.label, each.path.stem))
        for each in start.clips
    ]
    assert start(tmp_path / "run", RECIPE, clips).exists()
