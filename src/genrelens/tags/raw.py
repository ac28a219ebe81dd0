"""Functions that all readers of raw tags use: replacement of bytes, limits, and comparison.

A malicious file can be slow to read, for instance if it has a hundred million bytes in items of
eight bytes. Tags beyond the limits are refused. No tagger writes tags near the limits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import BinaryIO

__all__ = [
    "MOST_BYTES",
    "MOST_ITEMS",
    "after_id3",
    "check_items",
    "check_size",
    "content_of",
    "first_difference",
    "read_at",
    "splice",
]

MOST_ITEMS = 100_000
MOST_BYTES = 125_829_120
"""Size of the largest comment header that an Opus reader must accept (RFC 7845, section 5.2)."""

_LONG = 64  # bytes; longer data are replaced by a digest


def splice(file: BinaryIO, start: int, n_bytes: int, data: bytes) -> None:
    """Replace ``n_bytes`` bytes of a file from ``start`` on with ``data``; later bytes move."""
    from mutagen._util import resize_bytes

    resize_bytes(file, n_bytes, len(data), start)
    file.seek(start)
    file.write(data)


def read_at(file: BinaryIO, start: int, n_bytes: int) -> bytes:
    """Return ``n_bytes`` bytes of a file from ``start`` on.

    Raises:
        ValueError: the file has fewer bytes, or ``n_bytes`` exceeds the limit for memory.

    """
    check_size(n_bytes)
    file.seek(start)
    data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise ValueError("ends within its tags")
    return data


def after_id3(file: BinaryIO) -> int:
    """Return the end of the ID3v2 tags that some programs add before files of any format.

    Source: ID3 tag version 2.4.0, main structure, section 3.
    """
    at = n_tags = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if not head.startswith(b"ID3") or len(head) < 10:
            return at
        check_items(n_tags := n_tags + 1, "ID3v2 tags before its audio")
        has_footer = bool(head[5] & 0x10)
        size = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(reversed(head[6:10])))
        at += 10 + size + 10 * has_footer


def check_items(n_items: int, what: str, most: int = MOST_ITEMS) -> None:
    """Check that a number of items is not larger than any tagger writes.

    Raises:
        ValueError: there are too many items; the message names ``what``.

    """
    if n_items > most:
        raise ValueError(f"has more than {most} {what}")


def check_size(n_bytes: int) -> None:
    """Check that tags are not larger than any tagger writes.

    Raises:
        ValueError: they are larger.

    """
    if n_bytes > MOST_BYTES:
        raise ValueError(f"has tags of {n_bytes} bytes, more than {MOST_BYTES}")


def content_of(data: bytes) -> bytes:
    """Return short data unchanged, and a digest of long data, for later comparison."""
    return data if len(data) <= _LONG else hashlib.blake2b(data, digest_size=_LONG).digest()


def first_difference(
    before: Sequence[tuple[str, bytes]], after: Iterable[tuple[str, bytes]]
) -> str | None:
    """Return the name of the first item that differs between two lists; None if they are equal."""
    for old, new in zip_longest(before, after):
        if old != new:
            return str((old or new)[0])
    return None
