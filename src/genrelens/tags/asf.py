"""The tags of ASF (WMA); only the genre is replaced.

The first genre is an attribute ``WM/Genre`` of the extended content description. Further genres are
in the metadata library, which allows several attributes with the same name. ``WM/GenreID``, another
form of the genre, is read if there is no ``WM/Genre``, and is removed when a genre is written.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from itertools import count
from typing import BinaryIO

from genrelens.tags.asf_objects import (
    Attribute,
    AttributeList,
    HeaderObject,
    guid,
    parse_attributes,
    parse_description,
    parse_objects,
)
from genrelens.tags.base import TagFormat
from genrelens.tags.raw import check_size, content_of, read_at, splice

__all__ = ["ASFTags"]

_DESCRIPTION = guid("75B22633-668E-11CF-A6D9-00AA0062CE6C")
_EXTENDED = guid("D2D0A440-E307-11D2-97F0-00A0C95EA850")
_METADATA = guid("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA")
_LIBRARY = guid("44231C94-9498-49D1-A141-1D134E457054")
_EXTENSION = guid("5FBF03B5-A92E-11CF-8EE3-00C00C205365")
_FILE = guid("8CABDCA1-A947-11CF-8EE4-00C00C205365")
_PADDING = guid("1806D474-CADF-4509-A4BA-9AABCB96AAE8")

_GENRE, _GENRE_ID = "WM/Genre", "WM/GenreID"
_FIELDS = {"artist": "Author", "album": "WM/AlbumTitle", "title": "Title"}
_DESCRIBED = ("Title", "Author", "Copyright", "Description", "Rating")
_HEADER = 30  # bytes before the objects of the header
_EXTENDED_HEADER = 22  # the same in the extension
_EXTENSION_HEAD = guid("ABD3D211-A9BA-11CF-8EE6-00C00C205365") + b"\6\0"
_FILE_SIZE = slice(16, 24)  # in the file properties

_Lists = dict[int, AttributeList]


class ASFTags(TagFormat):
    """The tags of ASF.

    Args:
        file: open file; see :class:`TagFormat`.

    """

    name = "ASF"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head = read_at(file, 0, _HEADER)
        size, self._n_objects = struct.unpack_from("<QI", head, 16)
        self._reserved, self._size = head[28:], size
        numbers = count(1)
        self._objects = parse_objects(read_at(file, _HEADER, size - _HEADER), numbers)
        self._extension = self._parse_extension(numbers)
        numbers = count(1)
        self._lists = _parse_lists(self._objects, numbers)
        self._more_lists = _parse_lists(self._extension, numbers)

    def _parse_extension(self, numbers: Iterator[int]) -> list[HeaderObject]:
        for each in self._objects:
            if each.guid == _EXTENSION:
                if int.from_bytes(each.data[18:22], "little") != len(each.data) - _EXTENDED_HEADER:
                    raise ValueError("has a header extension of an impossible size")
                return parse_objects(each.data[_EXTENDED_HEADER:], numbers)
        return []

    def _attributes(self) -> Iterator[Attribute]:
        for lists in (self._lists, self._more_lists):
            for each in lists.values():
                yield from each.attributes

    # ----------------------------------------------------------------------------- reading

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return self._texts(_GENRE) or [
            genre for text in self._texts(_GENRE_ID) for genre in _genre_names(text)
        ]

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        name = _FIELDS[field]
        described = [
            text
            for each in self._objects
            if each.guid == _DESCRIPTION
            for known, text in zip(_DESCRIBED, parse_description(each.data), strict=False)
            if known == name and text
        ]
        return "; ".join(described + self._texts(name))

    def _texts(self, name: str) -> list[str]:
        texts = (each.text() for each in self._attributes() if each.is_named(name))
        return [text for text in texts if text]

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`. Padding and the size of the file are ignored."""
        size = self._file.seek(0, os.SEEK_END)
        within = _others(self._objects, self._lists, size)
        return [*within, *_others(self._extension, self._more_lists, size)]

    # ----------------------------------------------------------------------------- writing

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        new = [Attribute.of_text(_GENRE, genre) for genre in genres]
        extended = self._set(self._objects, self._lists, _EXTENDED, new[:1])
        library = self._set(self._extension, self._more_lists, _LIBRARY, new[1:])
        self._save(extended, library)
        return list(genres)

    def _set(
        self,
        objects: Sequence[HeaderObject],
        lists: _Lists,
        target: bytes,
        genres: Sequence[Attribute],
    ) -> list[HeaderObject]:
        """Return objects with the genres in the first object of a kind and in no other."""
        changed = list(objects)
        left = tuple(genres)
        for at, attributes in lists.items():
            here = left if objects[at].guid == target else ()
            left = left if objects[at].guid != target else ()
            if here or any(map(_is_genre, attributes.attributes)):
                changed[at] = HeaderObject(objects[at].guid, _with(attributes, here).render())
        if left:
            new = AttributeList(left, b"", is_long=target != _EXTENDED)
            changed.append(HeaderObject(target, new.render()))
        return changed

    def _save(self, objects: list[HeaderObject], extension: list[HeaderObject]) -> None:
        if extension != self._extension:
            objects = _with_extension(objects, extension)
        n_new = len(objects) - len(self._objects)
        data = b"".join(each.render() for each in objects)
        growth = len(data) + _HEADER - self._size
        objects = _padded(objects, growth)
        data = b"".join(each.render() for each in self._with_file_size(objects))
        check_size(len(data))
        head = _header(len(data) + _HEADER, self._n_objects + n_new) + self._reserved
        splice(self._file, 0, self._size, head + data)

    def _with_file_size(self, objects: Sequence[HeaderObject]) -> Iterator[HeaderObject]:
        """Yield objects; update the stated size of the file if it was correct."""
        size = self._file.seek(0, os.SEEK_END)
        growth = sum(len(each.render()) for each in objects) + _HEADER - self._size
        for each in objects:
            if _has_size(each, size):
                new = struct.pack("<Q", size + growth)
                data = each.data[: _FILE_SIZE.start] + new + each.data[_FILE_SIZE.stop :]
                yield HeaderObject(each.guid, data)
            else:
                yield each


