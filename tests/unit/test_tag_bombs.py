"""Files whose tags are slow to read on purpose."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.tags import read_tags
from support import asf_cases, tagged, vorbis_cases
from support.asf_cases import EXTENDED
from support.containers import flac, itunes, make, short
from support.mp4_cases import box, value

pytestmark = pytest.mark.slow  # megabytes of hostile tags


def bombs() -> list[tuple[str, bytes]]:
    n = 110_000
    parts, frames = vorbis_cases._flac_parts(tagged.recording("flac"), 0)
    many = struct.pack("<II", 0, n) + bytes(4 * n)
    few = struct.pack("<II", 0, n // 2) + bytes(2 * n)
    pages = vorbis_cases._pages(tagged.recording("opus"))
    first = vorbis_cases._again(pages[0], 0)
    foreign = vorbis_cases._page(0, 0, 1, 1, b"\0", b"")
    header = box(b"ftyp", b"M4A \0\0\0\0")
    keys = bytes(4) + struct.pack(">I", n) + (struct.pack(">I", 8) + b"mdta") * n
    mdta = box(b"hdlr", bytes(8) + b"mdta" + bytes(13)) + box(b"keys", keys) + box(b"ilst", b"")
    half = short(*[("", 0, b"")] * 60_000)
    return [
        ("metadata blocks", flac([parts[0], *[(2, b"")] * n]) + frames),
        ("Vorbis comments", flac([parts[0], (4, many)]) + frames),
        ("Vorbis comments", flac([parts[0], (4, few), (4, few)]) + frames),
        ("ID3v2 tags", b"ID3\4\0\0\0\0\0\0" * n + tagged.recording("flac")),
        ("Ogg pages", first + foreign * n),
        ("MP4 atoms", header + box(b"moov", box(b"free", b"") * n)),
        ("MP4 atoms", header + box(b"moov", box(b"udta", box(b"free", b"")) * n)),
        ("MP4 atoms", header + box(b"free", b"") * 250_001),
        ("keys of MP4 items", header + box(b"moov", box(b"meta", mdta))),
        ("values", header + box(b"moov", itunes(box(b"\xa9gen", value(1, b"") * n)))),
        ("objects", asf_cases.whole([(bytes(16), b"")] * n, b"")),
        ("ASF attributes", asf_cases.whole([(EXTENDED, half)] * 2, b"")),
        ("of 4611686018427387888 bytes", header + struct.pack(">I4sQ", 1, b"moov", 2**62)),
    ]


def test_files_made_to_be_slow_are_refused(tmp_path: Path) -> None:
    for reason, data in bombs():
        with pytest.raises(TagError, match=f"has (more than [0-9]* |tags ){reason}"):
            read_tags(make(tmp_path, data))


@pytest.mark.parametrize("kind", ["m4a", "wma"])
def test_an_id3_tag_before_a_format_without_id3(kind: str, tmp_path: Path) -> None:
    path = make(tmp_path, b"ID3\4\0\0\0\0\0\0" + tagged.recording(kind))
    with pytest.raises(TagError, match="has an ID3v2 tag before its first byte"):
        read_tags(path)
