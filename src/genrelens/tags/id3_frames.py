"""ID3v2 tags as raw frames. Frames that are not replaced keep their bytes and their order.

Sources: "ID3 tag version 2.2.0", "2.3.0" and "2.4.0 - Main Structure" (id3.org).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from genrelens.tags.raw import check_items, check_size

__all__ = [
    "HEADER",
    "Frame",
    "RawID3",
    "frames_in",
    "make_frame",
    "new_tag",
    "parse",
    "syncsafe",
    "tag_size",
]

HEADER = 10  # bytes of the tag's header, and of its footer
_MAX_CONTENT = 2**20  # bytes of a decompressed frame at most
_PADDING = 1024  # bytes of padding in a tag that has grown
_KNOWN_NAME = re.compile(r"[A-Z][A-Z0-9]{2}[A-Z0-9 ]?")

# Flags of a header.
_UNSYNC, _EXTENDED, _EXPERIMENTAL, _FOOTER = 0x80, 0x40, 0x20, 0x10


def syncsafe(size: int) -> bytes:
    """Return a size as 4 bytes of 7 bits each."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _number(data: bytes, bits: int) -> int:
    n = 0
    for byte in data:
        n = n << bits | byte & (1 << bits) - 1
    return n


def tag_size(head: bytes, mark: bytes = b"ID3") -> int:
    """Return the number of bytes between header and footer, as stated in a header or footer.

    Args:
        head: the header or footer, at least 10 bytes.
        mark: ``ID3`` for a header, ``3DI`` for a footer.

    Returns:
        The size, or -1 if ``head`` is not valid.

    """
    is_header = len(head) >= HEADER and head.startswith(mark) and max(head[6:HEADER]) < 0x80
    return _number(head[6:HEADER], 7) if is_header and head[3] != 0xFF else -1


