"""``genrelens export``; playlists by style, labels, and collections as inputs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from genrelens.discovery.playlists import read_playlist
from genrelens.library import Catalog
from genrelens.library import scan as scanning
from genrelens.prediction import Style
from support.commands import Result, run
from support.crates import paths_in
from support.library_folder import HerePool, stored, wav, write_files

Command = Callable[..., Result]

NOT_UTF8 = os.fsdecode(b"caf\xe9.mp3")
STYLES = (Style("house", 0.9, 0.5),)


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory with a catalogue of four files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRELENS_DB", "catalog.sqlite")
    with Catalog.open("catalog.sqlite") as catalog:
        for name, genre in (("a", "jazz"), ("b/b", "rock"), ("b/c", "rock"), (NOT_UTF8, "pop")):
            prediction = stored(genre, 0.8, styles=STYLES if name == "b/c" else ())
            facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "tags": None}
            digest = os.fsencode(name).hex()
            catalog.record(tmp_path / name, digest=digest, prediction=prediction, **facts)
    return tmp_path


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *args: run(capsys, "export", *args)


def test_export_traktor(export: Command, workdir: Path) -> None:
    result = export("traktor", "x.nml")
    assert result.code == 0
    assert result.out.splitlines() == [
        "genrelens/Genres/Jazz  1 track",
        "genrelens/Genres/Rock  2 tracks",
        "genrelens/Styles/House  1 track",
        "x.nml: 3 tracks",
    ]
    assert result.err.splitlines() == [
        f"skipped {workdir}/caf\\xe9.mp3: its name is not valid UTF-8",
        "choose this file in Traktor: Track Collection > Import Another Collection",
    ]
    assert read_playlist("x.nml") == [str(workdir / name) for name in ("a", "b/b", "b/c")]


def test_export_rekordbox(export: Command, workdir: Path) -> None:
    pytest.importorskip("pyrekordbox")
    result = export("rekordbox", "x.xml", "--under", "b", "--by", "style", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {
        "program": "rekordbox",
        "target": "x.xml",
        "tracks": 2,
        "playlists": {"genrelens/Styles/House": 1},
        "skipped": [],
    }
    assert read_playlist("x.xml") == [str(workdir / name) for name in ("b/b", "b/c")]


def test_export_serato(export: Command, workdir: Path) -> None:
    assert export("serato", "crates", "--drive", "b", "--by", "genre").code == 0
    assert paths_in(Path("crates/genrelens%%Genres%%Rock.crate").read_bytes()) == ["b", "c"]


def test_genre_and_comment(export: Command) -> None:
    Path("words.toml").write_text('[genre_words]\nrock = "Guitars"\n')
    export("traktor", "x.nml", "--words", "words.toml", "--comments", "--genre", "rock")
    text = Path("x.nml").read_text()
    assert text.count('GENRE="Guitars" COMMENT="Rock 80 %') == 2
    export("traktor", "x.nml", "--min-confidence", "0.9")
    assert "GENRE=" not in Path("x.nml").read_text()


def test_many_skipped_files_are_counted(export: Command, workdir: Path) -> None:
    with Catalog.open("catalog.sqlite") as catalog:
        for n in range(12):
            facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "tags": None, "digest": str(n)}
            catalog.record(f"x/{n}\x01", prediction=stored("rock", 0.8), **facts)
    lines = export("traktor", "x.nml", "--under", "x").err.splitlines()
    assert len(lines) == 12
    assert lines[10:] == [
        "skipped 2 more (--json has all)",
        "no file meets these conditions; nothing was written",
    ]
    assert not Path("x.nml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["winamp", "x"], "'winamp' is not one of"),
        (["traktor"], "Missing argument"),
        (["traktor", "x.nml", "--drive", "b"], "--drive is only for serato"),
        (["traktor", "gone/x.nml"], "gone/x.nml: cannot be written (No such file or directory)"),
        (["traktor", "."], ".: cannot be written (Is a directory)"),
        (["traktor", "other"], "other: was not written by genrelens"),
        (["serato", "other"], "other: is a file; crates for Serato need the name of a folder"),
        (["traktor", "-"], "PATH must be a file or folder; ./- is one with this name"),
        (["traktor", "x.nml", "--words", "gone"], "gone: No such file or directory"),
        (["traktor", "x.nml", "--db", "gone"], "there is no catalogue yet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(
    export: Command, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    Path("other").write_text("mine")
    result = export(*arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert Path("other").read_text() == "mine"


def test_a_missing_extra(export: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrekordbox.rbxml", None)
    result = export("rekordbox", "x.xml")
    assert (result.code, result.out) == (3, "")
    assert "pip install 'genrelens[dj]'" in result.err


# --------------------------------------------------------------- playlists by style


def test_playlists_by_style(capsys: pytest.CaptureFixture[str], workdir: Path) -> None:
    result = run(capsys, "list", "--playlists", "lists", "--by", "style")
    assert result.out == "lists/house.m3u8  1 file\n"
    assert read_playlist("lists/house.m3u8") == [str(workdir / "b/c")]
    result = run(capsys, "list", "--by", "style")
    assert (result.code, result.out) == (2, "")
    assert "--by needs --playlists" in result.err


# ------------------------------------------------------------------- collections as inputs


def write_collection(folder: Path) -> None:
    """Write a collection with a recording, a missing file and a stream."""
    write_files(folder, {"m/noise & tone.wav": wav("noise")})
    locations = [quote(str(folder / name)) for name in ("m/noise & tone.wav", "m/gone.wav")]
    addresses = [f"file://localhost{each}" for each in locations] + [
        "file://localhosttidal:tracks:1"
    ]
    tracks = "".join(f'<TRACK Location="{each}"/>' for each in addresses)
    (folder / "x.xml").write_text(f"<DJ_PLAYLISTS><COLLECTION>{tracks}</COLLECTION></DJ_PLAYLISTS>")


def test_scan_of_a_collection(
    capsys: pytest.CaptureFixture[str],
    workdir: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    write_collection(workdir)
    result = run(capsys, "scan", "x.xml", "--model", model, "-j", "1", "--json")
    assert result.code == 1
    assert json.loads(result.out)["analysed"] == 1
    assert result.err.splitlines() == [
        f"error: {workdir}/m/gone.wav: No such file or directory",
        "skipped 1 entry that is not a file on this computer",
    ]


def test_classify_a_collection(
    capsys: pytest.CaptureFixture[str], workdir: Path, model: Path
) -> None:
    write_collection(workdir)
    result = run(capsys, "classify", "x.xml", "--model", model, "--csv")
    assert result.code == 1
    assert f"{workdir}/m/noise & tone.wav" in result.out
    assert "skipped 1 entry that is not a file on this computer" in result.err
    (workdir / "bad.nml").write_text("<html/>")
    result = run(capsys, "classify", "bad.nml", "--model", model)
    assert "bad.nml: is no collection of Rekordbox (XML) or Traktor (NML)" in result.err


# --------------------------------------------------------------------- classify --labels


def test_labels(capsys: pytest.CaptureFixture[str], workdir: Path, model: Path) -> None:
    write_files(workdir, {"x.wav": wav("noise", seconds=5)})
    options = ("--model", model, "--json", "--timeline")
    result = run(capsys, "classify", "x.wav", "--labels", "x.txt", *options)
    assert result.code == 0
    (document,) = json.loads(result.out)
    lines = [line.split("\t") for line in Path("x.txt").read_text("utf-8").splitlines()]
    sections = document["sections"]
    assert sections
    assert [[float(line[0]), float(line[1])] for line in lines] == [
        [pytest.approx(each["start"], abs=1e-5), pytest.approx(each["end"], abs=1e-5)]
        for each in sections
    ]
    assert [line[2].split()[0] for line in lines] == [
        (each["genre"] if each["verdict"] == "genre" else each["verdict"]).split()[0]
        for each in sections
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "y", "--labels", "x.txt"], "--labels describes one recording, not 2"),
        (["x", "--labels", "gone/x.txt"], "gone/x.txt: its folder is missing"),
        (["x.flac", "--labels", "x.flac"], "--labels writes a file whose name ends in .txt"),
    ],
)
def test_impossible_labels_are_refused_first(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run(capsys, "classify", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
