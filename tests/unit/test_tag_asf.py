"""ASF: bytes that must not change, ``WM/GenreID``, padding, and files that are refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.library.digest import audio_digest
from genrelens.tags import read_tags, write_genres
from support import asf_cases
from support.asf_cases import EXTENDED, LIBRARY, utf16
from support.containers import make, short


def library(*rows: tuple[int, int, str, int, bytes]) -> bytes:
    data = b"".join(
        struct.pack("<HHHHI", language, stream, len(utf16(name)), kind, len(raw))
        + utf16(name)
        + raw
        for language, stream, name, kind, raw in rows
    )
    return struct.pack("<H", len(rows)) + data


def asf(extended: bytes, *inner: tuple[bytes, bytes], padding: int | None = None) -> bytes:
    outer, _, rest = asf_cases._base()
    spare = [] if padding is None else [(asf_cases.PADDING, bytes(padding))]
    content = asf_cases.pack(list(inner))
    extension = asf_cases._HEAD + struct.pack("<I", len(content)) + content
    objects = [*outer, (EXTENDED, extended), (asf_cases.EXTENSION, extension), *spare]
    return asf_cases.whole(objects, rest)


ROW = (2, 1, "WM/Mood", 0, utf16("calm"))


def test_the_genre_number_in_asf_is_removed_with_the_old_genre(tmp_path: Path) -> None:
    year, picture = ("WM/Year", 3, b"\1\0\0\0"), ("WM/Picture", 1, b"\0" * 9)
    old = [("WM/Genre", 0, utf16("Rock")), ("WM/GenreID", 0, utf16("(17)"))]
    more = (1, 0, "WM/Genre", 0, utf16("Metal"))
    path = make(tmp_path, asf(short(year, *old, picture, year), (LIBRARY, library(ROW, more, ROW))))
    digest = audio_digest(path)
    assert read_tags(path).genres == ("Rock", "Metal")
    write_genres(path, ["Jazz", "Blues"])
    new = short(year, ("WM/Genre", 0, utf16("Jazz")), picture, year)
    second = (0, 0, "WM/Genre", 0, utf16("Blues"))
    assert path.read_bytes() == asf(new, (LIBRARY, library(ROW, second, ROW)))
    assert audio_digest(path) == digest


@pytest.mark.parametrize(("text", "genres"), [("(17)", ("Rock",)), ("Zeuhl", ("Zeuhl",))])
def test_a_genre_that_is_only_a_number(text: str, genres: tuple[str, ...], tmp_path: Path) -> None:
    path = make(tmp_path, asf(short(("WM/GenreID", 0, utf16(text)))))
    assert read_tags(path).genres == genres
    write_genres(path, ["Jazz"])
    assert path.read_bytes() == asf(short(("WM/Genre", 0, utf16("Jazz"))))


def test_padding_of_asf_is_used(tmp_path: Path) -> None:
    path = make(tmp_path, asf(short(("WM/Genre", 0, utf16("Rock"))), padding=20))
    write_genres(path, ["Rock'n'roll"])
    assert path.read_bytes() == asf(short(("WM/Genre", 0, utf16("Rock'n'roll"))), padding=6)
    write_genres(path, ["Rock'n'roll and more"])
    expected = asf(short(("WM/Genre", 0, utf16("Rock'n'roll and more"))), padding=6)
    assert path.read_bytes() == expected  # the header states the new size of the file


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.replace(utf16("Pop"), b"\xff" * 0), "impossible size|cut off"),
        (lambda d: d.replace(EXTENDED, EXTENDED[:-1] + b"\0"), ""),
        (lambda d: d[:200], "ends within its tags"),
        (lambda d: d[:16] + b"\xff" * 8 + d[24:], "has tags of"),
    ],
)
def test_a_damaged_asf_header(
    change: Callable[[bytes], bytes], reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path, data := change(asf(short(("WM/Genre", 0, utf16("Pop"))))))
    if not reason:  # an unknown object; it stays
        write_genres(path, ["Jazz"])
        assert asf_cases.others(path.read_bytes(), "") == asf_cases.others(data, "")
        return
    with pytest.raises(TagError, match=reason):
        write_genres(path, ["Jazz"])
    assert path.read_bytes() == data


def test_a_genre_that_is_too_long_for_asf(tmp_path: Path) -> None:
    path = make(tmp_path, data := asf(short()))
    with pytest.raises(TagError, match="too many or too long genres"):
        write_genres(path, ["x" * 33_000])
    assert path.read_bytes() == data
