"""Limits on the tags and headers of files that are made to be slow to open.

In two libraries the time grows with the square of the number of tag entries: in FFmpeg for every
container, and in mpg123 (libsndfile's MP3 decoder) for ID3v2 tags. Therefore FFmpeg gets a view of
the file without leading ID3v2 tags, and files whose ID3v2 tags have too many frames are rejected
before mpg123 reads them. Files with too many FLAC or Ogg comments or Matroska tags are rejected,
too. For everything else, the CPU time in which FFmpeg opens a file is limited. Ordinary files take
a few milliseconds.
"""

from __future__ import annotations

import functools
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from io import RawIOBase
from typing import Self

from genrelens.decoders.base import DecodeError

__all__ = ["GuardedFile", "check_id3_frames", "end_of_id3"]

_HEADER = 10  # bytes of an ID3v2 tag or frame
_MAX_TAGS = 1000  # ID3v2 tags one after the other
_MAX_FRAMES = 10_000  # in all tags; mpg123 takes 0.3 s for this number
_MAX_COMMENTS = 10_000  # FFmpeg takes 0.5 s for this number
_MAX_BLOCKS = 10_000  # metadata blocks in FLAC
_SECONDS = 5.0  # CPU time for reading; processing can take three times as long
_SIMPLE_TAG = b"\x67\xc8"  # ID of a Matroska tag; occurs by chance once in 65 536 bytes
_OGG_HEAD = 2**20  # bytes; the comments of an Ogg file start within them
_OGG_COMMENTS = re.compile(rb"\x03vorbis|OpusTags|\x81theora")
_FLAC_COMMENTS = 4  # type of a metadata block


def end_of_id3(file: RawIOBase) -> int:
    """Return the position after the leading ID3v2 tags; it can lie beyond the end of the file.

    Args:
        file: binary and seekable; its position changes.

    Raises:
        DecodeError: there are more tags than in any recording.

    Source: ID3 tag version 2.4.0, main structure, section 3.

    """
    position = 0
    for _ in range(_MAX_TAGS):
        n_bytes = _id3_length(_bytes(file, position, _HEADER))
        if not n_bytes:
            return position
        position += n_bytes
    raise DecodeError(f"it begins with more than {_MAX_TAGS} ID3 tags")


def _id3_length(head: bytes) -> int:
    """Return the length of the ID3v2 tag with this header in bytes; 0 if it is not a tag."""
    if len(head) < _HEADER or not head.startswith(b"ID3") or max(head[6:]) > 0x7F:
        return 0
    footer = _HEADER if head[5] & 0x10 else 0
    return _HEADER + _synchsafe(head[6:]) + footer


def check_id3_frames(file: RawIOBase) -> None:
    """Check the number of frames in the leading ID3v2 tags.

    Args:
        file: binary and seekable; its position changes.

    Raises:
        DecodeError: there are more frames than in any recording.

    """
    end, position, n_frames = end_of_id3(file), 0, 0
    while position < end:
        head = _bytes(file, position, _HEADER)
        n_bytes = _id3_length(head)
        n_frames += _count_frames(file, position, head, n_bytes, _MAX_FRAMES - n_frames)
        if n_frames > _MAX_FRAMES:
            raise DecodeError(f"its ID3 tags have more than {_MAX_FRAMES} frames")
        position += n_bytes


def _count_frames(file: RawIOBase, start: int, head: bytes, n_bytes: int, limit: int) -> int:
    """Return the number of frames of a tag, at most one more than ``limit``.

    For a tag with unsynchronisation or an extended header, return the largest possible number.
    """
    version, flags = head[3], head[5]
    if flags & 0xC0:
        return n_bytes // (_HEADER + 1)
    size = _synchsafe if version == 4 else int.from_bytes
    position, n_frames = start + _HEADER, 0
    while position < start + n_bytes and n_frames <= limit:
        frame = _bytes(file, position, _HEADER)
        if len(frame) < _HEADER or not frame[0]:  # the end, or padding
            break
        position += _HEADER + size(frame[4:8])
        n_frames += 1
    return n_frames


def _synchsafe(content: bytes) -> int:
    return functools.reduce(lambda n, byte: n << 7 | byte & 0x7F, content, 0)


