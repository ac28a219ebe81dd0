"""``genrelens scan`` and ``genrelens list``: output and exit codes."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from genrelens.discovery.playlists import read_playlist
from genrelens.findings import Style
from genrelens.library.catalog import Catalog
from genrelens.library.records import Failure
from genrelens.model_file import model_digest
from support import tiny
from support.commands import run
from support.library_folder import medley, several, stored, wav, write_files
from support.scanned_folder import Command, list_files, music, scan, summary, workdir

__all__ = ["list_files", "music", "scan", "workdir"]


# ------------------------------------------------------------------------------------ scan


def test_scan(scan: Command, music: Path) -> None:
    result = scan()
    first, second, *summary = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert first == "3 files: 3 classified"
    assert second.startswith("0.1 min of audio in ")
    assert second.endswith("x real time")
    assert summary[:2] == ["", "3 files, 3 s of audio"]
    shutil.copy(music / "noise.wav", music / "copy.wav")
    result = scan()
    expected = "4 files: 1 with audio that was classified before, 3 unchanged\n\n"
    assert result.out.startswith(expected)
    assert Path("catalog.sqlite").exists()


def test_scan_counts_other_files(scan: Command, music: Path) -> None:
    write_files(music, {"cover.jpg": b"", "b/cover.JPG": b"", "notes.txt": b""})
    expected = "skipped files without an audio extension: 2 .jpg, 1 .txt\n"
    result = scan("--json")
    assert result.err == expected
    assert summary(result)["files"] == 3


def test_scan_as_json(scan: Command, music: Path, workdir: Path) -> None:
    write_files(music, {"text.mp3": b"no music", os.fsdecode(b"\xe9.mp3"): b"no music either"})
    result = scan("--json")
    document = summary(result)
    assert result.code == 1
    seconds = document.pop("seconds")
    assert 0 < seconds < 600
    failures = document.pop("failures")
    stats = document.pop("stats")
    assert (stats["files"], stats["failed"], stats["copies"]) == (5, 2, 0)
    assert document == {
        "catalog": "catalog.sqlite",
        "files": 5,
        "analysed": 3,
        "known": 0,
        "unchanged": 0,
        "failed": 2,
        "failed_before": 0,
        "forgotten": [],
        "notes": [],
        "audio_seconds": 3.0,
    }
    assert [failure["path"] for failure in failures] == [
        str(music / "text.mp3"),
        f"{music}/\ufffd.mp3",
    ]
    assert all(each["reason"].startswith("is not audio that any decoder can") for each in failures)
    assert "path_bytes" in failures[1]


def test_bad_files_are_listed_at_the_end(scan: Command, music: Path) -> None:
    write_files(music, {"text.mp3": b"no music"})
    result = scan()
    assert result.code == 1
    assert result.err.startswith(f"error: {music}/text.mp3: is not audio that any decoder can read")
    assert result.out.startswith("4 files: 3 classified, 1 failed\n")
    result = scan()
    expected = "4 files: 3 unchanged, 1 failed before (--retry tries them again)\n\n"
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith(expected)
    assert "1 failed\n" in scan("--retry").out
    (music / "text.mp3").unlink()
    assert scan().code == 0


def test_missing_inputs(scan: Command) -> None:
    result = scan("gone", "gone/*.mp3")
    assert result.code == 1
    assert result.err.splitlines() == [
        "error: gone: No such file or directory",
        "error: gone/*.mp3: matches no file",
    ]
    assert result.out.startswith("3 files: 3 classified\n")


def test_a_damaged_file_is_noted(scan: Command, music: Path) -> None:
    from support.synth import write

    flac = write(tiny.sound("noise", 4), tiny.RATE, "FLAC")
    write_files(music, {"torn.flac": flac[: len(flac) * 3 // 4]})
    result = scan()
    assert result.code == 0
    assert result.err.startswith(f"warning: {music}/torn.flac: is damaged; ")


def test_inputs_of_all_kinds(capsys: pytest.CaptureFixture[str], music: Path, model: Path) -> None:
    (music / "list.m3u8").write_text("noise.wav\n")
    arguments = ["scan", "--json", "-m", model, "music/list.m3u8", "music/c*.wav"]
    assert summary(run(capsys, *arguments, "--exclude", "clicks*"))["files"] == 2
    assert summary(run(capsys, *arguments, "--exclude", "x", "--exclude", "*.wav"))["files"] == 0


def test_an_empty_folder(scan: Command, music: Path) -> None:
    shutil.rmtree(music)
    music.mkdir()
    result = scan()
    assert (result.code, result.out, result.err) == (0, "0 files: nothing to classify\n", "")


def test_options_reach_the_scan(scan: Command, music: Path, monkeypatch: Any) -> None:
    asked: dict[str, Any] = {}

    def note(catalog: Catalog, files: Any, **options: Any) -> Any:
        asked.update(options, files=len(files), nice=os.nice(0))
        yield from ()

    monkeypatch.setattr("genrelens.cli.scan.scan_files", note)
    monkeypatch.setattr(os, "nice", lambda n, before=[0]: before.append(n) or sum(before))
    scan("--fast", "--timeout", "5", "--retry", "--nice", "7", "-j", "3")
    assert asked.pop("model").endswith("tiny.onnx")
    assert asked == {
        "fast": True,
        "timeout": 5,
        "retry": True,
        "jobs": 3,
        "files": 3,
        "nice": 7,
    }


def test_prune(scan: Command, music: Path, list_files: Command) -> None:
    write_files(music.parent / "other", {"x.wav": wav("noise", seed=3)})
    scan("other")
    (music / "noise.wav").unlink()
    (music.parent / "other" / "x.wav").unlink()
    assert scan().out.startswith("2 files: 2 unchanged\n\n")
    assert list_files("--missing").out.count("\n") == 2  # nothing is removed without --prune
    result = scan("--prune")
    assert (result.code, result.err) == (0, f"removed from the catalogue: {music}/noise.wav\n")
    assert list_files("--missing").out.count("\n") == 1
    result = scan("other", "--prune", "--json")
    (failure,) = summary(result)["failures"]
    assert result.code == 1
    assert failure["reason"] == "is not pruned, because no audio file was found in it"
    assert list_files("--missing").out.count("\n") == 1


def test_a_drive_that_is_connected_again(scan: Command, music: Path) -> None:
    scan()
    away = music.rename("away")
    music.mkdir()
    (away / "noise.wav").rename(music / "noise.wav")
    assert "2 classified" not in scan("--prune").out
    (music / "noise.wav").unlink()
    music.rmdir()
    away.rename(music)
    (music / "noise.wav").write_bytes(wav("noise"))
    assert scan().out.startswith("3 files: 3 with audio that was classified before\n\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "gone"], 3, "is neither a file nor a packaged model"),
        (["--db", "gone/x.sqlite"], 2, "gone/x.sqlite: cannot be opened: its folder is missing"),
        (["--db", "music/noise.wav"], 2, "music/noise.wav: is not a catalogue of genrelens"),
        (["--nice", "-1"], 2, "--nice"),
        (["--timeout", "0"], 2, "--timeout"),
    ],
)
def test_errors_that_end_a_scan(scan: Command, arguments: list[str], code: int, words: str) -> None:
    result = scan(*arguments)
    assert result.code == code
    assert words in result.err
    assert result.out == ""


# ------------------------------------------------------------------------------------ list


@pytest.fixture
def library(workdir: Path) -> Path:
    """A catalogue of files, of which only one exists."""
    predictions = {
        "a/jazz.mp3": stored("jazz", 0.9),
        "a/pop.mp3": stored("pop", 0.55, styles=()),
        "b/unsure.mp3": stored("pop", 0.36),
        "b/talk.mp3": stored("pop", 0.8, music=0.1),
        "b/silence.mp3": stored("pop", 0.8, level=-100.0),
    }
    with Catalog.open("catalog.sqlite") as catalog:
        for name, prediction in predictions.items():
            catalog.record(name, size=1, mtime_ns=1, digest=name, tags=None, prediction=prediction)
        broken = os.fsdecode(b"b/\x1b[2Jcaf\xe9.mp3")
        catalog.record(
            broken, size=1, mtime_ns=1, digest=None, tags=None, failure=Failure("crashed")
        )
    write_files(workdir, {"a/jazz.mp3": b""})
    return workdir


def test_list(library: Path, list_files: Command) -> None:
    result = list_files()
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"jazz            90 %  {library}/a/jazz.mp3  house",
        f"pop             55 %  {library}/a/pop.mp3",
        rf"error                 {library}/b/\x1b[2Jcaf\xe9.mp3: crashed",
        f"silence               {library}/b/silence.mp3  house",
        f"not music             {library}/b/talk.mp3  house",
        f"not sure        36 %  {library}/b/unsure.mp3  house",
    ]


def test_several_genres_and_changes_are_listed(workdir: Path, list_files: Command) -> None:
    with Catalog.open("catalog.sqlite") as catalog:
        for name, prediction in {
            "both": several("pop", 0.6, pop=0.8, rnb=0.7, rock=0.1),
            "mix": medley("classical", "metal"),
        }.items():
            catalog.record(name, size=1, mtime_ns=1, digest=name, tags=None, prediction=prediction)
    both = f"pop             60 %  {workdir}/both  rnb"
    mix = f"changes               {workdir}/mix  classical, metal; house"
    assert list_files().out.splitlines() == [both, mix]
    assert list_files("--genre", "rnb").out.splitlines() == [both]
    assert list_files("--genre", "metal", "--verdict", "changes").out.splitlines() == [mix]


def test_a_style_does_not_repeat_a_genre_beside_a_sure_one(
    workdir: Path, list_files: Command
) -> None:
    styles = (Style("Rock", 0.9, 0.5), Style("house", 0.7, 0.5))
    with Catalog.open("catalog.sqlite") as catalog:
        for name, sure in (("sure", 0.5), ("unsure", 0.99)):
            made = stored("jazz", 0.9, styles=styles, sure_threshold=sure)
            catalog.record(name, size=1, mtime_ns=1, digest=name, tags=None, prediction=made)
    assert list_files().out.splitlines() == [
        f"jazz            90 %  {workdir}/sure  house",
        f"not sure        90 %  {workdir}/unsure  Rock, house",
    ]


def test_predictions_of_a_former_model_are_reported(workdir: Path, list_files: Command) -> None:
    with Catalog.open("catalog.sqlite") as catalog:
        for name, digest in (("old", "0" * 64), ("new", model_digest("lens"))):
            made = stored("jazz", 0.9, name="lens", model_digest=digest)
            catalog.record(name, size=1, mtime_ns=1, digest=name, tags=None, prediction=made)
        assert list(catalog.of_other_versions("lens", "0" * 64)) == [workdir / "new"]
        assert list(catalog.of_other_versions("other", "0" * 64)) == []
    assert list_files().err == ""  # a file that does not exist cannot be classified again
    write_files(workdir, {"old": b"", "new": b""})
    words = "warning: files that another version of the model lens classified: 1; run "
    assert list_files().err.startswith(words)
    assert list_files("--under", "old").err.startswith(words)
    assert list_files("--under", "new").err == ""


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["--genre", "jazz"], ["a/jazz"]),
        (["--genre", "pop", "--min", "0.5"], ["a/pop"]),
        (["--genre", "pop", "--min", "0.6"], []),
        (["--style", "house", "--under", "a"], ["a/jazz"]),
        (["--verdict", "not sure"], ["b/unsure"]),
        (["--verdict", "not music"], ["b/talk"]),
        (["--under", "b", "--verdict", "genre"], []),
        (["--model", "small", "--genre", "jazz"], ["a/jazz"]),
        (["--model", "other"], []),
        (["--missing", "--under", "a"], ["a/pop"]),
    ],
    ids=" ".join,
)
def test_conditions(
    library: Path, list_files: Command, conditions: list[str], expected: list[str]
) -> None:
    result = list_files(*conditions, "--format", "jsonl")
    paths = [json.loads(line)["path"] for line in result.out.splitlines()]
    assert paths == [f"{library}/{name}.mp3" for name in expected]
    note = "" if expected else "no file meets these conditions\n"
    assert list_files(*conditions).err == note


def test_errors(library: Path, list_files: Command) -> None:
    (document,) = json.loads(list_files("--errors", "--format", "json").out)
    assert document["error"] == "crashed"
    assert "path_bytes" in document


def test_formats_on_stdout(library: Path, list_files: Command) -> None:
    rows = list(
        csv.DictReader(
            list_files("-f", "csv", "--relative-to", ".", "--under", "a").out.splitlines()
        )
    )
    assert [row["path"] for row in rows] == ["a/jazz.mp3", "a/pop.mp3"]
    documents = json.loads(list_files("-f", "json", "--relative-to", "a", "--genre", "pop").out)
    assert [document["path"] for document in documents] == ["pop.mp3"]
    lines = list_files("-f", "m3u8", "--genre", "jazz").out.splitlines()
    assert lines == ["#EXTM3U", "#EXTINF:200,jazz", f"{library}/a/jazz.mp3"]


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet", "m3u8"])
def test_the_extension_chooses_the_format(library: Path, list_files: Command, ending: str) -> None:
    result = list_files("--out", f"x.{ending}", "--verdict", "genre")
    assert (result.code, result.out, result.err) == (0, "", "")
    start = {
        "csv": b"path,",
        "json": b'[\n {\n  "path": ',
        "jsonl": b'{"path": ',
        "parquet": b"PAR1",
        "m3u8": b"#EXTM3U\n",
    }
    assert Path(f"x.{ending}").read_bytes().startswith(start[ending])
    assert not list(Path().glob(".x*"))


def test_names_that_are_not_utf8_are_written_to_a_file(library: Path, list_files: Command) -> None:
    list_files("--errors", "-o", "x", "-f", "csv")
    assert os.fsencode(library) + b"/b/\x1b[2Jcaf\xe9.mp3" in Path("x").read_bytes()


def test_playlists(library: Path, list_files: Command) -> None:
    result = list_files("--playlists", "lists", "--relative-to", "lists")
    assert result.out.splitlines() == [
        "lists/jazz.m3u8  1 file",
        "lists/pop.m3u8  1 file",
    ]
    assert "../a/jazz.mp3" in Path("lists/jazz.m3u8").read_text().splitlines()
    assert read_playlist("lists/jazz.m3u8") == [f"{library}/lists/../a/jazz.mp3"]
    result = list_files("--playlists", "lists", "--genre", "rock")
    assert (result.code, result.out, result.err) == (0, "", "no file meets these conditions\n")
    assert list_files("--playlists", "lists", "--genre", "polka").code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.txt"], "choose one with --format"),
        (
            ["--out", "x", "--format", "table"],
            "--out writes csv, json, jsonl, parquet, m3u8, not a table; ",
        ),
        (["--format", "parquet"], "--format parquet needs --out"),
        (["--playlists", "d", "--out", "x.csv"], "--playlists cannot be combined with"),
        (["--min", "60"], "must be at most 1, or a percentage: 60%"),
        (["--genre", "polka"], "there is no genre 'polka'; the genres of the catalogue: jazz, "),
        (["--verdict", "perhaps"], "--verdict"),
        (["--out", "gone/x.csv"], "gone/x.csv: cannot be written (No such file or directory)"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_usage(
    library: Path, list_files: Command, arguments: list[str], words: str, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = list_files(*arguments)
    assert result.code == 2
    assert words in result.err
    assert result.out == ""


def test_a_missing_catalogue(list_files: Command) -> None:
    result = list_files()
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: catalog.sqlite: there is no catalogue yet; genrelens scan makes one\n"
    )
