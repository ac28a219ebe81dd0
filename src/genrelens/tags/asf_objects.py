"""The objects in the header of an ASF file that hold its tags, as raw bytes.

Source: Advanced Systems Format Specification, revision 01.20.06, sections 2 and 3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from genrelens.counts import count_of
from genrelens.tags.raw import check_items

__all__ = [
    "Attribute",
    "AttributeList",
    "HeaderObject",
    "guid",
    "parse_attributes",
    "parse_description",
    "parse_objects",
]

_HEADER = 24  # bytes: the GUID and the size
_TEXT = 0  # the type of an attribute
_CUT_OFF = "has ASF attributes that are cut off"


def guid(text: str) -> bytes:
    """Return the bytes of a GUID in a file."""
    return UUID(text).bytes_le


@dataclass(frozen=True, slots=True)
class HeaderObject:
    """An object in the header of an ASF file.

    Attributes:
        guid: type, 16 bytes.
        data: content.

    """

    guid: bytes
    data: bytes

    def render(self) -> bytes:
        """Return the object as bytes."""
        return self.guid + struct.pack("<Q", _HEADER + len(self.data)) + self.data


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an ASF file: a name and a value.

    Attributes:
        name: bytes in UTF-16, usually with a terminator.
        kind: type; 0 is text.
        value: bytes of the value.
        language: number of the language; 0 if the object has none.
        stream: number of the stream; 0 for the whole file.

    """

    name: bytes
    kind: int
    value: bytes
    language: int = 0
    stream: int = 0

    @classmethod
    def of_text(cls, name: str, text: str) -> Attribute:
        """Return an attribute with a text."""
        return cls(_utf16(name), _TEXT, _utf16(text))

    def is_named(self, name: str) -> bool:
        """Return whether the attribute has this name; case is ignored."""
        return self.shown().casefold() == name.casefold()

    def shown(self) -> str:
        """Return the name as readable text."""
        return _text(self.name)

    def text(self) -> str:
        """Return the value of a text; empty for other types."""
        return _text(self.value) if self.kind == _TEXT else ""


def _text(data: bytes) -> str:
    return data.decode("utf-16-le", "replace").strip("\0")


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


@dataclass(frozen=True, slots=True)
class AttributeList:
    """The attributes of a header object.

    Attributes:
        attributes: attributes in order.
        tail: bytes after them.
        is_long: whether they have languages, streams and long values, as in the header
            extension.

    """

    attributes: tuple[Attribute, ...]
    tail: bytes
    is_long: bool

    def render(self) -> bytes:
        """Return the content of the object.

        Raises:
            ValueError: there are too many attributes, or a value is too long.

        """
        render = _render_long if self.is_long else _render_short
        try:
            n = struct.pack("<H", len(self.attributes))
            return b"".join((n, *map(render, self.attributes), self.tail))
        except struct.error:
            raise ValueError("has too many or too long genres for ASF") from None

    def with_attributes(self, attributes: tuple[Attribute, ...]) -> AttributeList:
        """Return the list with other attributes."""
        return replace(self, attributes=attributes)


def _render_short(each: Attribute) -> bytes:
    name = struct.pack("<H", len(each.name)) + each.name
    return name + struct.pack("<HH", each.kind, len(each.value)) + each.value


def _render_long(each: Attribute) -> bytes:
    numbers = (each.language, each.stream, len(each.name), each.kind, len(each.value))
    return struct.pack("<HHHHI", *numbers) + each.name + each.value


# ------------------------------------------------------------------------------- parsing


def parse_objects(data: bytes, numbers: Iterator[int]) -> list[HeaderObject]:
    """Parse the objects of a header or of its extension.

    Args:
        data: bytes of the objects.
        numbers: counter of the objects of a file.

    Raises:
        ValueError: an object has an impossible size, or there are too many objects.

    """
    objects, at = [], 0
    while at < len(data):
        if at + _HEADER > len(data):
            raise ValueError("has an ASF header that is cut off")
        (size,) = struct.unpack_from("<Q", data, at + 16)
        if not _HEADER <= size <= len(data) - at:
            raise ValueError(
                f"has an object of an impossible size ({count_of(size, 'byte')}) in its header"
            )
        check_items(next(numbers), "objects in its ASF header")
        objects.append(HeaderObject(data[at : at + 16], data[at + _HEADER : at + size]))
        at += size
    return objects


def parse_attributes(data: bytes, numbers: Iterator[int], *, is_long: bool) -> AttributeList:
    """Parse the content of an object with attributes.

    Args:
        data: content.
        numbers: counter of the attributes of a file.
        is_long: see :class:`AttributeList`.

    Raises:
        ValueError: the content is truncated, or there are too many attributes.

    """
    try:
        (n,) = struct.unpack_from("<H", data)
        found, at = [], 2
        for _ in range(n):
            check_items(next(numbers), "ASF attributes")
            attribute, at = (_long if is_long else _short)(data, at)
            found.append(attribute)
    except struct.error:
        raise ValueError(_CUT_OFF) from None
    return AttributeList(tuple(found), data[at:], is_long)


def _short(data: bytes, at: int) -> tuple[Attribute, int]:
    (n_name,) = struct.unpack_from("<H", data, at)
    name, at = _bytes(data, at + 2, n_name)
    kind, n_value = struct.unpack_from("<HH", data, at)
    value, at = _bytes(data, at + 4, n_value)
    return Attribute(name, kind, value), at


def _long(data: bytes, at: int) -> tuple[Attribute, int]:
    language, stream, n_name, kind, n_value = struct.unpack_from("<HHHHI", data, at)
    name, at = _bytes(data, at + 12, n_name)
    value, at = _bytes(data, at, n_value)
    return Attribute(name, kind, value, language, stream), at


def _bytes(data: bytes, at: int, n_bytes: int) -> tuple[bytes, int]:
    if at + n_bytes > len(data):
        raise ValueError(_CUT_OFF)
    return data[at : at + n_bytes], at + n_bytes


def parse_description(data: bytes) -> list[str]:
    """Return title, author, copyright, description and rating of a content description."""
    if len(data) < 10:
        return []
    texts, at = [], 10
    for length in struct.unpack_from("<5H", data):
        texts.append(_text(data[at : at + length]))
        at += length
    return texts
