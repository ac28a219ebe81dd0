"""ID3v2, APEv2, ID3v1, RIFF, AIFF and DSF: nothing but the genre changes, byte for byte."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import mutagen.flac
import mutagen.id3 as m
import pytest

from genrelens import TagError
from genrelens.library import Catalog, Policy, apply_changes, plan_changes, undo
from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, edges, id3_frames, raw, read_tags, write_genres
from support import chunk_cases, id3_cases, stream_cases, tagged
from support.id3_cases import raw_frame, syncsafe
from support.shelf import shelve
from support.stream_cases import FRAME, ape_item, ape_tag
from support.tag_judge import judge

SOUND = FRAME * 6
BATCH = 50


def id3(*frames: bytes, version: int = 3, flags: int = 0, padding: int = 200) -> bytes:
    body = b"".join(frames) + bytes(padding)
    head = bytes([version, 0, flags]) + syncsafe(len(body))
    return b"ID3" + head + body + (b"3DI" + head if flags & 0x10 else b"")


def frame(name: bytes, data: bytes, flags: int = 0, version: int = 3) -> bytes:
    return raw_frame(name, data, version, flags)


def text(name: bytes, value: str, version: int = 3) -> bytes:
    return frame(name, b"\0" + value.encode("latin-1"), version=version)


@pytest.fixture
def made(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes) -> Path:
        path = tmp_path / "song"
        path.write_bytes(content)
        return path

    return make


Made = Callable[[bytes], Path]


def refused(path: Path, genres: list[str], **options: int) -> str:
    """Write genres, which fails and leaves the file as it is; return the reason."""
    before = path.read_bytes()
    with pytest.raises(TagError) as caught:
        write_genres(path, genres, **options)
    assert path.read_bytes() == before
    return caught.value.reason


# ------------------------------------------------------------------------- random files


@pytest.mark.parametrize(
    ("kind", "batch"),
    [
        (kind, n)
        for kind, n_batches in ((stream_cases, 18), (chunk_cases, 10))
        for n in range(n_batches)
    ],
)
def test_all_but_the_genre_stays(kind: ModuleType, batch: int, tmp_path: Path) -> None:
    """Only what nobody can read is refused: frames that are encrypted."""
    judged = [judge(kind, seed, tmp_path) for seed in range(BATCH * batch, BATCH * (batch + 1))]
    assert [faults for _, faults in judged if faults] == []
    assert {reason for reason, _ in judged} <= {"", "its frame TCON is encrypted"}


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_undo_brings_every_byte_back(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the library, which also makes sure that the sound stays."""
    monkeypatch.setenv("GENRELENS_JOURNAL", str(in_memory / "journal.sqlite"))
    music, rng = in_memory / "music", random.Random(5)
    music.mkdir()
    before = {}
    with Catalog.open(in_memory / "catalog.sqlite") as catalog:
        for number in range(100):
            suffix, data = stream_cases.cases(rng)
            if suffix == ".mp3":  # the others hold no sound that FFmpeg finds
                path = music / f"{number}{suffix}"
                path.write_bytes(data)
                before[path] = data
                shelve(catalog, path)
        plan = plan_changes(catalog, [music], Policy(existing="replace"))
        result = apply_changes(plan, catalog=catalog)
        reasons = {outcome.reason for outcome in result.failed}
        assert reasons <= {"its frame TCON is encrypted"}
        changed = [outcome.path for outcome in result.outcomes if outcome.done]
        assert len(changed) > 25
        assert all(read_tags(path).genres == ("Jazz",) for path in changed)
        undo(catalog=catalog)
    assert {path: path.read_bytes() for path in before} == before


# ------------------------------------------------------- files that lost something once

