"""Random WAV, AIFF and DSF files from raw chunks, and a reader for them."""

from __future__ import annotations

import random

from support import id3_cases as id3

KINDS = {".wav": ("little", b"RIFF", b"WAVE"), ".aiff": ("big", b"FORM", b"AIFF")}
NAMES = {
    ".wav": [b"bext", b"LIST", b"cue ", b"JUNK", b"_PMX", b"\xff\0 z", b"DISP", b"iXML"],
    ".aiff": [b"NAME", b"AUTH", b"ANNO", b"(c) ", b"MARK", b"\xff\0 z", b"APPL"],
}
ITEMS = [b"INAM", b"IART", b"ISFT", b"INAM", b"\xff\xfe\0a"]


def chunk(name: bytes, data: bytes, order: str) -> bytes:
    size = len(data).to_bytes(4, order)  # type: ignore[arg-type]
    return name + size + data + bytes(len(data) % 2)


def random_info(rng: random.Random) -> bytes:
    items = [
        chunk(rng.choice(ITEMS), rng.randbytes(rng.randrange(12)), "little")
        for _ in range(rng.randrange(5))
    ]
    for _ in range(rng.choice([0, 1, 1, 2])):
        items.append(chunk(b"IGNR", rng.choice([b"Rock\0", b"Pop", b"R\xf6ck\0", b""]), "little"))
    rng.shuffle(items)
    rest = b"ICMT\xff\0\0\0cut" if rng.random() < 0.1 else b""
    return b"INFO" + b"".join(items) + rest


def dsf(rng: random.Random) -> bytes:
    audio = b"fmt " + rng.randbytes(200)
    tag = id3.random_tag(rng) + rng.choice([b"", b"", b"behind"]) if rng.random() < 0.8 else b""
    size, offset = 28 + len(audio) + len(tag), 28 + len(audio) if tag else 0
    numbers = b"".join(n.to_bytes(8, "little") for n in (28, size, offset))
    return b"DSD " + numbers + audio + tag


def cases(rng: random.Random) -> tuple[str, bytes]:
    """Make a file; return its suffix and its bytes."""
    suffix = rng.choice([".wav", ".wav", ".aiff", ".dsf"])
    if suffix == ".dsf":
        return suffix, dsf(rng)
    order, form, kind = KINDS[suffix]
    audio = b"data" if suffix == ".wav" else b"SSND"
    parts = [(audio, rng.randbytes(rng.randrange(40)))]
    parts += [(rng.choice(NAMES[suffix]), rng.randbytes(rng.randrange(20))) for _ in range(4)]
    for _ in range(rng.choice([0, 1, 1, 2])):
        after = rng.choice([b"", b"", b"x", b"behind"])
        parts.append((rng.choice([b"id3 ", b"ID3 "]), id3.random_tag(rng) + after))
    if suffix == ".wav":
        parts += [(b"LIST", random_info(rng)) for _ in range(rng.choice([0, 1, 1, 2]))]
    rng.shuffle(parts)
    body = b"".join(chunk(name, data, order) for name, data in parts)
    if rng.random() < 0.2 and len(parts[-1][1]) % 2:
        body = body[:-1]  # the last chunk has no padding byte
    more = rng.choice([b"", b"", b"", b"\0\0some bytes behind"])
    return suffix, form + (len(body) + 4).to_bytes(4, order) + kind + body + more  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- reader


def chunks_of(data: bytes, order: str) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], order)  # type: ignore[arg-type]
        if at + 8 + size > len(data):
            break
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return [*found, (b"", data[at:])]


def top(data: bytes, suffix: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the chunks of a file, and the data after the end that its header states."""
    if suffix == ".dsf":
        start = int.from_bytes(data[20:28], "little")
        if int.from_bytes(data[12:20], "little") != len(data):
            raise AssertionError("the size in the header is wrong")
        tag = [(b"ID3 ", data[start:])] if start else []
        return [(b"", data[28 : start or None]), *tag], b""
    order, _, _ = KINDS[suffix]
    end = 8 + int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    if end > len(data) + len(data) % 2:
        raise AssertionError("the size in the header is wrong")
    return chunks_of(data[12:end], order), data[end:]


def others(data: bytes, suffix: str) -> object:
    """Return everything except the genres, in file order."""
    chunks, after = top(data, suffix)
    return [part for name, content in chunks if (part := other_part(name, content))], after


def other_part(name: bytes, content: bytes) -> object:
    if name.upper() == b"ID3 ":
        n_bytes = id3.tag_length(content)
        kept = id3.without_genre(content[:n_bytes])
        is_new = kept[0][3:] == b"\4\0\0" and kept[1:] == (b"", [], b"")
        return None if is_new and not content[n_bytes:] else (name, kept, content[n_bytes:])
    if name == b"LIST" and content[:4] == b"INFO":
        return [item for item in chunks_of(content[4:], "little") if item[0] != b"IGNR"]
    return (name, content) if name or content else None


def problems(before: bytes, after: bytes, suffix: str, genres: list[str]) -> list[str]:
    """Return the faults of a file after genres were written to it."""
    found = [] if others(before, suffix) == others(after, suffix) else ["something else is changed"]
    tags = 0
    has_id3 = any(name.upper() == b"ID3 " for name, _ in top(after, suffix)[0])
    for name, content in top(after, suffix)[0]:
        if name.upper() == b"ID3 ":
            texts, expected = id3.genre_texts(content), id3.written(genres, content[3])
            tags += len(texts)
        elif name == b"LIST" and content[:4] == b"INFO":
            texts = [item for key, item in chunks_of(content[4:], "little") if key == b"IGNR"]
            expected = "; ".join(genres).encode() + b"\0"
            tags += len(texts) * (not has_id3)
        else:
            continue
        if [text for text in texts if text != expected] + texts[1:]:
            found.append(f"{name!r} holds the genres {texts!r}")
    return found if not genres or tags else [*found, "no genre was written"]
