"""The classifier: inputs, windows, silence, excerpts, threads and memory."""

from __future__ import annotations

import io
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from genrelens import AudioError, AudioWarning, Classifier, ModelError, extract_segments
from genrelens.excerpts import open_excerpts
from genrelens.model_file import ModelFile
from support import synth, tiny
from support.small_models import write_model
from support.sparse import empty_wav

RATE = tiny.RATE
SECONDS_OF_SEGMENT = tiny.MEL.segment_seconds  # 0.32


def probabilities(classifier: Classifier, y: NDArray[Any], rate: float = RATE) -> NDArray[Any]:
    return classifier.classify_waveform(y, rate).probabilities


# -------------------------------------------------------------------------------- inputs


def test_clips_of_each_genre(classifier: Classifier) -> None:
    for genre in tiny.GENRES:
        assert classifier.classify_waveform(tiny.sound(genre, 3), RATE).genre == genre


def test_all_kinds_of_sources_have_the_same_result(classifier: Classifier, tmp_path: Path) -> None:
    content = synth.write(tiny.sound("clicks", 3), RATE)
    path = tmp_path / "clicks.wav"
    path.write_bytes(content)
    expected = classifier.classify(path)
    assert (expected.source, expected.model) == (str(path), "tiny")
    with path.open("rb") as file:
        sources = [str(path), content, io.BytesIO(content), file]
        results = [classifier.classify(source) for source in sources]
        results += [result for _, result in classifier.classify_many(sources[:3])]  # type: ignore
    for result in results:
        np.testing.assert_array_equal(result.probabilities, expected.probabilities)
        np.testing.assert_array_equal(result.segments, expected.segments)
    names = [str(path), "<bytes>", "<stream>", str(path)]
    assert [result.source for result in results[:4]] == names


@pytest.mark.parametrize("packaged", ["mel-cnn-lstm", "mfcc-lstm"])
def test_packaged_models_with_path_bytes_and_array(packaged: str) -> None:
    classifier = Classifier.load(packaged)
    path = Path(__file__).parents[2] / "examples" / "rock-riff.ogg"
    y, rate = soundfile.read(path)
    expected = classifier.classify(path)
    np.testing.assert_array_equal(
        classifier.classify(path.read_bytes()).probabilities, expected.probabilities
    )
    np.testing.assert_allclose(
        probabilities(classifier, y, rate), expected.probabilities, atol=1e-4
    )


@pytest.mark.parametrize(
    ("rate", "channels"), [(8000, 1), (11_025, 2), (22_050, 1), (44_100, 2), (96_000, 8)]
)
def test_any_rate_and_channels(classifier: Classifier, rate: int, channels: int) -> None:
    """A file is resampled block by block and a waveform at once; soxr rounds them differently."""
    tones = [synth.sine(330 * (number + 1), 1.5, rate, 0.9) for number in range(channels)]
    y = np.stack(tones, axis=1)
    from_file = classifier.classify(synth.write(y, rate, subtype="FLOAT"))
    from_array = classifier.classify_waveform(y, rate)
    np.testing.assert_allclose(from_array.probabilities, from_file.probabilities, atol=1e-5)
    assert from_array.duration == pytest.approx(1.5, abs=1e-3)
    assert from_file.duration == pytest.approx(1.5, abs=1e-3)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero"),
    [
        ("int8", 2**7, 0),
        ("int16", 2**15, 0),
        ("int32", 2**31, 0),
        ("uint8", 2**7, 2**7),
        ("uint16", 2**15, 2**15),
        ("float16", 1, 0),
        ("float32", 1, 0),
        ("float64", 1, 0),
    ],
)
def test_any_type_of_samples(classifier: Classifier, dtype: str, scale: int, zero: int) -> None:
    y = np.round(tiny.sound("chords", 3).astype(np.float64) * 100) / 128  # exact in every type
    samples = (y * scale + zero).astype(dtype)
    np.testing.assert_allclose(
        probabilities(classifier, samples), probabilities(classifier, y), atol=1e-6
    )


def test_level_changes_the_result(classifier: Classifier) -> None:
    """Otherwise the test above could not fail."""
    y = tiny.sound("chords", 3)
    assert np.abs(probabilities(classifier, y) - probabilities(classifier, y / 128)).max() > 0.05


