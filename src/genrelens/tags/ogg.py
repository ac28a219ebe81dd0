"""The comment packet of Ogg Vorbis, Opus, Ogg FLAC and Speex.

Only the pages of this packet are rewritten. If the packet fits into the same number of pages, no
other page changes. Otherwise the following pages are renumbered.

Sources: RFC 3533 (Ogg), RFC 7845 (Opus), RFC 9639, section 10.1 (FLAC in Ogg).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import count, zip_longest
from typing import Any, BinaryIO

from genrelens.tags.flac import flac_header
from genrelens.tags.raw import after_id3, check_items, check_size, content_of, read_at, splice
from genrelens.tags.vorbis import CommentBlock, VorbisTags

__all__ = ["OggTags"]

# Start of the first packet of a stream: name of the codec, and start of the comment packet.
_CODECS = {
    b"\x01vorbis": ("Ogg Vorbis", b"\x03vorbis"),
    b"OpusHead": ("Opus", b"OpusTags"),
    b"\x7fFLAC": ("Ogg FLAC", b""),
    b"Speex   ": ("Speex", b""),
}
_FLAC_COMMENTS = 4  # the type of the metadata block
_SEGMENT = 255  # bytes in a segment, and segments in a page
_LARGEST_PAGE = 27 + _SEGMENT + _SEGMENT * _SEGMENT


class OggTags(VorbisTags):
    """The tags of the first audio stream in an Ogg file.

    Args:
        file: open file; see :class:`TagFormat`.

    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        pages = _pages(file, after_id3(file))
        self._serial, self.name, start = _first_stream(pages)
        self._pages = _pages_of_packet(pages, self._serial)
        packet = b"".join(page.packets[0] for page in self._pages if page.packets)
        self._prefix = packet[:4] if self.name == "Ogg FLAC" else start
        if not (packet and packet.startswith(self._prefix) and self._is_comments()):
            raise ValueError(f"its second {self.name} packet contains no comments")
        super().__init__([CommentBlock.parse(packet[len(self._prefix) :])])

    def _is_comments(self) -> bool:
        return self.name != "Ogg FLAC" or self._prefix[0] & 0x7F == _FLAC_COMMENTS

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`."""
        following = _packet_after(self._file, self._pages[-1])
        return [*super().others(), ("the packet after the comments", content_of(following))]

    def _later(self) -> list[bytes]:
        """Return the packets after the comments in their last page."""
        return list(self._pages[-1].packets[1:])

    def _save(self, blocks: Sequence[CommentBlock]) -> None:
        content = blocks[0].render()
        prefix = self._prefix
        if self.name == "Ogg FLAC":
            prefix = flac_header(prefix[0], len(content))
        check_size(len(content))
        old = self._pages
        new = _laid_out([prefix + content, *self._later()], old)
        start, end = old[0].offset, old[-1].offset + old[-1].size
        data = b"".join(self._interleaved(old, new))
        splice(self._file, start, end - start, data)
        if len(new) != len(old):
            _renumber(self._file, start + len(data), self._serial, len(new) - len(old))

    def _interleaved(self, old: Sequence[Any], new: Sequence[Any]) -> Iterator[bytes]:
        """Yield the new pages and, between them, the pages of other streams."""
        at = old[0].offset
        for before, after in zip_longest(old, new):
            if before is not None:
                yield read_at(self._file, at, before.offset - at)
                at = before.offset + before.size
            if after is not None:
                yield after.write()


def _pages(file: BinaryIO, start: int) -> Iterator[Any]:
    """Yield mutagen's pages from an offset on, up to a maximum before the audio."""
    from mutagen.ogg import OggPage
    from mutagen.ogg import error as OggError  # noqa: N812 (mutagen's spelling)

    file.seek(start)
    for n in count():
        try:
            page = OggPage(file)
        except (EOFError, OggError):
            raise ValueError("its Ogg pages end before its comments end") from None
        check_items(n, "Ogg pages before the end of its comments")
        yield page


def _first_stream(pages: Iterator[Any]) -> tuple[int, str, bytes]:
    """Return serial number, codec and start of the comment packet of the first audio stream."""
    for page in pages:
        if not page.first:
            break
        packet = page.packets[0] if page.packets else b""
        for start, (name, comments) in _CODECS.items():
            if packet.startswith(start):
                if len(page.packets) > 1 or not page.complete:
                    raise ValueError("its first Ogg page does not hold exactly one packet")
                return page.serial, name, comments
    raise ValueError("is an Ogg file without Vorbis, Opus, FLAC or Speex")


def _pages_of_packet(pages: Iterator[Any], serial: int) -> list[Any]:
    """Return the pages of the next packet of a stream."""
    found: list[Any] = []
    for page in pages:
        if page.serial != serial:
            continue
        if page.continued != bool(found):
            raise ValueError("lacks a page of its comments")
        found.append(page)
        check_size(page.offset + page.size - found[0].offset)
        if len(page.packets) > 1 or (page.packets and page.complete):
            break
    return found


def _packet_after(file: BinaryIO, last: Any) -> bytes:
    """Return the packet after the comments, whose last page is given; empty at the end."""
    size, at, packet = file.seek(0, os.SEEK_END), last.offset, b""
    while (page := _page_at(file, at, size)) is not None:
        if page.serial == last.serial:
            parts = page.packets[at == last.offset :]
            packet += b"".join(parts[:1])
            check_size(len(packet))
            if page.last or len(parts) > 1 or (parts and page.complete):
                break
        at += page.size
    return packet


# -------------------------------------------------------------------------------- layout


def _laid_out(packets: Sequence[bytes], old: Sequence[Any]) -> list[Any]:
    """Distribute packets over pages, over as many as the old pages if possible."""
    from mutagen.ogg import OggPage

    counts = [len(packet) // _SEGMENT + 1 for packet in packets]
    counts[-1] -= not old[-1].complete
    reader = _SegmentReader(packets, counts)
    pages: list[Any] = []
    for at, n_segments in enumerate(_page_sizes(old, sum(counts))):
        page = OggPage()
        page.serial, page.sequence = old[0].serial, old[0].sequence + at
        page.continued = at > 0 and not pages[-1].complete
        page.packets, n_ended = reader.take(n_segments)
        page.complete = n_ended == len(page.packets)
        page.position = max(old[-1].position, 0) if n_ended else -1
        pages.append(page)
    pages[-1].complete = old[-1].complete
    pages[-1].last = old[-1].last
    if not pages[-1].complete and len(pages[-1].packets) == 1:
        pages[-1].position = -1
    return pages


def _page_sizes(old: Sequence[Any], n_segments: int) -> list[int]:
    """Distribute segments among pages, as similarly to the old pages as possible."""
    found = (page.size - 27 - sum(map(len, page.packets)) for page in old)
    sizes = [size for size in found if size][:n_segments]
    left = n_segments - sum(sizes)
    for at in reversed(range(len(sizes))):
        size = min(_SEGMENT, max(1, sizes[at] + left))
        left -= size - sizes[at]
        sizes[at] = size
    while left:
        sizes.append(min(_SEGMENT, left))
        left -= sizes[-1]
    return sizes


class _SegmentReader:
    """Splits packets into parts of a requested number of segments.

    Args:
        packets: packets in order.
        counts: number of segments of each packet.

    """

    def __init__(self, packets: Sequence[bytes], counts: Sequence[int]) -> None:
        self._packets, self._left = list(packets), list(counts)
        self._at = self._start = 0

    def take(self, n_segments: int) -> tuple[list[bytes], int]:
        """Return the parts of packets in the next segments, and how many of them end a packet."""
        parts, n_ended = [], 0
        while n_segments:
            n = min(n_segments, self._left[self._at])
            packet = self._packets[self._at]
            parts.append(packet[self._start : self._start + n * _SEGMENT])
            n_segments -= n
            self._left[self._at] -= n
            self._start += n * _SEGMENT
            if not self._left[self._at]:
                self._at, self._start, n_ended = self._at + 1, 0, n_ended + 1
        return parts, n_ended


def _renumber(file: BinaryIO, start: int, serial: int, shift: int) -> None:
    """Shift the page numbers of a stream from an offset on, up to its last page."""
    size, at = file.seek(0, os.SEEK_END), start
    while (page := _page_at(file, at, size)) is not None:
        if page.serial == serial:
            page.sequence = (page.sequence + shift) % 2**32
            file.seek(at)
            file.write(page.write())
            if page.last:
                return
        at += page.size


def _page_at(file: BinaryIO, at: int, size: int) -> Any:
    """Return the page at an offset; None if the file ends before the end of the page."""
    from mutagen.ogg import OggPage
    from mutagen.ogg import error as OggError  # noqa: N812 (mutagen's spelling)

    file.seek(at)
    try:
        return OggPage(file)
    except EOFError:
        return None
    except OggError:
        if size - at < _LARGEST_PAGE and read_at(file, at, min(4, size - at)) == b"OggS":
            return None
        raise ValueError("has bytes between its Ogg pages that belong to no page") from None
