"""A file to write whose ending contradicts its format is refused, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from genrelens.cli.endings import check_ending
from support.commands import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("export traktor t.json", "the file for a collection of Traktor must end in .nml"),
        ("export rekordbox x.nml", "the file for a collection of Rekordbox must end in .xml"),
        ("export serato file.xml", "crates of Serato need the name of a folder"),
        ("map --html x.json", "the file for a web page must end in .html"),
        ("map --html song.MP3", "the file for a web page must end in .html, not in .mp3"),
        ("list --format parquet --out x.csv", "the file for Parquet must end in .parquet"),
        ("list --format jsonl --out x.json", "the file for JSON Lines must end in .jsonl"),
        ("list --playlists x.m3u8", "playlists need the name of a folder, not of a .m3u8 file"),
        ("similar a.mp3 --format json --out x.csv", "the file for JSON must end in .json"),
        ("playlist --like a.mp3 --format m3u8 --out x.csv", "a playlist must end in .m3u8"),
        ("audit . --html audit.csv", "the file for a web page must end in .html, not in .csv"),
        ("tag . --plan plan.csv", "the file for a plan must end in .jsonl, not in .csv"),
        ("scan . --out library.parquet", "a data set needs the name of a folder"),
        ("features a.mp3 --save a.mp3", "the file for NumPy arrays must end in .npz"),
        ("data split . --out folds.json", "the file for CSV must end in .csv, not in .json"),
        ("evaluate . --report report.html", "a report needs the name of a folder"),
        ("site site.zip", "a site needs the name of a folder, not of a .zip file"),
        ("train mel-cnn --data . --out model.onnx", "a run needs the name of a folder"),
        ("crossval mel-cnn --data . --out folds.csv", "a run needs the name of a folder"),
        ("calibrate model.onnx p.csv --out new.csv", "the file for a model must end in .onnx"),
    ],
)
def test_contradictions(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(capsys, *arguments.split())
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x", "traktor"),
        ("/dev/stdout", "csv"),
        ("x.2024", "rekordbox"),
        ("x.XML", "rekordbox"),
        ("x.ndjson", "jsonl"),
        ("x.txt", "csv"),
        ("x.m3u", "m3u8"),
        ("plan.json", "plan"),
        ("my.crate", "serato"),  # a folder
    ],
)
def test_what_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.crate").mkdir()
    check_ending(Path(name), kind, "--out")
    check_ending(None, "table", "--out")


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "nul\0.csv", "\u202e.csv", "\udcff.csv"])
@pytest.mark.parametrize("kind", ["html", "serato"])
def test_odd_names(name: str, kind: str) -> None:
    with pytest.raises(typer.BadParameter, match="csv"):
        check_ending(Path(name), kind, "--out")


def test_the_name_is_shown_on_one_line() -> None:
    with pytest.raises(typer.BadParameter, match=r"^--out a\\x0ab.mp3: the file for CSV must"):
        check_ending(Path("a\nb.mp3"), "csv", "--out")
