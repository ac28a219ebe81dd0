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
    """Yield the old file, in chunks.

    Raises:
        LibraryError: the patch is damaged.

    """
    try:
        pieces = zlib.decompress(patch)
    except zlib.error as error:
        raise LibraryError(f"the journal is damaged: {error}") from error
    with _content(new) as after:
        at = 0
        while at < len(pieces):
            place, n, n_own = _PIECE.unpack_from(pieces, at)
            at += _PIECE.size + n_own
            for start in range(place, place + n, _CHUNK):
                yield after[start : min(start + _CHUNK, place + n)]
            yield pieces[at - n_own : at]


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
