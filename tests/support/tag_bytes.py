"""Tags and files as bytes, built by hand for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.tags import write_genres
from support.id3_cases import raw_frame, syncsafe
from support.stream_cases import FRAME

SOUND = FRAME * 6

# --------------------------------------------------------------------------------- ID3v2


def id3(*frames: bytes, version: int = 3, flags: int = 0, padding: int = 200) -> bytes:
    body = b"".join(frames) + bytes(padding)
    head = bytes([version, 0, flags]) + syncsafe(len(body))
    return b"ID3" + head + body + (b"3DI" + head if flags & 0x10 else b"")


def frame(name: bytes, data: bytes, flags: int = 0, version: int = 3) -> bytes:
    return raw_frame(name, data, version, flags)


def text(name: bytes, value: str, version: int = 3) -> bytes:
    return frame(name, b"\0" + value.encode("latin-1"), version=version)


TITLE = text(b"TIT2", "Title")
ROCK = text(b"TCON", "Rock")
FOOTED = text(b"TIT2", "Title", 4) + text(b"TCON", "Rock", 4)

# ------------------------------------------------------------------------ RIFF, AIFF, DSF


def id3_chunk(tag: bytes) -> bytes:
    return b"id3 " + struct.pack("<I", len(tag)) + tag + bytes(len(tag) % 2)


def wav(*chunks: bytes, size: int | None = None) -> bytes:
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16)
    body = b"WAVE" + form + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


DATA = b"data" + struct.pack("<I", 8) + bytes(8)


def aiff(*chunks: bytes, size: int) -> bytes:
    return b"FORM" + struct.pack(">I", size) + b"AIFF" + b"".join(chunks)


def dsf(size: int, offset: int) -> bytes:
    return b"DSD " + struct.pack("<QQQ", 28, size, offset) + bytes(60)


def head(name: bytes, size: int, order: str = "<") -> bytes:
    return name + struct.pack(order + "I", size)


def info(*items: tuple[bytes, bytes], is_padded: bool = True) -> bytes:
    """Return a list; its last item ends with the list or with a padding byte."""
    chunks = [head(name, len(data)) + data + bytes(len(data) % 2) for name, data in items]
    content = b"INFO" + b"".join(chunks)
    if not is_padded and len(items[-1][1]) % 2:
        content = content[:-1]
    return head(b"LIST", len(content)) + content + bytes(len(content) % 2)


def refusal(path: Path, genres: list[str], **options: int) -> str:
    """Write genres, check that this fails without a change, and return the reason."""
    before = path.read_bytes()
    with pytest.raises(TagError) as caught:
        write_genres(path, genres, **options)
    assert path.read_bytes() == before
    return caught.value.reason
