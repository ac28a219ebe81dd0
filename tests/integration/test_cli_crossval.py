"""``genrelens data split``, ``genrelens crossval`` and ``genrelens calibrate``."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import Classifier
from genrelens.evaluation.calibration import apply_temperature, fit_temperature
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.model_file import ModelFile
from support import tiny
from support.commands import Result, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny clips, their artists (two for each genre) and a recipe."""
    folder = tmp_path_factory.mktemp("data")
    tiny.write_clips(folder / "clips")
    (folder / "tiny.toml").write_text(tiny.recipe_text("mel-cnn-lstm", epochs=4, crops_per_clip=8))
    rows = [f"{genre}.{i},{genre} artist {i % 2}" for genre in tiny.GENRES for i in range(4)]
    (folder / "artists.csv").write_text("\n".join(["clip,artist", *rows]) + "\n")
    return folder


def cross_validate(capsys: Capture, data: Path, folder: Path, *options: str) -> Result:
    return run(
        capsys,
        "crossval",
        data / "tiny.toml",
        "--data",
        data / "clips",
        "--out",
        folder,
        "--cache",
        data / "cache",
        "--device",
        "cpu",
        "--jobs",
        "1",
        *options,
    )


GROUPED = ("--protocol", "grouped", "--folds", "2", "--group-column", "artist")


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from genrelens.cli import app

    folder = tmp_path_factory.mktemp("cv") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrelens.plots.plot_curves", lambda *_: None)  # slower than the training
        with pytest.raises(SystemExit) as left:
            app(
                [
                    "crossval",
                    str(data / "tiny.toml"),
                    "--data",
                    str(data / "clips"),
                    "--out",
                    str(folder),
                    "--cache",
                    str(data / "cache"),
                    "--device",
                    "cpu",
                    "--jobs",
                    "1",
                    *GROUPED,
                    "--groups",
                    str(data / "artists.csv"),
                ]
            )
    assert not left.value.code
    return folder


def test_reports_of_both_networks_and_their_provenance(done: Path) -> None:
    for network in ("mel-cnn-lstm", "mel-cnn"):
        report = done / f"report-{network}"
        metrics = json.loads((report / "metrics.json").read_text())
        assert metrics["scores"]["n"] == 12
        assert metrics["scores"]["n_groups"] == 6
        assert metrics["scores"]["bootstrap"]["unit"] == "group"
        assert metrics["provenance"]["protocol"] == "grouped"
        assert len(metrics["over_rounds"]["accuracy"]["rounds"]) == 2
        assert "grouped cross-validation" in (report / "index.html").read_text()


def test_report_is_calibrated_by_the_other_rounds(done: Path) -> None:
    raw = PredictionTable.load(done / "mel-cnn.csv")
    calibrated = PredictionTable.load(done / "report-mel-cnn" / "predictions.csv")
    assert raw.rounds is not None
    for number in (1, 2):
        held = raw.rounds == number
        temperature = fit_temperature(np.log(raw.probabilities[~held]), raw.true[~held])
        np.testing.assert_allclose(
            calibrated.probabilities[held],
            apply_temperature(raw.probabilities[held], temperature),
            atol=1e-9,
        )


def test_a_repeated_command_only_reads_the_results(done: Path, data: Path, capsys: Capture) -> None:
    before = (done / "round-1" / "model.onnx").stat().st_mtime_ns
    again = cross_validate(
        capsys, data, done, *GROUPED, "--groups", str(data / "artists.csv"), "--json"
    )
    assert again.code == 0
    assert "Training" not in again.err
    assert (done / "round-1" / "model.onnx").stat().st_mtime_ns == before
    networks = json.loads(again.out)["networks"]
    assert set(networks) == {"mel-cnn-lstm", "mel-cnn"}
    assert len(networks["mel-cnn"]["over_rounds"]["accuracy"]["rounds"]) == 2


