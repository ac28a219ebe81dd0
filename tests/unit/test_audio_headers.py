"""Headers with a wrong length: the whole recording is decoded, a warning states both lengths."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import av
import numpy as np
import pytest

from genrelens.audio import load_audio, probe
from genrelens.decoders.flac import read_flac_header
from genrelens.decoders.mp3 import read_mp3_header
from genrelens.errors import AudioError, AudioWarning
from support import synth

RATE = 44_100
SECONDS = 6
Y = synth.stereo(SECONDS, RATE)
MONO = Y.mean(axis=1)
N_BYTES = 4 * len(Y)


def load(content: bytes, **options: Any) -> Any:
    return load_audio(content, sample_rate=RATE, **options)


def patched(content: bytes, start: int, new: bytes) -> bytes:
    assert 0 <= start <= len(content) - len(new)
    return content[:start] + new + content[start + len(new) :]


# --------------------------------------------------------------------- uncompressed formats


def wav(size: int) -> bytes:
    content = synth.write(Y, RATE, "WAV", "PCM_16")
    return patched(content, content.index(b"data") + 4, struct.pack("<I", size))


def rf64(size: int, kind: bytes = b"RF64") -> bytes:
    content = synth.write(Y, RATE, "RF64", "PCM_16")
    content = patched(content, content.index(b"ds64") + 16, struct.pack("<Q", size))
    return patched(content, 0, kind)


def w64(size: int) -> bytes:
    content = synth.write(Y, RATE, "W64", "PCM_16")
    return patched(content, content.index(b"data") + 16, struct.pack("<Q", size + 24))


def aiff(size: int, frames: int | None = None) -> bytes:
    content = synth.write(Y, RATE, "AIFF", "PCM_16")
    start = content.index(b"COMM") + 10
    content = patched(content, start, struct.pack(">I", size // 4 if frames is None else frames))
    return patched(content, content.index(b"SSND") + 4, struct.pack(">I", size + 8))


def au(size: int) -> bytes:
    return patched(synth.write(Y, RATE, "AU", "PCM_16"), 8, struct.pack(">I", size))


def caf(size: int) -> bytes:
    content = synth.write(Y, RATE, "CAF", "PCM_16")
    return patched(content, content.index(b"data") + 4, struct.pack(">q", size + 4))


PCM: dict[str, Callable[[int], bytes]] = {
    "WAV": wav,
    "RF64": rf64,
    "BW64": lambda size: rf64(size, b"BW64"),
    "W64": w64,
    "AIFF": aiff,
    "AU": au,
    "CAF": caf,
}


@pytest.mark.parametrize("name", PCM)
@pytest.mark.parametrize("share", [0, 0.3, 3])
def test_a_wrong_size_is_corrected_with_a_warning(name: str, share: float) -> None:
    content = PCM[name](4 * round(share * len(Y)))
    both = rf"<bytes>: the header states {share * SECONDS:.1f} s, 6\.0 s were decoded"
    with pytest.warns(AudioWarning, match=both):
        y = load(content)
    np.testing.assert_allclose(y, MONO, atol=1e-6)
    if share < 1:  # --fast uses this length
        assert probe(content).seconds == pytest.approx(SECONDS, abs=0.01)
    with pytest.warns(AudioWarning, match=both):
        np.testing.assert_allclose(load(content, offset=4.5), MONO[round(4.5 * RATE) :], atol=1e-6)


def test_a_recorder_that_lost_power() -> None:
    """The sizes of the file and of the samples are zero."""
    content = patched(wav(0), 4, bytes(4))
    with pytest.warns(AudioWarning, match=r"the header states 0\.0 s, 6\.0 s were decoded"):
        np.testing.assert_allclose(load(content), MONO, atol=1e-6)


@pytest.mark.parametrize("name", PCM)
def test_correct_sizes_cause_no_warning(name: str) -> None:
    np.testing.assert_allclose(load(PCM[name](N_BYTES)), MONO, atol=1e-6)


@pytest.mark.parametrize(
    "content",
    [wav(2**32 - 1), wav(0x7FFF_F000), au(2**32 - 1), caf(-5), rf64(2**64 - 1)],
    ids=["WAV", "WAV of sox", "AU", "CAF", "RF64"],
)
def test_an_open_size_causes_no_warning(content: bytes) -> None:
    """Programs that write to a pipe leave the size open."""
    np.testing.assert_allclose(load(content), MONO, atol=1e-6)


@pytest.mark.parametrize("frames", [0, len(Y) // 3])
def test_an_aiff_with_a_wrong_number_of_frames_in_a_right_chunk(frames: int) -> None:
    with pytest.warns(AudioWarning, match=r"the header states .*, 6\.0 s were decoded"):
        np.testing.assert_allclose(load(aiff(N_BYTES, frames)), MONO, atol=1e-6)


def test_a_size_that_wrapped_around_at_four_gibibytes() -> None:
    """The stated second of audio is not followed by a chunk."""
    with pytest.warns(AudioWarning, match=r"the header states 1\.0 s, 6\.0 s were decoded"):
        assert len(load(wav(4 * RATE))) == len(Y)


@pytest.mark.parametrize(
    "tail",
    [
        b"LIST" + struct.pack("<I", 200_000) + bytes(200_000),
        b"id3 " + struct.pack("<I", 199_999) + bytes(200_000),
        b"TAG" + bytes(125),
        b"APETAGEX" + bytes(200_000),
        bytes(2000),  # padding
    ],
    ids=["LIST", "ID3 of odd size", "ID3v1", "APE", "zeros"],
)
def test_data_after_the_samples_is_not_decoded(tail: bytes) -> None:
    np.testing.assert_allclose(load(wav(N_BYTES) + tail), MONO, atol=1e-6)


def test_an_empty_chunk_before_another_one_is_empty() -> None:
    content = wav(0)[:44] + b"LIST" + struct.pack("<I", 40_000) + bytes(40_000)
    with pytest.raises(AudioError, match="contains no audio samples"):
        load(content)


def test_a_file_of_a_million_chunks_is_not_read_chunk_by_chunk() -> None:
    content = synth.wav_header(RATE, 2, 0)[:36] + b"LIST\0\0\0\0" * 10**6
    with pytest.raises(AudioError):
        load(content)


# ------------------------------------------------------------------------------------- MP3


def xing(content: bytes, *, frames: int | None = None, n_bytes: int | None = None) -> bytes:
    """Change what the Xing or Info tag of an MP3 file states."""
    tag = max(content.find(b"Xing"), content.find(b"Info"))
    for offset, number in ((8, frames), (12, n_bytes)):
        if number is not None:
            content = patched(content, tag + offset, struct.pack(">I", number))
    return content


MP3 = {
    "constant rate": synth.encode(Y, RATE, "libmp3lame", "mp3"),
    "variable rate": synth.write(Y, RATE, "MP3", bitrate_mode="VARIABLE"),
    "22 kHz": synth.encode(Y[::2], RATE // 2, "libmp3lame", "mp3", bit_rate=32_000),
}
FRAMES = 1 + SECONDS * RATE // 1152


@pytest.mark.parametrize("name", MP3)
def test_correct_mp3_headers(name: str) -> None:
    header = read_mp3_header(io.BytesIO(MP3[name]))
    assert header is not None
    assert header.whole
    assert header.seconds == pytest.approx(SECONDS, abs=0.1)
    assert header.estimated == pytest.approx(SECONDS, rel=0.15)
    assert len(load(MP3[name])) == pytest.approx(len(Y), abs=0.05 * RATE)


@pytest.mark.parametrize("frames", [0, 50, FRAMES * 2 // 3, FRAMES * 5 // 6, 3 * FRAMES])
@pytest.mark.parametrize("name", ["constant rate", "variable rate"])
def test_an_mp3_with_a_wrong_length_is_decoded_to_its_end(name: str, frames: int) -> None:
    content = xing(MP3[name], frames=frames)
    stated = frames * 1152 / RATE
    with pytest.warns(
        AudioWarning, match=rf"the header states {stated:.1f} s, 6\.0 s were decoded"
    ):
        y = load(content)
    whole = load(MP3[name])
    assert len(y) == pytest.approx(len(whole), abs=0.06 * RATE)
    before = max(0, round((min(stated, 5.9) - 0.1) * RATE))
    np.testing.assert_allclose(y[:before], whole[:before], atol=1e-4)
    if not 0.75 < frames / FRAMES < 1.33:
        assert probe(content).seconds is None  # so --fast decodes all of it


def test_a_vbri_tag_is_checked_too() -> None:
    """Fraunhofer's encoder writes it 32 bytes after the header of the first frame."""
    content = MP3["constant rate"]
    place = max(content.find(b"Xing"), content.find(b"Info"))
    start = content.rindex(b"\xff\xfb", 0, place)
    for frames, is_wrong in ((FRAMES, False), (20, True)):
        tag = b"VBRI" + struct.pack(">HHHII", 1, 0, 0, len(content), frames)
        file = patched(patched(content, place, bytes(120)), start + 36, tag)
        header = read_mp3_header(io.BytesIO(file))
        assert header is not None
        assert header.stated == pytest.approx(frames * 1152 / RATE)
        assert (header.seconds is None) == is_wrong
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert len(load(file)) == pytest.approx(len(Y), abs=0.1 * RATE)
        assert bool(caught) == is_wrong


