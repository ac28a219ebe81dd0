"""MP4 files with odd tags, and a reader that shares no code with the package.

Specifications: ISO/IEC 14496-12; QuickTime File Format; 3GPP TS 26.244.
"""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Iterator
from typing import NamedTuple

from support import synth, tagged

HANDLER = bytes(8) + b"mdirappl" + bytes(9)
NUMBERS = {1: "Blues", 9: "Jazz", 18: "Rock"}
AROUND = {
    b"moov",
    b"udta",
    b"meta",
    b"ilst",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"moof",
    b"traf",
    b"mfra",
}
WHERE = (b"genre", b"com.apple.quicktime.genre")


class Atom(NamedTuple):
    path: tuple[bytes, ...]
    start: int  # of the content
    end: int
    handler: bytes  # of the meta around it
    keys: tuple[bytes, ...]


# ----------------------------------------------------------------------------- the reader


def atoms(
    data: bytes,
    at: int,
    end: int,
    path: tuple[bytes, ...] = (),
    handler: bytes = b"",
    keys: tuple[bytes, ...] = (),
) -> Iterator[Atom]:
    """Yield all atoms; malformed ones are a ``ValueError``."""
    while at + 8 <= end and (any(data[at : at + 8]) or not path):
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,), start = struct.unpack_from(">Q", data, at + 8), at + 16
        if size == 0:
            size = end - at
            if path:
                raise ValueError("open within another")
        if at + size > end or start > at + size:
            if path:
                raise ValueError("reaches too far")
            break
        found = Atom((*path, name), start, at + size, handler, keys)
        yield found
        in_udta = path[:2] == (b"moov", b"trak") and name in (b"udta", b"meta")
        if name in AROUND and path[-1:] != (b"ilst",) and not in_udta:
            inner = start + 4 * (name == b"meta" and data[start + 4 : start + 8] != b"hdlr")
            if name == b"meta":
                handler, keys = _meta(data, inner, at + size)
            yield from atoms(data, inner, at + size, found.path, handler, keys)
        at += size
    if data[at:end]:
        yield Atom((*path, b"tail"), at, end, handler, keys)


def _meta(data: bytes, at: int, end: int) -> tuple[bytes, tuple[bytes, ...]]:
    handler, keys = b"", []
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        if name == b"hdlr":
            handler = data[at + 16 : at + 20]
        if name == b"keys":
            offset = at + 16
            while offset < at + size:
                length = int.from_bytes(data[offset : offset + 4], "big")
                keys.append(data[offset + 8 : offset + length])
                offset += length
        if size < 8:
            break
        at += size
    return handler, tuple(keys)


def _is_genre(atom: Atom) -> bool:
    *around, name = atom.path
    if around[-1:] == [b"ilst"] and atom.handler == b"mdta":
        number = int.from_bytes(name, "big")
        return 0 < number <= len(atom.keys) and atom.keys[number - 1] in WHERE
    return name in (b"\xa9gen", b"gnre") and tuple(around) in (
        (b"moov", b"udta"),
        (b"moov", b"udta", b"meta", b"ilst"),
        (b"moov", b"meta", b"ilst"),
    )


def others(data: bytes, suffix: str) -> object:
    """Return everything except the genre; offsets are replaced by the data that they point to."""
    found: list[object] = []
    for atom in atoms(data, 0, len(data)):
        content = data[atom.start : atom.end]
        name = atom.path[-1]
        frame = name in AROUND or (name == b"hdlr" and content == HANDLER)
        spare = name in (b"free", b"skip") and not any(content)
        if name == b"keys":
            found.append((content[:4], [key for key in atom.keys if key not in WHERE]))
        elif name in (b"stco", b"co64", b"tfhd", b"tfra"):
            found.append((name, list(_targets(data, name, content))))
        elif atom.path[-2:-1] == (b"ilst",) and not _is_genre(atom):
            found.append((atom.path, content))
        elif spare:
            found.append(atom.path)
        elif name == b"tail" and content.startswith(b"TAG"):  # ID3v1, whose last byte is the genre
            found.append((atom.path, content[:-1]))
        elif not frame and not _is_genre(atom):
            found.append((atom.path, content))
    return found


def _targets(data: bytes, name: bytes, content: bytes) -> Iterator[bytes]:
    """Yield the first bytes of the data that the offsets point to."""
    if name in (b"stco", b"co64"):
        size = 4 if name == b"stco" else 8
        offsets_at = [
            int.from_bytes(content[at : at + size], "big") for at in range(8, len(content), size)
        ]
    elif name == b"tfhd":
        offsets_at = [int.from_bytes(content[8:16], "big")] if content[3] & 1 else []
    else:
        offsets_at = [
            struct.unpack_from(">QQ", content, at)[1] for at in range(16, len(content) - 18, 19)
        ]
        assert content[0] == 1
        assert offsets_at
    yield from (data[offset : offset + 24] for offset in offsets_at)