TITLE = text(b"TIT2", "Title")
ROCK = text(b"TCON", "Rock")
KEPT = {
    "space-padded": [frame(b"TSA ", b"\0Sort Album"), frame(b"TS2 ", b"\0Sort Artist")],
    "podcast-feed": [frame(b"WFED", b"\0http://example.org/feed.xml\0")],
    "same-key-twice": [
        frame(b"USLT", b"\0eng\0first lyrics"),
        frame(b"USLT", b"\0eng\0second lyrics"),
        frame(b"GEOB", b"\0application/octet-stream\0\0same\0AAAA"),
        frame(b"GEOB", b"\0application/octet-stream\0\0same\0BBBB"),
        frame(b"UFID", b"owner\0id1"),
        frame(b"UFID", b"owner\0id2"),
        frame(b"POPM", b"a@b.c\0\x05"),
        frame(b"POPM", b"a@b.c\0\x06"),
        frame(b"MCDI", b"one"),
        frame(b"MCDI", b"two"),
    ],
    "malformed": [
        frame(b"TPE1", b"\5Artist"),
        frame(b"USLT", b"\0en"),
        frame(b"GEOB", b"\7application/x\0\0Serato Analysis\0\2\1"),
        frame(b"TXXX", b"\5\0grp\0value", 0x20),
        frame(b"Txyz", b"\0lower"),
    ],
    "link": [frame(b"LINK", b"TIT2http://example.org\0more")],
}


@pytest.mark.parametrize("name", KEPT)
def test_every_byte_of_every_other_frame_stays(name: str, made: Made) -> None:
    path = made(id3(TITLE, *KEPT[name], ROCK) + SOUND)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes() == id3(TITLE, *KEPT[name], text(b"TCON", "Disco"), padding=199) + SOUND


FOOTED = text(b"TIT2", "Title", 4) + text(b"TCON", "Rock", 4)


def test_a_tag_with_a_footer_is_replaced_whole(made: Made) -> None:
    path = made(id3(FOOTED, version=4, flags=0x10, padding=0) + SOUND)
    assert read_tags(path) == Tags("ID3v2.4", ("Rock",), title="Title")
    write_genres(path, ["Disco"])
    new = text(b"TIT2", "Title", 4) + text(b"TCON", "Disco", 4)
    assert path.read_bytes() == id3(new, version=4, flags=0x10, padding=0) + SOUND


def test_a_tag_at_the_end_is_read_and_updated(made: Made) -> None:
    path = made(SOUND + id3(FOOTED, version=4, flags=0x10, padding=0))
    digest = audio_digest(path)
    assert digest == audio_digest(made(SOUND))
    made(SOUND + id3(FOOTED, version=4, flags=0x10, padding=0))
    assert read_tags(path) == Tags("ID3v2.4", ("Rock",), title="Title")
    write_genres(path, ["Disco"])
    new = text(b"TIT2", "Title", 4) + text(b"TCON", "Disco", 4)
    assert path.read_bytes() == SOUND + id3(new, version=4, flags=0x10, padding=0)
    assert audio_digest(path) == digest


def test_items_that_differ_in_case_and_the_read_only_bit_stay(made: Made) -> None:
    kept = [ape_item(b"Artist", b"A", 1), ape_item(b"ARTIST", b"B"), ape_item(b"artist", b"C", 3)]
    path = made(SOUND + ape_tag([kept[0], ape_item(b"gENRE", b"Rock", 1), *kept[1:]]))
    assert read_tags(path) == Tags("APEv2", ("Rock",), artist="A; B")
    write_genres(path, ["Disco", "Funk"])
    genre = ape_item(b"gENRE", b"Disco\0Funk", 1)
    assert path.read_bytes() == SOUND + ape_tag([kept[0], genre, *kept[1:]])


# --------------------------------------------------------------- several tags in one file


def test_a_genre_in_the_second_of_two_tags_is_seen_and_replaced(made: Made) -> None:
    path = made(id3(TITLE) + id3(text(b"TPE1", "X"), ROCK, version=3) + SOUND)
    assert read_tags(path) == Tags("ID3v2.3", ("Rock",), artist="X", title="Title")
    write_genres(path, ["Disco"])
    disco = text(b"TCON", "Disco")
    first = id3(TITLE, disco, padding=200 - len(disco))
    assert path.read_bytes() == first + id3(text(b"TPE1", "X"), disco, padding=199) + SOUND
    write_genres(path, [])
    assert b"TCON" not in path.read_bytes()
    assert read_tags(path).genres == ()


