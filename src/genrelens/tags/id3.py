"""ID3v2 as a tag block: only the genre frame is replaced, in its position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Self

from genrelens.tags.block import TagBlock, merged
from genrelens.tags.id3_convert import meaning_of
from genrelens.tags.id3_frames import HEADER, Frame, RawID3, make_frame, new_tag, parse
from genrelens.tags.id3_text import escaped, genres_in, text_content, values_of
from genrelens.tags.raw import content_of

__all__ = ["ID3Block", "shown"]

_FRAMES = {
    "artist": ("TP1", "TPE1"),
    "album": ("TAL", "TALB"),
    "title": ("TT2", "TIT2"),
}
_LONGEST = 2**20  # bytes; longer texts are not read


def shown(name: str) -> str:
    """Return a printable name of a frame, item or chunk."""
    return name if re.fullmatch(r"[!-~]+", name) else repr(name)


class ID3Block(TagBlock):
    """An ID3v2 tag.

    Args:
        raw: the tag as frames.

    """

    def __init__(self, raw: RawID3) -> None:
        self.raw = raw
        self.name = f"ID3v2.{raw.version}"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a tag; see :func:`genrelens.tags.id3_frames.parse`."""
        return cls(parse(data))

    @classmethod
    def new(cls, version: int, frames: Iterable[Frame] = ()) -> Self:
        """Return a new tag."""
        return cls(new_tag(version, frames))

    @property
    def version(self) -> int:
        """ID3v2 version: 2, 3 or 4."""
        return self.raw.version

    @property
    def n_bytes(self) -> int:
        """Size of the tag with its header and footer, in bytes."""
        return HEADER + self.raw.size + HEADER * self.raw.has_footer

    def to_bytes(self) -> bytes:
        """See :meth:`TagBlock.to_bytes`."""
        return self.raw.to_bytes()

    @property
    def has_genre(self) -> bool:
        """See :attr:`TagBlock.has_genre`."""
        return any(frame.is_genre for frame in self.raw.frames)

    def genres(self) -> list[str]:
        """See :meth:`TagBlock.genres`."""
        frames = (frame for frame in self.raw.frames if frame.is_genre)
        return merged(genres_in(values_of(_readable(frame))) for frame in frames)

    def text(self, field: str) -> str:
        """See :meth:`TagBlock.text`."""
        frames = (frame for frame in self.raw.frames if frame.name in _FRAMES[field])
        return "; ".join(text for frame in frames for text in values_of(_readable(frame)))

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagBlock.others`."""
        frames = [
            (f"its frame {shown(frame.name)}", content_of(frame.plain))
            for frame in self.raw.frames
            if not frame.is_genre
        ]
        rest = ("the data after the frames of its ID3v2 tag", content_of(self.raw.rest))
        return [("the header of its ID3v2 tag", self.raw.head[:6]), *frames, rest]

    def meaning(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagBlock.meaning`."""
        return meaning_of(self.raw)

    def with_genres(self, genres: Sequence[str]) -> Self:
        """See :meth:`TagBlock.with_genres`."""
        for frame in self.raw.frames:
            if frame.is_genre and len(frame.content()) > _LONGEST:
                raise ValueError(f"its frame {frame.name} has more than 1 MiB")
        frames = [frame for frame in self.raw.frames if not frame.is_genre]
        if genres:
            frames.insert(self._genre_index(), self._genre_frame(genres))
        return type(self)(self.raw.with_frames(frames))

    def _genre_index(self) -> int:
        """Return the index of the genre frame; a new one goes before frames with invalid names."""
        for index, frame in enumerate(self.raw.frames):
            if frame.is_genre:
                return index
        names = [frame.name for frame in self.raw.frames]
        invalid = (at for at, name in enumerate(names) if not re.fullmatch("[A-Z0-9]+", name))
        return next(invalid, len(names))

    def _genre_frame(self, genres: Sequence[str]) -> Frame:
        name = "TCO" if self.version == 2 else "TCON"
        values = [escaped(genre) for genre in self.as_read(genres)]
        return make_frame(name, text_content(values, self.version), self.version, like=self.raw)

    def as_read(self, genres: Sequence[str]) -> list[str]:
        """See :meth:`TagBlock.as_read`. Versions before 2.4 store one text."""
        return ["/".join(genres)] if genres and self.version < 4 else list(genres)


def _readable(frame: Frame) -> bytes:
    """Return the content of a frame; empty if it cannot be read."""
    try:
        content = frame.content()
    except ValueError:
        return b""
    return content if len(content) <= _LONGEST else b""
