"""Files made to be slow or to fill the memory: 54 kinds, each of any size.

Used by a test, scaled down, and by ``scripts/bombs.py`` at full size. Each kind is a function from
a size in bytes to the pieces of a file; most are many tiny parts of a container, or few that claim
or inflate to a lot.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import count, repeat
from pathlib import Path

from support import tagged

Pieces = Iterable[bytes]
Maker = Callable[[int], Pieces]

BOMBS: dict[str, tuple[str, Maker]] = {}
_AT_ONCE = 2**14  # parts that are joined before they are written


def _bomb(name: str) -> Callable[[Maker], Maker]:
    """Enter a kind under its name, which ends in that of a file format."""
    ending = name.rpartition(".")[2]

    def enter(make: Maker) -> Maker:
        BOMBS[name] = (ending, make)
        return make

    return enter


def write_bomb(name: str, path: Path, size: int) -> Path:
    """Write a file of about this size."""
    with path.open("wb") as file:
        for piece in BOMBS[name][1](size):
            file.write(piece)
    return path


def _many(size: int, part: Callable[[int], bytes] | bytes) -> Iterator[bytes]:
    """Yield parts, equal or made from their numbers, that are about this size together."""
    if isinstance(part, bytes):
        n = max(1, size // len(part))
        yield from repeat(part * _AT_ONCE, n // _AT_ONCE)
        yield part * (n % _AT_ONCE)
        return
    written, numbers = 0, count()
    while written < size:
        piece = b"".join(part(next(numbers)) for _ in range(_AT_ONCE if size > 2**20 else 64))
        written += len(piece)
        yield piece


def _joined(size: int, part: Callable[[int], bytes] | bytes) -> bytes:
    return b"".join(_many(size, part))


def _mp3() -> bytes:
    return tagged.recording("mp3-bare")


# --------------------------------------------------------------------------- ID3 and friends


def _synchsafe(n: int) -> bytes:
    return bytes(n >> shift & 0x7F for shift in (21, 14, 7, 0))


def _id3(content: bytes, version: int = 4, flags: int = 0) -> bytes:
    return b"ID3" + bytes((version, 0, flags)) + _synchsafe(len(content)) + content


def _frame(name: bytes, content: bytes, flags: int = 0) -> bytes:
    return name + _synchsafe(len(content)) + struct.pack(">H", flags) + content


def _txxx(n: int) -> bytes:
    return _frame(b"TXXX", b"\0%x\0y" % n)


@_bomb("id3 empty tags.mp3")
def _(size: int) -> Pieces:
    yield from _many(size, _id3(b""))
    yield _mp3()


@_bomb("id3 tags of 20 bytes.mp3")
def _(size: int) -> Pieces:
    yield from _many(size, _id3(bytes(10)))
    yield _mp3()


@_bomb("id3 distinct frames.mp3")
def _(size: int) -> Pieces:
    return _id3(_joined(size, _txxx)), _mp3()


@_bomb("id3 equal frames.mp3")
def _(size: int) -> Pieces:
    return _id3(_joined(size, _frame(b"TIT2", b"\0x"))), _mp3()


@_bomb("id3 inflating text.mp3")
def _(size: int) -> Pieces:
    """A thousandth of the size, which inflates to 33 times the size: 3 MB to 3 GB at 90 MB."""
    return _id3(_inflating(size, b"TXXX")), _mp3()


@_bomb("id3 inflating genre.mp3")
def _(size: int) -> Pieces:
    return _id3(_inflating(size, b"TCON")), _mp3()


@_bomb("id3 inflating picture.mp3")
def _(size: int) -> Pieces:
    return _id3(_inflating(size, b"APIC")), _mp3()


def _inflating(size: int, name: bytes) -> bytes:
    length = min(size, 250_000_000)
    content = zlib.compress(b"\0a\0" + b"x" * length, 9)
    frame = _frame(name, _synchsafe(length + 3) + content, 0x0009)
    return frame * (33 if size > 2**24 else 3)


@_bomb("id3 genres.mp3")
def _(size: int) -> Pieces:
    return _id3(_frame(b"TCON", b"\3" + _joined(size, lambda n: b"%x\0" % n))), _mp3()


@_bomb("id3 one long genre.mp3")
def _(size: int) -> Pieces:
    return _id3(_frame(b"TCON", b"\3" + bytes(b"x" * size))), _mp3()


@_bomb("id3 brackets in a genre.mp3")
def _(size: int) -> Pieces:
    return _id3(_frame(b"TCON", b"\3" + b"(1" * (size // 2)), 3), _mp3()


@_bomb("id3 padding.mp3")
def _(size: int) -> Pieces:
    return _id3(bytes(size)), _mp3()


@_bomb("id3 unsynchronised.mp3")
def _(size: int) -> Pieces:
    return _id3(_frame(b"TIT2", b"\0" + b"\xff\0" * (size // 2)), 3, 0x80), _mp3()


@_bomb("id3 chapters in chapters.mp3")
def _(size: int) -> Pieces:
    """Deeper than any recursion."""
    content, step = b"", 20 + 10
    for _ in range(min(size // step, 20_000)):
        content = _frame(b"CHAP", b"c\0" + bytes(16) + content[: 2**20])
    return _id3(content), _mp3()


@_bomb("id3 longer than the file.mp3")
def _(size: int) -> Pieces:
    return b"ID3\4\0\0\x7f\x7f\x7f\x7f", _joined(size, _txxx)


@_bomb("id3v1 chain.mp3")
def _(size: int) -> Pieces:
    yield _mp3()
    yield from _many(size, b"TAG" + bytes(125))


@_bomb("lyrics3 chain.mp3")
def _(size: int) -> Pieces:
    yield _mp3()
    yield from _many(size, b"000000LYRICS200")


@_bomb("lyrics3 chain of 37 bytes.mp3")
def _(size: int) -> Pieces:
    yield _mp3()
    yield from _many(size, b"LYRICSBEGININD0000200000022LYRICS200")


def _ape(n_items: int, length: int, flags: int = 0) -> bytes:
    return b"APETAGEX" + struct.pack("<IIII", 2000, length, n_items, flags) + bytes(8)


@_bomb("ape chain.mp3")
def _(size: int) -> Pieces:
    yield _mp3()
    yield from _many(size, _ape(0, 32))


@_bomb("ape chain in steps of a byte.mp3")
def _(size: int) -> Pieces:
    yield _mp3()
    yield from _many(size, _ape(0, 1))


@_bomb("ape distinct items.mp3")
def _(size: int) -> Pieces:
    items = _joined(size, lambda n: struct.pack("<II", 1, 0) + b"k%x\0v" % n)
    n_items = items.count(b"\0v")
    return _mp3(), items, _ape(n_items, len(items) + 32)


@_bomb("ape claims items.mp3")
def _(size: int) -> Pieces:
    return _mp3(), bytes(size), _ape(2**32 - 1, 2**31)


@_bomb("all tags in turn.mp3")
def _(size: int) -> Pieces:
    yield _mp3()
    yield from _many(size, _ape(0, 32) + b"000000LYRICS200" + b"TAG" + bytes(125))


# ------------------------------------------------------------------------------- RIFF and AIFF


def _chunk(name: bytes, content: bytes = b"", order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)


_FMT = _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 44_100, 88_200, 2, 16))
_DATA = _chunk(b"data", bytes(2 * 44_100))


def _riff(before: Pieces, after: Pieces = (), kind: bytes = b"WAVE", size: int = 0) -> Pieces:
    yield b"RIFF" + struct.pack("<I", size or 2**31) + kind
    yield from before
    yield from after


@_bomb("riff empty lists.wav")
def _(size: int) -> Pieces:
    return _riff([_FMT], [*_many(size, _chunk(b"LIST", b"INFO")), _DATA])


@_bomb("riff lists behind.wav")
def _(size: int) -> Pieces:
    return _riff([_FMT, _DATA], _many(size, _chunk(b"LIST", b"INFO")))


@_bomb("riff distinct entries.wav")
def _(size: int) -> Pieces:
    entries = _joined(size, lambda n: _chunk(struct.pack(">I", 0x41000000 + n), b"x\0"))
    return _riff([_FMT, _chunk(b"LIST", b"INFO" + entries), _DATA])


@_bomb("riff equal entries.wav")
def _(size: int) -> Pieces:
    entries = _joined(size, _chunk(b"IGNR", b"x\0"))
    return _riff([_FMT, _chunk(b"LIST", b"INFO" + entries), _DATA])


@_bomb("riff empty chunks.wav")
def _(size: int) -> Pieces:
    return _riff([_FMT], [*_many(size, _chunk(b"junk")), _DATA])


@_bomb("riff chunks of formats.wav")
def _(size: int) -> Pieces:
    return _riff(_many(size, _FMT), [_DATA])


@_bomb("riff id3 chunks.wav")
def _(size: int) -> Pieces:
    return _riff([_FMT, _DATA], _many(size, _chunk(b"id3 ", _id3(_frame(b"TIT2", b"\0x")))))


@_bomb("riff id3 distinct frames.wav")
def _(size: int) -> Pieces:
    return _riff([_FMT, _DATA], [_chunk(b"id3 ", _id3(_joined(size, _txxx)))])


@_bomb("riff cues.wav")
def _(size: int) -> Pieces:
    cues = struct.pack("<I", size // 24) + bytes(size // 24 * 24)
    return _riff([_FMT, _chunk(b"cue ", cues), _DATA])


@_bomb("riff index.avi")
def _(size: int) -> Pieces:
    return _riff([], _many(size, _chunk(b"LIST", b"hdrl")), b"AVI ")


@_bomb("w64 chunks.w64")
def _(size: int) -> Pieces:
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    yield riff + struct.pack("<Q", 2**40) + b"wave" + guid
    yield b"fmt " + guid + struct.pack("<Q", 40) + _FMT[8:]
    yield from _many(size, b"junk" + guid + struct.pack("<Q", 24))
    yield b"data" + guid + struct.pack("<Q", 24 + 88_200) + bytes(88_200)


_RATE = bytes.fromhex("400eac44") + bytes(6)  # 44 100 as a number of 80 bits
_COMM = _chunk(b"COMM", struct.pack(">hIh10s", 1, 44_100, 16, _RATE), ">")
_SSND = _chunk(b"SSND", bytes(8 + 88_200), ">")


def _aiff(*chunks: Pieces) -> Pieces:
    yield b"FORM" + struct.pack(">I", 2**31 - 1) + b"AIFF"
    for each in chunks:
        yield from each


@_bomb("aiff empty chunks.aiff")
def _(size: int) -> Pieces:
    return _aiff([_COMM], _many(size, _chunk(b"APPL", b"", ">")), [_SSND])


@_bomb("aiff annotations.aiff")
def _(size: int) -> Pieces:
    return _aiff([_COMM], _many(size, _chunk(b"ANNO", b"xy", ">")), [_SSND])


@_bomb("aiff formats.aiff")
def _(size: int) -> Pieces:
    return _aiff(_many(size, _COMM), [_SSND])


@_bomb("aiff id3 distinct frames.aiff")
def _(size: int) -> Pieces:
    return _aiff([_COMM, _SSND, _chunk(b"ID3 ", _id3(_joined(size, _txxx)), ">")])


@_bomb("caf chunks.caf")
def _(size: int) -> Pieces:
    yield b"caff\0\1\0\0desc" + struct.pack(">qd4sIIIII", 32, 44_100, b"lpcm", 0, 2, 1, 1, 16)
    yield from _many(size, b"free" + bytes(8))
    yield b"data" + struct.pack(">q", 88_204) + bytes(88_204)


@_bomb("caf strings.caf")
def _(size: int) -> Pieces:
    strings = _joined(size, lambda n: b"%x\0v\0" % n)
    yield b"caff\0\1\0\0desc" + struct.pack(">qd4sIIIII", 32, 44_100, b"lpcm", 0, 2, 1, 1, 16)
    yield b"info" + struct.pack(">qI", len(strings) + 4, strings.count(b"\0v\0")) + strings
    yield b"data" + struct.pack(">q", 88_204) + bytes(88_204)


# ------------------------------------------------------------------------------ FLAC and Ogg


def _comments(size: int) -> bytes:
    entries = _joined(size, lambda n: struct.pack("<I", 10) + b"%08x=v" % n)
    return struct.pack("<I", 0) + struct.pack("<I", len(entries) // 14) + entries


def _flac(*blocks: Pieces) -> Pieces:
    content = tagged.recording("flac")
    yield content[:4] + b"\0" + content[5:42]  # STREAMINFO, not the last block
    for each in blocks:
        yield from each
    yield b"\x81\0\0\0"  # PADDING, the last one
    yield content[content.index(b"\xff\xf8") :]


def _block(kind: int, content: bytes) -> bytes:
    return struct.pack(">I", kind << 24 | len(content)) + content


@_bomb("flac empty blocks.flac")
def _(size: int) -> Pieces:
    return _flac(_many(size, _block(1, b"")))


@_bomb("flac comments.flac")
def _(size: int) -> Pieces:
    one = _block(4, _comments(min(size, 2**24 - 2**18)))
    return _flac([one] * max(1, size // len(one)))


@_bomb("flac pictures.flac")
def _(size: int) -> Pieces:
    picture = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">IIIIII", 0, 1, 1, 8, 0, 0)
    return _flac(_many(size, _block(6, picture)))


@_bomb("flac seek points.flac")
def _(size: int) -> Pieces:
    return _flac([_block(3, bytes(min(size, 2**24 - 2**18) // 18 * 18))])


def _page(content: bytes, serial: int, number: int, kind: int) -> bytes:
    lacing = bytes([255] * (len(content) // 255) + [len(content) % 255])
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, 0, serial, number, 0, len(lacing)) + lacing
    crc = _ogg_crc(head + content)
    return head[:22] + struct.pack("<I", crc) + head[26:] + content


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_crc(content: bytes) -> int:
    """Return the checksum of a page: that of zip files with all bits in the other order."""
    crc = zlib.crc32(content.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


@_bomb("ogg empty pages.ogg")
def _(size: int) -> Pieces:
    content = tagged.recording("vorbis")
    cut = content.index(b"OggS", 4)
    serial = struct.unpack("<I", content[14:18])[0]
    return content[:cut], _joined(size, _page(b"", serial, 1, 0)), content[cut:]


@_bomb("ogg streams.ogg")
def _(size: int) -> Pieces:
    head = tagged.recording("vorbis")[28:58]
    return _many(size, lambda n: _page(head, n, 0, 2))


def _ogg_comments(kind: str, prefix: bytes, size: int) -> Pieces:
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


@_bomb("ogg comments.ogg")
def _(size: int) -> Pieces:
    return _ogg_comments("vorbis", b"\3vorbis", size)


@_bomb("opus comments.opus")
def _(size: int) -> Pieces:
    return _ogg_comments("opus", b"OpusTags", size)


# ----------------------------------------------------------------------- MP4, ASF, Matroska


def _atom(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _mp4_parts() -> tuple[bytes, bytes]:
    """Split a small MP4 into what is before the tags' atom and the whole of the rest."""
    content = tagged.recording("m4a")
    length = struct.unpack(">I", content[:4])[0]
    return content[:length], content[length:]


