"""The only door for audio: any file, at any rate, to mono float32 at the asked rate.

A source is a path, the bytes of a file, or a binary file object. Files are read through
libsndfile or, where it cannot, FFmpeg; channels are averaged and the rate is converted by soxr.
:func:`load_audio` is :func:`stream_audio` put together, so both give the same samples.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.decoders import DecodeError, Decoder, FFmpegDecoder, SoundFileDecoder
from genrelens.errors import AudioError, AudioWarning

__all__ = ["AUDIO_SUFFIXES", "AudioInfo", "AudioSource", "load_audio", "probe", "stream_audio"]

AudioSource = str | os.PathLike[str] | bytes | BinaryIO

AUDIO_SUFFIXES = frozenset(
    ".aac .aif .aifc .aiff .ape .au .avi .caf .flac .flv .m4a .m4b .m4v .mka .mkv .mov .mp2 .mp3 .mp4 "
    ".mpc .mpeg .mpg .oga .ogg .ogv .opus .snd .tta .w64 .wav .webm .wma .wmv .wv".split()
)
"""Endings that count as audio (or video with sound) when a folder is searched."""

_SPOOL_BYTES = 64 * 2**20  # a pipe longer than this goes to a temporary file


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says of itself, before it is decoded.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        seconds: duration in seconds, or None where the file does not say.
        decoder: which decoder reads it: ``"libsndfile"`` or ``"FFmpeg"``.
    """

    sample_rate: int
    channels: int
    seconds: float | None
    decoder: str


def load_audio(
    source: AudioSource, *, sample_rate: int, offset: float = 0.0, duration: float | None = None
) -> NDArray[np.float32]:
    """Read a recording as mono float32.

    Args:
        source: path, bytes of a file, or binary file object.
        sample_rate: rate of the result in Hz; the file may have any.
        offset: where to start, in seconds; reached by seeking where the format allows.
        duration: how much to read, in seconds; None reads to the end.

    Returns:
        (n_samples,) float32, full scale 1.0, at least one sample.

    Raises:
        AudioError: the recording cannot be read or holds no (or no finite) samples.
        ValueError: ``sample_rate``, ``offset`` or ``duration`` is out of range.
    """
    stream = stream_audio(source, sample_rate=sample_rate, offset=offset, duration=duration)
    return np.concatenate(list(stream))


def stream_audio(
    source: AudioSource,
    *,
    sample_rate: int,
    offset: float = 0.0,
    duration: float | None = None,
    block_seconds: float = 10.0,
) -> Iterator[NDArray[np.float32]]:
    """Read a recording block by block, in memory that does not grow with its length.

    Arguments and errors are those of :func:`load_audio`; an error may come after some blocks.
    Damage in the middle of a file ends the stream there with an :class:`AudioWarning`.

    Yields:
        (n,) float32 with n >= 1, about ``block_seconds`` long.
    """
    _validate(sample_rate, offset, duration, block_seconds)
    return _stream(source, sample_rate, offset, duration, block_seconds)


def probe(source: AudioSource) -> AudioInfo:
    """Read what a file says of itself, without decoding it.

    Raises:
        AudioError: no decoder can open it.
    """
    with ExitStack() as stack:
        decoder = _open_decoder(source, stack)
        return AudioInfo(
            decoder.sample_rate, decoder.channels, decoder.seconds, _decoder_name(decoder)
        )


