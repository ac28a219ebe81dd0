"""Random files of audio without a container, with tags before and after the audio.

As in the other modules of cases, ``cases`` creates a file, and ``problems`` compares it with the
file after genres were written.
"""

from __future__ import annotations

import random
import struct

from support import id3_cases as id3

FRAME = b"\xff\xfb\x90\x00" + bytes(413)  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz
SOUNDS = {
    ".mp3": FRAME * 6,
    ".aac": (b"\xff\xf1\x50\x80\x03\xff\xfc" + bytes(24)) * 8,
    ".wv": b"wvpk" + bytes(300),
    ".mpc": b"MPCK" + bytes(300),
    ".ape": b"MAC \x96\x0f" + bytes(300),
    ".tta": b"TTA1" + bytes(300),
}
ITEMS = [b"Title", b"ARTIST", b"artist", b"Mood", b"Cover Art (Front)", b"\xff\x80", b"x", b"Link"]


def ape_item(name: bytes, value: bytes, flags: int = 0) -> bytes:
    return struct.pack("<II", len(value), flags) + name + b"\0" + value


def ape_tag(items: list[bytes], *, header: bool = True, rest: bytes = b"", more: int = 0) -> bytes:
    body = b"".join(items) + rest
    edge = b"APETAGEX" + struct.pack("<III", 2000, len(body) + 32, len(items) + more)
    flags = 0x80000000 if header else 0
    first = edge + struct.pack("<I", flags | 0x20000000) + bytes(8) if header else b""
    return first + body + edge + struct.pack("<I", flags) + bytes(8)


def random_ape(rng: random.Random) -> bytes:
    items = [
        ape_item(
            rng.choice(ITEMS), rng.randbytes(rng.randrange(30)), rng.choice([0, 0, 1, 2, 4, 3])
        )
        for _ in range(rng.randrange(5))
    ]
    for name in rng.choices([b"Genre", b"GENRE", b"genre"], k=rng.choice([0, 1, 1, 2])):
        value = rng.choice([b"Rock", b"Rock\0Pop", b"R\xc3\xb6ck", b"R\xf6ck", b""])
        items.append(ape_item(name, value, rng.choice([0, 1])))
    rng.shuffle(items)
    rest = struct.pack("<II", 999, 0) + b"cut" if rng.random() < 0.05 else b""
    more = 1 if rest else rng.choice([0, 0, 0, 3, -1 if items else 0])
    return ape_tag(items, header=rng.random() < 0.8, rest=rest, more=more)


def random_id3v1(rng: random.Random) -> bytes:
    text = b"Title".ljust(30, b"\0") + rng.randbytes(60) + b"1999" + b"Comment".ljust(28, b"\0")
    tag = b"TAG" + text + bytes([0, 7, rng.choice([0, 17, 9, 255, 200])])
    enhanced = b"TAG+" + rng.randbytes(181) + rng.choice([b"", b"Rock"]).ljust(30, b"\0")
    return enhanced + b"00:0003:00" + bytes(2) + tag if rng.random() < 0.15 else tag


