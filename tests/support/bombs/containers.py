"""Bombs of FLAC, Ogg, MP4, ASF, Matroska and other formats."""

from __future__ import annotations

import struct
import zlib

from support import tagged
from support.bombs.registry import Parts, bomb, joined, many

# --------------------------------------------------------------------------- FLAC and Ogg


def _comments(size: int) -> bytes:
    entries = joined(size, lambda n: struct.pack("<I", 10) + b"%08x=v" % n)
    return struct.pack("<I", 0) + struct.pack("<I", len(entries) // 14) + entries


def _flac(*blocks: Parts) -> Parts:
    content = tagged.recording("flac")
    yield content[:4] + b"\0" + content[5:42]  # STREAMINFO, not the last block
    for each in blocks:
        yield from each
    yield b"\x81\0\0\0"  # PADDING, the last one
    yield content[content.index(b"\xff\xf8") :]


def _block(kind: int, content: bytes) -> bytes:
    return struct.pack(">I", kind << 24 | len(content)) + content


@bomb("flac empty blocks.flac")
def _(size: int) -> Parts:
    return _flac(many(size, _block(1, b"")))


@bomb("flac comments.flac")
def _(size: int) -> Parts:
    one = _block(4, _comments(min(size, 2**24 - 2**18)))
    return _flac([one] * max(1, size // len(one)))


@bomb("flac pictures.flac")
def _(size: int) -> Parts:
    picture = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">IIIIII", 0, 1, 1, 8, 0, 0)
    return _flac(many(size, _block(6, picture)))


@bomb("flac seek points.flac")
def _(size: int) -> Parts:
    return _flac([_block(3, bytes(min(size, 2**24 - 2**18) // 18 * 18))])


def _page(content: bytes, serial: int, number: int, kind: int) -> bytes:
    lacing = bytes([255] * (len(content) // 255) + [len(content) % 255])
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, 0, serial, number, 0, len(lacing)) + lacing
    crc = _ogg_crc(head + content)
    return head[:22] + struct.pack("<I", crc) + head[26:] + content


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_crc(content: bytes) -> int:
    """Return the checksum of a page: the CRC-32 of zip files with reversed bit order."""
    crc = zlib.crc32(content.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


@bomb("ogg empty pages.ogg")
def _(size: int) -> Parts:
    content = tagged.recording("vorbis")
    cut = content.index(b"OggS", 4)
    serial = struct.unpack("<I", content[14:18])[0]
    return content[:cut], joined(size, _page(b"", serial, 1, 0)), content[cut:]


@bomb("ogg streams.ogg")
def _(size: int) -> Parts:
    head = tagged.recording("vorbis")[28:58]
    return many(size, lambda n: _page(head, n, 0, 2))


def _ogg_comments(kind: str, prefix: bytes, size: int) -> Parts:
    content = tagged.recording(kind)
    cut = content.index(b"OggS", 4)
    serial = struct.unpack("<I", content[14:18])[0]
    packet = prefix + _comments(size) + b"\1"
    yield content[:cut]
    step = 255 * 255
    for number, start in enumerate(range(0, len(packet), step), 1):
        part = packet[start : start + step]
        ends = len(part) < step
        lacing = bytes([255] * (len(part) // 255) + [len(part) % 255] * ends)
        flags, position = (0 if number == 1 else 1), (0 if ends else -1)
        head = struct.pack("<4sBBqIII", b"OggS", 0, flags, position, serial, number, 0)
        page = head + bytes([len(lacing)]) + lacing + part
        yield page[:22] + struct.pack("<I", _ogg_crc(page)) + page[26:]
    yield content[content.index(b"OggS", cut + 4) :]


@bomb("ogg comments.ogg")
def _(size: int) -> Parts:
    return _ogg_comments("vorbis", b"\3vorbis", size)


@bomb("opus comments.opus")
def _(size: int) -> Parts:
    return _ogg_comments("opus", b"OpusTags", size)


# ----------------------------------------------------------------- MP4, ASF, Matroska


def _atom(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _mp4_parts() -> tuple[bytes, bytes]:
    """Split a small MP4 into its first atom and the rest."""
    content = tagged.recording("m4a")
    length = struct.unpack(">I", content[:4])[0]
    return content[:length], content[length:]


@bomb("mp4 empty atoms.m4a")
def _(size: int) -> Parts:
    head, rest = _mp4_parts()
    yield head
    yield from many(size, _atom(b"free"))
    yield rest


@bomb("mp4 atoms of size zero.m4a")
def _(size: int) -> Parts:
    head, _ = _mp4_parts()
    yield head
    yield _atom(b"moov", bytes(8) * (size // 8))


@bomb("mp4 nested atoms.m4a")
def _(size: int) -> Parts:
    head, _ = _mp4_parts()
    depth = min(size // 8, 2**27 // 8)
    yield head
    yield b"".join(struct.pack(">I", 8 * (depth - n)) + b"moov" for n in range(depth))


@bomb("mp4 items.m4a")
def _(size: int) -> Parts:
    def item(n: int) -> bytes:
        name = _atom(b"name", bytes(4) + b"%x" % n)
        data = _atom(b"data", bytes((0, 0, 0, 1, 0, 0, 0, 0)) + b"v")
        return _atom(b"----", _atom(b"mean", bytes(4) + b"x") + name + data)

    return _mp4_with_udta(joined(size, item))


@bomb("mp4 genres.m4a")
def _(size: int) -> Parts:
    data = _atom(b"data", bytes((0, 0, 0, 1, 0, 0, 0, 0)) + b"v")
    return _mp4_with_udta(_atom(b"\xa9gen", joined(size, data)))


def _mp4_with_udta(items: bytes) -> Parts:
    """Return an MP4 whose ``moov`` contains these tags."""
    head, rest = _mp4_parts()
    handler = _atom(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    meta = _atom(b"meta", bytes(4) + handler + _atom(b"ilst", items))
    at = rest.index(b"moov") - 4
    length = struct.unpack(">I", rest[at : at + 4])[0]
    moov = rest[at + 8 : at + length] + _atom(b"udta", meta)
    yield head + rest[:at] + _atom(b"moov", moov) + rest[at + length :]


@bomb("mp4 claims samples.m4a")
def _(size: int) -> Parts:
    """Return a file that states 2**31 samples of one byte; it is small for every ``size``."""
    content = bytearray(tagged.recording("m4a"))
    at = content.index(b"stsz")
    content[at + 8 : at + 16] = struct.pack(">II", 1, min(2**31 - 1, size * 20))
    yield bytes(content)


@bomb("mp4 tracks.m4a")
def _(size: int) -> Parts:
    head, _ = _mp4_parts()
    yield head
    yield _atom(b"moov", joined(size, _atom(b"trak")))


@bomb("asf objects.wma")
def _(size: int) -> Parts:
    content = tagged.recording("wma")
    length, n = struct.unpack("<QI", content[16:28])
    more = joined(size, bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8") + struct.pack("<Q", 24))
    head = content[:16] + struct.pack("<QI", length + len(more), n + len(more) // 24)
    yield head + content[28:length] + more + content[length:]


@bomb("mkv void elements.mka")
def _(size: int) -> Parts:
    content = _matroska()
    at = content.index(bytes.fromhex("18538067")) + 4 + 8
    yield content[:at]
    yield from many(size, b"\xec\x80")
    yield content[at:]


@bomb("mkv tags.mka")
def _(size: int) -> Parts:
    def tag(n: int) -> bytes:
        simple = b"\x45\xa3" + bytes([0x88]) + b"%08x" % n + b"\x44\x87\x81v"
        return b"\x67\xc8" + bytes([0x80 | len(simple)]) + simple

    content = _matroska()
    at = content.index(bytes.fromhex("18538067")) + 4 + 8
    tags = joined(size, tag)
    sized = b"\x73\x73\x01" + struct.pack(">Q", len(tags))[1:] + tags
    yield content[:at]
    yield bytes.fromhex("1254c367") + b"\x01" + struct.pack(">Q", len(sized))[1:] + sized
    yield content[at:]


def _matroska() -> bytes:
    from support import synth

    return synth.encode(synth.music(0.4, 44_100), 44_100, "flac", "matroska", title="x")


# -------------------------------------------------------------------------- other streams


@bomb("wavpack empty blocks.wv")
def _(size: int) -> Parts:
    return many(size, b"wvpk" + struct.pack("<IHBBIIIII", 24, 0x407, 0, 0, 0, 0, 0, 0, 0))


@bomb("aac frames of 7 bytes.aac")
def _(size: int) -> Parts:
    return many(size, bytes.fromhex("fff15040 00fffc"))


@bomb("mp3 frames without sound.mp3")
def _(size: int) -> Parts:
    return many(size, b"\xff\xfb\x10\xc4" + bytes(100))


@bomb("zeros.mp3")
def _(size: int) -> Parts:
    return many(size, bytes(4096))
