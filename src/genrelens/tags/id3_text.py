"""The texts in ID3v2 frames and in ID3v1: encodings, values, genres.

Sources: "ID3 tag version 2.3.0", section 3.3; "2.4.0 - Main Structure", section 4; "2.4.0 - Native
Frames", section 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = [
    "decode",
    "encode",
    "escaped",
    "genres_in",
    "id3v1_genre",
    "id3v1_name",
    "separator",
    "text_content",
    "values_of",
]

LATIN1, UTF16, UTF16BE, UTF8 = range(4)
_CODECS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_LONGEST = 1000  # characters of a genre that is looked at for numbers
_NO_GENRE = 255  # in ID3v1


def separator(encoding: int) -> bytes:
    """Return what ends a text of an encoding."""
    return b"\0\0" if encoding in (UTF16, UTF16BE) else b"\0"


def decode(data: bytes, encoding: int, errors: str = "replace") -> str:
    """Return a text; one in UTF-16 without a mark of its byte order is little-endian.

    Raises:
        UnicodeDecodeError: it is damaged, and ``errors`` is ``strict``.

    """
    codec = _CODECS[encoding]
    if encoding == UTF16:
        codec = "utf-16-be" if data.startswith(b"\xfe\xff") else "utf-16-le"
    return data.decode(codec, errors).replace("\ufeff", "")


def encode(text: str, encoding: int) -> bytes:
    """Return the bytes of a text; UTF-16 is little-endian, and its mark stands before it."""
    if encoding == UTF16:
        return b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass")
    return text.encode(_CODECS[encoding])


def values_of(content: bytes, errors: str = "replace") -> list[str]:
    """Return the values of a text frame without the empty ones at the end.

    A first byte that is no encoding belongs to a text of an old program that wrote none.
    """
    if not content:
        return []
    encoding, data = content[0], content[1:]
    if encoding >= len(_CODECS):
        encoding, data = LATIN1, content if encoding >= ord(" ") else data
    return decode(data, encoding, errors).rstrip("\0").split("\0")


def text_content(values: Sequence[str], version: int) -> bytes:
    """Return the content of a text frame in the encoding that all readers of a version know."""
    if all(value.isascii() for value in values):
        encoding = LATIN1
    else:
        encoding = UTF8 if version == 4 else UTF16
    joined = separator(encoding).join(encode(value, encoding) for value in values)
    return bytes([encoding]) + joined


# ------------------------------------------------------------------------------- genres


def genres_in(values: Iterable[str]) -> list[str]:
    """Return the genres in a genre frame's values, with numbers such as ``(17)`` in words."""
    from mutagen.id3 import TCON

    found: list[str] = []
    for value in values:
        short = len(value) <= _LONGEST
        found += TCON(encoding=UTF8, text=[value]).genres if short else [value]
    return [genre for genre in found if genre]


def escaped(genre: str) -> str:
    """Mark a first parenthesis, which otherwise begins the number of a genre."""
    return re.sub(r"^\(", "((", genre)


def id3v1_genre(genres: Sequence[str]) -> int:
    """Return the number of the first genre that ID3v1 knows, or 255 for none."""
    from mutagen.id3 import TCON

    numbers = {name.casefold(): number for number, name in reversed([*enumerate(TCON.GENRES)])}
    known = (numbers[genre.casefold()] for genre in genres if genre.casefold() in numbers)
    return next(known, _NO_GENRE)


def id3v1_name(number: int) -> list[str]:
    """Return the genre of a number of ID3v1, or none."""
    from mutagen.id3 import TCON

    return [TCON.GENRES[number]] if number < len(TCON.GENRES) else []
