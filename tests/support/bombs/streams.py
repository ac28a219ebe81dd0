"""Bombs of ID3v2, APEv2 and other tags around an audio stream."""

from __future__ import annotations

import struct
import zlib

from support.bombs.registry import Parts, bomb, joined, many, mp3


def _synchsafe(n: int) -> bytes:
    return bytes(n >> shift & 0x7F for shift in (21, 14, 7, 0))


def id3(content: bytes, version: int = 4, flags: int = 0) -> bytes:
    return b"ID3" + bytes((version, 0, flags)) + _synchsafe(len(content)) + content


def frame(name: bytes, content: bytes, flags: int = 0) -> bytes:
    return name + _synchsafe(len(content)) + struct.pack(">H", flags) + content


def txxx(n: int) -> bytes:
    return frame(b"TXXX", b"\0%x\0y" % n)


@bomb("id3 empty tags.mp3")
def _(size: int) -> Parts:
    yield from many(size, id3(b""))
    yield mp3()


@bomb("id3 tags of 20 bytes.mp3")
def _(size: int) -> Parts:
    yield from many(size, id3(bytes(10)))
    yield mp3()


@bomb("id3 distinct frames.mp3")
def _(size: int) -> Parts:
    return id3(joined(size, txxx)), mp3()


@bomb("id3 equal frames.mp3")
def _(size: int) -> Parts:
    return id3(joined(size, frame(b"TIT2", b"\0x"))), mp3()


@bomb("id3 inflating text.mp3")
def _(size: int) -> Parts:
    """Return a file of a thousandth of ``size`` that decompresses to 33 times ``size``."""
    return id3(_inflating(size, b"TXXX")), mp3()


@bomb("id3 inflating genre.mp3")
def _(size: int) -> Parts:
    return id3(_inflating(size, b"TCON")), mp3()


@bomb("id3 inflating picture.mp3")
def _(size: int) -> Parts:
    return id3(_inflating(size, b"APIC")), mp3()


def _inflating(size: int, name: bytes) -> bytes:
    length = min(size, 250_000_000)
    content = zlib.compress(b"\0a\0" + b"x" * length, 9)
    compressed = frame(name, _synchsafe(length + 3) + content, 0x0009)
    return compressed * (33 if size > 2**24 else 3)


@bomb("id3 genres.mp3")
def _(size: int) -> Parts:
    return id3(frame(b"TCON", b"\3" + joined(size, lambda n: b"%x\0" % n))), mp3()


@bomb("id3 one long genre.mp3")
def _(size: int) -> Parts:
    return id3(frame(b"TCON", b"\3" + bytes(b"x" * size))), mp3()


@bomb("id3 brackets in a genre.mp3")
def _(size: int) -> Parts:
    return id3(frame(b"TCON", b"\3" + b"(1" * (size // 2)), 3), mp3()


@bomb("id3 padding.mp3")
def _(size: int) -> Parts:
    return id3(bytes(size)), mp3()


@bomb("id3 unsynchronised.mp3")
def _(size: int) -> Parts:
    return id3(frame(b"TIT2", b"\0" + b"\xff\0" * (size // 2)), 3, 0x80), mp3()


@bomb("id3 chapters in chapters.mp3")
def _(size: int) -> Parts:
    """Nest frames deeper than any recursion limit."""
    content, step = b"", 20 + 10
    for _ in range(min(size // step, 20_000)):
        content = frame(b"CHAP", b"c\0" + bytes(16) + content[: 2**20])
    return id3(content), mp3()


@bomb("id3 longer than the file.mp3")
def _(size: int) -> Parts:
    return b"ID3\4\0\0\x7f\x7f\x7f\x7f", joined(size, txxx)


@bomb("id3v1 chain.mp3")
def _(size: int) -> Parts:
    yield mp3()
    yield from many(size, b"TAG" + bytes(125))


@bomb("lyrics3 chain.mp3")
def _(size: int) -> Parts:
    yield mp3()
    yield from many(size, b"000000LYRICS200")


@bomb("lyrics3 chain of 37 bytes.mp3")
def _(size: int) -> Parts:
    yield mp3()
    yield from many(size, b"LYRICSBEGININD0000200000022LYRICS200")


def _ape(n_items: int, length: int, flags: int = 0) -> bytes:
    return b"APETAGEX" + struct.pack("<IIII", 2000, length, n_items, flags) + bytes(8)


@bomb("ape chain.mp3")
def _(size: int) -> Parts:
    yield mp3()
    yield from many(size, _ape(0, 32))


@bomb("ape chain in steps of a byte.mp3")
def _(size: int) -> Parts:
    yield mp3()
    yield from many(size, _ape(0, 1))


@bomb("ape distinct items.mp3")
def _(size: int) -> Parts:
    items = joined(size, lambda n: struct.pack("<II", 1, 0) + b"k%x\0v" % n)
    n_items = items.count(b"\0v")
    return mp3(), items, _ape(n_items, len(items) + 32)


@bomb("ape claims items.mp3")
def _(size: int) -> Parts:
    return mp3(), bytes(size), _ape(2**32 - 1, 2**31)


@bomb("all tags in turn.mp3")
def _(size: int) -> Parts:
    yield mp3()
    yield from many(size, _ape(0, 32) + b"000000LYRICS200" + b"TAG" + bytes(125))
