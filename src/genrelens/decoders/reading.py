"""Read a file with libsndfile, and continue with FFmpeg where libsndfile fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from io import FileIO
from itertools import chain

import numpy as np
import soxr

from genrelens.decoders.base import DecodeError, Decoder, Float32, durations_differ
from genrelens.decoders.complete import cut_off, lacks_index
from genrelens.decoders.ffmpeg import FFmpegDecoder
from genrelens.decoders.libsndfile import SoundFileDecoder
from genrelens.errors import AudioError
from genrelens.levels import first_invalid
from genrelens.logs import logger

_log = logger(__name__)

__all__ = ["MAX_SECONDS", "FileReader", "open_decoder"]

MAX_SECONDS = 1e9
"""Longest duration in seconds: 31 years, more than any recording and within every integer type."""

_DECODERS: tuple[type[Decoder], ...] = (SoundFileDecoder, FFmpegDecoder)
_PADDING = 0.2  # seconds that encoders and decoders add at the end
_EXPECTED = 2.5  # seconds; assumed length of a damaged recording whose length is unknown


def open_decoder(file: FileIO, name: str) -> Decoder:
    """Open a file with the first decoder that can read it.

    Args:
        file: on disk; stays open.
        name: name of the recording, for messages.

    Raises:
        AudioError: no decoder can open the file.

    """
    messages: dict[str, str] = {}
    for kind in _DECODERS:
        try:
            return kind(file)
        except DecodeError as error:
            messages[kind.name] = str(error)
    raise AudioError(name, _why_unreadable(file), messages)


class FileReader:
    """Reads a part of a file with libsndfile, and the rest with FFmpeg where libsndfile fails.

    Args:
        file: on disk; stays open.
        name: name of the recording, for messages.
        sample_rate: sample rate of the result, in Hz.

    """

    def __init__(self, file: FileIO, name: str, sample_rate: int) -> None:
        self._file, self._name, self._rate = file, name, sample_rate
        self._offset = 0.0
        self._length = MAX_SECONDS
        self._n_samples = 0
        self._failures: dict[str, str] = {}  # reason by the name of the decoder
        self._damage: list[str] = []
        self._complaints: list[str] = []  # of a strict decoder; they may be unfounded
        self._opened: list[Decoder] = []

    @property
    def _decoded_seconds(self) -> float:
        return self._n_samples / self._rate

    def blocks(self, offset: float, length: float, block_seconds: float) -> Iterator[Float32]:
        """Decode at most ``length`` seconds from ``offset`` seconds on.

        Yields:
            (n,) float32 with n >= 1, about ``block_seconds`` long.

        Raises:
            AudioError: a sample is not finite or more than 120 dB over full scale.

        """
        self._offset, self._length = offset, length
        for kind in _DECODERS:
            try:
                decoder = kind(self._file)
            except DecodeError as error:
                self._failures[kind.name] = str(error)
                _log.debug("%s: not opened by %s: %s", self._name, kind.name, error)
                continue
            with closing(decoder):
                yield from self._decode(decoder, block_seconds)
            seconds = self._decoded_seconds
            _log.debug("%s: %.1f s decoded, the last by %s", self._name, seconds, kind.name)
            if self._is_enough(decoder):
                return
            why = decoder.failure or "it stopped before the end"
            _log.info("%s: %s did not decode all of it: %s", self._name, kind.name, why)

    def _decode(self, decoder: Decoder, block_seconds: float) -> Iterator[Float32]:
        rate = decoder.sample_rate
        left, start = self._length - self._decoded_seconds, self._offset + self._decoded_seconds
        blocks = _first(decoder.blocks(start, min(block_seconds, left)), round(left * rate))
        samples = _resampled(_validated(blocks, self._name, rate, start), rate, self._rate)
        if self._opened and self._opened[-1].has_more:  # ignore padding of an encoder
            samples = _unless_shorter(samples, round(_PADDING * self._rate))
        self._opened.append(decoder)
        for each in samples:
            self._n_samples += len(each)
            yield each

    def _is_enough(self, decoder: Decoder) -> bool:
        """Record the failure of a decoder; return whether the next decoder is not needed."""
        if decoder.failure:
            self._failures[decoder.name] = decoder.failure
            notes = self._complaints if decoder.is_strict else self._damage
            notes.append(f"{decoder.name}: {decoder.failure}")
            return False
        return (self._n_samples > 0 or decoder.stated == 0) and not decoder.has_more

    @property
    def _reached_end(self) -> bool:
        """Whether the file ended before the requested length."""
        return self._decoded_seconds + _PADDING / 10 < self._length

    @property
    def _stated_seconds(self) -> float | None:
        """The length in the header, read by the first decoder that found one."""
        return next((each.stated for each in self._opened if each.stated is not None), None)

    def check(self) -> None:
        """Check after :meth:`blocks` that enough was decoded.

        Raises:
            AudioError: nothing was decoded, or of a damaged file less than 10 % and less than 1 s.

        """
        if self._n_samples == 0:
            if all(kind.name in self._failures for kind in _DECODERS):
                raise AudioError(self._name, _why_unreadable(self._file), self._failures)
            after = f" after {self._offset:g} s" if self._offset else ""
            raise AudioError(self._name, f"contains no audio samples{after}")
        seconds = self._stated_seconds or self._opened[-1].seconds
        expected = min(self._length, seconds - self._offset) if seconds else _EXPECTED
        if self._damage and self._decoded_seconds < min(1.0, 0.1 * expected):
            reason = f"is damaged; only {self._decoded_seconds:.1f} s could be decoded"
            raise AudioError(self._name, reason, self._failures)

    def warning(self) -> str:
        """Return a warning if the file is damaged or cut off, or its header states a wrong length.

        Returns:
            One line that starts with the name; empty if nothing is wrong.

        """
        notes = list(self._damage)
        if not self._has_stated_length():
            notes += self._complaints
        if self._reached_end and (cut := cut_off(self._file)):
            notes.append(cut)
        contradiction = self._contradiction() if self._reached_end else ""
        if not notes:
            return f"{self._name}: {contradiction}" if contradiction else ""
        notes += [contradiction] if contradiction else []
        text = f"{self._name}: is damaged; {self._decoded_seconds:.1f} s could be decoded"
        return f"{text} ({'; '.join(notes)})"

    def _has_stated_length(self) -> bool:
        """Whether the last decoder reached the first decoder's length without a failure."""
        stated = self._opened[0].seconds
        if self._opened[-1].failure or stated is None:
            return False
        gap = abs(self._offset + self._decoded_seconds - stated)
        return not self._reached_end or gap < _PADDING / 10

    def _contradiction(self) -> str:
        """Return a message with both lengths if the header's is wrong, else an empty string."""
        decoded = self._offset + self._decoded_seconds
        reached = max(decoded, *(each.end for each in self._opened))
        stated = self._stated_seconds
        if stated is None or not (
            durations_differ(stated, decoded)
            and (decoded > stated or durations_differ(stated, reached))
        ):
            return ""
        return f"the header states {stated:.1f} s, {decoded:.1f} s were decoded"


def _why_unreadable(file: FileIO) -> str:
    if lacks_index(file):
        return "is cut off: its index is missing"
    return "is not audio that any decoder can read"


def _unless_shorter(blocks: Iterable[Float32], n_samples: int) -> Iterator[Float32]:
    """Yield the blocks if they hold at least ``n_samples``, else nothing."""
    blocks = iter(blocks)
    first: list[Float32] = []
    while sum(map(len, first)) < n_samples:
        block = next(blocks, None)
        if block is None:
            return
        first.append(block)
    yield from chain(first, blocks)


def _first(blocks: Iterable[Float32], n_samples: int) -> Iterator[Float32]:
    """Yield the first ``n_samples``, and at least one."""
    n_samples = max(1, n_samples)
    for block in blocks:
        yield block[:n_samples]
        n_samples -= len(block)
        if n_samples <= 0:
            return


def _validated(
    blocks: Iterable[Float32], name: str, rate: int, seconds: float
) -> Iterator[Float32]:
    """Yield the blocks; raise ``AudioError`` at the first invalid sample."""
    for block in blocks:
        index = first_invalid(block)
        if index is not None:
            raise AudioError(
                name,
                f"contains the sample {block[index]:g} at {seconds + index / rate:.2f} s; "
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
