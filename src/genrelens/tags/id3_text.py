"""Texts in ID3v2 frames and in ID3v1: encodings, values and genres.

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
_LONGEST = 1000  # characters; in a longer genre, numbers are not replaced by names
_NO_GENRE = 255  # in ID3v1


def separator(encoding: int) -> bytes:
    """Return the terminator of texts in an encoding."""
    return b"\0\0" if encoding in (UTF16, UTF16BE) else b"\0"


def decode(data: bytes, encoding: int, errors: str = "replace") -> str:
    """Decode a text; UTF-16 without a byte order mark is little-endian.

    Raises:
        UnicodeDecodeError: the text is damaged and ``errors`` is ``strict``.

    """
    codec = _CODECS[encoding]
    if encoding == UTF16:
        codec = "utf-16-be" if data.startswith(b"\xfe\xff") else "utf-16-le"
    return data.decode(codec, errors).replace("\ufeff", "")


def encode(text: str, encoding: int) -> bytes:
    """Encode a text; UTF-16 is little-endian with a byte order mark."""
    if encoding == UTF16:
        return b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass")
    return text.encode(_CODECS[encoding])


def values_of(content: bytes, errors: str = "replace") -> list[str]:
    """Return the values of a text frame, without empty values at the end.

    If the first byte is not an encoding, it belongs to the text; old programs wrote no encoding.
    """
    if not content:
        return []
    encoding, data = content[0], content[1:]
    if encoding >= len(_CODECS):
        encoding, data = LATIN1, content if encoding >= ord(" ") else data
    return decode(data, encoding, errors).rstrip("\0").split("\0")


def text_content(values: Sequence[str], version: int) -> bytes:
    """Return the content of a text frame in an encoding that all readers of the version support."""
    if all(value.isascii() for value in values):
        encoding = LATIN1
    else:
        encoding = UTF8 if version == 4 else UTF16
    joined = separator(encoding).join(encode(value, encoding) for value in values)
    return bytes([encoding]) + joined


# ------------------------------------------------------------------------------- genres


def genres_in(values: Iterable[str]) -> list[str]:
    """Return the genres in the values of a genre frame; numbers such as ``(17)`` become names."""
    from mutagen.id3 import TCON

    found: list[str] = []
    for value in values:
        short = len(value) <= _LONGEST
        found += TCON(encoding=UTF8, text=[value]).genres if short else [value]
    return [genre for genre in found if genre]


def escaped(genre: str) -> str:
    """Escape a leading parenthesis, which otherwise starts a genre number."""
    return re.sub(r"^\(", "((", genre)


def id3v1_genre(genres: Sequence[str]) -> int:
    """Return the number of the first genre that exists in ID3v1, or 255."""
    from mutagen.id3 import TCON

    numbers = {name.casefold(): number for number, name in reversed([*enumerate(TCON.GENRES)])}
    known = (numbers[genre.casefold()] for genre in genres if genre.casefold() in numbers)
    return next(known, _NO_GENRE)


def id3v1_name(number: int) -> list[str]:
    """Return the genre with an ID3v1 number; empty if there is none."""
    from mutagen.id3 import TCON

    return [TCON.GENRES[number]] if number < len(TCON.GENRES) else []
