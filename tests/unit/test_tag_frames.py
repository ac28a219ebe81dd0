"""ID3v2, APEv2 and ID3v1: only the genre changes, byte for byte."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path
from types import ModuleType

import pytest

from genrelens import TagError
from genrelens.library import Catalog, Policy, apply_changes, plan_changes, undo
from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import chunk_cases, id3_cases, stream_cases
from support.containers import make
from support.id3_cases import raw_frame, syncsafe
from support.shelf import shelve
from support.stream_cases import ape_item, ape_tag
from support.tag_bytes import (
    FOOTED,
    ROCK,
    SOUND,
    TITLE,
    frame,
    id3,
    refusal,
    text,
)
from support.tag_judge import judge

BATCH = 50

# ---------------------------------------------------------------------------- random files


@pytest.mark.parametrize(
    ("kind", "batch"),
    [
        (kind, n)
        for kind, n_batches in ((stream_cases, 18), (chunk_cases, 10))
        for n in range(n_batches)
    ],
)
def test_only_the_genre_changes_in_random_files(
    kind: ModuleType, batch: int, tmp_path: Path
) -> None:
    """Only encrypted frames are refused."""
    judged = [judge(kind, seed, tmp_path) for seed in range(BATCH * batch, BATCH * (batch + 1))]
    assert [faults for _, faults in judged if faults] == []
    assert {reason for reason, _ in judged} <= {"", "its frame TCON is encrypted"}


def test_undo_restores_every_byte(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the library, which also checks that the audio stays the same."""
    monkeypatch.setenv("GENRELENS_JOURNAL", str(in_memory / "journal.sqlite"))
    music, rng = in_memory / "music", random.Random(5)
    music.mkdir()
    before = {}
    with Catalog.open(in_memory / "catalog.sqlite") as catalog:
        for number in range(100):
            suffix, data = stream_cases.cases(rng)
            if suffix == ".mp3":  # FFmpeg finds no audio in the others
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


# ------------------------------------------------------------ frames that must not be lost

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
def test_other_frames_keep_every_byte(name: str, tmp_path: Path) -> None:
    path = make(tmp_path, id3(TITLE, *KEPT[name], ROCK) + SOUND)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco"])
    assert path.read_bytes() == id3(TITLE, *KEPT[name], text(b"TCON", "Disco"), padding=199) + SOUND


def test_a_tag_with_a_footer_is_updated(tmp_path: Path) -> None:
    path = make(tmp_path, id3(FOOTED, version=4, flags=0x10, padding=0) + SOUND)
    assert read_tags(path) == Tags("ID3v2.4", ("Rock",), title="Title")
    write_genres(path, ["Disco"])
    new = text(b"TIT2", "Title", 4) + text(b"TCON", "Disco", 4)
    assert path.read_bytes() == id3(new, version=4, flags=0x10, padding=0) + SOUND


def test_a_tag_at_the_end_is_read_and_updated(tmp_path: Path) -> None:
    path = make(tmp_path, SOUND + id3(FOOTED, version=4, flags=0x10, padding=0))
    digest = audio_digest(path)
    assert digest == audio_digest(make(tmp_path, SOUND))
    make(tmp_path, SOUND + id3(FOOTED, version=4, flags=0x10, padding=0))
    assert read_tags(path) == Tags("ID3v2.4", ("Rock",), title="Title")
    write_genres(path, ["Disco"])
    new = text(b"TIT2", "Title", 4) + text(b"TCON", "Disco", 4)
    assert path.read_bytes() == SOUND + id3(new, version=4, flags=0x10, padding=0)
    assert audio_digest(path) == digest


