"""ASF files with odd attributes, and a reader that shares no code with the package.

Specification: Advanced Systems Format, revision 01.20.06, sections 2 and 3.
"""

from __future__ import annotations

import functools
import random
import struct
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from support import tagged


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


HEADER = _guid("75B22630-668E-11CF-A6D9-00AA0062CE6C")
DESCRIPTION = _guid("75B22633-668E-11CF-A6D9-00AA0062CE6C")
EXTENDED = _guid("D2D0A440-E307-11D2-97F0-00A0C95EA850")
METADATA = _guid("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA")
LIBRARY = _guid("44231C94-9498-49D1-A141-1D134E457054")
EXTENSION = _guid("5FBF03B5-A92E-11CF-8EE3-00C00C205365")
FILE = _guid("8CABDCA1-A947-11CF-8EE4-00C00C205365")
PADDING = _guid("1806D474-CADF-4509-A4BA-9AABCB96AAE8")
_HEAD = _guid("ABD3D211-A9BA-11CF-8EE6-00C00C205365") + b"\6\0"
_LONG = (METADATA, LIBRARY)


class Attribute(NamedTuple):
    name: bytes
    kind: int
    value: bytes
    language: int = 0
    stream: int = 0


# ----------------------------------------------------------------------------- the reader


def objects(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the GUIDs and contents of objects; malformed ones are a ``ValueError``."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        if size < 24 or at + size > len(data):
            raise ValueError("size")
        yield data[at : at + 16], data[at + 24 : at + size]
        at += size


def _attributes(kind: bytes, data: bytes) -> tuple[list[Attribute], bytes]:
    found, at = [], 2
    for _ in range(int.from_bytes(data[:2], "little")):
        try:
            if kind in _LONG:
                language, stream, n_name, value_kind, n = struct.unpack_from("<HHHHI", data, at)
                start = at + 12 + n_name
                name = data[at + 12 : start]
            else:
                language = stream = 0
                (n_name,) = struct.unpack_from("<H", data, at)
                start = at + 2 + n_name + 4
                name = data[at + 2 : at + 2 + n_name]
                value_kind, n = struct.unpack_from("<HH", data, start - 4)
        except struct.error as error:
            raise ValueError("cut off") from error
        at = start + n
        if at > len(data):
            raise ValueError("cut off")
        found.append(Attribute(name, value_kind, data[start:at], language, stream))
    return found, data[at:]


def _parts(data: bytes) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]], bytes]:
    """Return the objects of the header, those of its extension, and the data after the header."""
    size, n = struct.unpack_from("<QI", data, 16)
    outer = list(objects(data[30:size]))
    assert n == len(outer)
    inner: list[tuple[bytes, bytes]] = []
    for kind, content in outer:
        if kind == EXTENSION:
            assert int.from_bytes(content[18:22], "little") == len(content) - 22
            inner = list(objects(content[22:]))
    return outer, inner, data[28:30] + data[size:]


def _is_genre(attribute: Attribute) -> bool:
    name = attribute.name.decode("utf-16-le", "replace").rstrip("\0").lower()
    return name in ("wm/genre", "wm/genreid")


def others(data: bytes, suffix: str) -> object:
    """Return everything except the genre, zero padding and the size of the file."""
    outer, inner, rest = _parts(data)
    found: list[object] = []
    for kind, content in [*outer, (b"", b""), *inner]:
        if kind in (EXTENDED, *_LONG):
            attributes, tail = _attributes(kind, content)
            kept = [each for each in attributes if not _is_genre(each)]
            found += [(kind, kept, tail)] if kept or tail else []
        elif kind == FILE:
            size = int.from_bytes(content[16:24], "little")
            is_right = size == len(data)
            found.append((content[:16], is_right or size, content[24:]))
        elif kind == EXTENSION:
            found += [content[:18]] if content[:18] != _HEAD else []
        else:
            found.append((kind, b"" if kind == PADDING and not any(content) else content))
    return found, rest


def genres(data: bytes, suffix: str) -> list[str]:
    """Return the texts of ``WM/Genre``, or else the names for ``WM/GenreID``."""
    outer, inner, _ = _parts(data)
    pairs = [
        (each.name.decode("utf-16-le").strip("\0").lower(), each.value)
        for kind, content in [*outer, *inner]
        if kind in (EXTENDED, *_LONG)
        for each in _attributes(kind, content)[0]
        if _is_genre(each) and each.kind == 0
    ]
    texts = [(name, value.decode("utf-16-le", "replace").strip("\0")) for name, value in pairs]
    plain = [text for name, text in texts if name == "wm/genre" and text]
    names = {"(17)": "Rock", "8": "Jazz"}
    return plain or [names.get(text, text) for name, text in texts if text]


# -------------------------------------------------------------------------- the generator