@pytest.mark.parametrize("sound", [b"wvpk", b"MAC \x96\x0f", b"MPCK", b"MP+\x07", b"OFR ", b"tBaK"])
def test_id3_in_front_of_formats_with_apev2(sound: bytes, made: Made) -> None:
    path = made(id3(TITLE, ROCK) + sound + bytes(400))
    assert read_tags(path) == Tags("APEv2", ("Rock",), title="Title")
    write_genres(path, ["Disco"])
    id3_tag = id3(TITLE, text(b"TCON", "Disco"), padding=199)
    ape = path.read_bytes().removeprefix(id3_tag + sound + bytes(400))
    assert stream_cases.genres_of(ape) == [b"Disco"]
    write_genres(path, [])
    assert b"Disco" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["aac", "tta"])
def test_id3_in_front_of_aac_and_tta(kind: str, made: Made) -> None:
    sound = tagged.recording(kind)
    path = made(id3(TITLE, ROCK) + sound)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes() == id3(TITLE, text(b"TCON", "Disco"), padding=199) + sound


def test_all_tags_around_a_flac_say_the_same(made: Made) -> None:
    flac = tagged.recording("flac")
    end = ape_tag([ape_item(b"Genre", b"Pop")]) + tagged.id3v1("A title", genre=17)
    path = made(id3(TITLE, ROCK) + flac + end)
    digest = audio_digest(path)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    data = path.read_bytes()
    assert data.startswith(id3(TITLE, text(b"TCON", "Disco"), padding=199) + b"fLaC")
    assert data.endswith(ape_tag([ape_item(b"Genre", b"Disco")]) + tagged.id3v1("A title", genre=4))
    assert mutagen.flac.FLAC(path)["genre"] == ["Disco"]
    assert audio_digest(path) == digest


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
def test_a_tag_before_an_ogg_says_the_same(kind: str, made: Made) -> None:
    path = made(id3(TITLE, ROCK) + tagged.recording(kind))
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes().startswith(id3(TITLE, text(b"TCON", "Disco"), padding=199) + b"OggS")
    assert read_tags(path).genres == ("Disco",)


@pytest.mark.parametrize("kind", ["vorbis", "opus", "m4a", "wma", "wav", "aiff"])
def test_tags_behind_a_container_say_the_same(kind: str, made: Made) -> None:
    end = ape_tag([ape_item(b"Genre", b"Pop")]) + tagged.id3v1("A title", genre=17)
    path = made(tagged.recording(kind) + end)
    assert read_tags(path).genres == ("Pop",)
    write_genres(path, ["Disco"])
    new = ape_tag([ape_item(b"Genre", b"Disco")]) + tagged.id3v1("A title", genre=4)
    assert path.read_bytes().endswith(new)
    assert read_tags(path).genres == ("Disco",)


@pytest.mark.parametrize("kind", ["m4a", "wma", "wav", "aiff", "dsf"])
def test_a_tag_before_a_container_is_refused(kind: str, made: Made) -> None:
    path = made(id3(TITLE, ROCK) + tagged.recording(kind))
    assert refused(path, ["Disco"]) == "has an ID3v2 tag before its first byte, where none belongs"


def test_the_enhanced_id3v1_tag_says_the_same(made: Made) -> None:
    enhanced = b"TAG+" + bytes(181) + b"Rock".ljust(30, b"\0") + b"000:00000:00"
    path = made(SOUND + enhanced + tagged.id3v1("A title", genre=17))
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes().endswith(
        enhanced.replace(b"Rock\0", b"Disco") + tagged.id3v1("A title", 4)
    )


def test_lyrics_of_both_kinds_stay_between_the_tags(made: Made) -> None:
    first = b"LYRICSBEGINsome wordsLYRICSEND"
    second = b"LYRICSBEGININD0000200000021LYRICS200"
    ape = ape_tag([ape_item(b"Genre", b"Rock")])
    path = made(SOUND + ape + first + second + tagged.id3v1("A title", genre=17))
    write_genres(path, ["Disco"])
    new = ape_tag([ape_item(b"Genre", b"Disco")])
    assert path.read_bytes() == SOUND + new + first + second + tagged.id3v1("A title", genre=4)


# ----------------------------------------------------------------------------- raw ID3v2


