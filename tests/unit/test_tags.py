"""Genres in tags: every format, on files that encoders made."""

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

ROCK_AND_JAZZ = ("Rock", "Jazz")


def make(folder: Path, kind: str, name: str = "song") -> Path:
    """Write a recording whose name tells nothing of its format."""
    path = folder / name
    path.write_bytes(tagged.recording(kind))
    return path


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    return make(tmp_path, "mp3-bare")


def frames_of(path: Path) -> dict[str, m.Frame]:
    return dict(m.ID3(path, translate=False, load_v1=False).items())


# --------------------------------------------------------------------------- all formats


@pytest.mark.parametrize("kind", tagged.FORMATS)
def test_genres_are_written_and_all_else_stays(kind: str, tmp_path: Path) -> None:
    path = make(tmp_path, kind)
    before, digest = read_tags(path), audio_digest(path)
    theirs = None if kind == "dsf" else tagged.metadata(path.read_bytes())

    joined = {"ID3v2.3": "/", "RIFF INFO in WAV": "; "}.get(before.format)
    expected = (joined.join(ROCK_AND_JAZZ),) if joined else tuple(ROCK_AND_JAZZ)
    assert write_genres(path, ROCK_AND_JAZZ) == expected
    after = read_tags(path)
    assert after.genres == expected
    assert (after.title, after.artist, after.album) == (before.title, before.artist, before.album)
    assert audio_digest(path) == digest
    if theirs is not None:
        now = tagged.metadata(path.read_bytes())
        assert now.pop("genre").startswith("Rock")  # FFmpeg shows one of several in ID3v2.4
        assert now == theirs

    write_genres(path, ["Größe ✓"])
    assert read_tags(path).genres == ("Größe ✓",)
    write_genres(path, [])
    assert read_tags(path).genres == ()
    assert audio_digest(path) == digest


@pytest.mark.parametrize("kind", [kind for kind in tagged.FORMATS if kind != "wav-list"])
def test_mutagen_itself_reads_several_values(kind: str, tmp_path: Path) -> None:
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
def test_the_format_is_told_by_the_content(kind: str, name: str, tmp_path: Path) -> None:
    assert read_tags(make(tmp_path, kind, "song.xyz")).format == name


def test_an_id3_tag_before_a_flac_does_not_make_it_an_mp3(tmp_path: Path) -> None:
    path = make(tmp_path, "flac", "song.mp3")
    tagged.id3(path, version=4, frames=[m.TCON(text=["Pop"])])
    write_genres(path, ["Jazz"])
    assert FLAC(path)["genre"] == ["Jazz"]
    assert path.read_bytes().startswith(b"ID3")


