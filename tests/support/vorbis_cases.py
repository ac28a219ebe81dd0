"""Files with odd Vorbis comments, and a reader that shares no code with the package.

Specifications: Vorbis I, section 5; RFC 9639, section 8; RFC 3533, section 6; RFC 7845, section 5.
"""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Callable

from support import tagged

SUFFIXES = {".flac": "flac", ".ogg": "vorbis", ".opus": "opus", ".oga": "oggflac", ".spx": ""}
_SPARE, _COMMENTS = 1, 4  # metadata blocks of FLAC

Page = tuple[
    int, int, int, int, list[bytes], bool
]  # flags, position, serial, number, segments, whole


def cases(rng: random.Random) -> tuple[str, bytes]:
    """Return the ending and the content of a file."""
    suffix = rng.choice([".flac", *SUFFIXES])
    return suffix, flac(rng) if suffix == ".flac" else ogg(rng, suffix)


def others(data: bytes, suffix: str) -> object:
    """Return everything except genre and zero padding; malformed files raise ``ValueError``."""
    return _read(data, suffix, lambda block: _parsed(block)[1])


def genres(data: bytes, suffix: str) -> list[str]:
    """Return the genres of the first block of comments that has any."""
    blocks: list[list[str]] = []
    _read(data, suffix, lambda block: blocks.append(_parsed(block)[0]))
    return next(filter(None, blocks), [])


def _read(data: bytes, suffix: str, parse: Callable[[bytes], object]) -> object:
    return read_flac(data, parse) if suffix == ".flac" else read_ogg(data, suffix, parse)


# ------------------------------------------------------------------------------- comments


def comment(rng: random.Random) -> bytes:
    name = rng.choice(
        [
            b"TITLE",
            b"Artist",
            "ПОДЖАНР".encode(),
            "アルバム".encode(),
            b"~internal",
            b"",
            b"GENRE ",
            b"SUBGENRE",
            b"\xff\xfe",
            b"a\0b",
            b"GENR\xc3\x8b",
            rng.randbytes(rng.randrange(6)),
        ]
    )
    value = rng.choice([b"x", b"", b"a=b", "Größe".encode(), b"\xc4\0\xff", rng.randbytes(40)])
    odd = [name, b"", b"=", b"==", b"no equals sign", b"GENRE", rng.randbytes(9).replace(b"=", b"")]
    if rng.random() < 0.15:
        return rng.choice(odd)
    if rng.random() < 0.03:
        return b"METADATA_BLOCK_PICTURE=" + rng.randbytes(rng.choice([300, 5000, 70_000]))
    return name + b"=" + value


def genre(rng: random.Random) -> bytes:
    name = rng.choice([b"GENRE", b"genre", b"Genre", b"gEnRe"])
    return name + b"=" + rng.choice([b"Rock", b"Jazz", b"", "Größe".encode(), b"\xff\xff", b"a=b"])


def block(rng: random.Random, rest: bytes = b"") -> bytes:
    comments = [comment(rng) for _ in range(rng.choice([0, 1, 3, 8]))]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        comments.insert(rng.randrange(len(comments) + 1), genre(rng))
    comments += [each for each in comments if rng.random() < 0.1]  # duplicates
    vendor = rng.choice([b"", b"a vendor", b"\xff\xff", b"Lavf62.12.102"])
    n = len(comments) + (rng.choice([1, 2**31]) if rng.random() < 0.03 else 0)
    strings = [struct.pack("<I", len(each)) + each for each in (vendor, *comments)]
    return b"".join([strings[0], struct.pack("<I", n), *strings[1:], rest])


def _parsed(data: bytes) -> tuple[list[str], object]:
    """Return the genres of a block, and its other content."""
    strings, at, left = [], 0, 1
    while left:
        if at + 4 > len(data):
            raise ValueError("cut off")
        length = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + length > len(data):
            raise ValueError("cut off")
        strings.append(data[at + 4 : at + 4 + length])
        at, left = at + 4 + length, left - 1
        if len(strings) == 1:
            left, at = int.from_bytes(data[at : at + 4], "little"), at + 4
    is_genre = [n > 0 and each[:6].upper() == b"GENRE=" for n, each in enumerate(strings)]
    found = [each for each, is_one in zip(strings, is_genre, strict=True) if is_one]
    rest = [each for each, is_one in zip(strings, is_genre, strict=True) if not is_one]
    values = [each[6:].decode("utf-8", "replace") for each in found]
    return [value for value in values if value], (rest, data[at:])


