"""What people see from day to day: summaries, tables at a terminal, hints, lines of JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrelens.cli import console
from genrelens.library import LibraryStats
from genrelens.library import scan as scanning
from genrelens.library.catalog import Catalog
from genrelens.library.records import Failure
from support import tiny
from support.commands import Result, run
from support.library_folder import HerePool, stored, wav, write_files

Genrelens = Callable[..., Result]


@pytest.fixture
def genrelens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Genrelens:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRELENS_DB", "catalog.sqlite")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    return lambda *args: run(capsys, *args)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print as at a terminal, without colours."""
    monkeypatch.setattr(console.out, "_force_terminal", True)


@pytest.fixture
def library(genrelens: Genrelens, tmp_path: Path) -> Path:
    """A catalogue of four classified files and one that failed."""
    with Catalog.open() as catalog:
        for name, genre, sure in (
            ("music/a/1.mp3", "jazz", 0.9),
            ("music/a/2.mp3", "pop", 0.8),
            ("music/b/3.mp3", "pop", 0.7),
            ("music/b/\u202e4.mp3", "pop", 0.36),
        ):
            facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "tags": None}
            made = stored(genre, sure, duration=1800.0)
            catalog.record(tmp_path / name, digest=name, prediction=made, **facts)
        failure = Failure("took longer than 600 s")
        catalog.record(tmp_path / "music/b/5.mp3", digest=None, failure=failure, **facts)
    return tmp_path / "music"


# ----------------------------------------------------------------------------------- stats


def test_stats(genrelens: Genrelens, library: Path) -> None:
    result = genrelens("stats")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "5 files, 2.0 h of audio",
        f"  pop       2  {'#' * 40}",
        f"  jazz      1  {'#' * 20}",
        f"  not sure  1  {'#' * 20}",
        f"  failed    1  {'#' * 20}",
        "failed, 1 file: took longer than 600 s",
    ]
    assert genrelens("stats", "--under", "music/a").out.startswith("2 files, 1.0 h of audio\n")
    gone = genrelens("stats", "--under", "gone")
    assert (gone.code, gone.out) == (0, "0 files, 0 s of audio\n")
    assert gone.err == "no file of the catalogue is in gone, which does not exist\n"
    (library / "empty").mkdir(parents=True)
    empty = genrelens("stats", "--under", "music/empty")
    assert empty.err == "no file of the catalogue is in music/empty\n"


def test_under_a_uri(genrelens: Genrelens, library: Path) -> None:
    with Catalog.open("catalog.sqlite") as catalog:
        for name in ("jazz/1.mp3", "2.mp3"):
            facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "tags": None, "prediction": None}
            catalog.record(f"s3://archive/{name}", digest=None, **facts)
    document = json.loads(genrelens("stats", "--under", "s3://archive/jazz", "--json").out)
    assert (document["under"], document["files"]) == ("s3://archive/jazz", 1)
    listed = genrelens("list", "--under", "s3://archive", "--format", "jsonl").out
    paths = [json.loads(line)["path"] for line in listed.splitlines()]
    assert paths == ["s3://archive/2.mp3", "s3://archive/jazz/1.mp3"]
    gone = genrelens("stats", "--under", "s3://archive/x")
    assert gone.err == "no file of the catalogue is in s3://archive/x\n"


def test_stats_as_json(genrelens: Genrelens, library: Path) -> None:
    document = json.loads(genrelens("stats", "--under", "music/b", "--json").out)
    assert document == {
        "catalog": "catalog.sqlite",
        "under": f"{library}/b",
        "files": 3,
        "seconds": 3600.0,
        "copies": 0,
        "verdicts": {"genre": 1, "not sure": 1},
        "genres": {"pop": 1},
        "failures": {"took longer than 600 s": 1},
        "models": {"small": 2},
        "failed": 1,
    }


def test_stats_without_a_catalogue(genrelens: Genrelens) -> None:
    result = genrelens("stats")
    assert (result.code, result.out) == (2, "")
    assert "there is no catalogue yet; genrelens scan makes one" in result.err


# ------------------------------------------------------------------------------------ scan


@pytest.fixture
def music(tmp_path: Path) -> Path:
    files = {f"{genre}.wav": wav(genre) for genre in tiny.GENRES}
    return write_files(tmp_path / "my music", {**files, "copy.wav": wav("noise")})


