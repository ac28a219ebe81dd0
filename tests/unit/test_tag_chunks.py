"""RIFF, AIFF and DSF, and tags with too many items."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from genrelens.tags import Tags, edges, id3_frames, raw, read_tags, write_genres
from support.containers import make
from support.stream_cases import ape_item, ape_tag
from support.tag_bytes import (
    DATA,
    SOUND,
    aiff,
    dsf,
    head,
    id3,
    info,
    refusal,
    text,
    wav,
)

# --------------------------------------------------------------------------- RIFF and AIFF


CUT = "was cut off: its chunk data is longer than the file"
NO_END = "has no length in its header: it was never finished"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wav(DATA, size=0), NO_END),
        (wav(DATA, size=0xFFFFFFFF), NO_END),
        (wav(head(b"data", 0xFFFFFFFF) + bytes(8)), CUT),
        (wav(head(b"data", 99) + bytes(8), size=135), CUT),
        (wav(DATA, size=999), "was cut off: it is shorter than its header states"),
        (wav(DATA) + head(b"LIST", 4) + b"INFO", "has a tag after the end that its header states"),
        (wav(DATA, head(b"id3 ", 4) + b"junk"), "has no ID3v2 tag in its chunk id3"),
        (b"RF64" + wav(DATA)[4:], "is in a format whose tags genrelens cannot write"),
        (aiff(head(b"SSND", 80, ">") + bytes(8), size=99), CUT.replace("data", "SSND")),
        (dsf(99, 0), "is damaged: it has 88 bytes; its header states 99"),
        (dsf(88, 200), "was cut off: its header places its tag after its end"),
        (dsf(88, 60), "has no ID3v2 tag where its header states one"),
    ],
)
def test_damaged_containers_are_refused_with_a_reason(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    assert refusal(make(tmp_path, content), ["Disco"]) == reason


def test_an_unfinished_wav_is_read(tmp_path: Path) -> None:
    chunk = b"LIST" + struct.pack("<I", 17) + b"INFOIGNR" + struct.pack("<I", 5) + b"Rock\0"
    assert read_tags(make(tmp_path, wav(chunk + b"\0", DATA, size=0))).genres == ("Rock",)


NAMED = (b"INAM", b"A song\0")


@pytest.mark.parametrize("is_padded", [True, False])
@pytest.mark.parametrize("after", [b"", DATA])
def test_a_wav_with_a_list_and_no_id3_gets_the_genre_in_the_list(
    after: bytes, is_padded: bool, tmp_path: Path
) -> None:
    first = b"" if after else DATA
    path = make(tmp_path, wav(first, info(NAMED, is_padded=is_padded), after))
    assert read_tags(path) == Tags("RIFF INFO in WAV", title="A song")
    assert write_genres(path, ["Rock", "Jazz"]) == ("Rock; Jazz",)
    genre = (b"IGNR", b"Rock; Jazz\0")
    assert path.read_bytes() == wav(first, info(NAMED, genre), after)
    assert read_tags(path) == Tags("RIFF INFO in WAV", ("Rock; Jazz",), title="A song")
    assert write_genres(path, []) == ()
    assert path.read_bytes() == wav(first, info(NAMED), after)


def test_the_list_with_a_genre_gets_the_new_one(tmp_path: Path) -> None:
    path = make(tmp_path, wav(info(NAMED), DATA, info((b"IGNR", b"Pop\0"), (b"ISFT", b"x\0"))))
    assert write_genres(path, ["Rock"], id3_version=3) == ("Rock",)
    assert path.read_bytes() == wav(
        info(NAMED), DATA, info((b"IGNR", b"Rock\0"), (b"ISFT", b"x\0"))
    )


def test_a_wav_with_neither_list_nor_id3_gets_an_id3_chunk(tmp_path: Path) -> None:
    path = make(tmp_path, wav(DATA, head(b"LIST", 4) + b"adtl"))
    assert write_genres(path, ["Rock", "Jazz"]) == ("Rock", "Jazz")
    assert read_tags(path) == Tags("ID3v2.4 in WAV", ("Rock", "Jazz"))


# ---------------------------------------------------------------- tags with too many items


class Counted:
    """A file that counts the bytes that are read from it."""

    def __init__(self, path: Path) -> None:
        self.file, self.n_bytes = path.open("rb"), 0

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.n_bytes += len(data)
        return data

    def seek(self, *position: int) -> int:
        return self.file.seek(*position)


def test_many_tags_are_refused_before_they_are_read(tmp_path: Path) -> None:
    tiny = id3(b"", padding=0)
    for tags in (tiny * 50_000 + SOUND, SOUND + b"LYRICSBEGIN000011LYRICS200" * 50_000):
        file = Counted(make(tmp_path, tags))
        with pytest.raises(ValueError, match=r"more than 100 (ID3v2 )?tags"):
            edges.trailing(file, edges.leading(file)[1])  # type: ignore[arg-type]
        file.file.close()
        assert file.n_bytes < 100_000


def test_many_frames_items_and_chunks_are_refused(tmp_path: Path) -> None:
    n = raw.MOST_ITEMS + 1
    path = make(tmp_path, id3(text(b"TIT2", "") * n) + SOUND)
    assert refusal(path, ["Disco"]) == "has more than 100000 frames in an ID3v2 tag"
    path = make(tmp_path, SOUND + ape_tag([ape_item(b"x", b"")] * n))
    assert refusal(path, ["Disco"]) == "has more than 100000 items in an APEv2 tag"
    path = make(tmp_path, wav(DATA, (b"JUNK" + bytes(4)) * n))
    assert refusal(path, ["Disco"]) == "has more than 100000 chunks"
    items = (b"ISFT" + bytes(4)) * n
    path = make(tmp_path, wav(b"LIST" + struct.pack("<I", 4 + len(items)) + b"INFO" + items, DATA))
    assert refusal(path, ["Disco"]) == "has more than 100000 items in a RIFF INFO list"


def test_each_byte_of_a_tag_is_searched_once() -> None:
    """The number of bytes searched for zeros is proportional to the size of the tag."""

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
