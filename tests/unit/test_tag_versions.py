"""ID3v2 tags converted to another version."""

from __future__ import annotations

from pathlib import Path

import mutagen.id3 as m
import pytest

from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import id3_cases
from support.containers import make
from support.id3_cases import raw_frame
from support.tag_bytes import (
    DATA,
    FOOTED,
    ROCK,
    SOUND,
    TITLE,
    frame,
    id3,
    id3_chunk,
    refusal,
    text,
    wav,
)

CHAPTER = b"c1\0" + bytes(16)


def test_conversion_to_another_version_and_back(tmp_path: Path) -> None:
    """Frames keep their order; UTF-8 becomes UTF-16; three frames of a date become one."""
    long = "ü" * 100
    old = [
        text(b"TIT2", "Title"),
        frame(b"TPE1", b"\1\xff\xfe" + "Größe\0zwei".encode("utf-16-le")),
        frame(b"USLT", b"\0eng\0first"),
        frame(b"USLT", b"\0eng\0second"),
        frame(b"PRIV", b"owner\0" + bytes(range(256))),
        text(b"TYER", "1999"),
        text(b"TDAT", "3112"),
        text(b"TIME", "2359"),
        frame(b"Txyz", b"\5odd"),
        frame(b"CHAP", CHAPTER + text(b"TIT2", "x" * 200)),
        frame(b"IPLS", b"\0a\0b"),
    ]
    path = make(tmp_path, id3(*old, ROCK) + SOUND)
    write_genres(path, ["Disco"], id3_version=4)
    tags = m.ID3(path, translate=False)
    assert str(tags["TDRC"]) == "1999-12-31 23:59"
    assert tags["TPE1"].text == ["Größe", "zwei"]
    assert str(tags["CHAP:c1"].sub_frames["TIT2"]) == "x" * 200
    assert path.read_bytes().count(b"USLT") == 2
    data = path.read_bytes()
    names = [name for name, _ in id3_cases.best_frames(data)[0]]
    assert names == [
        b"TIT2",
        b"TPE1",
        b"USLT",
        b"USLT",
        b"PRIV",
        b"TDRC",
        b"Txyz",
        b"CHAP",
        b"TIPL",
        b"TCON",
    ]
    write_genres(path, ["Rock"], id3_version=3)
    data = path.read_bytes()
    assert id3_cases.best_frames(data)[0] == id3_cases.best_frames(id3(*old, ROCK))[0]
    utf8 = frame(b"COMM", b"\3eng\0" + long.encode(), version=4)
    path = make(tmp_path, id3(utf8, version=4) + SOUND)
    write_genres(path, ["Rock"], id3_version=3)
    [comment] = m.ID3(path).getall("COMM")
    assert (comment.encoding, comment.text) == (1, [long])


NO_DATE = "it is not a single year, day or minute"
PACKED = "it is compressed, encrypted or part of a group"


@pytest.mark.parametrize(
    ("found", "name", "data", "flags", "reason"),
    [
        (4, b"TDRC", b"\x001999-05", 0, NO_DATE),
        (4, b"TDOR", b"\x001999-05", 0, "it is not a single year"),
        (4, b"SYLT", b"\3eng\2\1\0", 0, "its text is damaged"),
        (4, b"TIT2", b"\3\xff", 0, "its text is damaged"),
        (3, b"PRIV", b"\x81a\0b", 0x20, PACKED),
        (3, b"CHAP", CHAPTER + b"junk", 0, "it is damaged"),
        (3, b"CHAP", CHAPTER + frame(b"CHAP", CHAPTER), 0, "it is damaged"),
    ],
)
def test_frames_that_cannot_be_converted_are_refused(
    found: int, name: bytes, data: bytes, flags: int, reason: str, tmp_path: Path
) -> None:
    first = TITLE if found == 3 else FOOTED
    path = make(tmp_path, id3(first, frame(name, data, flags, found), version=found) + SOUND)
    expected = f"its frame {name.decode()} cannot be written in ID3v2.{7 - found}: {reason}"
    assert refusal(path, ["Disco"], id3_version=7 - found) == expected


