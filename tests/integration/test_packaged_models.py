"""The packaged models: their metadata, and their results for bundled clips and real music."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from genrelens import Classifier, load_audio
from genrelens.data.folders import read_folder
from genrelens.data.splits import split_by_file
from genrelens.evaluation.run import evaluate
from genrelens.model_file import DEFAULT_MODEL, ModelFile, packaged_models
from support import synth

ROOT = Path(__file__).resolve().parents[2]
GTZAN = ROOT.parent / "shared" / "gtzan"
MODERN_FOLDERS = {
    genre: name
    for genre, name in tomllib.loads((ROOT / "scripts/modern-genres.toml").read_text()).items()
    if name
}
NINE = ("classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
MODERN = ("ambient", "blues", "electronic", "folk", "latin", "punk", "rnb")
LABELS = {"lens": tuple(sorted((*NINE, *MODERN))), "mel-cnn-lstm": NINE, "mfcc-lstm": NINE}
RENAMED = {
    "lens": {genre: name for genre, name in MODERN_FOLDERS.items() if genre != name},
    "mel-cnn-lstm": {"blues": "jazz"},
    "mfcc-lstm": {"blues": "jazz"},
}
TRAINED_ON = {"lens": 1477, "mel-cnn-lstm": 552, "mfcc-lstm": 392}
MEASURED = {
    "lens": ("grouped", 1477),
    "mel-cnn-lstm": ("grouped", 552),
    "mfcc-lstm": ("valid", 160),
}
GOLDEN = json.loads((ROOT / "tests" / "golden.json").read_text())


def test_names_of_the_packaged_models() -> None:
    assert DEFAULT_MODEL == "lens"
    assert packaged_models() == ["lens", "mel-cnn-lstm", "mfcc-lstm"]
    assert set(GOLDEN) == set(packaged_models())


@pytest.mark.parametrize("name", packaged_models())
def test_metadata_are_complete(name: str) -> None:
    metadata = ModelFile.load(name).metadata
    assert metadata.name == name
    assert metadata.labels == LABELS[name]
    assert metadata.label_map == RENAMED[name]
    assert sum(metadata.provenance["data"]["clips"]["train"].values()) == TRAINED_ON[name]
    protocol, n_clips = MEASURED[name]
    figures = metadata.metrics[protocol][metadata.provenance["recipe"]["network"]]
    assert figures["n"] == n_clips
    low, high = figures["accuracy_interval"]
    assert 0 < low < figures["accuracy"] < high < 1


@pytest.mark.parametrize("name", packaged_models())
def test_golden_outputs(name: str) -> None:
    classifier = Classifier.load(name)
    for clip, expected in GOLDEN[name].items():
        prediction = classifier.classify(ROOT / "examples" / clip)
        # Decoders and processors may differ in the last bits of a float32.
        assert dict(prediction.top()) == pytest.approx(expected, abs=1e-4), clip


@pytest.mark.parametrize(("name", "seconds"), [("lens", 45), ("mel-cnn-lstm", 90)])
def test_fast(name: str, seconds: float) -> None:
    """The set head of ``lens`` needs fewer segments than a network of 2018."""
    y = load_audio(ROOT / "examples" / "jazz-quartet.ogg", sample_rate=22_050)
    song = synth.write(np.tile(y, 4), 22_050)
    prediction = Classifier.load(name).classify(song, fast=True)
    assert prediction.heard == pytest.approx(seconds, abs=0.1)
    assert prediction.top(1)[0][0] == "jazz"


def test_a_clip_of_one_section_has_one_probability() -> None:
    """The timeline and the answer agree."""
    prediction = Classifier.load().classify(ROOT / "examples" / "jazz-quartet.ogg")
    (section,) = prediction.sections
    assert (section.genre, section.verdict) == (prediction.genre, prediction.verdict)
    assert section.probability == pytest.approx(prediction.probabilities.max(), abs=1e-6)


def test_the_default_model_has_modern_styles() -> None:
    styles = {style.name for style in ModelFile.load().metadata.styles}
    required = {"electronic", "house", "trance", "hip-hop", "rnb", "soul", "k-pop", "indie", "folk"}
    assert {*required, "ambient", "hard rock", "reggaeton"} <= styles
    assert len(styles) >= 25


def test_the_default_model_recognises_noise_tones_and_silence() -> None:
    classifier = Classifier.load()
    rng = np.random.default_rng(0)
    time = np.arange(10 * 22_050) / 22_050
    noise = classifier.classify_waveform(0.1 * rng.standard_normal(len(time)), 22_050)
    tone = classifier.classify_waveform(0.3 * np.sin(2 * np.pi * 440 * time), 22_050)
    silence = classifier.classify_waveform(np.zeros(len(time)), 22_050)
    verdicts = [prediction.verdict for prediction in (noise, tone, silence)]
    assert verdicts == ["not music", "not music", "silence"]


def test_loudness_has_no_influence() -> None:
    y = load_audio(ROOT / "examples" / "jazz-quartet.ogg", sample_rate=22_050)
    loud, quiet = (Classifier.load().classify_waveform(gain * y, 22_050) for gain in (1, 0.1))
    assert quiet.probabilities == pytest.approx(loud.probabilities, abs=0.01)


def test_genre_of_the_demo_clip() -> None:
    assert Classifier.load().classify(ROOT / "examples" / "jazz-quartet.ogg").genre == "jazz"


@pytest.mark.skipif(not GTZAN.exists(), reason="needs the GTZAN clips in ../shared/gtzan")
@pytest.mark.filterwarnings("ignore::genrelens.errors.DataWarning")
def test_real_music() -> None:
    """The packaged model was trained on these clips, so nearly all must be right."""
    clips = split_by_file(GTZAN / "clips.csv", read_folder(GTZAN / "audio"))[::12]
    result = evaluate(Classifier.load(threads=1), clips, jobs=2)
    assert not result.failed
    assert result.accuracy > 0.8
