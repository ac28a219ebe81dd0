"""Odd recordings, made from a bundled song, that former versions classified wrongly."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrelens import Classifier, Prediction, load_audio, stream_audio
from support import synth

Float32 = NDArray[np.float32]

SONG = Path(__file__).parents[2] / "examples" / "jazz-quartet.ogg"
RATE = 44_100


@pytest.fixture(scope="module")
def song() -> Float32:
    """20 s of jazz, (n, 2)."""
    samples, rate = soundfile.read(SONG, dtype="float32", frames=20 * RATE)
    assert (rate, samples.shape[1]) == (RATE, 2)
    return np.asarray(samples)


@pytest.fixture(scope="module")
def lens() -> Classifier:
    return Classifier.load("lens")


@pytest.fixture(scope="module")
def plain(lens: Classifier, song: Float32) -> Prediction:
    prediction = classify(lens, song)
    assert (prediction.verdict, prediction.genre) == ("genre", "jazz")
    return prediction


def classify(lens: Classifier, y: Float32, *, fast: bool = False) -> Prediction:
    """Classify samples as a file and as an array; the results must agree."""
    from_file = lens.classify(synth.write(y, RATE, subtype="FLOAT"), fast=fast)
    if not fast:
        from_array = lens.classify_waveform(y, RATE)
        np.testing.assert_allclose(from_array.probabilities, from_file.probabilities, atol=1e-4)
    return from_file


def close(prediction: Prediction, expected: Prediction, tolerance: float) -> bool:
    difference = np.abs(prediction.probabilities - expected.probabilities).max()
    return bool(difference <= tolerance) and prediction.verdict == expected.verdict


# --------------------------------------------------------------------------- the mono mix


def test_one_channel_inverted(lens: Classifier, song: Float32, plain: Prediction) -> None:
    assert close(classify(lens, song * np.float32([1, -1])), plain, 1e-3)


def test_channels_that_cancel_completely(lens: Classifier, song: Float32) -> None:
    mono = song.mean(axis=1)
    inverted = np.stack([mono, -mono], axis=1)
    expected = lens.classify_waveform(mono, RATE)
    assert close(classify(lens, inverted), expected, 1e-3)
    surround = np.stack([mono, -mono, 0 * mono, 0 * mono, mono, -mono], axis=1)
    assert close(lens.classify_waveform(surround, RATE), expected, 1e-3)


def test_a_channel_inverted_in_one_half(lens: Classifier, song: Float32, plain: Prediction) -> None:
    half = song.copy()
    half[8 * RATE : 16 * RATE, 1] *= -1
    assert close(classify(lens, half), plain, 0.15)  # the mix may change one second early or late


@pytest.mark.parametrize("channel", [0, 1])
def test_a_dead_channel(lens: Classifier, song: Float32, channel: int) -> None:
    """The mix is half as loud as the other channel; ``lens`` does not depend on the level."""
    dead = song.copy()
    dead[:, channel] = 0
    live = lens.classify_waveform(song[:, 1 - channel], RATE)
    assert close(classify(lens, dead), live, 5e-3)


@pytest.mark.parametrize("milliseconds", [0.5, 1, 10])
def test_a_delayed_channel(lens: Classifier, song: Float32, milliseconds: float) -> None:
    """With the plain mean, a delay of 0.5 ms gives "reggae" and 1 ms "not sure"."""
    mono = song.mean(axis=1)
    n = round(milliseconds * RATE / 1000)
    delayed = np.stack([mono[n:], mono[: len(mono) - n]], axis=1)
    assert close(classify(lens, delayed), lens.classify_waveform(mono, RATE), 0.2)


# ------------------------------------------------------------------------------- silence


def silence(seconds: float) -> Float32:
    return np.zeros((round(seconds * RATE), 2), np.float32)


@pytest.mark.parametrize("before", [0, 60])
@pytest.mark.parametrize("after", [0, 60])
def test_silence_does_not_change_the_genre(
    before: int, after: int, lens: Classifier, song: Float32, plain: Prediction
) -> None:
    prediction = classify(lens, np.concatenate([silence(before), song, silence(after)]))
    assert prediction.genre == "jazz"
    assert prediction.verdict == "genre"
    assert prediction.music == pytest.approx(plain.music, abs=0.1)
    verdicts = ["silence"] * bool(before) + ["genre"] + ["silence"] * bool(after)
    assert [section.verdict for section in prediction.sections] == verdicts


@pytest.mark.parametrize("fast", [False, True])
def test_a_hidden_track_is_classified(lens: Classifier, song: Float32, fast: bool) -> None:
    """A song, five minutes of silence and another song; the fast mode decodes all of it."""
    other, _ = soundfile.read(SONG.with_name("pachelbel-canon.ogg"), dtype="float32")
    y = np.concatenate([song, silence(300), other[: 20 * RATE]])
    prediction = classify(lens, y, fast=fast)
    assert prediction.heard == pytest.approx(340, abs=0.1)
    first, second, third = prediction.sections
    assert (first.genre, second.verdict, third.genre) == ("jazz", "silence", "classical")
    assert (second.start, second.end) == pytest.approx((20, 320), abs=3)
    assert prediction.probabilities[list(prediction.labels).index("jazz")] > 0.3
    assert prediction.probabilities[list(prediction.labels).index("classical")] > 0.3
    assert prediction.music == pytest.approx(1, abs=0.25)


def test_the_timeline_shows_silence(lens: Classifier, song: Float32) -> None:
    document = classify(lens, np.concatenate([song, silence(12)])).to_dict(timeline=True)
    last = document["timeline"][-1]
    assert last["end"] == document["duration"] == 32
    assert last["music"] == 0
    assert set(last["probabilities"]) == {1 / len(document["labels"])}


# ------------------------------------------------------------------------- the last segment


@pytest.mark.parametrize("seconds", [5.4, 5.9, 20.0])
def test_the_last_segment_ends_with_the_recording(
    lens: Classifier, song: Float32, seconds: float
) -> None:
    prediction = classify(lens, song[: round(seconds * RATE)])
    end = prediction.segment_times[-1] + prediction.segment_seconds
    assert end <= seconds
    assert end == pytest.approx(seconds, abs=0.016)
    assert prediction.to_dict(timeline=True)["timeline"][-1]["end"] == pytest.approx(end)
    assert prediction.segment_weights is not None
    covered = prediction.segment_weights.sum() * prediction.segment_seconds
    assert covered == pytest.approx(seconds, abs=0.016)


def test_the_last_segment_is_weighted_by_its_new_frames(lens: Classifier, song: Float32) -> None:
    """2.99 s of jazz and 2.4 s of Bach: the second segment ends with the recording."""
    other, _ = soundfile.read(SONG.with_name("bach-prelude.ogg"), dtype="float32")
    n = round(2.992 * RATE)
    prediction = classify(lens, np.concatenate([song[10 * RATE :][:n], other[: round(2.4 * RATE)]]))
    assert len(prediction.segments) == 2
    classical = list(prediction.labels).index("classical")
    assert prediction.segments[1, classical] > prediction.segments[0, classical]


def test_shorter_than_a_segment(lens: Classifier) -> None:
    """It is too short to rely on, although one genre is very probable."""
    metal, _ = soundfile.read(SONG.with_name("metal-war-of-freedom.ogg"), dtype="float32")
    prediction = classify(lens, metal[10 * RATE : 11 * RATE])
    assert (prediction.padded, prediction.verdict) == (True, "not sure")
    assert prediction.answer.startswith("not sure: ")
    assert prediction.probabilities.max() > 0.9
    assert [section.verdict for section in prediction.sections] == ["not sure"]
    quiet = lens.classify_waveform(np.zeros(RATE), RATE)
    assert (quiet.verdict, [each.verdict for each in quiet.sections]) == ("silence", ["silence"])


# ----------------------------------------------------------------------------- DC offset


def test_a_dc_offset_does_not_count(lens: Classifier, song: Float32) -> None:
    quiet = song * np.float32(0.45)
    expected = classify(lens, quiet)
    shifted = classify(lens, quiet + np.float32(0.4))
    assert close(shifted, expected, 5e-3)
    assert shifted.level == pytest.approx(expected.level, abs=0.01)
    assert lens.classify_waveform(np.full(320_000, 0.4), 16_000).verdict == "silence"


# -------------------------------------------------------------------------------- blocks


def opposed(song: Float32) -> Float32:
    half = song.copy()
    half[6 * RATE : 14 * RATE, 1] *= -1
    return half


def three_to_one(song: Float32) -> Float32:
    return np.concatenate([song, -song[:, :1]], axis=1)


@pytest.mark.parametrize("make", [opposed, three_to_one])
@pytest.mark.parametrize("block_seconds", [0.01, 0.7, 1.0, 10.0])
def test_the_mix_does_not_depend_on_blocks(
    make: Callable[[Float32], Float32], block_seconds: float, song: Float32
) -> None:
    content = synth.write(make(song), RATE, "FLAC")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = load_audio(content, sample_rate=RATE)
        blocks = stream_audio(content, sample_rate=RATE, block_seconds=block_seconds)
        np.testing.assert_array_equal(np.concatenate(list(blocks)), whole)
    assert len(whole) == len(song)
