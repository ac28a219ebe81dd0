"""Discovery: the files that folders, links, patterns and playlists name."""

from __future__ import annotations

import inspect
import os
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from genrelens.discovery.find import Found, find_files, is_gone
from genrelens.discovery.playlists import STREAMS, read_playlist
from genrelens.discovery.sources import find_sources
from genrelens.discovery.uris import file_uri_path


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")


def find(*inputs: str | Path, exclude: tuple[str, ...] = ()) -> tuple[list[str], dict[str, str]]:
    """Return the files, relative to the working directory, and the problems."""
    problems: dict[str, str] = {}

    def note(path: str, reason: str) -> None:
        problems[path.removeprefix(f"{Path.cwd()}/")] = reason

    found = find_files(inputs, exclude=exclude, on_problem=note)
    return [os.path.relpath(each.path) for each in found], problems


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder() -> None:
    names = ["m/b/2.MP3", "m/b/10.flac", "m/a/x.ogg", "m/z.wav"]
    others = ["m/cover.jpg", "m/list.m3u8", "m/mp3", "m/.hidden.mp3", "m/.git/y.mp3", "m/b/._2.MP3"]
    touch(*map(Path, [*names, *others]))
    assert find("m") == (["m/a/x.ogg", "m/b/10.flac", "m/b/2.MP3", "m/z.wav"], {})


def test_skipped_files_are_counted_by_extension() -> None:
    names = ["m/x.ac3", "m/x.dts", "m/x.spx", "m/x.ts"]
    others = ["m/a.jpg", "m/b/c.JPG", "m/b/d", "m/.hidden", "m/no/e.txt", "other.txt"]
    touch(*map(Path, [*names, *others]))
    Path("m/again").symlink_to("b")
    left_out: Counter[str] = Counter()
    found = find_files(["m", "m/b"], exclude=["no"], on_problem=pytest.fail, left_out=left_out)
    assert [os.path.relpath(each.path) for each in found] == names
    assert left_out == {".jpg": 2, "": 1}


def test_the_status_of_a_file(folder: Path) -> None:
    touch(folder / "x.mp3")
    os.utime(folder / "x.mp3", ns=(1, 1_600_000_000_123_456_789))
    (found,) = find_files(["../" + folder.name + "/x.mp3"], on_problem=lambda *_: None)
    assert found == Found(str(folder / "x.mp3"), 5, 1_600_000_000_123_456_789)
    assert found.is_unchanged
    (folder / "x.mp3").write_bytes(b"other")
    assert not found.is_unchanged


def test_each_file_is_found_once() -> None:
    touch(Path("m/a/x.mp3"), Path("m/y.mp3"))
    assert find("m/a", "m", "./m/a/../y.mp3", "m/*.mp3") == (["m/a/x.mp3", "m/y.mp3"], {})


def test_a_file_is_found_whatever_its_name_is() -> None:
    touch(Path("recording"), Path(".hidden.mp3"), Path("[live] x?.mp3"))
    names = ["recording", ".hidden.mp3", "[live] x?.mp3"]
    assert find(*names) == (names, {})


def test_patterns() -> None:
    touch(*map(Path, ["m/a/x.mp3", "m/a/x.jpg", "m/b/x.mp3", "m/b/c/y.flac"]))
    assert find("m/*/x.*")[0] == ["m/a/x.mp3", "m/b/x.mp3"]
    assert find("m/**/*.flac")[0] == ["m/b/c/y.flac"]
    assert find("m/[b]")[0] == ["m/b/c/y.flac", "m/b/x.mp3"]
    assert find("m/*.txt") == ([], {"m/*.txt": "matches no file"})


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.flac", ["m/a/Live/x.mp3", "m/a/x.mp3", "m/b/x.mp3"]),
        ("Live", ["m/a/x.flac", "m/a/x.mp3", "m/b/x.mp3"]),
        ("live", ["m/a/Live/x.mp3", "m/a/x.flac", "m/a/x.mp3", "m/b/x.mp3"]),
        ("a/*.mp3", ["m/a/x.flac", "m/b/x.mp3"]),
        ("m/a/", ["m/b/x.mp3"]),
        ("/a", ["m/b/x.mp3"]),
    ],
)
def test_exclude(pattern: str, left: list[str]) -> None:
    touch(*map(Path, ["m/a/x.mp3", "m/a/x.flac", "m/a/Live/x.mp3", "m/b/x.mp3"]))
    assert find("m", exclude=(pattern,)) == (left, {})


