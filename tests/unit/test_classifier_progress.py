"""``on_progress`` of ``Classifier.classify``: the prediction for what was classified so far."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import Classifier
from genrelens.prediction import Prediction
from support import synth, tiny

RATE = tiny.RATE
SECONDS_OF_SEGMENT = tiny.MEL.segment_seconds  # 0.32


def reports(classifier: Classifier, content: Any, **options: Any) -> list[Prediction]:
    """Return the reported predictions; check that the last one is the result."""
    found: list[Prediction] = []
    result = classifier.classify(content, on_progress=found.append, **options)
    assert found[-1] is result
    heard = [each.heard for each in found]
    assert heard == sorted(heard)
    plain = classifier.classify(content, **options)
    assert result.to_dict(timeline=True) == plain.to_dict(timeline=True)
    return found


def test_progress_is_the_prediction_for_the_beginning(full: Classifier) -> None:
    """Windows hold 5 segments of 0.32 s. The third second is silent."""
    y = np.concatenate([tiny.sound(genre, 2) for genre in tiny.GENRES])
    y[2 * RATE : 3 * RATE] = 0
    found = reports(full, synth.write(y, RATE, subtype="FLOAT"))
    assert len(found) == 5
    for each in found[:-1]:
        beginning = full.classify_waveform(y[: round(each.heard * RATE)], RATE)
        n = len(each.segments)
        np.testing.assert_allclose(each.segments[:-1], beginning.segments[: n - 1], atol=1e-6)
        assert each.probabilities == pytest.approx(beginning.probabilities, abs=0.05)
        assert each.duration == 6.0
        assert each.sections[0].start == 0
        assert each.to_dict(timeline=True)["timeline"][-1]["end"] <= each.heard + 1e-9
    assert [len(each.segments) for each in found[:2]] == [5, 12]  # numbers 7 and 8 are silent


def test_progress_of_excerpts(recurrent: Classifier) -> None:
    content = synth.write(tiny.sound("noise", 150), RATE)
    found = reports(recurrent, content, fast=True)
    assert (found[-1].heard, found[-1].duration) == (90.0, 150.0)
    assert {each.duration for each in found} == {150.0}
    ends = [each for each in found if each.heard == 30.0]
    assert ends[0].segment_times[-1] < 40


def test_progress_in_several_threads(recurrent_model: Path) -> None:
    """Later excerpts are decoded already, but only what the network has classified counts."""
    classifier = Classifier.load(recurrent_model, threads=3)
    content = synth.write(tiny.sound("noise", 150), RATE)
    for fast in (True, False):
        for each in reports(classifier, content, fast=fast):
            assert each.heard <= len(each.segments) * SECONDS_OF_SEGMENT + 1e-9


def test_progress_without_a_stated_length(classifier: Classifier) -> None:
    """A source that can be read only once is not opened to read its header."""
    stream = io.BytesIO(synth.write(tiny.sound("noise", 5), RATE))
    stream.seekable = lambda: False  # type: ignore[method-assign]
    found: list[Prediction] = []
    classifier.classify(stream, on_progress=found.append)
    assert [each.duration for each in found] == [each.heard for each in found]
    assert found[0].heard == pytest.approx(1.6)


def test_progress_with_a_choice_of_genres_and_a_part(classifier: Classifier) -> None:
    content = synth.write(tiny.sound("noise", 9), RATE)
    found = reports(classifier.restricted(tiny.GENRES[:2]), content, offset=2, duration=4)
    assert {each.labels for each in found} == {tiny.GENRES[:2]}
    assert {each.duration for each in found} == {4.0}


def test_progress_of_a_long_recording_is_reported_less_often(classifier: Classifier) -> None:
    content = synth.write(tiny.sound("noise", 300), RATE)
    found = reports(classifier, content)
    assert 135 < len(found) < 150  # of 187 windows


def test_an_error_in_the_callback_ends_the_classification(classifier: Classifier) -> None:
    calls = []

    def fail(prediction: Prediction) -> None:
        calls.append(prediction.heard)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        classifier.classify(synth.write(tiny.sound("noise", 9), RATE), on_progress=fail)
    assert len(calls) == 1
