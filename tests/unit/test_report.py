"""Reports: the files in the folder, and the content of the page."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.errors import DataError, MissingExtraError
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions
from genrelens.evaluation.report.write import check_report_folder, write_report
from genrelens.evaluation.robustness import compare_conditions
from genrelens.evaluation.scores import Scores, score
from support.evaluation_results import LABELS, scores, table

FILES = {
    "confusion.png",
    "index.html",
    "metrics.json",
    "predictions.csv",
    "recall.png",
    "rejection.png",
    "reliability.png",
}
_VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A parsed page, whose tags must be closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        data = re.sub(r"\s+", " ", data)
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def row(self, name: str) -> list[str]:
        (found,) = (row[1:] for row in self.rows if row and row[0] == name)
        return found


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the figures at a low resolution, which is faster."""
    from matplotlib.figure import Figure

    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, path, *, dpi: save(figure, path, dpi=dpi / 4)
    )


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the figures in tests that do not read them."""
    if "drawn" not in request.fixturenames:
        names = ("confusion", "recall", "reliability", "rejection", "robustness")
        empty = dict.fromkeys(names, b"<svg/>")
        monkeypatch.setattr("genrelens.evaluation.report.write._draw", lambda *_: ({}, empty))


def write(folder: Path, predictions: PredictionTable | None = None, **options: Any) -> Page:
    judged = table() if predictions is None else predictions
    found = score(judged, resamples=200)
    provenance = options.pop("provenance", {"model": "tiny", "seed": 0})
    title = options.pop("title", "tiny on data")
    return Page(write_report(folder, title, judged, found, provenance, **options))


# --------------------------------------------------------------------------------- the page


def test_files(drawn: None, tmp_path: Path) -> None:
    write(tmp_path / "deep" / "report")
    folder = tmp_path / "deep" / "report"
    assert {path.name for path in folder.iterdir()} == FILES
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in folder.glob("*.png"))
    loaded = load_predictions(folder / "metrics.json")
    np.testing.assert_array_equal(loaded.probabilities, table().probabilities)
    assert load_predictions(folder / "predictions.csv").clips == table().clips


def test_numbers_of_the_page(tmp_path: Path) -> None:
    """Four of six are right: jazz 2 of 2, metal 2 of 3, pop 0 of 1."""
    page = write(tmp_path)
    assert page.row("accuracy")[0] == "66.7 %"
    assert page.row("macro recall")[0] == "55.6 %"  # (1 + 2/3 + 0) / 3
    assert page.row("genre among the two most probable")[0] == "100.0 %"
    rows = {row[0]: row for row in page.rows if row[0] in LABELS and len(row) == 8}
    assert [(rows[label][1], rows[label][2]) for label in LABELS] == [
        ("2", "100.0"),
        ("3", "66.7"),
        ("1", "0.0"),
    ]
    assert (rows["metal"][4], rows["metal"][6]) == ("66.7", "66.7")  # precision, F1
    assert "On 6 clips, the model was right 4 times: 66.7 %." in page.text
    assert "A model that always answers metal would be right for 50.0 %" in page.text
    assert "a probability of 80.0 %" in page.text  # (4 * 0.9 + 2 * 0.6) / 6
    assert "1 clip of metal classified as jazz" in page.text
    assert [row for row in page.rows if row[:3] == ["metal", "1", "2"]] == [
        ["metal", "1", "2", ".", "3"]
    ]


def test_worst_clips(tmp_path: Path) -> None:
    """b2 is metal, predicted as jazz with 0.9; c1 is pop, predicted as metal with 0.6."""
    page = write(tmp_path)
    wrong = [row for row in page.rows if row[0] in table().clips]
    assert wrong == [
        ["b2", "metal", "jazz", "90.0 %", "6.0 %"],
        ["c1", "pop", "metal", "60.0 %", "30.0 %"],
    ]


def test_many_worst_clips_are_folded(tmp_path: Path) -> None:
    n = 30
    rows = np.tile([0.2, 0.8], (n, 1))
    wrong = PredictionTable(
        labels=("a", "b"),
        clips=tuple(f"clip{i}" for i in range(n)),
        true=np.zeros(n, np.int64),
        probabilities=rows,
    )
    page = write(tmp_path, wrong)
    assert "10 more" in page.text
    assert sum(row[0].startswith("clip") and row[0] != "clip" for row in page.rows) >= n


def test_no_mistakes(tmp_path: Path) -> None:
    page = write(tmp_path, table().select([0, 1, 2, 4]))
    assert "There are no mistakes." in page.text
    assert "No clip was classified wrong." in page.text
    assert "There is no clip of pop; no mean includes them." in page.text
    assert next(row for row in page.rows if row[0] == "pop")[1:4] == ["0", "-", "-"]


def test_the_page_describes_the_intervals(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone")
    assert "as if they were independent" in alone.text
    grouped = write(tmp_path / "grouped", table(groups=("x", "x", "y", "y", "z", "z")))
    assert "On 6 clips from 3 groups, the model" in grouped.text
    assert "whole groups drawn with replacement" in grouped.text
    assert "200 times" in grouped.text


def test_the_page_needs_no_other_file(drawn: None, tmp_path: Path) -> None:
    page = write(tmp_path)
    assert page.all("script") == page.all("link") == []
    sources = [str(image["src"]) for image in page.all("img")]
    assert [source[:26] for source in sources] == ["data:image/svg+xml;base64,"] * 4
    names = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [str(link["href"]) for link in page.all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= names
    text = (tmp_path / "index.html").read_text()
    assert not re.search(r"url\(|@import|https?://", re.sub(r"base64,[^\"]+", "", text))


def test_accessibility_of_the_page(tmp_path: Path) -> None:
    page = write(tmp_path)
    assert page.all("html")[0]["lang"] == "en"
    assert "width=device-width" in str(page.all("meta")[1]["content"])
    assert all(len(str(image["alt"])) > 20 for image in page.all("img"))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))
    assert len(page.all("h1")) == 1
    style = (tmp_path / "index.html").read_text()
    assert "prefers-color-scheme: dark" in style
    assert "overflow-x: auto" in style


HOSTILE = "<script>alert(1)</script>"


def test_names_cannot_become_markup(drawn: None, tmp_path: Path) -> None:
    names = (HOSTILE, "a' onload='x", 'b"c', "d&amp;e", "\x1b[31m\u202e", "\udcff")
    odd = table(
        clips=names,
        labels=("<i>jazz", "R&B", "</table>"),
        groups=("</div>", "x", "y", "y", "z", "z"),
    )
    judged = odd.select([0, 1, 2, 3, 5, 4])
    page = write(
        tmp_path,
        judged,
        title=HOSTILE,
        failed=[HOSTILE],
        provenance={"model": HOSTILE, HOSTILE: [HOSTILE]},
    )
    assert page.all("script") == page.all("i") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert HOSTILE in page.text  # as text
    assert [row[0] for row in page.rows].count("\udcff".encode("unicode_escape").decode()) == 1
    assert "\x1b" not in page.text


def test_failures(tmp_path: Path) -> None:
    page = write(tmp_path, failed=["a.mp3: is not audio"])
    assert "a.mp3: is not audio" in page.text
    assert "#clips-that-could-not-be-read" in {a["href"] for a in page.all("a")}


def test_rounds(tmp_path: Path) -> None:
    """Two of three are right in both rounds."""
    page = write(tmp_path, table(rounds=np.array([1, 1, 2, 2, 2, 1])))
    assert page.row("round 1") == ["3", "66.7 %", "50.0 %"]  # jazz 2 of 2, pop 0 of 1
    assert page.row("round 2") == ["3", "66.7 %", "66.7 %"]  # metal 2 of 3
    assert page.row("mean of the rounds") == ["6", "66.7 %", "58.3 %"]
    spread = 100 * (2 / 3 - 1 / 2) / math.sqrt(2)
    assert page.row("standard deviation") == ["", "0.0 %", f"{spread:.1f} %"]
    assert "the models of the rounds were right 4 times" in page.text


def test_clips_of_several_rounds(tmp_path: Path) -> None:
    names = ("a", "b", "c", "a", "b", "c")
    page = write(tmp_path, table(clips=names, rounds=np.array([1, 1, 1, 2, 2, 2])))
    assert "On 3 clips, classified 6 times in all, the models" in page.text


def test_before_and_after_calibration(tmp_path: Path) -> None:
    before = scores(sharpness=3)
    page = write(tmp_path, before=before)
    after = scores()
    assert f"Before the calibration it was {100 * before.ece.value:.1f} %" in page.text
    assert f"{before.log_loss.value:.3f} instead of {after.log_loss.value:.3f}" in page.text
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["before_calibration"] == before.to_dict()


def test_robustness(drawn: None, tmp_path: Path) -> None:
    """Under noise, a1 and a2 become metal: two of six fewer are right."""
    noisy = table()
    probabilities = noisy.probabilities.copy()
    probabilities[:2] = [0.1, 0.85, 0.05]
    tables = {"clean": table(), "noise": table(probabilities=probabilities)}
    found = compare_conditions(
        tables, model="tiny", descriptions={"clean": "as it is", "noise": "<hiss>"}, resamples=200
    )
    page = write(tmp_path, robustness=found)
    clean, noise = (
        next(row for row in page.rows if row[0] == name and len(row) > 2) for name in tables
    )
    assert (clean[1], clean[4]) == ("66.7", "-")
    assert (noise[1], noise[4], noise[6]) == ("33.3", "-33.3", "33.3")
    assert noise[7] == "-1.7"  # 2 * -0.05 of 6
    assert ["noise", "<hiss>"] in page.rows
    assert (tmp_path / "robustness.png").exists()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["robustness"] == json.loads(json.dumps(found.to_dict()))


# ------------------------------------------------------------------------------ the numbers


def test_metrics(tmp_path: Path) -> None:
    write(
        tmp_path,
        provenance={"seed": 3, "versions": {"numpy": "2"}},
        failed=["x"],
        results={"over_rounds": {"mean": 0.5}},
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics.keys() == {
        "title",
        "over_rounds",
        "scores",
        "provenance",
        "failed",
        "predictions",
    }
    assert metrics["provenance"] == {"seed": 3, "versions": {"numpy": "2"}}
    assert Scores.from_dict(metrics["scores"]).to_dict() == scores().to_dict()
    assert metrics["failed"] == ["x"]


def test_provenance_on_the_page(tmp_path: Path) -> None:
    page = write(
        tmp_path,
        provenance={
            "model_sha256": "ab12",
            "commit": None,
            "relabel": {"blues": "jazz"},
            "temperature": 1.23456789,
            "parts": ["a", "b"],
        },
    )
    assert page.row("model file, SHA-256") == ["ab12"]
    assert page.row("relabel") == ["blues jazz"]
    assert page.row("temperature") == ["1.23457"]
    assert page.row("parts") == ["a, b"]
    assert "git commit" not in page.text


# ---------------------------------------------------------------------------------- folders


def test_an_earlier_report_is_replaced(drawn: None, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, title="first")
    page = write(tmp_path, title="second")
    assert "second" in page.text
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "notes.txt"}


def test_no_file_is_partially_written(
    drawn: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full at the last figure leaves the earlier report as it was."""
    write(tmp_path, title="first")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genrelens.evaluation.report.write.plot_rejection", full)
    with pytest.raises(DataError, match=r"the report cannot be written .*No space left"):
        write(tmp_path, title="second")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_page_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = Path.replace

    def note(path: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", note)
    write(tmp_path)
    assert moved[-1] == "index.html"


def is_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def is_in_a_file(tmp_path: Path) -> Path:
    return is_a_file(tmp_path) / "deep" / "report"


@pytest.mark.parametrize("place", [is_a_file, is_in_a_file])
def test_a_report_cannot_replace_a_file(place: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a file; a report needs a folder"):
        check_report_folder(place(tmp_path))


def test_a_folder_without_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(DataError, match="is not writable"):
        check_report_folder(tmp_path / "report")


def test_the_check_creates_nothing(tmp_path: Path) -> None:
    check_report_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib .*'genrelens\[evaluate\]'"):
        check_report_folder(tmp_path)
