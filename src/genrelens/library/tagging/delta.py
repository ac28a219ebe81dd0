"""What a file was before it was written to, in few bytes.

A patch holds the pieces of the old file that are not in the new one, and says where the others
are there. Only tags differ, so that it is short however long the recording is: mutagen moves the
sound and numbers the pages of an Ogg file anew, but does not touch the bytes in between.
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

__all__ = ["file_hash", "hash_of", "make_patch", "patched"]

_Bytes = bytes | mmap.mmap

_KEY = 16  # bytes that must be alike for a place to be considered
_STEP = 512  # bytes between the places of the new file that are looked up
_SURE = 32  # bytes that must be alike for a piece to be taken from there
_NEAR = 64  # bytes that may differ before the same distance is given up
_CHUNK = 2**16
_STRIDE = 2**12  # compressed bytes at once, which are up to 4 MiB when decompressed
_PIECE = struct.Struct("<QQQ")  # where in the new file, how many bytes, how many of the patch's own


def file_hash(path: Path) -> bytes:
    """Return 32 bytes that are the same for files with the same content alone (BLAKE2b)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _hasher).digest()


def _hasher() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=32)


def make_patch(old: Path, new: Path) -> bytes:
    """Return what turns the new file back into the old one."""
    with _content(old) as before, _content(new) as after:
        pieces = bytearray()
        for place, n, own in _pieces(before, after):
            pieces += _PIECE.pack(place, n, len(own)) + own
    return zlib.compress(pieces, 9)


def patched(patch: bytes, new: Path) -> Iterator[bytes]:
    """Yield the old file, in chunks, in memory that does not grow with it.

    Raises:
        LibraryError: the patch is damaged, or is that of another file.
        OSError: the new file cannot be read.

    """
    stream = _Stream(_inflated(patch))
    with _content(new) as after:
        while head := stream.read(_PIECE.size, may_end=True):
            place, n, n_own = _PIECE.unpack(head)
            if place + n > len(after):
                raise _damaged("it goes beyond the file")
            for start in range(place, place + n, _CHUNK):
                yield after[start : min(start + _CHUNK, place + n)]
            for start in range(0, n_own, _CHUNK):
                yield stream.read(min(_CHUNK, n_own - start))


def _inflated(patch: bytes) -> Iterator[bytes]:
    """Decompress step by step, so that a damaged patch cannot fill the memory."""
    inflater = zlib.decompressobj()
    try:
        for start in range(0, len(patch), _STRIDE):
            yield inflater.decompress(patch[start : start + _STRIDE])
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if not inflater.eof:
        raise _damaged("it is cut off")


def _damaged(why: str) -> LibraryError:
    return LibraryError(
        f"the journal's record of the former content is damaged ({why}); restore the journal from "
        "a backup"
    )


class _Stream:
    """Reads from chunks as from a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._chunk, self._at = chunks, b"", 0

    def read(self, size: int, *, may_end: bool = False) -> bytes:
        """Return this many bytes, or nothing at the end if the end may be here."""
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


def hash_of(chunks: Iterable[bytes]) -> bytes:
    """Return the ``file_hash`` that a file of these chunks would have."""
    digest = _hasher()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


@contextmanager
def _content(path: Path) -> Iterator[_Bytes]:
    with path.open("rb") as file:
        if not path.stat().st_size:  # which cannot be mapped
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _pieces(old: _Bytes, new: _Bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield where a piece of the old file is in the new one, its length, and what follows it."""
    places = {new[place : place + _KEY]: place for place in range(0, len(new) - _KEY + 1, _STEP)}
    at = place = 0
    while at < len(old):
        n = _alike(old, at, new, place)
        at, place, start = at + n, place + n, place
        next_at, next_place = _resume(old, at, new, place, places)
        yield start, n, old[at:next_at]
        at, place = next_at, next_place


def _alike(old: _Bytes, at: int, new: _Bytes, place: int) -> int:
    """Count the bytes from two places on that are alike."""
    n, limit, size = 0, min(len(old) - at, len(new) - place), _CHUNK
    while n < limit and size:
        step = min(size, limit - n)
        if old[at + n : at + n + step] == new[place + n : place + n + step]:
            n += step
        else:
            size = step // 2
    return n


def _resume(
    old: _Bytes, at: int, new: _Bytes, place: int, places: dict[bytes, int]
) -> tuple[int, int]:
    """Find where the files are alike again: the next place in the old one and that in the new."""
    for skipped in range(len(old) - at):
        here = at + skipped
        near = place + skipped
        if skipped <= _NEAR and old[here : here + _SURE] == new[near : near + _SURE]:
            return here, near
        found = places.get(old[here : here + _KEY])
        if found is not None and old[here : here + _SURE] == new[found : found + _SURE]:
            return _back(old, here, at, new, found)
    return len(old), place


def _back(old: _Bytes, here: int, at: int, new: _Bytes, found: int) -> tuple[int, int]:
    """Go back to where two places that are alike begin to be."""
    while here > at and found and old[here - 1] == new[found - 1]:
        here, found = here - 1, found - 1
    return here, found
