"""The only door for audio: any file, at any rate, to mono float32 at the asked rate.

A source is a path, the bytes of a file, or a binary file object. Files are read through
libsndfile or, where it cannot, FFmpeg; channels are averaged, without cancelling each other
(:mod:`genrelens.decoders.mono`), and the rate is converted by soxr.
What is not a file on disk is first copied to a temporary one.
:func:`load_audio` is :func:`stream_audio` put together, so both give the same samples.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.decoders import DecodeError, FFmpegDecoder, SoundFileDecoder
from genrelens.errors import AudioError, AudioWarning

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "AudioSource",
    "load_audio",
    "probe",
    "source_name",
    "stream_audio",
]

AudioSource = str | os.PathLike[str] | bytes | BinaryIO
Float32 = NDArray[np.float32]

AUDIO_SUFFIXES = frozenset((
    ".aac", ".aif", ".aifc", ".aiff", ".ape", ".au", ".avi", ".caf", ".flac", ".flv", ".m4a",
    ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpc", ".mpeg", ".mpg",
    ".oga", ".ogg", ".ogv", ".opus", ".snd", ".tta", ".w64", ".wav", ".webm", ".wma", ".wmv",
    ".wv",
))  # fmt: skip
"""Endings that count as audio (or video with sound) when a folder is searched."""

_UNREADABLE = "is not audio that any decoder can read"
_DECODERS = (SoundFileDecoder, FFmpegDecoder)
_LONGEST = 1e9  # seconds: 31 years, beyond any recording and within every integer type
_LOUDEST = 1e6  # 120 dB over full scale: no sound, and its power still fits into float32


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
) -> Float32:
    """Read a recording as mono float32.

    Args:
        source: path, bytes of a file, or binary file object (read whole, from its beginning if
            it can seek; it stays open).
        sample_rate: rate of the result in Hz; the file may have any.
        offset: where to start, in seconds; reached by seeking where the format allows.
        duration: how much to read, in seconds; None reads to the end.

    Returns:
        (n_samples,) float32, full scale 1.0, at least one sample.

    Raises:
        AudioError: the recording cannot be read, holds no samples, or some that are not finite.
        TypeError: ``source`` is something else, or a file in text mode.
        ValueError: ``sample_rate``, ``offset`` or ``duration`` is out of range.

    Warns:
        AudioWarning: the file is damaged; the result is what could be read.

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
) -> Iterator[Float32]:
    """Read a recording block by block, in memory that does not grow with its length.

    Arguments, errors and warnings are those of :func:`load_audio`; they may come after some
    blocks. The file is opened when the first block is asked for.

    Yields:
        (n,) float32 with n >= 1, about ``block_seconds`` long; shorter where the rate and the
        number of channels are so high that memory would not be bounded.

    """
    _validate(sample_rate, offset, duration, block_seconds)
    return _stream(source, sample_rate, offset, duration, block_seconds)


def probe(source: AudioSource) -> AudioInfo:
    """Read what a file says of itself, without decoding it.

    Raises:
        AudioError: no decoder can open it.
        TypeError: ``source`` is not a path, bytes or a binary file.

    """
    messages: dict[str, str] = {}
    with ExitStack() as stack:
        file = _open_file(source, stack)
        for kind in _DECODERS:
            try:
                with closing(kind(file)) as it:
                    return AudioInfo(it.sample_rate, it.channels, it.seconds, it.name)
            except DecodeError as error:
                messages[kind.name] = str(error)
    raise AudioError(source_name(source), _UNREADABLE, messages)


