"""ID3v2, at the front of a file or in a chunk of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from genrelens.tags.base import TagFormat

__all__ = [
    "ChunkedID3",
    "id3_genres",
    "id3_others",
    "id3_text",
    "id3v1_genre",
    "version_to_write",
    "write_id3",
]

_FRAMES = {"artist": "TPE1", "album": "TALB", "title": "TIT2"}
_NO_GENRE = 255  # in ID3v1
_OLDEST, _NEWEST = 3, 4  # that can be written


def id3v1_genre(genres: Sequence[str]) -> int:
    """Return the number of the first genre that ID3v1 knows, or 255 for none."""
    from mutagen.id3 import TCON

    numbers = {name.casefold(): number for number, name in reversed([*enumerate(TCON.GENRES)])}
    known = (numbers[genre.casefold()] for genre in genres if genre.casefold() in numbers)
    return next(known, _NO_GENRE)


def id3_genres(tags: Any) -> list[str]:
    """Return the genres of mutagen's ID3 tags or None; numbers such as ``(17)`` in words."""
    if tags is None:
        return []
    return [genre for frame in tags.getall("TCON") for genre in frame.genres if genre]


def id3_text(tags: Any, field: str) -> str:
    """Return ``artist``, ``album`` or ``title``, or nothing."""
    if tags is None:
        return ""
    return "; ".join(str(text) for frame in tags.getall(_FRAMES[field]) for text in frame.text)


def id3_others(tags: Any) -> dict[str, Any]:
    """Return all frames but the genre, those that mutagen does not know too."""
    if tags is None:
        return {"unknown": []}
    known = {
        key: {name: value for name, value in vars(frame).items() if name != "encoding"}
        for key, frame in tags.items()
        if frame.FrameID != "TCON" and getattr(frame, "text", True)
    }
    return known | {"unknown": sorted(map(bytes, tags.unknown_frames))}


def version_to_write(found: int, asked: int | None) -> int:
    """Return 3 or 4: what is asked for, or what is there."""
    return asked or max(found, _OLDEST)


def write_id3(tags: Any, file: BinaryIO, genres: Sequence[str], version: int) -> list[str]:
    """Set the genres of mutagen's ID3 tags and save them; return how they will be read.

    Args:
        tags: read without translation where they are of this version, else translated to it.
        file: to save to.
        genres: to write.
        version: 3 or 4.

    """
    from mutagen.id3 import TCON, Encoding

    if version < _NEWEST and genres:
        genres = ["/".join(genres)]
    tags.delall("TCON")
    if genres:
        plain = all(genre.isascii() for genre in genres)
        encoding = Encoding.LATIN1 if plain else Encoding.UTF8  # 2.3: mutagen takes UTF-16
        tags.add(TCON(encoding=encoding, text=[_escaped(genre) for genre in genres]))
    file.seek(0)
    # Without a separator, as else several values of other frames would become one.
    tags.save(file, v2_version=version, v23_sep=None)
    return list(genres)


def _escaped(genre: str) -> str:
    """Mark a first parenthesis, which else begins the number of a genre."""
    return re.sub(r"^\(", "((", genre)


class ChunkedID3(TagFormat):
    """ID3v2 in a chunk of WAV, AIFF or DSF.

    Args:
        file: see :class:`TagFormat`.
        reader: mutagen's class for the file.
        name: of the format.

    """

    def __init__(self, file: BinaryIO, reader: Callable[..., Any], name: str) -> None:
        self._file = file
        self._reader = reader
        self._tags = self._read(translate=False)
        self._version = self._tags.version[1]
        if self._version < _OLDEST:
            self._tags = self._read(v2_version=_OLDEST)
        self.name = f"ID3v2.{self._version} in {name}"

    def _read(self, **options: Any) -> Any:
        self._file.seek(0)
        tagged = self._reader(self._file, load_v1=False, **options)
        if tagged.tags is None:
            tagged.add_tags()
        return tagged.tags

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return id3_genres(self._tags)

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return id3_text(self._tags, field)

    def others(self) -> dict[str, Any]:
        """See :meth:`TagFormat.others`."""
        return id3_others(self._tags)

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        version = version_to_write(self._version, id3_version)
        if version != self._version:
            self._tags = self._read(v2_version=version)
        return write_id3(self._tags, self._file, genres, version)
