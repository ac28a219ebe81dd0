"""Sources of audio: paths with any name, bytes, file objects, pipes; and invalid ones."""

import gzip
import io
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import pytest
import soundfile

from genrelens.audio import load_audio, probe, source_name, stream_audio
from genrelens.errors import AudioError
from support import synth

RATE = 16_000
Y = np.round(128 * synth.music(1, RATE)) / np.float32(128)
WAV = synth.write(Y, RATE)
MP4 = synth.encode(Y, RATE, "alac", "mp4")


def assert_reads(source: Any) -> None:
    np.testing.assert_array_equal(load_audio(source, sample_rate=RATE), Y)


def saved(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


class Pipe:
    """A stream that cannot seek."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, 1000))


def gunzipped(content: bytes) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content)))


@pytest.mark.parametrize("content", [WAV, MP4], ids=["WAV", "MP4"])
@pytest.mark.parametrize(
    "wrap",
    [
        bytes,
        bytearray,
        memoryview,
        io.BytesIO,
        Pipe,
        gunzipped,
        lambda content: io.BufferedReader(gunzipped(content)),
    ],
    ids=["bytes", "bytearray", "memoryview", "BytesIO", "pipe", "gzip", "buffered gzip"],
)
def test_bytes_and_file_objects(wrap: Callable[[bytes], Any], content: bytes) -> None:
    assert_reads(wrap(content))


@pytest.mark.parametrize("content", [WAV, MP4], ids=["WAV", "MP4"])
def test_paths_and_open_files(content: bytes, tmp_path: Path) -> None:
    path = saved(tmp_path, "x", content)
    assert_reads(path)
    assert_reads(str(path))
    with path.open("rb") as file:
        file.read(5)  # decoding starts at the beginning nevertheless
        assert_reads(file)
        assert not file.closed
    with path.open("r+b") as file:
        assert_reads(file)
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(content)
        assert_reads(spooled)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(WAV,))
    writer.start()
    assert_reads(path)
    writer.join()


@pytest.mark.parametrize("content", [WAV, MP4], ids=["WAV", "MP4"])
@pytest.mark.parametrize(
    "name",
    [
        *("♫ 🎵", "new\nline", os.fsdecode(b"\xff\xe9t\xe9")),
        *("%d %s", "-o", "http:", "a:b", "x.raw", "x.mp3", "x.sd2"),
    ],
)
def test_any_file_name_is_allowed(name: str, content: bytes, tmp_path: Path) -> None:
    path = saved(tmp_path, name, content)
    assert_reads(path)
    with path.open("rb") as file:
        assert_reads(file)


@pytest.mark.parametrize("kind", ["MP3", "FLAC", "OGG"])
def test_the_format_follows_from_the_content(kind: str, tmp_path: Path) -> None:
    content = synth.write(Y, RATE, kind)
    right, wrong = (saved(tmp_path, f"x.{end}", content) for end in (kind.lower(), "wav"))
    np.testing.assert_array_equal(*(load_audio(path, sample_rate=RATE) for path in (right, wrong)))


@pytest.mark.parametrize("name", ["x.mp3", "x.flac", "x.aac", "x"])
def test_text_with_any_suffix_is_an_error(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path, name, b"This is text, not audio.\n" * 200)
    with pytest.raises(AudioError) as caught:
        load_audio(path, sample_rate=RATE)
    assert caught.value.decoder_messages == {
        "libsndfile": "Format not recognised",
        "FFmpeg": "Invalid data found when processing input",
    }


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a descriptor is not portable")
def test_libsndfile_gets_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """With callbacks into Python, Ctrl-C would look like the end of the file."""
    opened = []
    original = soundfile.SoundFile.__init__

    def recording(self: Any, file: Any, *args: Any, **options: Any) -> None:
        opened.append(file)
        original(self, file, *args, **options)

    monkeypatch.setattr(soundfile.SoundFile, "__init__", recording)
    assert_reads(WAV)
    assert [type(file) for file in opened] == [int]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/b.wav", "a/b.wav"),
        (Path("b.wav"), "b.wav"),
        (b"", "<bytes>"),
        (io.BytesIO(), "<stream>"),
    ],
)
def test_the_name_of_a_source(source: Any, name: str) -> None:
    assert source_name(source) == name


def test_an_open_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = saved(tmp_path, "x.wav", b"text")
    with path.open("rb") as file, pytest.raises(AudioError) as caught:
        load_audio(file, sample_rate=RATE)
    assert caught.value.source == str(path)


# ------------------------------------------------------------------------ invalid sources


def assert_refused(source: Any, reason: str) -> None:
    for read in (lambda: load_audio(source, sample_rate=RATE), lambda: probe(source)):
        with pytest.raises(AudioError, match=reason) as caught:
            read()
        assert caught.value.source == source_name(source)


def test_a_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path, "is a folder")


def test_a_missing_file(tmp_path: Path) -> None:
    assert_refused(tmp_path / "x.wav", "No such file")


@pytest.mark.parametrize("name", ["nul\0byte.wav", "\ud800.wav"])
def test_an_impossible_file_name(name: str) -> None:
    assert_refused(name, "is not a valid file name")


def test_a_name_that_is_too_long() -> None:
    assert_refused("x" * 5000, "too long")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero")
def test_an_endless_device() -> None:
    assert_refused("/dev/zero", "is a device")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other permissions")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = saved(tmp_path, "x.wav", WAV)
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)  # root may read anything
    try:
        assert_refused(path, "Permission denied")
    finally:
        if root:
            os.seteuid(0)


class Broken(Pipe):
    """A stream that fails after some bytes."""

    def __init__(self, error: Exception) -> None:
        super().__init__(WAV)
        self._error = error

    def read(self, size: int = -1) -> bytes:
        if self._file.tell() > 5000:
            raise self._error
        return super().read(size)


@pytest.mark.parametrize("error", [OSError(5, "I/O error"), EOFError("cut off"), OSError()])
def test_a_stream_that_fails(error: Exception) -> None:
    with pytest.raises(AudioError) as caught:
        load_audio(Broken(error), sample_rate=RATE)  # type: ignore[arg-type]
    assert caught.value.reason in ("I/O error", "cut off", "OSError")
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("source", [5, None, ["x.wav"], io.StringIO("text")])
def test_a_source_of_another_type(source: Any) -> None:
    with pytest.raises(TypeError, match="binary"):
        load_audio(source, sample_rate=RATE)


def relative_playlist(kind: str, audio: Path) -> bytes:
    if kind == "ffconcat":
        return f"ffconcat version 1.0\nfile {audio.name}\n".encode()
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", audio.name, "#EXT-X-ENDLIST", ""]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("kind", ["ffconcat", "m3u8"])
def test_a_playlist_does_not_open_other_files(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where FFmpeg searches the files of a list without a name
    audio = saved(tmp_path, "audio.ts", synth.encode(Y, RATE, "aac", "mpegts"))
    playlist = saved(tmp_path, f"x.{kind}", relative_playlist(kind, audio))
    with av.open(playlist) as container:  # FFmpeg follows it by default
        assert next(container.decode(audio=0)).samples
    assert_refused(playlist, "is not audio that any decoder can read")
    with playlist.open("rb") as file:
        assert_refused(file, "is not audio that any decoder can read")


# ------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {"sample_rate": 0},
        {"offset": -0.1},
        {"offset": float("nan")},
        {"offset": 1e300},
        {"duration": 0.0},
        {"duration": -1.0},
        {"duration": float("nan")},
        {"block_seconds": 0.0},
        {"block_seconds": float("nan")},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        stream_audio(WAV, **{"sample_rate": RATE, **arguments})


@pytest.mark.parametrize("duration", [None, 100.0, 1e300, float("inf")])
def test_a_duration_beyond_the_end(duration: float | None) -> None:
    part = load_audio(WAV, sample_rate=RATE, offset=0.5, duration=duration)
    np.testing.assert_array_equal(part, Y[RATE // 2 :])


def test_any_binary_file_object() -> None:
    file: BinaryIO = io.BytesIO(WAV)
    assert probe(file).decoder == "libsndfile"
    assert_reads(file)
