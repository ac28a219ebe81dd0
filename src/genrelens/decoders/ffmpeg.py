"""The decoder for M4A, AAC, WMA, WebM, MKV, MP4 (the audio of videos) and more: FFmpeg."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from io import RawIOBase
from itertools import chain
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.counts import count_of
from genrelens.decoders.base import DecodeError, Decoder, Float32, check_claims, message_of
from genrelens.decoders.complete import is_chained
from genrelens.decoders.flac import read_flac_header
from genrelens.decoders.formats import FFMPEG_SUFFIXES
from genrelens.decoders.headers import Header, Patched, read_header
from genrelens.decoders.limits import GuardedFile
from genrelens.decoders.mono import mixed
from genrelens.decoders.mp3 import read_mp3_header

__all__ = ["FFmpegDecoder", "FrameArrays"]

_OPEN_OPTIONS = {"format_whitelist": ",".join(FFMPEG_SUFFIXES), "protocol_whitelist": "none"}

# Containers that state a duration, so that FFmpeg does not estimate it from the bit rate.
_STATING = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "ape", "tta", "tak", "wv", "mpc8")

_POINTERS = 8  # AV_NUM_DATA_POINTERS of libavutil/frame.h
_RUN = 2**13  # samples that are converted at once
_PREROLL = 0.25  # seconds decoded and discarded before an offset, because codecs have a state


class FFmpegDecoder(Decoder):
    """Decodes M4A, AAC, WMA, WebM, MKV, MP4 (the audio of videos) and more with PyAV."""

    name = "FFmpeg"

    def __init__(self, file: RawIOBase) -> None:
        import av

        self._av = av
        # A resampler, and the sample rate and the number of channels that it converts.
        self._converter: tuple[tuple[int, int], Any] = ((0, 0), None)
        header = read_header(file)
        if header is not None and header.patches:
            file = Patched(file, header.patches)
        self._is_chained = is_chained(file)
        guarded = GuardedFile.after_tags(file)
        try:
            self._container: Any = av.open(
                guarded, mode="r", options=_OPEN_OPTIONS, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            guarded.opened()
            raise DecodeError(message_of(error)) from error
        try:
            guarded.opened()
            self._stream = self._audio_stream()
            self.sample_rate = self._stream.codec_context.sample_rate or 0
            self.channels = self._stream.codec_context.channels or 0
            # The number of the codec is the same for all of its decoders.
            self.codec: int = self._stream.codec_context.codec.id
            check_claims(self.sample_rate, self.channels)
        except DecodeError:
            self.close()
            raise
        self._arrays = FrameArrays(self.channels)
        self.seconds, self.stated = self._lengths(file, header)

    def _lengths(self, file: RawIOBase, header: Header | None) -> tuple[float | None, float | None]:
        """Return the duration (None if impossible) and the stated duration, in seconds."""
        duration = self._container.duration
        seconds = duration / self._av.time_base if duration else None
        if header is not None:
            return seconds, header.seconds
        name = self._container.format.name
        # FFmpeg estimates the duration of AAC from the first frames; for a chain it returns that of
        # the last stream.
        if name == "aac" or self._is_chained:
            return None, None
        if read := {"mp3": read_mp3_header, "flac": read_flac_header}.get(name):
            position = file.tell()
            found: Any = read(file)
            file.seek(position)
            return (found.seconds, found.stated) if found is not None else (None, None)
        return seconds, self._stated(seconds) if name in _STATING else None

    def _stated(self, seconds: float | None) -> float | None:
        """Return the duration of the audio that the header states, in seconds."""
        if self._container.format.name.startswith("mov"):
            duration = self._stream.duration
            return float(duration * self._stream.time_base) if duration else None
        covers = self._av.stream.Disposition.attached_pic
        videos = [each for each in self._container.streams.video if not each.disposition & covers]
        return None if videos else seconds  # a video can be longer than its audio

    def _audio_stream(self) -> Any:
        streams = self._container.streams.audio
        for stream in streams:
            if stream.codec_context is not None:
                return stream
        raise DecodeError("its audio has an unknown codec" if streams else "it contains no audio")

    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """See :meth:`Decoder.blocks`."""
        size = self._block_size(block_seconds)
        pending: list[Float32] = []
        n_pending = 0
        for samples in mixed(self._after(offset), self.sample_rate, size):
            pending.append(samples)
            n_pending += len(samples)
            if n_pending >= size:
                yield np.concatenate(pending)
                pending, n_pending = [], 0
        if pending:
            yield np.concatenate(pending)

    def packets(self) -> Iterator[Any]:
        """Yield the encoded packets of the audio as buffers of bytes, without decoding them.

        Raises:
            DecodeError: the container is damaged.

        """
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except (self._av.FFmpegError, OSError, ValueError, LookupError) as error:
            raise DecodeError(message_of(error)) from error

    def _after(self, offset: float) -> Iterator[Float32]:
        """Decode from ``offset`` seconds on; yield blocks (channels, n).

        Seek to a position before ``offset``, then discard samples up to it.
        """
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            return
        clock = first[0] or 0.0  # time in the container, which may not start at zero
        begin, start = clock, clock + offset
        frames = chain([first], frames)
        if offset > _PREROLL and not self._is_chained:
            position = int((start - _PREROLL) / self._stream.time_base)
            with suppress(self._av.FFmpegError, OSError):  # else decode from the beginning
                self._container.seek(position, stream=self._stream)
                frames, clock = self._frames(), start - _PREROLL
        for time, samples in frames:
            clock = clock if time is None or self._is_chained else time
            n_discarded = round(max(0.0, start - clock) * self.sample_rate)
            n_samples = samples.shape[1]
            clock += n_samples / self.sample_rate
            self.end = clock - begin
            if n_discarded < n_samples:
                start = -math.inf  # from now on, ignore time stamps that jump back
                yield samples[:, n_discarded:]

    def _frames(self) -> Iterator[tuple[float | None, Float32]]:
        """Decode; yield times in seconds and samples (channels, n)."""
        try:
            for run in self._runs():
                yield run[0].time, self._samples(run)
        except ValueError as error:  # PyAV does not support this type of sample
            self.failure = message_of(error)

    def _runs(self) -> Iterator[list[Any]]:
        """Decode packet by packet and skip damaged ones.

        Consecutive frames of one kind are yielded together, which is faster. The first frame is
        yielded alone, because a caller may need only its time.
        """
        run: list[Any] = []
        n_samples, enough, n_damaged = 0, 0, 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = self._decoded(packet)
                except (self._av.FFmpegError, DecodeError) as error:
                    n_damaged += 1
                    self.failure = f"{message_of(error)}, packets skipped: {n_damaged}"
                    frames, enough = [], 0  # the next frame does not follow directly
                for frame in frames:
                    if run and (n_samples >= enough or _kind(frame) != _kind(run[0])):
                        yield run
                        run, n_samples, enough = [], 0, _RUN
                    run.append(frame)
                    n_samples += frame.samples
        # PyAV raises LookupError if a damaged packet names an unknown stream.
        except (self._av.FFmpegError, OSError, ValueError, LookupError) as error:
            self.failure = message_of(error)
        if run:
            yield run

    def _decoded(self, packet: Any) -> list[Any]:
        frames: list[Any] = packet.decode()
        for frame in frames:
            self._arrays.check(frame)
        return frames

    def _samples(self, run: list[Any]) -> Float32:
        """Join frames of one kind to (channels, n) at the sample rate of the recording."""
        first = run[0]
        # (channels, n) if planar, (1, n * channels) if interleaved
        samples = np.concatenate([self._arrays.array(frame) for frame in run], axis=1)
        if not first.format.is_planar:
            samples = samples.reshape(-1, first.layout.nb_channels).T
        if samples.dtype == np.uint8:
            samples = (samples.astype(np.float32) - 128) / np.float32(128)
        elif samples.dtype.kind == "i":
            samples = samples / np.float32(2.0 ** (8 * samples.itemsize - 1))
        with np.errstate(over="ignore"):  # FileReader rejects values that are too large
            samples = samples.astype(np.float32, copy=False)
        return samples if first.sample_rate == self.sample_rate else self._converted(first, samples)

    def _converted(self, frame: Any, samples: Float32) -> Float32:
        """Resample frames whose sample rate differs from that of the header."""
        kind = frame.sample_rate, len(samples)
        if kind != self._converter[0]:
            converter = soxr.ResampleStream(kind[0], self.sample_rate, kind[1], "float32")
            self._converter = (kind, converter)
        interleaved = np.ascontiguousarray(samples.T)
        return np.asarray(self._converter[1].resample_chunk(interleaved)).reshape(-1, kind[1]).T

    def close(self) -> None:
        """See :meth:`Decoder.close`."""
        self._container.close()


def _kind(frame: Any) -> tuple[str, int, int]:
    return frame.format.name, frame.layout.nb_channels, frame.sample_rate


class FrameArrays:
    """Converts the audio frames of one stream to arrays, within the memory that a frame owns.

    PyAV counts the planes of a frame up to the first null pointer. A frame has eight pointers. If
    all are in use (7.1, 16 channels), PyAV reads beyond them, and ``AudioFrame.to_ndarray``
    crashes. FFmpeg's resampler, which uses the number of channels, interleaves such frames first.


    Args:
        channels: number of channels that the stream's header states.

    """

    def __init__(self, channels: int) -> None:
        self._most_channels = max(_POINTERS, channels)
        self._packer: tuple[tuple[Any, ...], Any] = ((), None)  # kind of frame and its resampler

    def check(self, frame: Any) -> None:
        """Check the sample rate and the channels of a frame.

        Raises:
            DecodeError: they are impossible, because the file is damaged.

        """
        channels = frame.layout.nb_channels
        check_claims(frame.sample_rate, channels)
        if channels > self._most_channels:
            raise DecodeError(f"a frame claims {count_of(channels, 'channel')}")
        if frame.format.is_planar and channels < _POINTERS and len(frame.planes) != channels:
            raise DecodeError(
                f"a frame claims {count_of(channels, 'channel')}, and has {len(frame.planes)}"
            )

    def array(self, frame: Any) -> NDArray[Any]:
        """Return the samples of a frame in their stored type.

        Returns:
            (channels, n) for a planar frame, (1, n * channels) for an interleaved one.

        Raises:
            ValueError: NumPy has no such type, or the frame has too little memory.

        """
        channels = frame.layout.nb_channels
        if not frame.format.is_planar or channels < _POINTERS:
            samples: NDArray[Any] = frame.to_ndarray()
            return samples
        packed = [each.to_ndarray() for each in self._packed(frame)]
        return np.concatenate(packed, axis=1).reshape(-1, channels).T

    def _packed(self, frame: Any) -> list[Any]:
        """Interleave a planar frame."""
        import av

        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self._packer[0]:
            packer = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate)
            self._packer = kind, packer
        frame.pts = None  # the resampler rejects times that jump back
        return list(self._packer[1].resample(frame))