def test_an_mp3_may_begin_with_something_else(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3-bare")
    path.write_bytes(bytes(3000) + path.read_bytes())
    digest = audio_digest(path)
    write_genres(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)
    assert audio_digest(path) == digest


def test_formats_that_hold_no_tags_of_ours(tmp_path: Path) -> None:
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


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(TagError, match="nothing: No such file"):
        read_tags(tmp_path / "nothing")
    with pytest.raises(TagError, match="directory"):
        read_tags(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_names_in_any_encoding(tmp_path: Path) -> None:
    path = make(tmp_path, "mp3", os.fsdecode(b"caf\xe9 \xff\n.mp3"))
    write_genres(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)


# ----------------------------------------------------------------------------------- ID3


RICH = [
    m.TIT2(encoding=1, text=["Ein Stück"]),
    m.TPE1(encoding=0, text=["An artist"]),
    m.TXXX(encoding=1, desc="MOOD", text=["calm"]),
    m.COMM(encoding=0, lang="eng", desc="", text=["one"]),
    m.COMM(encoding=0, lang="deu", desc="", text=["zwei"]),
    m.POPM(email="a@b.c", rating=196, count=7),
    m.PRIV(owner="org.example", data=b"\0\xff\x01"),
    m.APIC(encoding=0, mime="image/png", type=3, desc="", data=synth.png(8)),
    m.UFID(owner="http://musicbrainz.org", data=b"abc"),
    m.CHAP(element_id="c1", start_time=0, end_time=100, sub_frames=[m.TIT2(text=["intro"])]),
    m.CTOC(element_id="toc", flags=3, child_element_ids=["c1"]),
]
UNKNOWN = {3: b"XYZ1\0\0\0\4\0\0abcd", 4: b"XYZ1\0\0\0\4\0\0abcd"}


@pytest.mark.parametrize("version", [3, 4])
def test_no_frame_is_lost(version: int, mp3: Path) -> None:
    tagged.id3(mp3, version=version, frames=RICH, raw=UNKNOWN[version])
    before = frames_of(mp3)
    write_genres(mp3, ROCK_AND_JAZZ)
    after = frames_of(mp3)
    assert after.pop("TCON").genres == (["Rock/Jazz"] if version == 3 else list(ROCK_AND_JAZZ))
    assert {key: repr(frame) for key, frame in after.items()} == {
        key: repr(frame) for key, frame in before.items()
    }
    assert UNKNOWN[version] in mp3.read_bytes()
    assert read_tags(mp3).format == f"ID3v2.{version}"


def test_several_values_of_other_frames_stay_several_in_version_3(mp3: Path) -> None:
    tagged.id3(mp3, version=4, frames=[m.TPE1(encoding=3, text=["A", "B"])])
    data = bytearray(mp3.read_bytes())
    data[3] = 3  # as some write it
    mp3.write_bytes(data)
    write_genres(mp3, ["Rock"])
    assert frames_of(mp3)["TPE1"].text == ["A", "B"]


@pytest.mark.parametrize(
    ("found", "asked", "written"), [(3, None, 3), (4, None, 4), (3, 4, 4), (4, 3, 3)]
)
def test_the_version_stays_unless_another_is_asked_for(
    found: int, asked: int | None, written: int, mp3: Path
) -> None:
    date = m.TDRC(text=["1999"]) if found == 4 else m.TYER(text=["1999"])
    tagged.id3(mp3, version=found, frames=[date])
    write_genres(mp3, ["Rock"], id3_version=asked)
    assert read_tags(mp3) == Tags(f"ID3v2.{written}", ("Rock",))
    assert str(frames_of(mp3)["TDRC" if written == 4 else "TYER"]) == "1999"


@pytest.mark.parametrize(("asked", "written"), [(None, 4), (3, 3), (4, 4)])
def test_a_new_tag_has_version_4_unless_3_is_asked_for(
    asked: int | None, written: int, mp3: Path
) -> None:
    write_genres(mp3, ["Rock"], id3_version=asked)
    assert read_tags(mp3) == Tags(f"ID3v2.{written}", ("Rock",))


def version_2(mp3: Path, frames: bytes) -> bytes:
    """Put a tag of version 2.2 before a recording, and return its frames."""
    mp3.write_bytes(b"ID3\2\0\0\0\0\0" + bytes([len(frames)]) + frames + mp3.read_bytes())
    return frames


def test_version_2_stays_unless_another_is_asked_for(mp3: Path) -> None:
    version_2(mp3, b"TT2\0\0\6\0Title" + b"TCO\0\0\5\0(17)" + b"TYE\0\0\5\x001999")
    assert read_tags(mp3) == Tags("ID3v2.2", ("Rock",), title="Title")
    assert write_genres(mp3, ["Jazz", "Blues"]) == ("Jazz/Blues",)
    assert read_tags(mp3) == Tags("ID3v2.2", ("Jazz/Blues",), title="Title")
    assert str(m.ID3(mp3)["TCON"]) == "Jazz/Blues"
    write_genres(mp3, ["Größe"], id3_version=3)
    assert read_tags(mp3) == Tags("ID3v2.3", ("Größe",), title="Title")
    assert str(frames_of(mp3)["TYER"]) == "1999"


def test_a_frame_that_only_version_2_knows_is_not_lost(mp3: Path) -> None:
    frames = version_2(mp3, b"TT2\0\0\6\0Title" + b"XX2\0\0\6abcdef" + b"PCS\0\0\4abcd")
    write_genres(mp3, ["Jazz"])
    assert mp3.read_bytes()[10:].startswith(frames)
    before = mp3.read_bytes()
    with pytest.raises(TagError, match=r"its frame XX2 cannot be written in ID3v2\.4"):
        write_genres(mp3, ["Jazz"], id3_version=4)
    assert mp3.read_bytes() == before


def test_only_3_and_4_are_versions(mp3: Path) -> None:
    with pytest.raises(ValueError, match="id3_version=2 must be 3 or 4"):
        write_genres(mp3, ["Rock"], id3_version=2)


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        (["17"], ["Rock"]),
        (["(17)"], ["Rock"]),
        (["(4)Eurodisco"], ["Disco", "Eurodisco"]),
        (["(51)(39)"], ["Techno-Industrial", "Noise"]),
        (["RX"], ["Remix"]),
        (["Rock", ""], ["Rock"]),
    ],
)
def test_numbers_are_read_as_words(text: list[str], genres: list[str], mp3: Path) -> None:
    tagged.id3(mp3, version=4, frames=[m.TCON(text=text)])
    assert list(read_tags(mp3).genres) == genres


