"""Collections of DJ programs as inputs: the files that they name, and hostile collections."""

from __future__ import annotations

import itertools
import os
import struct
import unicodedata
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest

from genrelens.discovery import collections
from genrelens.discovery.collections import drive_root
from genrelens.discovery.find import find_files, is_single_file
from genrelens.discovery.playlists import STREAMS, read_playlist
from genrelens.errors import LibraryError
from support.crates import ONE_TRACK

NAMES = ["a & b <c>.mp3", "日本/🎵.flac", "50 % #1?.mp3", "quo\"te's.mp3", "x" * 250 + ".mp3"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> list[str]:
    """Create files; return their absolute paths."""
    for path in map(Path, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return [str(Path(name).absolute()) for name in names]


def rekordbox(*locations: str) -> str:
    """Write a collection of Rekordbox with these locations; return its name."""
    tracks = "".join(
        f'<TRACK TrackID="{n}" Name="x" Location="{escaped(location)}"><TEMPO Bpm="1"/></TRACK>'
        for n, location in enumerate(locations)
    )
    keys = "".join(f'<TRACK Key="{n}"/>' for n in range(len(locations)))
    return written(
        "collection.xml",
        f'<?xml version="1.0" encoding="UTF-8"?>\n<DJ_PLAYLISTS Version="1.0.0">'
        f'<PRODUCT Name="rekordbox"/><COLLECTION Entries="{len(locations)}">{tracks}</COLLECTION>'
        f'<PLAYLISTS><NODE Type="0" Name="ROOT"><NODE Name="a" Type="1">{keys}</NODE></NODE>'
        "</PLAYLISTS></DJ_PLAYLISTS>",
    )


def traktor(*locations: tuple[str, str, str]) -> str:
    """Write a collection of Traktor with these volumes, folders and files; return its name."""
    entries = "".join(
        f'<ENTRY TITLE="x"><LOCATION DIR="{escaped(directory)}" FILE="{escaped(file)}" '
        f'VOLUME="{volume}"></LOCATION><INFO GENRE="x"></INFO></ENTRY>'
        for volume, directory, file in locations
    )
    return written("collection.nml", f'<NML VERSION="19"><COLLECTION>{entries}</COLLECTION></NML>')


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def written(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def crate(*paths: str) -> bytes:
    tracks = b""
    for path in paths:
        text = path.encode("utf-16-be")
        tracks += struct.pack(">4sI4sI", b"otrk", len(text) + 8, b"ptrk", len(text)) + text
    return b"vrsn\0\0\0\2\0" + b"1" + tracks


def location(path: str) -> str:
    return f"file://localhost{quote(os.fsencode(path))}"


# --------------------------------------------------------------------- Rekordbox


def test_rekordbox() -> None:
    paths = touch(*NAMES)
    collection = rekordbox(*map(location, paths))
    assert read_playlist(collection) == paths
    assert [found.path for found in find_files([collection], on_problem=pytest.fail)] == paths
    assert not is_single_file(collection)


def test_rekordbox_with_names_that_are_not_utf8() -> None:
    paths = touch(os.fsdecode(b"caf\xe9.mp3"), "new\nline.mp3")
    assert read_playlist(rekordbox(*map(location, paths))) == paths


def test_rekordbox_with_other_urls(folder: Path) -> None:
    (path,) = touch("a.mp3")
    urls = [f"file://{path}", f"file://localhost/{path}", f"FILE://LOCALHOST{path}"]
    assert read_playlist(rekordbox(*urls)) == [path] * 3


def test_accents_are_composed_or_decomposed() -> None:
    (path,) = touch(unicodedata.normalize("NFD", "Motörhead.mp3"))
    assert read_playlist(rekordbox(location(unicodedata.normalize("NFC", path)))) == [path]


@pytest.mark.parametrize(
    "stream",
    [
        "file://localhosttidal:tracks:62303032",
        "file://localhostsoundcloud:tracks:1",
        "file://localhostspotify:track:0abc",
        "file://localhost/tidal:tracks:62303032",
        "https://radio.example/x.mp3",
    ],
)
def test_streams_are_counted(stream: str) -> None:
    (path,) = touch("a.mp3")
    left_out: Counter[str] = Counter()
    assert read_playlist(rekordbox(stream, location(path)), left_out) == [path]
    assert left_out == {STREAMS: 1}


def test_a_name_with_a_colon_is_no_stream() -> None:
    (path,) = touch("Live: tracks.mp3")
    assert read_playlist(rekordbox(f"file://localhost{path}")) == [path]
    assert read_playlist(rekordbox("file://localhost/Live:set.mp3")) == ["/Live:set.mp3"]


@pytest.mark.parametrize(
    "address", ["file://localhost/C:/Music/a%20b.mp3", "file://localhostC:/Music/a%20b.mp3"]
)
def test_paths_of_windows_are_reported(address: str) -> None:
    problems: dict[str, str] = {}
    assert not list(find_files([rekordbox(address)], on_problem=problems.__setitem__))
    assert problems == {
        "C:/Music/a b.mp3": "is a Windows path, and this computer does not run Windows"
    }


def test_null_bytes_and_missing_files() -> None:
    problems: dict[str, str] = {}
    collection = rekordbox("file://localhost/a%00b.mp3", "file://localhost/gone.mp3", "")
    assert not list(find_files([collection], on_problem=problems.__setitem__))
    assert problems == {
        "/a\0b.mp3": "embedded null byte",
        "/gone.mp3": "No such file or directory",
    }


# ----------------------------------------------------------------------- Traktor


def test_traktor() -> None:
    paths = touch(*NAMES, "a:b.mp3")
    locations = [
        ("Macintosh HD", "/:".join([*path.split("/")[:-1], ""]), path.split("/")[-1])
        for path in paths
    ]
    assert read_playlist(traktor(*locations)) == paths


def test_traktor_on_another_drive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collections, "_DRIVES", (str(folder / "Volumes"),))
    (path,) = touch("Volumes/USB/Music/a.mp3")
    assert read_playlist(traktor(("USB", "/:Music/:", "a.mp3"))) == [path]


def test_traktor_of_windows_and_streams() -> None:
    collection = traktor(
        ("C:", "/:Music/:", "a.mp3"), ("Tidal", "/:", "80333251"), ("HD", "/:gone/:", "b.mp3")
    )
    left_out: Counter[str] = Counter()
    assert read_playlist(collection, left_out) == ["C:/Music/a.mp3", "/gone/b.mp3"]
    assert left_out == {STREAMS: 1}


# ------------------------------------------------------------------------ Serato


def test_a_crate_by_hand(folder: Path) -> None:
    assert read_playlist(written("x.crate", ONE_TRACK)) == ["/m/ü.🎵.o"]
    (path,) = touch("m/ü.🎵.o")
    Path("_Serato_/Subcrates").mkdir(parents=True)
    name = written("_Serato_/Subcrates/x.crate", ONE_TRACK)
    assert read_playlist(name) == [path]  # relative to a folder above the crate


def test_a_crate_of_windows() -> None:
    paths = touch("Music/AC/DC.mp3", "Music/b\\c.mp3")
    names = [path.lstrip("/").replace("AC/DC", "AC\\DC") for path in paths]
    assert read_playlist(written("x.crate", crate(*names))) == paths


def test_a_crate_on_the_drive_of_the_system() -> None:
    paths = touch(*NAMES)
    assert read_playlist(written("x.crate", crate(*(p.lstrip("/") for p in paths)))) == paths


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no crate of Serato"),
        (b"\xff\xd8\xff\xe0 a picture", "is no crate of Serato"),
        (ONE_TRACK[:-1], "a field is cut off"),
        (ONE_TRACK[:-20], "a field is cut off"),
        (ONE_TRACK + b"otr", "a field is cut off"),
        (b"vrsn\xff\xff\xff\xff", "a field is cut off"),
        (b"vrsn\0\0\0\0" + bytes(1 << 24), "is larger than 16 MiB"),
    ],
    ids=["empty", "picture", "cut", "cut in a track", "3 bytes more", "4 GiB", "large"],
)
def test_damaged_crates(content: bytes, words: str) -> None:
    with pytest.raises(LibraryError, match=f"x.crate: .*{words}"):
        read_playlist(written("x.crate", content))


