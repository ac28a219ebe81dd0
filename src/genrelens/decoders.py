"""Two decoders with one face: libsndfile (soundfile) and FFmpeg (PyAV).

Each opens a binary source and yields blocks of interleaved float32 at the file's own rate.
libsndfile comes first because it reads MP3 about twice as fast; FFmpeg reads what it cannot.
:mod:`genrelens.audio` is the only caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# FFmpeg also knows playlists that name other files and addresses, terminal captures, image
# sequences and devices. An audio file is none of these, and none of these is opened.
_FORMATS = (
    "aac,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,ac3,dts,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,mpc,mpc8,ogg,rm,tak,tta,w64,wav,wv,xwma"
)


class DecodeError(Exception):
    """A decoder cannot read a source; the text is the decoder's own words."""


class Decoder(AbstractContextManager["Decoder"], Protocol):
    """An open recording."""

    sample_rate: int
    channels: int
    seconds: float | None

    def blocks(self, offset: float, frames: int) -> Iterator[Float32]:
        """Yield (n, channels) float32 from ``offset`` seconds on, about ``frames`` at a time."""


class SoundFileDecoder:
    """WAV, AU, FLAC, AIFF, OGG (Vorbis, Opus), MP3 and more, through libsndfile."""

    name = "libsndfile"

    def __init__(self, source: int | BinaryIO) -> None:
        import soundfile

        self._error = soundfile.SoundFileError
        try:
            self._file = soundfile.SoundFile(source, closefd=False)
        except (soundfile.SoundFileError, TypeError) as error:
            raise DecodeError(_words(error)) from error
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.seconds: float | None = self._file.frames / self.sample_rate

    def blocks(self, offset: float, frames: int) -> Iterator[Float32]:
        """See :class:`Decoder`."""
        start = round(offset * self.sample_rate)
        if start >= self._file.frames > 0:
            return
        try:
            if start:
                self._file.seek(start)
            while len(block := self._file.read(frames, dtype="float32", always_2d=True)):
                yield block
        except self._error as error:
            raise DecodeError(_words(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class FFmpegDecoder:
    """M4A and AAC, WMA, WebM, MKV, MP4 (the sound of videos) and more, through PyAV."""

    name = "FFmpeg"

    def __init__(self, source: BinaryIO) -> None:
        import av

        self._av = av
        try:
            self._container: Any = av.open(source, options={"format_whitelist": _FORMATS})
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DecodeError(_words(error)) from error
        streams = self._container.streams.audio
        if not streams:
            self._container.close()
            raise DecodeError("it has no audio stream")
        self._stream = streams[0]
        self.sample_rate = int(self._stream.codec_context.sample_rate or 0)
        self.channels = int(self._stream.codec_context.channels or 0)
        if self.sample_rate <= 0 or self.channels <= 0:
            self._container.close()
            raise DecodeError("its audio stream gives no sample rate or no channels")
        duration = self._container.duration
        self.seconds: float | None = duration / av.time_base if duration else None

    def blocks(self, offset: float, frames: int) -> Iterator[Float32]:
        """See :class:`Decoder`."""
        pending: list[Float32] = []
        n_pending = 0
        for block in self._decode(offset):
            pending.append(block)
            n_pending += len(block)
            if n_pending >= frames:
                yield np.concatenate(pending)
                pending, n_pending = [], 0
        if pending:
            yield np.concatenate(pending)

    def _decode(self, offset: float) -> Iterator[Float32]:
        """Decode packet by packet; a damaged packet is skipped unless nothing else is there."""
        resampler = self._av.AudioResampler(format="flt", rate=self.sample_rate)
        start = self._seek(offset)
        failure: Exception | None = None
        decoded = False
        try:
            for packet in self._container.demux(self._stream):
                try:
                    decoded_frames = packet.decode()
                except self._av.FFmpegError as error:
                    failure = error
                    continue
                for frame in decoded_frames:
                    decoded = True
                    skip = self._frames_before(frame, start)
                    for converted in resampler.resample(frame):
                        samples = converted.to_ndarray().reshape(-1, self.channels)
                        if skip < len(samples):
                            yield samples[skip:]
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise DecodeError(_words(error)) from error
        if failure is not None and not decoded:
            raise DecodeError(_words(failure)) from failure

    def _seek(self, offset: float) -> float:
        """Go to the last key frame before ``offset``; return the wanted time in the stream."""
        if offset <= 0:
            return -math.inf
        first = float((self._stream.start_time or 0) * self._stream.time_base)
        target = first + offset
        self._container.seek(int(target / self._stream.time_base), stream=self._stream)
        return target

    def _frames_before(self, frame: Any, start: float) -> int:
        if frame.time is None or math.isinf(start):
            return 0
        return max(0, round((start - frame.time) * self.sample_rate))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._container.close()


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