# ----------------------------------------------------------------------------------- FLAC


def flac(rng: random.Random) -> bytes:
    audio = tagged.recording("flac")
    parts, frames = _flac_parts(audio, 0)
    blocks = [parts[0]]
    for _ in range(rng.choice([1, 1, 1, 1, 0, 2])):
        blocks.append((_COMMENTS, block(rng, rng.choice([b"", b"", b"\0\0", b"\1more"]))))
    for _ in range(rng.randrange(5)):
        kind = rng.choice([_SPARE, _SPARE, 2, 2, 5, 6, 6, 20, 126])
        content = rng.randbytes(rng.randrange(90))
        if kind == _SPARE and rng.random() < 0.7:
            content = bytes(rng.choice([0, 3, 50, 4000]))
        blocks.insert(rng.randrange(1, len(blocks) + 1), (kind, content))
    data = b"fLaC"
    for at, (kind, content) in enumerate(blocks):
        last = 0x80 * (at == len(blocks) - 1)
        data += bytes([kind | last]) + len(content).to_bytes(3, "big") + content
    return (
        rng.choice([b"", b"", b"ID3\4\0\0\0\0\0\5hello", 2 * b"ID3\3\0\0\0\0\0\1x"]) + data + frames
    )


def _flac_parts(data: bytes, at: int) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the kinds and contents of the blocks, and the data after them."""
    at, parts, last = at + 4, [], 0
    while not last:
        last, size = data[at] & 0x80, int.from_bytes(data[at + 1 : at + 4], "big")
        parts.append((data[at] & 0x7F, data[at + 4 : at + 4 + size]))
        at += 4 + size
    return parts, data[at:]


def read_flac(data: bytes, parse: Callable[[bytes], object]) -> object:
    start = 0
    while data[start : start + 3] == b"ID3":
        start += 10 + data[start + 9]
    parts, frames = _flac_parts(data, start)
    blocks = []
    for kind, content in parts:
        spare = kind == _SPARE and not any(content)
        blocks.append((kind, parse(content) if kind == _COMMENTS else b"" if spare else content))
    if not any(kind == _COMMENTS for kind, _ in parts):  # writing the first genre adds a block
        blocks.insert(1, (_COMMENTS, ([b"genrelens"], b"")))
    return data[:start], blocks, frames


# ------------------------------------------------------------------------------------ Ogg

_CRC = [
    functools.reduce(lambda c, _: c << 1 ^ 0x104C11DB7 * (c >> 31), range(8), n << 24)
    for n in range(256)
]


def _crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[value >> 24 ^ byte]
    return value


def _page(flags: int, position: int, serial: int, number: int, lacing: bytes, body: bytes) -> bytes:
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, position, serial, number, 0)
    page = head + bytes([len(lacing)]) + lacing + body
    return page[:22] + struct.pack("<I", _crc(page)) + page[26:]


def _pages(data: bytes) -> list[Page]:
    pages, at = [], 0
    while at < len(data):
        magic, _, flags, position, serial, number, crc, n = struct.unpack_from(
            "<4sBBqIIIB", data, at
        )
        lacing = data[at + 27 : at + 27 + n]
        end = at + 27 + n + sum(lacing)
        page = data[at:end]
        assert magic == b"OggS"
        assert _crc(page[:22] + bytes(4) + page[26:]) == crc
        segments, start, length = [], at + 27 + n, 0
        for each in lacing:
            length += each
            if each < 255:
                segments.append(data[start : start + length])
                start, length = start + length, 0
        whole = not length
        if length:
            segments.append(data[start : start + length])
        pages.append((flags, position, serial, number, segments, whole))
        at = end
    return pages


def _packets(pages: list[Page]) -> list[bytes]:
    packets: list[bytes] = []
    whole = True
    for flags, _, _, _, segments, is_whole in pages:
        assert bool(flags & 1) == (not whole)
        for at, part in enumerate(segments):
            if at == 0 and not whole:
                packets[-1] += part
            else:
                packets.append(part)
        whole = is_whole if segments else whole
    return packets


def _paged(packets: list[bytes], serial: int, n_segments: Callable[[], int]) -> list[bytes]:
    """Return the second page and those after it, with packets that end in the last page."""
    lacing = [
        (k, min(255, len(p) - i)) for k, p in enumerate(packets) for i in range(0, len(p) + 1, 255)
    ]
    whole, pages, at, start = b"".join(packets), [], 0, 0
    while at < len(lacing):
        n = min(255, n_segments(), len(lacing) - at)
        sizes = bytes(size for _, size in lacing[at : at + n])
        continued = at > 0 and lacing[at - 1][1] == 255
        position = 0 if any(size < 255 for size in sizes) else -1
        body = whole[start : start + sum(sizes)]
        pages.append(_page(int(continued), position, serial, 1 + len(pages), sizes, body))
        at, start = at + n, start + sum(sizes)
    return pages


def ogg(rng: random.Random, suffix: str) -> bytes:
    """Return a file with new comments in pages of any size, sometimes with a second stream."""
    rests = {
        ".ogg": [b"\1", b"\1", b"\1" + bytes(30), b"", b"\1junk"],
        ".opus": [b"", b"", bytes(30), b"\1kept", b"\2data"],
    }
    content = block(rng, rng.choice(rests.get(suffix, [b""])))
    most = rng.choice([1, 5, 17, 255] if len(content) < 20_000 else [255])
    first, middle, rest = ogg_parts(suffix, content, lambda: rng.randint(1, most))
    if rng.random() < 0.2:
        first.append(_page(2, 0, 1, 0, b"\7", b"another"))
        middle.insert(rng.randrange(len(middle) + 1), _page(0, 0, 1, 1, b"\3", b"one"))
        rest.append(_page(4, 9, 1, 2, b"\3", b"end"))
    return b"".join([*first, *middle, *rest])


def ogg_parts(
    suffix: str, content: bytes, n_segments: Callable[[], int] = lambda: 255
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return the first page, the pages of comments and setup, and the other pages."""
    pages = _pages(_speex() if suffix == ".spx" else tagged.recording(SUFFIXES[suffix]))
    packets, n_headers = _packets(pages), 3 if suffix == ".ogg" else 2
    start = {".ogg": b"\3vorbis", ".opus": b"OpusTags", ".spx": b""}.get(suffix)
    if start is None:
        start = packets[1][:1] + len(content).to_bytes(3, "big")
    middle = _paged([start + content, *packets[2:n_headers]], pages[0][2], n_segments)
    n_old = next(n for n in range(2, len(pages)) if len(_packets(pages[:n])) == n_headers)
    rest = [_again(page, len(middle) - n_old + 1) for page in pages[n_old:]]
    return [_again(pages[0], 0)], middle, rest


