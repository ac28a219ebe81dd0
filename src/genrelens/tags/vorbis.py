"""Vorbis comments: the tags of FLAC and of all formats in Ogg.

A comment block is a list of byte strings. Only those that start with ``GENRE=`` (in any case) are
replaced. All others stay unchanged, even if they are not valid text.

Source: Ogg Vorbis I format specification, comment field and header specification.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from genrelens.tags.base import TagFormat
from genrelens.tags.raw import check_items, content_of

__all__ = ["CommentBlock", "VorbisTags"]

_GENRE = b"GENRE"
_CUT_OFF = "has Vorbis comments that are cut off"


@dataclass(frozen=True, slots=True)
class CommentBlock:
    """A block of Vorbis comments.

    Attributes:
        vendor: name of the encoder.
        comments: ``NAME=value``, or any other bytes.
        rest: bytes after the comments: the framing bit of Ogg Vorbis, or padding.

    """

    vendor: bytes
    comments: tuple[bytes, ...]
    rest: bytes = b""

    @classmethod
    def parse(cls, data: bytes, n_before: int = 0) -> CommentBlock:
        """Parse a block.

        Args:
            data: bytes of the block.
            n_before: number of comments in other blocks of the file.

        Raises:
            ValueError: the block states more comments than it has, or than any tagger writes.

        """
        vendor, at = _string(data, 0)
        if at + 4 > len(data):
            raise ValueError(_CUT_OFF)
        (n,) = struct.unpack_from("<I", data, at)
        check_items(n_before + n, "Vorbis comments")
        comments, at = [], at + 4
        for _ in range(n):
            comment, at = _string(data, at)
            comments.append(comment)
        return cls(vendor, tuple(comments), data[at:])

    def render(self) -> bytes:
        """Return the block as bytes."""
        strings = [struct.pack("<I", len(each)) + each for each in (self.vendor, *self.comments)]
        count = struct.pack("<I", len(self.comments))
        return b"".join((strings[0], count, *strings[1:], self.rest))

    def values(self, name: bytes) -> list[str]:
        """Return the values of a name, given in capitals; empty values are left out."""
        values = (_value(each) for each in self.comments if _name(each) == name)
        return [value for value in values if value]

    def has_genre(self) -> bool:
        """Return whether there is a genre comment, even an empty one."""
        return any(_name(comment) == _GENRE for comment in self.comments)

    def with_genres(self, genres: Sequence[str]) -> CommentBlock:
        """Replace the genres, or add them at the end; an empty sequence removes them.

        The name keeps its capitalisation.
        """
        indices = [at for at, comment in enumerate(self.comments) if _name(comment) == _GENRE]
        first = indices[0] if indices else len(self.comments)
        name = self.comments[first].partition(b"=")[0] if indices else _GENRE
        new = [name + b"=" + genre.encode() for genre in genres]
        others = [each for each in self.comments[first:] if _name(each) != _GENRE]
        return replace(self, comments=(*self.comments[:first], *new, *others))

    def others(self) -> list[tuple[str, bytes]]:
        """Return everything except the genres as (readable name, bytes)."""
        comments = [each for each in self.comments if _name(each) != _GENRE]
        return [
            ("the vendor of the Vorbis comments", self.vendor),
            *((f"the Vorbis comment {_shown(each)}", content_of(each)) for each in comments),
            ("the data after the Vorbis comments", content_of(self.rest)),
        ]


_NEW = CommentBlock(b"genrelens", ())


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the string at an offset, and its end."""
    end = at + 4
    if end <= len(data):
        start, end = end, end + int.from_bytes(data[at:end], "little")
    if end > len(data):
        raise ValueError(_CUT_OFF)
    return data[start:end], end


def _name(comment: bytes) -> bytes:
    """Return the name of a comment in capitals; empty if there is no ``=``."""
    name, equals, _ = comment.partition(b"=")
    return name.upper() if equals else b""


def _value(comment: bytes) -> str:
    return comment.partition(b"=")[2].decode("utf-8", "replace")


def _shown(comment: bytes) -> str:
    return repr(comment.partition(b"=")[0][:40].decode("utf-8", "replace"))


class VorbisTags(TagFormat):
    """The Vorbis comment blocks of a file. Normally there is one.

    Args:
        blocks: blocks in file order.

    """

    def __init__(self, blocks: Sequence[CommentBlock]) -> None:
        self._blocks = blocks

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return self._values(_GENRE)

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return "; ".join(self._values(field.upper().encode()))

    def _values(self, name: bytes) -> list[str]:
        """Return the values of the first block that has any."""
        found = (block.values(name) for block in self._blocks)
        return next(filter(None, found), [])

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`."""
        return [item for block in self._blocks or [_NEW] for item in block.others()]

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        blocks = self._blocks or [_NEW] * bool(genres)
        home = next((at for at, block in enumerate(blocks) if block.has_genre()), 0)
        self._save(
            [block.with_genres(genres if at == home else ()) for at, block in enumerate(blocks)]
        )
        return list(genres)

    @abstractmethod
    def _save(self, blocks: Sequence[CommentBlock]) -> None:
        """Replace the blocks of the file; the first block may be new."""
