"""``genrelens data check``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support import synth
from support.commands import Result, run
from support.songs import RATE, put, song

Check = Callable[..., Result]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *args: run(capsys, "data", "check", *args)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An Ogg copy with another genre, and two other clips."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "data/blues/a.wav", song(1))
    put(tmp_path, "data/jazz/b.ogg", song(1))
    put(tmp_path, "data/jazz/c.wav", song(0))
    put(tmp_path, "data/rock/d.wav", song(3))
    return Path("data")


def split_file(*rows: str, columns: str = "clip,split,group") -> str:
    Path("split.csv").write_text("\n".join([columns, *rows]))
    return "split.csv"


def test_no_issue(check: Check, data: Path) -> None:
    (data / "jazz" / "b.ogg").unlink()
    result = check(data)
    assert (result.code, result.err) == (0, "")
    assert [line.split() for line in result.out.splitlines()] == [
        ["clips", "3"],
        ["unreadable", "0"],
        ["silent", "0"],
        ["clipped", "0"],
        ["too", "short", "0"],
        ["duplicates", "0"],
    ]


def test_duplicates_of_two_labels(check: Check, data: Path) -> None:
    """Before a split they are a warning."""
    result = check(data)
    rows = [line.split() for line in result.out.split("Duplicates\n")[1].splitlines()[1:]]
    assert [(row[0], row[1], row[-2], row[-1]) for row in rows] == [
        ("1", "near", "blues", "blues/a.wav"),
        ("1", "near", "jazz", "jazz/b.ogg"),
    ]
    assert result.err == (
        "warning: duplicates have different labels: a.wav (blues), b.ogg (jazz)\n"
    )
    assert result.code == 0


def test_every_issue_of_a_file(check: Check, data: Path) -> None:
    put(data, "rock/empty.wav", b"")
    put(data, "rock/flat.wav", np.sign(synth.noise(2, RATE)))
    put(data, "rock/pause.wav", np.zeros(2 * RATE, np.float32))
    put(data, "rock/brief.wav", song(0, 0.5))
    result = check(data, "--jobs", "2")
    assert result.code == 1
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[:6] == [
        "clips 8",
        "unreadable 1",
        "silent 1",
        "clipped 1",
        "too short 1",
        "duplicates 2",
    ]
    assert "-120 dBFS rock/pause.wav" in lines
    assert "0.50 s rock/brief.wav" in lines
    assert f"{data / 'rock' / 'empty.wav'} is empty" in lines
    assert any(line.endswith("% of the samples rock/flat.wav") for line in lines)
    assert f"error: {data / 'rock' / 'empty.wav'}: is empty\n" in result.err


def test_json_is_one_document(check: Check, data: Path) -> None:
    values = json.loads(check(data, "--json").out)
    assert (values["n"], values["data"], values["unreadable"]) == (4, "data", [])
    (group,) = values["duplicates"]
    assert [clip["label"] for clip in group["clips"]] == ["blues", "jazz"]
    assert values["contradictions"] == [group]
    assert "torn" not in values  # no split was given


@pytest.mark.parametrize(("parts", "code"), [(("train", "test"), 1), (("test", "test"), 0)])
def test_split(check: Check, data: Path, parts: tuple[str, str], code: int) -> None:
    split = split_file(f"a,{parts[0]},x", f"b,{parts[1]},x", "c,train,y", "d,test,z")
    result = check(data, "--split", split, "--json")
    torn = json.loads(result.out)["torn"]
    assert [[clip["part"] for clip in group["clips"]] for group in torn] == [list(parts)] * code
    words = f"warning: duplicates are on both sides of the split: a.wav ({parts[0]})"
    assert (words in result.err) == bool(code)
    assert result.code == code


def test_duplicates_of_different_artists(check: Check, data: Path) -> None:
    """They are in one part here; a split by artist may divide them."""
    split = split_file("a,train,x", "b,train,y", "c,train,y", "d,test,z")
    result = check(data, "--split", split, "--json")
    assert len(json.loads(result.out)["ungrouped"]) == 1
    assert "warning: duplicates are in different groups: a.wav (x), b.ogg (y)\n" in result.err
    assert result.code == 0


def test_duplicates_divided_only_in_the_second_round(check: Check, data: Path) -> None:
    rows = ["a,train,train", "b,train,test", "c,test,train", "d,test,train"]
    split = split_file(*rows, columns="clip,split_1,split_2")
    result = check(data, "--split", split, "--json")
    (group,) = json.loads(result.out)["torn"]
    assert [clip["part"] for clip in group["clips"]] == ["train", "test"]
    assert result.code == 1


def test_wrong_input(check: Check, data: Path) -> None:
    (data.parent / "bare").mkdir()
    assert "contains no audio in subfolders" in check("bare").err
    result = check(data, "--split", split_file("a,train,x"))
    assert (result.code, result.out) == (2, "")
    assert "split.csv: 3 clips have no row, for instance b" in result.err