@_bomb("mp4 empty atoms.m4a")
def _(size: int) -> Pieces:
    head, rest = _mp4_parts()
    yield head
    yield from _many(size, _atom(b"free"))
    yield rest


@_bomb("mp4 atoms of size zero.m4a")
def _(size: int) -> Pieces:
    head, _ = _mp4_parts()
    yield head
    yield _atom(b"moov", bytes(8) * (size // 8))


@_bomb("mp4 nested atoms.m4a")
def _(size: int) -> Pieces:
    head, _ = _mp4_parts()
    depth = min(size // 8, 2**27 // 8)
    yield head
    yield b"".join(struct.pack(">I", 8 * (depth - n)) + b"moov" for n in range(depth))


@_bomb("mp4 items.m4a")
def _(size: int) -> Pieces:
    def item(n: int) -> bytes:
        name = _atom(b"name", bytes(4) + b"%x" % n)
        data = _atom(b"data", bytes((0, 0, 0, 1, 0, 0, 0, 0)) + b"v")
        return _atom(b"----", _atom(b"mean", bytes(4) + b"x") + name + data)

    return _mp4_with_udta(_joined(size, item))


@_bomb("mp4 genres.m4a")
def _(size: int) -> Pieces:
    data = _atom(b"data", bytes((0, 0, 0, 1, 0, 0, 0, 0)) + b"v")
    return _mp4_with_udta(_atom(b"\xa9gen", _joined(size, data)))


def _mp4_with_udta(items: bytes) -> Pieces:
    """Put tags into a second ``moov`` in front, which has nothing else."""
    head, rest = _mp4_parts()
    handler = _atom(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    meta = _atom(b"meta", bytes(4) + handler + _atom(b"ilst", items))
    at = rest.index(b"moov") - 4
    length = struct.unpack(">I", rest[at : at + 4])[0]
    moov = rest[at + 8 : at + length] + _atom(b"udta", meta)
    yield head + rest[:at] + _atom(b"moov", moov) + rest[at + length :]


@_bomb("mp4 claims samples.m4a")
def _(size: int) -> Pieces:
    """Small, whatever size is asked for: it claims 2**31 samples of a byte."""
    content = bytearray(tagged.recording("m4a"))
    at = content.index(b"stsz")
    content[at + 8 : at + 16] = struct.pack(">II", 1, min(2**31 - 1, size * 20))
    yield bytes(content)


@_bomb("mp4 tracks.m4a")
def _(size: int) -> Pieces:
    head, _ = _mp4_parts()
    yield head
    yield _atom(b"moov", _joined(size, _atom(b"trak")))


@_bomb("asf objects.wma")
def _(size: int) -> Pieces:
    content = tagged.recording("wma")
    length, n = struct.unpack("<QI", content[16:28])
    more = _joined(size, bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8") + struct.pack("<Q", 24))
    head = content[:16] + struct.pack("<QI", length + len(more), n + len(more) // 24)
    yield head + content[28:length] + more + content[length:]


@_bomb("mkv void elements.mka")
def _(size: int) -> Pieces:
    content = _matroska()
    at = content.index(bytes.fromhex("18538067")) + 4 + 8
    yield content[:at]
    yield from _many(size, b"\xec\x80")
    yield content[at:]


@_bomb("mkv tags.mka")
def _(size: int) -> Pieces:
    def tag(n: int) -> bytes:
        simple = b"\x45\xa3" + bytes([0x88]) + b"%08x" % n + b"\x44\x87\x81v"
        return b"\x67\xc8" + bytes([0x80 | len(simple)]) + simple

    content = _matroska()
    at = content.index(bytes.fromhex("18538067")) + 4 + 8
    tags = _joined(size, tag)
    sized = b"\x73\x73\x01" + struct.pack(">Q", len(tags))[1:] + tags
    yield content[:at]
    yield bytes.fromhex("1254c367") + b"\x01" + struct.pack(">Q", len(sized))[1:] + sized
    yield content[at:]


def _matroska() -> bytes:
    from support import synth

    return synth.encode(synth.music(0.4, 44_100), 44_100, "flac", "matroska", title="x")


# ----------------------------------------------------------------------------- other streams


@_bomb("wavpack empty blocks.wv")
def _(size: int) -> Pieces:
    return _many(size, b"wvpk" + struct.pack("<IHBBIIIII", 24, 0x407, 0, 0, 0, 0, 0, 0, 0))


@_bomb("aac frames of 7 bytes.aac")
def _(size: int) -> Pieces:
    return _many(size, bytes.fromhex("fff15040 00fffc"))


@_bomb("mp3 frames without sound.mp3")
def _(size: int) -> Pieces:
    return _many(size, b"\xff\xfb\x10\xc4" + bytes(100))


@_bomb("zeros.mp3")
def _(size: int) -> Pieces:
    return _many(size, bytes(4096))
