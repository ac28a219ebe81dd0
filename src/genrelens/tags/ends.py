"""Where containers end. Some programs put ID3v1 or APEv2 behind them.

Sources: ISO/IEC 14496-12, section 4.2; "Advanced Systems Format Specification", section 2.1; RFC
3533, section 6.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from genrelens.tags.raw import check_items

__all__ = ["end_of_atoms", "end_of_objects", "end_of_pages"]

_ATOM, _LONG_ATOM = 8, 16  # bytes of its header
_MOST_ATOMS = 250_000  # of a file in fragments
_OBJECT = 24  # bytes of its header
_LARGEST_PAGE = 27 + 255 + 255 * 255  # bytes


def end_of_atoms(file: BinaryIO) -> int:
    """Return where the last whole atom of an MP4 ends."""
    n_bytes = file.seek(0, os.SEEK_END)
    at = n_atoms = 0
    while head := _head(file, at, _ATOM):
        size = int.from_bytes(head[:4], "big")
        if size == 1 and (long := _head(file, at, _LONG_ATOM)):
            size = int.from_bytes(long[8:], "big")
        if size == 0:  # to the end of the file
            return n_bytes
        if size < _ATOM or at + size > n_bytes:
            return at
        n_atoms += 1
        check_items(n_atoms, "MP4 atoms", _MOST_ATOMS)
        at += size
    return at


def end_of_objects(file: BinaryIO) -> int:
    """Return where the last whole object of an ASF ends."""
    n_bytes = file.seek(0, os.SEEK_END)
    at = n_objects = 0
    while head := _head(file, at, _OBJECT):
        size = int.from_bytes(head[16:], "little")
        if size < _OBJECT or at + size > n_bytes:
            return at
        n_objects += 1
        check_items(n_objects, "objects")
        at += size
    return at


def end_of_pages(file: BinaryIO) -> int:
    """Return where the last page of an Ogg ends, or the end of the file where none is near it."""
    n_bytes = file.seek(0, os.SEEK_END)
    start = max(0, n_bytes - 2 * _LARGEST_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    n_segments = tail[page + 26] if 0 <= page < len(tail) - 26 else 0
    end = page + 27 + n_segments + sum(tail[page + 27 : page + 27 + n_segments])
    return start + end if page >= 0 and end <= len(tail) else n_bytes


def _head(file: BinaryIO, at: int, n_bytes: int) -> bytes:
    """Return a header, nothing where the file ends before it."""
    file.seek(at)
    head = file.read(n_bytes)
    return head if len(head) == n_bytes else b""
