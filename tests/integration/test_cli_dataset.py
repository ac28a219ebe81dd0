"""Data sets on the command line: written, imported, and read by other commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.commands import run
from support.library_folder import wav
from support.scanned_folder import Command, list_files, music, scan, summary, workdir

__all__ = ["list_files", "music", "scan", "workdir"]


@pytest.fixture
def dataset(scan: Command, list_files: Command, workdir: Path) -> Path:
    """The folder of a data set of the three recordings."""
    pytest.importorskip("pyarrow")
    (workdir / "data").mkdir()
    scan()
    assert list_files("--out", "data/part-1.parquet").code == 0
    return workdir / "data"


def test_commands_read_a_data_set_as_a_catalogue(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(dataset.iterdir()) == [dataset / "part-1.parquet"]
    for arguments in (
        ["list"],
        ["list", "--format", "jsonl"],
        ["list", "--genre", "noise", "--format", "csv"],
        ["audit", "music", "--json"],
        ["tag", "music", "--json"],
        ["stats"],
    ):
        from_catalog = run(capsys, *arguments)
        assert run(capsys, *arguments, "--db", dataset) == from_catalog
        assert from_catalog.out
    assert run(capsys, "export", "traktor", "all.nml", "--db", dataset).code == 0
    assert "noise.wav" in Path("all.nml").read_text("utf-8")


def test_a_data_set_is_imported(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = run(capsys, "list", "--format", "jsonl").out
    done = run(capsys, "catalog", "import", dataset, "--db", "new.sqlite")
    assert (done.code, done.out) == (0, f"{dataset}: 6 new or newer files and predictions\n")
    again = run(capsys, "catalog", "import", "data", dataset, "--db", "new.sqlite", "--json")
    assert [each["imported"] for each in json.loads(again.out)] == [0, 0]
    assert run(capsys, "list", "--format", "jsonl", "--db", "new.sqlite").out == before


def test_what_is_no_data_set_is_not_imported(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "part-1.parquet").write_text("x")
    Path("song.mp3").write_text("x")
    for arguments, reason in {
        ("catalog", "import", "music"): "music: contains no part of a data set",
        ("catalog", "import", "none"): "none: does not exist",
        ("catalog", "import", "song.mp3"): "song.mp3: is neither a data set,",
        ("list", "--db", "data"): "part-1.parquet: is not a part of a data set of genrelens",
        ("list", "--db", "s3://"): "s3:: there is no catalogue yet",
    }.items():
        done = run(capsys, *arguments)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err


def test_a_scan_writes_a_data_set(scan: Command, music: Path, workdir: Path) -> None:
    pytest.importorskip("pyarrow")
    (music / "bad.mp3").write_text("no music")
    done = scan("--out", "data", "--json")
    assert (done.code, summary(done)["analysed"], summary(done)["failed"]) == (1, 3, 1)
    assert summary(done)["catalog"] == str(workdir / "data")
    stats = summary(done)["stats"]
    assert (stats["files"], stats["failed"], stats["seconds"]) == (4, 1, 3.0)
    assert sum(stats["verdicts"].values()) == sum(stats["models"].values()) == 3
    [part] = (workdir / "data").iterdir()
    before = part.stat()
    again = summary(scan("--out", "data", "--json"))
    assert (again["unchanged"], again["failed_before"], again["analysed"]) == (3, 1, 0)
    assert part.stat() == before
    assert not (workdir / "catalog.sqlite").exists()
    (music / "noise.wav").write_bytes(wav("noise", 2))
    (music / "bad.mp3").write_bytes(wav("clicks", 2))
    assert summary(scan("--out", "data", "--json", "--retry"))["analysed"] == 2
    from genrelens.library import Dataset

    rows = [(entry.path.name, entry.error) for entry in Dataset("data").entries()]
    names = ["bad.mp3", *(f"{genre}.wav" for genre in tiny.GENRES)]
    assert sorted(rows) == sorted((name, None) for name in names)


def test_the_summary_is_that_of_a_catalogue(scan: Command, music: Path, workdir: Path) -> None:
    pytest.importorskip("pyarrow")
    (music / "bad.mp3").write_text("no music")
    into_catalog, into_dataset = scan(), scan("--out", "data")
    _, summary = into_catalog.out.split("\n\n")
    assert into_dataset.out.split("\n\n")[1] == summary
    assert summary.startswith("4 files, ")
    assert "failed, 1 file: is not audio" in summary


def test_an_interrupted_scan_keeps_what_is_done(music: Path, model: Path, workdir: Path) -> None:
    pytest.importorskip("pyarrow")
    from genrelens.library import Dataset, find_files, scan_to_dataset

    dataset = Dataset(workdir / "data")
    files = list(find_files([music], on_problem=print))
    results = scan_to_dataset(dataset, files, model=str(model))
    first = next(results).path
    results.close()
    assert [str(entry.path) for entry in dataset.entries()] == [first]
    rest = [each.status for each in scan_to_dataset(dataset, files, model=str(model))]
    assert sorted(rest) == ["analysed", "analysed", "unchanged"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--ray"], "--ray needs --out"),
        (["--out", "data", "--prune"], "--out cannot be combined with --db or --prune"),
        (["--out", "data", "--db", "x"], "--out cannot be combined with --db or --prune"),
        (["--db", "."], ".: is not the file of a catalogue; --out writes a data set"),
        (["--db", "s3://b/c"], "s3://b/c: is not the file of a catalogue; --out writes a data set"),
        *((["--shard", text], "must be I/N") for text in ("0/3", "4/3", "1", "a/b", "1/0", "-1/2")),
    ],
)
def test_options_of_data_sets(scan: Command, options: list[str], reason: str) -> None:
    done = scan(*options)
    assert done.code == 2
    assert reason in done.err


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (["m"], None),
        (["m", "--ray"], "auto"),
        (["--ray", "m", "--out", "d"], "auto"),
        (["m", "--ray", "--out", "d"], "auto"),
        (["m", "--ray", "local"], "local"),
        (["m", "--ray=10.0.0.1:6379"], "10.0.0.1:6379"),
        (["--ray", "head-1:6379", "m"], "head-1:6379"),
        (["--ray", "ray://head:10001", "m"], "ray://head:10001"),
        (["--ray", "s3://bucket/m"], "auto"),
    ],
)
def test_the_address_of_a_cluster_may_be_left_out(arguments: list[str], address: str) -> None:
    import typer.main

    from genrelens.cli import app

    scan: Any = typer.main.get_command(app)
    context = scan.commands["scan"].make_context("scan", arguments)
    assert context.params["ray"] == address
    assert len(context.params["inputs"]) == 1
