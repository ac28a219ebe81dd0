"""Files that are damaged, cut off, empty, malicious, or not audio."""

import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrelens.audio import load_audio, probe, stream_audio
from genrelens.errors import AudioError, AudioWarning
from support import synth

Float32 = NDArray[np.float32]
RATE = 48_000
Y = synth.music(3, RATE)
CASES = Path(__file__).parents[3] / "shared" / "cases"
UNREADABLE = "is not audio that any decoder can read"
NO_INDEX = "is cut off: its index is missing"


def load(content: bytes, **options: Any) -> Float32:
    return load_audio(content, sample_rate=RATE, **options)


def error_of(content: bytes, **options: Any) -> AudioError:
    with pytest.raises(AudioError) as caught:
        load(content, **options)
    assert str(caught.value).startswith("<bytes>: ")
    return caught.value


def assert_alike(part: Float32, expected: Float32) -> None:
    """Compare except for generated noise and a shift by less than a sample."""
    error = np.square(part - expected).mean() / np.square(expected).mean()
    assert error < 0.2**2  # of unrelated signals about 2


def index_first(content: bytes) -> bytes:
    """Move the index of an MP4 file before its audio."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.m4a")
        with (
            av.open(io.BytesIO(content)) as source,
            av.open(path, "w", format="ipod", options={"movflags": "faststart"}) as target,
        ):
            stream = target.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(audio=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
        return path.read_bytes()


FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
FILES: dict[str, Callable[[], bytes]] = {
    "WAV": lambda: synth.write(Y, RATE),
    "AIFF": lambda: synth.write(Y, RATE, "AIFF"),
    "FLAC": lambda: synth.write(Y, RATE, "FLAC"),
    "OGG Vorbis": lambda: synth.write(Y, RATE, "OGG"),
    "OGG Opus": lambda: synth.encode(Y, RATE, "libopus", "ogg"),
    "MP3": lambda: synth.write(Y, RATE, "MP3"),
    "AAC": lambda: synth.encode(Y, RATE, "aac", "adts"),
    "M4A": lambda: synth.encode(Y, RATE, "aac", "ipod"),
    "M4A in fragments": lambda: synth.encode(Y, RATE, "aac", "mp4", options=FRAGMENTED),
    "M4A, index first": lambda: index_first(synth.encode(Y, RATE, "aac", "ipod")),
    "MKV": lambda: synth.encode(Y, RATE, "aac", "matroska"),
    "MKV with video": lambda: synth.encode(Y, RATE, "aac", "matroska", video=True),
    "WebM": lambda: synth.encode(Y, RATE, "libopus", "webm"),
    "WMA": lambda: synth.encode(Y, RATE, "wmav2", "asf"),
}

# ------------------------------------------------------------------------------- no audio


@pytest.mark.parametrize(
    "content",
    [
        b"a",
        b"This is text, not audio.\n" * 200,
        synth.png(),
        synth.id3v2(synth.png()),
        bytes(100_000),
        b"\xff\xfb" * 50_000,
        np.random.default_rng(0).bytes(100_000),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://localhost/x.ts\n#EXT-X-ENDLIST\n",
    ],
    ids=["letter", "text", "PNG", "ID3v2 alone", "zeros", "MP3 syncs", "random", "HLS"],
)
def test_a_file_that_is_not_audio_is_an_error_with_the_messages_of_both_decoders(
    content: bytes,
) -> None:
    error = error_of(content)
    assert error.reason == UNREADABLE
    assert list(error.decoder_messages) == ["libsndfile", "FFmpeg"]
    assert all(text and "0x" not in text for text in error.decoder_messages.values())
    assert all(text in str(error) for text in error.decoder_messages.values())


@pytest.mark.parametrize("read", [load, probe])
def test_an_empty_file(read: Callable[[bytes], Any]) -> None:
    with pytest.raises(AudioError, match="is empty"):
        read(b"")


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_a_video_without_audio(container: str) -> None:
    error = error_of(synth.silent_video(container))
    assert error.decoder_messages["FFmpeg"] == "it contains no audio"


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "OGG", "CAF", "W64"])
def test_a_file_without_samples(kind: str) -> None:
    content = synth.write(np.zeros(0, np.float32), RATE, kind)
    assert error_of(content).reason == "contains no audio samples"


@pytest.mark.parametrize("name", FILES)
def test_a_header_without_samples(name: str) -> None:
    assert error_of(FILES[name]()[:40]).reason in (
        UNREADABLE,
        NO_INDEX,
        "contains no audio samples",
    )


@pytest.mark.parametrize("name", FILES)
def test_an_offset_beyond_the_end(name: str) -> None:
    assert error_of(FILES[name](), offset=100).reason == "contains no audio samples after 100 s"


# ----------------------------------------------------------------------- damaged or cut off


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("WAV", "the header states 3.0 s"),
        ("AIFF", "the header states 3.0 s"),
        ("FLAC", "the header states 3.0 s"),
        ("OGG Vorbis", "the file ends within a page of Ogg"),
        ("OGG Opus", "the file ends within a page of Ogg"),
        ("MP3", "the header states 3.0 s"),
        ("AAC", "packets skipped"),
        ("M4A in fragments", ""),
        ("M4A, index first", "the header states 3.0 s"),
        ("MKV", "the file has [0-9]+ of [0-9]+ bytes; the header states 3.0 s"),
        ("MKV with video", "the file has [0-9]+ of [0-9]+ bytes"),
        ("WebM", "the header states 3.0 s"),
        ("WMA", "packets skipped"),
    ],
)
def test_a_file_that_is_cut_off_is_decoded_with_a_warning(name: str, note: str) -> None:
    content = FILES[name]()
    part = content[: len(content) // 2]
    with pytest.warns(AudioWarning, match=note) as caught:
        y = load(part)
    (warning,) = caught
    assert "could be decoded" in str(warning.message) or "were decoded" in str(warning.message)
    assert 0.9 * RATE < len(y) < 2 * RATE
    # FFmpeg reads the cut MP3, libsndfile the whole one: they differ by rounding.
    np.testing.assert_allclose(y[:40_000], load(content)[:40_000], atol=1e-5)
    assert len(load(part, duration=0.5)) == RATE // 2  # this part is complete


@pytest.mark.parametrize("name", ["FLAC", "AAC", "M4A"])
def test_a_gap_is_skipped_with_a_warning(name: str) -> None:
    content = bytearray(FILES[name]())
    whole = load(bytes(content))
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    with pytest.warns(AudioWarning, match="is damaged"):
        y = load(bytes(content))
    assert 2.5 * RATE < len(y) <= len(whole)
    np.testing.assert_allclose(y[:RATE], whole[:RATE], atol=1e-6)
    assert_alike(y[-RATE // 2 :], whole[-RATE // 2 :])


@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_ffmpeg_continues_where_libsndfile_stops(rate: int) -> None:
    content = bytearray(FILES["FLAC"]())
    whole = load_audio(bytes(content), sample_rate=rate)
    gap = len(content) * 2 // 3
    content[gap : gap + 300] = bytes(300)
    with pytest.warns(AudioWarning, match="libsndfile: .*lost sync"):
        blocks = list(stream_audio(bytes(content), sample_rate=rate, block_seconds=0.5))
    with pytest.warns(AudioWarning):
        assert len(load_audio(bytes(content), sample_rate=rate, duration=2.5)) == 2.5 * rate
    y = np.concatenate(blocks)
    assert len(whole) - 0.2 * rate < len(y) <= len(whole) + 1
    n = round(1.4 * rate)  # libsndfile decodes 1.5 s, FFmpeg the rest except the gap
    np.testing.assert_allclose(y[:n], whole[:n], atol=1e-6)
    assert_alike(y[-n // 3 :], whole[-n // 3 :])


def test_concatenated_mp3_files_are_decoded_to_the_end() -> None:
    """The header of the first file counts only its own frames; libsndfile stops there."""
    one = FILES["MP3"]()
    assert len(load(one)) == len(Y)
    with pytest.warns(AudioWarning, match=r"the header states 3\.0 s, 6\.0 s were decoded"):
        assert len(load(one + one)) == pytest.approx(2 * len(Y), abs=0.1 * RATE)


def test_an_mp3_with_a_falling_bit_rate_is_decoded_to_the_end() -> None:
    """Without a header, libsndfile estimates the length from the size of the first frames."""
    bare = {"write_xing": "0", "id3v2_version": "0"}
    thick, thin = (
        synth.encode(synth.noise(4, RATE), RATE, "libmp3lame", "mp3", bit_rate=b, options=bare)
        for b in (320_000, 32_000)
    )
    assert soundfile.info(io.BytesIO(thick + thin)).duration < 5
    assert len(load(thick + thin)) == pytest.approx(8 * RATE, abs=0.2 * RATE)


def test_a_flac_of_unknown_length() -> None:
    """An encoder that writes to a pipe states a length of zero."""
    content = bytearray(FILES["FLAC"]())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    assert probe(bytes(content)).seconds is None
    np.testing.assert_array_equal(load(bytes(content)), load(FILES["FLAC"]()))


def test_the_format_can_change_within_a_file() -> None:
    mono = synth.encode(Y, RATE, "aac", "adts")
    stereo = synth.encode(np.stack([Y, Y], axis=1), 24_000, "aac", "adts")
    y = load(mono + stereo)
    assert len(y) == pytest.approx(3 * RATE + 6 * RATE, abs=0.2 * RATE)
    np.testing.assert_array_equal(y[: 2 * RATE], load(mono)[: 2 * RATE])


def test_tags_that_are_not_utf8_do_not_prevent_decoding() -> None:
    content = synth.encode(Y, RATE, "aac", "ipod", title="QQQQ").replace(
        b"QQQQ", b"\xff\xfe\xff\xfe"
    )
    with pytest.raises(UnicodeDecodeError):  # the default of PyAV
        av.open(io.BytesIO(content))
    assert len(load(content)) > len(Y)


# ---------------------------------------------------------------------- impossible contents


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_an_invalid_sample_is_an_error(value: float, offset: float) -> None:
    y = np.stack([Y, Y], axis=1)
    y[2 * RATE] = value
    content = synth.write(y, RATE, "WAV", "FLOAT")
    reason = error_of(content, offset=offset).reason
    assert reason == f"contains the sample {value:g} at 2.00 s; full scale is 1"
    assert len(load(content, offset=offset, duration=0.5)) == RATE // 2


def test_channels_whose_mean_overflows_are_an_error() -> None:
    y = np.full((RATE, 2), 3e38, np.float32)
    assert "contains the sample inf" in error_of(synth.write(y, RATE, "WAV", "FLOAT")).reason
    y[:, 1] *= np.inf
    y[:, 0] *= -np.inf
    assert "contains the sample nan" in error_of(synth.write(y, RATE, "WAV", "FLOAT")).reason


@pytest.mark.parametrize("rate", [0, 1, 999, 3_000_001, 2**31 - 1, 4_000_000_000])
def test_an_impossible_sample_rate_is_an_error(rate: int) -> None:
    content = synth.wav_header(rate, 1, 20_000) + bytes(20_000)
    assert error_of(content).reason == UNREADABLE
    with pytest.raises(AudioError, match=UNREADABLE):
        probe(content)


@pytest.mark.parametrize("rate", [1_000, 3_000_000])
def test_an_extreme_sample_rate_is_decoded(rate: int) -> None:
    content = synth.wav_header(rate, 1, 60_000) + bytes(60_000)
    assert len(load_audio(content, sample_rate=16_000)) == 30_000 * 16_000 // rate


@pytest.mark.parametrize("channels", [0, 257, 1000, 65_535])
def test_an_impossible_number_of_channels_is_an_error(channels: int) -> None:
    content = synth.wav_header(RATE, channels, 500_000) + bytes(500_000)
    assert error_of(content).reason == UNREADABLE


def test_many_channels_at_a_high_rate_come_in_small_blocks() -> None:
    frames = 40_000
    content = synth.wav_header(1_000_000, 256, 512 * frames) + bytes(512 * frames)
    lengths = [len(block) for block in stream_audio(content, sample_rate=1_000_000)]
    assert sum(lengths) == frames
    assert max(lengths) * 256 <= 2**22


# ------------------------------------------------------- damage that crashed the process


def test_libsndfile_seeks_only_after_a_successful_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a damaged setup header of Vorbis, a seek crashes libsndfile."""
    calls: list[str] = []
    monkeypatch.setattr(soundfile.SoundFile, "seek", lambda *_: calls.append("seek"))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: np.empty((0, 1), np.float32))
    assert len(load(FILES["WAV"](), offset=1.0)) == 2 * RATE  # FFmpeg decodes it
    assert not calls