def test_sizes_of_old_itunes(made: Made) -> None:
    """Sizes of 8 bits a byte in ID3v2.4: a frame of 200 bytes would be one of 72 bytes."""
    long = raw_frame(b"TXXX", b"\0a\0" + b"x" * 197, 4, plain=True)
    path = made(id3(long, raw_frame(b"TCON", b"\0Rock", 4), version=4) + SOUND)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco " * 40])
    genre = raw_frame(b"TCON", b"\0" + b"Disco " * 40, 4, plain=True)
    assert path.read_bytes() == id3(long, genre, version=4, padding=1024) + SOUND


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_checksum_is_that_of_the_new_frames(version: int, made: Made) -> None:
    rng, n = random.Random(version), 0
    for _ in range(400):
        tag = id3_cases.random_tag(rng)
        if tag[5] & 0x40 and tag[3] == version:
            path = made(tag + SOUND)
            try:
                write_genres(path, ["Disco"])
            except TagError:
                continue
            n += 1
            data = path.read_bytes()
            assert id3_cases.checksum_is_right(data[: id3_cases.tag_length(data)])
    assert (n > 10) == (version > 2)


def test_compressed_frames_are_inflated_to_a_bound(made: Made) -> None:
    packed = struct.pack(">I", 10**9) + zlib.compress(b"\0" + b"x" * 10**8)
    path = made(id3(frame(b"TCON", packed, 0x80), frame(b"APIC", packed, 0x80)) + SOUND)
    assert read_tags(path).genres == ()
    assert refused(path, ["Disco"]) == "its frame TCON is compressed and inflates to over 1 MiB"
    path = made(id3(TITLE, frame(b"APIC", packed, 0x80), ROCK) + SOUND)
    write_genres(path, ["Disco"])
    assert packed in path.read_bytes()


def test_a_compressed_genre_is_read(made: Made) -> None:
    packed = struct.pack(">I", 5) + zlib.compress(b"\0Rock")
    path = made(id3(TITLE, frame(b"TCON", packed, 0x80)) + SOUND)
    assert read_tags(path).genres == ("Rock",)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (id3(ROCK, version=5), "has a tag of the version ID3v2.5, which is unknown"),
        (id3(ROCK, flags=0x40), ""),  # a frame stands where the extended header should
        (
            id3(bytes([0, 0, 0, 9]), flags=0x40, padding=0),
            "has an ID3v2 tag with a damaged extended header",
        ),
        (id3(frame(b"TCON", b"\x81\0Rock", 0x40)), "its frame TCON is encrypted"),
        (
            b"ID3\2\0\x40" + syncsafe(4) + bytes(4),
            "has an ID3v2.2 tag that is compressed, which no program can read",
        ),
        (b"ID3\3\0\0\0\0\xff\0", "has a damaged ID3v2 tag at the beginning"),
        (id3(ROCK) * 101, "has more than 100 ID3v2 tags before the sound"),
    ],
)
def test_what_cannot_be_kept_is_refused(tag: bytes, reason: str, made: Made) -> None:
    path = made(tag + SOUND)
    if reason:
        assert refused(path, ["Disco"]) == reason
    else:
        write_genres(path, ["Disco"])


def test_a_frame_that_ends_in_0xff_stays_when_the_genre_behind_it_goes(made: Made) -> None:
    """In an unsynchronised tag, the padding's first zero then belongs to it."""
    private = frame(b"PRIV", b"a\0\xff")
    path = made(id3(private, ROCK, flags=0x80) + SOUND)
    write_genres(path, [])
    assert path.read_bytes() == id3(private, flags=0x80, padding=200 + len(ROCK)) + SOUND
    assert id3_cases.best_frames(path.read_bytes()) == (
        [(b"PRIV", private)],
        bytes(199 + len(ROCK)),
    )


# ---------------------------------------------------------------------- another version

CHAPTER = b"c1\0" + bytes(16)


def test_all_frames_go_to_another_version_and_back(made: Made) -> None:
    """In order, repeated or not; UTF-8 becomes UTF-16; a date of three frames is one."""
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
    path = made(id3(*old, ROCK) + SOUND)
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
    path = made(id3(utf8, version=4) + SOUND)
    write_genres(path, ["Rock"], id3_version=3)
    [comment] = m.ID3(path).getall("COMM")
    assert (comment.encoding, comment.text) == (1, [long])


NO_DATE = "it is no single year, day or minute"
PACKED = "it is compressed, encrypted or part of a group"


