"""Collections for DJ programs, read back by readers that share no code with the writers."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from genrelens.discovery import collections
from genrelens.discovery.playlists import read_playlist
from genrelens.errors import DataError, LibraryError, MissingExtraError
from genrelens.library import Catalog, Policy, export_collection
from genrelens.library.dj.serato import fault_for_serato
from genrelens.library.dj.tracks import Track, track_of
from genrelens.library.dj.traktor import write_traktor
from genrelens.library.records import Failure
from genrelens.prediction import Style
from genrelens.tags import Tags
from support.crates import ONE_TRACK, paths_in, read_crate
from support.library_folder import medley, stored
from support.shelf import entry

NOT_UTF8 = os.fsdecode(b"caf\xe9.mp3")
CONTROL = "bell\x07.mp3"
BACKSLASH = "AC\\DC.mp3"
ODD = ["a & b <c> \"d\" 'e'.mp3", "new\nline\t.mp3", "‮rtl 日本 🎵.flac", "50 % #1?+.mp3", "n" * 240]
HOUSE = (Style("house", 0.75, 0.5), Style("jazz", 0.6, 0.5), Style("trance", 0.25, 0.5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    """Odd names; jazz with tags, two genres, not sure, not music, a mix, and a failure."""
    tags = Tags("FLAC", (), "Ann & Bee\x01\ufffe", 'An "album"', "A\ntitle <live>")
    with Catalog.open(folder / "catalog.sqlite") as catalog:
        for name in [*ODD, NOT_UTF8, CONTROL, BACKSLASH]:
            record(catalog, folder / name, stored("rock", 0.75, styles=()))
        jazz = stored("jazz", 0.83, styles=HOUSE, duration=100.6)
        record(catalog, folder / "jazz.mp3", jazz, tags=tags, size=5000)
        record(catalog, folder / "tagged.mp3", jazz, tags=Tags("FLAC", ("Bebop", "Swing")))
        record(catalog, folder / "unsure.mp3", stored("pop", 0.35, styles=HOUSE[:1]))
        noise = replace(stored("pop", 0.9, styles=HOUSE), verdict="not music")
        record(catalog, folder / "noise.mp3", noise)
        record(catalog, folder / "mix.mp3", medley("jazz", "metal"))
        record(catalog, folder / "bad.mp3", None, failure=Failure("crashed"))
        yield catalog


def record(catalog: Catalog, path: Path, prediction: Any, **changes: Any) -> None:
    values = {"size": 9, "mtime_ns": 1, "digest": os.fsencode(path).hex(), "tags": None} | changes
    catalog.record(path, prediction=prediction, **values)


def track(path: str = "/m/a.mp3", **changes: Any) -> Track:
    return replace(track_of(entry(path=Path(path)), stored(), Policy(), ("genre",)), **changes)


# ------------------------------------------------------------------------ Rekordbox


def rekordbox(path: Path) -> Any:
    """Read a collection as pyrekordbox does."""
    return pytest.importorskip("pyrekordbox.rbxml").RekordboxXml(path)


def test_rekordbox(catalog: Catalog, folder: Path) -> None:
    target = folder / "x.xml"
    exported = export_collection(catalog.query(), "rekordbox", target, comments=True)
    collection = rekordbox(target)
    tracks = {Path(each.Location).name: each for each in collection.get_tracks()}
    expected = {*ODD, CONTROL, "jazz.mp3", "tagged.mp3", "unsure.mp3", "noise.mp3", "mix.mp3"}
    assert set(tracks) == expected
    assert exported.n_tracks == collection.num_tracks == len(expected)
    jazz = tracks["jazz.mp3"]
    assert {name: jazz.get(name) for name in jazz if name not in ("TrackID", "Location")} == {
        "Name": "A title <live>",
        "Artist": "Ann & Bee\ufffd\ufffd",
        "Album": 'An "album"',
        "Genre": "Jazz",
        "Kind": "MP3 File",
        "Size": 5000,
        "TotalTime": 101,
        "Comments": "Jazz 83 %; House",
    }
    assert (tracks["tagged.mp3"].Genre, tracks["unsure.mp3"].Genre) == ("Bebop; Swing", None)
    comments = {name: tracks[name].Comments for name in ("unsure.mp3", "noise.mp3", "mix.mp3")}
    assert comments == {
        "unsure.mp3": "not sure: Pop 35 %, Jazz 32 %; House",
        "noise.mp3": "not music",
        "mix.mp3": "changes: Jazz, Metal; House",
    }
    paths = {f"/{each.Location}" for each in collection.get_tracks()}
    assert paths == {str(folder / name) for name in expected}


def test_rekordbox_playlists(catalog: Catalog, folder: Path) -> None:
    exported = export_collection(catalog.query(), "rekordbox", folder / "x.xml")
    collection = rekordbox(folder / "x.xml")
    titles = {each.TrackID: each.Name for each in collection.get_tracks()}
    assert exported.playlists == {
        "genrelens/Genres/Jazz": 2,
        "genrelens/Genres/Rock": 6,
        "genrelens/Styles/House": 4,
    }
    for name, n_tracks in exported.playlists.items():
        assert collection.get_playlist(*name.split("/")).entries == n_tracks
    jazz = collection.get_playlist("genrelens", "Genres", "Jazz").get_tracks()
    assert [titles[number] for number in jazz] == ["A title <live>", "tagged"]
    assert all(each.Comments is None for each in collection.get_tracks())


def test_rekordbox_text(catalog: Catalog, folder: Path) -> None:
    """The first line and the locations are those that Rekordbox itself writes."""
    export_collection(catalog.query(genre="jazz"), "rekordbox", folder / "x.xml")
    text = (folder / "x.xml").read_text("utf-8")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<DJ_PLAYLISTS Version="1.0.0">')
    assert f'Location="file://localhost{folder}/jazz.mp3"' in text


def test_rekordbox_without_pyrekordbox(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyrekordbox.rbxml", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'genrelens\[dj\]'"):
        export_collection(catalog.query(), "rekordbox", folder / "x.xml")
    assert not (folder / "x.xml").exists()


# -------------------------------------------------------------------------- Traktor


def test_traktor(catalog: Catalog, folder: Path) -> None:
    target = folder / "x.nml"
    exported = export_collection(catalog.query(), "traktor", target, comments=True)
    root = ElementTree.parse(target).getroot()
    assert (root.tag, root.get("VERSION")) == ("NML", "19")
    assert [child.tag for child in root] == [
        *("HEAD", "MUSICFOLDERS", "COLLECTION", "SETS", "PLAYLISTS")
    ]
    tracks = {located(each): each for each in root.findall("COLLECTION/ENTRY")}
    expected = {*ODD, BACKSLASH, "jazz.mp3", "tagged.mp3", "unsure.mp3", "noise.mp3", "mix.mp3"}
    assert set(tracks) == {str(folder / name) for name in expected}
    assert exported.n_tracks == int(root.find("COLLECTION").get("ENTRIES")) == len(expected)  # type: ignore[union-attr, arg-type]
    jazz = tracks[str(folder / "jazz.mp3")]
    assert jazz.attrib == {"TITLE": "A title <live>", "ARTIST": "Ann & Bee\ufffd\ufffd"}
    assert attributes(jazz, "ALBUM") == {"TITLE": 'An "album"'}
    assert attributes(jazz, "INFO") == {
        "GENRE": "Jazz",
        "COMMENT": "Jazz 83 %; House",
        "PLAYTIME": "101",
        "FILESIZE": "4",
    }
    assert "GENRE" not in attributes(tracks[str(folder / "unsure.mp3")], "INFO")


def located(element: ElementTree.Element) -> str:
    """Return the path of a track as Mixxx builds it."""
    where = attributes(element, "LOCATION")
    return where["VOLUME"] + where["DIR"].replace("/:", "/") + where["FILE"]


def attributes(element: ElementTree.Element, name: str) -> dict[str, str]:
    (found,) = element.findall(name)
    return found.attrib


def test_traktor_playlists(catalog: Catalog, folder: Path) -> None:
    """Each node states how many nodes or tracks it has, and keys are those of the collection."""
    exported = export_collection(catalog.query(), "traktor", folder / "x.nml")
    root = ElementTree.parse(folder / "x.nml").getroot()
    entries = root.findall("COLLECTION/ENTRY")
    keys = {
        "".join(attributes(e, "LOCATION")[k] for k in ("VOLUME", "DIR", "FILE")) for e in entries
    }
    (top,) = root.findall("PLAYLISTS/NODE")
    found = dict(playlists_below(top))
    assert {name: len(each) for name, each in found.items()} == {
        f"$ROOT/{name}": n for name, n in exported.playlists.items()
    }
    assert {key for each in found.values() for key in each} <= keys
    numbers = [each.get("UUID") for each in root.iter("PLAYLIST")]
    assert len({*numbers}) == len(found)
    assert all(re.fullmatch("[0-9a-f]{32}", str(number)) for number in numbers)


def playlists_below(node: ElementTree.Element) -> Iterator[tuple[str, list[str]]]:
    name = str(node.get("NAME"))
    if node.get("TYPE") == "FOLDER":
        (inner,) = node.findall("SUBNODES")
        assert inner.get("COUNT") == str(len(inner))
        for child in inner:
            yield from ((f"{name}/{below}", keys) for below, keys in playlists_below(child))
        return
    (playlist,) = node.findall("PLAYLIST")
    assert playlist.get("ENTRIES") == str(len(playlist))
    assert playlist.get("TYPE") == "LIST"
    yield name, [attributes(each, "PRIMARYKEY")["KEY"] for each in playlist]


@pytest.mark.parametrize(
    ("path", "platform", "location"),
    [
        ("/Users/me/a.mp3", "darwin", ("Macintosh HD", "/:Users/:me/:", "a.mp3")),
        ("/Volumes/USB/a.mp3", "darwin", ("USB", "/:", "a.mp3")),
        ("/Volumes/USB/M/J/a.mp3", "darwin", ("USB", "/:M/:J/:", "a.mp3")),
        ("/home/me/a.mp3", "linux", ("", "/:home/:me/:", "a.mp3")),
    ],
)
def test_traktor_locations(
    path: str,
    platform: str,
    location: tuple[str, str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: str(self) == "/Volumes/USB")
    monkeypatch.setattr(sys, "platform", platform)
    write_traktor([track(path)], folder / "x.nml")
    found = attributes(
        ElementTree.parse(folder / "x.nml").getroot().findall("COLLECTION/ENTRY")[0], "LOCATION"
    )
    assert (found["VOLUME"], found["DIR"], found["FILE"]) == location


# --------------------------------------------------------------------------- Serato


def test_serato(catalog: Catalog, folder: Path) -> None:
    crates = folder / "new" / "Subcrates"
    exported = export_collection(catalog.query(), "serato", crates)
    names = [f"{name.replace('/', '%%')}.crate" for name in exported.playlists]
    levels = ["genrelens.crate", "genrelens%%Genres.crate", "genrelens%%Styles.crate"]
    assert sorted(path.name for path in crates.iterdir()) == sorted([*names, *levels])
    assert {path for name in levels for path in paths_in((crates / name).read_bytes())} == set()
    rock = paths_in((crates / "genrelens%%Genres%%Rock.crate").read_bytes())
    inside = str(folder).lstrip("/")
    assert {*rock} == {f"{inside}/{name}" for name in [*ODD, CONTROL, BACKSLASH]}
    jazz = paths_in((crates / "genrelens%%Genres%%Jazz.crate").read_bytes())
    assert jazz == [f"{inside}/jazz.mp3", f"{inside}/tagged.mp3"]


def test_a_crate_byte_for_byte(folder: Path) -> None:
    with Catalog.open(folder / "c.sqlite") as catalog:
        record(catalog, Path("/m/ü.🎵.o"), stored("rock", 0.9, styles=()))
        export_collection(catalog.query(), "serato", folder)
    content = (folder / "genrelens%%Genres%%Rock.crate").read_bytes()
    assert content == ONE_TRACK
    assert read_crate(content)[0] == ("vrsn", "1.0/Serato ScratchLive Crate")


@pytest.mark.parametrize(
    ("path", "drive", "words"),
    [
        ("/Volumes/USB/a.mp3", "/Volumes/USB", ""),
        ("/Users/me/a.mp3", "/", ""),
        ("/Volumes/USB/a.mp3", "/", "it is on the drive /Volumes/USB, and the crates are for /"),
        ("/Users/me/a.mp3", "/Volumes/USB", "it is on the drive /, and the crates are for"),
        ("/srv/music/a.mp3", "/srv/music", ""),  # a drive that the user names
        (f"/{NOT_UTF8}", "/", "its name is not valid UTF-8"),
    ],
)
def test_drives(path: str, drive: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: str(self) == "/Volumes/USB")
    fault = fault_for_serato(Path(path), Path(drive))
    assert fault.startswith(words)
    assert bool(fault) == bool(words)


def test_crates_of_another_drive(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a removable drive, paths are relative to its mount point, and the rest is skipped."""
    monkeypatch.setattr(collections, "_DRIVES", (str(folder),))
    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "USB")
    record(catalog, folder / "USB" / "Music" / "a.mp3", stored("jazz", 0.9, styles=()))
    crates = folder / "USB" / "_Serato_" / "Subcrates"
    exported = export_collection(catalog.query(genre="jazz"), "serato", crates)
    content = (crates / "genrelens%%Genres%%Jazz.crate").read_bytes()
    assert paths_in(content) == ["Music/a.mp3"]
    assert [Path(path).name for path, _ in exported.skipped] == ["jazz.mp3", "tagged.mp3"]


