"""Random ID3v2 tags from raw frames, and a reader that shares no code with the package.

``random_tag`` creates a tag, ``without_genre`` returns everything except its genres, and
``genre_texts`` the texts of its genre frames. Frames can be valid, odd, malformed, packed or
repeated, and their names can contain any bytes.
"""

from __future__ import annotations

import random
import re
import struct
import zlib

NAMES = {
    2: [b"TT2", b"TP1", b"TAL", b"TXX", b"COM", b"PIC", b"ULT", b"UFI", b"GEO", b"PCS", b"XX2"],
    3: [
        b"TIT2",
        b"TPE1",
        b"TALB",
        b"TXXX",
        b"COMM",
        b"APIC",
        b"USLT",
        b"UFID",
        b"GEOB",
        b"PRIV",
        b"TSA ",
        b"TS2 ",
        b"WFED",
        b"LINK",
        b"POPM",
        b"MCDI",
        b"SYLT",
        b"RVA2",
        b"Txyz",
        b"XYZ1",
    ],
}
NAMES[4] = NAMES[3]
GENRES = [
    b"\0Rock",
    b"\0(17)",
    b"\3R\xc3\xb6ck",
    b"\1\xff\xfeR\0o\0c\0k\0",
    b"\0Rock\0Pop",
    b"\0",
    b"",
    b"\2\0R\0o\0c\0k",
    b"\0(4)Eurodisco",
    b"\5Rock",
    b"\1R",
    b"Rock",
]
CONTENTS = [
    b"\0Title",
    b"\1\xff\xfet\0i\0",
    b"\3\xc3\xa9\0two",
    b"\5Artist",
    b"\0en",
    b"",
    b"\0eng\0lyrics",
    b"\0application/x\0\0Serato\0\2\1",
    b"\0http://example.org/\0",
    b"\xff\xe0\xff\0\xff",
    b"owner\0id",
    b"\7",
    b"\xff" * 9,
]


def syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


def unsynced(data: bytes) -> bytes:
    return re.sub(rb"\xff(?=[\0\xe0-\xff]|\Z)", b"\xff\0", data)


# ---------------------------------------------------------------------------- generator


def raw_frame(name: bytes, data: bytes, version: int, flags: int = 0, plain: bool = False) -> bytes:
    if version == 2:
        return name + len(data).to_bytes(3, "big") + data
    size = len(data).to_bytes(4, "big") if version == 3 or plain else syncsafe(len(data))
    return name + size + struct.pack(">H", flags) + data


