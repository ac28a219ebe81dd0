"""Store the old content of a file in few bytes, as a delta from its new content.

A delta contains the bytes of the old file that are not in the new one, and the offsets of the
others. Only tags differ, so a delta is short even for a long recording: writing tags moves the
audio and renumbers the pages of an Ogg file, but the bytes in between are unchanged.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genrelens.errors import LibraryError

__all__ = ["apply_delta", "file_hash", "hash_of", "make_delta"]

_Bytes = bytes | mmap.mmap

_KEY = 16  # bytes that must be equal for an offset to be considered
_STEP = 512  # bytes between the offsets of the new file that are indexed
_SURE = 32  # bytes that must be equal for an offset to be taken
_NEAR = 64  # bytes after a difference within which the same distance is tried first
_CHUNK = 2**16
_STRIDE = 2**12  # compressed bytes per step; at most 4 MiB when decompressed
_COPY = struct.Struct("<QQQ")  # offset in the new file, bytes to copy, bytes that follow here


def file_hash(path: Path) -> bytes:
    """Return a hash of a file's content, 32 bytes (BLAKE2b)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _hasher).digest()


def hash_of(chunks: Iterable[bytes]) -> bytes:
    """Return the :func:`file_hash` of a file with this content."""
    digest = _hasher()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def _hasher() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=32)


def make_delta(old: Path, new: Path) -> bytes:
    """Return the delta that turns the new file back into the old one."""
    with _content(old) as before, _content(new) as after:
        delta = bytearray()
        for offset, n, literal in _copies(before, after):
            delta += _COPY.pack(offset, n, len(literal)) + literal
    return zlib.compress(delta, 9)


def apply_delta(delta: bytes, new: Path) -> Iterator[bytes]:
    """Yield the content of the old file in chunks; memory does not grow with its size.

    Args:
        delta: a delta from :func:`make_delta`.
        new: path of the new file.

    Raises:
        LibraryError: the delta is damaged, or belongs to another file.
        OSError: the new file cannot be read.

    """
    stream = _ChunkReader(_inflated(delta))
    with _content(new) as after:
        while head := stream.read(_COPY.size, may_end=True):
            offset, n, n_literal = _COPY.unpack(head)
            if offset + n > len(after):
                raise _damaged("it goes beyond the file")
            for start in range(offset, offset + n, _CHUNK):
                yield after[start : min(start + _CHUNK, offset + n)]
            for start in range(0, n_literal, _CHUNK):
                yield stream.read(min(_CHUNK, n_literal - start))


def _inflated(delta: bytes) -> Iterator[bytes]:
    """Decompress in steps, so that a damaged delta cannot fill the memory."""
    inflater = zlib.decompressobj()
    try:
        for start in range(0, len(delta), _STRIDE):
            yield inflater.decompress(delta[start : start + _STRIDE])
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if not inflater.eof:
        raise _damaged("it is cut off")


def _damaged(detail: str) -> LibraryError:
    return LibraryError(
        f"the journal's record of the old content is damaged ({detail}); restore the journal "
        "from a backup"
    )


class _ChunkReader:
    """A reader of chunks of bytes, with the method ``read`` of a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._chunk, self._at = chunks, b"", 0

    def read(self, size: int, *, may_end: bool = False) -> bytes:
        """Return ``size`` bytes; at the end, return none if ``may_end`` is true."""
        found = b""
        while len(found) < size:
            if self._at == len(self._chunk):
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._chunk, self._at = chunk, 0
            part = self._chunk[self._at : self._at + size - len(found)]
            self._at += len(part)
            found += part
        if len(found) < size and not (may_end and not found):
            raise _damaged("it is cut off")
        return found


@contextmanager
def _content(path: Path) -> Iterator[_Bytes]:
    with path.open("rb") as file:
        if not path.stat().st_size:  # an empty file cannot be mapped
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _copies(old: _Bytes, new: _Bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset in the new file, bytes to copy, literal bytes that follow) in order."""
    offsets = {new[at : at + _KEY]: at for at in range(0, len(new) - _KEY + 1, _STEP)}
    at = offset = 0
    while at < len(old):
        n = _n_equal(old, at, new, offset)
        at, offset, start = at + n, offset + n, offset
        next_at, next_offset = _resume(old, at, new, offset, offsets)
        yield start, n, old[at:next_at]
        at, offset = next_at, next_offset


def _n_equal(old: _Bytes, at: int, new: _Bytes, offset: int) -> int:
    """Return how many bytes are equal in the old and the new file from two offsets on."""
    n, limit, size = 0, min(len(old) - at, len(new) - offset), _CHUNK
    while n < limit and size:
        step = min(size, limit - n)
        if old[at + n : at + n + step] == new[offset + n : offset + n + step]:
            n += step
        else:
            size = step // 2
    return n


def _resume(
    old: _Bytes, at: int, new: _Bytes, offset: int, offsets: dict[bytes, int]
) -> tuple[int, int]:
    """Return the next offsets, in the old and the new file, from which the bytes are equal."""
    for skipped in range(len(old) - at):
        here = at + skipped
        near = offset + skipped
        if skipped <= _NEAR and old[here : here + _SURE] == new[near : near + _SURE]:
            return here, near
        found = offsets.get(old[here : here + _KEY])
        if found is not None and old[here : here + _SURE] == new[found : found + _SURE]:
            return _extended_back(old, here, at, new, found)
    return len(old), offset


def _extended_back(old: _Bytes, here: int, at: int, new: _Bytes, found: int) -> tuple[int, int]:
    """Move two offsets back as far as the bytes before them are equal."""
    while here > at and found and old[here - 1] == new[found - 1]:
        here, found = here - 1, found - 1
    return here, found