def genres(data: bytes, suffix: str) -> list[str]:
    """Return the genres of iTunes, else those of keys, else the text of QuickTime or 3GPP."""
    found = [atom for atom in atoms(data, 0, len(data)) if _is_genre(atom)]
    items = [atom for atom in found if atom.path[-2] == b"ilst"]
    for mdta, n_around in ((False, 5), (False, 4), (True, 5), (True, 4)):
        here = [atom for atom in items if (atom.handler == b"mdta") == mdta]
        here = [atom for atom in here if len(atom.path) == n_around]
        texts = [t for atom in here for t in _texts(data, atom) if atom.path[-1] != b"gnre"]
        numbers = [n for atom in here for n in _numbers(data, atom) if atom.path[-1] == b"gnre"]
        if texts or numbers:
            return texts or numbers
    users = [
        data[atom.start : atom.end]
        for atom in found
        if atom.path[-2] == b"udta" and atom.path[-1] != b"gnre"
    ]
    user_texts = [user[4 : 4 + int.from_bytes(user[:2], "big")].decode() for user in users]
    user_texts += [
        data[atom.start + 6 : atom.end].split(b"\0")[0].decode()
        for atom in found
        if atom.path[1:] == (b"udta", b"gnre")
    ]
    return list(dict.fromkeys(filter(None, user_texts)))


def _values(data: bytes, atom: Atom) -> Iterator[tuple[int, bytes]]:
    at = atom.start
    while at + 16 <= atom.end:
        size, name, kind = struct.unpack_from(">I4sI", data, at)
        if name != b"data" or size < 16 or at + size > atom.end:
            return
        yield kind, data[at + 16 : at + size]
        at += size


def _texts(data: bytes, atom: Atom) -> list[str]:
    codecs = {0: "utf-8", 1: "utf-8", 2: "utf-16-be"}
    return [
        value.decode(codecs[kind])
        for kind, value in _values(data, atom)
        if kind in codecs and value
    ]


def _numbers(data: bytes, atom: Atom) -> list[str]:
    numbers = [int.from_bytes(value, "big") for _, value in _values(data, atom) if len(value) == 2]
    return [NUMBERS[number] for number in numbers if number in NUMBERS]


# -------------------------------------------------------------------------- the generator


def box(name: bytes, content: bytes, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, name, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8, name) + content


def value(kind: int, content: bytes) -> bytes:
    return box(b"data", struct.pack(">II", kind, 0) + content)


def item(rng: random.Random) -> bytes:
    mean, name = box(b"mean", bytes(4) + b"com.apple.iTunes"), box(b"name", bytes(4) + b"MOOD")
    name_of = rng.choice(
        [
            b"\xa9nam",
            b"\xa9ART",
            b"\xa9alb",
            b"desc",
            b"\xa9too",
            b"xxxx",
            rng.randbytes(3) + b"q",
            b"stik",
            b"tmpo",
            b"\0\0\0\7",
        ]
    )
    choices = [
        box(name_of, value(1, rng.choice([b"words", b"", "Größe".encode(), b"\xff\xfe"]))),
        box(b"covr", value(13, rng.randbytes(30)) + value(14, rng.randbytes(9))),
        box(b"covr", value(rng.choice([0, 27, 99]), rng.randbytes(20))),
        box(b"covr", value(13, b"x") + box(b"name", b"a.png")),
        box(b"----", value(1, b"no name")),
        box(b"----", mean + value(1, b"no name")),
        box(b"----", name + value(1, b"no mean")),
        box(b"----", mean + name + value(0, b"\0\1") + value(21, b"\7")),
        box(b"trkn", value(0, bytes([0, 0, 0, 3, 0, 9, 0, 0]))),
        box(b"trkn", value(0, b"\0")),
        box(rng.choice([b"cpil", b"disk", b"free", b"rtng"]), rng.randbytes(rng.randrange(20))),
        box(name_of, value(1, b"a") + value(1, b"b"), wide=True),
        box(name_of, b""),
    ]
    return rng.choice(choices)


def genre(rng: random.Random) -> bytes:
    return rng.choice(
        [
            box(b"\xa9gen", value(1, b"Rock")),
            box(b"\xa9gen", value(1, b"Rock") + value(1, "Größe".encode())),
            box(b"\xa9gen", value(2, "Rock".encode("utf-16-be"))),
            box(b"\xa9gen", b"no value"),
            box(b"gnre", value(0, struct.pack(">H", rng.choice([1, 9, 18, 999, 0])))),
            box(b"gnre", value(0, b"")),
        ]
    )