def random_content(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.6:
        return rng.choice(CONTENTS)
    if kind < 0.7:
        return rng.randbytes(rng.choice([127, 128, 130, 200, 256, 300]))
    return rng.randbytes(rng.randrange(40))


def random_name(rng: random.Random, version: int) -> bytes:
    if rng.random() < 0.9:
        return rng.choice(NAMES[version])
    return bytes(rng.choice(b"AZaz09 \xff\x80!") for _ in range(3 if version == 2 else 4))


def packed(rng: random.Random, data: bytes, version: int) -> tuple[bytes, int]:
    """Compress or group a frame, mark it as encrypted, or only set a status flag."""
    kind = rng.randrange(4)
    if kind == 0 and version == 3:
        return struct.pack(">I", len(data)) + zlib.compress(data), 0x80
    if kind == 0:
        return syncsafe(len(data)) + zlib.compress(data), 0x09
    if kind == 1:
        return b"\x81" + data, 0x20 if version == 3 else 0x40
    if kind == 2:
        return b"\x81" + data, 0x40 if version == 3 else 0x04
    return data, 0x8000 if version == 3 else 0x4000


def random_frame(rng: random.Random, version: int, plain: bool) -> bytes:
    data, flags = random_content(rng), 0
    if version > 2 and rng.random() < 0.1:
        data, flags = packed(rng, data, version)
    return raw_frame(random_name(rng, version), data, version, flags, plain)


def genre_frame(rng: random.Random, version: int, plain: bool) -> bytes:
    data, flags = rng.choice(GENRES), 0
    if version > 2 and rng.random() < 0.1:
        data, flags = packed(rng, data, version)
    return raw_frame(b"TCO" if version == 2 else b"TCON", data, version, flags, plain)


def random_frames(rng: random.Random, version: int, plain: bool) -> list[bytes]:
    frames = [random_frame(rng, version, plain) for _ in range(rng.randrange(7))]
    frames += [rng.choice(frames)] if frames and rng.random() < 0.3 else []
    frames += [genre_frame(rng, version, plain) for _ in range(rng.choice([0, 1, 1, 1, 2]))]
    if version > 2 and rng.random() < 0.1:
        inner = raw_frame(b"TCON", b"\0Inner", version) + raw_frame(b"TIT2", b"\0x", version)
        frames.append(raw_frame(b"CHAP", b"c1\0" + bytes(16) + inner, version, 0, plain))
    rng.shuffle(frames)
    return frames


def extended_header(rng: random.Random, version: int, frames: bytes, padding: int) -> bytes:
    if version == 3:
        crc = struct.pack(">I", zlib.crc32(frames)) if rng.random() < 0.5 else b""
        return struct.pack(">IHI", 6 + len(crc), 0x8000 if crc else 0, padding) + crc
    crc = zlib.crc32(frames + bytes(padding))
    with_crc = b"\5" + bytes(crc >> shift & 127 for shift in (28, 21, 14, 7, 0))
    flag, data = rng.choice([(0x20, with_crc), (0x10, b"\1\x55"), (0x40, b"\0")])
    return syncsafe(6 + len(data)) + b"\1" + bytes([flag]) + data


def random_tag(rng: random.Random, footer: bool | None = None) -> bytes:
    """Create a tag with a footer, without, or with a random choice."""
    version = 4 if footer else rng.choice([2, 3, 3, 4, 4])
    has_footer = version == 4 and (footer if footer is not None else rng.random() < 0.15)
    plain = version == 4 and rng.random() < 0.15
    frames = b"".join(random_frames(rng, version, plain))
    flags, padding = 0, 0 if has_footer else rng.choice([0, 0, 3, 10, 200, 1000])
    if rng.random() < 0.08:
        frames += raw_frame(b"TIT2", bytes(200), version)[: rng.randrange(11, 60)]  # cut off
        padding = 0
    extended = b""
    if version > 2 and rng.random() < 0.15:
        extended, flags = extended_header(rng, version, frames, padding), 0x40
    body = extended + frames + bytes(padding)
    if rng.random() < 0.15:
        flags |= 0x80
        body = unsynced(body) if version < 4 else body
    flags |= 0x10 if has_footer else 0
    head = bytes([version, 0, flags]) + syncsafe(len(body))
    return b"ID3" + head + body + (b"3DI" + head if has_footer else b"")


# ------------------------------------------------------------------------------- reader


def tag_length(data: bytes) -> int:
    """Return the length in bytes of the tag at the start of ``data``."""
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte
    return 20 + size if data[5] & 16 and data[10 + size :][:3] == b"3DI" else 10 + size


class Reader:
    """Reads a tag byte by byte and skips the zeros of unsynchronisation."""

    def __init__(self, data: bytes, unsync: bool) -> None:
        self.data, self.at, self.unsync = data, 0, unsync

    def take(self, n: int) -> bytes | None:
        taken, at = bytearray(), self.at
        while len(taken) < n:
            if at >= len(self.data):
                return None
            taken.append(self.data[at])
            at += 1
            if self.unsync and taken[-1] == 255 and self.data[at : at + 1] == b"\0":
                at += 1
        self.at = at
        return bytes(taken)


def frames_of(tag: bytes, plain: bool) -> tuple[list[tuple[bytes, bytes]], bytes, bool]:
    """Return name and bytes of each frame, the remaining bytes, and whether the sizes fit."""
    version, flags = tag[3], tag[5]
    body = tag[10 : tag_length(tag) - (10 if tag[-10:-7] == b"3DI" and flags & 16 else 0)]
    reader = Reader(body, bool(flags & 128) and version < 4)
    if flags & 64:
        size = struct.unpack(">I", reader.take(4) or bytes(4))[0]
        reader.take(size if version == 3 else size - 4)
    frames, fits = [], True
    n_name, n_head = (3, 6) if version == 2 else (4, 10)
    while True:
        start = reader.at
        head = reader.take(n_head)
        if head is None or not head[:n_name].strip(b"\0"):
            break
        digits = head[n_name : 2 * n_name]
        if version == 4 and not plain:
            fits = fits and max(digits) < 128
            size = sum((byte & 127) << 7 * place for place, byte in enumerate(reversed(digits)))
        else:
            size = int.from_bytes(digits, "big")
        content = reader.take(size)
        if content is None:
            break
        frames.append((head[:n_name], head + content))
    else:
        start = reader.at
    rest = body[start:]
    return frames, rest, fits and not rest.strip(b"\0")


def best_frames(tag: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    known = re.compile(rb"[A-Z][A-Z0-9]{2}[A-Z0-9 ]?")
    readings = [frames_of(tag, plain) for plain in ((False, True) if tag[3] == 4 else (False,))]

    def rank(reading: tuple[list[tuple[bytes, bytes]], bytes, bool]) -> tuple[int, bool]:
        return sum(bool(known.fullmatch(name)) for name, _ in reading[0]), reading[2]

    frames, rest, _ = max(readings, key=rank)
    return frames, rest


def without_genre(tag: bytes) -> tuple[bytes, bytes, list[bytes], bytes]:
    """Return the first bytes of the header, restrictions, raw frames, and the remaining bytes."""
    frames, rest = best_frames(tag)
    raw = [frame for name, frame in frames if name not in (b"TCON", b"TCO")]
    return tag[:6], restrictions(tag), raw, rest if rest.strip(b"\0") else b""


def restrictions(tag: bytes) -> bytes:
    """Return the content of an extended header of version 2.4 without its checksum."""
    if tag[3] != 4 or not tag[5] & 64:
        return b""
    extended = tag[10 : 10 + tag[13]]
    return extended[:6] if extended[5] & 32 else extended


def checksum_is_right(tag: bytes) -> bool:
    """Return whether the checksum in an extended header, if any, fits the frames."""
    version, flags = tag[3], tag[5]
    if not flags & 64 or flags & 128 or tag[-10:-7] == b"3DI":
        return True
    if version == 3 and tag[14] & 128:
        start = 10 + 14
        padding = int.from_bytes(tag[16:20], "big")
        return zlib.crc32(tag[start : len(tag) - padding]) == int.from_bytes(tag[20:24], "big")
    if version == 4 and tag[15] & 32:
        crc = 0
        for byte in tag[17:22]:
            crc = crc << 7 | byte
        return zlib.crc32(tag[22:]) == crc
    return True


def genre_texts(tag: bytes) -> list[bytes]:
    """Return the contents of the genre frames, without header."""
    n_head = 6 if tag[3] == 2 else 10
    frames, _ = best_frames(tag)
    return [frame[n_head:] for name, frame in frames if name in (b"TCON", b"TCO")]


def written(genres: list[str], version: int) -> bytes:
    """Return the content that a genre frame should have."""
    text = ("\0" if version == 4 else "/").join(genres)
    if text.isascii():
        return b"\0" + text.encode()
    return b"\3" + text.encode() if version == 4 else b"\1\xff\xfe" + text.encode("utf-16-le")
