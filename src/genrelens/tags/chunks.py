"""Read and replace chunks of RIFF and AIFF files. Other chunks keep their bytes.

Sources: "Multimedia Programming Interface and Data Specifications 1.0" (RIFF) and "Audio
Interchange File Format 1.3" (AIFF). A chunk consists of its name, its size, its content and, if the
size is odd, a padding byte.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from genrelens.tags.id3 import shown
from genrelens.tags.raw import check_items, read_at, splice

__all__ = ["Chunk", "ChunkFile", "chunk_bytes", "digest"]

Order = Literal["little", "big"]
_HEAD = 8  # bytes before the content of a chunk
_FORM = 12  # bytes before the first chunk
_UNKNOWN = (0, 0xFFFFFFFF)  # stated sizes of files that were not finished
_LARGEST = 0xFFFFFFF0  # bytes of a file
_BLOCK = 2**20
_TAGS = (b"LIST", b"ID3 ")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a RIFF or AIFF file.

    Attributes:
        name: four bytes.
        start: offset of its content in the file, in bytes.
        size: size of its content, in bytes.

    """

    name: bytes
    start: int
    size: int

    @property
    def end(self) -> int:
        """Offset of the next chunk."""
        return self.start + self.size + self.size % 2

    @property
    def label(self) -> str:
        """Readable name."""
        return f"its chunk {shown(self.name.decode('latin-1').rstrip())}"


def chunk_bytes(name: bytes, content: bytes, order: Order) -> bytes:
    """Return the bytes of a chunk in a file."""
    return name + len(content).to_bytes(4, order) + content + bytes(len(content) % 2)


class ChunkFile:
    """A RIFF or AIFF file.

    Args:
        file: open file to read and write.
        order: byte order of sizes: ``little`` for RIFF, ``big`` for AIFF.

    Attributes:
        chunks: chunks in order, up to the first damaged one.
        damage: why the file cannot be written; empty if it is intact.
        end: offset of the end that the header states, or the end of the file.

    Raises:
        ValueError: there are too many chunks.

    """

    def __init__(self, file: BinaryIO, order: Order) -> None:
        self._file, self._order = file, order
        self._n_bytes = file.seek(0, os.SEEK_END)
        size = int.from_bytes(read_at(file, 4, 4), order)
        has_end = size not in _UNKNOWN
        self.end = min(_HEAD + size, self._n_bytes) if has_end else self._n_bytes
        self.damage = "" if has_end else "has no length in its header: it was never finished"
        self.chunks: list[Chunk] = []
        self._tail = self._find()  # where the last chunk ends
        if has_end and _HEAD + size > max(self._tail, self._n_bytes):
            self.note("was cut off: it is shorter than its header states")
        self._look_after_end()

    def _find(self) -> int:
        at = _FORM
        while at + _HEAD <= self.end:
            head = read_at(self._file, at, _HEAD)
            chunk = Chunk(head[:4], at + _HEAD, int.from_bytes(head[4:], self._order))
            if chunk.start + chunk.size > self.end:
                self.note(f"was cut off: {chunk.label} is longer than the file")
                return at
            check_items(len(self.chunks) + 1, "chunks")
            self.chunks.append(chunk)
            at = chunk.end
        return at

    def _look_after_end(self) -> None:
        """Record tags after the end that the header states; some programs read such tags."""
        following = read_at(self._file, self.end, min(5, self._n_bytes - self.end))
        if any(following[at:].upper().startswith(_TAGS) for at in (0, 1)):
            self.note("has a tag after the end that its header states")

    def note(self, damage: str) -> None:
        """Record why the file cannot be written, unless another reason is recorded already."""
        self.damage = self.damage or damage

    def content(self, chunk: Chunk) -> bytes:
        """Return the content of a chunk."""
        return read_at(self._file, chunk.start, chunk.size)

    def others(self, skipped: Iterable[Chunk]) -> Iterator[tuple[str, bytes]]:
        """Yield (name, digest) of the other chunks, and of the data after the last chunk."""
        ignored = set(skipped)
        for chunk in self.chunks:
            if chunk not in ignored:
                data = (chunk.start, chunk.start + chunk.size)
                yield chunk.label, chunk.name + digest(self._file, *data)
        yield "the data after its last chunk", digest(self._file, self._tail, self.end)

    def replace(self, contents: Iterable[tuple[Chunk, bytes]], more: bytes = b"") -> None:
        """Replace the contents of chunks, and add further chunks after the last one.

        Raises:
            ValueError: the file is damaged, or would become longer than its header can state.

        """
        edits = {each: chunk_bytes(each.name, data, self._order) for each, data in contents}
        if self.damage:
            raise ValueError(self.damage)
        if self.end + len(more) + sum(map(len, edits.values())) > _LARGEST:
            raise ValueError("would be longer than its format allows")
        end = min(self._tail, self.end)
        if more:
            filler = bytes(
                self._tail - end
            )  # if the last chunk has an odd size and no padding byte
            splice(self._file, end, 0, filler + more)
            end = self._tail
        for old in sorted(edits, key=lambda each: each.start, reverse=True):
            start = old.start - _HEAD
            splice(self._file, start, min(old.end, end) - start, edits[old])
        size = self.end - _HEAD + self._file.seek(0, os.SEEK_END) - self._n_bytes
        self._file.seek(4)
        self._file.write(size.to_bytes(4, self._order))


def digest(file: BinaryIO, start: int, end: int) -> bytes:
    """Return a digest of the bytes between two offsets of a file."""
    hashed = hashlib.blake2b()
    file.seek(start)
    for left in range(end - start, 0, -_BLOCK):
        hashed.update(file.read(min(left, _BLOCK)))
    return hashed.digest()
