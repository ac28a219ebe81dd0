"""Vorbis comments, MP4 and ASF: what must stay to the byte, forms of the genre, and refusals."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import asf_cases
import mp4_cases
import synth
import tagged
import vorbis_cases
from asf_cases import EXTENDED, LIBRARY, utf16
from genrelens import TagError
from genrelens.library.content import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from mp4_cases import HANDLER, box, value


def make(folder: Path, data: bytes) -> Path:
    path = folder / "song"
    path.write_bytes(data)
    return path


# ------------------------------------------------------------------------ Vorbis comments

NAMES = [
    b"TITLE=Title", b"GENRE=Rock", "ПОДЖАНР=Рок".encode(), "アルバム=x".encode(), b"~internal=kept",
    b"=no name", b"no equals sign", b"ARTIST=\xc4\xff", b"TITLE=Title", b"",
]  # the first seven: vorbis-names.flac  # fmt: skip


def packed(comments: list[bytes], vendor: bytes = b"case") -> bytes:
    strings = [struct.pack("<I", len(each)) + each for each in (vendor, *comments)]
    return strings[0] + struct.pack("<I", len(comments)) + b"".join(strings[1:])


def with_comments(suffix: str, content: bytes, *blocks: tuple[int, bytes]) -> bytes:
    """Return a recording with these comments (of FLAC: and more metadata blocks)."""
    if suffix == ".flac":
        parts, frames = vorbis_cases._flac_parts(tagged.recording("flac"), 0)
        return flac([parts[0], (4, content), *blocks]) + frames

    class Fixed(Random):
        """Makes the pages of the generator without anything odd."""

        def random(self) -> float:
            return 0.9

        def choice(self, found: list[object]) -> object:  # type: ignore[override]
            return found[-1]

        def randint(self, low: int, high: int) -> int:
            return high

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vorbis_cases, "block", lambda rng, rest: content + b"\1" * (suffix == ".ogg"))
        return vorbis_cases.ogg(Fixed(), suffix)


def flac(blocks: list[tuple[int, bytes]]) -> bytes:
    last = [0x80 * (at == len(blocks) - 1) for at in range(len(blocks))]
    heads = [bytes([each[0] | bit]) for each, bit in zip(blocks, last, strict=True)]
    sizes = [len(content).to_bytes(3, "big") for _, content in blocks]
    contents = (content for _, content in blocks)
    return b"fLaC" + b"".join(map(b"".join, zip(heads, sizes, contents, strict=True)))


def comments_of(data: bytes, suffix: str) -> list[bytes]:
    """Return the vendor and the comments, as they stand in a file."""
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
def test_padding_of_flac_is_used_where_it_is_enough(
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


def test_old_and_new_genre_do_not_stand_in_two_blocks_of_flac(tmp_path: Path) -> None:
    blocks = [packed([b"A=b"]), packed([b"genre=Pop", b"C=d"]), packed([b"GENRE=Rock"])]
    more = [(4, each) for each in blocks[1:]]
    path = make(tmp_path, with_comments(".flac", blocks[0], *more))
    assert read_tags(path).genres == ("Pop",)
    write_genres(path, ["Jazz"])
    parts, _ = vorbis_cases._flac_parts(path.read_bytes(), 0)
    expected = [blocks[0], packed([b"genre=Jazz", b"C=d"]), packed([])]
    assert [content for kind, content in parts if kind == 4] == expected


def test_flac_behind_id3_tags(tmp_path: Path) -> None:
    before = synth.id3v2(b"") + b"ID3\4\0\x10\0\0\0\0" + b"3DI\4\0\x10\0\0\0\0"
    path = make(tmp_path, before + with_comments(".flac", packed([b"GENRE=Pop"])))
    assert read_tags(path).genres == ("Pop",)
    write_genres(path, ["Jazz"])
    assert read_tags(path) == Tags("FLAC", ("Jazz",))
    assert path.read_bytes().startswith(before + b"fLaC")


@pytest.mark.parametrize(
    ("suffix", "change", "reason"),
    [
        (".flac", lambda d: d.replace(b"case\2", b"case\3"), "Vorbis comments that are cut off"),
        (".flac", lambda d: d.replace(b"case\2", b"case\xff\xff"), "cut off|more than"),
        (".flac", lambda d: d.replace(b"\xff\xf8", b"\xff\0", 1), "do not end where its sound"),
        (".flac", lambda d: d[:60], "ends within its tags"),
        (".opus", lambda d: d.replace(b"OpusTags", b"OpusTagz"), "second Opus packet holds no"),
        (".ogg", lambda d: d[:70], "its Ogg pages end before its comments do"),
        (".oga", lambda d: d.replace(b"\x7fFLAC", b"\x7fFLAX"), "is an Ogg file without"),
    ],
)
def test_damaged_comments_are_refused_in_a_sentence(
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


def test_pages_behind_the_comments_stay_where_those_have_room(tmp_path: Path) -> None:
    data = with_comments(".opus", packed([b"GENRE=Pop"]))
    path = make(tmp_path, data)
    write_genres(path, ["x" * 1000])
    assert numbers(path.read_bytes()) == numbers(data)
    assert path.stat().st_size - len(data) == 997 + 4  # the lengths of segments


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".oga", ".spx"])
def test_more_pages_of_comments_shift_the_numbers_of_the_others(
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
    """Of radio: one after the other, here with the same serial number, as some write it."""
    data = with_comments(".opus", packed([b"GENRE=Pop"]))
    path = make(tmp_path, data + data)
    write_genres(path, ["x" * 100_000])
    assert path.read_bytes().endswith(data)


def test_a_page_that_is_cut_off_at_the_end_stays(tmp_path: Path) -> None:
    data = with_comments(".opus", packed([b"GENRE=Pop"]))
    path = make(tmp_path, data[:-100])
    write_genres(path, ["x" * 100_000])
    last = data.rindex(b"OggS")
    assert path.read_bytes().endswith(data[last:-100])
    path.write_bytes(data[:last] + b"no page" + data[last:])
    with pytest.raises(TagError, match="bytes between its Ogg pages"):
        write_genres(path, ["x" * 100_000])


# ----------------------------------------------------------------------------------- MP4


def mp4(tags: bytes, *, after: bytes | None = None) -> bytes:
    """Return a recording with the sound behind ``moov``, or before it and what is given."""
    tracks, sound, parts = mp4_cases._base(False)
    moov, mdat = box(b"moov", tracks + tags), box(b"mdat", sound)
    order = [moov, mdat] if after is None else [mdat, moov, after]
    return mp4_cases._pointed(box(*parts[0]) + b"".join(order), sound)


def itunes(*items: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    ilst = box(b"ilst", b"".join(items))
    return box(b"udta", box(b"meta", bytes(4) + box(b"hdlr", HANDLER) + before + ilst + after))


def keyed(keys: list[bytes], *values: bytes) -> bytes:
    entries = b"".join(struct.pack(">I", 8 + len(key)) + b"mdta" + key for key in keys)
    items = (box(struct.pack(">I", n), value(1, each)) for n, each in enumerate(values, start=1))
    content = box(b"keys", bytes(4) + struct.pack(">I", len(keys)) + entries)
    return box(b"hdlr", bytes(8) + b"mdta" + bytes(13)) + content + box(b"ilst", b"".join(items))


ODD = [
    box(b"covr", value(13, b"one") + value(14, b"two")),
    box(b"covr", value(27, b"a BMP")),
    box(b"covr", value(0, b"of no type")),
    box(b"----", value(1, b"neither mean nor name")),
    box(b"----", box(b"mean", bytes(4) + b"org.example") + value(1, b"no name")),
    box(b"----", box(b"name", bytes(4) + b"MOOD") + value(1, b"no mean")),
    box(b"\xa9nam", b"no value"),
    box(b"what", b"\xff" * 9),
]


def test_atoms_of_any_kind_stay(tmp_path: Path) -> None:
    genre = box(b"\xa9gen", value(1, b"Rock"))
    path = make(tmp_path, mp4(itunes(*ODD[:3], genre, *ODD[3:])))
    digest = audio_digest(path)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Jazz", "Größe"])
    new = box(b"\xa9gen", value(1, b"Jazz") + value(1, "Größe".encode()))
    assert path.read_bytes() == mp4(itunes(*ODD[:3], new, *ODD[3:]))
    assert audio_digest(path) == digest


@pytest.mark.parametrize(
    ("before", "after"), [(b"", box(b"free", bytes(50))), (box(b"free", bytes(50)), b"")]
)
def test_padding_of_mp4_is_used(before: bytes, after: bytes, tmp_path: Path) -> None:
    genre = box(b"\xa9gen", value(1, b"Rock"))
    data = mp4(itunes(genre, before=before, after=after))
    path = make(tmp_path, data)
    for new, left in (("Jazz and more", 41), ("x" * 54, 0), ("Rock", 50), ("Pop", 51)):
        write_genres(path, [new])
        assert path.stat().st_size == len(data)
        assert box(b"free", bytes(left)) in path.read_bytes()
    write_genres(path, ["x" * 56])
    assert path.stat().st_size == len(data) + 53  # it is not enough, and stays as it is


def test_an_old_number_is_replaced_by_words(tmp_path: Path) -> None:
    number = box(b"gnre", value(0, b"\0\x12"))
    path = make(tmp_path, mp4(itunes(ODD[0], number, ODD[1], box(b"\xa9gen", value(1, b"")))))
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Jazz"])
    new = box(b"\xa9gen", value(1, b"Jazz"))
    assert path.read_bytes() == mp4(itunes(ODD[0], new, ODD[1]))


@pytest.mark.parametrize("key", [b"genre", b"com.apple.quicktime.genre"])
@pytest.mark.parametrize("inside", [True, False])
def test_the_genre_of_a_list_of_keys(key: bytes, inside: bool, tmp_path: Path) -> None:
    def tags(*genres: bytes) -> bytes:
        meta = box(b"meta", bytes(4) * inside + keyed([b"title", key, b"mood"], b"A", b"", b"calm"))
        old = box(struct.pack(">I", 2), value(1, b""))
        new = box(struct.pack(">I", 2), b"".join(value(1, genre) for genre in genres))
        grown = meta.replace(old, new)
        grown = box(b"meta", grown[8:])
        at = grown.index(b"ilst") - 4
        grown = grown[:at] + box(b"ilst", grown[at + 8 :])
        return box(b"udta", grown) if inside else grown

    path = make(tmp_path, mp4(tags(b"Rock")))
    assert read_tags(path) == Tags("MP4", ("Rock",), title="A")
    write_genres(path, ["Jazz", "Blues"])
    assert path.read_bytes() == mp4(tags(b"Jazz", b"Blues"))
    assert read_tags(path).genres == ("Jazz", "Blues")


@pytest.mark.parametrize(
    ("container", "options"),
    [("mp4", {"movflags": "use_metadata_tags"}), ("mov", {"movflags": "use_metadata_tags"}),
     ("mov", {}), ("ipod", {}), ("mp4", {"movflags": "frag_keyframe+empty_moov"})],
)  # fmt: skip
def test_a_first_genre_is_read_by_ffmpeg_beside_the_title(
    container: str, options: dict[str, str], tmp_path: Path
) -> None:
    y = synth.music(0.4, tagged.RATE)
    data = synth.encode(y, tagged.RATE, "aac", container, title="A title", options=options)
    path = make(tmp_path, data)
    digest = audio_digest(path)
    for genre in ("Jazz", "Rock and roll", "x" * 3000, "Pop"):
        write_genres(path, [genre])
        found = tagged.metadata(path.read_bytes())
        assert (found["genre"], found["title"]) == (genre, "A title")
        assert read_tags(path) == Tags("MP4", (genre,), title="A title")
        assert audio_digest(path) == digest


@pytest.mark.parametrize("language", [0, 0x55C4])
def test_the_texts_of_quicktime_and_3gpp(language: int, tmp_path: Path) -> None:
    """They hold but one text."""

    def tags(genre: str, language: int) -> bytes:
        words = genre.encode()
        return box(
            b"udta",
            box(b"\xa9nam", b"\0\1\0\0A")
            + box(b"\xa9gen", struct.pack(">HH", len(words), language) + words)
            + box(b"gnre", bytes(4) + b"\x15\xc7" + words + b"\0")
            + bytes(4),
        )

    path = make(tmp_path, mp4(tags("Rock", language)))
    assert read_tags(path) == Tags("MP4", ("Rock",), title="A")
    assert write_genres(path, ["Jazz", "Pop"]) == ("Jazz; Pop",)
    assert path.read_bytes() == mp4(tags("Jazz; Pop", language))
    write_genres(path, ["Größe"])
    assert path.read_bytes() == mp4(tags("Größe", 0x55C4))
    write_genres(path, [])
    assert read_tags(path) == Tags("MP4", title="A")


def test_offsets_of_64_bits(tmp_path: Path) -> None:
    data = mp4(itunes(box(b"\xa9gen", value(1, b"Rock"))))
    at = data.index(b"stco") - 4
    end = at + int.from_bytes(data[at : at + 4], "big")
    wide = b"".join(bytes(4) + data[i : i + 4] for i in range(at + 16, end, 4))
    changed = data[:at] + box(b"co64", data[at + 8 : at + 16] + wide) + data[end:]
    grown = len(changed) - len(data)
    moved = bytearray(changed)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = changed.index(name) - 4
        moved[place : place + 4] = (
            int.from_bytes(changed[place : place + 4], "big") + grown
        ).to_bytes(4, "big")
    for i in range(at + 16, at + 16 + len(wide), 8):
        moved[i : i + 8] = (int.from_bytes(changed[i : i + 8], "big") + grown).to_bytes(8, "big")
    path = make(tmp_path, bytes(moved))
    digest, before = audio_digest(path), mp4_cases.others(bytes(moved), "")
    assert digest == audio_digest(make(tmp_path, data))
    path = make(tmp_path, bytes(moved))
    write_genres(path, ["A longer genre"])
    assert audio_digest(path) == digest
    assert mp4_cases.others(path.read_bytes(), "") == before


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (itunes(struct.pack(">I", 99) + b"\xa9gen"), r"an atom moov/udta/meta/ilst/©gen that"),
        (itunes(struct.pack(">I", 3) + b"\xa9gen"), r"an atom '©gen' of an impossible size"),
        (box(b"meta", keyed([b"a"], b"b").replace(b"\0\0\0\1\0\0\0\x09", b"\0\0\0\7\0\0\0\x09")),
         "list of keys"),
        (itunes() + box(b"cmov", b""), "its sound would move, and its atom 'cmov' says where"),
    ],
)  # fmt: skip
def test_damaged_atoms_are_refused_in_a_sentence(tags: bytes, reason: str, tmp_path: Path) -> None:
    data = mp4(tags)
    path = make(tmp_path, data)
    with pytest.raises(TagError, match=reason):
        write_genres(path, ["Jazz"])
    assert path.read_bytes() == data


# ----------------------------------------------------------------------------------- ASF


def short(*pairs: tuple[str, int, bytes]) -> bytes:
    data = b"".join(
        struct.pack("<H", len(utf16(name))) + utf16(name) + struct.pack("<HH", kind, len(raw)) + raw
        for name, kind, raw in pairs
    )
    return struct.pack("<H", len(pairs)) + data


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


def test_the_number_of_a_genre_in_asf_goes_with_the_old_genre(tmp_path: Path) -> None:
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
def test_a_genre_that_only_its_number_names(
    text: str, genres: tuple[str, ...], tmp_path: Path
) -> None:
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
    assert path.read_bytes() == expected  # and the size of the file stands in it


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.replace(utf16("Pop"), b"\xff" * 0), "impossible size|cut off"),
        (lambda d: d.replace(EXTENDED, EXTENDED[:-1] + b"\0"), ""),
        (lambda d: d[:200], "ends within its tags"),
        (lambda d: d[:16] + b"\xff" * 8 + d[24:], "has tags of"),
    ],
)
def test_a_damaged_header_of_asf(
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


def test_a_genre_that_asf_has_no_room_for(tmp_path: Path) -> None:
    path = make(tmp_path, data := asf(short()))
    with pytest.raises(TagError, match="too many or too long for ASF"):
        write_genres(path, ["x" * 33_000])
    assert path.read_bytes() == data


# ---------------------------------------------------------------------- made to be slow


def bombs() -> list[tuple[str, bytes]]:
    n = 110_000
    parts, frames = vorbis_cases._flac_parts(tagged.recording("flac"), 0)
    many = struct.pack("<II", 0, n) + bytes(4 * n)
    few = struct.pack("<II", 0, n // 2) + bytes(2 * n)
    pages = vorbis_cases._pages(tagged.recording("opus"))
    first = vorbis_cases._again(pages[0], 0)
    foreign = vorbis_cases._page(0, 0, 1, 1, b"\0", b"")
    header = box(b"ftyp", b"M4A \0\0\0\0")
    keys = bytes(4) + struct.pack(">I", 2**32 - 1)
    mdta = box(b"hdlr", bytes(8) + b"mdta" + bytes(13)) + box(b"keys", keys) + box(b"ilst", b"")
    half = short(*[("", 0, b"")] * 60_000)
    return [
        ("metadata blocks", flac([parts[0], *[(2, b"")] * n]) + frames),
        ("Vorbis comments", flac([parts[0], (4, many)]) + frames),
        ("Vorbis comments", flac([parts[0], (4, few), (4, few)]) + frames),
        ("ID3v2 tags", b"ID3\4\0\0\0\0\0\0" * n + tagged.recording("flac")),
        ("Ogg pages", first + foreign * n),
        ("MP4 atoms", header + box(b"moov", box(b"free", b"") * n)),
        ("MP4 atoms", header + box(b"moov", box(b"udta", box(b"free", b"")) * n)),
        ("MP4 atoms", header + box(b"free", b"") * 250_001),
        ("keys of MP4 items", header + box(b"moov", box(b"meta", mdta))),
        ("values", header + box(b"moov", itunes(box(b"\xa9gen", value(1, b"") * n)))),
        ("objects", asf_cases.whole([(bytes(16), b"")] * n, b"")),
        ("ASF attributes", asf_cases.whole([(EXTENDED, half)] * 2, b"")),
        ("of 4611686018427387888 bytes", header + struct.pack(">I4sQ", 1, b"moov", 2**62)),
    ]  # fmt: skip


def test_files_made_to_be_slow_are_refused(tmp_path: Path) -> None:
    for reason, data in bombs():
        with pytest.raises(TagError, match=f"has (more than [0-9]* |tags ){reason}"):
            read_tags(make(tmp_path, data))
