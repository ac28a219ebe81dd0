"""The interface of the decoders, and functions that they share."""

from __future__ import annotations

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
    "MAX_CHANNELS",
    "MAX_RATE",
    "MIN_RATE",
    "DecodeError",
    "Decoder",
    "Float32",
    "check_claims",
    "durations_differ",
    "message_of",
    "nameless",
]

Float32 = NDArray[np.float32]

# Only damaged files, and files made to exhaust memory, state values outside these limits.
MIN_RATE, MAX_RATE = 1_000, 3_000_000  # Hz; the highest is DSD512
MAX_CHANNELS = 256
_PADDING = 0.15  # seconds; one MP3 frame at 8 kHz
_MAX_BLOCK = 2**22  # values in a block, all channels together: 16 MiB


class DecodeError(Exception):
    """A decoder cannot read a file; the text is the message of the decoder."""


class Decoder(ABC):
    """An open recording.

    Args:
        file: the file on disk; it is decoded from its beginning and stays open.

    Attributes:
        name: name of the decoder.
        sample_rate: in Hz.
        channels: number of channels.
        seconds: duration, or None if the file states none or states one that is impossible.
        stated: duration that the header states, right or wrong; None if it states none.
        failure: why a part was not decoded; empty if there is no such part. Set when ``blocks``
            ends.
        is_strict: whether ``failure`` can concern a file that is not damaged.
        has_more: whether a large part of the file was not read; set when ``blocks`` ends.
        end: latest time stamp in the container that was reached, in seconds from the beginning.

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
        """Decode from ``offset`` seconds on and mix the channels with :func:`~.mono.mixed`.

        Damaged parts are skipped and reported in ``failure``.

        Yields:
            (n,) float32, about ``block_seconds`` long, or shorter to limit the memory at a high
            sample rate or with many channels.

        """

    @abstractmethod
    def close(self) -> None:
        """Release the decoder."""

    def _block_size(self, block_seconds: float) -> int:
        return max(1, round(min(block_seconds * self.sample_rate, _MAX_BLOCK / self.channels)))


def check_claims(sample_rate: int, channels: int) -> None:
    """Check the sample rate in Hz and the number of channels that a file claims.

    Raises:
        DecodeError: no recording has such a value.

    """
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise DecodeError(f"a sample rate of {sample_rate} Hz is not in {MIN_RATE}..{MAX_RATE}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise DecodeError(f"{channels} channels are not in 1..{MAX_CHANNELS}")


def durations_differ(stated: float, real: float) -> bool:
    """Return whether two durations in seconds differ by more than padding and rounding.

    The tolerance is 0.5 s plus 0.2 % of the stated duration. It is limited to half of the stated
    duration or to the padding of an encoder, whichever is longer.
    """
    return abs(stated - real) > min(0.5 + 0.002 * stated, max(0.5 * stated, _PADDING))


def nameless(file: RawIOBase) -> Any:
    """Return a file object without a name, so that libraries do not guess the format by it."""

    def seek(offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return file.seek(offset, whence)
        except OSError:  # a position before the beginning; PyAV would print the error
            return -1

    return SimpleNamespace(read=file.read, seek=seek, tell=file.tell)


def message_of(error: BaseException) -> str:
    """Return the message of a decoder's error without error code and final full stop."""
    text = getattr(error, "error_string", None) or reason(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