def _bytes(file: RawIOBase, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size) or b""


def _check_comments(file: RawIOBase, start: int) -> None:
    """Raise ``DecodeError`` if FLAC or Ogg has more comments than any recording."""
    head = _bytes(file, start, 4)
    counts: Iterator[int] = iter(())
    if head == b"fLaC":
        counts = _flac_comments(file, start + 4)
    elif head == b"OggS":
        content = _bytes(file, start, _OGG_HEAD)
        starts = (found.end() for found in _OGG_COMMENTS.finditer(content))
        counts = (_n_comments(content[start : start + 2**16]) for start in starts)
    total = 0
    for n in counts:
        total += n
        if total > _MAX_COMMENTS:
            raise DecodeError(f"it has more than {_MAX_COMMENTS} comments")


def _flac_comments(file: RawIOBase, position: int) -> Iterator[int]:
    """Yield the number of comments in each metadata block.

    Raises:
        DecodeError: there are more blocks than in any recording.

    Source: the FLAC format, RFC 9639, sections 8.1 and 8.6.

    """
    for _ in range(_MAX_BLOCKS):
        head = _bytes(file, position, 4)
        if len(head) < 4:
            return
        if head[0] & 0x7F == _FLAC_COMMENTS:
            yield _n_comments(_bytes(file, position + 4, 2**16))
        position += 4 + int.from_bytes(head[1:])
        if head[0] >> 7:  # the last one
            return
    raise DecodeError(f"it has more than {_MAX_BLOCKS} metadata blocks")


def _n_comments(content: bytes) -> int:
    """Return the number of comments that a comment header claims.

    If a long vendor name hides the number, return more than the limit.
    """
    try:
        (length,) = struct.unpack_from("<I", content)
        (n,) = struct.unpack_from("<I", content, 4 + length)
    except struct.error:
        return 0 if len(content) < 2**16 else _MAX_COMMENTS + 1
    return int(n)


class GuardedFile:
    """A view of a file for FFmpeg, from a position on, with a limit on the time to open it.

    The view has no name, so that FFmpeg does not guess the format from it.

    Args:
        file: the file.
        start: position in the file that is position 0 of the view.
        clock: returns the CPU time of this thread in seconds.

    Attributes:
        exceeded: whether opening took too long, so that only a part of the header was read.

    """

    def __init__(
        self, file: RawIOBase, start: int = 0, clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._file, self._start, self._clock = file, start, clock
        self._deadline: float | None = clock() + _SECONDS
        self.exceeded = False
        self._n_tags = 0
        file.seek(start)

    @classmethod
    def after_tags(cls, file: RawIOBase) -> Self:
        """Return a view that hides the leading ID3v2 tags, unless nothing follows them.

        Raises:
            DecodeError: there are more tags or comments than in any recording.

        """
        start = end_of_id3(file)
        if start >= file.seek(0, os.SEEK_END):  # a tag claims to be longer than the file
            check_id3_frames(file)
            start = 0
        _check_comments(file, start)
        return cls(file, start)

    def opened(self) -> None:
        """End the time limit.

        Raises:
            DecodeError: the time was exceeded, or there are too many tags.

        """
        self._deadline = None
        if self.exceeded:
            if self._n_tags > _MAX_COMMENTS:
                raise DecodeError(f"it has more than {_MAX_COMMENTS} tags")
            raise DecodeError(f"its header takes more than {_SECONDS:g} s to read")

    def read(self, size: int = -1) -> bytes:
        """Read as a file does; return nothing after the time limit."""
        if self._deadline is None:
            return self._file.read(size) or b""
        if self.exceeded or self._clock() > self._deadline:
            self.exceeded = True
            return b""
        found = self._file.read(size) or b""
        self._n_tags += found.count(_SIMPLE_TAG)
        self.exceeded = self._n_tags > _MAX_COMMENTS
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as a file does; return -1 before the beginning, since PyAV prints exceptions."""
        try:
            if whence == os.SEEK_SET:
                return self._file.seek(offset + self._start) - self._start if offset >= 0 else -1
            return self._file.seek(offset, whence) - self._start
        except OSError:
            return -1

    def tell(self) -> int:
        """Return the position relative to ``start``."""
        return self._file.tell() - self._start
