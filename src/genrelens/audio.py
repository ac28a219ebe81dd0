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
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.decoders import (
    AUDIO_SUFFIXES,
    DecodeError,
    Decoder,
    FFmpegDecoder,
    SoundFileDecoder,
    cut_off,
    disagree,
    lacks_index,
)
from genrelens.errors import AudioError, AudioWarning
from genrelens.files import reason

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

_UNREADABLE = "is not audio that any decoder can read"
_NO_INDEX = "its index is missing: the file is cut off"
_DECODERS: tuple[type[Decoder], ...] = (SoundFileDecoder, FFmpegDecoder)
_LONGEST = 1e9  # seconds: 31 years, beyond any recording and within every integer type
_PADDING = 0.2  # seconds that encoders and decoders add at the end
_UNKNOWN = 2.5  # seconds that are expected of a damaged recording of unknown length
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
        AudioWarning: the file is damaged or cut off, or its header states another length than was
            decoded; the result is all that could be decoded.

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
                    seconds = it.seconds if (it.seconds or 0.0) <= _LONGEST else None
                    return AudioInfo(it.sample_rate, it.channels, seconds, it.name)
            except DecodeError as error:
                messages[kind.name] = str(error)
        raise AudioError(source_name(source), _why_unreadable(file), messages)


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
    with ExitStack() as stack:
        reading = _Reading(_open_file(source, stack), source_name(source), sample_rate)
        yield from reading.blocks(offset, min(duration or _LONGEST, _LONGEST), block)
        reading.check()
        text = reading.warning()
    if text:
        warnings.warn(AudioWarning(text), stacklevel=2)


class _Reading:
    """Reads a part of a file: where the first decoder breaks off, the second goes on.

    Args:
        file: to be read.
        name: of the file, for people.
        sample_rate: of the result, in Hz.

    """

    def __init__(self, file: io.FileIO, name: str, sample_rate: int) -> None:
        self._file, self._name, self._rate = file, name, sample_rate
        self._offset = 0.0
        self._length = _LONGEST
        self._n_samples = 0
        self._failures: dict[str, str] = {}  # reason by the name of the decoder
        self._damage: list[str] = []
        self._doubts: list[str] = []  # complaints of a strict decoder, which may be unfounded
        self._opened: list[Decoder] = []

    @property
    def _done(self) -> float:
        """Seconds that were decoded."""
        return self._n_samples / self._rate

    def blocks(self, offset: float, length: float, block: float) -> Iterator[Float32]:
        """Yield the samples from ``offset`` on, ``length`` seconds at most, as :func:`_stream`."""
        self._offset, self._length = offset, length
        for kind in _DECODERS:
            try:
                decoder = kind(self._file)
            except DecodeError as error:
                self._failures[kind.name] = str(error)
                continue
            with closing(decoder):
                yield from self._decoded(decoder, block)
            if self._is_enough(decoder):
                return

    def _decoded(self, decoder: Decoder, block: float) -> Iterator[Float32]:
        rate = decoder.sample_rate
        left, start = self._length - self._done, self._offset + self._done
        blocks = _first(decoder.blocks(start, min(block, left)), round(left * rate))
        samples = _resampled(_checked(blocks, self._name, rate, start), rate, self._rate)
        if self._opened and self._opened[-1].has_more:  # more than the padding of an encoder
            samples = _unless_shorter(samples, round(_PADDING * self._rate))
        self._opened.append(decoder)
        for each in samples:
            self._n_samples += len(each)
            yield each

    def _is_enough(self, decoder: Decoder) -> bool:
        """Record the failure of a decoder; return whether no other decoder is needed."""
        if decoder.failure:
            self._failures[decoder.name] = decoder.failure
            notes = self._doubts if decoder.is_strict else self._damage
            notes.append(f"{decoder.name}: {decoder.failure}")
            return False
        return (self._n_samples > 0 or decoder.stated == 0) and not decoder.has_more

    @property
    def _is_to_the_end(self) -> bool:
        return self._done + _PADDING / 10 < self._length

    @property
    def _stated(self) -> float | None:
        """Seconds that the header states, which the first decoder to open the file has read."""
        return next((each.stated for each in self._opened if each.stated is not None), None)

    def check(self) -> None:
        """Raise :class:`AudioError` if nothing was decoded, or nearly nothing of a damaged file."""
        if self._n_samples == 0:
            if all(kind.name in self._failures for kind in _DECODERS):
                raise AudioError(self._name, _why_unreadable(self._file), self._failures)
            after = f" after {self._offset:g} s" if self._offset else ""
            raise AudioError(self._name, f"holds no audio samples{after}")
        seconds = self._stated or self._opened[-1].seconds
        expected = min(self._length, seconds - self._offset) if seconds else _UNKNOWN
        if self._damage and self._done < min(1.0, 0.1 * expected):
            reason = f"is damaged; only {self._done:.1f} s of it could be decoded"
            raise AudioError(self._name, reason, self._failures)

    def warning(self) -> str:
        """Return what is wrong although some of the file was decoded, or an empty string."""
        notes = list(self._damage)
        if not self._is_settled():
            notes += self._doubts
        if self._is_to_the_end and (cut := cut_off(self._file)):
            notes.append(cut)
        contradiction = self._contradiction() if self._is_to_the_end else ""
        if not notes:
            return f"{self._name}: {contradiction}" if contradiction else ""
        notes += [contradiction] if contradiction else []
        text = f"{self._name}: is damaged; {self._done:.1f} s of it could be read"
        return f"{text} ({'; '.join(notes)})"

    def _is_settled(self) -> bool:
        """Whether the last decoder read the length that the first one stated, without a failure."""
        promised = self._opened[0].seconds
        if self._opened[-1].failure or promised is None:
            return False
        gap = abs(self._offset + self._done - promised)
        return not self._is_to_the_end or gap < _PADDING / 10

    def _contradiction(self) -> str:
        """State both lengths where the header's is not the recording's."""
        decoded = self._offset + self._done
        reached = max(decoded, *(each.end for each in self._opened))
        stated = self._stated
        if stated is None or not (
            disagree(stated, decoded) and (decoded > stated or disagree(stated, reached))
        ):
            return ""
        return f"header says {stated:.1f} s, {decoded:.1f} s were decoded"


def _why_unreadable(file: io.FileIO) -> str:
    return _NO_INDEX if lacks_index(file) else _UNREADABLE


def _unless_shorter(blocks: Iterable[Float32], n_samples: int) -> Iterator[Float32]:
    """Yield the blocks if they hold ``n_samples`` at least, else nothing."""
    blocks = iter(blocks)
    first: list[Float32] = []
    while sum(map(len, first)) < n_samples:
        block = next(blocks, None)
        if block is None:
            return
        first.append(block)
    yield from chain(first, blocks)


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
        raise AudioError(name, reason(error)) from error
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
