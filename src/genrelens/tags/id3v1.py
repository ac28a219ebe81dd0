"""ID3v1 at the end of a file, with the enhanced tag "TAG+" that may precede it.

Sources: the page "ID3v1" of id3.org, and "ID3v1 Enhanced tag" in Wikipedia.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from genrelens.tags.block import TagBlock
from genrelens.tags.id3_frames import Frame, make_frame
from genrelens.tags.id3_text import id3v1_genre, id3v1_name, text_content

__all__ = ["ID3v1Block"]

_SIZE = 128  # bytes
_FIELDS = {"title": slice(3, 33), "artist": slice(33, 63), "album": slice(63, 93)}
_YEAR, _COMMENT, _SHORT_COMMENT = slice(93, 97), slice(97, 127), slice(97, 125)
_TRACK = 126
_ENHANCED_GENRE = slice(185, 215)  # from the start of TAG+


class ID3v1Block(TagBlock):
    """An ID3v1 tag.

    Args:
        data: 128 bytes, or 355 bytes with the enhanced tag.

    """

    name = "ID3v1"

    def __init__(self, data: bytes) -> None:
        self._enhanced, self._tag = data[:-_SIZE], data[-_SIZE:]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a tag."""
        return cls(data)

    def to_bytes(self) -> bytes:
        """See :meth:`TagBlock.to_bytes`."""
        return self._enhanced + self._tag

    @property
    def has_genre(self) -> bool:
        """See :attr:`TagBlock.has_genre`."""
        return True  # there is always a genre number

    def genres(self) -> list[str]:
        """See :meth:`TagBlock.genres`."""
        text = _text(self._enhanced[_ENHANCED_GENRE])
        return [text] if text else id3v1_name(self._tag[-1])

    def text(self, field: str) -> str:
        """See :meth:`TagBlock.text`."""
        return _text(self._tag[_FIELDS[field]])

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagBlock.others`."""
        enhanced = _replaced(self._enhanced, b"")
        return [("its ID3v1 tag", self._tag[:-1]), ("its enhanced ID3v1 tag", enhanced)]

    def with_genres(self, genres: Sequence[str]) -> Self:
        """See :meth:`TagBlock.with_genres`. The first genre that has an ID3v1 number is stored."""
        enhanced = _replaced(self._enhanced, _enhanced_genre(genres))
        return type(self)(enhanced + self._tag[:-1] + bytes([id3v1_genre(genres)]))

    def as_read(self, genres: Sequence[str]) -> list[str]:
        """See :meth:`TagBlock.as_read`."""
        text = _text(_enhanced_genre(genres)) if self._enhanced else ""
        return [text] if text else id3v1_name(id3v1_genre(genres))

    def frames(self, version: int) -> list[Frame]:
        """Return everything except the genre as frames of ID3v2 version 3 or 4."""
        has_track = not self._tag[_TRACK - 1] and self._tag[_TRACK]
        comment = _text(self._tag[_SHORT_COMMENT if has_track else _COMMENT])
        texts = [
            ("TIT2", self.text("title")),
            ("TPE1", self.text("artist")),
            ("TALB", self.text("album")),
            ("TDRC" if version == 4 else "TYER", _text(self._tag[_YEAR])),
            ("TRCK", str(self._tag[_TRACK]) if has_track else ""),
        ]
        frames = [
            make_frame(name, text_content([text], version), version) for name, text in texts if text
        ]
        if comment:
            content = text_content([comment], version)
            description = b"eng" + (b"\xff\xfe\0\0" if content[0] == 1 else b"\0")
            content = content[:1] + description + content[1:]
            frames.append(make_frame("COMM", content, version))
        return frames


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("latin-1").strip()


def _enhanced_genre(genres: Sequence[str]) -> bytes:
    try:
        return genres[0].encode("latin-1")[:30] if genres else b""
    except UnicodeEncodeError:
        return b""


def _replaced(enhanced: bytes, genre: bytes) -> bytes:
    """Return the enhanced tag with another genre; empty if there is no enhanced tag."""
    if not enhanced:
        return b""
    return enhanced[: _ENHANCED_GENRE.start] + genre.ljust(30, b"\0") + enhanced[215:]
