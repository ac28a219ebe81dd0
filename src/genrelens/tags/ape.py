"""APEv2 as a tag block: only the genre item is replaced, in its position.

Source: "APEv2 specification" and "APE Tags Header" of Hydrogenaudio.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from genrelens.tags.block import TagBlock, merged
from genrelens.tags.raw import check_items, content_of

__all__ = ["APEBlock"]

_FIELDS = {"artist": "artist", "album": "album", "title": "title"}
_GENRE = "genre"
_EDGE = 32  # bytes of the header, and of the footer
_PREAMBLE = b"APETAGEX"
_VERSION = 2000
_HAS_HEADER, _NO_FOOTER, _IS_HEADER = 1 << 31, 1 << 30, 1 << 29
_KIND = 0b110  # bits of an item's flags; 0 is text
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of an APEv2 tag.

    Attributes:
        name: any bytes except zero, decoded as Latin-1.
        flags: 32 bits.
        value: bytes of the value.

    """

    name: str
    flags: int
    value: bytes

    @property
    def is_genre(self) -> bool:
        return self.name.lower() == _GENRE

    def to_bytes(self) -> bytes:
        head = struct.pack("<II", len(self.value), self.flags)
        return head + self.name.encode("latin-1") + b"\0" + self.value

    def values(self) -> list[str]:
        """Return the texts; locators and binary data have none."""
        if self.flags & _KIND:
            return []
        try:
            text = self.value.decode()
        except UnicodeDecodeError:
            text = self.value.decode("latin-1")  # as in APEv1
        return [value for value in text.split("\0") if value]


class APEBlock(TagBlock):
    """An APEv2 tag.

    Args:
        header: 32 bytes, or empty.
        items: items in order.
        rest: bytes after the items; not empty if the tag is damaged.
        footer: 32 bytes, or empty.
        surplus: stated number of items minus actual number of items.

    """

    name = "APEv2"

    def __init__(
        self, header: bytes, items: Sequence[_Item], rest: bytes, footer: bytes, surplus: int = 0
    ) -> None:
        self._header, self._items, self._rest, self._footer = header, items, rest, footer
        self._surplus = surplus

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a tag.

        Raises:
            ValueError: the tag has too many items.

        """
        has_header = data.startswith(_PREAMBLE) and len(data) > _EDGE and bool(data[23] & 0x20)
        has_footer = data[-_EDGE:].startswith(_PREAMBLE) and not data[-_EDGE:][23] & 0x20
        header = data[:_EDGE] if has_header else b""
        footer = data[-_EDGE:] if has_footer else b""
        body = data[len(header) : len(data) - len(footer)]
        n_items = int.from_bytes((footer or header)[16:20], "little")
        items, end = _items(body, n_items)
        return cls(header, items, body[end:], footer, max(0, n_items - len(items)))

    @classmethod
    def new(cls) -> Self:
        """Return a new tag without items."""
        edges = (_HAS_HEADER | _IS_HEADER, _HAS_HEADER)
        header, footer = (
            _PREAMBLE + struct.pack("<IIII", _VERSION, _EDGE, 0, flags) + bytes(8)
            for flags in edges
        )
        return cls(header, (), b"", footer)

    def to_bytes(self) -> bytes:
        """See :meth:`TagBlock.to_bytes`."""
        body = b"".join(item.to_bytes() for item in self._items) + self._rest
        size, n_items = len(body) + len(self._footer), len(self._items) + self._surplus
        counts = struct.pack("<II", size, n_items)
        header, footer = (
            edge[:12] + counts + edge[20:] if edge else b"" for edge in (self._header, self._footer)
        )
        return header + body + footer

    @property
    def names_recording(self) -> bool:
        """Whether the tag has a title, artist, album or genre, and not only loudness values."""
        return any(self._values(name) for name in (_GENRE, *_FIELDS.values()))

    @property
    def has_genre(self) -> bool:
        """See :attr:`TagBlock.has_genre`."""
        return any(item.is_genre for item in self._items)

    def genres(self) -> list[str]:
        """See :meth:`TagBlock.genres`."""
        return merged(item.values() for item in self._items if item.is_genre)

    def text(self, field: str) -> str:
        """See :meth:`TagBlock.text`."""
        return "; ".join(self._values(_FIELDS[field]))

    def _values(self, name: str) -> list[str]:
        items = (item for item in self._items if item.name.lower() == name)
        return [value for item in items for value in item.values()]

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagBlock.others`."""
        items = [
            (f"its APEv2 item {item.name!r}", content_of(item.to_bytes()))
            for item in self._items
            if not item.is_genre
        ]
        edges = [edge[:12] + edge[20:] for edge in (self._header, self._footer) if edge]
        rest = ("the data after the items of its APEv2 tag", content_of(self._rest))
        return [*items, rest, ("the header of its APEv2 tag", b"".join(edges))]

    def with_genres(self, genres: Sequence[str]) -> Self:
        """See :meth:`TagBlock.with_genres`."""
        found = [at for at, item in enumerate(self._items) if item.is_genre]
        items = [item for item in self._items if not item.is_genre]
        if genres:
            old = self._items[found[0]] if found else _Item("Genre", 0, b"")
            new = _Item(old.name, old.flags & ~_KIND, "\0".join(genres).encode())
            items.insert(found[0] if found else len(items), new)
        return type(self)(self._header, items, self._rest, self._footer, self._surplus)

    def as_read(self, genres: Sequence[str]) -> list[str]:
        """See :meth:`TagBlock.as_read`."""
        return list(genres)


def _items(body: bytes, n_items: int) -> tuple[list[_Item], int]:
    """Return the items and the offset of their end; the stated number of items may be wrong."""
    items: list[_Item] = []
    at = 0
    while at + 8 < len(body):
        size, flags = struct.unpack_from("<II", body, at)
        end_of_name = body.find(b"\0", at + 8, at + 8 + _LONGEST_NAME + 1)
        end = end_of_name + 1 + size
        if end_of_name < 0 or end > len(body):
            break
        check_items(len(items) + 1, "items in an APEv2 tag")
        name = body[at + 8 : end_of_name].decode("latin-1")
        items.append(_Item(name, flags, body[end_of_name + 1 : end]))
        at = end
    return items, at
