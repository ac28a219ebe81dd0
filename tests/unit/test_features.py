"""The front end against librosa and scipy, against closed forms, and in blocks."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrelens.features import (
    ORIGINAL_MEL,
    ORIGINAL_MFCC,
    FeatureConfig,
    extract_features,
    extract_segments,
    hz_to_mel,
    iter_measured_segments,
    iter_segments,
    log_mel_spectrogram,
    mel_band_centres,
    mel_filterbank,
    mel_spectrogram,
    mel_to_hz,
    mfcc,
    power_to_db,
    segment_starts,
    segment_weights,
    spectrogram,
)
from genrelens.highpass import high_pass
from genrelens.mel import dct_matrix
from support import synth

Float32 = NDArray[np.float32]

SMALL = FeatureConfig(
    kind="mel",
    sample_rate=8000,
    n_fft=256,
    hop_length=100,
    n_mels=20,
    f_min=0,
    f_max=4000,
    segment_frames=10,
    segment_hop=7,
)
LONG = synth.noise(12.5, 8000)  # 1000 frames, more than one run
SMALL_MFCC = replace(SMALL, kind="mfcc", n_mfcc=12)
FRONT_ENDS = {
    "original mel": ORIGINAL_MEL,
    "original MFCC": ORIGINAL_MFCC,
    "22 kHz": FeatureConfig(
        kind="mfcc",
        sample_rate=22_050,
        n_fft=2048,
        hop_length=512,
        n_mels=128,
        f_min=0,
        f_max=11_025,
        n_mfcc=13,
    ),
    "odd hop": FeatureConfig(
        kind="mfcc",
        sample_rate=22_050,
        n_fft=1024,
        hop_length=333,
        n_mels=64,
        f_min=50,
        f_max=8000,
        n_mfcc=64,
    ),
    "hop of a window": FeatureConfig(
        kind="mfcc",
        sample_rate=8000,
        n_fft=256,
        hop_length=256,
        n_mels=20,
        f_min=0,
        f_max=4000,
        n_mfcc=20,
    ),
    "window no power of two": FeatureConfig(
        kind="mfcc",
        sample_rate=48_000,
        n_fft=1200,
        hop_length=480,
        n_mels=96,
        f_min=20.5,
        f_max=20_000,
        n_mfcc=40,
    ),
}
SIGNALS: dict[str, Callable[[int], Float32]] = {
    "noise": lambda rate: synth.noise(13, rate),  # more frames than one run
    "sweep": lambda rate: synth.sweep(2, rate),
    "music": lambda rate: synth.music(2, rate),
    "short": lambda rate: synth.noise(0.01, rate),
    "one sample": lambda rate: np.array([0.5], np.float32),
    "silence": lambda rate: np.zeros(rate, np.float32),
}

# ------------------------------------------------------------------------- against librosa


def librosa_power(y: Float32, config: FeatureConfig) -> Float32:
    import librosa

    stft = librosa.stft(
        y, n_fft=config.n_fft, hop_length=config.hop_length, center=True, pad_mode="constant"
    )
    return np.square(np.abs(stft)).T


def librosa_mel_db(y: Float32, config: FeatureConfig) -> Float32:
    import librosa

    mel = librosa.feature.melspectrogram(
        y=y,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        pad_mode="constant",
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max,
    )
    return librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None).T


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal")  # librosa's
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_equal_to_librosa(name: str, signal: str) -> None:
    import librosa

    config = FRONT_ENDS[name]
    y = SIGNALS[signal](config.sample_rate)

    expected = librosa.power_to_db(librosa_power(y, config), ref=1.0, amin=1e-10, top_db=None)
    bins = power_to_db(spectrogram(y, n_fft=config.n_fft, hop_length=config.hop_length))
    assert bins.shape == expected.shape == (1 + len(y) // config.hop_length, 1 + config.n_fft // 2)
    # A float32 Fourier transform has noise about 130 dB below the peak of a frame, so two of them
    # agree to 1e-3 dB only well above it.
    peak = expected.max(axis=1, keepdims=True)
    near = expected > peak - 70
    np.testing.assert_allclose(bins[near], expected[near], atol=1e-3, rtol=0)

    expected = librosa_mel_db(y, config)
    bands = power_to_db(mel_spectrogram(y, config))
    assert bands.shape == expected.shape == (len(bins), config.n_mels)
    near = expected > peak - (90 if signal == "sweep" else np.inf)  # a tone has empty bands
    np.testing.assert_allclose(bands[near], expected[near], atol=1e-3, rtol=0)

    n_mfcc = config.n_mfcc or 20
    expected = librosa.feature.mfcc(S=bands.T, n_mfcc=n_mfcc).T
    cepstra = mfcc(y, replace(config, kind="mfcc", n_mfcc=n_mfcc))
    np.testing.assert_allclose(cepstra, expected, atol=1e-3, rtol=2e-6)  # float32 of -1000 dB


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_error_is_no_larger_than_that_of_librosa(name: str) -> None:
    """The reference is librosa in float64."""
    config = FRONT_ENDS[name]
    y = synth.sweep(2, config.sample_rate)
    exact = librosa_power(y.astype(np.float64), config)
    ours = spectrogram(y, n_fft=config.n_fft, hop_length=config.hop_length)
    peak = exact.max(axis=1, keepdims=True)
    error, theirs = (
        np.abs(np.sqrt(power) - np.sqrt(exact)) / np.sqrt(peak)
        for power in (ours, librosa_power(y, config))
    )
    assert error.max() < 2 * theirs.max()
    assert error.max() < 1e-6  # -120 dB


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_filters_equal_librosa(name: str) -> None:
    import librosa

    config = FRONT_ENDS[name]
    filters = mel_filterbank(
        sample_rate=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        f_min=config.f_min,
        f_max=config.f_max,
    )
    expected = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max,
    )
    np.testing.assert_allclose(filters, expected, atol=1e-8, rtol=0)
    assert expected.max() > 1e-3


def test_the_mel_scale_equals_librosa_and_is_invertible() -> None:
    import librosa

    hz = np.array([0, 1, 440, 999.9, 1000, 1000.1, 8000, 22_050])
    np.testing.assert_allclose(hz_to_mel(hz), librosa.hz_to_mel(hz), rtol=1e-12)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, rtol=1e-12)
    centres = librosa.mel_frequencies(22, fmin=0, fmax=4000)[1:-1]
    np.testing.assert_allclose(mel_band_centres(SMALL), centres, rtol=1e-12)


@pytest.mark.parametrize(("n_in", "n_out"), [(40, 20), (128, 128), (1, 1)])
def test_the_cosine_transform_equals_scipy(n_in: int, n_out: int) -> None:
    import scipy.fft

    x = synth.noise(1, n_in * 5).reshape(5, n_in)
    expected = scipy.fft.dct(x, norm="ortho", axis=1)[:, :n_out]
    np.testing.assert_allclose(x @ dct_matrix(n_in, n_out), expected, atol=1e-6)


@pytest.mark.parametrize("matrix", [mel_filterbank, dct_matrix])
def test_shared_matrices_are_read_only(matrix: Callable[..., Float32]) -> None:
    if matrix is dct_matrix:
        shared = matrix(8, 4)
    else:
        shared = matrix(sample_rate=8000, n_fft=64, n_mels=4, f_min=0, f_max=4000)
    with pytest.raises(ValueError, match="read-only"):
        shared[0, 0] = 1


# ------------------------------------------------------------------------- original shapes


@pytest.mark.parametrize(
    ("config", "shape"), [(ORIGINAL_MEL, (32, 41, 128)), (ORIGINAL_MFCC, (69, 41, 20))]
)
def test_the_original_front_ends_on_a_clip_of_30_s(
    config: FeatureConfig, shape: tuple[int, ...]
) -> None:
    segments = extract_segments(synth.noise(30, config.sample_rate), config)
    assert segments.shape == shape
    assert segments.dtype == np.float32


# ----------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("k", [1, 40, 127])
def test_the_power_of_a_sine_at_a_bin(k: int) -> None:
    rate, n_fft, level = 8000, 256, 0.5
    y = synth.sine(k * rate / n_fft, 1, rate, level)
    frame = spectrogram(y, n_fft=n_fft, hop_length=100)[20]
    assert np.argmax(frame) == k
    assert frame[k] == pytest.approx((level * n_fft / 4) ** 2, rel=1e-5)
    others = np.delete(frame, [k - 1, k, k + 1])  # Hann's spectrum is three bins wide
    assert others.max() < 1e-9 * frame[k]


def test_the_spectrum_of_an_impulse_is_the_window_at_its_position() -> None:
    y = np.zeros(2000, np.float32)
    y[1000] = 0.5
    power = spectrogram(y, n_fft=256, hop_length=100)
    for frame in range(21):
        position = 1000 - 100 * frame + 128
        window = np.sin(np.pi * position / 256) ** 2 if 0 <= position < 256 else 0
        np.testing.assert_allclose(power[frame], (0.5 * window) ** 2, rtol=1e-5, atol=1e-14)


def test_silence_is_zero_in_mel_and_the_floor_in_db() -> None:
    y = np.zeros(1000, np.float32)
    np.testing.assert_array_equal(log_mel_spectrogram(y, SMALL), 0)
    cepstra = mfcc(y, SMALL_MFCC)
    np.testing.assert_allclose(cepstra[:, 0], -100 * np.sqrt(SMALL.n_mels), rtol=1e-6)
    np.testing.assert_allclose(cepstra[:, 1:], 0, atol=1e-3)


def test_log_mel_is_the_logarithm_of_one_plus_c_mel() -> None:
    y = synth.music(1, SMALL.sample_rate)
    config = replace(SMALL, log_scale=100.0)
    expected = np.log(1 + 100 * mel_spectrogram(y, config).astype(np.float64))
    np.testing.assert_allclose(log_mel_spectrogram(y, config), expected, rtol=1e-4, atol=1e-6)


def test_power_to_db() -> None:
    db = power_to_db([[1, 10, 0.5], [0, 1e-10, 1e-11]])
    np.testing.assert_allclose(db, [[0, 10, -3.0103], [-100, -100, -100]], rtol=1e-5)
    np.testing.assert_allclose(power_to_db([1e-7, 0], floor_db=-60), [-60, -60], rtol=1e-6)
    assert db.dtype == np.float32


@pytest.mark.parametrize("n_samples", [1, 99, 100, 51_100, 51_199, 51_200, 51_201])
def test_frames_are_centred_on_multiples_of_the_hop(n_samples: int) -> None:
    assert len(extract_features(LONG[:n_samples], SMALL)) == 1 + n_samples // SMALL.hop_length


@pytest.mark.parametrize("config", [SMALL, SMALL_MFCC])
def test_segments_are_consecutive_frames(config: FeatureConfig) -> None:
    """Of 81 frames, segments of 10 frames every 7 frames end with frame 79, as the waveform."""
    y = synth.music(1, config.sample_rate)
    frames = extract_features(high_pass(y, config.sample_rate), config)
    kind = log_mel_spectrogram if config.kind == "mel" else mfcc
    np.testing.assert_array_equal(frames, kind(high_pass(y, config.sample_rate), config))
    segments = extract_segments(y, config)
    starts = range(0, 71, 7)
    np.testing.assert_array_equal(segments, [frames[start : start + 10] for start in starts])


@pytest.mark.parametrize(
    ("n_samples", "starts", "last"),
    [
        (1, [0], 1),
        (900, [0], 1),
        (999, [0], 1),
        (1000, [0], 1),
        (1099, [0], 1),
        (1100, [0, 1], 0.1),
        (1900, [0, 10], 1),
        (1899, [0, 8], 0.8),
        (2099, [0, 10], 1),
        (2950, [0, 10, 20], 1),
        (2799, [0, 10, 17], 0.7),
    ],
)
def test_the_last_segment_ends_with_the_waveform(
    n_samples: int, starts: list[int], last: float
) -> None:
    """It ends with the last whole hop of 100 samples; its weight is the share of new frames."""
    config = replace(SMALL, segment_hop=10)
    y = synth.music(1, config.sample_rate)[:n_samples]
    runs = list(iter_measured_segments([y], config))
    found = np.concatenate([run.starts for run in runs])
    assert found.tolist() == starts
    n_frames = max(10, 1 + n_samples // 100)
    assert segment_starts(n_frames, config).tolist() == starts
    assert segment_weights(found, config) == pytest.approx([1.0] * (len(starts) - 1) + [last])
    missing = max(0, config.min_samples - n_samples)
    frames = extract_features(np.pad(high_pass(y, config.sample_rate), (0, missing)), config)
    expected = [frames[start : start + 10] for start in starts]
    np.testing.assert_array_equal(np.concatenate([run.features for run in runs]), expected)


def test_the_levels_of_segments() -> None:
    """The level of a square wave is its amplitude; an offset has no influence."""
    y = np.repeat([0.5, 0.05, 0.0], 2000) * np.tile(np.repeat([1, -1], 4), 750) + 0.3
    runs = list(iter_measured_segments([y], replace(SMALL, segment_hop=10)))
    levels = np.concatenate([run.levels for run in runs])
    assert levels[[0, 3]] == pytest.approx(20 * np.log10([0.5, 0.05]), abs=0.01)
    assert levels[5:].max() < -100


@pytest.mark.parametrize("n_samples", [1, 100, SMALL.min_samples - 1, SMALL.min_samples])
def test_a_short_waveform_is_padded_to_one_segment(n_samples: int) -> None:
    y = synth.noise(1, SMALL.sample_rate)[:n_samples]
    segments = extract_segments(y, SMALL)
    assert segments.shape == (1, 10, 20)
    padded = np.pad(high_pass(y, SMALL.sample_rate), (0, SMALL.min_samples - n_samples))
    np.testing.assert_array_equal(segments[0], extract_features(padded, SMALL))


# -------------------------------------------------------------------------------- in blocks


@pytest.mark.parametrize("config", [SMALL, SMALL_MFCC], ids=["mel", "mfcc"])
@given(
    cuts=st.lists(st.integers(0, 100_000), max_size=40),
    n_samples=st.integers(1, 100_000),
    segment_hop=st.integers(1, 10),
)
def test_blocks_give_the_same_result_as_the_whole_waveform(
    config: FeatureConfig, cuts: list[int], n_samples: int, segment_hop: int
) -> None:
    config = replace(config, segment_hop=segment_hop)
    y = LONG[:n_samples]
    blocks = np.split(y, sorted(min(cut, n_samples) for cut in cuts))
    pieces = list(iter_segments(blocks, config))
    assert all(len(piece) for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), extract_segments(y, config))


@pytest.mark.parametrize("config", [SMALL, SMALL_MFCC], ids=["mel", "mfcc"])
def test_distant_samples_have_no_influence(config: FeatureConfig) -> None:
    """Nothing is normalised over the recording, so a part 80 dB louder changes no other part."""
    quiet = np.float32(1e-3) * LONG
    loud = quiet.copy()
    loud[:40_000] *= np.float32(1e4)
    first = (40_000 + config.n_fft // 2) // config.hop_length + 1  # window begins after the change
    ours, before = (extract_features(y, config) for y in (loud, quiet))
    np.testing.assert_array_equal(ours[first:], before[first:])
    assert np.abs(ours[: first - 3] - before[: first - 3]).max() > 1


def test_segments_come_before_the_last_block() -> None:
    read = []

    def blocks() -> Iterator[Float32]:
        for number in range(100):
            read.append(number)
            yield LONG[:8000]

    next(iter_segments(blocks(), SMALL))
    assert len(read) < 10


# ------------------------------------------------------------------------------- errors

BAD_WAVEFORMS = {
    "no samples": np.zeros(0, np.float32),
    "one-dimensional": np.zeros((2, 100), np.float32),
    "not of shape \\(\\)": np.float32(0.5),
    "NaN": np.array([0, np.nan, 0], np.float32),
    "infinite": np.array([0, np.inf], np.float32),
    "above 1e6": np.array([0, 1e300]),
    "not int16": np.zeros(100, np.int16),
    "not complex": np.zeros(100, np.complex64),
}


@pytest.mark.parametrize("message", BAD_WAVEFORMS)
@pytest.mark.parametrize("function", [mel_spectrogram, extract_features, extract_segments])
def test_an_invalid_waveform_is_an_error(function: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(BAD_WAVEFORMS[message], SMALL)


def test_an_invalid_block_is_an_error() -> None:
    stream = iter_segments([LONG, np.array([np.nan], np.float32)], SMALL)
    assert len(next(stream))
    with pytest.raises(ValueError, match="NaN"):
        list(stream)


def test_no_blocks_are_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        list(iter_segments([], SMALL))


@pytest.mark.parametrize(
    ("n_fft", "hop_length"), [(255, 100), (0, 1), (256, 0), (256, 257), (256, -1)]
)
def test_invalid_settings_of_frames(n_fft: int, hop_length: int) -> None:
    with pytest.raises(ValueError, match=f"n_fft={n_fft}|hop_length={hop_length}"):
        spectrogram(LONG, n_fft=n_fft, hop_length=hop_length)


def test_float64_is_converted_to_float32() -> None:
    y = synth.music(1, SMALL.sample_rate)
    segments = list(iter_segments([y.astype(np.float64)], SMALL))
    np.testing.assert_array_equal(np.concatenate(segments), extract_segments(y, SMALL))
    assert segments[0].dtype == np.float32