def test_a_crate_with_half_a_character() -> None:
    content = crate("m/a.mp3") + b"otrk\0\0\0\x0bptrk\0\0\0\x03\0a\0"
    assert read_playlist(written("x.crate", content)) == ["/m/a.mp3", "/a\ufffd"]


# -------------------------------------------------------------- hostile XML files

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE NML [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in itertools.pairwise("abcdefghi"))
    + ']><NML><COLLECTION><LOCATION DIR="/:" FILE="&i;"/></COLLECTION></NML>'
)
EXTERNAL = (
    '<!DOCTYPE DJ_PLAYLISTS [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<DJ_PLAYLISTS><TRACK Location="&x;"/></DJ_PLAYLISTS>'
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMB, "has a document type"),
        (EXTERNAL, "has a document type"),
        ("<NML>" + "<a>" * 300, "is nested too deeply"),
        ('<NML><ENTRY TITLE="' + "a" * (20 << 20), "has an element of more than 16 MiB"),
        ("<NML>" + "".join(f"<a{n}/>" for n in range(20_000)), "too many different names"),
        ("<html><body/></html>", "is no collection of Rekordbox"),
        ("", "is no XML file, or is damaged"),
        ("just text", "is no XML file, or is damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no XML file, or is damaged"),
        ("<NML><COLLECTION>", "is no XML file, or is damaged"),
        ('<NML><LOCATION FILE="a\x01.mp3"/></NML>', "is no XML file, or is damaged"),
        ("<NML>&undefined;</NML>", "is no XML file, or is damaged"),
        ('<?xml version="1.0" encoding="nothing"?><NML/>', "is no XML file, or is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_refused_collections(content: str | bytes, words: str) -> None:
    problems: dict[str, str] = {}
    name = written("x.nml", content)
    assert not list(find_files([name], on_problem=problems.__setitem__))
    assert words in problems[name]


def test_a_large_collection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collections, "_MOST_BYTES", 1 << 20)
    name = written("x.xml", "<NML>" + " " * (2 << 20) + "</NML>")
    with pytest.raises(LibraryError, match="is larger than 1 MiB"):
        read_playlist(name)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_collections_in_other_encodings(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?><NML><LOCATION FILE="ü.mp3"/></NML>'
    assert read_playlist(written("x.nml", text.encode(encoding))) == ["ü.mp3"]


def test_unreadable_collections() -> None:
    os.mkdir("d.nml")  # noqa: PTH102 (a folder is searched)
    touch("d.nml/a.mp3")
    problems: dict[str, str] = {}
    found = list(find_files(["d.nml", "gone.xml", "gone.crate"], on_problem=problems.__setitem__))
    assert [os.path.relpath(each.path) for each in found] == ["d.nml/a.mp3"]
    assert problems == dict.fromkeys(["gone.xml", "gone.crate"], "No such file or directory")


def test_collections_in_folders_are_not_read() -> None:
    touch("m/a.mp3")
    Path("m/b.xml").write_text("<html/>")
    left_out: Counter[str] = Counter()
    found = find_files(["m"], on_problem=pytest.fail, left_out=left_out)
    assert [os.path.relpath(each.path) for each in found] == ["m/a.mp3"]
    assert left_out == {".xml": 1}


# ------------------------------------------------------------------------ drives


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/Volumes/USB/Music/a.mp3", "/Volumes/USB"),
        ("/media/me/USB/a.mp3", "/media/me/USB"),
        ("/home/me/a.mp3", "/"),  # even if /home is a mount point
        ("/Volumes/a.mp3", "/"),
    ],
)
def test_roots_of_drives(path: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = ("/", "/home", "/Volumes/USB", "/media/me/USB")
    monkeypatch.setattr(Path, "is_mount", lambda self: str(self) in mounts)
    assert drive_root(path) == root