@pytest.mark.parametrize(
    ("found", "name", "data", "flags", "reason"),
    [
        (4, b"TDRC", b"\x001999-05", 0, NO_DATE),
        (4, b"TDOR", b"\x001999-05", 0, "it is no single year"),
        (4, b"SYLT", b"\3eng\2\1\0", 0, "its text is damaged"),
        (4, b"TIT2", b"\3\xff", 0, "its text is damaged"),
        (3, b"PRIV", b"\x81a\0b", 0x20, PACKED),
        (3, b"CHAP", CHAPTER + b"junk", 0, "it is damaged"),
        (3, b"CHAP", CHAPTER + frame(b"CHAP", CHAPTER), 0, "it is damaged"),
    ],
)
def test_what_another_version_cannot_say_is_refused(
    found: int, name: bytes, data: bytes, flags: int, reason: str, made: Made
) -> None:
    first = TITLE if found == 3 else FOOTED
    path = made(id3(first, frame(name, data, flags, found), version=found) + SOUND)
    words = f"its frame {name.decode()} cannot be written in ID3v2.{7 - found}: {reason}"
    assert refused(path, ["Disco"], id3_version=7 - found) == words


JUNK = bytes(20) + b"junkjunk" + bytes(20)
UPDATE = bytes([0, 0, 0, 7, 1, 0x40, 0])
RESTRICTED = bytes([0, 0, 0, 8, 1, 0x10, 1, 0xC0])
CHECKED = bytes([0, 0, 0, 12, 1, 0x20, 5, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (id3(TITLE, ROCK, JUNK), "has bytes behind its frames that ID3v2.4 cannot hold"),
        (
            id3(FOOTED, JUNK, version=4),
            "has bytes behind its frames that ID3v2.3 cannot hold",
        ),
        (
            id3(UPDATE, FOOTED, version=4, flags=0x40),
            "has an extended header that ID3v2.3 cannot hold",
        ),
        (
            id3(RESTRICTED, FOOTED, version=4, flags=0x40),
            "has an extended header that ID3v2.3 cannot hold",
        ),
        (
            id3(bytes([0, 0, 0, 6, 0x40, 0, 0, 0, 0, 0]), TITLE, flags=0x40),
            "has an extended header that ID3v2.4 cannot hold",
        ),
    ],
)
def test_nothing_around_the_frames_is_lost_in_another_version(
    tag: bytes, reason: str, made: Made
) -> None:
    version = 7 - tag[3]
    assert refused(made(tag + SOUND), ["Disco"], id3_version=version) == reason
    assert refused(made(wav(DATA, id3_chunk(tag))), ["Disco"], id3_version=version) == reason


def test_a_checksum_is_dropped_and_an_experimental_tag_stays_one(made: Made) -> None:
    path = made(id3(CHECKED, FOOTED, version=4, flags=0x60) + SOUND)
    write_genres(path, ["Disco"], id3_version=3)
    assert path.read_bytes().startswith(b"ID3\3\0\x20")
    assert path.read_bytes()[10:].startswith(TITLE + text(b"TCON", "Disco"))


def test_a_tag_at_the_end_keeps_its_footer_in_another_version(made: Made) -> None:
    old = id3(TITLE, ROCK, version=3, flags=0x10, padding=0)
    path = made(SOUND + old)
    digest = audio_digest(path)
    write_genres(path, ["Rock"])
    assert path.read_bytes() == SOUND + old
    write_genres(path, ["Disco"], id3_version=4)
    new = text(b"TIT2", "Title", 4) + text(b"TCON", "Disco", 4)
    assert path.read_bytes() == SOUND + id3(new, version=4, flags=0x10, padding=0)
    assert read_tags(path) == Tags("ID3v2.4", ("Disco",), title="Title")
    assert audio_digest(path) == digest
    reason = "has an ID3v2 tag behind its sound, where ID3v2.3 allows none"
    assert refused(path, ["Rock"], id3_version=3) == reason


@pytest.mark.parametrize("n_ends", [0, 1, 2])
def test_the_end_of_a_text_is_no_value_in_another_version(n_ends: int, made: Made) -> None:
    """FFmpeg writes a zero behind each text of ID3v2.4."""
    data = b"\3" + "Größe\0zwei".encode() + bytes(n_ends)
    path = made(id3(frame(b"TIT2", data, version=4), version=4) + SOUND)
    write_genres(path, ["Disco"], id3_version=3)
    found = "Größe\0\ufeffzwei".encode("utf-16") + bytes(2 * n_ends)
    assert path.read_bytes()[10:].startswith(frame(b"TIT2", b"\1" + found))