def test_the_database_of_serato_is_not_touched(catalog: Catalog, folder: Path) -> None:
    home = folder / "_Serato_"
    home.mkdir()
    (home / "database V2").write_bytes(b"vrsn")
    with pytest.raises(LibraryError, match=r"_Serato_: holds Serato's database V2.*Subcrates"):
        export_collection(catalog.query(), "serato", home)
    (home / "Subcrates").mkdir()
    (home / "Subcrates" / "Mine.crate").write_bytes(b"mine")
    export_collection(catalog.query(), "serato", home / "Subcrates")
    assert (home / "Subcrates" / "Mine.crate").read_bytes() == b"mine"
    assert (home / "database V2").read_bytes() == b"vrsn"


def test_names_of_crates(folder: Path) -> None:
    with Catalog.open(folder / "c.sqlite") as catalog:
        record(catalog, folder / "a.mp3", stored("R&B / 100% <Soul>", 0.9, styles=()))
        export_collection(catalog.query(), "serato", folder / "x")
    assert (folder / "x" / "genrelens%%Genres%%R&B - 100- -Soul-.crate").exists()


# ------------------------------------------------------------------------------ all


@pytest.mark.parametrize(
    ("program", "target", "hostile"),
    [
        ("rekordbox", "x.xml", [NOT_UTF8, BACKSLASH]),
        ("traktor", "x.nml", [NOT_UTF8, CONTROL]),
        ("serato", "x", [NOT_UTF8]),
    ],
)
def test_round_trip(
    catalog: Catalog, folder: Path, program: Any, target: str, hostile: list[str]
) -> None:
    """What genrelens writes it reads again, and what it cannot write it reports."""
    exported = export_collection(catalog.query(genre="rock"), program, folder / target)
    assert {Path(path).name for path, _ in exported.skipped} == {*hostile}
    assert all(reason for _, reason in exported.skipped)
    lists = [folder / target] if target != "x" else sorted((folder / "x").iterdir())
    found = {path for each in lists for path in read_playlist(each)}
    expected = {*ODD, NOT_UTF8, CONTROL, BACKSLASH} - {*hostile}
    assert found == {str(folder / name) for name in expected}


