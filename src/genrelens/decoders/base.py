"""What the decoders have in common."""

from __future__ import annotations

import functools
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import FileIO, RawIOBase
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genrelens.files import reason

__all__ = [
    "DecodeError",
    "Decoder",
    "Float32",
    "behind_id3",
    "check_claims",
    "disagree",
    "in_words",
    "nameless",
]

Float32 = NDArray[np.float32]

# What a header may claim; beyond it the file is damaged, or made to exhaust memory.
_MIN_RATE, _MAX_RATE = 1_000, 3_000_000  # Hz; the upper end is DSD512
_MAX_CHANNELS = 256
_PADDING = 0.15  # seconds; a frame of MP3 at 8 kHz
_MAX_BLOCK = 2**22  # numbers in a block, all channels together: 16 MiB


_MOST_TAGS = 64  # in front of the sound; more are made to be slow


class DecodeError(Exception):
    """A decoder cannot read a file; the text is the decoder's own words."""


class Decoder(ABC):
    """An open recording.

    Args:
        file: on disk; read from its beginning; stays open.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        seconds: duration, or None where the file does not say, or says what cannot be true.
        stated: duration that the header states, true or not; None where it states none.
        failure: once ``blocks`` has ended, what could not be decoded, in the decoder's own words.
        is_strict: whether ``failure`` may be a complaint about a file that is in order.
        has_more: once ``blocks`` has ended, whether it left the rest of the file unread.
        end: seconds from the beginning up to which the container's clock has come.

    Raises:
        DecodeError: this decoder cannot open the file.

    """

    name: ClassVar[str]
    sample_rate: int
    channels: int
    seconds: float | None
    stated: float | None = None
    failure: str = ""
    is_strict: bool = False
    has_more: bool = False
    end: float = 0.0

    @abstractmethod
    def __init__(self, file: FileIO) -> None: ...

    @abstractmethod
    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """Yield (n,) float32 from ``offset`` seconds on, mixed by :func:`~.mono.mixed`.

        A block is about ``block_seconds`` long, less where memory would not be bounded. What
        cannot be decoded is left out and told in ``failure``.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the decoder."""

    def _block_size(self, block_seconds: float) -> int:
        return max(1, round(min(block_seconds * self.sample_rate, _MAX_BLOCK / self.channels)))


def check_claims(sample_rate: int, channels: int) -> None:
    """Compare a rate in Hz and a number of channels with what a recording can have.

    Raises:
        DecodeError: they are beyond it.

    """
    if not _MIN_RATE <= sample_rate <= _MAX_RATE:
        raise DecodeError(f"a sample rate of {sample_rate} Hz is not in {_MIN_RATE}..{_MAX_RATE}")
    if not 1 <= channels <= _MAX_CHANNELS:
        raise DecodeError(f"{channels} channels are not in 1..{_MAX_CHANNELS}")


def behind_id3(file: Any) -> int:
    """Return where the ID3v2 tags in front of the sound end, in bytes.

    Source: ID3 tag version 2.4.0, main structure, section 3.
    """
    start = 0
    for _ in range(_MOST_TAGS):
        file.seek(start)
        tag = file.read(10)
        if len(tag) < 10 or not tag.startswith(b"ID3"):
            break
        start += 10 + functools.reduce(lambda n, byte: n << 7 | byte & 127, tag[6:], 0)
        start += 10 if tag[5] & 0x10 else 0  # a footer
    return start


def disagree(stated: float, real: float) -> bool:
    """Return whether two lengths in seconds differ by more than an encoder's padding and rounding.

    Half a second and 0.2 % are allowed, but no more than half of what the header states, or the
    padding of an encoder where that is longer.
    """
    return abs(stated - real) > min(0.5 + 0.002 * stated, max(0.5 * stated, _PADDING))


def nameless(file: RawIOBase) -> Any:
    """Hide the name, so that nobody guesses the format by it."""

    def seek(offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return file.seek(offset, whence)
        except OSError:  # before the beginning: PyAV would print it
            return -1

    return SimpleNamespace(read=file.read, seek=seek, tell=file.tell)


def in_words(error: BaseException) -> str:
    """Return what an error of a decoder says, without its code and its full stop."""
    text = getattr(error, "error_string", None) or reason(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