def random_lyrics(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return b"LYRICSBEGIN" + b"some words " * rng.randrange(5) + b"LYRICSEND"
    lyrics = b"LYRICSBEGININD0000200LYR00005hello"
    return lyrics + b"%06dLYRICS200" % len(lyrics)


def cases(rng: random.Random) -> tuple[str, bytes]:
    """Return suffix and bytes of a random file."""
    suffix = rng.choice([".mp3", ".mp3", ".mp3", *SOUNDS])
    front = [id3.random_tag(rng) for _ in range(rng.choice([0, 1, 1, 1, 1, 2]))]
    after = [random_ape(rng)] if rng.random() < (0.3 if suffix in (".mp3", ".aac") else 0.8) else []
    after += [id3.random_tag(rng, footer=True)] if rng.random() < 0.1 else []
    after += [random_lyrics(rng) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    after += [random_id3v1(rng)] if rng.random() < 0.4 else []
    return suffix, b"".join([*front, SOUNDS[suffix], *after])


# ------------------------------------------------------------------------------- reader


def split(data: bytes, suffix: str) -> tuple[list[bytes], list[bytes]]:
    """Return the tags before and after the audio."""
    audio = SOUNDS[suffix]
    front, after = [], []
    while data.startswith(b"ID3"):
        n_bytes = id3.tag_length(data)
        front.append(data[:n_bytes])
        data = data[n_bytes:]
    if not data.startswith(audio):
        raise AssertionError("the audio has changed, or is not directly after the tags")
    data = data[len(audio) :]
    while data:
        n_bytes = length(data)
        after.append(data[:n_bytes])
        data = data[n_bytes:]
    return front, after


def length(data: bytes) -> int:
    """Return the length in bytes of the first tag in the data."""
    if data.startswith(b"ID3"):
        return id3.tag_length(data)
    if data.startswith(b"APETAGEX") and data[23] & 0x20:
        return 32 + struct.unpack("<I", data[12:16])[0]
    if data.startswith(b"TAG+"):
        return 355
    if data.startswith(b"TAG"):
        return 128
    ends = [data.find(end) + 9 for end in (b"LYRICSEND", b"LYRICS200") if end in data]
    if data.startswith(b"LYRICSBEGIN"):
        return min(ends)
    return data.index(b"APETAGEX") + 32  # an APE tag without a header


def ape_items(tag: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return name and raw bytes of each item, and the remaining bytes."""
    at, stop, items = 32 * has_header(tag), len(tag) - 32, []
    while at + 8 < stop:
        size = int.from_bytes(tag[at : at + 4], "little")
        name = tag[at + 8 : stop].split(b"\0")[0]
        end = at + 8 + len(name) + 1 + size
        if end > stop:
            break
        items.append((name, tag[at:end]))
        at = end
    return items, tag[at:stop]


def other_parts(tag: bytes) -> object:
    """Return everything in a tag except the genres."""
    if tag.startswith(b"ID3"):
        return id3.without_genre(tag)
    if tag.startswith(b"TAG"):
        genre = slice(185, 215) if tag.startswith(b"TAG+") else slice(0, 0)
        return tag[: genre.start] + tag[genre.stop : -1]
    if tag.startswith(b"LYRICS"):
        return tag
    items, rest = ape_items(tag)
    edge = tag[-32:-24] + tag[-12:]
    kept = [raw for name, raw in items if name.lower() != b"genre"]
    return edge, has_header(tag), kept, rest


def has_header(tag: bytes) -> bool:
    return tag.startswith(b"APETAGEX") and bool(tag[23] & 0x20)


def genres_of(tag: bytes) -> list[bytes]:
    """Return the raw values of genre frames and items."""
    if tag.startswith(b"ID3"):
        return id3.genre_texts(tag)
    if tag.startswith((b"TAG", b"LYRICS")):
        return []
    return [raw[8 + len(name) + 1 :] for name, raw in ape_items(tag)[0] if name.lower() == b"genre"]


def problems(before: bytes, after: bytes, suffix: str, genres: list[str]) -> list[str]:
    """Return the faults of a file after genres were written to it."""
    old, new = split(before, suffix), split(after, suffix)
    found = []
    made = has_new_tag(old, new)
    if made:
        new[made[0]].pop(made[1])
    for side in (0, 1):
        if list(map(other_parts, new[side])) != list(map(other_parts, old[side])):
            found.append("something else is changed")
    tags = [*split(after, suffix)[0], *split(after, suffix)[1]]
    for tag in tags:
        found += [f"holds the genre {text!r}" for text in stale(tag, genres)]
        if tag.startswith(b"ID3") and not id3.checksum_is_right(tag):
            found.append("a checksum is wrong")
    if genres and not any(map(genres_of, tags)):
        found.append("no genre was written")
    return found


def has_new_tag(
    old: tuple[list[bytes], list[bytes]], new: tuple[list[bytes], list[bytes]]
) -> tuple[int, int] | None:
    """Return the side of a new tag, and its index there; None without a new tag."""
    if len(new[0]) > len(old[0]):
        return 0, 0
    return (1, 0) if len(new[1]) > len(old[1]) else None


def stale(tag: bytes, genres: list[str]) -> list[bytes]:
    """Return genres in a tag that differ from the written ones, or that occur twice."""
    if tag.startswith(b"TAG"):
        return [] if tag[-1] in (255, 8) else [tag[-1:]]  # 8: jazz
    expected = id3.written(genres, tag[3]) if tag.startswith(b"ID3") else "\0".join(genres).encode()
    found = genres_of(tag)
    return [text for text in found if text != expected] + found[1:]