JUNK = bytes(20) + b"junkjunk" + bytes(20)
UPDATE = bytes([0, 0, 0, 7, 1, 0x40, 0])
RESTRICTED = bytes([0, 0, 0, 8, 1, 0x10, 1, 0xC0])
CHECKED = bytes([0, 0, 0, 12, 1, 0x20, 5, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (id3(TITLE, ROCK, JUNK), "has data after its frames that ID3v2.4 cannot store"),
        (
            id3(FOOTED, JUNK, version=4),
            "has data after its frames that ID3v2.3 cannot store",
        ),
        (
            id3(UPDATE, FOOTED, version=4, flags=0x40),
            "has an extended header that ID3v2.3 cannot store",
        ),
        (
            id3(RESTRICTED, FOOTED, version=4, flags=0x40),
            "has an extended header that ID3v2.3 cannot store",
        ),
        (
            id3(bytes([0, 0, 0, 6, 0x40, 0, 0, 0, 0, 0]), TITLE, flags=0x40),
            "has an extended header that ID3v2.4 cannot store",
        ),
    ],
)
def test_data_around_the_frames_that_cannot_be_converted_is_refused(
    tag: bytes, reason: str, tmp_path: Path
) -> None:
    version = 7 - tag[3]
    assert refusal(make(tmp_path, tag + SOUND), ["Disco"], id3_version=version) == reason
    assert (
        refusal(make(tmp_path, wav(DATA, id3_chunk(tag))), ["Disco"], id3_version=version) == reason
    )


def test_conversion_drops_the_checksum_and_keeps_the_experimental_flag(tmp_path: Path) -> None:
    path = make(tmp_path, id3(CHECKED, FOOTED, version=4, flags=0x60) + SOUND)
    write_genres(path, ["Disco"], id3_version=3)
    assert path.read_bytes().startswith(b"ID3\3\0\x20")
    assert path.read_bytes()[10:].startswith(TITLE + text(b"TCON", "Disco"))


def test_conversion_keeps_the_footer_of_a_tag_at_the_end(tmp_path: Path) -> None:
    old = id3(TITLE, ROCK, version=3, flags=0x10, padding=0)
    path = make(tmp_path, SOUND + old)
    digest = audio_digest(path)
    write_genres(path, ["Rock"])
    assert path.read_bytes() == SOUND + old
    write_genres(path, ["Disco"], id3_version=4)
    new = text(b"TIT2", "Title", 4) + text(b"TCON", "Disco", 4)
    assert path.read_bytes() == SOUND + id3(new, version=4, flags=0x10, padding=0)
    assert read_tags(path) == Tags("ID3v2.4", ("Disco",), title="Title")
    assert audio_digest(path) == digest
    reason = "has an ID3v2 tag after its audio, which ID3v2.3 does not allow"
    assert refusal(path, ["Rock"], id3_version=3) == reason


@pytest.mark.parametrize("n_ends", [0, 1, 2])
def test_conversion_does_not_add_an_empty_value(n_ends: int, tmp_path: Path) -> None:
    """FFmpeg writes a zero after each text of ID3v2.4."""
    data = b"\3" + "Größe\0zwei".encode() + bytes(n_ends)
    path = make(tmp_path, id3(frame(b"TIT2", data, version=4), version=4) + SOUND)
    write_genres(path, ["Disco"], id3_version=3)
    found = "Größe\0\ufeffzwei".encode("utf-16") + bytes(2 * n_ends)
    assert path.read_bytes()[10:].startswith(frame(b"TIT2", b"\1" + found))


@pytest.mark.parametrize("version", [3, 4])
def test_conversion_keeps_the_status_flags(version: int, tmp_path: Path) -> None:
    flags = {3: 0xA000, 4: 0x5000}
    path = make(
        tmp_path, id3(frame(b"TIT2", b"\0Title", flags[7 - version]), version=7 - version) + SOUND
    )
    write_genres(path, ["Disco"], id3_version=version)
    assert path.read_bytes()[10:].startswith(frame(b"TIT2", b"\0Title", flags[version]))


@pytest.mark.parametrize("version", [3, 4])
def test_conversion_of_version_2(version: int, tmp_path: Path) -> None:
    frames = [raw_frame(b"TT2", b"\0Title", 2), raw_frame(b"PIC", b"\0JPG\3\0image", 2)]
    path = make(tmp_path, id3(*frames, raw_frame(b"TYE", b"\x001999", 2), version=2) + SOUND)
    write_genres(path, ["Disco"], id3_version=version)
    tags = m.ID3(path, translate=False)
    assert (tags["APIC:"].mime, tags["APIC:"].data) == ("image/jpeg", b"image")
    assert str(tags["TDRC" if version == 4 else "TYER"]) == "1999"
    assert read_tags(path) == Tags(f"ID3v2.{version}", ("Disco",), title="Title")
