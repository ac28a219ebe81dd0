"""APEv2 at the end of a file, and what may stand behind it: Lyrics3 and ID3v1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

from genrelens.tags.base import TagFormat
from genrelens.tags.id3 import id3v1_genre

__all__ = [
    "APETags",
    "ape_genres",
    "ape_others",
    "ape_text",
    "ape_values",
    "has_words",
    "read_ape",
    "save_ape",
    "set_ape_genres",
    "set_id3v1_genre",
    "trailer",
]

_FIELDS = {"artist": "Artist", "album": "Album", "title": "Title"}
_GENRE = "Genre"
_ID3V1 = 128  # bytes
_LYRICS3 = 15  # bytes of its end: six digits, the size of the rest, and LYRICS200


def trailer(file: BinaryIO) -> bytes:
    """Return the ID3v1 tag at the end of a file, with the Lyrics3 tag before it, or nothing."""
    size = file.seek(0, os.SEEK_END)
    end = _before(file, size, _ID3V1)
    in_ape = _before(file, size, _ID3V1 + len("APE")).startswith(b"APETAGEX")
    if not end.startswith(b"TAG") or in_ape:
        return b""
    lyrics = _before(file, size - _ID3V1, _LYRICS3)
    if lyrics.endswith(b"LYRICS200") and lyrics[:6].isdigit():
        end = _before(file, size, _ID3V1 + _LYRICS3 + int(lyrics[:6])) or end
    return end


def _before(file: BinaryIO, place: int, n: int) -> bytes:
    """Read the ``n`` bytes before a place; nothing where there are fewer."""
    if place < n:
        return b""
    file.seek(place - n)
    return file.read(n)


def read_ape(file: BinaryIO) -> Any:
    """Return mutagen's APEv2 tags, or None where there are none."""
    from mutagen.apev2 import APENoHeaderError, APEv2

    file.seek(0)
    try:
        return APEv2(file)
    except APENoHeaderError:
        return None


def save_ape(tags: Any, file: BinaryIO) -> None:
    """Save mutagen's APEv2 tags at the end, before what ``trailer`` finds."""
    end = trailer(file)
    file.seek(-len(end), os.SEEK_END)
    file.truncate()
    file.seek(0)
    tags.save(file)
    file.seek(0, os.SEEK_END)
    file.write(end)


def set_ape_genres(tags: Any, genres: Sequence[str]) -> None:
    """Set the genres of mutagen's APEv2 tags, or remove them."""
    name = next((name for name in tags.keys() if _is_genre(name)), _GENRE)  # noqa: SIM118 (no dict)
    if genres:
        tags[name] = list(genres)
    else:
        tags.pop(name, None)


def _is_genre(name: str) -> bool:
    return name.lower() == _GENRE.lower()


def ape_values(tags: Any, name: str) -> list[str]:
    """Return the texts of an item; those of none and of one that is no text are none."""
    from mutagen.apev2 import APETextValue

    value = None if tags is None else tags.get(name)
    return [text for text in value if text] if isinstance(value, APETextValue) else []


def has_words(tags: Any) -> bool:
    """Tell whether APEv2 tags name the recording, and do not only hold its loudness."""
    return any(ape_values(tags, name) for name in (_GENRE, *_FIELDS.values()))


def ape_genres(tags: Any) -> list[str]:
    """Return the genres of mutagen's APEv2 tags or None."""
    return ape_values(tags, _GENRE)


def ape_text(tags: Any, field: str) -> str:
    """Return ``artist``, ``album`` or ``title``, or nothing."""
    return "; ".join(ape_values(tags, _FIELDS[field]))


def ape_others(tags: Any) -> dict[str, Any]:
    """Return all but the genre."""
    return {} if tags is None else {k: v for k, v in tags.items() if not _is_genre(k)}


def set_id3v1_genre(file: BinaryIO, before: bytes, genres: Sequence[str]) -> None:
    """Put what ``trailer`` found back at the end of a file, with another number of the genre."""
    if before:
        file.seek(-len(before), os.SEEK_END)
        file.write(before[:-1] + bytes([id3v1_genre(genres)]))


class APETags(TagFormat):
    """APEv2 where it is the format's own.

    Args:
        file: see :class:`TagFormat`.

    """

    name = "APEv2"

    def __init__(self, file: BinaryIO) -> None:
        from mutagen.apev2 import APEv2

        self._file = file
        self._tags = read_ape(file)
        if self._tags is None:
            self._tags = APEv2()

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return ape_genres(self._tags)

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return ape_text(self._tags, field)

    def others(self) -> dict[str, Any]:
        """See :meth:`TagFormat.others`."""
        return ape_others(self._tags) | {"trailer": trailer(self._file)[:-1]}

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        end = trailer(self._file)
        set_ape_genres(self._tags, genres)
        save_ape(self._tags, self._file)
        set_id3v1_genre(self._file, end, genres)
        return list(genres)
