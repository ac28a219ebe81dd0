"""The metadata blocks of a FLAC file.

Only comment blocks are rewritten. If a padding block is large enough, it shrinks by the growth of
the comment blocks, so that the audio does not move.

Source: RFC 9639, section 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from genrelens.tags.raw import after_id3, check_items, check_size, content_of, read_at, splice
from genrelens.tags.vorbis import CommentBlock, VorbisTags

__all__ = ["FLACTags", "flac_header"]

_PADDING, _COMMENTS = 1, 4
_HEADER = 4  # bytes
_LAST = 0x80
_LARGEST = 2**24 - 1  # bytes of a block
_MARKER = b"fLaC"


@dataclass(frozen=True, slots=True)
class _Block:
    """A metadata block.

    Attributes:
        kind: type, 0 to 127.
        start: offset of its content in the file.
        size: size of its content, in bytes.
        data: new content; None keeps the old content.

    """

    kind: int
    start: int
    size: int
    data: bytes | None = None


def flac_header(kind: int, size: int) -> bytes:
    """Return the header of a metadata block.

    Args:
        kind: type, including the bit of the last block.
        size: size of the content, in bytes.

    Raises:
        ValueError: the block would be larger than FLAC allows.

    """
    if size > _LARGEST:
        raise ValueError(f"its Vorbis comments would be larger than {_LARGEST} bytes")
    return bytes([kind]) + size.to_bytes(3, "big")


class FLACTags(VorbisTags):
    """The tags of FLAC, which may follow ID3v2 tags.

    Args:
        file: open file; see :class:`TagFormat`.

    """

    name = "FLAC"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._layout = list(_read_blocks(file, after_id3(file) + len(_MARKER)))
        super().__init__(list(self._read_comments()))

    def _read_comments(self) -> Iterator[CommentBlock]:
        n = 0
        for each in self._layout:
            if each.kind == _COMMENTS:
                block = CommentBlock.parse(self._content(each), n)
                n += len(block.comments)
                yield block

    def _content(self, block: _Block) -> bytes:
        """Return the new content of a block."""
        return read_at(self._file, block.start, block.size) if block.data is None else block.data

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`. Zero padding is ignored."""
        blocks = [
            (f"metadata block {at} (of type {each.kind})", self._fixed_content(each))
            for at, each in enumerate(each for each in self._layout if each.kind != _COMMENTS)
        ]
        return super().others() + blocks

    def _fixed_content(self, block: _Block) -> bytes:
        return b"" if self._is_spare(block) else content_of(self._content(block))

    def _is_spare(self, block: _Block) -> bool:
        """Return whether a block is padding that contains only zeros."""
        return block.kind == _PADDING and not any(self._content(block))

    def _save(self, blocks: Sequence[CommentBlock]) -> None:
        self._check_end()
        old, new = self._layout, self._replaced([block.render() for block in blocks])
        if new == old:
            return
        new = self._padded(new, sum(map(_growth, new)))
        start, end = old[0].start - _HEADER, old[-1].start + old[-1].size
        check_size(end - start)
        splice(self._file, start, end - start, b"".join(self._rendered(new)))

    def _replaced(self, contents: Sequence[bytes]) -> list[_Block]:
        """Return the layout with other comments; a new block follows the first one."""
        left = iter(contents)
        if contents and all(block.kind != _COMMENTS for block in self._layout):
            start = self._layout[0].start + self._layout[0].size + _HEADER
            new = _Block(_COMMENTS, start, -_HEADER, contents[0])
            return [self._layout[0], new, *self._layout[1:]]
        return [
            _Block(_COMMENTS, block.start, block.size, next(left))
            if block.kind == _COMMENTS
            else block
            for block in self._layout
        ]

    def _padded(self, layout: list[_Block], growth: int) -> list[_Block]:
        """Shrink a padding block by the growth, if one is large enough."""
        for at, block in enumerate(layout):
            size = block.size - growth
            if growth and 0 <= size <= _LARGEST and self._is_spare(block):
                layout[at] = _Block(_PADDING, block.start, block.size, bytes(size))
                break
        return layout

    def _rendered(self, layout: Sequence[_Block]) -> Iterator[bytes]:
        for block in layout:
            content = self._content(block)
            yield flac_header(block.kind | _LAST * (block is layout[-1]), len(content)) + content

    def _check_end(self) -> None:
        """Check that a FLAC frame follows the metadata blocks; their stated sizes may be wrong."""
        end = self._layout[-1].start + self._layout[-1].size
        self._file.seek(end)
        sync = self._file.read(2)
        if sync and (sync[0] != 0xFF or sync[-1] & 0xFE != 0xF8):
            raise ValueError("its FLAC metadata blocks do not end where its audio begins")


def _read_blocks(file: BinaryIO, start: int) -> list[_Block]:
    """Return the layout of the blocks from an offset on."""
    blocks: list[_Block] = []
    last = 0
    while not last:
        header = read_at(file, start, _HEADER)
        last, size = header[0] & _LAST, int.from_bytes(header[1:], "big")
        blocks.append(_Block(header[0] & ~_LAST, start + _HEADER, size))
        check_items(len(blocks), "metadata blocks")
        start += _HEADER + size
    return blocks


def _growth(block: _Block) -> int:
    return 0 if block.data is None else len(block.data) - block.size
