"""ID3v2 in a chunk of WAV, AIFF or DSF; the ``INFO`` list of a WAV says the same afterwards.

A WAV that has such a list and no ID3v2 tag gets none: the genre is written to the list.

Source for DSF: "DSF File Format Specification 1.01" (Sony).
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from genrelens.tags.base import TagFormat
from genrelens.tags.block import TagBlock, updated
from genrelens.tags.chunks import Chunk, ChunkFile, Order, chunk_bytes, digest
from genrelens.tags.id3 import ID3Block
from genrelens.tags.id3_convert import in_version
from genrelens.tags.info import InfoBlock
from genrelens.tags.raw import content_of, read_at, splice

__all__ = ["AIFFTags", "DSFTags", "WAVTags", "end_of_aiff", "end_of_riff"]

_NEW_VERSION = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """A tag within the file, and what stands behind it in its chunk."""

    chunk: Chunk
    block: TagBlock
    behind: bytes = b""

    def content(self, block: TagBlock) -> bytes:
        return block.to_bytes() + self.behind

    def others(self, *, meaning: bool = False) -> list[tuple[str, bytes]]:
        behind = (f"what stands behind the tag in {self.chunk.label}", content_of(self.behind))
        return [*(self.block.meaning() if meaning else self.block.others()), behind]


class _EmbeddedTags(TagFormat):
    """ID3v2 within a file.

    Args:
        file: see :class:`TagFormat`.

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
        """Return the tag that takes the genres where there is no ID3v2; None for a new one."""
        return None

    @abstractmethod
    def _find(self) -> list[_Part]:
        """Return the tags, in the order of the file."""

    @abstractmethod
    def _new_part(self) -> _Part:
        """Return the tag that is to be made where there is none."""

    @abstractmethod
    def _replace(self, contents: list[tuple[Chunk, bytes]], new: bytes) -> None:
        """Replace tags, and add a new one if it is not empty.

        Raises:
            ValueError: the file is damaged.

        """

    @abstractmethod
    def _other_chunks(self) -> list[tuple[str, bytes]]:
        """Return all but the tags."""

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
            self._chunks.note(f"holds no ID3v2 tag in {chunk.label}")
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
    """ID3v2 in a chunk of a WAV, and the genre in its list."""

    label, order, id3_name = "WAV", "little", b"id3 "

    def _part(self, chunk: Chunk) -> _Part | None:
        if chunk.name != b"LIST" or chunk.size < 4:
            return super()._part(chunk)
        content = self._chunks.content(chunk)
        return _Part(chunk, InfoBlock.from_bytes(content)) if content[:4] == b"INFO" else None

    def _without_id3(self) -> _Part | None:
        """Return the first list that has a genre, or else the first one."""
        with_genre = [part for part in self._parts if part.block.has_genre]
        return next(iter([*with_genre, *self._parts]), None)


class DSFTags(_EmbeddedTags):
    """ID3v2 at the end of a DSF, whose header says where it begins."""

    label = "DSF"
    _HEADER = 28  # bytes

    def _find(self) -> list[_Part]:
        header = read_at(self._file, 0, self._HEADER)
        self._said_size = int.from_bytes(header[12:20], "little")
        self._start = int.from_bytes(header[20:28], "little")
        self._n_bytes = self._file.seek(0, os.SEEK_END)
        if not self._start:
            return []
        if self._start >= self._n_bytes:
            raise ValueError("was cut off: its tag should begin behind its end")
        content = read_at(self._file, self._start, self._n_bytes - self._start)
        block = ID3Block.from_bytes(content) if content.startswith(b"ID3") else None
        if block is None:
            raise ValueError("holds no ID3v2 tag where its header says so")
        chunk = Chunk(b"", self._start, len(content))
        return [_Part(chunk, block, content[block.n_bytes :])]

    def _new_part(self) -> _Part:
        return _Part(Chunk(b"", 0, 0), self._new)

    def _replace(self, contents: list[tuple[Chunk, bytes]], new: bytes) -> None:
        if self._said_size != self._n_bytes:
            raise ValueError(
                f"is damaged: it has {self._n_bytes} bytes, and {self._said_size} by its header"
            )
        for chunk, data in contents or [(Chunk(b"", self._n_bytes, 0), new)]:
            splice(self._file, chunk.start, chunk.size, data)
            start = chunk.start if data else 0
            sizes = [self._n_bytes - chunk.size + len(data), start]
            self._file.seek(12)
            self._file.write(b"".join(size.to_bytes(8, "little") for size in sizes))

    def _other_chunks(self) -> list[tuple[str, bytes]]:
        header = read_at(self._file, 0, 12)
        sound = digest(self._file, self._HEADER, self._start or self._n_bytes)
        return [("its header", header), ("its sound", sound)]


def end_of_riff(file: BinaryIO) -> int:
    """Return where a RIFF file ends according to its header."""
    return ChunkFile(file, "little").end


def end_of_aiff(file: BinaryIO) -> int:
    """Return where an AIFF ends according to its header."""
    return ChunkFile(file, "big").end
