"""The engine in the browser returns what the classifier of the command line returns."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genrelens import AudioWarning, Classifier, Prediction
from genrelens.feature_image import FeatureImage
from support import synth
from support.browser import Visit
from support.site_clips import COMPRESSED, RATE, WAVS, differences, example
from support.static_site import classify


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(threads=1)


def document(prediction: Prediction, name: str = "clip") -> dict[str, Any]:
    """Return a prediction as the server sends it."""
    return {**json.loads(json.dumps(prediction.to_dict(timeline=True))), "path": name}


def faults(page: Visit, expected: Prediction, content: bytes, tolerance: float) -> list[str]:
    found = classify(page, content)["document"]
    found.pop("spectrogram")
    return differences(found, document(expected), tolerance)


@pytest.mark.parametrize("make", WAVS.values(), ids=WAVS)
def test_wav_files(engine_page: Visit, classifier: Classifier, make: Callable[[], bytes]) -> None:
    content = make()
    assert faults(engine_page, classifier.classify(content), content, 1e-3) == []


@pytest.mark.parametrize("make", COMPRESSED.values(), ids=COMPRESSED)
def test_compressed_files(
    engine_page: Visit, classifier: Classifier, make: Callable[[], bytes]
) -> None:
    content = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # WebM has no length
        expected = classifier.classify(content)
    assert faults(engine_page, expected, content, 0.02) == []


def test_differences_are_found() -> None:
    assert differences({"a": [0.5, "x"]}, {"a": [0.6, "x"]}, 0.05) != []
    assert differences({"a": [0.5, "x"]}, {"a": [0.51, "y"]}, 0.05) != []
    assert differences({"a": 1.0}, {"a": 1.0, "b": 1.0}, 0.05) != []
    assert differences({"a": [0.5, "x"]}, {"a": [0.51, "x"]}, 0.05) == []


def test_a_choice_of_genres(engine_page: Visit, classifier: Classifier) -> None:
    content = WAVS["between"]()
    chosen = ["jazz", "rock", "country"]
    found = classify(engine_page, content, genres=chosen)["document"]
    found.pop("spectrogram")
    expected = classifier.classify(content).restricted(chosen)
    assert differences(found, document(expected), 1e-3) == []


def test_an_unknown_genre_is_an_error(engine_page: Visit) -> None:
    found = classify(engine_page, WAVS["silence"](), genres=["jazz", "polka"])
    assert found == {"error": "The model lens has no genre polka."}


def test_documents_so_far(engine_page: Visit) -> None:
    """They have the fields of the last one, and what they contain grows."""
    y = np.tile(example("rock-riff"), 12)  # two minutes: four windows
    found = classify(engine_page, synth.write(y, RATE), "mix.wav")
    partial, last = found["partial"], found["document"]
    assert partial
    assert all(set(each) == set(last) - {"spectrogram"} for each in partial)
    heard = [each["heard"] for each in partial]
    assert heard == sorted(set(heard))
    for each in partial:
        assert each["duration"] == pytest.approx(last["duration"], abs=1e-3)
        assert each["heard"] < each["duration"]
        n = len(each["timeline"])
        assert each["sections"][-1]["end"] == pytest.approx(each["heard"])
        assert each["timeline"] == last["timeline"][:n]


def test_the_image_of_the_input(engine_page: Visit, classifier: Classifier) -> None:
    content = WAVS["rock"]()
    found = classify(engine_page, content)["document"]["spectrogram"]
    image = FeatureImage(classifier.metadata.features)
    prediction = classifier.classify(content, on_segments=image.add)
    expected = image.to_dict(prediction.segment_weights)
    pixels = [
        np.frombuffer(base64.b64decode(each.pop("data")), np.uint8) for each in (found, expected)
    ]
    assert np.abs(np.subtract(*pixels, dtype=int)).max() <= 1
    assert differences(found, expected, 1e-2) == []