@pytest.mark.parametrize(("option", "target"), [("--db", "catalog.sqlite"), ("--out", "data")])
def test_the_summary_of_a_scan(
    genrelens: Genrelens, music: Path, model: Path, terminal: None, option: str, target: str
) -> None:
    if option == "--out":
        pytest.importorskip("pyarrow")
    write_files(music, {"text.mp3": b"no music"})
    write_files(music.parent, {"elsewhere.wav": wav("noise", seed=5)})
    if option == "--out":  # another file of the data set, which is not of this scan
        genrelens("scan", "elsewhere.wav", "-m", model, "-j", "1", option, target)
    else:
        genrelens("scan", "elsewhere.wav", "-m", model, "-j", "1")
    result = genrelens("scan", "my music", "-m", model, "-j", "1", option, target)
    assert result.code == 1
    counts, _, summary = result.out.partition("\n\n")
    assert counts.startswith("5 files: 3 classified, 1 with audio that was classified before, 1 f")
    assert summary.startswith("5 files, 4 s of audio, 1 with the audio of another file\n")
    assert re.search(r"^  failed +1  ", summary, re.M)
    assert "failed, 1 file: is not audio that any decoder can read\n" in summary
    commands = [
        line.split("  # ")[0].rstrip() for line in summary.split("\nNext:\n")[1].splitlines()
    ]
    under = f"--under 'my music' --db {target}"
    assert commands[0] == f"  genrelens list --errors {under}"
    assert re.fullmatch(rf"  genrelens list --genre \w+ {under}", commands[1])
    assert commands[2:] == [
        f"  genrelens audit 'my music' --html audit.html --db {target}",
        f"  genrelens tag 'my music' --db {target}",
    ]


def test_the_next_commands_for_objects() -> None:
    from genrelens.cli.scan_report import _next_commands

    counts: dict[str, Any] = {key: {} for key in ("verdicts", "failures", "models")}
    found = LibraryStats(files=1, seconds=1.0, copies=0, genres={"jazz": 1}, **counts)
    commands = [text for text, _ in _next_commands(found, ["s3://b/m"], "s3://b/library")]
    assert commands == [
        "genrelens list --genre jazz --db s3://b/library",
        "genrelens audit s3://b/m --html audit.html --db s3://b/library",
    ]


def test_lines_of_a_scan(genrelens: Genrelens, music: Path, model: Path) -> None:
    odd = os.fsdecode(b"\xe9\n.mp3")
    write_files(music, {odd: b"no music"})
    result = genrelens("scan", "my music", "gone", "-m", model, "-j", "1", "--jsonl")
    *lines, last = map(json.loads, result.out.splitlines())
    assert result.code == 1
    by_status: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_status.setdefault(line["status"], []).append(line)
    assert {status: len(each) for status, each in by_status.items()} == {
        "analysed": 3,
        "known": 1,
        "failed": 2,
    }
    for line in by_status["analysed"] + by_status["known"]:
        assert line["prediction"]["genre"] in tiny.GENRES
    missing, text = by_status["failed"]
    assert (missing["path"], missing["error"]) == ("gone", "No such file or directory")
    assert "path_bytes" in text
    assert text["error"].startswith("is not audio")
    assert (last["summary"]["analysed"], last["summary"]["failed"]) == (3, 1)
    again = genrelens("scan", "my music", "-m", model, "-j", "1", "--jsonl").out.splitlines()
    known = [json.loads(line) for line in again[:-1]]
    assert sorted(line["status"] for line in known) == ["failed before", *["unchanged"] * 4]
    assert all(line["prediction"] for line in known if line["status"] == "unchanged")


