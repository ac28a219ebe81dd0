"""Genres in the tags of all formats, in files made by encoders."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import mutagen
import mutagen.apev2
import mutagen.id3 as m
import mutagen.wave
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC
from mutagen.mp4 import MP4

from genrelens import TagError
from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import synth, tagged
from support.tagged import make

ROCK_AND_JAZZ = ("Rock", "Jazz")


# --------------------------------------------------------------------------- all formats


@pytest.mark.parametrize("kind", tagged.FORMATS)
def test_genres_are_written_and_nothing_else_changes(kind: str, tmp_path: Path) -> None:
    path = make(tmp_path, kind)
    before, digest = read_tags(path), audio_digest(path)
    other_metadata = None if kind == "dsf" else tagged.metadata(path.read_bytes())

    joined = {"ID3v2.3": "/", "RIFF INFO in WAV": "; "}.get(before.format)
    expected = (joined.join(ROCK_AND_JAZZ),) if joined else tuple(ROCK_AND_JAZZ)
    assert write_genres(path, ROCK_AND_JAZZ) == expected
    after = read_tags(path)
    assert after.genres == expected
    assert (after.title, after.artist, after.album) == (before.title, before.artist, before.album)
    assert audio_digest(path) == digest
    if other_metadata is not None:
        now = tagged.metadata(path.read_bytes())
        assert now.pop("genre").startswith("Rock")  # FFmpeg shows one of several in ID3v2.4
        assert now == other_metadata

    write_genres(path, ["Größe ✓"])
    assert read_tags(path).genres == ("Größe ✓",)
    write_genres(path, [])
    assert read_tags(path).genres == ()
    assert audio_digest(path) == digest


@pytest.mark.parametrize("kind", [kind for kind in tagged.FORMATS if kind != "wav-list"])
def test_mutagen_reads_several_values(kind: str, tmp_path: Path) -> None:
    path = make(tmp_path, kind, f"song.{kind.partition('-')[0]}")
    write_genres(path, ROCK_AND_JAZZ)
    reader = {"aac": m.ID3, "tta": mutagen.apev2.APEv2}.get(kind)
    tags = reader(path) if reader else mutagen.File(path).tags
    names = ("TCON", "genre", "\xa9gen", "WM/Genre", "Genre")
    found = next(tags[name] for name in names if name in tags)
    values = [str(each) for each in getattr(found, "text", found)]
    assert values == (["Rock/Jazz"] if kind == "mp3-2.3" else list(ROCK_AND_JAZZ))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("mp3", "ID3v2.4"),
        ("mp3-2.3", "ID3v2.3"),
        ("mp3-bare", "no tags"),
        ("opus", "Opus"),
        ("tta", "APEv2"),
        ("wav", "ID3v2.4 in WAV"),
        ("wma", "ASF"),
        ("m4a", "MP4"),
    ],
)
def test_the_format_is_detected_by_the_content(kind: str, name: str, tmp_path: Path) -> None:
    assert read_tags(make(tmp_path, kind, "song.xyz")).format == name


def test_an_id3_tag_before_a_flac_does_not_make_it_an_mp3(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", "song.mp3")
    tagged.id3(path, version=4, frames=[m.TCON(text=["Pop"])])
    write_genres(path, ["Jazz"])
    assert FLAC(path)["genre"] == ["Jazz"]
    assert path.read_bytes().startswith(b"ID3")


def test_an_mp3_may_start_with_other_bytes(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3-bare")
    path.write_bytes(bytes(3000) + path.read_bytes())
    digest = audio_digest(path)
    write_genres(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)
    assert audio_digest(path) == digest


def test_unsupported_formats(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    y = synth.music(0.5, tagged.RATE)
    matroska = synth.encode(y, tagged.RATE, "libmp3lame", "matroska")
    for data in (matroska, synth.png(), b"", b"ID3", b"some words " * 100):
        path.write_bytes(data)
        for act in (lambda: read_tags(path), lambda: write_genres(path, ["Rock"])):
            with pytest.raises(TagError, match=r"song\.mp3: is in a format"):
                act()
        assert path.read_bytes() == data


@pytest.mark.parametrize("magic", [b"MAC \x96\x0f", b"MPCK", b"MP+\x07", b"OFR ", b"tBaK"])
def test_other_formats_with_apev2(magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.ape"
    path.write_bytes(magic + bytes(500) + tagged.ape(Title="A title"))
    write_genres(path, ROCK_AND_JAZZ)
    assert read_tags(path) == Tags("APEv2", ROCK_AND_JAZZ, "", "", "A title")
    assert path.read_bytes().startswith(magic + bytes(500))


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(TagError, match="nothing: No such file"):
        read_tags(tmp_path / "nothing")
    with pytest.raises(TagError, match="directory"):
        read_tags(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_file_names_in_any_encoding(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3", os.fsdecode(b"caf\xe9 \xff\n.mp3"))
    write_genres(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)


# -------------------------------------------------------------------------- other formats


def test_vorbis_comments_keep_case_and_position(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    flac = FLAC(path)
    flac.add_tags() if flac.tags is None else None
    flac.tags[:] = [("Title", "x"), ("Genre", "a"), ("ALBUM", "y"), ("GENRE", "b")]
    flac.save()
    write_genres(path, ["c", "d"])
    assert list(FLAC(path).tags) == [
        ("Title", "x"),
        ("Genre", "c"),
        ("Genre", "d"),
        ("ALBUM", "y"),
    ]


def test_comments_that_are_not_utf8_stay(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    flac = FLAC(path)
    flac["title"] = "ABCDE"
    flac.save()
    path.write_bytes(path.read_bytes().replace(b"ABCDE", b"\xc4BCDE"))
    write_genres(path, ["Rock"])
    assert b"title=\xc4BCDE" in path.read_bytes()
    assert read_tags(path) == Tags("FLAC", ("Rock",), title="\ufffdBCDE")


def test_a_genre_number_in_mp4(tmp_path: Path) -> None:
    path = make(tmp_path, "m4a")
    file = MP4(path)
    file["\xa9gen"] = ["XY"]
    file.save()
    data = path.read_bytes().replace(b"\xa9gen", b"gnre")
    offset = data.index(b"gnre") + 4 + 8  # the data atom's type
    patched = data[:offset] + bytes(8) + (18).to_bytes(2, "big") + data[offset + 10 :]
    path.write_bytes(patched)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)
    assert b"gnre" not in path.read_bytes()


# ---------------------------------------------------------------------- random texts and damage


@pytest.mark.parametrize("kind", ["mp3", "mp3-2.3", "flac", "m4a", "wma", "wavpack", "wav"])
@given(genres=st.lists(st.text(max_size=8), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_as_written_or_refused(
    kind: str, genres: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make(tmp_path_factory.getbasetemp(), kind, f"any-{kind}")
    try:
        written = write_genres(path, genres)
    except TagError:
        odd = not all(each.strip() and each.isprintable() for each in genres)
        numbers = any(each.isdecimal() or each in ("RX", "CR") or "(" in each for each in genres)
        assert odd or numbers
        return
    joined = kind == "mp3-2.3" and genres
    assert list(written) == (["/".join(genres)] if joined else genres)
    assert list(read_tags(path).genres) == list(written)


def failure(act: Callable[[], object]) -> str:
    """Return the message of a ``TagError``; other errors are not allowed."""
    try:
        act()
    except TagError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", tagged.FORMATS)
def test_damage_raises_only_tag_errors(kind: str, tmp_path: Path) -> None:
    whole = tagged.recording(kind)
    path = tmp_path / "song"
    messages = []
    for offset, value in itertools.product(range(0, min(len(whole), 400), 7), (0, 0xFF)):
        path.write_bytes(whole[:offset] + bytes([value]) + whole[offset + 1 :])
        messages.append(failure(lambda: read_tags(path)))
        path.write_bytes(whole[: offset * len(whole) // 400])
        messages.append(failure(lambda: write_genres(path, ["Rock"])))
    assert messages.count("") > 10
    assert all(each.startswith(f"{path}: ") for each in messages if each)