@pytest.mark.parametrize(("program", "name"), [("rekordbox", "x.xml"), ("traktor", "x.nml")])
def test_a_foreign_collection_is_not_replaced(
    catalog: Catalog, folder: Path, program: Any, name: str
) -> None:
    target = folder / name
    target.write_text('<NML><PRODUCT Name="rekordbox"/></NML>')
    with pytest.raises(LibraryError, match=f"{name}: was not written by genrelens.*--force"):
        export_collection(catalog.query(), program, target)
    assert target.read_text().startswith("<NML><PRODUCT")
    export_collection(catalog.query(), program, target, force=True)
    first = target.read_bytes()
    export_collection(catalog.query(), program, target)  # its own file
    assert target.read_bytes() == first
    target.write_bytes(b"")
    assert export_collection(catalog.query(genre="jazz"), program, target).n_tracks == 2


@pytest.mark.parametrize("program", ["rekordbox", "traktor", "serato"])
def test_nothing_to_write(catalog: Catalog, folder: Path, program: Any) -> None:
    exported = export_collection(catalog.query(genre="polka"), program, folder / "x")
    assert (exported.n_tracks, exported.playlists, exported.skipped) == (0, {}, ())
    assert not (folder / "x").exists()


@pytest.mark.parametrize(("program", "error"), [("rekordbox", DataError), ("traktor", DataError)])
def test_targets_that_cannot_be_written(
    catalog: Catalog, folder: Path, program: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"x: cannot be written \(No such file or directory\)"):
        export_collection(catalog.query(), program, folder / "gone" / "x")
    with pytest.raises(error, match=r"cannot be written \(Is a directory\)"):
        export_collection(catalog.query(), program, folder)
    with pytest.raises(LibraryError, match="File name too long"):
        export_collection(catalog.query(), program, folder / ("x" * 300))