def meta(rng: random.Random, mdta: bool) -> bytes:
    n_genres = rng.choice([0, 1, 1, 1, 2])
    if mdta:
        names = [b"title", rng.choice([*WHERE, b"mood"]), "имя".encode()]
        keys = b"".join(struct.pack(">I", 8 + len(name)) + b"mdta" + name for name in names)
        items = [
            box(struct.pack(">I", n), value(1, b"Pop")) for n in (1, 2, 3, 9) if rng.random() < 0.8
        ]
        before = box(b"hdlr", bytes(8) + b"mdta" + bytes(13)) + box(
            b"keys", bytes(4) + struct.pack(">I", 3) + keys
        )
    else:
        items = [item(rng) for _ in range(rng.randrange(6))]
        items += [each for each in items if rng.random() < 0.15]
        for _ in range(n_genres):
            items.insert(rng.randrange(len(items) + 1), genre(rng))
        before = box(
            b"hdlr", rng.choice([HANDLER, HANDLER, bytes(8) + b"mdirappl" + bytes(8) + b"\0x"])
        )
    content = b"".join(items)
    if rng.random() < 0.03:
        content += struct.pack(">I", rng.choice([3, 2**31, 60])) + b"liar" + b"\1"
    parts = [before, spare(rng), box(b"ilst", content, wide=rng.random() < 0.1), spare(rng)]
    return box(b"meta", bytes(4) * (mdta is False or rng.random() < 0.7) + b"".join(parts))


def spare(rng: random.Random) -> bytes:
    return rng.choice(
        [b"", b"", box(b"free", bytes(rng.choice([0, 5, 400, 4000]))), box(b"free", b"kept")]
    )


def tags(rng: random.Random) -> bytes:
    """Return the atoms after the tracks in ``moov``."""
    text = rng.choice([b"Rock", b"Rock and roll"])
    users = [
        box(b"\xa9gen", struct.pack(">HH", len(text), rng.choice([0, 0x55C4])) + text),
        box(b"gnre", bytes(4) + b"\x15\xc7" + text + b"\0"),
        box(b"\xa9nam", b"\0\1\0\0x"),
        box(b"chpl", rng.randbytes(12)),
        box(b"titl", bytes(6) + b"x\0"),
    ]
    kind = rng.random()
    if kind < 0.1:
        return b""
    parts = [each for each in users if rng.random() < (0.6 if kind < 0.25 else 0.1)]
    if kind > 0.2:
        parts.insert(rng.randrange(len(parts) + 1), meta(rng, mdta=kind > 0.75))
    udta = box(b"udta", b"".join(parts) + rng.choice([b"", bytes(4)]))
    last = box(b"meta", meta(rng, mdta=True)[8:]) if rng.random() < 0.1 else b""
    return rng.choice([b"", spare(rng)]) + udta + last


@functools.cache
def _base(fragmented: bool) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """Return the tracks in ``moov``, the content of ``mdat``, and the atoms of a file."""
    data = tagged.recording("m4a")
    if fragmented:
        y = synth.music(0.3, tagged.RATE)
        options = {"movflags": "frag_keyframe+empty_moov"}
        data = synth.encode(y, tagged.RATE, "aac", "mp4", options=options)
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + size]))
        at += size
    moov, tracks, at = dict(parts)[b"moov"], b"", 0
    while at < len(moov):
        size = int.from_bytes(moov[at : at + 4], "big")
        tracks += b"" if moov[at + 4 : at + 8] == b"udta" else moov[at : at + size]
        at += size
    return tracks, dict(parts)[b"mdat"], parts


def cases(rng: random.Random) -> tuple[str, bytes]:
    """Return suffix and content of a file; some have fragments, some have the tags first."""
    fragmented = rng.random() < 0.15
    tracks, audio, parts = _base(fragmented)
    moov = box(b"moov", tracks + tags(rng), wide=rng.random() < 0.1)
    if fragmented:
        return ".mp4", _fragmented(moov, parts)
    start = box(*parts[0]) + rng.choice([b"", box(b"free", b""), box(b"wide", b"")])
    mdat = box(b"mdat", audio, wide=rng.random() < 0.2)
    if rng.random() < 0.4:
        data = start + mdat + moov + rng.choice([b"", spare(rng), b"TAG" + bytes(125), b"\0\0\0\1"])
    else:
        end = rng.choice(
            [mdat, b"\0\0\0\0" + mdat[4:] if mdat[3] != 1 else mdat, mdat + box(b"uuid", b"x")]
        )
        data = start + moov + spare(rng) + end
    return ".m4a", _pointed(data, audio)


def _pointed(data: bytes, audio: bytes) -> bytes:
    """Set the offsets in the only table, so that they point to the audio."""
    at = data.index(b"stco") + 8
    (n,) = struct.unpack_from(">I", data, at)
    offsets = struct.unpack_from(f">{n}I", data, at + 4)
    shift = data.index(audio[:64]) - offsets[0]
    moved = struct.pack(f">{n}I", *(offset + shift for offset in offsets))
    return data[: at + 4] + moved + data[at + 4 + 4 * n :]


def _fragmented(moov: bytes, parts: list[tuple[bytes, bytes]]) -> bytes:
    """Replace ``moov`` in a file with fragments, and adapt the offsets."""
    old = 8 + len(dict(parts)[b"moov"])
    data = bytearray()
    for name, content in parts:
        if name in (b"moof", b"mfra"):
            content = bytearray(content)
            tag, step = (b"tfhd", 12) if name == b"moof" else (b"tfra", 28)
            at = content.index(tag) + step
            (offset,) = struct.unpack_from(">Q", content, at)
            struct.pack_into(">Q", content, at, offset + len(moov) - old)
        data += moov if name == b"moov" else box(name, bytes(content))
    return bytes(data)
