"""FFmpeg: M4A and AAC, WMA, WebM, MKV, MP4 (the sound of videos) and more."""

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

from genrelens.decoders.base import (
    DecodeError,
    Decoder,
    Float32,
    check_claims,
    in_words,
)
from genrelens.decoders.complete import is_chained
from genrelens.decoders.flac import read_flac_header
from genrelens.decoders.formats import FFMPEG_SUFFIXES
from genrelens.decoders.headers import Header, Patched, read_header
from genrelens.decoders.limits import GuardedFile
from genrelens.decoders.mono import mixed
from genrelens.decoders.mp3 import read_mp3_header

__all__ = ["FFmpegDecoder", "FrameArrays"]

_OPEN_OPTIONS = {"format_whitelist": ",".join(FFMPEG_SUFFIXES), "protocol_whitelist": "none"}

# Whose headers state a duration: it is neither estimated from a bit rate nor left to the encoder.
_STATING = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "ape", "tta", "tak", "wv", "mpc8")

_POINTERS = 8  # AV_NUM_DATA_POINTERS of libavutil/frame.h
_RUN = 2**13  # samples that are converted at once
_RUN_UP = 0.25  # seconds decoded and thrown away before an offset: codecs remember the past


class FFmpegDecoder(Decoder):
    """M4A and AAC, WMA, WebM, MKV, MP4 (the sound of videos) and more, through PyAV."""

    name = "FFmpeg"

    def __init__(self, file: RawIOBase) -> None:
        import av

        self._av = av
        self._converter: tuple[tuple[int, int], Any] = ((0, 0), None)  # rate, channels; resampler
        header = read_header(file)
        if header is not None and header.patches:
            file = Patched(file, header.patches)
        self._is_chained = is_chained(file)
        guarded = GuardedFile.behind_tags(file)
        try:
            self._container: Any = av.open(
                guarded, mode="r", options=_OPEN_OPTIONS, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            guarded.opened()
            raise DecodeError(in_words(error)) from error
        try:
            guarded.opened()
            self._stream = self._audio_stream()
            self.sample_rate = self._stream.codec_context.sample_rate or 0
            self.channels = self._stream.codec_context.channels or 0
            self.codec: int = self._stream.codec_context.codec.id  # whichever decoder is built in
            check_claims(self.sample_rate, self.channels)
        except DecodeError:
            self.close()
            raise
        self._arrays = FrameArrays(self.channels)
        self.seconds, self.stated = self._lengths(file, header)

    def _lengths(self, file: RawIOBase, header: Header | None) -> tuple[float | None, float | None]:
        """Return the duration in seconds as far as it can be true, and as the header states it."""
        duration = self._container.duration
        seconds = duration / self._av.time_base if duration else None
        if header is not None:
            return seconds, header.seconds
        name = self._container.format.name
        # FFmpeg takes the bit rate of the first frames, or the last stream of a chain, for all.
        if name == "aac" or self._is_chained:
            return None, None
        if read := {"mp3": read_mp3_header, "flac": read_flac_header}.get(name):
            position = file.tell()
            found: Any = read(file)
            file.seek(position)
            return (found.seconds, found.stated) if found is not None else (None, None)
        return seconds, self._stated(seconds) if name in _STATING else None

    def _stated(self, seconds: float | None) -> float | None:
        """Return the duration of the sound as the header states it, in seconds."""
        if self._container.format.name.startswith("mov"):
            duration = self._stream.duration
            return float(duration * self._stream.time_base) if duration else None
        covers = self._av.stream.Disposition.attached_pic
        films = [each for each in self._container.streams.video if not each.disposition & covers]
        return None if films else seconds  # a film may be longer than its sound

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
        for samples in mixed(self._after(offset), self.sample_rate, size):
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
            raise DecodeError(in_words(error)) from error

    def _after(self, offset: float) -> Iterator[Float32]:
        """Decode from ``offset`` on: blocks (channels, n).

        Seek to somewhat before, then leave samples out.
        """
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            return
        clock = first[0] or 0.0  # of the container, which need not begin at zero
        begin, start = clock, clock + offset
        frames = chain([first], frames)
        if offset > _RUN_UP and not self._is_chained:
            place = int((start - _RUN_UP) / self._stream.time_base)
            with suppress(self._av.FFmpegError, OSError):  # else go on from the beginning
                self._container.seek(place, stream=self._stream)
                frames, clock = self._frames(), start - _RUN_UP
        for time, samples in frames:
            clock = clock if time is None or self._is_chained else time
            behind = round(max(0.0, start - clock) * self.sample_rate)
            n_samples = samples.shape[1]
            clock += n_samples / self.sample_rate
            self.end = clock - begin
            if behind < n_samples:
                start = -math.inf  # from here on, a clock that jumps back does no harm
                yield samples[:, behind:]

    def _frames(self) -> Iterator[tuple[float | None, Float32]]:
        """Decode to time and samples (channels, n)."""
        try:
            for run in self._runs():
                yield run[0].time, self._samples(run)
        except ValueError as error:  # samples of a type that PyAV does not know
            self.failure = in_words(error)

    def _runs(self) -> Iterator[list[Any]]:
        """Decode packet by packet, past the damaged ones.

        Frames of one kind that follow each other come together: one by one they would cost more.
        The first comes alone, since it may be wanted for its time only.
        """
        run: list[Any] = []
        n_samples, enough, n_damaged = 0, 0, 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = self._decoded(packet)
                except (self._av.FFmpegError, DecodeError) as error:
                    n_damaged += 1
                    self.failure = f"{in_words(error)}, packets left out: {n_damaged}"
                    frames, enough = [], 0  # what comes now begins at another time
                for frame in frames:
                    if run and (n_samples >= enough or _kind(frame) != _kind(run[0])):
                        yield run
                        run, n_samples, enough = [], 0, _RUN
                    run.append(frame)
                    n_samples += frame.samples
        # PyAV raises LookupError where damage makes a stream appear that it does not know.
        except (self._av.FFmpegError, OSError, ValueError, LookupError) as error:
            self.failure = in_words(error)
        if run:
            yield run

    def _decoded(self, packet: Any) -> list[Any]:
        frames: list[Any] = packet.decode()
        for frame in frames:
            self._arrays.check(frame)
        return frames

    def _samples(self, run: list[Any]) -> Float32:
        """Join frames of one kind to (channels, n) at the rate of the recording."""
        first = run[0]
        # (channels, n), or (1, n * channels) where they interleave
        samples = np.concatenate([self._arrays.array(frame) for frame in run], axis=1)
        if not first.format.is_planar:
            samples = samples.reshape(-1, first.layout.nb_channels).T
        if samples.dtype == np.uint8:
            samples = (samples.astype(np.float32) - 128) / np.float32(128)
        elif samples.dtype.kind == "i":
            samples = samples / np.float32(2.0 ** (8 * samples.itemsize - 1))
        with np.errstate(over="ignore"):  # what is too large is refused later
            samples = samples.astype(np.float32, copy=False)
        return samples if first.sample_rate == self.sample_rate else self._converted(first, samples)

    def _converted(self, frame: Any, samples: Float32) -> Float32:
        """Convert samples of a frame whose rate is not the header's, or no longer."""
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
    """Converts the frames of one stream.

    Args:
        channels: number of channels that the stream's header states.

    """

    def __init__(self, channels: int) -> None:
        self._most_channels = max(_POINTERS, channels)
        self._packer: tuple[tuple[Any, ...], Any] = ((), None)  # for which kind of frame, and it

    def check(self, frame: Any) -> None:
        """Compare what a frame claims with what is possible.

        Raises:
            DecodeError: damage made a frame that no recording has.

        """
        channels = frame.layout.nb_channels
        check_claims(frame.sample_rate, channels)
        if channels > self._most_channels:
            raise DecodeError(f"a frame claims {channels} channels")
        if frame.format.is_planar and channels < _POINTERS and len(frame.planes) != channels:
            raise DecodeError(f"a frame claims {channels} channels, and has {len(frame.planes)}")

    def array(self, frame: Any) -> NDArray[Any]:
        """Return the samples of a frame as they are stored.

        Returns:
            (channels, n) for a planar frame, (1, n * channels) for an interleaved one.

        Raises:
            ValueError: the frame has a type of sample that NumPy lacks, or less memory than its
                samples need.

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
        frame.pts = None  # the resampler refuses times that jump back
        return list(self._packer[1].resample(frame))
