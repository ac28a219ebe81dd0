"""Two decoders with one face: libsndfile (soundfile) and FFmpeg (PyAV).

Each opens a file and yields blocks of mono float32 at the file's own rate: the mean of the
channels. libsndfile comes first because it reads MP3 about twice as fast; FFmpeg reads what it
cannot, and takes over where it breaks off. :mod:`genrelens.audio` is the only caller.
"""

from __future__ import annotations

import functools
import math
import os
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO, RawIOBase
from itertools import chain
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import soxr
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# FFmpeg also knows playlists that name other files and addresses, terminal captures, image
# sequences and devices. An audio file is none of these, and none of these is opened.
_FORMATS = (
    "aac,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,ac3,dts,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,"
    "mj2,mp3,mpeg,mpegts,mpc,mpc8,ogg,rm,tak,tta,w64,wav,wv,xwma"
)
_OPEN_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}

# What a header may claim; beyond it the file is damaged, or made to exhaust memory.
_MIN_RATE, _MAX_RATE = 1_000, 3_000_000  # Hz; the upper end is DSD512
_MAX_CHANNELS = 256
_MAX_BLOCK = 2**22  # numbers in a block, all channels together: 16 MiB
_MAX_FRAMES = 2**48  # libsndfile says "unknown" with a larger number

_RUN_UP = 0.25  # seconds decoded and thrown away before an offset: codecs remember the past


class DecodeError(Exception):
    """A decoder cannot read a file; the text is the decoder's own words."""


class Decoder(ABC):
    """An open recording.

    Args:
        file: on disk; read from its beginning; stays open.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        seconds: duration, or None where the file does not say.
        failure: once ``blocks`` has ended, what could not be decoded, in the decoder's own words.

    Raises:
        DecodeError: this decoder cannot open the file.

    """

    name: ClassVar[str]
    sample_rate: int
    channels: int
    seconds: float | None
    failure: str = ""

    @abstractmethod
    def __init__(self, file: FileIO) -> None: ...

    @abstractmethod
    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """Yield (n,) float32 from ``offset`` seconds on, the mean of the channels.

        A block is about ``block_seconds`` long, less where memory would not be bounded. What
        cannot be decoded is left out and told in ``failure``.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the decoder."""

    def _check_claims(self) -> None:
        if not _MIN_RATE <= self.sample_rate <= _MAX_RATE:
            raise DecodeError(
                f"a sample rate of {self.sample_rate} Hz is not in {_MIN_RATE}..{_MAX_RATE}"
            )
        if not 1 <= self.channels <= _MAX_CHANNELS:
            raise DecodeError(f"{self.channels} channels are not in 1..{_MAX_CHANNELS}")

    def _block_size(self, block_seconds: float) -> int:
        return max(1, round(min(block_seconds * self.sample_rate, _MAX_BLOCK / self.channels)))


class SoundFileDecoder(Decoder):
    """WAV, AU, FLAC, AIFF, OGG (Vorbis, Opus), MP3 and more, through libsndfile."""

    name = "libsndfile"

    def __init__(self, file: FileIO) -> None:
        import soundfile

        self._error = soundfile.SoundFileError
        file.seek(0)
        # Through a descriptor, since calls from C into Python would swallow Ctrl-C and take it
        # for the end of the file. On Windows, a descriptor belongs to one C library.
        source = file.fileno() if os.name == "posix" else _nameless(file)
        try:
            self._file = soundfile.SoundFile(source, closefd=False)
        except self._error as error:
            raise DecodeError(_words(error)) from error
        self.sample_rate = self._file.samplerate
        self.channels = self._file.channels
        try:
            self._check_claims()
            self._check_length(file)
        except DecodeError:
            self.close()
            raise
        self.seconds = self._file.frames / self.sample_rate

    def _check_length(self, file: FileIO) -> None:
        """Refuse an unknown length: libsndfile guesses it and reads no further than the guess."""
        if self._file.frames > _MAX_FRAMES:
            raise DecodeError("the header does not tell the length")
        if self._file.format == "MP3" and not _mp3_tells_length(file):
            raise DecodeError("an MP3 that tells no length, or not this file's")

    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """See :meth:`Decoder.blocks`."""
        start = round(offset * self.sample_rate)
        size = self._block_size(block_seconds)
        try:
            self._file.seek(min(start, self._file.frames))
            while len(block := self._file.read(size, dtype="float32", always_2d=True)):
                yield _mean(block.T)
        except self._error as error:
            self.failure = _words(error)

    def close(self) -> None:
        """See :meth:`Decoder.close`."""
        self._file.close()


