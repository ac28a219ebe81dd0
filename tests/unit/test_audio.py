"""Decoding, mixing, resampling, seeking and streaming of good files."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrelens import decoders
from genrelens.audio import AUDIO_SUFFIXES, load_audio, probe, stream_audio
from genrelens.features import FeatureConfig, iter_segments
from support import synth

Float32 = NDArray[np.float32]
RATE = 48_000
STEREO = synth.stereo(3, RATE)
MONO = STEREO.mean(axis=1)


def load(source: bytes | Path, **options: Any) -> Float32:
    return load_audio(source, sample_rate=RATE, **options)


LOSSLESS: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{
        f"{kind} {subtype}": (
            "libsndfile",
            lambda kind=kind, subtype=subtype: synth.write(STEREO, RATE, kind, subtype),
        )
        for kind, subtype in [
            ("WAV", "PCM_U8"),
            ("WAV", "PCM_16"),
            ("WAV", "PCM_24"),
            ("WAV", "PCM_32"),
            ("WAV", "FLOAT"),
            ("WAV", "DOUBLE"),
            ("WAVEX", "PCM_16"),
            ("RF64", "PCM_16"),
            ("W64", "PCM_16"),
            ("AU", "PCM_16"),
            ("AU", "FLOAT"),
            ("AIFF", "PCM_16"),
            ("AIFF", "FLOAT"),
            ("CAF", "PCM_16"),
            ("FLAC", "PCM_16"),
            ("FLAC", "PCM_24"),
        ]
    },
    **{
        f"{container} {codec}": (
            "FFmpeg",
            lambda codec=codec, container=container: synth.encode(STEREO, RATE, codec, container),
        )
        for codec, container in [
            ("alac", "ipod"),
            ("alac", "caf"),
            ("pcm_s16le", "mov"),
            ("flac", "ogg"),
        ]
    },
}

# name -> (decoder, file, seconds by which a container's clock may be wrong)
LOSSY: dict[str, tuple[str, Callable[[], bytes], float]] = {
    "OGG Vorbis": ("libsndfile", lambda: synth.write(STEREO, RATE, "OGG", "VORBIS"), 0),
    "OGG Opus": ("libsndfile", lambda: synth.encode(STEREO, RATE, "libopus", "ogg"), 0),
    "MP3": ("libsndfile", lambda: synth.write(STEREO, RATE, "MP3"), 0),
    "MP3 of variable rate": (
        "libsndfile",
        lambda: synth.write(STEREO, RATE, "MP3", bitrate_mode="VARIABLE"),
        0,
    ),
    "MP3 after ID3v2": (
        "libsndfile",
        lambda: synth.id3v2(synth.png(300)) + synth.write(STEREO, RATE, "MP3"),
        0,
    ),
    "MP3 without length": (
        "FFmpeg",
        lambda: synth.encode(STEREO, RATE, "libmp3lame", "mp3", options={"write_xing": "0"}),
        0,
    ),
    "M4A": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "aac", "ipod"), 0),
    "AAC": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "aac", "adts"), 0),
    "WMA": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "wmav2", "asf"), 0.001),
    "WebM Opus": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "libopus", "webm"), 0.001),
    "MKV AAC": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "aac", "matroska"), 0.001),
    "MP4 video": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "aac", "mp4", video=True), 0),
    "MKV video": (
        "FFmpeg",
        lambda: synth.encode(STEREO, RATE, "aac", "matroska", video=True),
        0.001,
    ),
    "M4A from 2 s on": ("FFmpeg", lambda: synth.encode(STEREO, RATE, "aac", "ipod", start=2), 0),
}


def lag_of(part: Float32, whole: Float32, expected: int, reach: int) -> int:
    """Return where ``part`` fits best into ``whole``, in samples after ``expected``."""
    start = max(0, expected - reach)
    near = whole[start : expected + reach + len(part)].astype(np.float64)
    products = np.fft.irfft(np.fft.rfft(near) * np.conj(np.fft.rfft(part, len(near))), len(near))
    sums = np.concatenate([[0], np.cumsum(np.square(near))])
    energies = sums[len(part) :] - sums[: -len(part)]
    return start + int(np.argmin(energies - 2 * products[: len(energies)])) - expected


def rms(y: Float32) -> float:
    return float(np.sqrt(np.square(y).mean()))


# ------------------------------------------------------------------------------ formats


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_give_the_mean_of_the_channels_exactly(name: str) -> None:
    decoder, make = LOSSLESS[name]
    file = make()
    info = probe(file)
    assert (info.decoder, info.sample_rate, info.channels) == (decoder, RATE, 2)
    assert info.seconds == pytest.approx(3)
    y = load(file)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, MONO)


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize(("offset", "duration"), [(1.25, 0.5), (2.9, 60.0), (0.0, 1e-9)])
def test_a_part_of_a_lossless_file_is_a_slice(name: str, offset: float, duration: float) -> None:
    part = load(LOSSLESS[name][1](), offset=offset, duration=duration)
    start = round(offset * RATE)
    np.testing.assert_array_equal(part, MONO[start : start + max(1, round(duration * RATE))])


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_formats_are_close_to_the_recording(name: str) -> None:
    decoder, make, _ = LOSSY[name]
    file = make()
    info = probe(file)
    assert (info.decoder, info.sample_rate, info.channels) == (decoder, RATE, 2)
    y = load(file)
    assert len(y) == pytest.approx(len(MONO), abs=0.05 * RATE)  # an encoder's delay and padding
    middle = MONO[RATE : 2 * RATE]
    delay = lag_of(middle, y, RATE, reach=RATE // 20)
    decoded = y[RATE + delay : 2 * RATE + delay]
    assert rms(decoded - middle) < 0.1 * rms(middle)  # of another second: about 1.4 times


@pytest.mark.parametrize("name", LOSSY)
def test_a_part_of_a_lossy_file_is_close_to_a_slice(name: str) -> None:
    _, make, clock_error = LOSSY[name]
    file = make()
    whole = load(file)
    part = load(file, offset=1.25, duration=0.5)
    assert len(part) == RATE // 2
    lag = lag_of(part, whole, round(1.25 * RATE), reach=RATE // 10)
    assert abs(lag) <= clock_error * RATE
    start = round(1.25 * RATE) + lag
    # AAC generates new noise after a seek; other codecs agree far better.
    assert rms(whole[start : start + len(part)] - part) < 0.05 * rms(part)


def test_the_suffixes_are_lower_case() -> None:
    assert {".wav", ".mp3", ".m4a", ".flac", ".webm"} <= AUDIO_SUFFIXES
    assert all(s.startswith(".") and s == s.lower() for s in AUDIO_SUFFIXES)


# ---------------------------------------------------------------------- channels and rates


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_eight_channels_are_averaged(kind: str) -> None:
    channels = np.stack([synth.sine(200 * n, 1, RATE, level=0.8) for n in range(1, 9)], axis=1)
    y = load(synth.write(channels, RATE, kind, "PCM_24"))
    np.testing.assert_allclose(y, channels.mean(axis=1), atol=2**-23)


def test_eight_channels_through_ffmpeg() -> None:
    channels = np.stack([synth.sine(200 * n, 1, RATE, level=0.8) for n in range(1, 9)], axis=1)
    y = load(synth.encode(channels, RATE, "flac", "matroska"))
    np.testing.assert_allclose(y, channels.mean(axis=1), atol=2**-14)


@pytest.mark.parametrize("channels", [1, 2, 9])  # FFmpeg has no name for nine
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_both_decoders_agree(subtype: str, channels: int, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    y = np.stack([synth.noise(1, RATE, seed=n) for n in range(channels)], axis=1)
    path.write_bytes(synth.write(y, RATE, "WAV", subtype))
    with path.open("rb", buffering=0) as file:
        ours, theirs = (
            np.concatenate(list(kind(file).blocks(0.25, 0.1)))
            for kind in (decoders.SoundFileDecoder, decoders.FFmpegDecoder)
        )
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
    assert len(ours) == 0.75 * RATE


@pytest.mark.parametrize("signs", [[1, -1], [-1, 1, 1, -1], [1, -1, 0, 0, 1, -1]])
def test_opposite_channels_do_not_cancel(signs: list[int]) -> None:
    y = synth.music(1, RATE)
    file = synth.write(y[:, None] * np.float32(signs), RATE, "WAV", "FLOAT")
    expected = signs[0] * y * np.float32(np.mean(np.abs(signs)))
    np.testing.assert_allclose(load(file), expected, atol=1e-6)


RATES = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]


@pytest.mark.parametrize("rate_in", RATES)
@pytest.mark.parametrize("rate_out", [16_000, 22_050, 44_100])
def test_a_sine_survives_resampling(rate_in: int, rate_out: int) -> None:
    file = synth.write(synth.sine(440, 2, rate_in), rate_in, "WAV", "FLOAT")
    y = load_audio(file, sample_rate=rate_out)
    expected = synth.sine(440, 2, rate_out)
    assert len(y) == len(expected)
    inner = slice(rate_out // 20, -rate_out // 20)  # the sine starts and ends abruptly
    np.testing.assert_allclose(y[inner], expected[inner], atol=2e-6)  # -108 dB of full scale


@pytest.mark.parametrize(("codec", "container"), [("aac", "ipod"), ("libopus", "webm")])
def test_a_lossy_sine_keeps_frequency_and_level(codec: str, container: str) -> None:
    file = synth.encode(synth.sine(1000, 3, RATE, level=0.25), RATE, codec, container)
    y = load_audio(file, sample_rate=16_000)[16_000:32_000]
    spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y)))) * 4 / len(y)  # bins are 1 Hz wide
    assert np.argmax(spectrum) == 1000
    assert spectrum.max() == pytest.approx(0.25, rel=0.02)


def test_frequencies_above_half_the_new_rate_are_removed() -> None:
    file = synth.write(synth.sine(10_000, 2, 44_100), 44_100, "WAV", "FLOAT")
    y = load_audio(file, sample_rate=16_000)
    assert np.abs(y[1000:-1000]).max() < 1e-5  # as an alias it would be 0.5


def test_a_part_after_resampling_is_a_slice_away_from_its_ends() -> None:
    file = synth.write(STEREO, RATE)
    whole = load_audio(file, sample_rate=16_000)
    part = load_audio(file, sample_rate=16_000, offset=1.0, duration=1.0)
    assert len(part) == 16_000
    inner = slice(160, -160)  # the filter assumes silence beyond the ends of a part
    np.testing.assert_allclose(part[inner], whole[16_000:32_000][inner], atol=1e-6)


# ------------------------------------------------------------------- streaming and seeking

STREAMED = {
    "WAV": synth.write(STEREO, RATE),
    "MP3": synth.write(STEREO, RATE, "MP3"),
    "M4A": synth.encode(STEREO, RATE, "aac", "ipod"),
}


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("rate", [RATE, 22_050])
@given(block_seconds=st.floats(0.005, 4), offset=st.floats(0, 2.5), duration=st.floats(0.01, 4))
def test_a_stream_equals_the_result_of_load_audio(
    name: str, rate: int, block_seconds: float, offset: float, duration: float
) -> None:
    part = {"sample_rate": rate, "offset": offset, "duration": duration}
    blocks = list(stream_audio(STREAMED[name], block_seconds=block_seconds, **part))
    assert all(len(block) for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), load_audio(STREAMED[name], **part))


def test_blocks_have_the_requested_length() -> None:
    lengths = [len(b) for b in stream_audio(STREAMED["WAV"], sample_rate=RATE, block_seconds=0.5)]
    assert lengths == [RATE // 2] * 6


def test_libsndfile_reads_only_the_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read = []
    original = soundfile.SoundFile.read

    def counting(self: Any, *args: Any, **options: Any) -> Any:
        block = original(self, *args, **options)
        read.append(len(block))
        return block

    path = tmp_path / "long.flac"
    path.write_bytes(synth.write(np.tile(synth.music(2, 8000), 300), 8000, "FLAC"))
    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    assert len(load_audio(path, sample_rate=8000, offset=590, duration=2)) == 16_000
    assert sum(read) == 1 + 16_000  # one before the seek


def test_ffmpeg_decodes_little_more_than_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    original = decoders.FFmpegDecoder._samples

    def counting(self: Any, run: Any) -> Any:
        decoded.extend(frame.samples for frame in run)
        return original(self, run)

    file = synth.encode(np.tile(synth.music(2, 16_000), 20), 16_000, "aac", "ipod")
    monkeypatch.setattr(decoders.FFmpegDecoder, "_samples", counting)
    assert len(load_audio(file, sample_rate=16_000, offset=35, duration=2)) == 32_000
    assert 32_000 <= sum(decoded) < 3 * 16_000


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's list of open files")
def test_a_stream_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    def is_open() -> bool:
        return path in [link.resolve() for link in Path("/proc/self/fd").iterdir()]

    path = tmp_path / "x.wav"
    path.write_bytes(STREAMED["WAV"])
    stream = stream_audio(path, sample_rate=RATE, block_seconds=0.1)
    next(stream)
    assert is_open()
    del stream
    assert not is_open()


CONFIG = FeatureConfig(
    kind="mel", sample_rate=8000, n_fft=1024, hop_length=256, n_mels=64, f_min=0, f_max=4000
)


def peak_bytes(path: Path) -> int:
    """Return the peak memory of Python and NumPy while a file is streamed to features."""
    tracemalloc.start()
    try:
        blocks = stream_audio(path, sample_rate=CONFIG.sample_rate)
        assert sum(len(segments) for segments in iter_segments(blocks, CONFIG)) > 10
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    minute = np.tile(synth.music(2, 11_025), 30)
    peaks = []
    for minutes in (2, 2, 20):  # the first fills caches
        path = tmp_path / f"{minutes}.wav"
        path.write_bytes(synth.write(np.tile(minute, minutes), 11_025))
        peaks.append(peak_bytes(path))
    assert peaks[2] < 1.1 * peaks[1]  # the longer waveform alone would take 38 MB more
    assert peaks[2] < 30e6