def test_an_mp3_without_a_tag_states_no_length() -> None:
    bare = {"write_xing": "0"}
    constant = synth.encode(Y, RATE, "libmp3lame", "mp3", options=bare)
    assert probe(constant).seconds == pytest.approx(SECONDS, abs=0.1)
    thin = synth.encode(Y, RATE, "libmp3lame", "mp3", bit_rate=32_000, options=bare)
    assert probe(constant + thin).seconds is None  # FFmpeg uses the first bit rate


def test_a_length_beyond_any_recording_is_not_reported() -> None:
    """The properties of a WMA file state more than 200 years; --fast would seek into them."""
    content = synth.encode(Y[: 2 * RATE], RATE, "wmav2", "asf")
    properties = content.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    assert probe(content).seconds == pytest.approx(2, abs=0.1)
    lying = patched(content, properties + 64, struct.pack("<Q", 7 * 10**16))  # in 100 ns
    assert probe(lying).seconds is None


def test_a_large_tag_after_an_mp3_is_not_decoded() -> None:
    tag = b"APETAGEX" + bytes(300_000)
    whole = load(MP3["constant rate"])
    y = load(MP3["constant rate"] + tag)
    assert len(whole) <= len(y) <= len(whole) + 0.05 * RATE
    np.testing.assert_allclose(y[: len(whole)], whole, atol=1e-6)