def _again(page: Page, shift: int) -> bytes:
    flags, position, serial, number, segments, whole = page
    lacing = b"".join(b"\xff" * (len(each) // 255) + bytes([len(each) % 255]) for each in segments)
    lacing = lacing if whole else lacing[:-1]
    return _page(flags, position, serial, number + shift, lacing, b"".join(segments))


def _speex() -> bytes:
    """Return a file of three packets without real audio."""
    head = (
        b"Speex   "
        + b"1.2".ljust(20, b"\0")
        + struct.pack("<13I", 1, 80, 16000, 1, 4, 1, 0xFFFFFFFF, 320, 0, 1, 0, 0, 0)
    )
    comments = struct.pack("<II", 0, 0)
    packets = [(2, 0, head), (0, 0, comments), (4, 320, bytes(range(100)))]
    return b"".join(
        _page(flags, position, 7, number, bytes([len(data)]), data)
        for number, (flags, position, data) in enumerate(packets)
    )


def read_ogg(data: bytes, suffix: str, parse: Callable[[bytes], object]) -> object:
    """Return the packets of the stream and the pages of other streams; check the page numbers."""
    pages = _pages(data)
    serial = pages[0][2]
    own = [page for page in pages if page[2] == serial]
    assert [page[3] for page in own] == list(range(len(own)))
    ended = [page[1] != -1 for page in own]
    assert ended == [len(page[4]) > 1 or (page[5] and len(page[4]) == 1) for page in own]
    packets: list[object] = list(_packets(own))
    comments = packets[1]
    assert isinstance(comments, bytes)
    n_start = {".ogg": 7, ".opus": 8, ".spx": 0}.get(suffix, 4)
    if suffix == ".oga":
        assert int.from_bytes(comments[1:4], "big") == len(comments) - 4
    start = comments[: 1 if suffix == ".oga" else n_start]
    packets[1] = start, parse(comments[n_start:])
    positions = [page[1] for page in own if page[1] > 0]
    return packets, positions, own[-1][0] & 4, [page for page in pages if page[2] != serial]
