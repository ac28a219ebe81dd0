"""Sources of an archive: tables of paths, folders, shards. Objects: tests/integration."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from genrelens.discovery.locations import is_uri
from genrelens.discovery.sources import find_sources, in_shard
from genrelens.discovery.stores import Store
from genrelens.errors import LibraryError
from support.library_folder import write_files

ODD = ["new\nline.wav", "אבג.wav", os.fsdecode(b"caf\xe9.wav"), "a, b.wav", "song [1].wav"]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return write_files(tmp_path / "music", dict.fromkeys(["a.wav", "b.mp3", *ODD], b"x"))


def found(*inputs: Path | str, **options: Any) -> list[str]:
    """Return the names of the files; each problem as ``name: reason``."""
    problems: list[str] = []
    files = find_sources(
        map(str, inputs),
        on_problem=lambda path, reason: problems.append(f"{Path(path).name}: {reason}"),
        **options,
    )
    return [Path(each.path).name for each in files] + problems


def test_a_csv_names_files_relative_to_its_folder(music: Path) -> None:
    import csv

    with (music / "list.csv").open("w", newline="", errors="surrogateescape") as file:
        rows = [["title", "path"], *(["x", name] for name in [*ODD, "a.wav", "none.wav", ""])]
        csv.writer(file).writerows([*rows, ["x", str(music / "b.mp3")], ["x", "a.wav"]])
    names = [*ODD, "a.wav", "b.mp3", "none.wav: No such file or directory"]
    assert found(music / "list.csv") == names


def test_a_parquet_file_names_files(music: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    names = ["a.wav", ODD[1], "caf\ufffd.wav", None]
    table = pa.table({"path": names, "path_bytes": [None, None, b"caf\xe9.wav", None]})
    parquet.write_table(table, music / "list.parquet")
    assert found(music / "list.parquet") == ["a.wav", ODD[1], ODD[2]]
    parquet.write_table(pa.table({"file": ["b.mp3"]}), music / "other.parquet")
    assert found(music / "other.parquet", column="file") == ["b.mp3"]


def test_other_sources_are_found_as_ever(music: Path) -> None:
    (music / "list.m3u").write_text("a.wav\ns3://bucket/x.mp3\n")
    (music / "cover.jpg").touch()
    skipped = Counter[str]()
    assert found(music / "list.m3u", music, left_out=skipped) == [
        "a.wav",
        *sorted(each for each in ["b.mp3", *ODD]),
    ]
    assert skipped == {".jpg": 1, ".m3u": 1, "streams": 1}
    assert found(music / "*.mp3", exclude=["b.*"]) == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", b"", "has no column 'path' (its columns: none); see --column"),
        ("x.csv", b"file,title\n", "has no column 'path' (its columns: file, title); see --column"),
        ("x.csv", b"path\n\0\n", ""),
        ("x.csv", None, "No such file or directory"),
        ("x.parquet", b"no parquet", "Parquet"),
        ("x.parquet", None, "No such file or directory"),
    ],
)
def test_unreadable_tables(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    pytest.importorskip("pyarrow")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    [problem] = found(tmp_path / name)
    assert reason in problem


def test_a_folder_with_the_name_of_a_table(tmp_path: Path) -> None:
    write_files(tmp_path, {"x.csv/a.wav": b"x"})
    assert found(tmp_path / "x.csv") == ["a.wav"]


def test_each_path_is_in_one_shard() -> None:
    paths = [f"/music/{number}.mp3" for number in range(300)] + [os.fsdecode(b"/caf\xe9")]
    shards = [[path for path in paths if in_shard(path, (i, 3))] for i in (1, 2, 3)]
    assert sorted(itertools.chain(*shards)) == sorted(paths)
    assert min(map(len, shards)) > 70
    assert in_shard("/music/0.mp3", (1, 1))
    # Other machines and later versions must agree.
    assert [i for i in range(1, 8) if in_shard("s3://bucket/a.mp3", (i, 7))] == [2]


@pytest.mark.parametrize("uri", ["s3://", "s3:///x", "http://x/y", "/s3://x", "s3:/bucket", "x"])
def test_what_is_no_uri(uri: str) -> None:
    assert not is_uri(uri)
    with pytest.raises(LibraryError, match="is not the URI of an object"):
        Store(uri)