def _header(size: int, n_objects: int) -> bytes:
    """Return the start of the header of a file."""
    return guid("75B22630-668E-11CF-A6D9-00AA0062CE6C") + struct.pack("<QI", size, n_objects)


def _parse_lists(objects: Sequence[HeaderObject], numbers: Iterator[int]) -> _Lists:
    """Return the attribute list of each object that has one, by the index of the object."""
    kinds = {_EXTENDED: False, _METADATA: True, _LIBRARY: True}
    return {
        at: parse_attributes(each.data, numbers, is_long=kinds[each.guid])
        for at, each in enumerate(objects)
        if each.guid in kinds
    }


def _is_genre(attribute: Attribute) -> bool:
    return attribute.is_named(_GENRE) or attribute.is_named(_GENRE_ID)


def _genre_names(text: str) -> list[str]:
    """Return the genres in a text; ID3 numbers such as ``(17)`` become names."""
    from mutagen.id3 import TCON

    return [genre for genre in TCON(text=[text]).genres if genre]


def _with(attributes: AttributeList, genres: Sequence[Attribute]) -> AttributeList:
    """Replace the genres, or add them at the end."""
    old = attributes.attributes
    first = next((at for at, each in enumerate(old) if _is_genre(each)), len(old))
    others = (each for each in old[first:] if not _is_genre(each))
    return attributes.with_attributes((*old[:first], *genres, *others))


def _with_extension(
    objects: Sequence[HeaderObject], extension: Sequence[HeaderObject]
) -> list[HeaderObject]:
    """Return objects with new content of the header extension; add the extension if necessary."""
    content = b"".join(each.render() for each in extension)
    size = struct.pack("<I", len(content))
    at = next((at for at, each in enumerate(objects) if each.guid == _EXTENSION), len(objects))
    head = objects[at].data[:18] if at < len(objects) else _EXTENSION_HEAD
    return [*objects[:at], HeaderObject(_EXTENSION, head + size + content), *objects[at + 1 :]]


def _is_spare(each: HeaderObject) -> bool:
    """Return whether an object is padding that contains only zeros."""
    return each.guid == _PADDING and not any(each.data)


def _padded(objects: list[HeaderObject], growth: int) -> list[HeaderObject]:
    """Shrink a padding object by the growth, if one is large enough."""
    for at, each in enumerate(objects):
        if growth and _is_spare(each) and len(each.data) >= growth:
            shorter = HeaderObject(_PADDING, bytes(len(each.data) - growth))
            return [*objects[:at], shorter, *objects[at + 1 :]]
    return objects


def _has_size(each: HeaderObject, size: int) -> bool:
    return each.guid == _FILE and each.data[_FILE_SIZE] == struct.pack("<Q", size)


def _others(
    objects: Sequence[HeaderObject], lists: _Lists, size: int
) -> Iterator[tuple[str, bytes]]:
    """Yield everything except the genres; ignore objects that contain only genres."""
    for at, each in enumerate(objects):
        if at in lists:
            yield from _other_attributes(lists[at])
        elif each.guid == _EXTENSION:
            if each.data[:18] != _EXTENSION_HEAD:
                yield "the head of the header extension", each.data[:18]
        elif _has_size(each, size):
            fixed = each.data[: _FILE_SIZE.start] + each.data[_FILE_SIZE.stop :]
            yield "the file properties", content_of(fixed)
        else:
            content = b"" if _is_spare(each) else content_of(each.data)
            yield f"the object {each.guid.hex()} of the header", content


def _other_attributes(attributes: AttributeList) -> Iterator[tuple[str, bytes]]:
    for each in attributes.attributes:
        if not _is_genre(each):
            numbers = struct.pack("<3I", each.kind, each.language, each.stream)
            raw = b"\0\1".join((numbers, each.name, each.value))
            yield f"the attribute {each.shown()!r}", content_of(raw)
    if attributes.tail:
        yield "the data after the attributes", content_of(attributes.tail)