class FFmpegDecoder(Decoder):
    """M4A and AAC, WMA, WebM, MKV, MP4 (the sound of videos) and more, through PyAV."""

    name = "FFmpeg"

    def __init__(self, file: RawIOBase) -> None:
        import av

        self._av = av
        self._converter: tuple[int, Any] = (0, None)  # from which rate, and a resampler
        file.seek(0)
        try:
            self._container: Any = av.open(
                _nameless(file), options=_OPEN_OPTIONS, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DecodeError(_words(error)) from error
        try:
            self._stream = self._audio_stream()
            self.sample_rate = self._stream.codec_context.sample_rate or 0
            self.channels = self._stream.codec_context.channels or 0
            self.codec: int = self._stream.codec_context.codec.id  # whichever decoder is built in
            self._check_claims()
        except DecodeError:
            self.close()
            raise
        duration = self._container.duration
        self.seconds = duration / av.time_base if duration else None

    def _audio_stream(self) -> Any:
        streams = self._container.streams.audio
        known = [stream for stream in streams if stream.codec_context is not None]
        if known:
            return known[0]
        raise DecodeError("its sound is in an unknown codec" if streams else "it holds no sound")

    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """See :meth:`Decoder.blocks`."""
        size = self._block_size(block_seconds)
        pending: list[Float32] = []
        n_pending = 0
        for samples in self._after(offset):
            pending.append(samples)
            n_pending += len(samples)
            if n_pending >= size:
                yield np.concatenate(pending)
                pending, n_pending = [], 0
        if pending:
            yield np.concatenate(pending)

    def packets(self) -> Iterator[Any]:
        """Yield the encoded packets of the sound as buffers of bytes; nothing is decoded.

        Raises:
            DecodeError: the file cannot be taken apart any further.

        """
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except (self._av.FFmpegError, OSError, ValueError, LookupError) as error:
            raise DecodeError(_words(error)) from error

    def _after(self, offset: float) -> Iterator[Float32]:
        """Decode from ``offset`` on: seek to somewhat before, then leave samples out."""
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            return
        clock = first[0] or 0.0  # of the container, which need not begin at zero
        start = clock + offset
        frames = chain([first], frames)
        if offset > _RUN_UP:
            place = int((start - _RUN_UP) / self._stream.time_base)
            with suppress(self._av.FFmpegError, OSError):  # else go on from the beginning
                self._container.seek(place, stream=self._stream)
                frames, clock = self._frames(), start - _RUN_UP
        for time, samples in frames:
            clock = clock if time is None else time
            behind = round(max(0.0, start - clock) * self.sample_rate)
            clock += len(samples) / self.sample_rate
            if behind < len(samples):
                start = -math.inf  # from here on, a clock that jumps back does no harm
                yield samples[behind:]

    def _frames(self) -> Iterator[tuple[float | None, Float32]]:
        """Decode packet by packet, past the damaged ones, to time and samples."""
        n_damaged = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except self._av.FFmpegError as error:
                    n_damaged += 1
                    self.failure = f"{_words(error)}, packets left out: {n_damaged}"
                    continue
                for frame in frames:
                    yield frame.time, self._to_mono(frame)
        # PyAV raises LookupError where damage makes a stream appear that it does not know.
        except (self._av.FFmpegError, OSError, ValueError, LookupError) as error:
            self.failure = _words(error)

    def _to_mono(self, frame: Any) -> Float32:
        samples = frame.to_ndarray()  # (channels, n), or (1, n * channels) where they interleave
        if not frame.format.is_planar:
            samples = samples.reshape(-1, frame.layout.nb_channels).T
        if samples.dtype == np.uint8:
            samples = (samples.astype(np.float32) - 128) / np.float32(128)
        elif samples.dtype.kind == "i":
            samples = samples / np.float32(2.0 ** (8 * samples.itemsize - 1))
        mono = _mean(samples)
        if frame.sample_rate == self.sample_rate:
            return mono
        if frame.sample_rate != self._converter[0]:  # than the header says, or it changes
            converter = soxr.ResampleStream(frame.sample_rate, self.sample_rate, 1, "float32")
            self._converter = (frame.sample_rate, converter)
        return np.asarray(self._converter[1].resample_chunk(mono))

    def close(self) -> None:
        """See :meth:`Decoder.close`."""
        self._container.close()


def _nameless(file: RawIOBase) -> Any:
    """Hide the name, so that nobody guesses the format by it."""

    def seek(offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return file.seek(offset, whence)
        except OSError:  # before the beginning: PyAV would print it
            return -1

    return SimpleNamespace(read=file.read, seek=seek, tell=file.tell)


def _mean(channels: Float32) -> Float32:
    """Average channels (c, n); what is not finite stays so, without a warning.

    Over rows that lie apart: four times as fast as over pairs of neighbours.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.ascontiguousarray(channels).mean(axis=0, dtype=np.float32))


def _mp3_tells_length(file: FileIO) -> bool:
    """Tell whether the first frame counts the frames and the bytes, and the bytes are right.

    Source: the Xing VBR header, which LAME writes (as ``Info``) into files of constant rate too.
    """
    position = file.tell()
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    tag = file.read(10)
    if tag.startswith(b"ID3") and len(tag) == 10:
        n_bytes -= file.seek(10 + functools.reduce(lambda n, byte: n << 7 | byte & 127, tag[6:], 0))
    else:
        file.seek(0)
    frame = file.read(2048)
    file.seek(position)
    found = re.search(rb"(?:Xing|Info)(.{12})", frame, re.DOTALL)
    if not found:
        return False
    flags, _, claimed = struct.unpack(">III", found[1])
    return bool(flags & 3 == 3 and abs(claimed - n_bytes) <= 4096 + 0.01 * n_bytes)


def _words(error: BaseException) -> str:
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
