"""Evaluation of a trained model: the exported file on clips that were held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import Classifier
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.calibration import fit_temperature
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig
from support import tiny


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledClip]:
    return read_folder(tiny.write_clips(tmp_path_factory.mktemp("clips"), per_genre=2))


def names(clips: list[LabelledClip]) -> list[str]:
    return [f"clip {number}" for number in range(len(clips))]


def classified(model: Path, clips: list[LabelledClip], **options: Any) -> tuple[Any, ...]:
    from genrelens.train.held_out import classify_held_out

    return classify_held_out(model, clips, names(clips), **options)


def test_tables_hold_the_predictions_of_the_classifier(
    recurrent_model: Path, clips: list[LabelledClip]
) -> None:
    """The second table has the mean over segments; an overlapping one has less weight."""
    table, mean = classified(recurrent_model, clips)
    classifier = Classifier.load(recurrent_model)
    overlaps = False
    for row, clip in enumerate(clips):
        prediction = classifier.classify(clip.path)
        np.testing.assert_allclose(table.probabilities[row], prediction.probabilities, atol=1e-9)
        weights = prediction.segment_weights
        assert weights is not None
        overlaps |= weights[-1] < 1
        expected = weights @ prediction.segments / weights.sum()
        np.testing.assert_allclose(mean.probabilities[row], expected, atol=1e-9)
    assert overlaps
    assert not np.allclose(table.probabilities, mean.probabilities)
    for each in (table, mean):
        assert each.clips == tuple(names(clips))
        assert [each.labels[i] for i in each.true] == [clip.label for clip in clips]
        assert each.groups is None


@pytest.mark.parametrize("jobs", [1, 3])
def test_clip_that_cannot_be_read_is_reported_and_left_out(
    jobs: int, model: Path, clips: list[LabelledClip], tmp_path: Path
) -> None:
    broken = LabelledClip(tmp_path / "broken.wav", "noise")
    broken.path.write_text("no audio")
    failures: list[AudioError] = []
    given = [*clips[:2], broken, *clips[2:]]
    table, _ = classified(model, given, jobs=jobs, on_failure=failures.append)
    assert [failure.path for failure in failures] == [str(broken.path)]
    assert table.clips == ("clip 0", "clip 1", *(f"clip {i}" for i in range(3, len(given))))
    with pytest.raises(DataError, match="no held-out clip can be read"):
        classified(model, [broken])


def test_groups_are_kept_if_all_clips_have_one(model: Path, clips: list[LabelledClip]) -> None:
    grouped = [replace(clip, group=f"artist {i % 2}") for i, clip in enumerate(clips[:3])]
    assert classified(model, grouped)[0].groups == ("artist 0", "artist 1", "artist 0")
    assert classified(model, [*grouped, clips[3]])[0].groups is None


@pytest.mark.parametrize(
    ("network", "expected"),
    [("mel-cnn", ["mel-cnn"]), ("mel-cnn-lstm", ["mel-cnn-lstm", "mean over segments"])],
)
def test_mean_over_segments_is_beside_the_lstm(
    network: str, expected: list[str], recurrent_model: Path, clips: list[LabelledClip]
) -> None:
    from genrelens.train.held_out import evaluate_model, figures

    found, temperature = evaluate_model(recurrent_model, clips, network)
    assert list(found) == expected
    for table, values in zip(classified(recurrent_model, clips), found.values(), strict=False):
        assert values == figures(table)
    assert temperature == 1  # six clips are too few


def test_enough_clips_give_a_temperature(
    model: Path, clips: list[LabelledClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrelens.train import held_out

    monkeypatch.setattr(held_out, "_ENOUGH_TO_CALIBRATE", len(clips))
    wrong = [replace(clips[0], label=clips[-1].label), *clips[1:]]
    table, _ = classified(model, wrong)
    expected = fit_temperature(np.log(table.probabilities), table.true)
    assert expected != 1
    assert held_out.evaluate_model(model, wrong, "mel-cnn")[1] == pytest.approx(expected)


def test_figures_by_hand() -> None:
    from genrelens.train.held_out import figures

    table = PredictionTable(
        labels=("a", "b", "c"),
        clips=("u", "v", "w"),
        true=np.array([0, 0, 1]),
        probabilities=np.array([[0.6, 0.4, 0.0]] * 3),
    )
    assert figures(table) == {
        "n": 3,
        "accuracy": pytest.approx(2 / 3),
        "accuracy_interval": list(wilson_interval(2, 3)),
        "macro_recall": 0.5,  # of the two classes that have clips
        "confusion": [[2, 0, 0], [1, 0, 0], [0, 0, 0]],
    }


@pytest.mark.parametrize(
    ("features", "expected"), [(ORIGINAL_MEL, 31), (ORIGINAL_MFCC, 68), (tiny.MEL, 93)]
)
def test_window_is_about_30_seconds(features: FeatureConfig, expected: int) -> None:
    from genrelens.train.job import window_segments

    assert window_segments(features) == expected
    assert 29 < expected * features.segment_hop_seconds <= 30