def source_name(source: AudioSource) -> str:
    """Name a source for people: its path, the ``name`` of a file object, or ``"<bytes>"``."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


# ------------------------------------------------------------------------------ the way in


def _validate(sample_rate: int, offset: float, duration: float | None, block: float) -> None:
    if sample_rate < 1:
        raise ValueError(f"sample_rate={sample_rate} must be at least 1 Hz")
    if not 0 <= offset < float("inf"):
        raise ValueError(f"offset={offset} must be a time in seconds, at least 0")
    if duration is not None and not duration > 0:
        raise ValueError(f"duration={duration} must be positive or None")
    if not block > 0:
        raise ValueError(f"block_seconds={block} must be positive")


def _stream(
    source: AudioSource, sample_rate: int, offset: float, duration: float | None, block: float
) -> Iterator[NDArray[np.float32]]:
    name = source_name(source)
    with ExitStack() as stack:
        decoder = _open_decoder(source, stack)
        mono = _mono_blocks(decoder, name, offset, duration, block)
        n_samples = 0
        for samples in _resampled(mono, decoder.sample_rate, sample_rate):
            n_samples += len(samples)
            yield samples
    if n_samples == 0:
        after = f" after {offset:g} s" if offset else ""
        raise AudioError(name, f"holds no audio samples{after}")


def _open_decoder(source: AudioSource, stack: ExitStack) -> Decoder:
    """Open ``source`` with the first decoder that can read it."""
    name = source_name(source)
    file = _open_file(source, stack)
    if file.seek(0, os.SEEK_END) == 0:
        raise AudioError(name, "is empty")
    messages: dict[str, str] = {}
    for kind in (SoundFileDecoder, FFmpegDecoder):
        file.seek(0)
        try:
            decoder = kind(_handle(file, kind))
        except DecodeError as error:
            messages[kind.name] = str(error)
            continue
        stack.enter_context(decoder)
        return cast(Decoder, decoder)
    raise AudioError(name, "is not audio that any decoder can read", messages)


def _handle(file: BinaryIO, kind: type) -> int | BinaryIO:
    """Give libsndfile a descriptor where there is one: no call into Python for each read."""
    if kind is SoundFileDecoder and isinstance(file, io.BufferedReader):
        return file.fileno()
    return file


def _open_file(source: AudioSource, stack: ExitStack) -> BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        try:
            if path.is_dir():
                raise AudioError(str(path), "is a folder, not a recording")
            return stack.enter_context(path.open("rb"))
        except OSError as error:
            raise AudioError(str(path), error.strerror or str(error)) from error
        except ValueError as error:  # a name with a NUL byte
            raise AudioError(str(path), str(error)) from error
    if not hasattr(source, "read"):
        raise TypeError(f"expected a path, bytes or a binary file, not {type(source).__name__}")
    return source if _is_seekable(source) else _spooled(source, stack)


def _is_seekable(file: BinaryIO) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if seekable else False


def _spooled(pipe: BinaryIO, stack: ExitStack) -> BinaryIO:
    """Copy a pipe to where it can be read again by the second decoder."""
    spool = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))
    shutil.copyfileobj(pipe, spool)
    return cast(BinaryIO, spool)


def _decoder_name(decoder: Decoder) -> str:
    return cast(str, getattr(decoder, "name"))  # noqa: B009


# ------------------------------------------------------------------------- mono, resampled


def _mono_blocks(
    decoder: Decoder, name: str, offset: float, duration: float | None, block_seconds: float
) -> Iterator[NDArray[np.float32]]:
    """Average the channels, stop after ``duration``, refuse what is not a number."""
    rate = decoder.sample_rate
    remaining = None if duration is None else max(1, round(duration * rate))
    done = 0
    try:
        for block in decoder.blocks(offset, max(1, round(block_seconds * rate))):
            mono = block.mean(axis=1, dtype=np.float32)[:remaining]
            if not np.isfinite(mono).all():
                raise AudioError(name, f"holds NaN or infinite samples near {done / rate:.1f} s")
            done += len(mono)
            yield mono
            if remaining is not None:
                remaining -= len(mono)
                if remaining <= 0:
                    return
    except DecodeError as error:
        if done == 0:
            raise AudioError(
                name, "cannot be decoded", {_decoder_name(decoder): str(error)}
            ) from error
        message = f"{name}: damaged after {offset + done / rate:.1f} s, read up to there ({error})"
        warnings.warn(AudioWarning(message), stacklevel=2)


def _resampled(
    blocks: Iterator[NDArray[np.float32]], rate_in: int, rate_out: int
) -> Iterator[NDArray[np.float32]]:
    if rate_in == rate_out:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_in, rate_out, num_channels=1, dtype="float32")
    for block in blocks:
        converted = resampler.resample_chunk(block)
        if len(converted):
            yield converted
    tail = resampler.resample_chunk(np.empty(0, np.float32), last=True)
    if len(tail):
        yield tail