def test_a_crate_folder_that_is_a_file(catalog: Catalog, folder: Path) -> None:
    (folder / "x").touch()
    with pytest.raises(LibraryError, match="x: is a file"):
        export_collection(catalog.query(), "serato", folder / "x")


@pytest.mark.parametrize(
    ("by", "kinds"), [(("genre",), {"Genres"}), (("style",), {"Styles"}), ((), set())]
)
def test_kinds_of_playlists(catalog: Catalog, folder: Path, by: Any, kinds: set[str]) -> None:
    exported = export_collection(catalog.query(), "traktor", folder / "x.nml", by=by)
    assert {name.split("/")[1] for name in exported.playlists} == kinds


def test_genres_by_the_policy(catalog: Catalog, folder: Path) -> None:
    policy = Policy(existing="append", max_genres=2)
    export_collection(catalog.query(genre="jazz"), "traktor", folder / "x.nml", policy=policy)
    root = ElementTree.parse(folder / "x.nml").getroot()
    genres = [attributes(each, "INFO")["GENRE"] for each in root.findall("COLLECTION/ENTRY")]
    assert genres == ["Jazz; House", "Bebop; Swing; Jazz; House"]


def test_a_replaced_file_is_complete(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle leaves the former file."""
    export_collection(catalog.query(), "traktor", folder / "x.nml")
    before = (folder / "x.nml").read_bytes()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genrelens.library.dj.traktor._write_playlists", stop)
    with pytest.raises(KeyboardInterrupt):
        export_collection(catalog.query(genre="jazz"), "traktor", folder / "x.nml")
    assert (folder / "x.nml").read_bytes() == before
    assert not list(folder.glob(".genrelens-*"))


def test_playlists_for_styles(catalog: Catalog, folder: Path) -> None:
    """M3U8 playlists, one for each style."""
    from genrelens.library import export_playlists

    written = export_playlists(catalog, folder / "lists", by="style")
    assert {path.stem: n for path, n in written.items()} == {"house": 5, "jazz": 3}
    paths = read_playlist(folder / "lists" / "jazz.m3u8")
    assert [Path(path).name for path in paths] == ["jazz.mp3", "noise.mp3", "tagged.mp3"]
    only = export_playlists(catalog, folder / "lists", by="style", style="HOUSE", verdict="genre")
    assert {path.stem: n for path, n in only.items()} == {"house": 2}
