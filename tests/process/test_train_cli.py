"""``genrelens train``: the main path in its own process, other options in this one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens.model_file import ModelFile
from support import tiny
from support.commands import Result, at_terminal, command, run, spawn
from support.processes import PATIENCE

Train = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with clips, a recipe of one short epoch and a feature cache."""
    tiny.write_clips(tmp_path / "clips")
    (tmp_path / "tiny.toml").write_text(tiny.recipe_text("mfcc-lstm", epochs=1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genrelens.plots.plot_curves", lambda *_: None)  # slower than the training
    return tmp_path


@pytest.fixture
def train(place: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    """Train the tiny recipe in this process; further arguments override the usual ones."""

    def start(*arguments: str, data: str = "clips") -> Result:
        common = ["--data", data, "--out", "run", "--cache", "cache", "--device", "cpu"]
        return run(capsys, "train", "tiny.toml", *common, *arguments)

    return start


def test_main_path(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both stages in a process: the result on standard output, only the steps on standard error."""
    (place / "tiny.toml").write_text(tiny.recipe_text("mel-cnn-lstm", epochs=2))
    (place / "clips" / "noise" / "broken.wav").write_text("no audio")
    done = spawn(
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
        "--name",
        "mine",
    )
    assert done.code == 0, done.err
    out, err = done.out.splitlines(), done.err.splitlines()
    skipped = [line for line in err if line.startswith("skipped: clips/noise/broken.wav: ")]
    assert len(skipped) <= 1  # it may be on the training side or not
    assert [line for line in err if line not in skipped] == [
        "Reading the clips",
        "Training the segment network of tiny",
        "Training the LSTM over the segments' logits",
        "Exporting and evaluating",
    ]
    assert out[0].split() == ["model", "run/model.onnx"]
    figures = (
        r"accuracy [\d.]+ % \([\d.]+ to [\d.]+ %\), macro recall [\d.]+ % on 3 validation clips"
    )
    assert re.fullmatch(f"mel-cnn-lstm: {figures}", out[1])
    assert re.fullmatch(f"mean over segments: {figures}", out[2])
    assert out[3].split(maxsplit=2)[2] == "genrelens classify --model run/model.onnx FILE"
    assert len(out) == 4
    assert ModelFile.load("run/model.onnx").metadata.name == "mine"
    clip = "clips/noise/noise.0.wav"
    classified = run(capsys, "classify", "--model", "run/model.onnx", clip, "--json")
    assert set(json.loads(classified.out)[0]["probabilities"]) == set(tiny.GENRES)


def test_terminal_shows_one_bar_at_a_time(place: Path) -> None:
    terminal = at_terminal(
        command(
            "train", "tiny.toml", "-d", "clips", "-o", "run", "--cache", "cache", "--device", "cpu"
        ),
        width=100,
    )
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.read())
    assert terminal.process.wait(PATIENCE) == 0
    assert "100%" in text
    assert "Epoch 0/0" in text
    assert text.rindex("Reading ") < text.index("Epoch 0/0")
    assert "Traceback" not in text


def test_split_file_and_overrides(train: Train, place: Path) -> None:
    from genrelens.train.trainer import read_history

    rows = [
        f"{genre}.{i},{part}"
        for genre in tiny.GENRES
        for i, part in enumerate(["train", "train", "valid", "test"])
    ]
    (place / "split.csv").write_text("\n".join(["clip,split", *rows]))
    (place / "tiny.toml").write_text(tiny.recipe_text(epochs=1, precision="bf16-mixed"))
    done = train("--split", "split.csv", "--epochs", "2", "--seed", "7", "--precision", "32-true")
    assert done.code == 0
    assert "on 3 validation clips" in done.out
    provenance = ModelFile.load("run/model.onnx").metadata.provenance
    assert provenance["data"]["clips"]["train"] == dict.fromkeys(tiny.GENRES, 2)
    training = provenance["recipe"]["training"]
    assert (training["epochs"], training["seed"]) == (2, 7)
    assert training["precision"] == "32-true"
    assert len(read_history(place / "run" / "segments")) == 2


def test_all_clips_with_the_figures_of_a_cross_validation(
    train: Train, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from genrelens.train.crossval import write_metrics

    interval = {"value": 0.75, "low": 0.5, "high": 1.0}
    scores = {"n": 9, "accuracy": interval, "macro_recall": {"value": 0.625}, "confusion": [[9]]}
    write_metrics(place, "grouped", {"mfcc-lstm": {"scores": scores}})
    figures = json.loads((place / "metrics.json").read_text())
    done = train("--all", "--metrics", "metrics.json")
    assert done.code == 0
    assert "accuracy" not in done.out  # it is not this model's
    metadata = ModelFile.load("run/model.onnx").metadata
    assert metadata.metrics == figures
    card = run(capsys, "models", "run/model.onnx").out
    assert "75.0 % (50.0 to 100.0 %), macro recall 62.5 %, 9 clips (grouped)" in card
    assert metadata.provenance["data"]["clips"]["train"] == dict.fromkeys(tiny.GENRES, 4)
    assert metadata.provenance["data"]["clips"]["valid"] == dict.fromkeys(tiny.GENRES, 0)


def test_relabel(train: Train) -> None:
    done = train("--relabel", "noise=clicks")
    assert done.code == 0
    metadata = ModelFile.load("run/model.onnx").metadata
    assert metadata.labels == ("chords", "clicks")
    assert metadata.label_map == {"noise": "clicks"}
    assert sum(metadata.provenance["data"]["clips"]["train"].values()) == 10


def test_folders_with_a_table_and_groups(train: Train, place: Path) -> None:
    """The genres of the second folder have other names; its artists are others."""
    tiny.write_clips(place / "more", per_genre=2)
    for old, new in (("clicks", "ticks"), ("chords", "talk")):
        (place / "more" / old).rename(place / "more" / new)
    table = 'ticks = "clicks"\ntalk = ""\nabsent = "polka"\n'
    (place / "genres.toml").write_text(table)
    rows = [f"{genre}.{i},artist {i % 2}" for genre in tiny.GENRES for i in range(4)]
    for name in ("a.csv", "b.csv"):
        (place / name).write_text("\n".join(["clip,group", *rows]))
    done = train(
        *("--data", "more", "--relabel", "genres.toml", "--groups", "a.csv", "--groups", "b.csv")
    )
    assert done.code == 0, done.err
    metadata = ModelFile.load("run/model.onnx").metadata
    assert metadata.labels == tiny.GENRES
    assert metadata.label_map == {"ticks": "clicks"}
    counts = metadata.provenance["data"]["clips"]
    found = {genre: counts["train"][genre] + counts["valid"][genre] for genre in tiny.GENRES}
    assert found == {"chords": 4, "clicks": 6, "noise": 6}


def test_second_run_and_resume(train: Train) -> None:
    assert train().code == 0
    again = train()
    assert again.code == 2
    assert "run: already contains a run; resume it (--resume) or choose another folder" in again.err
    assert train("--resume").code == 0
    other = train("--resume", "--epochs", "3")
    assert other.code == 2
    assert "run: contains a run with another recipe" in other.err


def test_cuda_without_a_gpu(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = train("--device", "cuda")
    assert done.code == 2
    assert done.err == "error: device 'cuda': torch finds no GPU here; choose 'auto' or 'cpu'\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "tpu"], "tpu must be one of auto, cpu, cuda"),
        (["--precision", "fast"], "error: recipe tiny: precision='fast' must be one of 32-true"),
        (["--seed", "-1"], "error: recipe tiny: seed=-1 must be at least 0"),
        (["--epochs", "0"], "--epochs"),
        (["--all", "--split", "x.csv"], "--all cannot be combined with --split"),
        (["--split", "absent.csv"], "error: absent.csv"),
        (["--relabel", "noise"], "--relabel noise must have the form OLD=NEW"),
        (["--relabel", "absent.toml"], "error: absent.toml: No such file"),
        (["--relabel", "noise=", "--relabel", "hiss="], "clips has no genre 'hiss'"),
        (["--groups", "a.csv", "--groups", "b.csv"], "2 times for 1 folder:"),
        (["--groups", "a.csv", "--split", "b.csv"], "--groups cannot be combined with --split"),
        (["--data", "clips"], "error: clips: is listed twice, or is inside another folder"),
        (["--relabel", "nose=hiss"], "error: --relabel nose=hiss: clips has no genre 'nose'"),
        (["--metrics", "absent.json"], "error: absent.json"),
        (["--data", "absent"], "error: absent: No such file or directory"),
        (["--data", "clips/noise"], "error: clips/noise: contains no audio in subfolders"),
        (["--cache", "tiny.toml"], "cache cannot be written"),
    ],
)
def test_mistakes_are_reported_at_once(arguments: list[str], words: str, train: Train) -> None:
    done = train(*arguments)
    assert done.code == 2
    assert words in " ".join(done.err.replace("│", "").split())
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("train", "--epochs", "3"),
        ("train", "--precision", "16-mixed"),
        ("crossval", "--epochs", "3"),
    ],
)
def test_options_without_effect_on_lens_are_refused(
    command: str, option: str, value: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(capsys, command, "lens", "--data", place / "clips", option, value)
    assert done.code == 2
    assert f"error: recipe lens: {option[2:]} would change nothing" in done.err
    assert not Path("runs").exists()


def test_metrics_that_are_not_numbers(train: Train, place: Path) -> None:
    (place / "nan.json").write_text('{"accuracy": NaN}')
    assert "cannot be written as JSON" in train("--metrics", "nan.json").err
    (place / "list.json").write_text("[]")
    assert "list.json: is not a JSON object" in train("--metrics", "list.json").err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from genrelens.train.recipe import packaged_recipes

    done = run(capsys, "train", "--recipes")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == packaged_recipes()


def test_data_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "train", "mel-cnn")
    assert done.code == 2
    assert "--data is missing" in done.err
