"""Files of one container with given tags."""

from __future__ import annotations

import struct
from pathlib import Path

from support.asf_cases import utf16
from support.mp4_cases import HANDLER, box


def make(folder: Path, data: bytes) -> Path:
    """Write a file whose name does not reveal its format."""
    path = folder / "song"
    path.write_bytes(data)
    return path


def flac(blocks: list[tuple[int, bytes]]) -> bytes:
    """Return the metadata blocks of a FLAC: types and contents."""
    last = [0x80 * (at == len(blocks) - 1) for at in range(len(blocks))]
    heads = [bytes([each[0] | bit]) for each, bit in zip(blocks, last, strict=True)]
    sizes = [len(content).to_bytes(3, "big") for _, content in blocks]
    contents = (content for _, content in blocks)
    return b"fLaC" + b"".join(map(b"".join, zip(heads, sizes, contents, strict=True)))


def itunes(*items: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """Return ``udta`` with iTunes items, and with data before and after their list."""
    ilst = box(b"ilst", b"".join(items))
    return box(b"udta", box(b"meta", bytes(4) + box(b"hdlr", HANDLER) + before + ilst + after))


def short(*pairs: tuple[str, int, bytes]) -> bytes:
    """Return the content of an extended content description: names, types, raw values."""
    data = b"".join(
        struct.pack("<H", len(utf16(name))) + utf16(name) + struct.pack("<HH", kind, len(raw)) + raw
        for name, kind, raw in pairs
    )
    return struct.pack("<H", len(pairs)) + data
