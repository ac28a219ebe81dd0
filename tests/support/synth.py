"""Synthetic audio and files for tests. The repository stores no recordings."""

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

# -------------------------------------------------------------------------------- audio


def sine(frequency: float, seconds: float, rate: int, level: float = 0.5) -> Float32:
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def noise(seconds: float, rate: int, level: float = 0.1, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    return np.float32(level) * rng.standard_normal(round(seconds * rate), dtype=np.float32)


def sweep(seconds: float, rate: int, level: float = 0.5) -> Float32:
    """Return a sine whose frequency grows exponentially from 20 Hz to nearly half the rate."""
    time = np.arange(round(seconds * rate)) / rate
    growth = np.log(0.45 * rate / 20) / seconds
    return (level * np.sin(2 * np.pi * 20 / growth * np.expm1(growth * time))).astype(np.float32)


def music(seconds: float, rate: int, seed: int = 0) -> Float32:
    """Return four notes per second with decaying harmonics over a quiet noise floor."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    y = 1e-3 * rng.standard_normal(len(time))
    for onset in np.arange(0, seconds, 0.25):
        since = time[time >= onset] - onset
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
        for harmonic in range(1, 9):
            if harmonic * pitch < 0.45 * rate:
                tone = np.sin(2 * np.pi * harmonic * pitch * since) / harmonic
                y[len(y) - len(since) :] += 0.1 * tone * np.exp(-6 * since)
    return y.astype(np.float32)


def stereo(seconds: float, rate: int) -> Float32:
    """Return two different channels, (n, 2), in steps of 1/128: 8 bits store them exactly."""
    channels = np.stack([music(seconds, rate, seed) for seed in (0, 1)], axis=1)
    return np.round(128 * channels) / np.float32(128)


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
    video: bool = False,
    title: str = "",
    bit_rate: int = 96_000,
    options: dict[str, str] | None = None,
) -> bytes:
    """Encode (n,) or (n, channels) with FFmpeg.

    The audio begins at ``start`` seconds, after all packets of a ``video``. ``bit_rate`` is per
    channel; ``options`` belong to the container.
    """
    skip_without_encoder(codec)
    channels = y.reshape(len(y), -1)
    named = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}
    layout = named[channels.shape[1]]
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        output.metadata["title"] = title
        packets = _video_packets(output) if video else []
        stream: Any = output.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = bit_rate * channels.shape[1]
        for packet in packets:
            output.mux(packet)
        for frame in [*_frames(channels, rate, layout, stream, start), None]:
            for packet in stream.encode(frame):
                output.mux(packet)
    return file.getvalue()


def _frames(channels: Float32, rate: int, layout: str, stream: Any, start: float) -> list[Any]:
    packed = np.ascontiguousarray(channels.reshape(1, -1))
    whole = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    whole.sample_rate, whole.time_base = rate, Fraction(1, rate)
    whole.pts = round(start * rate)
    cutter = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=1024)
    return [*cutter.resample(whole), *cutter.resample(None)]


def _video_packets(output: Any) -> list[Any]:
    """Add a video stream of one second and encode it."""
    skip_without_encoder("mpeg4")
    stream = output.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    return [packet for frame in [*[image] * 10, None] for packet in stream.encode(frame)]


def silent_video(container: str) -> bytes:
    """Return a video without an audio stream."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        for packet in _video_packets(output):
            output.mux(packet)
    return file.getvalue()


def skip_without_encoder(codec: str) -> None:
    try:
        av.codec.Codec(codec, "w")
    except ValueError:
        pytest.skip(f"this FFmpeg has no {codec} encoder")


def wav_header(rate: int, channels: int, n_bytes: int, bits: int = 16) -> bytes:
    """Return a WAV header of 44 bytes; it may state any values."""
    frame = channels * bits // 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + n_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        rate,
        rate * frame % 2**32,
        frame % 2**16,
        bits,
        b"data",
        n_bytes,
    )


def png(size: int = 64) -> bytes:
    """Return a valid image of noise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = np.random.default_rng(0).integers(0, 256, (size, size + 1), dtype=np.uint8)
    rows[:, 0] = 0  # no filter
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def id3v2(picture: bytes) -> bytes:
    """Return an ID3v2.3 tag with a title and a cover image."""
    frames = b""
    for kind, data in [(b"TIT2", b"\0Title"), (b"APIC", b"\0image/png\0\3\0" + picture)]:
        frames += kind + struct.pack(">IH", len(data), 0) + data
    return b"ID3\3\0\0" + bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frames
