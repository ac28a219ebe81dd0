"""The models in the package: what they say of the bundled clips, and of real music."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrelens import Classifier
from genrelens.artifact import DEFAULT_MODEL, Artifact, packaged_models
from genrelens.data.datasets import read_folder
from genrelens.data.splits import split_by_file
from genrelens.evaluation.evaluate import evaluate

ROOT = Path(__file__).resolve().parent.parent
GTZAN = ROOT.parent / "shared" / "gtzan"
NINE = ("classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
TRAINED_ON = {"mel-cnn-lstm": 552, "mfcc-lstm": 392}
GOLDEN = json.loads((ROOT / "tests" / "golden.json").read_text())


def test_what_ships() -> None:
    assert packaged_models() == [DEFAULT_MODEL, "mfcc-lstm"]
    assert set(GOLDEN) == set(packaged_models())


@pytest.mark.parametrize("name", packaged_models())
def test_card_is_complete(name: str) -> None:
    metadata = Artifact.load(name).metadata
    assert metadata.name == name
    assert metadata.labels == NINE
    assert metadata.label_map == {"blues": "jazz"}
    assert sum(metadata.provenance["data"]["clips"]["train"].values()) == TRAINED_ON[name]
    figures = metadata.metrics["valid"][metadata.provenance["recipe"]["network"]]
    assert figures["n"] == 160
    low, high = figures["accuracy_interval"]
    assert 0 < low < figures["accuracy"] < high < 1


@pytest.mark.parametrize("name", packaged_models())
def test_golden_outputs(name: str) -> None:
    classifier = Classifier.load(name)
    for clip, expected in GOLDEN[name].items():
        prediction = classifier.classify(ROOT / "examples" / clip)
        # Decoders and processors may differ in the last bits of a float32.
        assert dict(prediction.top()) == pytest.approx(expected, abs=1e-4), clip


def test_demo_clip_is_heard_as_what_it_is() -> None:
    assert Classifier.load().classify(ROOT / "examples" / "disco-groove.ogg").genre == "disco"


@pytest.mark.skipif(not GTZAN.exists(), reason="needs the GTZAN clips in ../shared/gtzan")
@pytest.mark.filterwarnings("ignore::genrelens.errors.DataWarning")
def test_real_music_is_recognised() -> None:
    """The packaged model was trained on these clips: it must know nearly all of them."""
    clips = split_by_file(GTZAN / "clips.csv", read_folder(GTZAN / "audio"))[::12]
    result = evaluate(Classifier.load(threads=1), clips, jobs=2)
    assert not result.failed
    assert result.accuracy > 0.8
