"""A digest that identifies a recording by its encoded audio, independent of its tags.

FFmpeg splits the file into packets, and the audio packets are hashed without being decoded. In
every container that FFmpeg reads, tags are outside these packets. So the digest is the same after
tags are added, edited or removed, and after the file is moved. Tags before and after a stream
without a container (ID3, APEv2, Lyrics3) are cut off first, because FFmpeg does not always skip
them.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from contextlib import closing
from io import FileIO
from pathlib import Path
from typing import Any

from genrelens.decoders import DecodeError, FFmpegDecoder
from genrelens.errors import AudioError
from genrelens.files import reason
from genrelens.tags.edges import leading, trailing

__all__ = ["audio_digest", "whole_file_digest"]

_SIZE = 20  # bytes: the probability of a collision among a million recordings is 3e-37
_CHUNK = 2**20


def audio_digest(path: str | os.PathLike[str]) -> str:
    """Return a digest of a recording's audio that does not depend on its tags.

    The digest covers the encoded packets of the audio stream in order, with its codec, sample rate
    and number of channels. The same music in another encoding has another digest. A file that
    FFmpeg cannot split completely is hashed as a whole, with its tags.

    Args:
        path: path of the recording.

    Returns:
        40 hexadecimal digits (BLAKE2b).

    Raises:
        AudioError: the file cannot be read.

    Example::

        audio_digest("song.mp3") == audio_digest("the same song with other tags.mp3")  # True

    """
    name = os.fspath(path)
    try:
        if not Path(path).is_file():
            Path(path).stat()  # raises an error with the reason if nothing is there
            raise AudioError(name, "is not a file")
        with Path(path).open("rb", buffering=0) as file:
            return _digest(file)
    except (OSError, ValueError) as error:
        raise AudioError(name, reason(error)) from error


def _digest(file: FileIO) -> str:
    try:
        with closing(FFmpegDecoder(_FilePart(file, *_audio_range(file)))) as decoder:
            kind = f"{decoder.codec} {decoder.sample_rate} {decoder.channels} "
            return _hashed(kind.encode(), decoder.packets())
    except DecodeError:
        return _of_whole_file(file)


def whole_file_digest(path: str | os.PathLike[str]) -> str:
    """Return the digest that :func:`audio_digest` returns if FFmpeg cannot split the file.

    Returns:
        40 hexadecimal digits (BLAKE2b).

    Raises:
        AudioError: the file cannot be read.

    """
    try:
        with Path(path).open("rb", buffering=0) as file:
            return _of_whole_file(file)
    except (OSError, ValueError) as error:
        raise AudioError(os.fspath(path), reason(error)) from error


def _of_whole_file(file: FileIO) -> str:
    file.seek(0)
    return _hashed(b"file ", iter(lambda: file.read(_CHUNK), b""))


def _hashed(kind: bytes, chunks: Iterable[Any]) -> str:
    digest = hashlib.blake2b(kind, digest_size=_SIZE)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


# -------------------------------------------------------------------- tags around the audio


class _FilePart(io.RawIOBase):
    """The bytes of a file from ``start`` to ``end``, as a file."""

    def __init__(self, file: FileIO, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, end

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: self._start, os.SEEK_END: self._end}.get(whence, self._file.tell())
        if origin + offset < self._start:
            raise OSError("before the beginning")
        return self._file.seek(origin + offset) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start


def _audio_range(file: FileIO) -> tuple[int, int]:
    """Return the offsets where leading tags end and trailing tags begin."""
    size = file.seek(0, os.SEEK_END)
    try:
        _, start = leading(file)
        after = trailing(file, start)
    except ValueError:  # too many tags, or damaged ones: FFmpeg has to skip them
        return 0, size
    end = after[0].start if after else size
    return (start, end) if start < end else (0, size)
