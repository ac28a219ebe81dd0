"""Where the tags before and after the sound begin and end.

Sources: "ID3 tag version 2.4.0 - Main Structure", sections 3 and 5; the pages "ID3v1" and
"Lyrics3 v2.00" of id3.org; "APEv2 specification" of Hydrogenaudio.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from typing import BinaryIO

from genrelens.tags.id3_frames import HEADER, tag_size

__all__ = ["Kind", "Span", "leading", "trailing"]

_File = BinaryIO | FileIO

_MOST_TAGS = 100  # on either side of the sound
_ID3V1 = 128  # bytes
_ENHANCED = 227  # bytes of the "TAG+" that may stand before ID3v1
_APE = 32  # bytes of the header, and of the footer
_LYRICS3V1 = 5100 + len("LYRICSBEGINLYRICSEND")  # bytes, at most
_LYRICS3V2 = len("000000LYRICS200")


class Kind(StrEnum):
    """What a tag is."""

    ID3V2 = "ID3v2"
    APE = "APE"
    LYRICS3 = "Lyrics3"
    ID3V1 = "ID3v1"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a tag is.

    Attributes:
        kind: of the tag.
        start: in bytes from the beginning of the file.
        end: its first byte that is no part of it.

    """

    kind: Kind
    start: int
    end: int


def leading(file: _File) -> tuple[list[Span], int]:
    """Find the ID3v2 and APEv2 tags at the beginning of a file.

    Returns:
        Their places, and where they end.

    Raises:
        ValueError: there are too many, or one is damaged.

    """
    spans: list[Span] = []
    place = 0
    while True:
        head = _at(file, place, _APE)
        if head.startswith(b"ID3") and len(head) >= HEADER:
            size = tag_size(head)
            if size < 0:
                raise ValueError("has a damaged ID3v2 tag at the beginning")
            end = place + HEADER + size
            next_place = end + HEADER * bool(head[5] & 0x10)
            if _at(file, end, 3) == b"3DI":
                end = next_place
            spans.append(Span(Kind.ID3V2, place, end))
        elif head.startswith(b"APETAGEX") and len(head) == _APE and head[23] & 0x20:
            end = next_place = place + _APE + int.from_bytes(head[12:16], "little")
            spans.append(Span(Kind.APE, place, end))
        else:
            return spans, place
        _check(len(spans), "ID3v2 tags before the sound")
        place = next_place


def trailing(file: _File, start: int) -> list[Span]:
    """Find the tags at the end of a file.

    Args:
        file: to look at.
        start: where the sound begins, or a container ends.

    Returns:
        Their places, in the order of the file.

    Raises:
        ValueError: there are too many.

    """
    spans: list[Span] = []
    end = file.seek(0, os.SEEK_END)
    while span := _before(file, start, end):
        spans.append(span)
        _check(len(spans), "tags behind the sound")
        end = span.start
    return spans[::-1]


def _check(n_tags: int, what: str) -> None:
    if n_tags > _MOST_TAGS:
        raise ValueError(f"has more than {_MOST_TAGS} {what}")


def _at(file: _File, start: int, n: int) -> bytes:
    file.seek(start)
    return file.read(n)


def _before(file: _File, start: int, end: int) -> Span | None:
    """Find the tag that ends at a place."""
    tail = _at(file, max(start, end - _ID3V1 - 3), min(_ID3V1 + 3, end - start))
    for find in _FINDERS:
        found = find(file, tail, end)
        if found and start <= found.start < end:
            return found
    return None


def _id3v1(file: _File, tail: bytes, end: int) -> Span | None:
    if len(tail) < _ID3V1 or not tail[-_ID3V1:].startswith(b"TAG"):
        return None
    if tail[:8] == b"APETAGEX":  # its third letter begins the word TAG
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
