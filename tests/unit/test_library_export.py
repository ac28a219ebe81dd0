"""Export of the catalogue: each format is read back, by another program where there is one."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from genrelens.discovery.playlists import read_playlist
from genrelens.errors import LibraryError, MissingExtraError
from genrelens.library import Catalog
from genrelens.library.export import FORMATS, export_entries, export_playlists, playlist_name
from genrelens.library.records import Failure
from genrelens.prediction import Style
from genrelens.tags import Tags
from support.library_folder import medley, several, stored, wav

ODD = os.fsdecode(b"caf\xe9.mp3")
LINE_BREAK = "new\nline.mp3"
OPTIONS = ("relative_to", "safe_csv")
HASH = '#1 hits, "best of" - 日本.mp3'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    """Four files with a prediction and one with a failure."""
    tags = Tags("FLAC", ("Rock", "Blues"), "Ann\nBee", "An album", "A title")
    house = (Style("house", 0.75, 0.5), Style("techno", 0.5, 0.5), Style("trance", 0.25, 0.5))
    with Catalog.open(folder / "catalog.sqlite") as catalog:
        for number, (name, genre) in enumerate(
            [("a.mp3", "jazz"), (ODD, "rock"), (LINE_BREAK, "rock"), (HASH, "rock")]
        ):
            prediction = stored(genre, 0.75, duration=100.6 + number, styles=house)
            catalog.record(
                folder / name,
                size=10 + number,
                mtime_ns=1_600_000_000_123_456_789,
                digest=f"digest {number}",
                tags=tags if name == "a.mp3" else None,
                prediction=prediction,
            )
        failure = Failure("crashed")
        catalog.record(
            folder / "z.mp3", size=1, mtime_ns=2, digest=None, tags=None, failure=failure
        )
        yield catalog


def exported(catalog: Catalog, kind: str, **conditions: Any) -> bytes:
    file = io.BytesIO()
    options = {name: conditions.pop(name) for name in OPTIONS if name in conditions}
    export_entries(catalog.query(**conditions), file, kind, **options)
    return file.getvalue()


def test_csv(catalog: Catalog, folder: Path) -> None:
    content = exported(catalog, "csv")
    assert os.fsencode(folder / ODD) in content  # the original bytes
    text = content.decode("utf-8", errors="surrogateescape")
    rows = {Path(row["path"]).name: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert set(rows) == {HASH, "a.mp3", ODD, LINE_BREAK, "z.mp3"}
    assert rows["a.mp3"] == {
        "path": str(folder / "a.mp3"),
        "artist": "Ann\nBee",
        "album": "An album",
        "title": "A title",
        "tagged": "Rock|Blues",
        "verdict": "genre",
        "genre": "jazz",
        "probability": "0.75",
        "styles": "house|techno",
        "music": "0.99",
        "duration": "100.6",
        "model": "small",
        "error": "",
        "genres": "jazz",
        "changes": "",
        "snr": "",
    }
    assert rows["z.mp3"]["error"] == "crashed"
    assert rows["z.mp3"]["genre"] == rows["z.mp3"]["tagged"] == ""


def test_json_lines(catalog: Catalog, folder: Path) -> None:
    lines = exported(catalog, "jsonl").decode().splitlines()
    objects = {json.loads(line)["path"]: json.loads(line) for line in lines}
    known = objects[str(folder / "a.mp3")]
    entry = catalog.entry(folder / "a.mp3")
    assert entry is not None
    assert entry.prediction is not None
    assert known == {
        "path": str(folder / "a.mp3"),
        "size": 10,
        "mtime_ns": 1_600_000_000_123_456_789,
        "digest": "digest 0",
        "error": None,
        "prediction": entry.prediction.to_dict(),
        "tags": {
            "format": "FLAC",
            "genres": ["Rock", "Blues"],
            "artist": "Ann\nBee",
            "album": "An album",
            "title": "A title",
        },
    }
    assert objects[str(folder / "z.mp3")]["prediction"] is None
    odd = objects[str(folder / "caf\ufffd.mp3")]
    assert base64.b64decode(odd["path_bytes"]) == os.fsencode(folder / ODD)
    assert str(folder / LINE_BREAK) in objects


def test_parquet(catalog: Catalog, folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(exported(catalog, "parquet"))).to_pylist()
    rows = {Path(row["path"]).name: row for row in table}
    jazz, odd, failed = rows["a.mp3"], rows["caf\ufffd.mp3"], rows["z.mp3"]
    assert (jazz["genre"], jazz["verdict"], jazz["probability"]) == ("jazz", "genre", 0.75)
    assert dict(jazz["probabilities"]) == {"jazz": 0.75, "rock": 0.125, "pop": 0.125}
    assert (jazz["tagged"], jazz["styles"]) == (["Rock", "Blues"], ["house", "techno"])
    assert dict(jazz["style_probabilities"]) == {"house": 0.75, "techno": 0.5, "trance": 0.25}
    assert jazz["embedding"] == pytest.approx([0.6, -0.8], abs=1e-3)
    assert jazz["mtime"].timestamp() == pytest.approx(1_600_000_000.123456)
    assert jazz["path_bytes"] is None
    assert odd["path_bytes"] == os.fsencode(folder / ODD)
    assert (failed["error"], failed["genre"], failed["embedding"]) == ("crashed", None, None)


@pytest.fixture
def mixed(catalog: Catalog, folder: Path) -> Catalog:
    """The catalogue with a file of two genres, and a medley."""
    both, mix = several("pop", 0.6, pop=0.75, jazz=0.5, rock=0.25), medley("jazz", "metal")
    for name, prediction in (("b.mp3", replace(both, snr=12.5)), ("m.mp3", mix)):
        facts: dict[str, Any] = {"size": 1, "mtime_ns": 2, "digest": name, "tags": None}
        catalog.record(folder / name, prediction=prediction, **facts)
    return catalog


def test_several_genres_in_csv_and_parquet(mixed: Catalog) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    text = exported(mixed, "csv").decode("utf-8", errors="surrogateescape")
    rows = {Path(row["path"]).name: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    fields = ("genre", "genres", "changes", "snr")
    assert [rows["b.mp3"][name] for name in fields] == ["pop", "pop|jazz", "", "12.5"]
    assert [rows["m.mp3"][name] for name in fields] == ["jazz", "jazz|metal", "jazz|metal", ""]
    table = parquet.read_table(io.BytesIO(exported(mixed, "parquet"))).to_pylist()
    found = {Path(row["path"]).name: row for row in table}
    assert found["b.mp3"]["genres"] == ["pop", "jazz"]
    assert dict(found["b.mp3"]["genre_probabilities"]) == {"pop": 0.75, "jazz": 0.5, "rock": 0.25}
    assert (found["m.mp3"]["changes"], found["m.mp3"]["snr"]) == (["jazz", "metal"], None)
    assert (found["z.mp3"]["genres"], found["z.mp3"]["changes"]) == (None, None)


def test_parquet_without_pyarrow(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'genrelens\[parquet\]'"):
        exported(catalog, "parquet")


# ------------------------------------------------------------------------------- playlists


@pytest.mark.parametrize("relative", [False, True])
def test_a_playlist(catalog: Catalog, folder: Path, relative: bool) -> None:
    target = folder / "lists"
    target.mkdir()
    content = exported(catalog, "m3u8", relative_to=target if relative else None).decode("utf-8")
    lines = content.splitlines()
    assert lines[0] == "#EXTM3U"
    assert "#EXTINF:101,Ann Bee - A title" in lines
    assert "#EXTINF:102,caf?" in lines
    start = ".." if relative else str(folder)
    assert f"{start}/a.mp3" in lines
    assert f"file://{folder}/caf%E9.mp3" in lines
    assert f"file://{folder}/new%0Aline.mp3" in lines
    (target / "x.m3u8").write_text(content, encoding="utf-8")
    names = {os.path.normpath(path) for path in read_playlist(target / "x.m3u8")}
    assert names == {str(folder / name) for name in ("a.mp3", ODD, LINE_BREAK, HASH, "z.mp3")}


def test_a_name_that_looks_like_a_comment(catalog: Catalog, folder: Path) -> None:
    content = exported(catalog, "m3u8", relative_to=folder).decode()
    assert f"./{HASH}" in content.splitlines()
    (folder / "x.m3u8").write_text(content, encoding="utf-8")
    assert str(folder / HASH) in map(os.path.normpath, read_playlist(folder / "x.m3u8"))


def test_other_programs_read_file_urls(folder: Path) -> None:
    """FFmpeg reads no M3U playlists, and it resolves file URLs in the same way."""
    with Catalog.open(folder / "x.sqlite") as catalog:
        (folder / LINE_BREAK).write_bytes(wav("noise"))
        catalog.record(folder / LINE_BREAK, size=1, mtime_ns=1, digest=None, tags=None)
        (address,) = exported(catalog, "m3u8").decode().splitlines()[1:]
    from urllib.request import url2pathname

    with av.open(url2pathname(address.removeprefix("file://"))) as container:
        assert container.streams.audio[0].rate == 8000


def test_one_playlist_for_each_genre(catalog: Catalog, folder: Path) -> None:
    target = folder / "new" / "lists"
    written = export_playlists(catalog, target, relative_to=target)
    assert written == {target / "jazz.m3u8": 1, target / "rock.m3u8": 3}
    assert sorted(target.iterdir()) == sorted(written)
    assert "../../a.mp3" in (target / "jazz.m3u8").read_text(encoding="utf-8").splitlines()
    names = {os.path.normpath(name) for name in read_playlist(target / "rock.m3u8")}
    assert names == {str(folder / name) for name in (ODD, LINE_BREAK, HASH)}
    (target / "old.m3u8").touch()
    assert export_playlists(catalog, target, genre="Jazz") == {target / "jazz.m3u8": 1}
    assert str(folder / "a.mp3") in (target / "jazz.m3u8").read_text().splitlines()
    assert (target / "old.m3u8").exists()


def test_a_file_with_several_genres_is_in_the_playlist_of_each(
    mixed: Catalog, folder: Path
) -> None:
    lists = folder / "lists"
    written = export_playlists(mixed, lists)
    assert written == {lists / "jazz.m3u8": 2, lists / "pop.m3u8": 1, lists / "rock.m3u8": 3}
    assert export_playlists(mixed, lists, genre="POP") == {lists / "pop.m3u8": 1}
    assert export_playlists(mixed, lists, verdict="changes") == {
        lists / "jazz.m3u8": 1,
        lists / "metal.m3u8": 1,
    }


def test_playlists_have_only_sure_genres_by_default(catalog: Catalog, folder: Path) -> None:
    unsure = stored("pop", 0.35)
    catalog.record(folder / "u.mp3", size=1, mtime_ns=1, digest="u", tags=None, prediction=unsure)
    assert len(export_playlists(catalog, folder / "lists")) == 2
    lists = folder / "lists"
    written = export_playlists(catalog, lists, verdict="not sure")
    assert written == {lists / "pop.m3u8": 1}


@pytest.mark.parametrize(
    ("genre", "name"),
    [
        ("jazz", "jazz.m3u8"),
        ("R&B / Soul", "R&B - Soul.m3u8"),
        ("../../etc", "-..-etc.m3u8"),
        ('a:b*c?"d"<e>|', "a-b-c--d--e--.m3u8"),
        ("...", "-.m3u8"),
        ("J-Pop.", "J-Pop.m3u8"),
    ],
)
def test_names_of_playlists(genre: str, name: str) -> None:
    assert playlist_name(genre) == name


def test_genres_that_share_a_file_name(catalog: Catalog, folder: Path) -> None:
    for genre in ("R/B", "R-B"):
        prediction = stored(genre, 0.9)
        catalog.record(
            folder / genre, size=1, mtime_ns=1, digest=genre, tags=None, prediction=prediction
        )
    with pytest.raises(LibraryError, match="two of the genres would have the same file name"):
        export_playlists(catalog, folder / "lists")


def test_a_folder_that_cannot_be_created(catalog: Catalog, folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(LibraryError, match="file"):
        export_playlists(catalog, folder / "file")


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_no_entries_make_a_valid_file(catalog: Catalog, kind: str) -> None:
    content = exported(catalog, kind, genre="polka")
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        assert parquet.read_table(io.BytesIO(content)).num_rows == 0
    else:
        assert len(content.splitlines()) == {"csv": 1, "json": 1, "jsonl": 0, "m3u8": 1}[kind]