def test_item_names_keep_their_case_and_the_read_only_bit(tmp_path: Path) -> None:
    kept = [ape_item(b"Artist", b"A", 1), ape_item(b"ARTIST", b"B"), ape_item(b"artist", b"C", 3)]
    path = make(tmp_path, SOUND + ape_tag([kept[0], ape_item(b"gENRE", b"Rock", 1), *kept[1:]]))
    assert read_tags(path) == Tags("APEv2", ("Rock",), artist="A; B")
    write_genres(path, ["Disco", "Funk"])
    genre = ape_item(b"gENRE", b"Disco\0Funk", 1)
    assert path.read_bytes() == SOUND + ape_tag([kept[0], genre, *kept[1:]])


# ------------------------------------------------------------------------------- raw ID3v2


def test_frame_sizes_of_old_itunes(tmp_path: Path) -> None:
    """Sizes in ID3v2.4 with 8 bits per byte; otherwise 200 bytes would read as 72."""
    long = raw_frame(b"TXXX", b"\0a\0" + b"x" * 197, 4, plain=True)
    path = make(tmp_path, id3(long, raw_frame(b"TCON", b"\0Rock", 4), version=4) + SOUND)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Disco " * 40])
    genre = raw_frame(b"TCON", b"\0" + b"Disco " * 40, 4, plain=True)
    assert path.read_bytes() == id3(long, genre, version=4, padding=1024) + SOUND


@pytest.mark.parametrize("version", [2, 3, 4])
def test_the_checksum_is_updated(version: int, tmp_path: Path) -> None:
    rng, n = random.Random(version), 0
    for _ in range(400):
        tag = id3_cases.random_tag(rng)
        if tag[5] & 0x40 and tag[3] == version:
            path = make(tmp_path, tag + SOUND)
            try:
                write_genres(path, ["Disco"])
            except TagError:
                continue
            n += 1
            data = path.read_bytes()
            assert id3_cases.checksum_is_right(data[: id3_cases.tag_length(data)])
    assert (n > 10) == (version > 2)


def test_compressed_frames_are_decompressed_up_to_a_limit(tmp_path: Path) -> None:
    packed = struct.pack(">I", 10**9) + zlib.compress(b"\0" + b"x" * 10**8)
    path = make(tmp_path, id3(frame(b"TCON", packed, 0x80), frame(b"APIC", packed, 0x80)) + SOUND)
    assert read_tags(path).genres == ()
    assert refusal(path, ["Disco"]) == "its frame TCON decompresses to more than 1 MiB"
    path = make(tmp_path, id3(TITLE, frame(b"APIC", packed, 0x80), ROCK) + SOUND)
    write_genres(path, ["Disco"])
    assert packed in path.read_bytes()


def test_a_compressed_genre_is_read(tmp_path: Path) -> None:
    packed = struct.pack(">I", 5) + zlib.compress(b"\0Rock")
    path = make(tmp_path, id3(TITLE, frame(b"TCON", packed, 0x80)) + SOUND)
    assert read_tags(path).genres == ("Rock",)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (id3(ROCK, version=5), "has a tag of the unknown version ID3v2.5"),
        (id3(ROCK, flags=0x40), ""),  # a frame instead of the extended header
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
        (id3(ROCK) * 101, "has more than 100 ID3v2 tags before the audio"),
    ],
)
def test_invalid_tags_are_refused(tag: bytes, reason: str, tmp_path: Path) -> None:
    path = make(tmp_path, tag + SOUND)
    if reason:
        assert refusal(path, ["Disco"]) == reason
    else:
        write_genres(path, ["Disco"])


def test_a_frame_that_ends_in_0xff_stays_when_the_genre_after_it_is_removed(tmp_path: Path) -> None:
    """In an unsynchronised tag, the frame then includes the first zero of the padding."""
    private = frame(b"PRIV", b"a\0\xff")
    path = make(tmp_path, id3(private, ROCK, flags=0x80) + SOUND)
    write_genres(path, [])
    assert path.read_bytes() == id3(private, flags=0x80, padding=200 + len(ROCK)) + SOUND
    assert id3_cases.best_frames(path.read_bytes()) == (
        [(b"PRIV", private)],
        bytes(199 + len(ROCK)),
    )
