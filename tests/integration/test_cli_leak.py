"""``genrelens leak`` on noise whose only signature is an equaliser for each album."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import synth
from support.commands import Result, run

RATE = 8000
GENRES, ALBUMS, CLIPS = ("hop", "pop", "rap"), 3, 2

Leak = Callable[..., Result]


def recording(album: int, clip: int) -> synth.Float32:
    """Return 12 s of noise through the equalisers of the album (strong) and the clip (weak)."""
    rng, of_clip = np.random.default_rng(album), np.random.default_rng([album, clip])
    gains = 20 * rng.standard_normal(12) + 3 * of_clip.standard_normal(12)  # dB
    spectrum = np.fft.rfft(of_clip.standard_normal(12 * RATE))
    bands = np.interp(np.linspace(0, 11, len(spectrum)), np.arange(12), gains)
    y = np.fft.irfft(spectrum * 10 ** (bands / 20))
    return (0.1 * y / y.std()).astype(np.float32)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 clips: a genre differs from others only in its albums."""
    folder = tmp_path_factory.mktemp("leak")
    rows = ["clip,artist,group"]
    for album in range(len(GENRES) * ALBUMS):
        genre = GENRES[album % len(GENRES)]
        (folder / "data" / genre).mkdir(parents=True, exist_ok=True)
        for clip in range(CLIPS):
            name = f"{genre}{album}{'ab'[clip]}"
            file = synth.write(recording(album, clip), RATE)
            (folder / "data" / genre / f"{name}.wav").write_bytes(file)
            rows.append(f"{name},artist {album},album {album}")
    (folder / "groups.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def leak(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, music: Path) -> Leak:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(music)
    return lambda *args: run(capsys, "leak", "data", "--folds", "3", *args)


def test_the_leak_is_visible(leak: Leak) -> None:
    """Albums reveal the genre; without them, the accuracy is chance among three genres."""
    result = leak("--groups", "groups.csv", "--json", "--jobs", "2")
    assert (result.code, result.err) == (0, "")
    values = json.loads(result.out)
    found = {each["protocol"]: each["segments"]["accuracy"] for each in values["protocols"]}
    assert list(found) == ["segment", "clip", "group"]
    assert found["segment"]["value"] > 0.9
    assert found["group"]["value"] < 0.6
    assert found["group"]["high"] < found["segment"]["value"]  # nine groups: a wide interval
    assert (values["n_clips"], values["n_segments"], values["n_groups"]) == (18, 72, 9)
    assert (values["data"], values["failed"], values["labels"]) == ("data", [], list(GENRES))


def test_table_and_picture(leak: Leak, tmp_path: Path) -> None:
    result = leak(
        "--groups", "groups.csv", "--group-column", "artist", "--plot", tmp_path / "leak.png"
    )
    lines = result.out.splitlines()
    assert lines[0].startswith("18 clips of 9 groups, 3 genres, 72 segments; ")
    assert [line.split("  ")[0] for line in lines[3:]] == [
        "by segment (a leak)",
        "by clip",
        "by artist",
    ]
    assert [line.count(" to ") for line in lines[3:]] == [2, 4, 4]
    assert (tmp_path / "leak.png").read_bytes().startswith(b"\x89PNG")


def test_without_groups(leak: Leak) -> None:
    result = leak()
    assert len(result.out.splitlines()) == 5
    assert result.err == "note: --groups FILE adds a split by artist\n"


def test_relabel(leak: Leak) -> None:
    values = json.loads(leak("--relabel", "rap=hop", "--json").out)
    assert values["labels"] == ["hop", "pop"]


def test_unreadable_clip(leak: Leak, music: Path) -> None:
    bad = music / "data" / "hop" / "bad.wav"
    bad.touch()
    try:
        result = leak("--json")
    finally:
        bad.unlink()
    values = json.loads(result.out)
    assert (result.code, values["n_clips"]) == (1, 18)
    assert [each["error"] for each in values["failed"]] == ["data/hop/bad.wav: is empty"]
    assert "error: data/hop/bad.wav: is empty\n" in result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--folds", "7"), "7 folds cannot be made"),
        (("--folds", "4", "--groups", "groups.csv"), "only 3 groups"),
        (("--groups", "none.csv"), "none.csv: No such file"),
        (("--groups", "groups.csv", "--group-column", "label"), "groups.csv: needs the columns"),
        (("--groups", "few.csv"), "few.csv: 17 clips have no group, for instance hop0b.wav"),
        (("--relabel", "ska=hop"), "data has no genre 'ska'"),
        (("--relabel", "rap=hop", "--relabel", "pop=hop"), "18 clips of 1 genre:"),
        (("--plot", "leak.doc"), "leak.doc: the extension of an image"),
    ],
)
def test_impossible_requests(
    leak: Leak, music: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    """They are rejected with a reason before any work."""
    (music / "few.csv").write_text("clip,group\nhop0a,x")
    monkeypatch.setattr("genrelens.cli.leak.tabulate", lambda *_, **__: pytest.fail("worked"))
    result = leak(*options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_empty_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(capsys, "leak", tmp_path)
    assert result.code == 2
    assert "contains no audio in subfolders" in result.err


def test_without_scikit_learn(leak: Leak, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **options: Any) -> Any:
        if name.split(".")[0] == "sklearn":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    result = leak()
    assert result.code == 3
    assert "pip install 'genrelens[evaluate]'" in result.err
