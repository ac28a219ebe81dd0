"""Sounds and files that the tests make: no recording is stored in the repository."""

import io
import struct
import zlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# ------------------------------------------------------------------------------- sounds


def sine(frequency: float, seconds: float, rate: int, level: float = 0.5) -> Float32:
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def noise(seconds: float, rate: int, level: float = 0.1, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    return level * rng.standard_normal(round(seconds * rate), dtype=np.float32)


def sweep(seconds: float, rate: int, level: float = 0.5) -> Float32:
    """A sine whose frequency grows exponentially from 20 Hz to nearly half the rate."""
    time = np.arange(round(seconds * rate)) / rate
    growth = np.log(0.45 * rate / 20) / seconds
    return (level * np.sin(2 * np.pi * 20 / growth * np.expm1(growth * time))).astype(np.float32)


def music(seconds: float, rate: int, seed: int = 0) -> Float32:
    """Four notes a second, each with decaying harmonics, over a quiet noise floor."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    y = 1e-3 * rng.standard_normal(len(time))
    for onset in np.arange(0, seconds, 0.25):
        since = time[time >= onset] - onset
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
        for harmonic in range(1, 9):
            if harmonic * pitch < 0.45 * rate:
                tone = np.sin(2 * np.pi * harmonic * pitch * since) / harmonic
                y[-len(since) :] += 0.1 * tone * np.exp(-6 * since)
    return y.astype(np.float32)


# -------------------------------------------------------------------------------- files


def write(
    y: NDArray[Any], rate: int, kind: str = "WAV", subtype: str | None = None, **options: Any
) -> bytes:
    """Encode (n,) or (n, channels) with libsndfile."""
    file = io.BytesIO()
    channels = 1 if y.ndim == 1 else y.shape[1]
    with soundfile.SoundFile(
        file, "w", rate, channels, format=kind, subtype=subtype, **options
    ) as output:
        for start in range(0, len(y), rate):  # libsndfile overflows its stack on long OGG blocks
            output.write(y[start : start + rate])
    return file.getvalue()


def encode(
    y: Float32,
    rate: int,
    codec: str,
    container: str,
    *,
    start: float = 0.0,
    silent_video_first: bool = False,
    options: dict[str, str] | None = None,
) -> bytes:
    """Encode (n,) or (n, channels) with FFmpeg; the sound begins at ``start`` seconds."""
    skip_without_encoder(codec)
    channels = y.reshape(len(y), -1)
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        pictures = add_video(output) if silent_video_first else []
        layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channels.shape[1]]
        stream = output.add_stream(codec, rate=rate, layout=layout)
        for packet in pictures:
            output.mux(packet)
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, 1024)
        packed = np.ascontiguousarray(channels.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(piece):
                output.mux(packet)
    return file.getvalue()


def add_video(output: Any) -> list[Any]:
    """Add a video stream of one second; return its packets."""
    skip_without_encoder("mpeg4")
    stream = output.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    return [packet for frame in [*[picture] * 10, None] for packet in stream.encode(frame)]


def video_without_sound(container: str = "mp4") -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        for packet in add_video(output):
            output.mux(packet)
    return file.getvalue()


def skip_without_encoder(codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec} encoder")


def png(size: int = 64) -> bytes:
    """A valid greyscale picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(size * (size + 1)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data) for kind, data in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    )


def id3v2(picture: bytes) -> bytes:
    """An ID3v2.3 tag that holds a title and a cover picture."""
    frames = b""
    for kind, data in [(b"TIT2", b"\0Title"), (b"APIC", b"\0image/png\0\3\0" + picture)]:
        frames += kind + struct.pack(">IH", len(data), 0) + data
    size = len(frames)
    syncsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + syncsafe + frames