def test_split_file_and_some_rounds(
    done: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The split of a run can be run again, one round at a time."""
    folder = shutil.copytree(done, tmp_path / "copy")
    result = cross_validate(
        capsys, data, folder, "--split", str(done / "split.csv"), "--rounds", "2"
    )
    assert result.code == 0, result.err
    assert "round 2:" in result.err
    assert "round 1:" not in result.err
    table = PredictionTable.load(folder / "mel-cnn.csv")
    assert table.rounds is not None
    assert set(table.rounds.tolist()) == {2}


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (["--protocol", "alphabetical"], 2, "must be one of random, grouped, filtered"),
        (["--protocol", "grouped"], 2, "--protocol grouped needs --groups"),
        (["--protocol", "filtered"], 2, "the filtered split is for GTZAN"),
        (["--protocol", "filtered", "--draws", "3"], 2, "--draws needs --protocol random"),
        (["--folds", "5"], 2, "has only 4 clips"),
        (["--rounds", "one"], 2, "must have the form 1,2,5"),
        (["--folds", "2", "--rounds", "3"], 2, "no round 3; the split has 2"),
        (["--relabel", "polka=waltz"], 2, "has no genre 'polka'"),
        (["--device", "tpu"], 2, "--device tpu must be"),
        (["--precision", "8-mixed"], 2, "precision='8-mixed' must be one of"),
    ],
)
def test_impossible_requests(
    data: Path, tmp_path: Path, capsys: Capture, options: list[str], code: int, reason: str
) -> None:
    result = cross_validate(capsys, data, tmp_path / "run", *options)
    assert result.code == code
    assert reason in " ".join(result.err.replace("│", " ").split())
    assert not list(tmp_path.glob("run/round-*"))


def test_precision_replaces_that_of_the_recipe(
    done: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = shutil.copytree(done, tmp_path / "copy")
    grouped = [*GROUPED, "--groups", str(data / "artists.csv")]
    other = cross_validate(capsys, data, folder, *grouped, "--precision", "bf16-mixed")
    assert other.code == 2
    assert "another recipe" in other.err
    same = cross_validate(capsys, data, folder, *grouped, "--precision", "32-true")
    assert same.code == 0, same.err


def test_figures_that_a_model_can_store(done: Path) -> None:
    metrics = json.loads((done / "metrics.json").read_text())
    assert set(metrics) == {"grouped"}
    assert set(metrics["grouped"]) == {"mel-cnn-lstm", "mel-cnn"}
    for network, figures in metrics["grouped"].items():
        report = json.loads((done / f"report-{network}" / "metrics.json").read_text())["scores"]
        accuracy = report["accuracy"]
        assert figures["n"] == 12
        assert figures["accuracy"] == accuracy["value"]
        assert figures["accuracy_interval"] == [accuracy["low"], accuracy["high"]]
        assert figures["macro_recall"] == report["macro_recall"]["value"]
        assert figures["confusion"] == report["confusion"]


def test_split_command(data: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "split.csv"
    result = run(
        capsys,
        "data",
        "split",
        data / "clips",
        "--out",
        target,
        *GROUPED,
        "--groups",
        data / "artists.csv",
    )
    assert result.code == 0
    assert "round 2: 6 train, 0 valid, 6 test" in result.out
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["clip", "genre", "group", "split_1", "split_2"]
    assert {(row["split_1"], row["split_2"]) for row in rows} == {
        ("train", "test"),
        ("test", "train"),
    }


def test_split_of_two_folders(data: Path, tmp_path: Path, capsys: Capture) -> None:
    """Both folders have their own artists; noise has only two, so one of three folds lacks it."""
    tiny.write_clips(tmp_path / "more", per_genre=2)
    (tmp_path / "more" / "noise").rename(tmp_path / "more" / "rain")
    rows = [f"{genre}.{i},{genre} artist {i}" for genre in tiny.GENRES for i in range(2)]
    (tmp_path / "more.csv").write_text("\n".join(["clip,artist", *rows]) + "\n")
    target = tmp_path / "split.csv"
    command = ["data", "split", data / "clips", tmp_path / "more", "--out", target, *GROUPED]
    groups = ["--groups", data / "artists.csv", "--groups", tmp_path / "more.csv"]
    assert run(capsys, *command, *groups).code == 0
    with target.open(newline="") as file:
        split_rows = list(csv.DictReader(file))
    assert len(split_rows) == 18
    assert {row["group"][:2] for row in split_rows if row["genre"] == "chords"} == {"1:", "2:"}
    refused = run(capsys, *command, *groups, "--folds", "3")
    assert (refused.code, "only 2 groups" in refused.err) == (2, True)
    rare = ["--folds", "3", "--rare-genres", "--relabel", "rain="]
    allowed = run(capsys, *command, *groups, *rare)
    assert allowed.code == 0, allowed.err
    assert ",rain," not in target.read_text()


# --------------------------------------------------------------------------- calibrate


def test_the_temperature_of_the_predictions_is_stored(
    done: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The temperature of the predictions of the fold models is stored in the model."""
    model, new = done / "round-1" / "model.onnx", tmp_path / "new.onnx"
    arguments = (model, done / "mel-cnn-lstm.csv", "--out", new, "--force")  # 12 clips are chance
    result = run(capsys, "calibrate", *arguments)
    assert result.code == 0, result.err
    assert "does not say whether" not in result.err  # each round was kept back from its model
    table = PredictionTable.load(done / "mel-cnn-lstm.csv")
    expected = fit_temperature(np.log(table.probabilities), table.true)
    assert ModelFile.load(new).metadata.temperature == pytest.approx(expected)
    assert ModelFile.load(model).metadata.temperature == 1
    assert ModelFile.load(new).metadata.provenance["calibration"]["clips"] == 12
    clip = next((data / "clips" / "noise").iterdir())
    raw, calibrated = Classifier.load(model).classify(clip), Classifier.load(new).classify(clip)
    np.testing.assert_allclose(
        calibrated.probabilities, apply_temperature(raw.probabilities, expected), atol=1e-6
    )
    np.testing.assert_array_equal(calibrated.segments, raw.segments)


def test_the_new_temperature_is_multiplied_by_the_present_one(
    done: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A model with temperature 2 gets temperature 1 if its predictions need 1/2."""
    from genrelens.train.export import replace_metadata

    model, metadata = tmp_path / "m.onnx", ModelFile.load(done / "round-1" / "model.onnx").metadata
    replace_metadata(done / "round-1" / "model.onnx", replace(metadata, temperature=2.0), model)
    table = PredictionTable.load(done / "mel-cnn.csv")
    own = replace(table, rounds=None, probabilities=apply_temperature(table.probabilities, 2))
    own.save(tmp_path / "own.csv")
    result = run(capsys, "calibrate", model, tmp_path / "own.csv", "--force")
    assert (result.code, result.err.startswith("note: ")) == (0, True)
    assert "own.csv does not record whether the model was trained on its clips" in result.err
    logs = np.log(table.probabilities)
    assert ModelFile.load(model).metadata.temperature == pytest.approx(
        fit_temperature(logs, table.true), rel=1e-4
    )


def test_calibrate_rejects(done: Path, tmp_path: Path, capsys: Capture) -> None:
    model = done / "round-1" / "model.onnx"
    (tmp_path / "p.csv").write_text("clip,genre,a,b\nx,a,0.5,0.5\ny,b,0.25,0.75\n")
    result = run(capsys, "calibrate", model, tmp_path / "p.csv")
    assert result.code == 2
    assert "p.csv: the labels are a, b, but those of" in result.err
    result = run(capsys, "calibrate", tmp_path / "absent.onnx", done / "mel-cnn.csv")
    assert result.code == 3
    result = run(capsys, "calibrate", model, tmp_path / "absent.csv")
    assert result.code == 2
    result = run(capsys, "calibrate", model, done / "mel-cnn.csv", "--out", tmp_path, "--force")
    assert result.code == 2
    assert "cannot be written" in result.err


def drawn_table(
    labels: tuple[str, ...], temperature: float, n: int = 300, **columns: Any
) -> PredictionTable:
    """Return predictions with exactly this optimal temperature."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (n, len(labels)))
    true = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    sharp = np.exp(temperature / fit_temperature(logits, true) * logits)
    return PredictionTable(
        labels=labels,
        clips=tuple(f"clip {i}" for i in range(n)),
        true=true,
        probabilities=sharp / sharp.sum(axis=1, keepdims=True),
        **columns,
    )


def test_calibrate_stores_only_a_better_temperature(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    """For calibrated predictions, a new temperature is not better on other clips."""
    mine = tmp_path / "mine.onnx"
    shutil.copy(model, mine)
    before = mine.read_bytes()
    drawn_table(tiny.GENRES, 1.0).save(tmp_path / "p.csv")
    result = run(capsys, "calibrate", mine, tmp_path / "p.csv", "--sure", "0.6")
    assert result.code == 1
    assert "the new temperature is not better than the current one" in result.err
    assert "nothing was stored" in result.err
    assert mine.read_bytes() == before
    refused = run(capsys, "calibrate", mine, tmp_path / "p.csv", "--out", tmp_path / "new.onnx")
    assert refused.code == 1
    assert not (tmp_path / "new.onnx").exists()
    assert run(capsys, "calibrate", mine, tmp_path / "p.csv", "--force").code == 0
    assert mine.read_bytes() != before


def test_calibrate_stores_a_better_temperature(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    mine = tmp_path / "mine.onnx"
    shutil.copy(model, mine)
    table = drawn_table(tiny.GENRES, 3.0)
    table.save(tmp_path / "p.csv")
    result = run(capsys, "calibrate", mine, tmp_path / "p.csv", "--sure", "0.8")
    assert result.code == 0, result.err
    assert ModelFile.load(mine).metadata.temperature == pytest.approx(3, rel=1e-3)
    assert "are right (95 % interval " in result.out
    once = mine.read_bytes()
    again = run(capsys, "calibrate", mine, tmp_path / "p.csv", "--force")
    assert again.code == 2  # it would be divided by 3 twice
    assert "was already calibrated with these predictions" in again.err
    assert mine.read_bytes() == once


def test_calibrate_warns_about_clips_of_the_training(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    mine = tmp_path / "mine.onnx"
    shutil.copy(model, mine)
    drawn_table(tiny.GENRES, 3.0, in_training=np.arange(300) < 100).save(tmp_path / "p.csv")
    result = run(capsys, "calibrate", mine, tmp_path / "p.csv")
    assert "100 of 300 clips were in the model's training" in result.err
    assert "a temperature fitted on them makes the probabilities too high" in result.err
    assert ModelFile.load(mine).metadata.provenance["calibration"]["in_training"] == 100


EVERY_RIGHT = (
    "every answer is right, so no temperature can be fitted; all probabilities would become 100 %"
)


def refused_tables() -> dict[str, tuple[PredictionTable, str]]:
    sure = drawn_table(tiny.GENRES, 3.0)
    right = sure.select(np.flatnonzero(sure.right))
    trained = drawn_table(tiny.GENRES, 3.0, in_training=np.arange(300) < 151)
    return {
        "all right": (right, EVERY_RIGHT),
        "one clip": (sure.select([0]), "there is one clip; a temperature needs 20 or more"),
        "few clips": (sure.select(range(19)), "there are 19 clips; a temperature needs 20 or more"),
        "trained on": (trained, "151 of 300 clips were in the model's training, so no temperature"),
    }


@pytest.mark.parametrize("name", ["all right", "one clip", "few clips", "trained on"])
def test_calibrate_rejects_predictions_without_a_temperature(
    name: str, model: Path, tmp_path: Path, capsys: Capture
) -> None:
    table, words = refused_tables()[name]
    table.save(tmp_path / "p.csv")
    new = tmp_path / "new.onnx"
    result = run(capsys, "calibrate", model, tmp_path / "p.csv", "--out", new)
    assert (result.code, new.exists()) == (1, False)
    assert words in result.err
    assert "nothing was stored" in result.err
    forced = run(capsys, "calibrate", model, tmp_path / "p.csv", "--out", new, "--force")
    if name == "one clip":
        assert forced.code == 2
        assert "no clip is left to fit a temperature on: there is one clip" in forced.err
    else:
        assert (forced.code, new.exists()) == (0, True)


def test_calibrate_accepts_twenty_clips_with_one_mistake(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    drawn = drawn_table(tiny.GENRES, 3.0)
    chosen = [*np.flatnonzero(drawn.right)[:19], *np.flatnonzero(~drawn.right)[:1]]
    drawn.select(chosen).save(tmp_path / "p.csv")
    result = run(capsys, "calibrate", model, tmp_path / "p.csv", "--out", tmp_path / "new.onnx")
    assert "temperature  " in result.out


def test_calibrate_accepts_names_of_packaged_models(tmp_path: Path, capsys: Capture) -> None:
    metadata = ModelFile.load("lens").metadata
    drawn_table(metadata.labels, 3.0).save(tmp_path / "p.csv")
    in_place = run(capsys, "calibrate", "lens", tmp_path / "p.csv", "--force")
    assert in_place.code == 2
    assert "lens is a packaged model; name the new file with --out" in in_place.err
    new = tmp_path / "new.onnx"
    result = run(capsys, "calibrate", "lens", tmp_path / "p.csv", "--out", new, "--force")
    assert result.code == 0, result.err
    assert ModelFile.load(new).metadata.labels == metadata.labels
    assert ModelFile.load(new).metadata.temperature != metadata.temperature