def source_name(source: AudioSource) -> str:
    """Name a source for people: its path, the ``name`` of a file object, or ``"<bytes>"``."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


# ------------------------------------------------------------------------------ the stream


def _validate(sample_rate: int, offset: float, duration: float | None, block: float) -> None:
    if sample_rate < 1:
        raise ValueError(f"sample_rate={sample_rate} must be at least 1 Hz")
    if not 0 <= offset <= _LONGEST:
        raise ValueError(f"offset={offset} must be a time in 0..{_LONGEST:g} seconds")
    if duration is not None and not duration > 0:
        raise ValueError(f"duration={duration} must be positive or None")
    if not block > 0:
        raise ValueError(f"block_seconds={block} must be positive")


def _stream(
    source: AudioSource, sample_rate: int, offset: float, duration: float | None, block: float
) -> Iterator[Float32]:
    """Let the first decoder read; where it breaks off, let the second go on."""
    name = source_name(source)
    length = min(duration or _LONGEST, _LONGEST)
    n_samples = 0
    failures: dict[str, str] = {}
    damage: list[str] = []
    with ExitStack() as stack:
        file = _open_file(source, stack)
        for kind in _DECODERS:
            done = n_samples / sample_rate
            try:
                decoder = stack.enter_context(closing(kind(file)))
            except DecodeError as error:
                failures[kind.name] = str(error)
                continue
            rate = decoder.sample_rate
            start, left = offset + done, length - done
            blocks = _first(decoder.blocks(start, min(block, left)), round(left * rate))
            checked = _checked(blocks, name, rate, start)
            for samples in _resampled(checked, rate, sample_rate):
                n_samples += len(samples)
                yield samples
            if not decoder.failure:
                break
            failures[kind.name] = decoder.failure
            damage.append(f"{kind.name}: {decoder.failure}")
        else:
            if n_samples == 0:
                raise AudioError(name, _UNREADABLE, failures)
    if n_samples == 0:
        raise AudioError(
            name, "holds no audio samples" + (f" after {offset:g} s" if offset else "")
        )
    if damage:
        text = f"{name}: is damaged; {n_samples / sample_rate:.1f} s of it could be read"
        warnings.warn(AudioWarning(f"{text} ({'; '.join(damage)})"), stacklevel=2)


def _first(blocks: Iterable[Float32], n_samples: int) -> Iterator[Float32]:
    """Cut the stream after ``n_samples``, but not before the first."""
    n_samples = max(1, n_samples)
    for block in blocks:
        yield block[:n_samples]
        n_samples -= len(block)
        if n_samples <= 0:
            return


def _checked(blocks: Iterable[Float32], name: str, rate: int, seconds: float) -> Iterator[Float32]:
    """Refuse what is not a number, or a number that no sound has."""
    for block in blocks:
        if not -_LOUDEST <= block.min() <= block.max() <= _LOUDEST:
            index = int(np.argmin(np.abs(block) <= _LOUDEST))
            raise AudioError(
                name,
                f"holds the sample {block[index]:g} at {seconds + index / rate:.2f} s; "
                "full scale is 1",
            )
        seconds += len(block) / rate
        yield block


def _resampled(blocks: Iterable[Float32], rate_in: int, rate_out: int) -> Iterator[Float32]:
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


# ------------------------------------------------------------------------------ the source


def _open_file(source: AudioSource, stack: ExitStack) -> io.FileIO:
    """Open a path; copy anything else to a temporary file, since decoders go back and forth."""
    name = source_name(source)
    try:
        if isinstance(source, str | os.PathLike):
            file = _open_path(Path(source), stack)
        elif isinstance(source, bytes | bytearray | memoryview):
            file = _copied(io.BytesIO(source), stack)
        elif hasattr(source, "read"):
            if hasattr(source, "seekable") and source.seekable():
                source.seek(0)
            file = _copied(source, stack)
        else:
            raise TypeError(f"expected a path, bytes or a binary file, not {type(source).__name__}")
        size = file.seek(0, os.SEEK_END)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(name, reason or type(error).__name__) from error
    if size == 0:
        raise AudioError(name, "is empty")
    return file


def _open_path(path: Path, stack: ExitStack) -> io.FileIO:
    if path.is_dir():
        raise AudioError(str(path), "is a folder, not a recording")
    try:
        file = stack.enter_context(path.open("rb", buffering=0))
    except ValueError as error:  # a NUL byte, or text that no file name can hold
        raise AudioError(str(path), f"is not a file name ({error})") from error
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise AudioError(str(path), "is a device, not a recording")
    return file if stat.S_ISREG(mode) else _copied(file, stack)


def _copied(pipe: BinaryIO, stack: ExitStack) -> io.FileIO:
    copy: Any = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    while chunk := pipe.read(2**20):
        try:
            copy.write(chunk)
        except TypeError as error:
            hint = f"{source_name(pipe)} does not give bytes; open it in binary mode"
            raise TypeError(hint) from error
    copy.flush()
    file: io.FileIO = copy.raw
    return file
