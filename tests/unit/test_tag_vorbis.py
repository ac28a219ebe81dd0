"""Vorbis comments in FLAC and Ogg: bytes that must not change, padding, refused files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import synth, tagged, vorbis_cases
from support.containers import flac, make

NAMES = [
    b"TITLE=Title",
    b"GENRE=Rock",
    "ПОДЖАНР=Рок".encode(),
    "アルバム=x".encode(),
    b"~internal=kept",
    b"=no name",
    b"no equals sign",
    b"ARTIST=\xc4\xff",
    b"TITLE=Title",
    b"",
]  # the first seven: vorbis-names.flac


def packed(comments: list[bytes], vendor: bytes = b"case") -> bytes:
    strings = [struct.pack("<I", len(each)) + each for each in (vendor, *comments)]
    return strings[0] + struct.pack("<I", len(comments)) + b"".join(strings[1:])


def with_comments(suffix: str, content: bytes, *blocks: tuple[int, bytes]) -> bytes:
    """Return a recording with these comments; FLAC also gets other metadata blocks."""
    if suffix == ".flac":
        parts, frames = vorbis_cases._flac_parts(tagged.recording("flac"), 0)
        return flac([parts[0], (4, content), *blocks]) + frames
    framing = b"\1" * (suffix == ".ogg")
    return b"".join(map(b"".join, vorbis_cases.ogg_parts(suffix, content + framing)))


def comments_of(data: bytes, suffix: str) -> list[bytes]:
    """Return the bytes of vendor and comments in a file."""
    found: list[bytes] = []

    def parse(block: bytes) -> None:
        at, n = 0, 1
        while n:
            length = int.from_bytes(block[at : at + 4], "little")
            found.append(block[at + 4 : at + 4 + length])
            at, n = at + 4 + length, n - 1
            if len(found) == 1:
                n, at = int.from_bytes(block[at : at + 4], "little"), at + 4

    vorbis_cases._read(data, suffix, parse)
    return found


@pytest.mark.parametrize("suffix", vorbis_cases.SUFFIXES)
def test_comments_of_any_name_stay(suffix: str, tmp_path: Path) -> None:
    path = make(tmp_path, with_comments(suffix, packed(NAMES)))
    digest = audio_digest(path)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Jazz", "Größe"])
    expected = [b"case", NAMES[0], b"GENRE=Jazz", "GENRE=Größe".encode(), *NAMES[2:]]
    assert comments_of(path.read_bytes(), suffix) == expected
    assert audio_digest(path) == digest
    write_genres(path, [])
    assert comments_of(path.read_bytes(), suffix) == [b"case", NAMES[0], *NAMES[2:]]


def test_a_comment_without_a_vendor_and_a_genre_without_a_value(tmp_path: Path) -> None:
    path = make(tmp_path, with_comments(".flac", packed([b"genre=", b"a=b"], vendor=b"")))
    assert read_tags(path).genres == ()
    write_genres(path, ["Jazz"])
    assert comments_of(path.read_bytes(), ".flac") == [b"", b"genre=Jazz", b"a=b"]


@pytest.mark.parametrize(("padding", "moves"), [(100, 0), (8, 0), (7, 8), (None, 8)])
def test_padding_of_flac_is_used_if_it_is_sufficient(
    padding: int | None, moves: int, tmp_path: Path
) -> None:
    blocks = [(2, b"appl one"), (6, b"a picture"), (6, b"a picture"), (20, b"unknown")]
    spare = [] if padding is None else [(1, bytes(padding))]
    content = packed([b"GENRE=Pop"])
    path = make(tmp_path, with_comments(".flac", content, *blocks[:2], *spare, *blocks[2:]))
    size = path.stat().st_size
    write_genres(path, ["Jazz & Blues"[:11]])
    assert path.stat().st_size - size == moves
    parts, _ = vorbis_cases._flac_parts(path.read_bytes(), 0)
    assert [part for part in parts if part[0] > 1 and part[0] != 4] == blocks


def test_flac_without_comments_gets_a_block(tmp_path: Path) -> None:
    parts, frames = vorbis_cases._flac_parts(tagged.recording("flac"), 0)
    path = make(tmp_path, flac(parts[:1]) + frames)
    write_genres(path, [])
    assert path.read_bytes() == flac(parts[:1]) + frames
    write_genres(path, ["Jazz"])
    expected = flac([parts[0], (4, packed([b"GENRE=Jazz"], vendor=b"genrelens"))]) + frames
    assert path.read_bytes() == expected


def test_the_genre_is_in_only_one_block_of_flac(tmp_path: Path) -> None:
    blocks = [packed([b"A=b"]), packed([b"genre=Pop", b"C=d"]), packed([b"GENRE=Rock"])]
    more = [(4, each) for each in blocks[1:]]
    path = make(tmp_path, with_comments(".flac", blocks[0], *more))
    assert read_tags(path).genres == ("Pop",)
    write_genres(path, ["Jazz"])
    parts, _ = vorbis_cases._flac_parts(path.read_bytes(), 0)
    expected = [blocks[0], packed([b"genre=Jazz", b"C=d"]), packed([])]
    assert [content for kind, content in parts if kind == 4] == expected


def test_flac_after_id3_tags(tmp_path: Path) -> None:
    before = synth.id3v2(b"") + b"ID3\4\0\x10\0\0\0\0" + b"3DI\4\0\x10\0\0\0\0"
    path = make(tmp_path, before + with_comments(".flac", packed([b"GENRE=Pop"])))
    assert read_tags(path).genres == ("Pop",)
    write_genres(path, ["Jazz"])
    assert read_tags(path) == Tags("FLAC", ("Jazz",), title="Title")  # the title is in ID3
    assert path.read_bytes().startswith(before + b"fLaC")


@pytest.mark.parametrize(
    ("suffix", "change", "reason"),
    [
        (".flac", lambda d: d.replace(b"case\2", b"case\3"), "Vorbis comments that are cut off"),
        (".flac", lambda d: d.replace(b"case\2", b"case\xff\xff"), "cut off|more than"),
        (".flac", lambda d: d.replace(b"\xff\xf8", b"\xff\0", 1), "do not end where its audio"),
        (".flac", lambda d: d[:60], "ends within its tags"),
        (".opus", lambda d: d.replace(b"OpusTags", b"OpusTagz"), "second Opus packet contains no"),
        (".ogg", lambda d: d[:70], "its Ogg pages end before its comments end"),
        (".oga", lambda d: d.replace(b"\x7fFLAC", b"\x7fFLAX"), "is an Ogg file without"),
    ],
)
def test_damaged_comments_are_refused_with_a_reason(
    suffix: str, change: Callable[[bytes], bytes], reason: str, tmp_path: Path
) -> None:
    data = change(with_comments(suffix, packed([b"GENRE=Rock", b"A=b"])))
    path = make(tmp_path, data)
    with pytest.raises(TagError, match=reason):
        write_genres(path, ["Jazz"])
    assert path.read_bytes() == data


# -------------------------------------------------------------------------------- in Ogg


def numbers(data: bytes) -> list[tuple[int, int]]:
    return [(page[2], page[3]) for page in vorbis_cases._pages(data)]


def test_pages_after_the_comments_stay_if_the_comments_fit(tmp_path: Path) -> None:
    data = with_comments(".opus", packed([b"GENRE=Pop"]))
    path = make(tmp_path, data)
    write_genres(path, ["x" * 1000])
    assert numbers(path.read_bytes()) == numbers(data)
    assert path.stat().st_size - len(data) == 997 + 4  # the lengths of segments


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".oga", ".spx"])
def test_more_comment_pages_shift_the_numbers_of_following_pages(
    suffix: str, tmp_path: Path
) -> None:
    data = with_comments(suffix, packed([b"GENRE=Pop"]))
    path = make(tmp_path, data)
    digest, before = audio_digest(path), numbers(data)
    long = ["x" * 30_000] * 9
    write_genres(path, long)
    assert list(read_tags(path).genres) == long
    after = numbers(path.read_bytes())
    assert len(after) - len(before) == 4
    assert [number for _, number in after] == list(range(len(after)))
    assert audio_digest(path) == digest
    write_genres(path, ["Pop"])
    assert vorbis_cases.others(path.read_bytes(), suffix) == vorbis_cases.others(data, suffix)


def test_the_next_recording_in_an_ogg_keeps_its_numbers(tmp_path: Path) -> None:
    """As in a radio recording; here with the same serial number, as some programs write it."""
    data = with_comments(".opus", packed([b"GENRE=Pop"]))
    path = make(tmp_path, data + data)
    write_genres(path, ["x" * 100_000])
    assert path.read_bytes().endswith(data)


def test_a_truncated_last_page_stays(tmp_path: Path) -> None:
    data = with_comments(".opus", packed([b"GENRE=Pop"]))
    path = make(tmp_path, data[:-100])
    write_genres(path, ["x" * 100_000])
    last = data.rindex(b"OggS")
    assert path.read_bytes().endswith(data[last:-100])
    path.write_bytes(data[:last] + b"no page" + data[last:])
    with pytest.raises(TagError, match="bytes between its Ogg pages"):
        write_genres(path, ["x" * 100_000])
