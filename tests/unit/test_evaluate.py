"""Evaluation of a classifier, and of predictions in files, on labelled clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrelens import AudioError, Classifier, DataError, DataWarning
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.evaluation.run import evaluate, evaluate_predictions
from genrelens.prediction import Prediction
from support import tiny
from support.evaluation_results import table

CHORDS, CLICKS, NOISE = range(3)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledClip]:
    return read_folder(tiny.write_clips(tmp_path_factory.mktemp("data"), per_genre=3))


def clips_of(clips: list[LabelledClip], genre: str, label: str = "") -> list[LabelledClip]:
    return [LabelledClip(clip.path, label or genre) for clip in clips if clip.label == genre]


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_right(classifier: Classifier, clips: list[LabelledClip], jobs: int) -> None:
    result = evaluate(classifier, clips, jobs=jobs)
    assert result.confusion.tolist() == [[3, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert (result.n, result.accuracy, result.macro_recall) == (9, 1.0, 1.0)
    assert result.labels == tiny.GENRES
    assert result.model == "tiny"


def test_rows_are_true(classifier: Classifier, clips: list[LabelledClip]) -> None:
    """Three clips of clicks that are labelled chords, and two of noise."""
    mislabelled = clips_of(clips, "clicks", "chords") + clips_of(clips, "noise")[:2]
    result = evaluate(classifier, mislabelled)
    assert result.confusion[CHORDS].tolist() == [0, 3, 0]
    assert result.confusion[NOISE].tolist() == [0, 0, 2]
    assert result.accuracy == 0.4
    assert result.macro_recall == 0.5  # of the two genres that have clips


def test_label_map(classifier: Classifier, clips: list[LabelledClip]) -> None:
    result = evaluate(classifier, clips_of(clips, "noise", "hiss"))
    assert result.confusion[NOISE, NOISE] == 3


def test_unknown_label(classifier: Classifier, clips: list[LabelledClip]) -> None:
    seen: list[LabelledClip] = []
    odd = clips + clips_of(clips, "noise", "polka")[:1]
    odd += clips_of(clips, "noise", "ska")[1:2]
    message = r"no genre 'polka', 'ska'; it has chords, clicks, hiss, noise\. .*--relabel"
    with pytest.raises(DataError, match=message):
        evaluate(classifier, odd, on_clip=lambda clip, result: seen.append(clip))
    assert seen == []  # reported before the work


def test_figures_exclude_failures(
    classifier: Classifier, clips: list[LabelledClip], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"text")
    mixed = [LabelledClip(bad, "chords"), *clips_of(clips, "clicks")]
    seen: list[tuple[str, type]] = []
    result = evaluate(
        classifier, mixed, on_clip=lambda clip, out: seen.append((clip.path.name, type(out)))
    )
    assert result.n == 3
    assert [error.source for error in result.failed] == [str(bad)]
    assert seen[0] == ("bad.mp3", AudioError)
    assert seen[1] == (clips_of(clips, "clicks")[0].path.name, Prediction)


def test_nothing_could_be_read(classifier: Classifier, tmp_path: Path) -> None:
    missing = [LabelledClip(tmp_path / name, "noise") for name in ("a.wav", "b.wav")]
    with pytest.raises(
        DataError, match=r"no clip of 2 could be read; the first: .*a\.wav: No such"
    ):
        evaluate(classifier, missing)


def test_no_clips(classifier: Classifier) -> None:
    with pytest.raises(DataError, match="there are no clips"):
        evaluate(classifier, [])


def test_to_dict_is_json(classifier: Classifier, clips: list[LabelledClip], tmp_path: Path) -> None:
    gone = tmp_path / "gone.wav"
    some = clips_of(clips, "noise")[:2] + clips_of(clips, "noise", "clicks")[2:]
    result = evaluate(classifier, [*some, LabelledClip(gone, "noise")])
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == {
        "n": 3,
        "in_training": None,
        "warning": None,
        "accuracy": 2 / 3,
        "accuracy_interval": pytest.approx([0.2077, 0.9385], abs=1e-4),  # Wilson, 2 of 3
        "macro_recall": 0.5,
        "recall": {"chords": None, "clicks": 0.0, "noise": 1.0},
        "labels": ["chords", "clicks", "noise"],
        "confusion": [[0, 0, 0], [0, 0, 1], [0, 0, 2]],
        "failed": [{"path": str(gone), "error": f"{gone}: No such file or directory"}],
        "model": "tiny",
    }


# --------------------------------------------------------------------------------- the table


def test_the_table_contains_the_predictions(
    classifier: Classifier, clips: list[LabelledClip], tmp_path: Path
) -> None:
    """A failed clip has no row."""
    gone = LabelledClip(tmp_path / "gone.wav", "noise")
    result = evaluate(classifier, [clips[0], gone, clips[4]]).table
    assert result.clips == ("chords.0", "clicks.1")
    assert result.true.tolist() == [CHORDS, CLICKS]
    assert result.groups is None
    for row, clip in zip(result.probabilities, (clips[0], clips[4]), strict=True):
        np.testing.assert_allclose(row, classifier.classify(clip.path).probabilities, rtol=1e-6)


def test_a_clip_without_group_is_its_own_group(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    some = [replace(clips[0], group="x"), clips[1], replace(clips[2], group="x")]
    assert evaluate(classifier, some).table.groups == ("x", "chords.1", "x")


def test_files_of_the_same_name(classifier: Classifier, tmp_path: Path) -> None:
    for genre in ("clicks", "noise"):
        (tmp_path / genre).mkdir()
        source = tiny.write_clips(tmp_path / f"all-{genre}", per_genre=1) / genre / f"{genre}.0.wav"
        source.rename(tmp_path / genre / "01.wav")
    clips = [LabelledClip(tmp_path / genre / "01.wav", genre) for genre in ("clicks", "noise")]
    assert evaluate(classifier, clips).table.clips == ("clicks/01", "noise/01")
    with pytest.raises(DataError, match=r"01\.wav: is listed twice"):
        evaluate(classifier, [clips[0], clips[0]])


# ---------------------------------------------------------------------- other models


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Predictions of noise for four clips, with the lowest probability for the first."""
    path = tmp_path / "peer.csv"
    rows = ["chords.0,0.5,0.2,0.3", "clicks.0,0.1,0.3,0.6", "noise.0,0.1,0,0.9", "noise.1,0,0,1"]
    path.write_text("\n".join(["clip,chords,clicks,noise", *rows]))
    return path