@pytest.mark.parametrize("version", [3, 4])
def test_flags_of_the_status_go_to_another_version(version: int, made: Made) -> None:
    flags = {3: 0xA000, 4: 0x5000}
    path = made(id3(frame(b"TIT2", b"\0Title", flags[7 - version]), version=7 - version) + SOUND)
    write_genres(path, ["Disco"], id3_version=version)
    assert path.read_bytes()[10:].startswith(frame(b"TIT2", b"\0Title", flags[version]))


@pytest.mark.parametrize("version", [3, 4])
def test_version_2_goes_to_later_ones(version: int, made: Made) -> None:
    frames = [raw_frame(b"TT2", b"\0Title", 2), raw_frame(b"PIC", b"\0JPG\3\0image", 2)]
    path = made(id3(*frames, raw_frame(b"TYE", b"\x001999", 2), version=2) + SOUND)
    write_genres(path, ["Disco"], id3_version=version)
    tags = m.ID3(path, translate=False)
    assert (tags["APIC:"].mime, tags["APIC:"].data) == ("image/jpeg", b"image")
    assert str(tags["TDRC" if version == 4 else "TYER"]) == "1999"
    assert read_tags(path) == Tags(f"ID3v2.{version}", ("Disco",), title="Title")


# ------------------------------------------------------------------------ RIFF and AIFF


def id3_chunk(tag: bytes) -> bytes:
    return b"id3 " + struct.pack("<I", len(tag)) + tag + bytes(len(tag) % 2)


def wav(*chunks: bytes, size: int | None = None) -> bytes:
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16)
    body = b"WAVE" + form + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


DATA = b"data" + struct.pack("<I", 8) + bytes(8)


def aiff(*chunks: bytes, size: int) -> bytes:
    return b"FORM" + struct.pack(">I", size) + b"AIFF" + b"".join(chunks)


def dsf(size: int, place: int) -> bytes:
    return b"DSD " + struct.pack("<QQQ", 28, size, place) + bytes(60)


def head(name: bytes, size: int, order: str = "<") -> bytes:
    return name + struct.pack(order + "I", size)


CUT = "was cut off: its chunk data is longer than the file"
NO_END = "has no length in its header: it was never finished"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wav(DATA, size=0), NO_END),
        (wav(DATA, size=0xFFFFFFFF), NO_END),
        (wav(head(b"data", 0xFFFFFFFF) + bytes(8)), CUT),
        (wav(head(b"data", 99) + bytes(8), size=135), CUT),
        (wav(DATA, size=999), "was cut off: it is shorter than its header says"),
        (wav(DATA) + head(b"LIST", 4) + b"INFO", "has a tag behind the end that its header gives"),
        (wav(DATA, head(b"id3 ", 4) + b"junk"), "holds no ID3v2 tag in its chunk id3"),
        (b"RF64" + wav(DATA)[4:], "is in a format whose tags genrelens cannot write"),
        (aiff(head(b"SSND", 80, ">") + bytes(8), size=99), CUT.replace("data", "SSND")),
        (dsf(99, 0), "is damaged: it has 88 bytes, and 99 by its header"),
        (dsf(88, 200), "was cut off: its tag should begin behind its end"),
        (dsf(88, 60), "holds no ID3v2 tag where its header says so"),
    ],
)
def test_damaged_containers_are_refused_in_words(content: bytes, reason: str, made: Made) -> None:
    assert refused(made(content), ["Disco"]) == reason


def test_a_wav_that_was_never_finished_is_read(made: Made) -> None:
    info = b"LIST" + struct.pack("<I", 17) + b"INFOIGNR" + struct.pack("<I", 5) + b"Rock\0"
    assert read_tags(made(wav(info + b"\0", DATA, size=0))).genres == ("Rock",)


def info(*items: tuple[bytes, bytes], is_filled: bool = True) -> bytes:
    """A list; its last item ends with the list or with a byte that fills it up."""
    chunks = [head(name, len(data)) + data + bytes(len(data) % 2) for name, data in items]
    content = b"INFO" + b"".join(chunks)
    if not is_filled and len(items[-1][1]) % 2:
        content = content[:-1]
    return head(b"LIST", len(content)) + content + bytes(len(content) % 2)


NAMED = (b"INAM", b"A song\0")