# ------------------------------------------------------------------------------------ FLAC

FLAC = synth.write(Y, RATE, "FLAC", "PCM_16")


def streaminfo(n_samples: int) -> bytes:
    return patched(FLAC, 21, bytes([FLAC[21] & 0xF0]) + n_samples.to_bytes(4, "big"))


@pytest.mark.parametrize("share", [0.2, 0.8, 4])
def test_a_flac_with_a_wrong_length_is_decoded_to_its_end(share: float) -> None:
    content = streaminfo(round(share * len(Y)))
    with pytest.warns(
        AudioWarning, match=rf"the header states {6 * share:.1f} s, 6\.0 s were decoded"
    ):
        np.testing.assert_allclose(load(content), MONO, atol=1e-6)
    assert probe(content).seconds is None  # so --fast decodes all of it


@pytest.mark.parametrize("bits", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
def test_the_last_frame_of_a_flac_is_found(bits: str, rate: int) -> None:
    y = synth.noise(2.345, rate)
    for content in (
        synth.write(y, rate, "FLAC", bits),
        synth.id3v2(synth.png()) + synth.write(y, rate, "FLAC", bits) + b"TAG" + bytes(125),
    ):
        header = read_flac_header(io.BytesIO(content))
        assert header is not None
        assert header.stated == header.last == header.seconds == pytest.approx(len(y) / rate)


def test_the_last_frame_of_another_encoder_is_found() -> None:
    header = read_flac_header(io.BytesIO(synth.encode(Y, RATE, "flac", "flac")))
    assert header is not None
    assert header.last == pytest.approx(SECONDS)


# ------------------------------------------------------------------------ no false warning


def ogg_pages(content: bytes) -> list[int]:
    return [at for at in range(len(content)) if content.startswith(b"OggS", at)]


def crc(page: bytes) -> int:
    """Return the checksum of a page of Ogg (RFC 3533)."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFF_FFFF
    return value


@pytest.mark.parametrize("back", [100, 488])
def test_opus_whose_pages_are_behind_their_samples(back: int) -> None:
    """FFmpeg writes such pages if the time stamps of the source jump; libsndfile rejects them."""
    content = bytearray(synth.encode(synth.music(6, 48_000), 48_000, "libopus", "ogg"))
    pages = [*ogg_pages(bytes(content)), len(content)]
    for start, end in pairwise(pages[3:-1]):
        (granule,) = struct.unpack_from("<Q", content, start + 6)
        struct.pack_into("<Q", content, start + 6, granule - back)
        struct.pack_into("<I", content, start + 22, 0)
        struct.pack_into("<I", content, start + 22, crc(bytes(content[start:end])))
    whole = load_audio(bytes(content), sample_rate=48_000)
    assert len(whole) == pytest.approx(6 * 48_000, abs=1000)
    assert len(load_audio(bytes(content), sample_rate=48_000, offset=2.0, duration=1.0)) == 48_000


@pytest.mark.parametrize("codec", ["vorbis", "libopus"])
def test_chained_ogg_files_are_one_recording(codec: str) -> None:
    rate = 48_000
    first, second = synth.music(3, rate), synth.music(5, rate, seed=1)
    if codec == "libopus":
        one, two = (synth.encode(y, rate, codec, "ogg") for y in (first, second))
    else:
        one, two = (synth.write(y, rate, "OGG") for y in (first, second))
    whole = load_audio(one + two, sample_rate=rate)
    assert len(whole) == pytest.approx(8 * rate, abs=0.1 * rate)
    assert probe(one + two).seconds is None  # each stream states its own length
    part = load_audio(one + two, sample_rate=rate, offset=4.0, duration=2.0)
    np.testing.assert_allclose(part, whole[4 * rate : 6 * rate], atol=1e-6)


WITH_VIDEO = ("mp4", "mov", "matroska", "avi", "mpegts")
NOISE = synth.noise(3, 48_000)


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("aac", "ipod"),
        ("alac", "ipod"),
        ("aac", "mp4"),
        ("aac", "matroska"),
        ("aac", "adts"),
        ("libopus", "webm"),
        ("libopus", "ogg"),
        ("wmav2", "asf"),
        ("ac3", "ac3"),
        ("eac3", "eac3"),
        ("mp2", "mpegts"),
        ("libmp3lame", "mp3"),
        ("tta", "tta"),
        ("wavpack", "wv"),
        ("pcm_s16le", "wav"),
        ("adpcm_ms", "wav"),
        ("pcm_s16le", "mov"),
        ("flac", "flac"),
        ("pcm_s16be", "aiff"),
        ("libmp3lame", "avi"),
        ("pcm_mulaw", "au"),
    ],
)
def test_ordinary_files_raise_no_warning(codec: str, container: str) -> None:
    """Also with a video of one second, if the container supports it."""
    videos = (False, True) if container in WITH_VIDEO else (False,)
    for seconds, video in product((0.3, 3), videos):
        content = synth.encode(
            NOISE[: round(seconds * 48_000)], 48_000, codec, container, video=video
        )
        y = load_audio(content, sample_rate=48_000)
        assert len(y) == pytest.approx(seconds * 48_000, abs=0.1 * 48_000)


def test_a_gap_in_the_times_causes_no_warning() -> None:
    """The header of a paused recording states the time including the pause."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream: Any = output.add_stream("libopus", rate=48_000, layout="mono")
        for n in range(200):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 960), np.float32), format="flt", layout="mono"
            )
            frame.sample_rate, frame.pts = 48_000, 960 * n + (480_000 if n > 100 else 0)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert len(load_audio(file.getvalue(), sample_rate=48_000)) == pytest.approx(
        4 * 48_000, abs=4000
    )


