"""``genrelens similar``, ``playlist`` and ``map``: output, formats, files and exit codes."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrelens.discovery.playlists import read_playlist
from genrelens.library import Catalog
from genrelens.library import scan as scanning
from support import tiny
from support.commands import Result, run
from support.library_folder import MODEL_DIGEST, HerePool, stored, wav, write_files
from support.shelves import crowds, fill

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRELENS_DB", "catalog.sqlite")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    return tmp_path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *args: run(capsys, *args)


@pytest.fixture
def library(workdir: Path) -> list[Path]:
    with Catalog.open("catalog.sqlite") as catalog:
        return fill(
            catalog,
            crowds(40),
            folder=workdir / "m",
            artists=8,
            genres=("rock", "jazz"),
            model_digest=MODEL_DIGEST,
        )


def test_a_table_of_similar_recordings(library: list[Path], command: Command) -> None:
    result = command("similar", "m/00003.mp3", "-n", "5")
    assert (result.code, result.err) == (0, "")
    lines = [line.split() for line in result.out.splitlines()]
    assert len(lines) == 5
    similarities = [float(line[0]) for line in lines]
    assert similarities == sorted(similarities, reverse=True)
    assert {line[1] for line in lines} <= {"rock", "jazz"}
    assert str(library[3]) not in result.out
    few = command("similar", library[3], "--genre", "jazz", "--other-artists", "-f", "json")
    documents = json.loads(few.out)
    assert {each["prediction"]["genre"] for each in documents} == {"jazz"}
    assert "artist 3" not in {each["tags"]["artist"] for each in documents}
    assert list(documents[0])[:2] == ["similarity", "path"]


def test_a_recording_without_permission_is_no_wrong_usage(
    library: list[Path], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    library[3].parent.mkdir(exist_ok=True)
    library[3].touch()
    missing = command("similar", "m/none.mp3")
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    result = command("similar", "m/00003.mp3")
    assert missing.err.startswith("error: ")
    assert result.err.startswith("error: ")  # the model of the test has no file


def test_a_data_set_is_read_as_a_catalogue(
    library: list[Path], command: Command, workdir: Path
) -> None:
    pytest.importorskip("pyarrow")
    (workdir / "data").mkdir()
    assert command("list", "--out", "data/part.parquet").code == 0
    for arguments in (
        ["similar", "m/00003.mp3", "-f", "json"],
        ["playlist", "--like", "m/00003.mp3", "m/00009.mp3", "-n", "5"],
    ):
        expected = command(*arguments)
        assert expected.code == 0
        assert command(*arguments, "--db", "data") == expected
    pytest.importorskip("sklearn")
    assert command("map", "--html", "map.html", "--db", "data").code == 0
    assert [path.name for path in (workdir / "data").iterdir()] == ["part.parquet"]


@pytest.mark.parametrize(
    "command_line",
    [
        "similar m/00003.mp3 --genre jaz",
        "playlist --like m/00003.mp3 --genre jaz",
        "map --html map.html --genre jaz",
    ],
)
def test_an_unknown_genre_has_a_suggestion(
    library: list[Path], command: Command, command_line: str
) -> None:
    result = command(*command_line.split())
    assert result.code == 2
    assert "there is no genre 'jaz'; did you mean jazz?" in " ".join(result.err.split())


def test_formats(library: list[Path], command: Command, workdir: Path) -> None:
    rows = list(csv.DictReader(command("similar", "m/00003.mp3", "-f", "csv").out.splitlines()))
    assert len(rows) == 20
    assert float(rows[0]["similarity"]) > float(rows[1]["similarity"])
    result = command("similar", "m/00003.mp3", "-o", "lists.m3u8", "--relative-to", ".")
    assert (result.code, result.out) == (0, "")
    names = read_playlist("lists.m3u8")
    assert names == [f"{workdir}/{os.path.relpath(row['path'], workdir)}" for row in rows]
    table = command("similar", "m/00003.mp3", "--relative-to", "m").out
    assert f"  {Path(rows[0]['path']).name}\n" in table


def test_a_file_outside_the_catalogue_is_classified(command: Command, listener_model: Path) -> None:
    sounds = {f"m/{name}{seed}.wav": wav(name, 1, seed) for name in tiny.GENRES for seed in (0, 1)}
    write_files(Path(), sounds | {"new.wav": wav("chords", 1, 5), "m/copy.wav": wav("noise")})
    Path("text.wav").write_text("no music")
    assert command("scan", "m", "--model", listener_model, "-j", "1").code == 0
    before = command("list").out
    arguments = ("similar", "new.wav", "--model", listener_model, "--under", "m")
    result = command(*arguments)
    assert (result.code, len(result.out.splitlines())) == (0, 6)
    names = [line.split()[-1] for line in result.out.splitlines()]
    assert {Path(name).name[:6] for name in names[:2]} == {"chords"}
    assert command("list").out == before
    copy = Path("copy.wav")
    copy.write_bytes(Path("m/chords0.wav").read_bytes())  # no model is needed for known audio
    assert "chords0" not in command("similar", copy).out
    failed = command("similar", "text.wav", "--model", listener_model)
    assert (failed.code, failed.out) == (1, "")
    assert "text.wav: is not audio that any decoder can read" in failed.err
    assert "needs the file of the model" in command("similar", "new.wav").err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["similar", "gone.mp3"], 1, "gone.mp3: No such file or directory"),
        (["similar", "m"], 1, "is not a file"),
        (["similar", "m/00001.mp3", "--model", "gone"], 3, "neither a file nor a packaged model"),
        (["similar", "m/00001.mp3", "--model", "lens"], 2, "has no embeddings by the model lens"),
        (["similar", "m/00001.mp3", "-n", "0"], 2, "--n"),
        (["similar", "m/00001.mp3", "--out", "x.txt"], 2, "--out writes json, csv and m3u8"),
        (["similar", "m/00001.mp3", "--safe-csv"], 2, "--safe-csv needs"),
        (["similar", "m/00001.mp3", "-o", "gone/x.csv"], 2, "gone/x.csv: cannot be written"),
        (["playlist"], 2, "give a recording"),
        (["playlist", "--like", "a", "--like", "b", "c"], 2, "after one --like"),
        (["playlist", "--like", "m/00001.mp3", "m/00001.mp3"], 2, "the same recording"),
        (["playlist", "--like", "m/00001.mp3", "m/00002.mp3", "-n", "1"], 2, "n=1"),
        (["playlist", "--like", "gone.mp3"], 1, "gone.mp3: No such file or directory"),
        (["map", "--genre", "polka"], 2, "there is no genre 'polka'"),
        (["map", "--html", "gone/map.html"], 2, "gone/map.html: cannot be written"),
        (["map", "--html", "m", "--db", "gone.sqlite"], 2, "there is no catalogue yet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors(
    library: list[Path], command: Command, arguments: list[str], code: int, words: str
) -> None:
    Path("m").mkdir()
    result = command(*arguments)
    assert (result.code, result.out) == (code, "")
    assert words in " ".join(result.err.split())


def test_nothing_is_found(library: list[Path], command: Command) -> None:
    result = command("similar", "m/00001.mp3", "--under", "elsewhere")
    assert (result.code, result.out) == (0, "")
    assert result.err == "no recording meets these conditions\n"


def test_odd_names(command: Command, workdir: Path) -> None:
    vectors = crowds(4)
    names = ["a\nb.mp3", "\u202egpj.mp3", os.fsdecode(b"caf\xe9.mp3"), f"{'x' * 240}.mp3"]
    with Catalog.open("catalog.sqlite") as catalog:
        for name, vector in zip(names, vectors, strict=True):
            made: Any = stored(embedding=vector, model_digest=MODEL_DIGEST)
            facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "tags": None}
            catalog.record(workdir / name, digest=repr(name), prediction=made, **facts)
    table = command("similar", names[0]).out
    assert len(table.splitlines()) == 3
    assert "\\u202egpj.mp3" in table
    assert "caf\\xe9.mp3" in table
    for kind in ("csv", "json", "m3u8"):
        assert command("playlist", "--like", names[0], "-o", f"x.{kind}").code == 0
    assert b"caf\xe9.mp3" in Path("x.csv").read_bytes()
    assert {Path(path).name for path in read_playlist("x.m3u8")} == set(names)
    assert len(json.loads(Path("x.json").read_text())) == 4
    assert command("map").out == "map.html: 4 recordings\n"


def test_a_playlist(library: list[Path], command: Command) -> None:
    args = ("playlist", "--like", "m/00003.mp3", "m/00020.mp3", "-n", "12")
    result = command(*args)
    lines = result.out.splitlines()
    assert (result.code, len(lines)) == (0, 12)
    assert (lines[0].split()[-1], lines[-1].split()[-1]) == (str(library[3]), str(library[20]))
    assert command(*args, "--out", "evening.m3u8").code == 0
    assert read_playlist("evening.m3u8") == [line.split()[-1] for line in lines]
    assert command("playlist", "m/00003.mp3", "m/00020.mp3", "-n", "12").out == result.out


def test_a_map_of_a_sample(library: list[Path], command: Command) -> None:
    pytest.importorskip("sklearn")
    result = command("map", "--html", "x.html", "--most", "15", "--under", "m")
    assert result.out == "x.html: 15 recordings (a sample of 40)\n"
    assert "A random sample of 15 of 40 recordings." in Path("x.html").read_text()