@pytest.mark.parametrize("name", ["aac-more-planes-than-channels.mkv", "vorbis-setup-flipped.ogg"])
@pytest.mark.parametrize("options", [{}, {"offset": 1.0}, {"offset": 1.0, "duration": 1.0}])
def test_files_that_crashed_the_process(name: str, options: dict[str, float]) -> None:
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{path} is missing; the test cannot generate such a file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        with pytest.raises(AudioError):
            load_audio(path, sample_rate=RATE, **options)


def test_gsm_is_decoded_without_a_warning() -> None:
    """libsndfile cannot seek in GSM, not even to the beginning."""
    content = synth.write(synth.music(3, 8000), 8000, "WAV", "GSM610")
    whole = load_audio(content, sample_rate=8000)
    assert len(whole) == pytest.approx(3 * 8000, abs=320)
    part = load_audio(content, sample_rate=8000, offset=1.0, duration=0.5)
    np.testing.assert_array_equal(part, whole[8000:12_000])


def atom(name: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + name + content


@pytest.mark.parametrize("read", [probe, lambda content: load_audio(content, sample_rate=8000)])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_an_m4a_without_its_index_is_reported_as_cut_off(
    read: Callable[[bytes], Any], share: float
) -> None:
    """The index is at the end of the file."""
    content = synth.encode(synth.noise(3, 48_000), 48_000, "aac", "ipod")
    with pytest.raises(AudioError, match=f"<bytes>: {NO_INDEX}"):
        read(content[: max(40, round(share * content.index(b"moov")))])


@pytest.mark.parametrize(
    "content",
    [
        atom(b"ftyp", b"M4A \0\0\0\0") + atom(b"free", b"") + atom(b"moov", bytes(50)),
        atom(b"ftyp", b"heic\0\0\0\0") + atom(b"meta", bytes(50)) + atom(b"mdat", bytes(50)),
        atom(b"ftyp", b"M4A \0\0\0\0") + 100_000 * atom(b"free", b""),
        b"\0\0\0\x10text ftyp",
    ],
    ids=["a damaged index", "a picture", "very many atoms", "a text"],
)
def test_other_files_are_not_reported_as_cut_off(content: bytes) -> None:
    with pytest.raises(AudioError, match=UNREADABLE):
        probe(content)
