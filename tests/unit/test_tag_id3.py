"""Genres in ID3, and in several tags of one file, in files made by encoders."""

from __future__ import annotations

from pathlib import Path

import mutagen
import mutagen.apev2
import mutagen.id3 as m
import mutagen.wave
import pytest

from genrelens import TagError
from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import synth, tagged
from support.tagged import frames_of, make

ROCK_AND_JAZZ = ("Rock", "Jazz")


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
def test_other_frames_stay(version: int, mp3: Path) -> None:
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


def test_other_frames_keep_several_values_in_version_3(mp3: Path) -> None:
    tagged.id3(mp3, version=4, frames=[m.TPE1(encoding=3, text=["A", "B"])])
    data = bytearray(mp3.read_bytes())
    data[3] = 3  # as some write it
    mp3.write_bytes(data)
    write_genres(mp3, ["Rock"])
    assert frames_of(mp3)["TPE1"].text == ["A", "B"]


@pytest.mark.parametrize(
    ("found", "asked", "written"), [(3, None, 3), (4, None, 4), (3, 4, 4), (4, 3, 3)]
)
def test_the_version_stays_unless_another_is_requested(
    found: int, asked: int | None, written: int, mp3: Path
) -> None:
    date = m.TDRC(text=["1999"]) if found == 4 else m.TYER(text=["1999"])
    tagged.id3(mp3, version=found, frames=[date])
    write_genres(mp3, ["Rock"], id3_version=asked)
    assert read_tags(mp3) == Tags(f"ID3v2.{written}", ("Rock",))
    assert str(frames_of(mp3)["TDRC" if written == 4 else "TYER"]) == "1999"


@pytest.mark.parametrize(("asked", "written"), [(None, 4), (3, 3), (4, 4)])
def test_a_new_tag_has_version_4_unless_3_is_requested(
    asked: int | None, written: int, mp3: Path
) -> None:
    write_genres(mp3, ["Rock"], id3_version=asked)
    assert read_tags(mp3) == Tags(f"ID3v2.{written}", ("Rock",))


def version_2(mp3: Path, frames: bytes) -> bytes:
    """Add a tag of version 2.2 to a recording, and return its frames."""
    mp3.write_bytes(b"ID3\2\0\0\0\0\0" + bytes([len(frames)]) + frames + mp3.read_bytes())
    return frames


def test_version_2_stays_unless_another_is_requested(mp3: Path) -> None:
    version_2(mp3, b"TT2\0\0\6\0Title" + b"TCO\0\0\5\0(17)" + b"TYE\0\0\5\x001999")
    assert read_tags(mp3) == Tags("ID3v2.2", ("Rock",), title="Title")
    assert write_genres(mp3, ["Jazz", "Blues"]) == ("Jazz/Blues",)
    assert read_tags(mp3) == Tags("ID3v2.2", ("Jazz/Blues",), title="Title")
    assert str(m.ID3(mp3)["TCON"]) == "Jazz/Blues"
    write_genres(mp3, ["Größe"], id3_version=3)
    assert read_tags(mp3) == Tags("ID3v2.3", ("Größe",), title="Title")
    assert str(frames_of(mp3)["TYER"]) == "1999"


def test_a_frame_that_only_version_2_defines_stays(mp3: Path) -> None:
    frames = version_2(mp3, b"TT2\0\0\6\0Title" + b"XX2\0\0\6abcdef" + b"PCS\0\0\4abcd")
    write_genres(mp3, ["Jazz"])
    assert mp3.read_bytes()[10:].startswith(frames)
    before = mp3.read_bytes()
    with pytest.raises(TagError, match=r"its frame XX2 cannot be written in ID3v2\.4"):
        write_genres(mp3, ["Jazz"], id3_version=4)
    assert mp3.read_bytes() == before


def test_other_versions_are_refused(mp3: Path) -> None:
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
def test_genre_numbers_are_read_as_names(text: list[str], genres: list[str], mp3: Path) -> None:
    tagged.id3(mp3, version=4, frames=[m.TCON(text=text)])
    assert list(read_tags(mp3).genres) == genres