# ------------------------------------------------------------------------------- frames


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of an ID3v2 tag.

    Attributes:
        name: 3 characters in version 2.2, otherwise 4; any bytes, decoded as Latin-1.
        version: 2, 3 or 4.
        flags: 16 bits; 0 in version 2.2.
        raw: header and content as in the file.
        unsync: whether the tag is unsynchronised, so that zeros follow 0xFF in ``raw``.

    """

    name: str
    version: int
    flags: int
    raw: bytes
    unsync: bool

    @property
    def is_genre(self) -> bool:
        """Whether the frame contains the genres."""
        return self.name == ("TCO" if self.version == 2 else "TCON")

    @property
    def is_packed(self) -> bool:
        """Whether the frame is compressed, encrypted or part of a group."""
        return bool(self.flags & (0xE0 if self.version == 3 else 0x4C))

    @property
    def is_encrypted(self) -> bool:
        """Whether the frame is encrypted."""
        return bool(self.flags & (0x40 if self.version == 3 else 0x04))

    @property
    def plain(self) -> bytes:
        """Header and content without the zeros of unsynchronisation."""
        return _synced(self.raw) if self.unsync and self.version < 4 else self.raw

    def content(self) -> bytes:
        """Return the content, decompressed.

        Raises:
            ValueError: the frame is encrypted or damaged, or decompresses to more than 1 MiB.

        """
        if self.is_encrypted:
            raise ValueError(f"its frame {self.name} is encrypted")
        data = self.plain[_header_size(self.version) :]
        if self.version == 3:
            compressed, n_extra = self.flags & 0x80, 4 * bool(self.flags & 0x80)
            n_extra += bool(self.flags & 0x20)
        else:
            compressed = self.flags & 0x08
            n_extra = bool(self.flags & 0x40) + 4 * bool(self.flags & 0x01)
        data = data[n_extra:]
        if self.version == 4 and (self.unsync or self.flags & 0x02):
            data = _synced(data)
        return self._inflated(data) if compressed else data

    def _inflated(self, data: bytes) -> bytes:
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(data, _MAX_CONTENT)
        except zlib.error as error:
            raise ValueError(f"its frame {self.name} is compressed and damaged") from error
        if inflater.unconsumed_tail:
            raise ValueError(f"its frame {self.name} decompresses to more than 1 MiB")
        return content


def _header_size(version: int) -> int:
    return 6 if version == 2 else 10


def _synced(data: bytes) -> bytes:
    """Undo unsynchronisation."""
    return data.replace(b"\xff\x00", b"\xff")


def _unsynced(data: bytes) -> bytes:
    """Insert a zero after each 0xFF that could be mistaken for the start of an MPEG frame."""
    return re.sub(rb"\xff(?=[\x00\xe0-\xff]|\Z)", b"\xff\x00", data)


def make_frame(
    name: str, content: bytes, version: int, *, flags: int = 0, like: RawID3 | None = None
) -> Frame:
    """Create a frame.

    Args:
        name: 3 characters in version 2.2, otherwise 4.
        content: content of the frame. Without 0xFF if the tag is unsynchronised and has
            version 2.4.
        version: 2, 3 or 4.
        flags: 16 bits.
        like: tag that will contain the frame; it determines the format of the size and the
            unsynchronisation.

    """
    if version == 2:
        raw = name.encode("latin-1") + len(content).to_bytes(3, "big") + content
    else:
        plain = version == 3 or (like is not None and like.plain_sizes)
        size = len(content).to_bytes(4, "big") if plain else syncsafe(len(content))
        raw = name.encode("latin-1") + size + flags.to_bytes(2, "big") + content
    unsync = like is not None and like.unsync
    return Frame(name, version, flags, _unsynced(raw) if unsync and version < 4 else raw, unsync)


# --------------------------------------------------------------------------------- tags


@dataclass(frozen=True, slots=True)
class RawID3:
    """An ID3v2 tag as raw bytes.

    Attributes:
        head: header, 10 bytes.
        extended: extended header as in the file.
        frames: frames in order.
        rest: bytes after the frames that are not padding; not empty if the tag is damaged.
        size: number of bytes between header and footer.
        has_footer: whether there is a footer.
        plain_sizes: whether sizes in 2.4 have 8 bits per byte, as written by old iTunes.

    """

    head: bytes
    extended: bytes
    frames: tuple[Frame, ...]
    rest: bytes
    size: int
    has_footer: bool
    plain_sizes: bool

    @property
    def version(self) -> int:
        """ID3v2 version: 2, 3 or 4."""
        return self.head[3]

    @property
    def is_experimental(self) -> bool:
        """Whether the header marks the tag as experimental; never in version 2.2."""
        return self.version > 2 and bool(self.head[5] & _EXPERIMENTAL)

    @property
    def extended_flags(self) -> int:
        """Flags of the extended header, without the checksum flag.

        The value is 0 without an extended header, and -1 if the form of the header is unknown.
        """
        data = _synced(self.extended) if self.unsync else self.extended
        if self.version == 3 and len(data) in (10, 14):
            return int.from_bytes(data[4:6], "big") & ~0x8000
        if self.version == 4 and len(data) in (6, 12) and data[4] == 1:
            return data[5] & ~0x20
        return -1 if data else 0

    @property
    def unsync(self) -> bool:
        """Whether the tag is unsynchronised."""
        return bool(self.head[5] & _UNSYNC)

    def with_frames(self, frames: Iterable[Frame]) -> RawID3:
        """Return the tag with other frames; it keeps its size if the frames fit."""
        chosen = tuple(frames)
        needed = len(self.extended) + sum(len(frame.raw) for frame in chosen) + len(self.rest)
        if self.has_footer or self.rest:  # these allow no padding
            size = needed
        else:
            size = self.size if needed <= self.size else needed + _PADDING
        check_size(size)
        return replace(self, frames=chosen, size=size)

    def to_bytes(self) -> bytes:
        """Return the bytes of the tag in a file."""
        frames = b"".join(frame.raw for frame in self.frames) + self.rest
        padding = bytes(self.size - len(self.extended) - len(frames))
        head = self.head[:6] + syncsafe(self.size)
        footer = b"3DI" + head[3:] if self.has_footer else b""
        return head + self._extended(frames, padding) + frames + padding + footer

    def _extended(self, frames: bytes, padding: bytes) -> bytes:
        """Return the extended header with updated padding size and checksum."""
        data = _synced(self.extended) if self.unsync else self.extended
        if self.version == 3 and len(data) in (10, 14):
            data = data[:6] + len(padding).to_bytes(4, "big") + data[10:]
            if len(data) == 14:
                plain = _synced(frames) if self.unsync else frames
                data = data[:10] + zlib.crc32(plain).to_bytes(4, "big")
            new = _unsynced(data) if self.unsync else data
            return new if len(new) == len(self.extended) else self.extended
        if self.version == 4 and len(data) > 6 and data[5] & 0x20:
            at = 6 + bool(data[5] & 0x40)  # after the flags and the empty data of "update"
            crc = zlib.crc32(frames + padding)
            crc_bytes = bytes(crc >> shift & 0x7F for shift in (28, 21, 14, 7, 0))
            if data[at : at + 1] == b"\x05" and len(data) >= at + 6:
                return data[: at + 1] + crc_bytes + data[at + 6 :]
        return self.extended


def new_tag(
    version: int,
    frames: Iterable[Frame] = (),
    *,
    is_experimental: bool = False,
    footer: bool = False,
) -> RawID3:
    """Return a new tag with padding, or with a footer and without padding."""
    flags = _EXPERIMENTAL * is_experimental | _FOOTER * footer
    head = b"ID3" + bytes([version, 0, flags]) + bytes(4)
    return RawID3(head, b"", (), b"", 0, footer, False).with_frames(frames)


def parse(data: bytes) -> RawID3:
    """Parse a tag.

    Args:
        data: bytes that start with the header and may continue after the tag.

    Raises:
        ValueError: the version is unknown, the frames cannot be found because the tag is
            damaged, or there are too many of them.

    """
    head, size = data[:HEADER], tag_size(data)
    version, flags = head[3], head[5]
    if version not in (2, 3, 4):
        raise ValueError(f"has a tag of the unknown version ID3v2.{version}")
    check_size(size)
    body = data[HEADER : HEADER + size]
    if len(body) < size:
        raise ValueError("has an ID3v2 tag that is longer than the file")
    if version == 2 and flags & _EXTENDED:
        raise ValueError("has an ID3v2.2 tag that is compressed, which no program can read")
    footer = data[HEADER + size : 2 * HEADER + size]
    has_footer = footer.startswith(b"3DI") and (flags & _FOOTER or footer[3:] == head[3:])
    at = _end_of_extended(body, version, flags)
    walk = _frames_of(body, at, version, bool(flags & _UNSYNC))
    rest = body[walk.end :]
    return RawID3(
        head=head,
        extended=body[:at],
        frames=tuple(walk.frames),
        rest=rest if rest.strip(b"\0") else b"",
        size=size,
        has_footer=bool(has_footer),
        plain_sizes=walk.plain,
    )


def _end_of_extended(body: bytes, version: int, flags: int) -> int:
    """Return the length of the extended header.

    Some programs set the flag of the extended header without writing one; then a frame follows.
    """
    if not flags & _EXTENDED or re.match(rb"[A-Z][A-Z0-9]{3}", body):
        return 0
    unsync = version == 3 and bool(flags & _UNSYNC)
    size = _number(body[:4], 8) + 4 if version == 3 else _number(body[:4], 7)
    end = _after(body, 0, size, unsync)
    if size < 6 or end < 0:
        raise ValueError("has an ID3v2 tag with a damaged extended header")
    return end


def _after(body: bytes, start: int, n: int, unsync: bool) -> int:
    """Return the end of ``n`` bytes from ``start`` on, not counting inserted zeros after 0xFF.

    Returns -1 if there are fewer bytes. Each byte is searched once.
    """
    end = start
    while n:
        stop = end + n
        if stop > len(body):
            return -1
        n = body.count(b"\xff\x00", end, stop) if unsync else 0
        end = stop + (unsync and body[stop - 1 : stop + 1] == b"\xff\x00")
    return end


@dataclass(slots=True)
class _Walk:
    """The frames that were found, the offset of their end, and how plausible they are."""

    frames: list[Frame]
    end: int
    plain: bool
    is_clean: bool

    @property
    def rank(self) -> tuple[int, bool]:
        known = sum(bool(_KNOWN_NAME.fullmatch(frame.name)) for frame in self.frames)
        return known, self.is_clean


def _frames_of(body: bytes, at: int, version: int, unsync: bool) -> _Walk:
    """Find the frames; in version 2.4, choose the more plausible of two formats of sizes."""
    walk = _walk(body, at, version, unsync, plain=version == 3)
    if version == 4 and walk.rank != (len(walk.frames), True):
        other = _walk(body, at, version, unsync, plain=True)
        return max(walk, other, key=lambda each: each.rank)
    return walk


def frames_in(data: bytes, version: int) -> tuple[list[Frame], bytes]:
    """Return the frames within a frame and the bytes after them."""
    walk = _frames_of(data, 0, version, False)
    return walk.frames, data[walk.end :]


def _walk(body: bytes, at: int, version: int, unsync: bool, *, plain: bool) -> _Walk:
    frames: list[Frame] = []
    is_clean = True
    for frame, end, is_plain_size in _each(body, at, version, unsync, plain):
        check_items(len(frames) + 1, "frames in an ID3v2 tag")
        frames.append(frame)
        at = end
        is_clean = is_clean and is_plain_size
    return _Walk(frames, at, plain, is_clean and not body[at:].strip(b"\0"))


def _each(
    body: bytes, at: int, version: int, unsync: bool, plain: bool
) -> Iterator[tuple[Frame, int, bool]]:
    """Yield each frame, its end, and whether its size has a valid format."""
    n_name, n_header = (3, 6) if version == 2 else (4, 10)
    in_tag = unsync and version < 4  # in version 2.4 each frame has its own flag
    while (start := _after(body, at, n_header, in_tag)) > 0:
        header = body[at:start]
        if in_tag:
            header = _synced(header)
        name, size_bytes = header[:n_name], header[n_name : 2 * n_name]
        if not name.strip(b"\0"):
            return
        bits = 7 if version == 4 and not plain else 8
        end = _after(body, start, _number(size_bytes, bits), in_tag)
        if end < 0:
            return
        flags = int.from_bytes(header[8:10], "big")
        frame = Frame(name.decode("latin-1"), version, flags, body[at:end], unsync)
        yield frame, end, bits == 8 or max(size_bytes) < 0x80
        at = end
