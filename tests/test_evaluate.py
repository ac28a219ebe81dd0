"""A classifier against labelled files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny
from genrelens import AudioError, Classifier, DataError
from genrelens.datasets import LabelledClip, read_folder
from genrelens.evaluate import evaluate
from genrelens.prediction import Prediction

CHORDS, CLICKS, NOISE = range(3)


@pytest.fixture(scope="module")
def classifier(model: Path) -> Classifier:
    """Its label map takes hiss as noise."""
    return Classifier.load(model, threads=1)


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
    with pytest.raises(DataError, match=r"no genre 'polka'; it knows chords, clicks, hiss, noise"):
        evaluate(classifier, odd, on_clip=lambda clip, result: seen.append(clip))
    assert seen == []  # said before the work, not after


def test_failures_are_in_no_figure(
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
        "accuracy": 2 / 3,
        "accuracy_interval": pytest.approx([0.2077, 0.9385], abs=1e-4),  # Wilson, 2 of 3
        "macro_recall": 0.5,
        "recall": {"chords": None, "clicks": 0.0, "noise": 1.0},
        "labels": ["chords", "clicks", "noise"],
        "confusion": [[0, 0, 0], [0, 0, 1], [0, 0, 2]],
        "failed": [{"path": str(gone), "error": f"{gone}: No such file or directory"}],
        "model": "tiny",
    }