@pytest.mark.parametrize(
    ("y", "rate", "error", "words"),
    [
        (np.zeros(0), RATE, AudioError, "no audio samples"),
        (np.zeros((0, 2)), RATE, AudioError, "no audio samples"),
        (np.zeros(1), 3_000_000, AudioError, "no audio samples"),
        (np.array([0.1, np.nan]), RATE, AudioError, "contains the sample nan"),
        (np.array([0.1, -np.inf]), RATE, AudioError, "contains the sample -inf; full scale is 1"),
        (np.array([0.1, 1e300]), RATE, AudioError, "contains the sample inf"),
        (np.array([0.1, 3e6]), RATE, AudioError, "contains the sample 3e"),
        (np.float64(0.5), RATE, ValueError, r"not shape \(\)"),
        (np.zeros((2, 3, 4)), RATE, ValueError, r"not shape \(2, 3, 4\)"),
        (np.zeros((2, 44_100)), RATE, ValueError, r"44100 channels.*did you mean y\.T"),
        (np.zeros(100, np.int64), RATE, TypeError, "int64 have no known full scale"),
        (np.zeros(100, np.complex64), RATE, TypeError, "complex64"),
        (np.zeros(100, bool), RATE, TypeError, "bool"),
        (["a"], RATE, TypeError, "<U1"),
        (np.zeros(100), 44.1, ValueError, r"sample_rate=44\.1 must be in 1000"),
        (np.zeros(100), 0, ValueError, "sample_rate=0"),
        (np.zeros(100), float("nan"), ValueError, "sample_rate=nan"),
    ],
)
def test_wrong_waveforms(
    classifier: Classifier, y: Any, rate: float, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        classifier.classify_waveform(y, rate)


def test_offset_and_duration(classifier: Classifier) -> None:
    y = np.concatenate([tiny.sound("noise", 2), tiny.sound("chords", 2), tiny.sound("noise", 2)])
    content = synth.write(y, RATE, subtype="FLOAT")
    part = classifier.classify(content, offset=2, duration=2)
    np.testing.assert_array_equal(
        part.probabilities, probabilities(classifier, y[2 * RATE : 4 * RATE])
    )
    assert (part.genre, part.duration) == ("chords", 2.0)


# ------------------------------------------------------------------ segments and windows


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def test_windows_are_averaged_by_their_length(recurrent: Classifier, recurrent_model: Path) -> None:
    """Windows hold 5 segments: 13 of them, the last of which adds 0.15, count 5, 5 and 2.15."""
    y = np.concatenate([tiny.sound(genre, 1.3) for genre in tiny.GENRES])
    segments = extract_segments(y, tiny.MEL)
    assert len(segments) == 13
    model_file = ModelFile.load(recurrent_model)
    outputs = [model_file.run(window) for window in np.split(segments, [5, 10])]
    first, second, third = (softmax(each.clip_logits) for each in outputs)
    prediction = recurrent.classify_waveform(y, RATE)
    np.testing.assert_allclose(
        prediction.probabilities, (5 * first + 5 * second + 2.15 * third) / 12.15, atol=1e-6
    )
    segment_logits = np.concatenate([each.segment_logits for each in outputs])
    np.testing.assert_allclose(prediction.segments, softmax(segment_logits), atol=1e-6)
    whole = softmax(model_file.run(segments).clip_logits)  # without windows
    assert np.abs(prediction.probabilities - whole).max() > 1e-3


def test_times_of_segments(classifier: Classifier) -> None:
    """The last one ends with the last whole hop (62 of 16 ms), and adds 2 of 20 frames."""
    prediction = classifier.classify_waveform(tiny.sound("noise", 1.0), RATE)
    np.testing.assert_allclose(prediction.segment_times, [0.0, 0.32, 0.64, 0.672])
    assert prediction.segment_weights == pytest.approx([1, 1, 1, 0.1])
    assert prediction.segments.shape == (4, 3)
    assert prediction.segment_seconds == pytest.approx(0.32)


@pytest.mark.parametrize(
    ("n_samples", "padded"),
    [(1, True), (tiny.MEL.min_samples - 1, True), (tiny.MEL.min_samples, False)],
)
def test_short_recordings_are_padded(classifier: Classifier, n_samples: int, padded: bool) -> None:
    prediction = classifier.classify_waveform(np.full(n_samples, 0.1), RATE)
    assert prediction.padded is padded
    assert len(prediction.segments) == 1
    assert prediction.duration == n_samples / RATE


@given(
    n_samples=st.integers(1, 4 * RATE),
    level=st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e6]),
    seed=st.integers(0, 99),
)
def test_probabilities_sum_to_one(
    classifier: Classifier, n_samples: int, level: float, seed: int
) -> None:
    y = level * np.random.default_rng(seed).uniform(-1, 1, n_samples)
    prediction = classifier.classify_waveform(y, RATE)
    for values in (prediction.probabilities[None], prediction.segments):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_temperature(recurrent: Classifier, temperature: float, tmp_path: Path) -> None:
    other = Classifier.load(write_model(tmp_path, recurrent=True, temperature=temperature))
    y = tiny.sound("noise", 1.5)  # one window: a softmax, not a mean of some
    cold = recurrent.classify_waveform(y, RATE).probabilities ** (1 / temperature)
    np.testing.assert_allclose(probabilities(other, y), cold / cold.sum(), rtol=1e-6)


