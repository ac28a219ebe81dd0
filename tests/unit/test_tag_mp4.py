"""MP4: bytes that must not change, forms of the genre, padding, and files that are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.library.digest import audio_digest
from genrelens.tags import Tags, read_tags, write_genres
from support import mp4_cases, synth, tagged
from support.containers import itunes, make
from support.mp4_cases import box, value


def mp4(tags: bytes, *, after: bytes | None = None) -> bytes:
    """Return a recording with the audio after ``moov``, or before it and the given atoms."""
    tracks, sound, parts = mp4_cases._base(False)
    moov, mdat = box(b"moov", tracks + tags), box(b"mdat", sound)
    order = [moov, mdat] if after is None else [mdat, moov, after]
    return mp4_cases._pointed(box(*parts[0]) + b"".join(order), sound)


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
    assert path.stat().st_size == len(data) + 53  # the padding is too small and stays as it is


def test_an_old_genre_number_is_replaced_by_a_name(tmp_path: Path) -> None:
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
    [
        ("mp4", {"movflags": "use_metadata_tags"}),
        ("mov", {"movflags": "use_metadata_tags"}),
        ("mov", {}),
        ("ipod", {}),
        ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
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
    """These forms store only one text."""

    def tags(genre: str, language: int) -> bytes:
        encoded = genre.encode()
        return box(
            b"udta",
            box(b"\xa9nam", b"\0\1\0\0A")
            + box(b"\xa9gen", struct.pack(">HH", len(encoded), language) + encoded)
            + box(b"gnre", bytes(4) + b"\x15\xc7" + encoded + b"\0")
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
        offset = changed.index(name) - 4
        moved[offset : offset + 4] = (
            int.from_bytes(changed[offset : offset + 4], "big") + grown
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
        (
            box(b"meta", keyed([b"a"], b"b").replace(b"\0\0\0\1\0\0\0\x09", b"\0\0\0\7\0\0\0\x09")),
            "list of keys",
        ),
        (itunes() + box(b"cmov", b""), "its audio would move, but its atom 'cmov' points"),
    ],
)
def test_damaged_atoms_are_refused_with_a_reason(tags: bytes, reason: str, tmp_path: Path) -> None:
    data = mp4(tags)
    path = make(tmp_path, data)
    with pytest.raises(TagError, match=reason):
        write_genres(path, ["Jazz"])
    assert path.read_bytes() == data
