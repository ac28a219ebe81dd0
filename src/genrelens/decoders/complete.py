"""Files that are cut off and chained Ogg files, detected by the structure of the container.

Decoders read what remains of a truncated Ogg, Matroska or AVI file without an error.
Sources: RFC 3533 (Ogg), RFC 8794 and RFC 9559 (EBML, Matroska), Microsoft's AVI RIFF reference,
ISO/IEC 14496-12 (MP4).
"""

from __future__ import annotations

import os
from typing import Any

from genrelens.counts import count_of
from genrelens.decoders.headers import is_open_size

__all__ = ["cut_off", "is_chained", "lacks_index"]

_PAGE = 27  # bytes of a page header without its segment table
_LONGEST_PAGE = _PAGE + 255 + 255 * 255
_MAX_ATOMS = 1000  # limit for reading; files with millions of atoms are made to be slow
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def cut_off(file: Any) -> str:
    """Return how an Ogg, Matroska or AVI file is cut off, or "" if it is complete.

    Args:
        file: binary and seekable; its position changes.

    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(64)
    if head.startswith(b"OggS"):
        file.seek(max(0, size - 2 * _LONGEST_PAGE))
        return "" if _ends_with_page(file.read()) else "the file ends within a page of Ogg"
    n_bytes = _stated_size(head)
    if n_bytes is not None and n_bytes > size:
        return f"the file has {size} of {count_of(n_bytes, 'byte')}"
    return ""


def is_chained(file: Any) -> bool:
    """Return whether an Ogg file contains several recordings one after the other.

    The last page of such a file belongs to none of the streams that start at the beginning.

    Args:
        file: binary and seekable; its position changes.

    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(4096)
    streams = set()
    start = 0
    while head.startswith(b"OggS", start) and len(head) > start + _PAGE and head[start + 5] & 2:
        streams.add(head[start + 14 : start + 18])
        sizes = head[start + _PAGE : start + _PAGE + head[start + _PAGE - 1]]
        start += _PAGE + len(sizes) + sum(sizes)
    if not streams:
        return False
    file.seek(max(0, size - _LONGEST_PAGE))
    tail = file.read()
    last = tail.rfind(b"OggS\0")
    return last >= 0 and len(tail) >= last + 18 and tail[last + 14 : last + 18] not in streams


def lacks_index(file: Any) -> bool:
    """Return whether an MP4 or M4A file has no index, as after an interrupted download.

    The index is the atom ``moov``, often the last one. Image files have ``meta`` instead.

    Args:
        file: binary and seekable; its position changes.

    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(8)[4:] != b"ftyp":
        return False
    start = 0
    for _ in range(_MAX_ATOMS):
        file.seek(start)
        head = file.read(16)
        if head[4:8] in (b"moov", b"meta"):
            return False
        n_bytes = int.from_bytes(head[:4], "big")
        if n_bytes == 1:
            n_bytes = int.from_bytes(head[8:], "big")
        start += n_bytes
        if n_bytes < 8 or start >= size:  # a size of 0 means up to the end
            return True
    return False


def _ends_with_page(tail: bytes) -> bool:
    """Return whether the last page in the tail of a file is complete and ends with a packet."""
    start = len(tail)
    while (start := tail.rfind(b"OggS", 0, start)) >= 0:
        if len(tail) >= start + 5 and tail[start + 4]:
            continue  # not version 0: these four bytes are inside a packet
        sizes = tail[start + _PAGE : start + _PAGE + 255]
        if len(tail) <= start + _PAGE:
            return False
        sizes = sizes[: tail[start + _PAGE - 1]]
        ends = start + _PAGE + len(sizes) + sum(sizes)
        is_whole = len(sizes) == tail[start + _PAGE - 1] and ends <= len(tail)
        return is_whole and not sizes.endswith(b"\xff")
    return True  # no page here: other data follow the last page


def _stated_size(head: bytes) -> int | None:
    """Return the file size that the header of a Matroska or AVI file states, in bytes, or None."""
    if head.startswith(_EBML):
        return _matroska_size(head)
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        n_bytes = int.from_bytes(head[4:8], "little")
        return None if is_open_size(n_bytes) else 8 + n_bytes
    return None


def _matroska_size(head: bytes) -> int | None:
    """Return the file size that the first segment of a Matroska file states, in bytes, or None."""
    header, at = _number(head, 4)
    if header is None or head[at + header : at + header + 4] != _SEGMENT:
        return None
    n_bytes, start = _number(head, at + header + 4)
    return None if n_bytes is None else start + n_bytes


def _number(data: bytes, at: int) -> tuple[int | None, int]:
    """Return a variable-length number (None if "unknown") and the position after it."""
    if at >= len(data) or not data[at]:
        return None, at
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") - (1 << 7 * width)
    unknown = value == (1 << 7 * width) - 1
    return (None if unknown else value), at + width