def of(clips: list[LabelledClip], *names: str) -> list[LabelledClip]:
    return [clip for clip in clips if clip.path.stem in names]


FOUR = ("chords.0", "clicks.0", "noise.0", "noise.1")


def test_predictions_of_another_model(predictions: Path, clips: list[LabelledClip]) -> None:
    result = evaluate_predictions(predictions, of(clips, *FOUR))
    assert result.confusion.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 2]]
    assert (result.accuracy, result.model, result.failed) == (0.75, "peer", ())


def test_only_the_clips_count(predictions: Path, clips: list[LabelledClip]) -> None:
    """Rows of other clips are ignored; groups come from the clips."""
    some = [replace(clip, group="x") for clip in of(clips, "noise.0", "noise.1")]
    result = evaluate_predictions(predictions, some).table
    assert (result.clips, result.groups) == (("noise.0", "noise.1"), ("x", "x"))
    with pytest.raises(DataError, match=r"line 2: the genre of chords\.0 is not known"):
        evaluate_predictions(predictions)


def test_predictions_of_a_report(predictions: Path, clips: list[LabelledClip]) -> None:
    """The report contains the genres; the clips only select rows."""
    first = evaluate_predictions(predictions, of(clips, *FOUR)).table
    report = predictions.with_name("metrics.json")
    report.write_text(json.dumps({"predictions": first.to_dict()}))
    first.save(predictions.with_name("predictions.csv"))
    for source in (report, report.parent, report.parent / "predictions.csv"):
        assert evaluate_predictions(source).table.true.tolist() == [0, 1, 2, 2]
        some = evaluate_predictions(source, of(clips, "clicks.0")).table
        assert (some.clips, some.true.tolist()) == (("clicks.0",), [1])


def test_clips_without_a_row(predictions: Path, clips: list[LabelledClip]) -> None:
    with pytest.warns(DataWarning, match=r"1 of 5 clips has no row, for instance noise\.2; no"):
        result = evaluate_predictions(predictions, of(clips, *FOUR, "noise.2"))
    assert result.n == 4
    strangers = [LabelledClip(Path(f"{name}.wav"), "noise") for name in ("p", "q")]
    predictions.write_text("clip,genre,a,noise\nx,a,0.5,0.5")
    with pytest.raises(
        DataError, match=r"no row of any of the 2 clips; its first .* is x, theirs is p"
    ):
        evaluate_predictions(predictions, strangers)


def test_labels_that_the_file_does_not_have(predictions: Path, clips: list[LabelledClip]) -> None:
    """The data have click and hiss; the file has clicks and noise."""
    odd = [
        replace(clip, label={"clicks": "click", "noise": "hiss"}.get(clip.label, clip.label))
        for clip in of(clips, *FOUR)
    ]
    with pytest.raises(DataError, match="'click' has no column; the labels are chords, clicks"):
        evaluate_predictions(predictions, odd)
    result = evaluate_predictions(predictions, odd, label_map={"click": "clicks", "hiss": "noise"})
    assert result.accuracy == 0.75


def test_merged_labels(predictions: Path, clips: list[LabelledClip]) -> None:
    """With clicks renamed to noise, all four are right."""
    result = evaluate_predictions(predictions, of(clips, *FOUR), label_map={"clicks": "noise"})
    assert result.labels == ("chords", "noise")
    np.testing.assert_allclose(result.table.probabilities[:, 1], [0.5, 0.9, 0.9, 1])
    assert result.table.true.tolist() == [0, 1, 1, 1]
    assert result.accuracy == 1.0  # the first is 0.5 to 0.5: the first of equals


def test_relabelling_keeps_other_labels() -> None:
    before = table()
    merged = before.relabel({"pop": "jazz", "polka": "metal"})
    assert merged.labels == ("jazz", "metal")
    np.testing.assert_allclose(merged.probabilities[:, 0], before.probabilities[:, [0, 2]].sum(1))
    assert merged.true.tolist() == [0, 0, 1, 1, 1, 0]
    same = before.relabel({})
    np.testing.assert_array_equal(same.probabilities, before.probabilities)
    with pytest.raises(DataError, match="only the label 'x' would be left of jazz, metal, pop"):
        before.relabel(dict.fromkeys(before.labels, "x"))