def test_missing_files() -> None:
    assert find("gone", "gone.mp3", "", "x" * 300 + ".mp3", "nul\0.mp3") == (
        [],
        {
            "gone": "No such file or directory",
            "gone.mp3": "No such file or directory",
            "''": "is not the name of a file",
            "x" * 300 + ".mp3": "File name too long",
            "nul\0.mp3": "embedded null byte",
        },
    )


# ----------------------------------------------------------------------------------- links


def test_circular_links() -> None:
    touch(Path("m/a/x.mp3"))
    Path("m/a/up").symlink_to("..")
    Path("m/a/self").symlink_to("self")
    Path("m/b").symlink_to("a")
    assert find("m") == (["m/a/x.mp3"], {})


def test_circular_links_and_patterns() -> None:
    """Two links upwards make practically infinitely many paths."""
    touch(Path("m/a/x.mp3"), Path("m/a/y.ogg"), Path("m/z.mp3"), Path("far/b/x.mp3"))
    Path("m/a/up").symlink_to("..")
    Path("m/top").symlink_to(".")
    Path("m/far").symlink_to("../far")
    expected = ["m/z.mp3", "m/a/x.mp3", "m/far/b/x.mp3"]
    assert find("m/**/*.mp3")[0] == expected
    assert find("m/**/**/x.mp3", "[m]/**/*.mp3")[0] == [*expected[1:], "m/z.mp3"]
    assert find("m/**/b")[0] == ["m/far/b/x.mp3"]
    assert sorted(find("m/**")[0]) == sorted([*expected, "m/a/y.ogg"])
    os.chdir("m")
    assert find("**/x.mp3")[0] == ["a/x.mp3", "far/b/x.mp3"]
    assert find("gone/**/*.mp3")[1] == {"gone/**/*.mp3": "matches no file"}


def test_links_to_other_folders_come_last() -> None:
    touch(Path("far/x.mp3"), Path("m/z.mp3"))
    Path("far/back").symlink_to("../m")
    Path("m/a").symlink_to("../far")
    assert find("m")[0] == ["m/z.mp3", "m/a/x.mp3"]
    assert find("m/a")[0] == ["m/a/x.mp3", "m/a/back/z.mp3"]


def test_links_to_files() -> None:
    touch(Path("far/x.mp3"), Path("m/z.mp3"))
    Path("m/a.mp3").symlink_to("../far/x.mp3")
    Path("m/b.mp3").symlink_to("gone")
    Path("m/c.mp3").symlink_to("c.mp3")
    loop = "Too many levels of symbolic links"
    assert find("m") == (
        ["m/a.mp3", "m/z.mp3"],
        {"m/b.mp3": "No such file or directory", "m/c.mp3": loop},
    )


def test_very_deep_folders() -> None:
    """Deeper than the limit of Python's recursion."""
    deep = Path(*["d"] * 200)
    touch(deep / "x.mp3")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert find("d") == ([str(deep / "x.mp3")], {})
    finally:
        sys.setrecursionlimit(limit)


# --------------------------------------------------------------------------- errors