@pytest.mark.slow  # it makes a model of its own with torch
def test_damaged_weights_stop_a_run(tmp_path: Path) -> None:
    """This is not an error of one recording, because all would fail."""
    path = write_model(tmp_path)
    proto = onnx.load(path)
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.shape == (3,):  # the biases
            tensor.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), tensor.name))
    onnx.save(proto, path)
    broken = Classifier.load(path)
    with pytest.raises(ModelError, match="its network returns NaN"):
        broken.classify_waveform(tiny.sound("noise", 1), RATE)
    with pytest.raises(ModelError, match="its network returns NaN"):
        list(broken.classify_many([synth.write(tiny.sound("noise", 1), RATE)] * 2, jobs=2))


# ---------------------------------------------------------------- silence, styles, excerpts


def test_all_optional_outputs(full: Classifier) -> None:
    """Noise, then silence of the same length; only the noise counts."""
    noise = tiny.sound("noise", 3.2)
    y = np.concatenate([noise, np.zeros_like(noise)])
    segments = extract_segments(y, tiny.MEL).astype(np.float64)
    loudness = segments.mean(axis=(1, 2))
    not_silent = np.arange(len(segments)) < 11  # the eleventh begins with a frame half of noise
    prediction = full.classify_waveform(y, RATE)
    music = 1 / (1 + np.exp(3 - loudness))
    assert music[:9].min() > 0.9
    assert prediction.segment_music == pytest.approx(np.where(not_silent, music, 0), abs=1e-5)
    assert prediction.music == pytest.approx(music[not_silent].mean(), abs=1e-5)
    weights = np.where(not_silent & (music >= 0.5), music, 0)
    loud, soft = (1 / (1 + np.exp(sign * (loudness - at))) for sign, at in ((-1, 5), (1, 2)))
    by_name = {style.name: style for style in prediction.styles}
    for name, values in (("loud", loud), ("soft", soft)):
        expected = float((weights * values).sum() / weights.sum())
        assert by_name[name].probability == pytest.approx(expected, abs=1e-5)
    assert (by_name["loud"].applies, by_name["soft"].applies) == (True, False)
    mean = segments[not_silent].mean(axis=(0, 1))
    assert prediction.embedding == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert (prediction.music_threshold, prediction.sure_threshold) == (0.5, 0.2)
    assert [each.verdict for each in prediction.sections] == ["genre", "silence"]
    assert prediction.sections[0].end == pytest.approx(3.2, abs=0.32)


@pytest.mark.parametrize(
    ("level", "verdict"), [(-69, "genre"), (-71, "silence"), (-200, "silence")]
)
def test_silence(classifier: Classifier, level: float, verdict: str) -> None:
    """One loud segment is enough for a genre."""
    y = 10 ** (level / 20) * np.sign(np.sin(np.arange(8 * RATE) * 0.3 + 0.1))
    prediction = classifier.classify_waveform(y, RATE)
    assert prediction.level == pytest.approx(max(level, -120), abs=0.02)
    assert prediction.verdict == verdict
    y[-RATE:] = 0.01
    assert classifier.classify_waveform(y, RATE).verdict == "genre"


def test_fast(recurrent: Classifier) -> None:
    """Chords in the three excerpts, noise elsewhere."""
    y = tiny.sound("noise", 150)
    for middle in (25, 75, 125):
        y[(middle - 16) * RATE : (middle + 16) * RATE] = tiny.sound("chords", 32)
    content = synth.write(y, RATE, subtype="FLOAT")
    prediction = recurrent.classify(content, fast=True)
    assert (prediction.heard, prediction.duration) == (90.0, 150.0)
    starts = (10, 60, 110)
    excerpts = [y[start * RATE : (start + 30) * RATE] for start in starts]
    expected = [recurrent.classify_waveform(excerpt, RATE) for excerpt in excerpts]
    n = len(expected[0].segments)
    assert n == 30 * RATE // (20 * 128) + 1
    np.testing.assert_allclose(
        prediction.probabilities, np.mean([each.probabilities for each in expected], axis=0)
    )
    np.testing.assert_array_equal(
        prediction.segments, np.concatenate([each.segments for each in expected])
    )
    own_times = np.append(0.32 * np.arange(n - 1), (1875 - 20) * 0.016)  # of 30 s
    times = np.concatenate([start + own_times for start in starts])
    np.testing.assert_allclose(prediction.segment_times, times)
    (_, result), *_ = recurrent.classify_many([content], fast=True)
    assert isinstance(result, type(prediction))
    assert result.to_dict(timeline=True) == prediction.to_dict(timeline=True)
    assert recurrent.classify(content).heard == 150