def utf16(text: str, end: bool = True) -> bytes:
    return text.encode("utf-16-le") + b"\0\0" * end


def attribute(rng: random.Random) -> Attribute:
    name = rng.choice(
        [
            utf16("WM/AlbumTitle"),
            utf16("WM/Year", False),
            utf16("Author"),
            utf16("Ж/имя"),
            b"",
            b"\0\0",
            b"odd",
            rng.randbytes(2 * rng.randrange(4)),
            utf16("WM/Genres"),
            b"\0\xd8\0\0",
        ]
    )
    kind = rng.randrange(8)
    value = rng.choice([utf16("x"), utf16("Größe", False), b"", b"\1", b"odd", rng.randbytes(40)])
    return Attribute(name, kind, value)


def genre(rng: random.Random) -> Attribute:
    name = rng.choice(["WM/Genre", "WM/Genre", "WM/GenreID", "wm/genre"])
    value = rng.choice(
        [utf16("Rock"), utf16("Größe", False), utf16("(17)"), utf16("8"), b"", b"\0\0"]
    )
    if name != "WM/GenreID" and value in (utf16("(17)"), utf16("8")):
        value = utf16("Pop")
    return Attribute(utf16(name, rng.random() < 0.8), rng.choice([0, 0, 0, 1, 3]), value)


def listed(rng: random.Random, kind: bytes) -> bytes:
    found = [attribute(rng) for _ in range(rng.choice([0, 1, 4]))]
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        found.insert(rng.randrange(len(found) + 1), genre(rng))
    found += [each for each in found if rng.random() < 0.1]
    data = b""
    for each in found:
        if kind in _LONG:
            language, stream = rng.choice([(0, 0), (1, 0), (0, 1), (3, 127)])
            numbers = (language, stream, len(each.name), each.kind, len(each.value))
            data += struct.pack("<HHHHI", *numbers) + each.name + each.value
        else:
            data += struct.pack("<H", len(each.name)) + each.name
            data += struct.pack("<HH", each.kind, len(each.value)) + each.value
    n = len(found) + 9 * (rng.random() < 0.02)
    return struct.pack("<H", n) + data + rng.choice([b"", b"", b"", b"tail"])


def described(rng: random.Random) -> bytes:
    texts = [rng.choice([b"", utf16("A title"), utf16("Ж", False), b"odd"]) for _ in range(5)]
    return struct.pack("<5H", *map(len, texts)) + b"".join(texts) + rng.choice([b"", b"more"])


@functools.cache
def _base() -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]], bytes]:
    """Return the parts of a file without tags: header objects, and the data after the header."""
    outer, inner, rest = _parts(tagged.recording("wma"))
    tags = (DESCRIPTION, EXTENDED, EXTENSION, PADDING, *_LONG)
    return [each for each in outer if each[0] not in tags], inner, rest[2:]


def pack(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(kind + struct.pack("<Q", 24 + len(data)) + data for kind, data in pairs)


def cases(rng: random.Random) -> tuple[str, bytes]:
    """Return the ending and the content of a file."""
    outer, inner, rest = _base()
    outer, inner = list(outer), [each for each in inner if each[0] not in _LONG]

    def put(pairs: list[tuple[bytes, bytes]], kind: bytes, content: bytes, chance: float) -> None:
        if rng.random() < chance:
            pairs.insert(rng.randrange(len(pairs) + 1), (kind, content))

    for kind in _LONG:
        put(inner, kind, listed(rng, kind), 0.6)
    put(inner, PADDING, bytes(rng.randrange(90)), 0.2)
    put(inner, rng.randbytes(16), rng.randbytes(20), 0.2)
    put(outer, DESCRIPTION, described(rng), 0.8)
    put(outer, EXTENDED, listed(rng, EXTENDED), 0.8)
    put(outer, EXTENDED, listed(rng, EXTENDED), 0.05)
    put(outer, PADDING, rng.choice([bytes(10), bytes(5000), b"kept"]), 0.5)
    put(outer, rng.randbytes(16), rng.randbytes(20), 0.2)
    content = pack(inner)
    put(outer, EXTENSION, _HEAD + struct.pack("<I", len(content)) + content, 0.9)
    return ".wma", whole(outer, rest, right=rng.random() < 0.8)


def whole(outer: list[tuple[bytes, bytes]], rest: bytes, *, right: bool = True) -> bytes:
    """Return a file that states its size, correctly or not."""
    size = 30 + len(pack(outer))
    claimed = struct.pack("<Q", size + len(rest) if right else 12345)
    outer = [
        (kind, data[:16] + claimed + data[24:] if kind == FILE else data) for kind, data in outer
    ]
    return HEADER + struct.pack("<QI", size, len(outer)) + b"\1\2" + pack(outer) + rest
