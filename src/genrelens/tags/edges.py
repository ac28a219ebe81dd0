"""Find where tags and containers begin and end.

Some programs add ID3v1 or APEv2 after a container.

Sources: "ID3 tag version 2.4.0 - Main Structure", sections 3 and 5; the pages "ID3v1" and
"Lyrics3 v2.00" of id3.org; "APEv2 specification" of Hydrogenaudio; ISO/IEC 14496-12, section 4.2;
"Advanced Systems Format Specification", section 2.1; RFC 3533, section 6.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from typing import BinaryIO

from genrelens.tags.id3_frames import HEADER, tag_size
from genrelens.tags.raw import check_items

__all__ = ["Kind", "Span", "end_of_atoms", "end_of_objects", "end_of_pages", "leading", "trailing"]

_File = BinaryIO | FileIO

_MOST_TAGS = 100  # on either side of the audio
_ID3V1 = 128  # bytes
_ENHANCED = 227  # bytes of the "TAG+" that may precede ID3v1
_APE = 32  # bytes of the header, and of the footer
_LYRICS3V1 = 5100 + len("LYRICSBEGINLYRICSEND")  # bytes, at most
_LYRICS3V2 = len("000000LYRICS200")


class Kind(StrEnum):
    """Kind of a tag."""

    ID3V2 = "ID3v2"
    APE = "APE"
    LYRICS3 = "Lyrics3"
    ID3V1 = "ID3v1"


@dataclass(frozen=True, slots=True)
class Span:
    """Position of a tag.

    Attributes:
        kind: kind of the tag.
        start: offset of its first byte in the file.
        end: offset of the first byte after it.

    """

    kind: Kind
    start: int
    end: int


def leading(file: _File) -> tuple[list[Span], int]:
    """Find the ID3v2 and APEv2 tags at the start of a file.

    Returns:
        Their positions, and the offset of their end.

    Raises:
        ValueError: there are too many tags, or one is damaged.

    """
    spans: list[Span] = []
    at = 0
    while True:
        head = _at(file, at, _APE)
        if head.startswith(b"ID3") and len(head) >= HEADER:
            size = tag_size(head)
            if size < 0:
                raise ValueError("has a damaged ID3v2 tag at the beginning")
            end = at + HEADER + size
            next_at = end + HEADER * bool(head[5] & 0x10)
            if _at(file, end, 3) == b"3DI":
                end = next_at
            spans.append(Span(Kind.ID3V2, at, end))
        elif head.startswith(b"APETAGEX") and len(head) == _APE and head[23] & 0x20:
            end = next_at = at + _APE + int.from_bytes(head[12:16], "little")
            spans.append(Span(Kind.APE, at, end))
        else:
            return spans, at
        _check(len(spans), "ID3v2 tags before the audio")
        at = next_at


def trailing(file: _File, start: int) -> list[Span]:
    """Find the tags at the end of a file.

    Args:
        file: open file.
        start: offset where the audio begins or a container ends.

    Returns:
        Their positions in file order.

    Raises:
        ValueError: there are too many tags.

    """
    spans: list[Span] = []
    end = file.seek(0, os.SEEK_END)
    while span := _before(file, start, end):
        spans.append(span)
        _check(len(spans), "tags after the audio")
        end = span.start
    return spans[::-1]


def _check(n_tags: int, what: str) -> None:
    if n_tags > _MOST_TAGS:
        raise ValueError(f"has more than {_MOST_TAGS} {what}")


def _at(file: _File, start: int, n: int) -> bytes:
    file.seek(start)
    return file.read(n)


def _before(file: _File, start: int, end: int) -> Span | None:
    """Find the tag that ends at an offset."""
    tail = _at(file, max(start, end - _ID3V1 - 3), min(_ID3V1 + 3, end - start))
    for find in _FINDERS:
        found = find(file, tail, end)
        if found and start <= found.start < end:
            return found
    return None


def _id3v1(file: _File, tail: bytes, end: int) -> Span | None:
    if len(tail) < _ID3V1 or not tail[-_ID3V1:].startswith(b"TAG"):
        return None
    if tail[:8] == b"APETAGEX":  # these bytes contain "TAG"
        return None
    enhanced = end - _ID3V1 - _ENHANCED
    has_more = enhanced >= 0 and _at(file, enhanced, 4) == b"TAG+"
    return Span(Kind.ID3V1, enhanced if has_more else end - _ID3V1, end)


def _ape(file: _File, tail: bytes, end: int) -> Span | None:
    footer = tail[-_APE:]
    if len(footer) < _APE or not footer.startswith(b"APETAGEX") or footer[23] & 0x20:
        return None
    start = end - int.from_bytes(footer[12:16], "little")
    if start > end - _APE:
        return None
    if footer[23] & 0x80 and start >= _APE and _at(file, start - _APE, 8) == b"APETAGEX":
        start -= _APE
    return Span(Kind.APE, start, end)


def _lyrics3(file: _File, tail: bytes, end: int) -> Span | None:
    if tail.endswith(b"LYRICS200") and tail[-_LYRICS3V2:-9].isdigit():
        start = end - _LYRICS3V2 - int(tail[-_LYRICS3V2:-9])
        begins = start >= 0 and _at(file, start, 11) == b"LYRICSBEGIN"
        return Span(Kind.LYRICS3, start, end) if begins else None
    if tail.endswith(b"LYRICSEND"):
        first = max(0, end - _LYRICS3V1)
        found = _at(file, first, end - first).rfind(b"LYRICSBEGIN")
        return Span(Kind.LYRICS3, first + found, end) if found >= 0 else None
    return None


def _id3v2(file: _File, tail: bytes, end: int) -> Span | None:
    size = tag_size(tail[-HEADER:], b"3DI")
    start = end - 2 * HEADER - size
    if size < 0 or start < 0 or _at(file, start, HEADER)[3:] != tail[-HEADER + 3 :]:
        return None
    return Span(Kind.ID3V2, start, end) if _at(file, start, 3) == b"ID3" else None


_FINDERS: list[Callable[[_File, bytes, int], Span | None]] = [_id3v1, _ape, _lyrics3, _id3v2]


# ---------------------------------------------------------------------- ends of containers


_ATOM, _LONG_ATOM = 8, 16  # bytes of the header
_MOST_ATOMS = 250_000  # fragmented files have many
_OBJECT = 24  # bytes of the header
_LARGEST_PAGE = 27 + 255 + 255 * 255  # bytes


def end_of_atoms(file: BinaryIO) -> int:
    """Return the end of the last complete atom of an MP4."""
    n_bytes = file.seek(0, os.SEEK_END)
    at = n_atoms = 0
    while head := _head(file, at, _ATOM):
        size = int.from_bytes(head[:4], "big")
        if size == 1 and (long := _head(file, at, _LONG_ATOM)):
            size = int.from_bytes(long[8:], "big")
        if size == 0:  # the atom extends to the end of the file
            return n_bytes
        if size < _ATOM or at + size > n_bytes:
            return at
        n_atoms += 1
        check_items(n_atoms, "MP4 atoms", _MOST_ATOMS)
        at += size
    return at


def end_of_objects(file: BinaryIO) -> int:
    """Return the end of the last complete object of an ASF."""
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
    """Return the end of the last page of an Ogg, or the end of the file if no page is near it."""
    n_bytes = file.seek(0, os.SEEK_END)
    start = max(0, n_bytes - 2 * _LARGEST_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    n_segments = tail[page + 26] if 0 <= page < len(tail) - 26 else 0
    end = page + 27 + n_segments + sum(tail[page + 27 : page + 27 + n_segments])
    return start + end if page >= 0 and end <= len(tail) else n_bytes


def _head(file: BinaryIO, at: int, n_bytes: int) -> bytes:
    """Return a header; empty if the file ends within it."""
    file.seek(at)
    head = file.read(n_bytes)
    return head if len(head) == n_bytes else b""
