"""Small real recordings in every format whose tags genrelens writes."""

from __future__ import annotations

import functools
import io
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import mutagen.id3

from support import synth

RATE = 44_100
SECONDS = 0.4


def _encoded(codec: str, container: str, rate: int = RATE, **options: str) -> Callable[[], bytes]:
    def encode() -> bytes:
        y = synth.music(SECONDS, rate)
        return synth.encode(y, rate, codec, container, title="A title", options=options)

    return encode


def _dsf() -> bytes:
    """Return two blocks of 1-bit samples (DSF), for which there is no encoder here."""
    samples = bytes(range(256)) * 32
    form = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 1, 1, 2_822_400, 1, 65_536, 4096, 0)
    data = struct.pack("<4sQ", b"data", 12 + len(samples)) + samples
    return struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(form + data), 0) + form + data


def _faststart() -> bytes:
    """Return an MP4 with the tags before the audio; FFmpeg writes it only to a file on disk."""
    with (
        tempfile.NamedTemporaryFile(suffix=".m4a") as file,
        av.open(io.BytesIO(_encoded("alac", "ipod")())) as source,
    ):
        with av.open(file.name, "w", options={"movflags": "faststart"}) as output:
            output.metadata["title"] = "A title"
            stream = output.add_stream_from_template(source.streams[0])
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
        return Path(file.name).read_bytes()


def _soundfile(kind: str, subtype: str | None = None) -> Callable[[], bytes]:
    return lambda: synth.write(synth.music(SECONDS, RATE), RATE, kind, subtype)


_MAKERS: dict[str, Callable[[], bytes]] = {
    "mp3": _encoded("libmp3lame", "mp3"),
    "mp3-2.3": _encoded("libmp3lame", "mp3", id3v2_version="3", write_id3v1="1"),
    "mp3-bare": _encoded("libmp3lame", "mp3", id3v2_version="0", write_xing="0"),
    "aac": _encoded("aac", "adts"),
    "flac": _soundfile("FLAC"),
    "vorbis": _soundfile("OGG", "VORBIS"),
    "opus": _encoded("libopus", "opus", 48_000),
    "oggflac": _encoded("flac", "ogg"),
    "m4a": _encoded("aac", "ipod"),
    "alac-faststart": _faststart,
    "wma": _encoded("wmav2", "asf"),
    "wavpack": _encoded("wavpack", "wv"),
    "tta": _encoded("tta", "tta"),
    "wav": _soundfile("WAV"),
    "wav-list": _encoded("pcm_s16le", "wav"),
    "aiff": _soundfile("AIFF"),
    "dsf": _dsf,
}

FORMATS = tuple(_MAKERS)


@functools.cache
def recording(kind: str) -> bytes:
    """Return a recording of 0.4 s; recordings from FFmpeg have the title ``A title``."""
    return _MAKERS[kind]()


def metadata(data: bytes) -> dict[str, str]:
    """Return the tags as FFmpeg reads them, independently of ``genrelens.tags``."""
    with av.open(io.BytesIO(data), metadata_errors="surrogateescape") as container:
        of_streams = [stream.metadata for stream in container.streams]
        return {k.lower(): v for each in (*of_streams, container.metadata) for k, v in each.items()}


def id3(path: Path, *, version: int, frames: list[mutagen.id3.Frame], raw: bytes = b"") -> Path:
    """Prepend an ID3v2 tag with frames, and with raw bytes of further frames, to a file."""
    tags = mutagen.id3.ID3()
    for frame in frames:
        tags.add(frame)
    tag = io.BytesIO()
    tags.unknown_frames, tags._unknown_v2_version = ([raw] if raw else []), version
    tags.save(tag, v2_version=version)
    path.write_bytes(tag.getvalue() + path.read_bytes())
    return path


def id3v1(title: str, genre: int) -> bytes:
    """Return an ID3v1.1 tag."""
    text = [part.ljust(30, b"\0") for part in (title.encode(), b"An artist", b"An album")]
    comment = b"A comment".ljust(28, b"\0")
    return b"TAG" + b"".join(text) + b"1999" + comment + bytes([0, 7, genre])


def ape(**items: str) -> bytes:
    """Return an APEv2 tag."""
    from mutagen.apev2 import APEv2

    tags = APEv2()
    for name, value in items.items():
        tags[name] = value
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue()


def make(folder: Path, kind: str, name: str = "song") -> Path:
    """Write a recording under a name without an extension."""
    path = folder / name
    path.write_bytes(recording(kind))
    return path


def frames_of(path: Path) -> dict[str, mutagen.id3.Frame]:
    """Return the frames of an ID3v2 tag as they are stored."""
    return dict(mutagen.id3.ID3(path, translate=False, load_v1=False).items())
