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

from genrelens.decoders.base import DecodeError, Decoder, Float32, in_words, nameless
from genrelens.decoders.mono import mixed

__all__ = ["FFmpegDecoder"]

# FFmpeg also knows playlists that name other files and addresses, terminal captures, image
# sequences and devices. An audio file is none of these, and none of these is opened.
_FORMATS = (
    "aac,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,ac3,dts,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,"
    "mj2,mp3,mpeg,mpegts,mpc,mpc8,ogg,rm,tak,tta,w64,wav,wv,xwma"
)
_OPEN_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}

_RUN = 2**13  # samples that are converted at once
_RUN_UP = 0.25  # seconds decoded and thrown away before an offset: codecs remember the past


class FFmpegDecoder(Decoder):
    """M4A and AAC, WMA, WebM, MKV, MP4 (the sound of videos) and more, through PyAV."""

    name = "FFmpeg"

    def __init__(self, file: RawIOBase) -> None:
        import av

        self._av = av
        self._converter: tuple[tuple[int, int], Any] = ((0, 0), None)  # rate, channels; resampler
        file.seek(0)
        try:
            self._container: Any = av.open(
                nameless(file), options=_OPEN_OPTIONS, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DecodeError(in_words(error)) from error
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
            n_samples = samples.shape[1]
            clock += n_samples / self.sample_rate
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
                    frames = packet.decode()
                except self._av.FFmpegError as error:
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

    def _samples(self, run: list[Any]) -> Float32:
        """Join frames of one kind to (channels, n) at the rate of the recording."""
        first = run[0]
        # (channels, n), or (1, n * channels) where they interleave
        samples = np.concatenate([frame.to_ndarray() for frame in run], axis=1)
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
