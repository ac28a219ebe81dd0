"""Bombs of RIFF and AIFF."""

from __future__ import annotations

import struct

from support.bombs.registry import Parts, bomb, joined, many
from support.bombs.streams import frame, id3, txxx


def _chunk(name: bytes, content: bytes = b"", order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content + bytes(len(content) % 2)


_FMT = _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 44_100, 88_200, 2, 16))
_DATA = _chunk(b"data", bytes(2 * 44_100))


def _riff(before: Parts, after: Parts = (), kind: bytes = b"WAVE", size: int = 0) -> Parts:
    yield b"RIFF" + struct.pack("<I", size or 2**31) + kind
    yield from before
    yield from after


@bomb("riff empty lists.wav")
def _(size: int) -> Parts:
    return _riff([_FMT], [*many(size, _chunk(b"LIST", b"INFO")), _DATA])


@bomb("riff lists behind.wav")
def _(size: int) -> Parts:
    return _riff([_FMT, _DATA], many(size, _chunk(b"LIST", b"INFO")))


@bomb("riff distinct entries.wav")
def _(size: int) -> Parts:
    entries = joined(size, lambda n: _chunk(struct.pack(">I", 0x41000000 + n), b"x\0"))
    return _riff([_FMT, _chunk(b"LIST", b"INFO" + entries), _DATA])


@bomb("riff equal entries.wav")
def _(size: int) -> Parts:
    entries = joined(size, _chunk(b"IGNR", b"x\0"))
    return _riff([_FMT, _chunk(b"LIST", b"INFO" + entries), _DATA])


@bomb("riff empty chunks.wav")
def _(size: int) -> Parts:
    return _riff([_FMT], [*many(size, _chunk(b"junk")), _DATA])


@bomb("riff chunks of formats.wav")
def _(size: int) -> Parts:
    return _riff(many(size, _FMT), [_DATA])


@bomb("riff id3 chunks.wav")
def _(size: int) -> Parts:
    return _riff([_FMT, _DATA], many(size, _chunk(b"id3 ", id3(frame(b"TIT2", b"\0x")))))


@bomb("riff id3 distinct frames.wav")
def _(size: int) -> Parts:
    return _riff([_FMT, _DATA], [_chunk(b"id3 ", id3(joined(size, txxx)))])


@bomb("riff cues.wav")
def _(size: int) -> Parts:
    cues = struct.pack("<I", size // 24) + bytes(size // 24 * 24)
    return _riff([_FMT, _chunk(b"cue ", cues), _DATA])


@bomb("riff index.avi")
def _(size: int) -> Parts:
    return _riff([], many(size, _chunk(b"LIST", b"hdrl")), b"AVI ")


@bomb("w64 chunks.w64")
def _(size: int) -> Parts:
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    yield riff + struct.pack("<Q", 2**40) + b"wave" + guid
    yield b"fmt " + guid + struct.pack("<Q", 40) + _FMT[8:]
    yield from many(size, b"junk" + guid + struct.pack("<Q", 24))
    yield b"data" + guid + struct.pack("<Q", 24 + 88_200) + bytes(88_200)


_RATE = bytes.fromhex("400eac44") + bytes(6)  # 44 100 as a number of 80 bits
_COMM = _chunk(b"COMM", struct.pack(">hIh10s", 1, 44_100, 16, _RATE), ">")
_SSND = _chunk(b"SSND", bytes(8 + 88_200), ">")


def _aiff(*chunks: Parts) -> Parts:
    yield b"FORM" + struct.pack(">I", 2**31 - 1) + b"AIFF"
    for each in chunks:
        yield from each


@bomb("aiff empty chunks.aiff")
def _(size: int) -> Parts:
    return _aiff([_COMM], many(size, _chunk(b"APPL", b"", ">")), [_SSND])


@bomb("aiff annotations.aiff")
def _(size: int) -> Parts:
    return _aiff([_COMM], many(size, _chunk(b"ANNO", b"xy", ">")), [_SSND])


@bomb("aiff formats.aiff")
def _(size: int) -> Parts:
    return _aiff(many(size, _COMM), [_SSND])


@bomb("aiff id3 distinct frames.aiff")
def _(size: int) -> Parts:
    return _aiff([_COMM, _SSND, _chunk(b"ID3 ", id3(joined(size, txxx)), ">")])


@bomb("caf chunks.caf")
def _(size: int) -> Parts:
    yield b"caff\0\1\0\0desc" + struct.pack(">qd4sIIIII", 32, 44_100, b"lpcm", 0, 2, 1, 1, 16)
    yield from many(size, b"free" + bytes(8))
    yield b"data" + struct.pack(">q", 88_204) + bytes(88_204)


@bomb("caf strings.caf")
def _(size: int) -> Parts:
    strings = joined(size, lambda n: b"%x\0v\0" % n)
    yield b"caff\0\1\0\0desc" + struct.pack(">qd4sIIIII", 32, 44_100, b"lpcm", 0, 2, 1, 1, 16)
    yield b"info" + struct.pack(">qI", len(strings) + 4, strings.count(b"\0v\0")) + strings
    yield b"data" + struct.pack(">q", 88_204) + bytes(88_204)
