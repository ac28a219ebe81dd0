"""The ``LIST`` chunk ``INFO`` of a WAV as a tag block: only the item of the genre is replaced.

Source: "Multimedia Programming Interface and Data Specifications 1.0", chapter 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from genrelens.tags.block import TagBlock, merged
from genrelens.tags.chunks import chunk_bytes
from genrelens.tags.id3 import shown
from genrelens.tags.raw import check_items, content_of

__all__ = ["InfoBlock"]

_FIELDS = {"artist": b"IART", "album": b"IPRD", "title": b"INAM"}
_GENRE = b"IGNR"
_KIND = b"INFO"
_HEAD = 8  # bytes before the content of an item


@dataclass(frozen=True, slots=True)
class _Item:
    """An item: its name, its content, and all of it as it stands there."""

    name: bytes
    content: bytes
    raw: bytes

    @property
    def padded(self) -> bytes:
        """All of it, and the byte that an odd one needs before the next one."""
        return self.raw + bytes(len(self.raw) % 2)

    @property
    def words(self) -> str:
        data = self.content.split(b"\0")[0]
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")


class InfoBlock(TagBlock):
    """A list of items; it knows one text for each name.

    Args:
        items: in order.
        rest: what stands behind the items: damage.

    """

    name = "RIFF INFO"

    def __init__(self, items: Sequence[_Item], rest: bytes) -> None:
        self._items, self._rest = items, rest

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Take the content of a chunk apart that begins with ``INFO``."""
        items = list(_items(data))
        return cls(items, data[len(_KIND) + sum(len(item.raw) for item in items) :])

    def to_bytes(self) -> bytes:
        """See :meth:`TagBlock.to_bytes`."""
        filled = b"".join(item.padded for item in self._items[:-1])
        last = self._items[-1].raw if self._items else b""
        return _KIND + filled + last + self._rest

    def _words(self, name: bytes) -> list[str]:
        return [item.words for item in self._items if item.name == name and item.words]

    @property
    def has_genre(self) -> bool:
        """See :attr:`TagBlock.has_genre`."""
        return any(item.name == _GENRE for item in self._items)

    def genres(self) -> list[str]:
        """See :meth:`TagBlock.genres`."""
        return merged([words] for words in self._words(_GENRE))

    def text(self, field: str) -> str:
        """See :meth:`TagBlock.text`."""
        return "; ".join(self._words(_FIELDS[field]))

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagBlock.others`."""
        items = [
            (f"its INFO item {shown(item.name.decode('latin-1'))}", content_of(item.padded))
            for item in self._items
            if item.name != _GENRE
        ]
        return [*items, ("what stands behind its INFO items", content_of(self._rest))]

    def with_genres(self, genres: Sequence[str]) -> Self:
        """See :meth:`TagBlock.with_genres`."""
        places = [place for place, item in enumerate(self._items) if item.name == _GENRE]
        items = [item for item in self._items if item.name != _GENRE]
        if genres:
            content = "; ".join(genres).encode() + b"\0"
            new = _Item(_GENRE, content, chunk_bytes(_GENRE, content, "little"))
            items.insert(places[0] if places else len(items), new)
        return type(self)(items, self._rest)

    def as_read(self, genres: Sequence[str]) -> list[str]:
        """See :meth:`TagBlock.as_read`."""
        return ["; ".join(genres)] if genres else []


def _items(data: bytes) -> Iterator[_Item]:
    at, n_items = len(_KIND), 0
    while at + _HEAD <= len(data):
        size = int.from_bytes(data[at + 4 : at + _HEAD], "little")
        end = at + _HEAD + size
        if end > len(data):
            return
        n_items += 1
        check_items(n_items, "items in a RIFF INFO list")
        raw = data[at : end + size % 2]
        yield _Item(data[at : at + 4], data[at + _HEAD : end], raw)
        at = end + size % 2
