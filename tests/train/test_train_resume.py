"""Runs that are interrupted in the middle of an epoch and resumed."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from genrelens.data.folders import read_folder
from genrelens.data.protocols import random_split
from genrelens.model_file import ModelFile
from support import tiny
from support.processes import PATIENCE

RECIPE = tiny.recipe_text("mel-cnn", epochs=4, schedule="cosine", ema_decay=0.5, patience=9)

# The command line, stopped by a signal in the second step of the third epoch.
DRIVER = """
import os, sys
from genrelens.cli import main
from genrelens.train.original.fit import SegmentModule

number, learn = int(sys.argv.pop(1)), SegmentModule.training_step

def training_step(self, batch, step):
    if (self.current_epoch, step) == (2, 1):
        os.kill(os.getpid(), number)
    return learn(self, batch, step)

SegmentModule.training_step = training_step
main()
"""


@dataclass(frozen=True)
class Cut:
    """The folder and the end of an interrupted run."""

    root: Path
    code: int
    err: str

    @property
    def stage(self) -> Path:
        return self.root / "run" / "segments"

    def resume(self) -> Path:
        """Resume in this process, as ``--resume`` does."""
        from genrelens.train.job import Run
        from genrelens.train.recipe import Recipe
        from genrelens.train.train_model import train
        from genrelens.train.trainer import Hardware

        clips = random_split(read_folder(self.root / "clips"), seed=1)
        return train(
            Run(
                recipe=Recipe.load(self.root / "tiny.toml"),
                folder=self.root / "run",
                cache_dir=self.root / "cache",
                resume=True,
                hardware=Hardware(device="cpu", progress=False),
            ),
            clips,
        )


def cut(root: Path, number: signal.Signals) -> Cut:
    """Start a run in a process of its own; a signal ends it."""
    tiny.write_clips(root / "clips")
    (root / "tiny.toml").write_text(RECIPE)
    arguments = [
        "train",
        "tiny.toml",
        "--data",
        "clips",
        "--out",
        "run",
        "--cache",
        "cache",
        "--device",
        "cpu",
    ]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(int(number)), *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return Cut(root, done.returncode, done.stderr)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut(tmp_path_factory.mktemp("killed"), signal.SIGKILL)


def epochs(folder: Path) -> list[int]:
    """Return the epochs in the file of one attempt, each once."""
    with (folder / "metrics.csv").open(newline="") as file:
        return sorted({int(row["epoch"]) for row in csv.DictReader(file)})


def check_resumed(run: Cut) -> None:
    """Resume; check that two epochs were kept and two are new, all complete."""
    import torch

    from genrelens.train.trainer import read_history

    before = read_history(run.stage)
    assert [entry["epoch"] for entry in before] == [0, 1]
    checkpoint = torch.load(run.stage / "last.ckpt", weights_only=True)
    model = run.resume()
    assert epochs(run.stage / "csv" / "version_1") == [2, 3]
    after = read_history(run.stage)
    assert [entry["epoch"] for entry in after] == [0, 1, 2, 3]
    assert after[:2] == before
    assert {len(entry) for entry in after} == {5}
    last = torch.load(run.stage / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2 * checkpoint["global_step"]
    assert ModelFile.load(model).metadata.labels == tiny.GENRES


def test_killed_run_is_resumed(killed: Cut, tmp_path: Path) -> None:
    assert killed.code == -signal.SIGKILL
    check_resumed(Cut(shutil.copytree(killed.root, tmp_path / "copy"), 0, ""))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_is_resumed(number: signal.Signals, code: int, tmp_path: Path) -> None:
    stopped = cut(tmp_path, number)
    assert stopped.code == code
    assert "Traceback" not in stopped.err
    check_resumed(stopped)


def test_kill_while_a_checkpoint_is_written(
    killed: Cut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt does not read the incomplete file."""
    from genrelens.train import trainer as stage
    from genrelens.train.trainer import read_history

    run = Cut(shutil.copytree(killed.root, tmp_path / "copy"), 0, "")
    whole = (run.stage / "last.ckpt").read_bytes()

    def save(checkpoint: object, file: BinaryIO) -> None:
        file.write(whole[:1000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage.torch, "save", save)
        with pytest.raises(KeyboardInterrupt):
            run.resume()
    assert (run.stage / "last.ckpt").read_bytes() == whole
    assert [entry["epoch"] for entry in read_history(run.stage)][:2] == [0, 1]
    assert run.resume().exists()


def test_ctrl_c_works_after_ctrl_c(
    killed: Cut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning would ignore Ctrl-C permanently after its own cleanup."""
    run = Cut(shutil.copytree(killed.root, tmp_path / "copy"), 0, "")

    def training_step(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genrelens.train.original.fit.SegmentModule.training_step", training_step)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run.resume()
    assert signal.getsignal(signal.SIGINT) is before


def test_history_skips_an_incomplete_row(tmp_path: Path) -> None:
    from genrelens.train.trainer import read_history

    header = "epoch,step,train_error,train_loss,val_error,val_loss\n"
    for version, rows in (
        (0, "0,3,,,0.5,1.5\n0,3,0.25,2.5,,\n1,7,,,0.5,1.0\n1,7,0."),
        (9, "1,7,,,0.75,1.25\n1,7,0.0,0.5,,\n2,11,,,0.1,0.2\n\n,,,0.3"),
        (10, "2,11,,,0.0,0.125\n2,11,0.0,0.0625,,\n"),
    ):
        folder = tmp_path / "csv" / f"version_{version}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(header + rows)
    assert read_history(tmp_path) == [
        {"epoch": 0, "train_error": 0.25, "train_loss": 2.5, "val_error": 0.5, "val_loss": 1.5},
        {"epoch": 1, "train_error": 0.0, "train_loss": 0.5, "val_error": 0.75, "val_loss": 1.25},
        {"epoch": 2, "train_error": 0.0, "train_loss": 0.0625, "val_error": 0.0, "val_loss": 0.125},
    ]
