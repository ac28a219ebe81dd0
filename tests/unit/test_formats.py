"""The list of formats: files with any of its suffixes can be decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
import soundfile

from genrelens.audio import AUDIO_SUFFIXES, load_audio
from genrelens.decoders.formats import FFMPEG_SUFFIXES, LIBSNDFILE_SUFFIXES
from genrelens.discovery.find import find_files
from support import synth

# Formats that can be encoded: FFmpeg's name, the encoder, another name of the muxer, sample rate.
MADE = {
    "aac": ("aac", "adts", 48_000),
    "ac3": ("ac3", "", 48_000),
    "aiff": ("pcm_s16be", "", 48_000),
    "amr": ("libopencore_amrnb", "", 8000),
    "asf": ("wmav2", "", 48_000),
    "au": ("pcm_s16be", "", 48_000),
    "avi": ("libmp3lame", "", 48_000),
    "caf": ("pcm_s16be", "", 48_000),
    "eac3": ("eac3", "", 48_000),
    "flac": ("flac", "", 48_000),
    "flv": ("libmp3lame", "", 44_100),
    "matroska": ("aac", "", 48_000),
    "mov": ("aac", "", 48_000),
    "3gp": ("aac", "", 48_000),
    "3g2": ("aac", "", 48_000),
    "mp3": ("libmp3lame", "", 48_000),
    "mpeg": ("mp2", "vob", 48_000),
    "mpegts": ("mp2", "", 48_000),
    "ogg": ("libopus", "", 48_000),
    "rm": ("ac3", "", 48_000),
    "tta": ("tta", "", 48_000),
    "voc": ("pcm_s16le", "", 48_000),
    "w64": ("pcm_s16le", "", 48_000),
    "wav": ("pcm_s16le", "", 48_000),
    "webm": ("libopus", "", 48_000),
    "wv": ("wavpack", "", 48_000),
}

# The decoders of other formats, for which FFmpeg has no encoder.
DECODED_BY = {
    "ape": "ape",
    "dsf": "dsd_lsbf_planar",
    "dts": "dca",
    "dtshd": "dca",
    "iff": "dsd_msbf",
    "mlp": "mlp",
    "mj2": "aac",
    "mpc": "mpc7",
    "mpc8": "mpc8",
    "tak": "tak",
    "truehd": "truehd",
    "xwma": "wmav2",
    "mp4": "aac",
    "m4a": "aac",
}

# Suffixes that a former version did not find in folders.
EXPECTED = {".ac3", ".dts", ".spx", ".ts", ".dsf", ".eac3", ".amr", ".3gp", ".mpga", ".m4r", ".tak"}
EXPECTED |= {".weba", ".wave", ".voc", ".mp3", ".mp4", ".flac"}


def made(name: str) -> bytes:
    codec, container, rate = MADE[name]
    return synth.encode(synth.noise(1, rate), rate, codec, container or name)


def test_each_format_has_an_encoder_or_a_decoder() -> None:
    assert set(MADE) | set(DECODED_BY) == set(FFMPEG_SUFFIXES)
    known = {name for each in av.formats_available for name in each.split(",")}
    assert set(FFMPEG_SUFFIXES) <= known
    for codec in (*DECODED_BY.values(), "speex"):
        assert av.codec.Codec(codec, "r").type == "audio"


@pytest.mark.parametrize("name", MADE)
def test_each_suffix_of_ffmpeg_is_found_and_decoded(name: str, tmp_path: Path) -> None:
    assert_found_and_decoded(lambda: made(name), FFMPEG_SUFFIXES[name].split(), tmp_path)


@pytest.mark.parametrize("name", LIBSNDFILE_SUFFIXES)
def test_each_suffix_of_libsndfile_is_found_and_decoded(name: str, tmp_path: Path) -> None:
    if name not in soundfile.available_formats():
        pytest.skip(f"this libsndfile has no {name}")
    rate = 8000 if name == "WVE" else 44_100
    y = synth.noise(1, rate)
    content = synth.write(y, rate, name)
    assert_found_and_decoded(lambda: content, LIBSNDFILE_SUFFIXES[name].split(), tmp_path)


def assert_found_and_decoded(make: Callable[[], bytes], suffixes: list[str], folder: Path) -> None:
    content = make()
    for suffix in suffixes:
        (folder / f"x{suffix}").write_bytes(content)
        (folder / f"y{suffix.upper()}").write_bytes(content)
    found = [Path(each.path) for each in find_files([folder], on_problem=pytest.fail)]
    assert len(found) == 2 * len(suffixes)
    for path in found[:2]:  # the format follows from the content
        assert len(load_audio(path, sample_rate=16_000)) == pytest.approx(16_000, abs=1600)


def test_the_suffixes_are_lower_case_and_exclude_playlists_and_images() -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in AUDIO_SUFFIXES)
    assert EXPECTED <= AUDIO_SUFFIXES
    assert not AUDIO_SUFFIXES & {".m3u", ".m3u8", ".pls", ".cue", ".jpg", ".png", ".txt", ".ofr"}
