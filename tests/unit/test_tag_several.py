"""Several tags in one file: all of them get the new genre."""

from __future__ import annotations

from pathlib import Path

import mutagen.flac
import pytest

from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import stream_cases, tagged
from support.containers import make
from support.stream_cases import ape_item, ape_tag
from support.tag_bytes import (
    ROCK,
    SOUND,
    TITLE,
    id3,
    refusal,
    text,
)


def test_a_genre_in_the_second_of_two_tags_is_read_and_replaced(tmp_path: Path) -> None:
    path = make(tmp_path, id3(TITLE) + id3(text(b"TPE1", "X"), ROCK, version=3) + SOUND)
    assert read_tags(path) == Tags("ID3v2.3", ("Rock",), artist="X", title="Title")
    write_genres(path, ["Disco"])
    disco = text(b"TCON", "Disco")
    first = id3(TITLE, disco, padding=200 - len(disco))
    assert path.read_bytes() == first + id3(text(b"TPE1", "X"), disco, padding=199) + SOUND
    write_genres(path, [])
    assert b"TCON" not in path.read_bytes()
    assert read_tags(path).genres == ()


@pytest.mark.parametrize("sound", [b"wvpk", b"MAC \x96\x0f", b"MPCK", b"MP+\x07", b"OFR ", b"tBaK"])
def test_id3_before_formats_with_apev2(sound: bytes, tmp_path: Path) -> None:
    path = make(tmp_path, id3(TITLE, ROCK) + sound + bytes(400))
    assert read_tags(path) == Tags("APEv2", ("Rock",), title="Title")
    write_genres(path, ["Disco"])
    id3_tag = id3(TITLE, text(b"TCON", "Disco"), padding=199)
    ape = path.read_bytes().removeprefix(id3_tag + sound + bytes(400))
    assert stream_cases.genres_of(ape) == [b"Disco"]
    write_genres(path, [])
    assert b"Disco" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["aac", "tta"])
def test_id3_before_aac_and_tta(kind: str, tmp_path: Path) -> None:
    sound = tagged.recording(kind)
    path = make(tmp_path, id3(TITLE, ROCK) + sound)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes() == id3(TITLE, text(b"TCON", "Disco"), padding=199) + sound


def test_all_tags_around_a_flac_get_the_genre(tmp_path: Path) -> None:
    flac = tagged.recording("flac")
    end = ape_tag([ape_item(b"Genre", b"Pop")]) + tagged.id3v1("A title", genre=17)
    path = make(tmp_path, id3(TITLE, ROCK) + flac + end)
    digest = audio_digest(path)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    data = path.read_bytes()
    assert data.startswith(id3(TITLE, text(b"TCON", "Disco"), padding=199) + b"fLaC")
    assert data.endswith(ape_tag([ape_item(b"Genre", b"Disco")]) + tagged.id3v1("A title", genre=4))
    assert mutagen.flac.FLAC(path)["genre"] == ["Disco"]
    assert audio_digest(path) == digest


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
def test_a_tag_before_an_ogg_gets_the_genre(kind: str, tmp_path: Path) -> None:
    path = make(tmp_path, id3(TITLE, ROCK) + tagged.recording(kind))
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes().startswith(id3(TITLE, text(b"TCON", "Disco"), padding=199) + b"OggS")
    assert read_tags(path).genres == ("Disco",)


@pytest.mark.parametrize("kind", ["vorbis", "opus", "m4a", "wma", "wav", "aiff"])
def test_tags_after_a_container_get_the_genre(kind: str, tmp_path: Path) -> None:
    end = ape_tag([ape_item(b"Genre", b"Pop")]) + tagged.id3v1("A title", genre=17)
    path = make(tmp_path, tagged.recording(kind) + end)
    assert read_tags(path).genres == ("Pop",)
    write_genres(path, ["Disco"])
    new = ape_tag([ape_item(b"Genre", b"Disco")]) + tagged.id3v1("A title", genre=4)
    assert path.read_bytes().endswith(new)
    assert read_tags(path).genres == ("Disco",)


@pytest.mark.parametrize("kind", ["m4a", "wma", "wav", "aiff", "dsf"])
def test_a_tag_before_a_container_is_refused(kind: str, tmp_path: Path) -> None:
    path = make(tmp_path, id3(TITLE, ROCK) + tagged.recording(kind))
    assert (
        refusal(path, ["Disco"])
        == "has an ID3v2 tag before its first byte, which its format does not allow"
    )


def test_the_enhanced_id3v1_tag_gets_the_genre(tmp_path: Path) -> None:
    enhanced = b"TAG+" + bytes(181) + b"Rock".ljust(30, b"\0") + b"000:00000:00"
    path = make(tmp_path, SOUND + enhanced + tagged.id3v1("A title", genre=17))
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes().endswith(
        enhanced.replace(b"Rock\0", b"Disco") + tagged.id3v1("A title", 4)
    )


def test_lyrics3_between_the_tags_stays(tmp_path: Path) -> None:
    first = b"LYRICSBEGINsome wordsLYRICSEND"
    second = b"LYRICSBEGININD0000200000021LYRICS200"
    ape = ape_tag([ape_item(b"Genre", b"Rock")])
    path = make(tmp_path, SOUND + ape + first + second + tagged.id3v1("A title", genre=17))
    write_genres(path, ["Disco"])
    new = ape_tag([ape_item(b"Genre", b"Disco")])
    assert path.read_bytes() == SOUND + new + first + second + tagged.id3v1("A title", genre=4)