@pytest.mark.parametrize("sources", ["song.mp3", b"RIFF", Path("song.mp3")])
def test_one_recording_is_not_several(classifier: Classifier, sources: Any) -> None:
    with pytest.raises(TypeError, match=r"sources is one recording \(.+\); use classify"):
        classifier.classify_many(sources)


def test_fast_passes_on_the_features_of_the_excerpts(classifier: Classifier) -> None:
    content = synth.write(tiny.sound("noise", 100), RATE)
    runs: list[NDArray[Any]] = []
    classifier.classify(content, fast=True, on_segments=runs.append)
    excerpts, _ = open_excerpts(
        content, sample_rate=RATE, offset=0.0, duration=None, excerpt_seconds=30.0
    )
    samples = [np.concatenate(list(excerpt.blocks)) for excerpt in excerpts]
    expected = [extract_segments(y, tiny.MEL) for y in samples]
    np.testing.assert_array_equal(np.concatenate(runs), np.concatenate(expected))


# --------------------------------------------------------------------- threads and memory


def test_threads_do_not_disturb_each_other(recurrent: Classifier) -> None:
    sounds = [tiny.sound(genre, 2, seed) for seed in range(8) for genre in tiny.GENRES]
    start = threading.Barrier(4)

    def work(number: int) -> list[NDArray[Any]]:
        start.wait()
        return [probabilities(recurrent, y) for y in sounds[number:] + sounds[:number]]

    expected = [probabilities(recurrent, y) for y in sounds]
    with ThreadPoolExecutor(4) as pool:
        for number, results in enumerate(pool.map(work, range(4))):
            np.testing.assert_array_equal(results, expected[number:] + expected[:number])


def test_decoding_in_another_thread_changes_nothing(model: Path, tmp_path: Path) -> None:
    """Several runs of segments, errors and warnings; one thread decodes in the caller's."""
    y = np.concatenate([tiny.sound(genre, 40) for genre in tiny.GENRES])
    one, two = (Classifier.load(model, threads=threads) for threads in (1, 2))
    content = synth.write(np.stack([y, -0.5 * y[::-1]], axis=1), RATE)
    for options in ({}, {"fast": True}, {"offset": 70.0}):
        found = [each.classify(content, **options) for each in (one, two)]  # type: ignore[arg-type]
        assert found[0].to_dict(timeline=True) == found[1].to_dict(timeline=True)
    path = tmp_path / "cut.wav"
    path.write_bytes(content[: len(content) // 2])
    messages = []
    for each in (one, two):
        with pytest.warns(AudioWarning) as caught:
            each.classify(path)
        messages.append([str(warning.message) for warning in caught])
    assert messages[0] == messages[1]
    y[60 * RATE] = np.nan
    for each in (one, two):
        with pytest.raises(AudioError, match="contains the sample nan at 60"):
            each.classify(synth.write(y, RATE, subtype="FLOAT"))
    assert not [each for each in threading.enumerate() if each.name.startswith("genrelens")]


def test_an_early_end_stops_the_thread_that_decodes(model: Path, tmp_path: Path) -> None:
    endless = empty_wav(tmp_path / "endless.wav", 36 * 3600)
    n_before = threading.active_count()

    def fail(features: NDArray[Any]) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        Classifier.load(model, threads=2).classify(endless, on_segments=fail)
    assert threading.active_count() == n_before


def test_memory_does_not_grow_with_length(classifier: Classifier, tmp_path: Path) -> None:
    def peak(minutes: int) -> int:
        path = empty_wav(tmp_path / f"{minutes}.wav", 60 * minutes)
        tracemalloc.start()
        assert classifier.classify(path).duration == 60 * minutes
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(1)  # allocates what is allocated once
    assert peak(16) < peak(2) + 3_000_000  # 14 minutes more are 27 MB as float32