def test_lines_come_while_the_scan_runs(
    genrelens: Genrelens, music: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped scan has printed the files that are done."""
    from genrelens.cli import scan as command

    def stops(*args: Any, **options: Any) -> Any:
        outcomes = scanning.scan_files(*args, **options)
        yield next(outcomes)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "scan_files", stops)
    result = genrelens("scan", "my music", "-m", model, "-j", "1", "--jsonl")
    assert result.code == 130
    [line] = result.out.splitlines()
    assert json.loads(line)["status"] == "analysed"


def test_json_and_lines_exclude_each_other(genrelens: Genrelens, music: Path) -> None:
    assert (
        "--json cannot be combined with --jsonl" in genrelens("scan", "x", "--json", "--jsonl").err
    )


# ------------------------------------------------------------------------------------ list


def test_the_table_at_a_terminal(
    genrelens: Genrelens, library: Path, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        "jazz            90 %  a/1.mp3  house",
        "pop             80 %  a/2.mp3  house",
        "pop             70 %  b/3.mp3  house",
        "error                 b/5.mp3: took longer than 600 s",
        r"not sure        36 %  b/\u202e4.mp3  house",
    ]
    header = "genre                 file in "
    result = genrelens("list")
    first, *lines = result.out.splitlines()
    assert first == f"{header}{library.parent}"  # the working directory
    assert lines == [re.sub(r"([ab])/", r"music/\1/", row) for row in rows]
    assert result.err == "5 files, 2.0 h of audio\n"
    assert genrelens("list", "--under", library / "b", "--genre", "pop").out.splitlines() == [
        f"{header}{library / 'b'}",
        "pop             70 %  3.mp3  house",
    ]
    (library.parent / "elsewhere").mkdir()
    monkeypatch.chdir(library.parent / "elsewhere")
    result = genrelens("list", "--db", "../catalog.sqlite")  # the folder that all files share
    assert result.out.splitlines() == [f"{header}{library}", *rows]
    result = genrelens("list", "--db", "../catalog.sqlite", "--relative-to", ".")
    assert "../music/a/1.mp3" in result.out


def test_the_table_in_a_pipe_is_for_scripts(genrelens: Genrelens, library: Path) -> None:
    result = genrelens("list", "--under", "music/a")
    assert result.out.splitlines() == [
        f"jazz            90 %  {library}/a/1.mp3  house",
        f"pop             80 %  {library}/a/2.mp3  house",
    ]
    assert result.err == ""
    assert "%  a/1.mp3" in genrelens("list", "--relative-to", "music").out


def test_json_in_a_file_is_that_on_standard_output(genrelens: Genrelens, library: Path) -> None:
    shown = genrelens("list", "--format", "json").out
    assert shown == json.dumps(json.loads(shown), indent=1) + "\n"
    assert len(json.loads(shown)) == 5
    for arguments in (["--format", "json", "--out", "x"], ["--out", "x.json"]):
        assert genrelens("list", *arguments).code == 0
        assert Path(arguments[-1]).read_text() == shown
    assert genrelens("list", "--genre", "rock", "-f", "json").out == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--genre", "jaz"], "there is no genre 'jaz'; did you mean jazz?"),
        (["--genre", "POPP"], "did you mean pop?"),
        (["--genre", "house"], "'house' is a style: use --style"),
        (["--style", "huose"], "there is no style 'huose'; did you mean house?"),
        (["--style", "Jazz"], "'Jazz' is a genre: use --genre"),
        (["--style", "x\u202e"], r"'x\u202e'; the styles of the catalogue: house, techno"),
        (["--genre", "polka", "--out", "x.csv"], "the genres of the catalogue: jazz, pop, rock"),
    ],
)
def test_unknown_names(
    genrelens: Genrelens, library: Path, arguments: list[str], words: str
) -> None:
    result = genrelens("list", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert not Path("x.csv").exists()


def test_known_names_without_files_are_no_error(genrelens: Genrelens, library: Path) -> None:
    for arguments in (["--genre", "Rock"], ["--style", "techno"]):
        result = genrelens("list", *arguments)
        assert (result.code, result.err) == (0, "no file meets these conditions\n")


def test_every_name_is_accepted_by_an_empty_catalogue(genrelens: Genrelens) -> None:
    Catalog.open().close()
    assert genrelens("list", "--genre", "polka").code == 0


# --------------------------------------------------------------------------- probabilities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.6", 0.6),
        ("60%", 0.6),
        (" 60 %", 0.6),
        ("1", 1.0),
        ("100%", 1.0),
        ("0", 0.0),
        ("1%", 0.01),
    ],
)
def test_probabilities(text: str, value: float) -> None:
    from genrelens.cli.options import as_probability

    assert as_probability(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("60", "must be at most 1, or a percentage: 60%"),
        ("101%", "must be at most 100%"),
        ("1e9", "must be at most 1"),
        ("nan", "must be at least 0"),
        ("-1", "must be at least 0"),
        ("-1%", "must be at least 0"),
        ("%", "must be a number from 0 to 1, or a percentage such as 60%"),
        ("", "must be a number"),
        ("60%%", "must be a number"),
    ],
)
@pytest.mark.parametrize(
    "option", [["list", "--min"], ["audit", "x", "--min"], ["tag", "x", "--min-confidence"]]
)
def test_what_is_no_probability(
    genrelens: Genrelens, option: list[str], text: str, words: str
) -> None:
    result = genrelens(*option, text)
    assert result.code == 2
    assert words in result.err


def test_percentages_choose_files(genrelens: Genrelens, library: Path) -> None:
    shown = genrelens("list", "--min", "75%", "--relative-to", "music").out.splitlines()
    assert [line.split()[3] for line in shown] == ["a/1.mp3", "a/2.mp3"]