@pytest.fixture
def nobody() -> object:
    """A user without the rights of root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    yield
    if root:
        os.seteuid(0)


def test_a_folder_without_permission(folder: Path, request: pytest.FixtureRequest) -> None:
    touch(Path("m/a/x.mp3"), Path("m/b/x.mp3"), Path("m/c/x.mp3"))
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    Path("m/a").chmod(0)
    Path("m/b").chmod(0o444)  # may be listed and not entered
    request.getfixturevalue("nobody")
    denied = "Permission denied"
    assert find("m") == (["m/c/x.mp3"], {"m/a": denied, "m/b/x.mp3": denied})
    assert not is_gone("m/b/x.mp3")
    assert is_gone("m/c/y.mp3")
    assert is_gone("m/c/x.mp3/y.mp3")


def test_folders_and_pipes_with_audio_extensions() -> None:
    os.mkdir("x.mp3")  # noqa: PTH102
    os.mkfifo("y.mp3")
    assert find("x.mp3", "y.mp3", ".") == ([], {"y.mp3": "is not a file"})


# ------------------------------------------------------------------------------- playlists

NAMES = ["日本/東京.mp3", "Ærø.mp3", "Motörhead … Überfall.flac", "#1 hits.mp3", "a b.mp3"]


def written(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_playlists_in_unicode(encoding: str) -> None:
    touch(*(Path("m", name) for name in NAMES))
    text = "#EXTM3U\r\n" + "".join(f"#EXTINF:1,x\r\n\r\n./{name}\r\n" for name in NAMES)
    bom = "\ufeff" if encoding == "utf-16-be" else ""
    playlist = written("m/x.m3u8", (bom + text).encode(encoding))
    assert find(playlist) == ([f"m/{name}" for name in NAMES], {})


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1252", "Ærø … Überfall.mp3"),
        ("cp1251", "Кино/Группа крови.mp3"),
        ("cp932", "日本/表示.mp3"),  # the second byte of 表 is a backslash
        ("gb18030", "音乐/月亮代表我的心.mp3"),
        ("cp949", "음악/아리랑.mp3"),
        ("cp437", "Motörhead.mp3"),
    ],
)
def test_playlists_of_other_systems(encoding: str, name: str) -> None:
    touch(Path("m", name))
    line = name.replace("/", "\\").encode(encoding)
    assert find(written("m/x.M3U", line)) == ([f"m/{name}"], {})


def test_playlists_with_names_that_are_not_utf8() -> None:
    name = os.fsdecode(b"m/\xff\xe9.mp3")
    touch(Path(name))
    playlist = written(
        "x.m3u", os.fsencode(name) + b"\nfile://" + os.fsencode(Path.cwd()) + b"/m/%ff%E9.mp3\n"
    )
    assert find(playlist) == ([name], {})


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_playlists_with_composed_and_decomposed_accents(forms: tuple[str, str]) -> None:
    on_disk, in_list = (unicodedata.normalize(form, "Motörhead/é.mp3") for form in forms)
    touch(Path(on_disk))
    assert find(written("x.m3u", in_list.encode())) == ([on_disk], {})


def test_urls_folders_and_missing_files_in_playlists(folder: Path) -> None:
    touch(Path("x.mp3"), Path("y.m3u"))
    lines = [
        "http://radio.example/stream.mp3",
        "HTTPS://radio.example/x",
        "gone.mp3",
        "d",
        str(folder / "x.mp3"),
        "file:///gone/too.mp3",
    ]
    Path("d").mkdir()
    playlist = written("x.m3u", "\n".join(lines).encode())
    files, problems = find(playlist, "gone.m3u")
    assert files == ["x.mp3"]
    assert {os.path.basename(path): reason for path, reason in problems.items()} == {  # noqa: PTH119
        "gone.mp3": "No such file or directory",
        "d": "is not a file",
        "too.mp3": "No such file or directory",
        "gone.m3u": "No such file or directory",
    }


URIS = ["spotify:track:6rqhFgbbKwnb9MLmf7", "spotify:local:a:b:c:1", "http://x.example/a.mp3"]
URIS += ["HTTPS://x.example/", "mms:x", "urn:isrc:1", "s3://bucket/a.mp3", "deezer:track:1"]


def playlist_of(kind: str, entries: list[str]) -> str:
    """Write a playlist with these entries; return its name."""
    if kind == "xspf":
        lines = "".join(f"<track><location>{escape(e)}</location></track>" for e in entries)
        tracks = f"<title>x</title><location>no.mp3</location><trackList>{lines}</trackList>"
        text = f'<playlist version="1" xmlns="http://xspf.org/ns/0/">{tracks}</playlist>'
    elif kind == "pls":
        lines = "".join(f"File{n}={e}\nTitle{n}=x\n" for n, e in enumerate(entries, 1))
        text = f"[playlist]\n{lines}NumberOfEntries={len(entries)}\nVersion=2\n"
    else:
        text = "\n".join(["#EXTM3U", *entries, ""])
    return written(f"x.{kind}", text.encode())


@pytest.mark.parametrize("kind", ["m3u", "m3u8", "pls", "xspf"])
def test_uris_in_playlists(kind: str, folder: Path) -> None:
    names = ["a b.mp3", "AC:DC.mp3", "#1?.mp3", "Live: tracks", "日本.mp3", "100 %.mp3"]
    touch(*(Path("m", name) for name in names))
    uris = [(folder / "m" / name).as_uri() for name in names]
    uris[0] = uris[0].replace("file://", "FILE://localhost")
    uris[1] = uris[1].replace("file://", "file:")
    left_out: Counter[str] = Counter()
    playlist = playlist_of(kind, [*URIS, *uris])
    found = find_files([playlist], on_problem=pytest.fail, left_out=left_out)
    assert [os.path.relpath(each.path) for each in found] == [f"m/{name}" for name in names]
    assert left_out == {STREAMS: len(URIS)}


@pytest.mark.parametrize("kind", ["m3u", "pls", "xspf"])
def test_paths_in_playlists(kind: str, folder: Path) -> None:
    touch(Path("m/Live: x.mp3"), Path("b/y.mp3"), Path("spotify:track:1"))
    entries = ["m/Live: x.mp3", "b\\y.mp3", "spotify:track:1", str(folder / "b/y.mp3"), "AC:DC.mp3"]
    files = ["m/Live: x.mp3", "b/y.mp3", "spotify:track:1"]
    missing = {"AC:DC.mp3": "No such file or directory"}
    assert find(playlist_of(kind, entries)) == (files, missing)


@pytest.mark.skipif(sys.platform == "win32", reason="these are paths there")
@pytest.mark.parametrize("kind", ["m3u", "pls", "xspf"])
def test_windows_paths_in_playlists(kind: str) -> None:
    entries = ["C:\\Music\\a.mp3", "d:/b.mp3", "file:///E:/c%20d.mp3", "\\\\server\\share\\e.mp3"]
    shown = [*entries[:2], "E:/c d.mp3", entries[3]]
    reason = "is a Windows path, and this computer does not run Windows"
    assert find(playlist_of(kind, entries)) == ([], dict.fromkeys(shown, reason))


def test_the_locations_of_one_track_are_alternatives() -> None:
    touch(Path("b.mp3"), Path("50%20.mp3"))
    tracks = [["http://x.example/a", "gone.mp3", "b.mp3"], ["50%20.mp3"], [], ["http://x.example"]]
    lines = "".join(
        "".join(["<track>", *(f"<location> {each}\n</location>" for each in track), "</track>"])
        for track in tracks
    )
    written("x.xspf", f"<playlist><trackList>{lines}</trackList></playlist>".encode())
    left_out: Counter[str] = Counter()
    assert read_playlist("x.xspf", left_out) == [
        str(Path(n).absolute()) for n in ("b.mp3", "50%20.mp3")
    ]
    assert left_out == {STREAMS: 2}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<html/>", "is no XSPF playlist"),
        ("<playlist>", "is no XML file, or is damaged"),
        ("<!DOCTYPE playlist><playlist/>", "has a document type"),
        ("<playlist>" + "<a>" * 300, "is nested too deeply"),
        ("<playlist><track><location>" + "a" * 70_000, "has a location of more than 65536"),
    ],
)
def test_hostile_xspf(content: str, words: str) -> None:
    files, problems = find(written("x.xspf", content.encode()))
    assert files == []
    assert problems["x.xspf"].startswith(words)


def test_tables_with_uris(folder: Path) -> None:
    touch(folder / "a b.mp3")
    rows = ["path", (folder / "a b.mp3").as_uri(), "spotify:track:1", "http://x.example/a.mp3"]
    table = written("x.csv", "\n".join(rows).encode())
    left_out: Counter[str] = Counter()
    found = find_sources([table], on_problem=pytest.fail, left_out=left_out)
    assert [each.path for each in found] == [str(folder / "a b.mp3")]
    assert left_out == {STREAMS: 2}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a%20b.mp3", "/a b.mp3"),
        ("file://server/a.mp3", "/a.mp3"),
        ("file:/a#1?.mp3", "/a#1?.mp3"),
        ("file:a.mp3", "a.mp3"),
        ("file://C:/a.mp3", "C:/a.mp3"),
        ("file:///c%3A/a.mp3", "c:/a.mp3"),
        ("file:////server/share/a.mp3", "//server/share/a.mp3"),
        ("file:///%ff.mp3", "/\udcff.mp3"),
        ("file:///\udcff.mp3", "/\udcff.mp3"),
    ],
)
def test_the_path_of_a_file_uri(uri: str, path: str) -> None:
    assert file_uri_path(uri) == path
