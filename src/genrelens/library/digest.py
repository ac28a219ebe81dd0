"""What a recording is, whatever its tags say: a digest of its encoded sound.

FFmpeg takes the file apart and the packets of the sound are hashed as they lie there, without
being decoded. Tags live outside of the packets in every container that FFmpeg knows, so they may
come, grow and go; the file may move. What stands before and after the sound of a stream without
a container (ID3, APEv2, Lyrics3) is cut off first, since FFmpeg does not always do so.
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

_SIZE = 20  # bytes: two recordings of a million share one with a probability of 1e-36
_CHUNK = 2**20


def audio_digest(path: str | os.PathLike[str]) -> str:
    """Return a digest of a recording's sound that does not depend on its tags.

    It covers the encoded packets of the stream that is heard, in order, with its codec, rate and
    number of channels: the same sound in another encoding has another one. A file that FFmpeg
    cannot take apart to its end is hashed whole, tags and all.

    Returns:
        40 hexadecimal digits (BLAKE2b).

    Raises:
        AudioError: the file cannot be read.

    """
    name = os.fspath(path)
    try:
        if not Path(path).is_file():
            Path(path).stat()  # says why, unless it is something else than a file
            raise AudioError(name, "is not a file")
        with Path(path).open("rb", buffering=0) as file:
            return _digest(file)
    except (OSError, ValueError) as error:
        raise AudioError(name, reason(error)) from error


def _digest(file: FileIO) -> str:
    try:
        with closing(FFmpegDecoder(_Part(file, *_place_of_sound(file)))) as decoder:
            kind = f"{decoder.codec} {decoder.sample_rate} {decoder.channels} "
            return _hashed(kind.encode(), decoder.packets())
    except DecodeError:
        return _of_whole_file(file)


def whole_file_digest(path: str | os.PathLike[str]) -> str:
    """Return what :func:`audio_digest` returns for a file that FFmpeg cannot take apart.

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


def _hashed(kind: bytes, pieces: Iterable[Any]) -> str:
    digest = hashlib.blake2b(kind, digest_size=_SIZE)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


# -------------------------------------------------------------------- tags around the sound


class _Part(io.RawIOBase):
    """The bytes of a file from ``start`` to ``end``."""

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


def _place_of_sound(file: FileIO) -> tuple[int, int]:
    """Find where the tags before the sound end and those after it begin."""
    size = file.seek(0, os.SEEK_END)
    try:
        _, start = leading(file)
        after = trailing(file, start)
    except ValueError:  # too many, or too damaged: FFmpeg decides
        return 0, size
    end = after[0].start if after else size
    return (start, end) if start < end else (0, size)
