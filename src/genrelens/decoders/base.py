"""What the decoders have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import FileIO, RawIOBase
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["DecodeError", "Decoder", "Float32", "in_words", "nameless"]

Float32 = NDArray[np.float32]

# What a header may claim; beyond it the file is damaged, or made to exhaust memory.
_MIN_RATE, _MAX_RATE = 1_000, 3_000_000  # Hz; the upper end is DSD512
_MAX_CHANNELS = 256
_MAX_BLOCK = 2**22  # numbers in a block, all channels together: 16 MiB


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
        """Yield (n,) float32 from ``offset`` seconds on, mixed by :func:`~.mono.mixed`.

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
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
