"""``genrelens compare``: files of any model in one table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import score
from support.commands import Result, run

N = 60
GENRES = ("jazz", "rock")


def judged(hits: range, **columns: Any) -> PredictionTable:
    """Return a table of alternating jazz and rock clips, right in ``hits``."""
    true = np.arange(N) % 2
    called = np.where(np.isin(np.arange(N), list(hits)), true, 1 - true)
    return PredictionTable(
        labels=GENRES,
        clips=tuple(f"clip {i}" for i in range(N)),
        true=true,
        probabilities=0.2 + 0.6 * np.eye(2)[called],
        **columns,
    )


OURS, THEIRS, WORSE = judged(range(50)), judged(range(48)), judged(range(20, 50))


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Result]:
    """Run the command on tables, which are saved first."""

    def compare(*args: Any) -> Result:
        paths = []
        for number, each in enumerate(args):
            path = each
            if isinstance(each, PredictionTable):
                path = tmp_path / f"{'abc'[number]}.csv"
                each.save(path)
            paths.append(path)
        return run(capsys, "compare", *paths)

    return compare


Compare = Callable[..., Result]


def test_no_difference(compare: Compare, tmp_path: Path) -> None:
    done = compare(OURS, THEIRS)
    assert done.code == 0
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "clips that all models classified: 60"
    assert "accuracy" in lines[1]
    scores = score(OURS)
    low, high = (f"{100 * bound:.1f}" for bound in scores.accuracy[1:])
    assert f" 83.3 ({low} to {high}) " in lines[2]
    assert lines[2].split()[-3:] == ["100.0", f"{scores.log_loss.value:.3f}", "3.3"]
    assert " 80.0 (" in lines[3]
    assert f"b.csv against {tmp_path}" in done.out
    assert done.out.rstrip().endswith("wrong: 0 against 2 clips; McNemar p = 0.500")
    assert "a.csv: no significant difference" in done.out


def test_a_difference(compare: Compare) -> None:
    done = compare(OURS, WORSE, THEIRS)
    assert "accuracy -33.3 percentage points (95 % interval -" in done.out
    assert "the other is wrong: 0 against 20 clips; McNemar p = 1.9e-06" in done.out
    assert "a.csv is better" in done.out
    assert "no significant difference" in done.out
    assert done.err == "note: p is not corrected for the number of comparisons (2)\n"


def test_json(compare: Compare) -> None:
    groups = tuple(f"artist {i // 3}" for i in range(N))
    grouped = replace(OURS, groups=groups)
    found = json.loads(compare(grouped.select(range(40)), WORSE, "--json", "--seed", 3).out)
    assert (found["n"], found["n_groups"]) == (40, 14)
    assert found["bootstrap"] == {"resamples": 2000, "seed": 3, "unit": "group"}
    assert [each["left_out"] for each in found["models"]] == [0, 20]
    expected = score(grouped.select(range(40)), seed=3).to_dict()
    assert found["models"][0]["log_loss"] == expected["log_loss"]
    assert found["models"][1]["accuracy"]["value"] == 0.5
    (pair,) = found["comparisons"]
    assert pair["right_alone"] == [20, 0]
    assert pair["better"] == 0
    assert pair["verdict"] == f"{pair['first']} is better"


def test_clips_that_not_all_models_classified(compare: Compare) -> None:
    done = compare(OURS, THEIRS.select(range(10, 60)))
    assert "clips that all models classified: 50\nnot compared: 10 of " in done.out


def test_a_report_against_a_file_that_lacks_the_genres(compare: Compare, tmp_path: Path) -> None:
    report, foreign = tmp_path / "metrics.json", tmp_path / "foreign.csv"
    report.write_text(json.dumps({"predictions": OURS.to_dict()}))
    THEIRS.save(foreign)
    rows = [line.split(",") for line in foreign.read_text().splitlines()]
    foreign.write_text("".join(f"{row[0]},{row[2]},{row[3]}\n" for row in rows))
    done = compare(report, foreign)
    assert "the other is wrong: 0 against 2 clips" in done.out
    refused = compare(foreign, report)
    assert refused.code == 2
    assert "foreign.csv: line 2: the genre of clip 0 is not known" in refused.err
    for clip, genre in zip(OURS.clips, OURS.true, strict=True):
        path = tmp_path / "data" / GENRES[genre] / f"{clip}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with_data = compare(foreign, report, "--data", tmp_path / "data")
    assert "the other is wrong: 2 against 0 clips" in with_data.out


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "a comparison needs at least two files"),
        (["nowhere.csv"], "nowhere.csv: No such file"),
        ([replace(THEIRS, true=1 - THEIRS.true)], "clip 0 is jazz for one model and rock for an"),
        (
            [replace(THEIRS, clips=tuple(map(str, range(N))))],
            "no clip was classified by all models",
        ),
        ([THEIRS.select([0])], "there is only 1 clip (clips: 1)"),
    ],
)
def test_invalid_comparisons(compare: Compare, others: list[Any], words: str) -> None:
    done = compare(OURS, *others)
    assert done.code == 2
    assert done.out == ""
    assert words in done.err
