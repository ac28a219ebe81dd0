"""ID3v2 in a chunk of WAV, AIFF or DSF, and the ``INFO`` list of a WAV.

If a WAV has such a list but no ID3v2 tag, the genre is written to the list, and no tag is added.

Sources: "DSF File Format Specification 1.01" (Sony); "Multimedia Programming Interface and Data
Specifications 1.0", chapter 2.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self

from genrelens.counts import count_of
from genrelens.tags.base import TagFormat
from genrelens.tags.block import TagBlock, merged, updated
from genrelens.tags.chunks import Chunk, ChunkFile, Order, chunk_bytes, digest
from genrelens.tags.id3 import ID3Block, shown
from genrelens.tags.id3_convert import in_version
from genrelens.tags.raw import check_items, content_of, read_at, splice

__all__ = ["AIFFTags", "DSFTags", "InfoBlock", "WAVTags", "end_of_aiff", "end_of_riff"]

_NEW_VERSION = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """A tag in a chunk, and the bytes after the tag in this chunk."""

    chunk: Chunk
    block: TagBlock
    after: bytes = b""

    def content(self, block: TagBlock) -> bytes:
        return block.to_bytes() + self.after

    def others(self, *, meaning: bool = False) -> list[tuple[str, bytes]]:
        after = (f"the data after the tag in {self.chunk.label}", content_of(self.after))
        return [*(self.block.meaning() if meaning else self.block.others()), after]


class _EmbeddedTags(TagFormat):
    """ID3v2 within a file.

    Args:
        file: open file; see :class:`TagFormat`.

    """

    label: str

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._new = ID3Block.new(_NEW_VERSION)
        self._read()

    def _read(self) -> None:
        self._parts = self._find()
        id3 = [part for part in self._parts if isinstance(part.block, ID3Block)]
        self._main = id3[0] if id3 else self._without_id3()
        self.name = f"{(self._main.block if self._main else self._new).name} in {self.label}"
        self._sorted = [*id3, *(part for part in self._parts if part not in id3)]

    def _without_id3(self) -> _Part | None:
        """Return the tag that stores the genres if there is no ID3v2; None to add an ID3v2 tag."""
        return None

    @abstractmethod
    def _find(self) -> list[_Part]:
        """Return the tags in file order."""

    @abstractmethod
    def _new_part(self) -> _Part:
        """Return a new tag."""

    @abstractmethod
    def _replace(self, contents: list[tuple[Chunk, bytes]], new: bytes) -> None:
        """Replace tags, and append ``new`` if it is not empty.

        Raises:
            ValueError: the file is damaged.

        """

    @abstractmethod
    def _other_chunks(self) -> list[tuple[str, bytes]]:
        """Return everything except the tags."""

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return next(filter(None, (part.block.genres() for part in self._sorted)), [])

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return next(filter(None, (part.block.text(field) for part in self._sorted)), "")

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`."""
        return self._all_others()

    def meaning(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.meaning`."""
        return self._all_others(meaning=True)

    def _all_others(self, *, meaning: bool = False) -> list[tuple[str, bytes]]:
        parts = self._parts if self._main else [*self._parts, self._new_part()]
        items = (item for part in parts for item in part.others(meaning=meaning))
        return [*self._other_chunks(), *items]

    def prepare(self, id3_version: int | None) -> None:
        """See :meth:`TagFormat.prepare`."""
        if id3_version is None:
            return
        self._new = ID3Block.new(id3_version)
        contents = [
            (part.chunk, part.content(ID3Block(in_version(part.block.raw, id3_version))))
            for part in self._parts
            if isinstance(part.block, ID3Block) and part.block.version != id3_version
        ]
        if contents:
            self._replace(contents, b"")
        self._read()

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        chosen = [part for part in self._parts if part is self._main or part.block.has_genre]
        contents = [(part.chunk, part.content(updated(part.block, genres))) for part in chosen]
        needs_new = genres and self._main is None
        self._replace(contents, updated(self._new, genres).to_bytes() if needs_new else b"")
        return (self._main.block if self._main else self._new).as_read(genres)


class _ChunkTags(_EmbeddedTags):
    """Tags in chunks of RIFF or AIFF."""

    order: Order
    id3_name: bytes

    def _find(self) -> list[_Part]:
        self._chunks = ChunkFile(self._file, self.order)
        return [part for chunk in self._chunks.chunks if (part := self._part(chunk))]

    def _part(self, chunk: Chunk) -> _Part | None:
        if chunk.name.upper() != b"ID3 ":
            return None
        content = self._chunks.content(chunk)
        if not content.startswith(b"ID3"):
            self._chunks.note(f"has no ID3v2 tag in {chunk.label}")
            return None
        block = ID3Block.from_bytes(content)
        return _Part(chunk, block, content[block.n_bytes :])

    def _new_part(self) -> _Part:
        return _Part(Chunk(self.id3_name, 0, 0), self._new)

    def _replace(self, contents: list[tuple[Chunk, bytes]], new: bytes) -> None:
        more = chunk_bytes(self.id3_name, new, self.order) if new else b""
        self._chunks.replace(contents, more)

    def _other_chunks(self) -> list[tuple[str, bytes]]:
        return list(self._chunks.others(part.chunk for part in self._parts))


class AIFFTags(_ChunkTags):
    """ID3v2 in a chunk of an AIFF."""

    label, order, id3_name = "AIFF", "big", b"ID3 "


class WAVTags(_ChunkTags):
    """ID3v2 in a chunk of a WAV, and the genre in its ``INFO`` list."""

    label, order, id3_name = "WAV", "little", b"id3 "

    def _part(self, chunk: Chunk) -> _Part | None:
        if chunk.name != b"LIST" or chunk.size < 4:
            return super()._part(chunk)
        content = self._chunks.content(chunk)
        return _Part(chunk, InfoBlock.from_bytes(content)) if content[:4] == b"INFO" else None

    def _without_id3(self) -> _Part | None:
        """Return the first list with a genre, or the first list if none has a genre."""
        with_genre = [part for part in self._parts if part.block.has_genre]
        return next(iter([*with_genre, *self._parts]), None)


class DSFTags(_EmbeddedTags):
    """ID3v2 at the end of a DSF; the header states its position."""

    label = "DSF"
    _HEADER = 28  # bytes

    def _find(self) -> list[_Part]:
        header = read_at(self._file, 0, self._HEADER)
        self._stated_size = int.from_bytes(header[12:20], "little")
        self._start = int.from_bytes(header[20:28], "little")
        self._n_bytes = self._file.seek(0, os.SEEK_END)
        if not self._start:
            return []
        if self._start >= self._n_bytes:
            raise ValueError("was cut off: its header places its tag after its end")
        content = read_at(self._file, self._start, self._n_bytes - self._start)
        block = ID3Block.from_bytes(content) if content.startswith(b"ID3") else None
        if block is None:
            raise ValueError("has no ID3v2 tag where its header states one")
        chunk = Chunk(b"", self._start, len(content))
        return [_Part(chunk, block, content[block.n_bytes :])]

    def _new_part(self) -> _Part:
        return _Part(Chunk(b"", 0, 0), self._new)

    def _replace(self, contents: list[tuple[Chunk, bytes]], new: bytes) -> None:
        if self._stated_size != self._n_bytes:
            raise ValueError(
                f"is damaged: it has {count_of(self._n_bytes, 'byte')}; "
                f"its header states {self._stated_size}"
            )
        for chunk, data in contents or [(Chunk(b"", self._n_bytes, 0), new)]:
            splice(self._file, chunk.start, chunk.size, data)
            start = chunk.start if data else 0
            sizes = [self._n_bytes - chunk.size + len(data), start]
            self._file.seek(12)
            self._file.write(b"".join(size.to_bytes(8, "little") for size in sizes))

    def _other_chunks(self) -> list[tuple[str, bytes]]:
        header = read_at(self._file, 0, 12)
        audio = digest(self._file, self._HEADER, self._start or self._n_bytes)
        return [("its header", header), ("its audio", audio)]


def end_of_riff(file: BinaryIO) -> int:
    """Return the end of a RIFF file according to its header."""
    return ChunkFile(file, "little").end


def end_of_aiff(file: BinaryIO) -> int:
    """Return the end of an AIFF according to its header."""
    return ChunkFile(file, "big").end


# ------------------------------------------------------------------------------- RIFF INFO


_FIELDS = {"artist": b"IART", "album": b"IPRD", "title": b"INAM"}
_GENRE = b"IGNR"
_KIND = b"INFO"
_HEAD = 8  # bytes before the content of an item


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of an ``INFO`` list: its name, its content, and all its bytes."""

    name: bytes
    content: bytes
    raw: bytes

    @property
    def padded(self) -> bytes:
        """All bytes of the item, with a padding byte if their number is odd."""
        return self.raw + bytes(len(self.raw) % 2)

    @property
    def text(self) -> str:
        data = self.content.split(b"\0")[0]
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")


class InfoBlock(TagBlock):
    """A RIFF ``INFO`` list. Each name has one text.

    Args:
        items: items in order.
        rest: bytes after the items; not empty if the list is damaged.

    """

    name = "RIFF INFO"

    def __init__(self, items: Sequence[_Item], rest: bytes) -> None:
        self._items, self._rest = items, rest

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse the content of a chunk that starts with ``INFO``."""
        items = list(_items(data))
        return cls(items, data[len(_KIND) + sum(len(item.raw) for item in items) :])

    def to_bytes(self) -> bytes:
        """See :meth:`TagBlock.to_bytes`."""
        filled = b"".join(item.padded for item in self._items[:-1])
        last = self._items[-1].raw if self._items else b""
        return _KIND + filled + last + self._rest

    def _texts(self, name: bytes) -> list[str]:
        return [item.text for item in self._items if item.name == name and item.text]

    @property
    def has_genre(self) -> bool:
        """See :attr:`TagBlock.has_genre`."""
        return any(item.name == _GENRE for item in self._items)

    def genres(self) -> list[str]:
        """See :meth:`TagBlock.genres`."""
        return merged([text] for text in self._texts(_GENRE))

    def text(self, field: str) -> str:
        """See :meth:`TagBlock.text`."""
        return "; ".join(self._texts(_FIELDS[field]))

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagBlock.others`."""
        items = [
            (f"its INFO item {shown(item.name.decode('latin-1'))}", content_of(item.padded))
            for item in self._items
            if item.name != _GENRE
        ]
        return [*items, ("the data after its INFO items", content_of(self._rest))]

    def with_genres(self, genres: Sequence[str]) -> Self:
        """See :meth:`TagBlock.with_genres`."""
        indices = [at for at, item in enumerate(self._items) if item.name == _GENRE]
        items = [item for item in self._items if item.name != _GENRE]
        if genres:
            content = "; ".join(genres).encode() + b"\0"
            new = _Item(_GENRE, content, chunk_bytes(_GENRE, content, "little"))
            items.insert(indices[0] if indices else len(items), new)
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