@pytest.mark.parametrize("is_filled", [True, False])
@pytest.mark.parametrize("behind", [b"", DATA])
def test_a_wav_with_a_list_and_no_id3_gets_no_id3(
    behind: bytes, is_filled: bool, made: Made
) -> None:
    first = b"" if behind else DATA
    path = made(wav(first, info(NAMED, is_filled=is_filled), behind))
    assert read_tags(path) == Tags("RIFF INFO in WAV", title="A song")
    assert write_genres(path, ["Rock", "Jazz"]) == ("Rock; Jazz",)
    genre = (b"IGNR", b"Rock; Jazz\0")
    assert path.read_bytes() == wav(first, info(NAMED, genre), behind)
    assert read_tags(path) == Tags("RIFF INFO in WAV", ("Rock; Jazz",), title="A song")
    assert write_genres(path, []) == ()
    assert path.read_bytes() == wav(first, info(NAMED), behind)


def test_the_list_of_a_wav_that_has_a_genre_takes_the_new_one(made: Made) -> None:
    path = made(wav(info(NAMED), DATA, info((b"IGNR", b"Pop\0"), (b"ISFT", b"x\0"))))
    assert write_genres(path, ["Rock"], id3_version=3) == ("Rock",)
    assert path.read_bytes() == wav(
        info(NAMED), DATA, info((b"IGNR", b"Rock\0"), (b"ISFT", b"x\0"))
    )


def test_a_wav_with_neither_list_nor_id3_gets_an_id3_chunk(made: Made) -> None:
    path = made(wav(DATA, head(b"LIST", 4) + b"adtl"))
    assert write_genres(path, ["Rock", "Jazz"]) == ("Rock", "Jazz")
    assert read_tags(path) == Tags("ID3v2.4 in WAV", ("Rock", "Jazz"))


# ------------------------------------------------------------------- tags made to be slow


class Counted:
    """A file that counts the bytes that are read from it."""

    def __init__(self, path: Path) -> None:
        self.file, self.n_bytes = path.open("rb"), 0

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.n_bytes += len(data)
        return data

    def seek(self, *place: int) -> int:
        return self.file.seek(*place)


def test_many_tags_are_counted_before_they_are_read(made: Made) -> None:
    tiny = id3(b"", padding=0)
    for tags in (tiny * 50_000 + SOUND, SOUND + b"LYRICSBEGIN000011LYRICS200" * 50_000):
        file = Counted(made(tags))
        with pytest.raises(ValueError, match=r"more than 100 (ID3v2 )?tags"):
            edges.trailing(file, edges.leading(file)[1])  # type: ignore[arg-type]
        file.file.close()
        assert file.n_bytes < 100_000


def test_many_frames_items_and_chunks_are_refused(made: Made) -> None:
    n = raw.MOST_ITEMS + 1
    path = made(id3(text(b"TIT2", "") * n) + SOUND)
    assert refused(path, ["Disco"]) == "has more than 100000 frames in an ID3v2 tag"
    path = made(SOUND + ape_tag([ape_item(b"x", b"")] * n))
    assert refused(path, ["Disco"]) == "has more than 100000 items in an APEv2 tag"
    path = made(wav(DATA, (b"JUNK" + bytes(4)) * n))
    assert refused(path, ["Disco"]) == "has more than 100000 chunks"
    items = (b"ISFT" + bytes(4)) * n
    path = made(wav(b"LIST" + struct.pack("<I", 4 + len(items)) + b"INFO" + items, DATA))
    assert refused(path, ["Disco"]) == "has more than 100000 items in a RIFF INFO list"


def test_each_byte_of_a_tag_is_looked_at_once() -> None:
    """The number of bytes that are searched for zeros grows as the tag does."""

    class Searched(bytes):
        n_bytes = 0

        def count(self, *args: object) -> int:  # type: ignore[override]
            _, start, end = args
            Searched.n_bytes += end - start  # type: ignore[operator]
            return bytes.count(self, *args)  # type: ignore[arg-type]

    searched = []
    for n in (1000, 10_000):
        Searched.n_bytes = 0
        id3_frames._after(Searched(b"\xff\x00" * n), 0, n, True)
        searched.append(Searched.n_bytes / n)
    assert searched[1] == pytest.approx(searched[0], rel=0.1)
