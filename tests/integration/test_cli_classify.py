"""``genrelens classify``: output for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens import Classifier
from genrelens.percentages import percent, percent_significant
from support import synth, tiny
from support.commands import Result, run
from support.small_models import write_listener

Genrelens = Callable[..., Result]


CHORDS, CLICKS, NOISE = "music/b/deep/chords.wav", "music/b/clicks.wav", "music/a/noise.wav"

# --------------------------------------------------------------------------------- text


def test_bars(classify: Genrelens, music: Path, model: Path) -> None:
    """As in the original of 2018: the verdict, then all genres in descending order."""
    result = classify(CHORDS)
    first, verdict, *rows = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert first == f"{CHORDS} (1.0 s)"
    assert verdict == "The predicted genre is: chords"
    ranking = Classifier.load(model).classify(CHORDS).top()
    assert [row.split()[0] for row in rows] == [label for label, _ in ranking]
    assert [row.split("  ")[2].strip() for row in rows] == [
        percent_significant(p) for _, p in ranking
    ]
    assert [row.count("#") for row in rows] == [round(40 * p) for _, p in ranking]


def test_short_recording(classify: Genrelens, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    path.write_bytes(synth.write(tiny.sound("noise", 0.1), tiny.RATE))
    assert "(0.1 s, too short to be sure)" in classify(path).out


@pytest.mark.parametrize(("top", "shown"), [(1, 1), (2, 2), (99, 3)])
def test_top(classify: Genrelens, music: Path, top: int, shown: int) -> None:
    result = classify(CHORDS, "--top", str(top))
    assert len(result.out.splitlines()) == 2 + shown


def test_several_files(classify: Genrelens, music: Path) -> None:
    result = classify("missing.wav", NOISE, "text.mp3", CHORDS, "--top", "1")
    blocks = [block.splitlines()[:2] for block in result.out.split("\n\n")]
    assert blocks == [
        [f"{NOISE} (1.0 s)", "The predicted genre is: noise"],
        [f"{CHORDS} (1.0 s)", "The predicted genre is: chords"],
    ]
    lines = result.err.splitlines()
    assert lines[0] == "error: missing.wav: No such file or directory"
    assert lines[1].startswith("error: text.mp3: is not audio that any decoder can read (")
    assert lines[2] == "error: 2 of 4 recordings could not be classified"
    assert (result.code, len(lines)) == (1, 3)


def test_verdicts(capsys: pytest.CaptureFixture[str], listener_model: Path, tmp_path: Path) -> None:
    """A loud, a soft and a silent recording; then a model that is never sure."""
    noise = tiny.sound("noise", 3)
    for name, gain in (("loud", 1.0), ("soft", 0.005), ("silent", 0.0)):
        content = synth.write(gain * noise, tiny.RATE, subtype="FLOAT")
        (tmp_path / f"{name}.wav").write_bytes(content)

    def printed(model: Path, name: str) -> list[str]:
        return run(capsys, "classify", "-m", model, tmp_path / f"{name}.wav").out.splitlines()[1:]

    loud = printed(listener_model, "loud")
    assert (loud[0], len(loud)) == ("The predicted genre is: noise", 5)
    share = Classifier.load(listener_model).classify(tmp_path / "loud.wav").styles[0].probability
    assert loud[-1] == f"Styles: loud {percent(share)}"
    soft = printed(listener_model, "soft")
    assert (soft[0], len(soft)) == ("Not music.", 4)
    assert printed(listener_model, "silent") == ["Silence."]
    unsure = printed(write_listener(tmp_path, sure_threshold=0.99), "loud")
    (first, p), (second, q) = Classifier.load(listener_model).classify(tmp_path / "loud.wav").top(2)
    assert unsure[0] == f"Not sure: {first} {percent(p)}, {second} {percent(q)}; sounds loud"
    assert unsure[1:] == loud[1:]


def test_fast(classify: Genrelens, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(synth.write(tiny.sound("noise", 100), tiny.RATE))
    assert classify(path, "--fast").out.startswith(f"{path} (100.0 s, 90 s classified)\n")
    assert classify(path).out.startswith(f"{path} (100.0 s)\n")


# ---------------------------------------------------------------------------- JSON, CSV


def test_json(classify: Genrelens, music: Path) -> None:
    result = classify(CLICKS, "text.mp3", "--json", "--top", "1")
    clicks, text = json.loads(result.out)
    assert result.code == 1
    assert clicks.keys() == {
        "path",
        "answer",
        "verdict",
        "genre",
        "probabilities",
        "genres",
        "changes",
        "styles",
        "music",
        "snr",
        "noisy",
        "level",
        "duration",
        "heard",
        "padded",
        "model",
        "top",
    }
    assert (clicks["path"], clicks["genre"], clicks["model"]) == (CLICKS, "clicks", "tiny")
    assert (clicks["duration"], clicks["padded"], clicks["top"]) == (1.0, False, ["clicks"])
    assert set(clicks["probabilities"]) == set(tiny.GENRES)
    assert sum(clicks["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    assert text.keys() == {"path", "error"}
    assert text["path"] == "text.mp3"
    assert f"error: {text['error']}\n" in result.err


def test_json_with_timeline(classify: Genrelens, music: Path) -> None:
    """A list of numbers is on one line."""
    result = classify(CLICKS, "--json", "--timeline")
    document = json.loads(result.out)[0]
    timeline = document["timeline"]
    assert [(each["start"], each["genre"]) for each in document["sections"]] == [(0.0, "clicks")]
    assert [each["start"] for each in timeline] == [0.0, 0.32, 0.64, 0.672]
    for each in timeline:
        assert sum(each["probabilities"]) == pytest.approx(1, abs=1e-12)
        numbers = ", ".join(map(repr, each["probabilities"]))
        assert f'"probabilities": [ {numbers} ]\n' in result.out


def test_json_with_styles_and_embedding(
    capsys: pytest.CaptureFixture[str], music: Path, listener_model: Path
) -> None:
    result = run(capsys, "classify", "-m", listener_model, NOISE, "--json", "--embedding")
    (document,) = json.loads(result.out)
    expected = Classifier.load(listener_model).classify(NOISE)
    assert document == expected.to_dict(embedding=True)
    assert len(document["embedding"]) == tiny.MEL.n_bins


def test_csv_with_styles(
    capsys: pytest.CaptureFixture[str], music: Path, listener_model: Path
) -> None:
    result = run(capsys, "classify", "-m", listener_model, NOISE, "zero.wav", "--csv")
    good, bad = csv.DictReader(io.StringIO(result.out))
    expected = Classifier.load(listener_model).classify(NOISE)
    columns = ["verdict", "styles", "music", "duration", "model", "genres", "changes", "snr"]
    assert list(good)[-9:] == [*columns, "error"]
    assert (good["verdict"], good["styles"]) == ("genre", "loud")
    assert (good["genres"], good["changes"], good["snr"]) == ("noise", "", "")
    assert float(good["music"]) == expected.music
    assert (bad["verdict"], bad["styles"], bad["music"]) == ("", "", "")


def test_csv(classify: Genrelens, music: Path) -> None:
    odd = music / 'a "quoted", new\nline.wav'
    shutil.copy(CHORDS, odd)
    result = classify(odd, "zero.wav", "--csv", "-j", "2")
    good, bad = csv.DictReader(io.StringIO(result.out))
    assert (good["path"], good["genre"], good["duration"]) == (str(odd), "chords", "1.0")
    assert (good["model"], good["error"]) == ("tiny", "")
    assert (good["verdict"], good["styles"], good["music"]) == ("genre", "", "")
    assert sum(float(good[genre]) for genre in tiny.GENRES) == pytest.approx(1, abs=1e-12)
    assert (bad["path"], bad["genre"], bad["chords"]) == ("zero.wav", "", "")
    assert bad["error"] == "zero.wav: is empty"
    assert result.code == 1


def test_model_is_loaded_once(
    classify: Genrelens, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, load = [], Classifier.load
    monkeypatch.setattr(
        Classifier, "load", lambda model, threads: loaded.append(model) or load(model)
    )
    assert classify("music", "--csv").code == 0
    assert len(loaded) == 1


def test_notes_about_a_damaged_file(classify: Genrelens, tmp_path: Path) -> None:
    path = tmp_path / "torn.flac"
    content = synth.write(synth.noise(3, tiny.RATE), tiny.RATE, "FLAC")
    path.write_bytes(content[: len(content) // 2])
    whole = tmp_path / "whole.flac"
    whole.write_bytes(content)
    result = classify(path, whole, "--json", "-j", "2")
    (warning,) = result.err.splitlines()
    assert warning.startswith(f"warning: {path}: is damaged; 1.")
    damaged, complete = json.loads(result.out)
    assert (result.code, damaged["notes"]) == (0, [warning.removeprefix("warning: ")])
    assert "notes" not in complete


# ---------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["x", "--top", "0"], "--top"),
        (["x", "--top", "-1"], "--top"),
        (["x", "--jobs", "-1"], "--jobs"),
        (["x", "--json", "--csv"], "--json cannot be combined with --csv"),
        (["x", "--csv", "--top", "1"], "--top cannot be combined with --csv"),
        (["x", "--timeline"], "--timeline needs --json"),
        (["x", "--embedding", "--csv"], "--embedding needs --json"),
        (["x", "y", "--plot", "bars.png"], "--plot draws one recording, not 2"),
        (["x", "--frobnicate"], "No such option"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run(capsys, "classify", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


@pytest.mark.parametrize("name", ["absent", "text.mp3", "music"])
def test_files_that_are_no_models(
    capsys: pytest.CaptureFixture[str], music: Path, name: str
) -> None:
    result = run(capsys, "classify", CHORDS, "--model", name, "--json")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith(f"error: {name}: ")
    assert len(result.err.splitlines()) == 1


# ----------------------------------------------------------------------------------- plot


@pytest.mark.parametrize("output", [[], ["--json"], ["--csv"], ["--top", "1"]])
def test_plot(classify: Genrelens, music: Path, output: list[str]) -> None:
    assert classify(CHORDS, "--plot", "bars.png", *output).code == 0
    assert Path("bars.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("picture", "code", "words"),
    [
        ("bars.bmpx", 2, "the extension of an image must be one of"),
        ("gone/bars.png", 2, "gone/bars.png: its folder is missing"),
        ("no matplotlib.png", 3, "matplotlib is not installed; it comes with: pip install"),
    ],
)
def test_impossible_plots_are_refused_first(
    classify: Genrelens,
    music: Path,
    monkeypatch: pytest.MonkeyPatch,
    picture: str,
    code: int,
    words: str,
) -> None:
    if picture.startswith("no"):
        for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = classify(CHORDS, "--plot", picture)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