@pytest.mark.parametrize("word", ["17", "RX", "  ", "", "a\0b", "a\nb", "\udc80"])
def test_what_would_not_be_read_as_written_is_refused(word: str, mp3: Path) -> None:
    with pytest.raises(TagError):
        write_genres(mp3, [word])


def test_a_parenthesis_is_not_taken_for_a_number(mp3: Path) -> None:
    assert write_genres(mp3, ["(17)Rock"]) == ("(17)Rock",)


# ------------------------------------------------------------- several tags in one file


def test_id3v1_says_the_same_and_keeps_its_other_words(mp3: Path) -> None:
    mp3.write_bytes(mp3.read_bytes() + tagged.id3v1("Another title", genre=9))
    tagged.id3(mp3, version=3, frames=[m.TIT2(text=["A title"])])
    assert read_tags(mp3).genres == ("Metal",)  # nothing else says it
    for genres, number in ((["Hip-Hop", "jazz"], 7), (["Boom bap", "jazz"], 8), (["Zeuhl"], 255)):
        write_genres(mp3, genres)
        assert mp3.read_bytes()[-128:] == tagged.id3v1("Another title", genre=number)
    write_genres(mp3, [])
    assert read_tags(mp3).genres == ()


@pytest.mark.parametrize("version", [3, 4])
def test_what_id3v1_alone_says_goes_into_the_new_tag(version: int, mp3: Path) -> None:
    mp3.write_bytes(mp3.read_bytes() + tagged.id3v1("A title", genre=9))
    assert read_tags(mp3) == Tags("ID3v1", ("Metal",), "An artist", "An album", "A title")
    write_genres(mp3, ["Rock"], id3_version=version)
    frames = frames_of(mp3)
    assert {str(frames[name]) for name in ("TIT2", "TPE1", "TALB", "TCON", "TRCK")} == {
        "A title",
        "An artist",
        "An album",
        "Rock",
        "7",
    }
    assert str(frames["TDRC" if version == 4 else "TYER"]) == "1999"


def test_a_genre_in_apev2_beside_id3_says_the_same(mp3: Path) -> None:
    end = tagged.ape(genre="Pop", Mood="calm") + tagged.id3v1("A title", genre=13)
    mp3.write_bytes(mp3.read_bytes() + end)
    tagged.id3(mp3, version=4, frames=[m.TCON(text=["Metal"])])
    assert read_tags(mp3).genres == ("Metal",)
    digest = audio_digest(mp3)
    write_genres(mp3, ROCK_AND_JAZZ)
    tags = mutagen.apev2.APEv2(mp3)
    assert (list(tags["Genre"]), str(tags["Mood"])) == (["Rock", "Jazz"], "calm")
    assert mp3.read_bytes()[-128:] == tagged.id3v1("A title", genre=17)
    assert frames_of(mp3)["TCON"].text == ["Rock", "Jazz"]
    write_genres(mp3, [])
    assert "Genre" not in mutagen.apev2.APEv2(mp3)
    assert audio_digest(mp3) == digest


def test_apev2_with_the_loudness_only_is_left_alone(mp3: Path) -> None:
    end = tagged.ape(REPLAYGAIN_TRACK_GAIN="-3.1 dB")
    mp3.write_bytes(mp3.read_bytes() + end)
    write_genres(mp3, ["Rock"])
    assert read_tags(mp3) == Tags("ID3v2.4", ("Rock",))
    assert mp3.read_bytes().endswith(end)


def test_apev2_with_words_and_no_id3_takes_the_genre(mp3: Path) -> None:
    mp3.write_bytes(mp3.read_bytes() + tagged.ape(Artist="X", Title="Y"))
    write_genres(mp3, ROCK_AND_JAZZ)
    assert read_tags(mp3) == Tags("APEv2", ROCK_AND_JAZZ, "X", "", "Y")
    assert not mp3.read_bytes().startswith(b"ID3")