@pytest.mark.parametrize("genre", ["17", "RX", "  ", "", "a\0b", "a\nb", "\udc80"])
def test_genres_that_would_be_read_differently_are_refused(genre: str, mp3: Path) -> None:
    with pytest.raises(TagError):
        write_genres(mp3, [genre])


def test_a_parenthesis_is_not_read_as_a_number(mp3: Path) -> None:
    assert write_genres(mp3, ["(17)Rock"]) == ("(17)Rock",)


# ------------------------------------------------------------- several tags in one file


def test_id3v1_gets_the_genre_and_keeps_other_fields(mp3: Path) -> None:
    mp3.write_bytes(mp3.read_bytes() + tagged.id3v1("Another title", genre=9))
    tagged.id3(mp3, version=3, frames=[m.TIT2(text=["A title"])])
    assert read_tags(mp3).genres == ("Metal",)  # no other tag has a genre
    for genres, number in ((["Hip-Hop", "jazz"], 7), (["Boom bap", "jazz"], 8), (["Zeuhl"], 255)):
        write_genres(mp3, genres)
        assert mp3.read_bytes()[-128:] == tagged.id3v1("Another title", genre=number)
    write_genres(mp3, [])
    assert read_tags(mp3).genres == ()


@pytest.mark.parametrize("version", [3, 4])
def test_a_new_tag_gets_the_fields_of_id3v1(version: int, mp3: Path) -> None:
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


def test_a_genre_in_apev2_besides_id3_is_updated(mp3: Path) -> None:
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


def test_apev2_with_only_loudness_values_stays(mp3: Path) -> None:
    end = tagged.ape(REPLAYGAIN_TRACK_GAIN="-3.1 dB")
    mp3.write_bytes(mp3.read_bytes() + end)
    write_genres(mp3, ["Rock"])
    assert read_tags(mp3) == Tags("ID3v2.4", ("Rock",))
    assert mp3.read_bytes().endswith(end)


def test_apev2_with_a_title_and_no_id3_gets_the_genre(mp3: Path) -> None:
    mp3.write_bytes(mp3.read_bytes() + tagged.ape(Artist="X", Title="Y"))
    write_genres(mp3, ROCK_AND_JAZZ)
    assert read_tags(mp3) == Tags("APEv2", ROCK_AND_JAZZ, "X", "", "Y")
    assert not mp3.read_bytes().startswith(b"ID3")


def test_lyrics3_between_apev2_and_id3v1_stays(mp3: Path) -> None:
    lyrics = b"LYRICSBEGIN" + b"LYR00011Some words." + b"IND00003TAG"
    end = lyrics + b"%06dLYRICS200" % len(lyrics) + tagged.id3v1("A title", genre=9)
    mp3.write_bytes(mp3.read_bytes() + tagged.ape(Title="Y") + end)
    write_genres(mp3, ["Rock"])
    assert mp3.read_bytes()[-len(end) : -1] == end[:-1]
    assert read_tags(mp3) == Tags("APEv2", ("Rock",), "An artist", "An album", "Y")


def test_the_signature_of_apev2_is_not_read_as_id3v1(tmp_path: Path) -> None:
    path = make(tmp_path, "wavpack")
    for length in range(1, 140):  # one of them puts APETAGEX where TAG would stand
        path.write_bytes(tagged.recording("wavpack"))
        write_genres(path, ["x" * length])
        write_genres(path, ["Rock"])
        assert read_tags(path).genres == ("Rock",)


def test_the_list_of_a_wav_is_updated(tmp_path: Path) -> None:
    path = make(tmp_path, "wav")
    items = b"INAM\7\0\0\0A title\0IGNR\4\0\0\0Pop\0IART\2\0\0\0X\0"
    data = path.read_bytes()
    chunk = b"LIST" + (len(items) + 4).to_bytes(4, "little") + b"INFO" + items
    for offset in (36, len(data)):  # before the audio and after it
        whole = data[:offset] + chunk + data[offset:]
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
