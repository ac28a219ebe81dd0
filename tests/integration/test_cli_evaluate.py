"""``genrelens evaluate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens.evaluation.prediction_table import load_predictions
from genrelens.evaluation.scores import score
from genrelens.files import sha256
from support import tiny
from support.commands import Result
from support.small_models import write_model

Genrelens = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clips of each genre; one clip of noise is labelled clicks, and one file is not audio."""
    monkeypatch.chdir(tmp_path)
    folder = tiny.write_clips(tmp_path / "data", per_genre=2)
    (folder / "noise" / "noise.0.wav").rename(folder / "clicks" / "noise.0.wav")
    (folder / "noise" / "text.mp3").write_text("no music")
    return folder


def test_evaluate_json(genrelens: Genrelens, data: Path, model: Path) -> None:
    result = genrelens("evaluate", data, "-m", model, "--json")
    report = json.loads(result.out)
    text = str(data / "noise" / "text.mp3")
    assert (report["n"], report["accuracy"], report["data"]) == (6, 5 / 6, "data")
    assert report["labels"] == ["chords", "clicks", "noise"]
    assert report["confusion"] == [[2, 0, 0], [0, 2, 1], [0, 0, 1]]  # rows are true
    assert report["macro_recall"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert [failed["path"] for failed in report["failed"]] == [text]
    assert result.code == 1
    assert result.err == f"error: {report['failed'][0]['error']}\n"


def test_evaluate_table(genrelens: Genrelens, data: Path, model: Path) -> None:
    result = genrelens("evaluate", data, "-m", model, "--plot", "confusion.png")
    lines = [line.split() for line in result.out.splitlines()]
    assert ["clips", "6", "(1", "more", "could", "not", "be", "read)"] in lines
    wilson = "(95 % interval 43.6 to 97.0 %, Wilson)"  # five of six clips
    assert f"accuracy 83.3 % {wilson}".split() in lines
    assert (
        "Intervals marked Wilson are computed from the number of clips: there are fewer than 10"
        in (result.out)
    )
    assert "The calibration error of 6 clips is mostly chance" in result.out
    assert lines[-4:] == [
        ["chords", "clicks", "noise", "recall"],
        ["chords", "2", ".", ".", "100", "%"],
        ["clicks", ".", "2", "1", "67", "%"],
        ["noise", ".", ".", "1", "100", "%"],
    ]
    assert Path("confusion.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_part_of_a_split(genrelens: Genrelens, data: Path, model: Path) -> None:
    (data / "noise" / "text.mp3").unlink()
    clips = sorted(path.stem for path in data.glob("*/*.wav"))
    rows = [f"{clip},{'test' if clip.startswith('c') else 'valid'}" for clip in clips]
    split = Path("split.csv")
    split.write_text("\n".join(["clip,split", *rows]))
    for part, n in [((), 2), (("--part", "test"), 4)]:
        result = genrelens("evaluate", data, "-m", model, "--json", "--split", split, *part)
        assert json.loads(result.out)["n"] == n
    none = genrelens("evaluate", data, "-m", model, "--split", split, "--part", "train")
    assert (none.code, none.out) == (2, "")
    assert "no clip of" in none.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone"], 2, "gone: "),
        ([], 2, "FOLDER or --predictions is missing"),
        (["data/noise"], 2, "contains no audio in subfolders"),
        (["data/noise/text.mp3"], 2, "text.mp3: "),
        (["."], 2, "has no genre 'data'; it has chords, clicks, noise"),
        (["data", "--part", "test"], 2, "--part needs --split"),
        (["data", "--split", "s.csv", "--part", "dev"], 2, "one of train, valid, test"),
        (["data", "--plot", "x.bmpx"], 2, "the extension of an image"),
        (["data", "--report", "data/noise/text.mp3"], 2, "is a file; a report needs a folder"),
        (["data", "--relabel", "polka=noise"], 2, "there is no genre 'polka'"),
        (["data", "--relabel", "noise"], 2, "must have the form OLD=NEW"),
        (["data", "--groups", "s.csv"], 2, "s.csv: No such file"),
        (["data", "--predictions", "p.csv"], 2, "--predictions cannot be combined with --model"),
        (["data", "--model", "absent"], 3, "absent: is neither a file"),
    ],
)
def test_invalid_requests(
    genrelens: Genrelens, data: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    write_model(tmp_path)
    model = [] if "--model" in arguments else ["-m", "tiny.onnx"]
    result = genrelens("evaluate", *arguments, *model)
    assert (result.code, result.out) == (code, "")
    assert words in result.err


# ------------------------------------------------------------------------------- the report


def test_report(
    genrelens: Genrelens, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page, figures and numbers; the unreadable file is in both."""
    monkeypatch.setattr(sys, "argv", ["genrelens", "evaluate", "my data", "--report", "out"])
    Path("groups.csv").write_text(
        "\n".join(["clip,artist", *(f"{p.stem},{p.stem[-1]}" for p in data.glob("*/*"))])
    )
    groups = ("--groups", "groups.csv", "--group-column", "artist")
    done = genrelens("evaluate", data, "-m", model, "--report", "out", *groups)
    assert (done.code, done.err.splitlines()[-1]) == (1, "report: out/index.html")
    metrics = json.loads(Path("out/metrics.json").read_text())
    table = load_predictions(Path("out"))
    assert table.groups == ("0", "1", "0", "1", "0", "1")
    assert metrics["scores"] == score(table).to_dict()
    origin = metrics["provenance"]
    assert origin["model_sha256"] == sha256(model)
    assert (origin["data"], origin["protocol"], origin["seed"]) == ("data", "all clips", 0)
    assert origin["command"] == "genrelens evaluate 'my data' --report out"
    assert "text.mp3" in metrics["failed"][0]
    assert "text.mp3" in Path("out/index.html").read_text()
    assert "clips         6 from 2 groups (1 more" in done.out


def test_the_seed_changes_the_intervals(genrelens: Genrelens, data: Path, model: Path) -> None:
    (data / "noise" / "text.mp3").unlink()
    found = [
        json.loads(genrelens("evaluate", data, "-m", model, "--json", "--seed", seed).out)["scores"]
        for seed in ("0", "1", "0")
    ]
    assert found[0] == found[2] != found[1]


def test_robustness(
    genrelens: Genrelens, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise that is 20 dB quieter gets another prediction; after renaming the labels are equal."""
    (data / "noise" / "text.mp3").unlink()
    done = genrelens("evaluate", data, "-m", model, "--robustness", "--json")
    conditions = json.loads(done.out)["robustness"]["conditions"]
    assert [row["condition"] for row in conditions][:3] == ["clean", "high-pass-30hz", "gain-20db"]
    assert conditions[0]["accuracy"]["value"] == 5 / 6
    assert (done.code, done.err) == (0, "")
    renamed = ("--relabel", "noise=rest", "--relabel", "clicks=rest")
    shown = genrelens("evaluate", data, "-m", model, "--robustness", *renamed)
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["clean", "100.0", "%"] in lines


def test_a_table_gives_the_genres_of_the_model(
    genrelens: Genrelens, data: Path, model: Path
) -> None:
    """The table may hold more genres than the folder; talk is left out."""
    (data / "noise" / "text.mp3").unlink()
    (data / "noise").rename(data / "rain")
    (data / "chords").rename(data / "talk")
    table = 'rain = "noise"\nclicks = "clicks"\ntalk = ""\npolka = "waltz"\n'
    Path("genres.toml").write_text(table)
    done = genrelens("evaluate", data, "-m", model, "--relabel", "genres.toml", "--json")
    found = json.loads(done.out)
    assert (done.code, found["n"], found["labels"]) == (0, 4, ["clicks", "noise"])
    assert found["unrestricted"]["labels"] == [*tiny.GENRES]
    assert found["provenance"]["relabel"]["rain"] == "noise"
    Path("other.toml").write_text('polka = "waltz"\n')
    refused = genrelens("evaluate", data, "-m", model, "--relabel", "other.toml")
    assert (refused.code, "there is no genre of its table" in refused.err) == (2, True)
    alone = genrelens(
        *("evaluate", data, "-m", model, "--relabel", "rain="),
        *("--relabel", "clicks=", "--relabel", "talk="),
    )
    assert (alone.code, "all its genres are left out" in alone.err) == (2, True)


# ---------------------------------------------------------------------------- predictions


@pytest.fixture
def peer(data: Path) -> Path:
    """Predictions of clicks for every clip."""
    (data / "noise" / "text.mp3").unlink()
    rows = [f"{path.stem},0.1,0.7,0.2" for path in sorted(data.glob("*/*.wav"))]
    path = Path("peer.csv")
    path.write_text("\n".join(["clip,chords,clicks,noise", *rows]))
    return path


def test_predictions_of_another_model(genrelens: Genrelens, data: Path, peer: Path) -> None:
    done = genrelens("evaluate", data, "--predictions", peer, "--json", "--report", "out")
    found = json.loads(done.out)
    assert (done.code, found["model"], found["accuracy"]) == (0, "peer", 0.5)
    assert found["provenance"]["predictions_sha256"] == sha256(peer)
    again = json.loads(genrelens("evaluate", "--predictions", "out/predictions.csv", "--json").out)
    assert again["scores"] == found["scores"]


def test_groups_of_predictions_without_clips(genrelens: Genrelens, data: Path, peer: Path) -> None:
    genrelens("evaluate", data, "--predictions", peer, "--report", "out")
    names = [path.stem for path in data.glob("*/*.wav")]
    Path("groups.csv").write_text("\n".join(["clip,group", *(f"{n},{n[-1]}" for n in names)]))
    done = genrelens("evaluate", "--predictions", "out", "--groups", "groups.csv")
    assert "clips         6 from 2 groups" in done.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clip,chords,clicks,noise\nnoise.1,0.5,x,0.5", "line 2: clicks='x' must be a number"),
        ("clip,chords,clicks,noise\nnoise.1,0.5,nan,0.5", "'nan' is not finite"),
        ("clip,chords,clicks\nnoise.1,0.5,0.5", "genre='noise' has no column; the labels are"),
        ("chords,clicks\n0.5,0.5", "clip"),
        ("clip,chords,clicks,noise\nnoise.1,0,0,1", "an interval needs two clips or more"),
        ("", "peer.csv"),
    ],
)
def test_invalid_predictions(
    genrelens: Genrelens, data: Path, peer: Path, text: str, words: str
) -> None:
    peer.write_text(text)
    done = genrelens("evaluate", data, "--predictions", peer)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


# ----------------------------------------------------------------------- what there is to judge


def test_one_clip_only(genrelens: Genrelens, data: Path, model: Path) -> None:
    for path in sorted(data.glob("*/*"))[1:]:
        path.unlink()
    for genre in ("clicks", "noise"):
        (data / genre).rmdir()
    done = genrelens("evaluate", data, "-m", model)
    assert (done.code, done.out) == (2, "")
    assert "an interval needs two clips or more" in done.err


def test_a_genre_without_clips(genrelens: Genrelens, data: Path, model: Path) -> None:
    (data / "polka").mkdir()
    done = genrelens("evaluate", data, "-m", model)
    assert (done.code, done.out) == (2, "")
    assert "polka: contains no audio; fill the folder or remove it" in done.err


def test_without_scikit_learn(
    genrelens: Genrelens, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All figures need numpy only."""
    (data / "noise" / "text.mp3").unlink()
    for name in [name for name in sys.modules if name.split(".")[0] in ("sklearn", "scipy")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    done = genrelens("evaluate", data, "-m", model)
    assert done.code == 0
    assert "log loss" in done.out