def test_lyrics3_between_apev2_and_id3v1_stays(mp3: Path) -> None:
    words = b"LYRICSBEGIN" + b"LYR00011Some words." + b"IND00003TAG"
    end = words + b"%06dLYRICS200" % len(words) + tagged.id3v1("A title", genre=9)
    mp3.write_bytes(mp3.read_bytes() + tagged.ape(Title="Y") + end)
    write_genres(mp3, ["Rock"])
    assert mp3.read_bytes()[-len(end) : -1] == end[:-1]
    assert read_tags(mp3) == Tags("APEv2", ("Rock",), "An artist", "An album", "Y")


def test_the_name_of_apev2_is_not_taken_for_id3v1(tmp_path: Path) -> None:
    path = make(tmp_path, "wavpack")
    for length in range(1, 140):  # one of them puts APETAGEX where TAG would stand
        path.write_bytes(tagged.recording("wavpack"))
        write_genres(path, ["x" * length])
        write_genres(path, ["Rock"])
        assert read_tags(path).genres == ("Rock",)


def test_the_list_of_a_wav_says_the_same(tmp_path: Path) -> None:
    path = make(tmp_path, "wav")
    items = b"INAM\7\0\0\0A title\0IGNR\4\0\0\0Pop\0IART\2\0\0\0X\0"
    data = path.read_bytes()
    chunk = b"LIST" + (len(items) + 4).to_bytes(4, "little") + b"INFO" + items
    for place in (36, len(data)):  # before the sound and after it
        whole = data[:place] + chunk + data[place:]
        path.write_bytes(whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:])
        wave = mutagen.wave.WAVE(path)
        wave.add_tags()
        wave.tags.add(mutagen.id3.TPE1(encoding=3, text=["Y"]))
        wave.save()
        assert read_tags(path) == Tags("ID3v2.4 in WAV", ("Pop",), "Y", "", "A title")
        digest = audio_digest(path)
        for genres, shown in ((["Rock", "Jazz"], "Rock; Jazz"), (["Größe"], "Größe"), ([], None)):
            write_genres(path, genres)
            assert list(read_tags(path).genres) == genres
            assert audio_digest(path) == digest
            mutagen.wave.delete(path)  # the ID3 chunk, so that the list is seen
            found = tagged.metadata(path.read_bytes())
            assert (found["title"], found["artist"]) == ("A title", "X")
            assert found.get("genre") == shown


# -------------------------------------------------------------------------- other formats


def test_vorbis_comments_keep_case_and_place(tmp_path: Path) -> None:
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


def test_comments_that_are_no_utf8_stay(tmp_path: Path) -> None:
    path = make(tmp_path, "flac")
    flac = FLAC(path)
    flac["title"] = "ABCDE"
    flac.save()
    path.write_bytes(path.read_bytes().replace(b"ABCDE", b"\xc4BCDE"))
    write_genres(path, ["Rock"])
    assert b"title=\xc4BCDE" in path.read_bytes()
    assert read_tags(path) == Tags("FLAC", ("Rock",), title="\ufffdBCDE")


def test_mp4_has_a_number_for_a_genre_too(tmp_path: Path) -> None:
    path = make(tmp_path, "m4a")
    file = MP4(path)
    file["\xa9gen"] = ["XY"]
    file.save()
    data = path.read_bytes().replace(b"\xa9gen", b"gnre")
    place = data.index(b"gnre") + 4 + 8  # the data atom's type
    patched = data[:place] + bytes(8) + (18).to_bytes(2, "big") + data[place + 10 :]
    path.write_bytes(patched)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)
    assert b"gnre" not in path.read_bytes()


# ---------------------------------------------------------------------- whatever may come


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
    """What a ``TagError`` says; no other error may come."""
    try:
        act()
    except TagError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", tagged.FORMATS)
def test_damage_is_a_tag_error_and_no_other(kind: str, tmp_path: Path) -> None:
    whole = tagged.recording(kind)
    path = tmp_path / "song"
    said = []
    for place, value in itertools.product(range(0, min(len(whole), 400), 7), (0, 0xFF)):
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        said.append(failure(lambda: read_tags(path)))
        path.write_bytes(whole[: place * len(whole) // 400])
        said.append(failure(lambda: write_genres(path, ["Rock"])))
    assert said.count("") > 10
    assert all(words.startswith(f"{path}: ") for words in said if words)