# --------------------------------------------------------------- compressed, with stated sizes


def without_byte_rate(content: bytes) -> bytes:
    """Remove the byte rate, as FFmpeg does if it varies; ``fact`` still counts the samples."""
    return patched(content, content.index(b"fmt ") + 16, bytes(4))


COMPRESSED: dict[str, Callable[[], bytes]] = {
    "IMA ADPCM in WAV": lambda: synth.write(Y, RATE, "WAV", "IMA_ADPCM"),
    "MS ADPCM in WAV": lambda: synth.write(Y, RATE, "WAV", "MS_ADPCM"),
    "GSM in WAV": lambda: synth.write(MONO, RATE, "WAV", "GSM610"),
    "MP3 in WAV": lambda: synth.encode(Y, RATE, "libmp3lame", "wav"),
    "MP3 of a variable rate in WAV": lambda: without_byte_rate(
        synth.encode(Y, RATE, "libmp3lame", "wav")
    ),
    "MS ADPCM in W64": lambda: synth.write(Y, RATE, "W64", "MS_ADPCM"),
    "IMA ADPCM in AIFF": lambda: synth.write(Y, RATE, "AIFF", "IMA_ADPCM"),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_samples_that_are_cut_off_cause_a_warning(name: str) -> None:
    content = COMPRESSED[name]()
    assert len(load(content)) == pytest.approx(len(Y), abs=0.1 * RATE)  # without a warning
    with pytest.warns(AudioWarning, match=r"the header states 6\.\d s, [23]\.\d s were decoded"):
        y = load(content[: len(content) // 2])
    assert len(y) == pytest.approx(len(Y) / 2, abs=0.15 * RATE)


@pytest.mark.parametrize("codec", ["libmp3lame", "pcm_s16le"])
def test_an_avi_that_is_cut_off_causes_a_warning(codec: str) -> None:
    content = synth.encode(Y, RATE, codec, "avi")
    assert len(load(content)) == pytest.approx(len(Y), abs=0.1 * RATE)  # without a warning
    half = content[: len(content) // 2]
    message = rf"the file has {len(half)} of {len(content)} bytes"
    with pytest.warns(AudioWarning, match=message):
        load(half)


@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_an_avi_with_an_open_size_causes_no_warning(size: int) -> None:
    content = patched(synth.encode(Y, RATE, "libmp3lame", "avi"), 4, struct.pack("<I", size))
    assert len(load(content)) == pytest.approx(len(Y), abs=0.1 * RATE)


def test_mp3_of_a_variable_rate_in_wav_is_decoded_to_its_end() -> None:
    """libsndfile assumes the bit rate of the first frame and stops early."""
    y = np.concatenate([synth.noise(1, RATE), np.zeros(5 * RATE, np.float32)])
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as output:
        stream: Any = output.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.codec_context.qscale, stream.codec_context.global_quality = True, 2 * 118
        for frame in [*synth._frames(y[:, None], RATE, "mono", stream, 0), None]:
            output.mux(stream.encode(frame))
    content = file.getvalue()
    assert len(load(content)) == pytest.approx(len(y), abs=0.1 * RATE)
    with pytest.warns(AudioWarning, match=r"the header states 6\.\d s, \d\.\d s were decoded"):
        load(content[: len(content) * 2 // 3])
