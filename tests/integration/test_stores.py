"""Objects in a store, with a real S3 server: found, copied, classified, and a data set of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genrelens.discovery.sources import find_sources
from genrelens.discovery.stores import Store
from genrelens.errors import LibraryError
from genrelens.library import Catalog, Dataset, open_library
from genrelens.library import scan as scanning
from genrelens.library.scan import scan_files
from support.commands import run
from support.library_folder import HerePool, data_row, wav

pytest.importorskip("pyarrow")
moto = pytest.importorskip("moto.server")

KEYS = {
    "music/a/rock 1?.wav": wav("noise"),
    "music/a/b/c%20#.wav": wav("chords"),
    "music/ünï.wav": wav("clicks"),
    "music/copy.wav": wav("clicks"),
    "music/.hidden/x.wav": b"x",
    "music/bad.mp3": b"no music",
    "music/cover.jpg": b"x",
    "other/x.wav": wav("noise", seed=7),
}
FOUND = ["a/b/c%20#.wav", "a/rock 1?.wav", "bad.mp3", "copy.wav", "ünï.wav"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    """The bucket ``music`` with some objects; the environment names the server."""
    from pyarrow import fs

    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": server,
        "TMPDIR": str(tmp_path / "temporary"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    files, _ = fs.FileSystem.from_uri("s3://archive?allow_bucket_creation=true")
    files.create_dir("archive")
    store = Store("s3://archive")
    for key, content in KEYS.items():
        store.write(key, content)
    yield store
    files.delete_dir_contents("archive")
    assert not list((tmp_path / "temporary").iterdir())


def found(*inputs: str, **options: Any) -> list[str]:
    problems: list[tuple[str, str]] = []
    files = list(find_sources(inputs, on_problem=lambda *p: problems.append(p), **options))
    return [each.path.removeprefix("s3://archive/music/") for each in files] + [
        f"{path}: {reason}" for path, reason in problems
    ]


def test_objects_are_found() -> None:
    assert found("s3://archive/music") == FOUND
    assert found("s3://archive/music/") == FOUND
    assert found("s3://archive/music", exclude=["a", "*.mp3"]) == ["copy.wav", "ünï.wav"]
    assert found("s3://archive/music/cover.jpg") == ["cover.jpg"]
    assert found("s3://archive")[-1] == "s3://archive/other/x.wav"


def test_a_table_names_objects(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\ns3://archive/music/copy.wav\nlocal.wav\n")
    (tmp_path / "local.wav").touch()
    assert found("list.csv") == ["copy.wav", str(tmp_path / "local.wav")]


def test_an_endpoint_in_the_uri(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    address = server.removeprefix("http://")
    uri = f"s3://archive/music/copy.wav?endpoint_override={address}&scheme=http"
    assert found(uri) == ["copy.wav"]


@pytest.mark.parametrize("uri", ["s3://archive/none", "s3://archive/music/none.wav", "s3://none/x"])
def test_objects_that_do_not_exist(uri: str) -> None:
    assert found(uri) == [f"{uri}: there is no such object"]


def test_objects_are_scanned_into_a_catalogue(model: Path, tmp_path: Path, bucket: Store) -> None:
    def scan() -> dict[str, str]:
        files = find_sources(["s3://archive/music"], on_problem=print)
        with Catalog.open(tmp_path / "c.sqlite") as catalog:
            results = list(scan_files(catalog, files, model=str(model)))
        assert all(each.failure is None or "/tmp" not in each.failure.reason for each in results)
        return {each.path.removeprefix("s3://archive/music/"): each.status for each in results}

    names = dict.fromkeys(FOUND, "analysed")
    assert scan() == {**names, "bad.mp3": "failed", "ünï.wav": "known"}
    assert scan() == {**dict.fromkeys(FOUND, "unchanged"), "bad.mp3": "failed before"}
    bucket.write("music/copy.wav", wav("noise", 2))
    assert scan()["copy.wav"] == "analysed"
    with open_library(tmp_path / "c.sqlite") as catalog:
        paths = [str(entry.path) for entry in catalog.query(under="s3://archive/music/a")]
    assert paths == [f"s3://archive/music/{name}" for name in FOUND[:2]]


def test_an_object_that_changes_disappears_or_is_too_large(
    model: Path, tmp_path: Path, bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_LARGEST_OBJECT", 60_000)
    bucket.write("music/large.wav", bytes(60_001))
    files = list(find_sources(["s3://archive/music"], on_problem=print))
    bucket.write("music/copy.wav", b"shorter")
    bucket.delete("music/ünï.wav")
    with Catalog.temporary("x") as catalog:
        results = scan_files(catalog, files, model=str(model))
        reasons = {Path(r.path).name: r.failure.reason for r in results if r.failure is not None}
    assert reasons.pop("bad.mp3").startswith("is not audio")
    assert reasons.pop("copy.wav") == "changed during the scan"
    assert "does not exist" in reasons.pop("ünï.wav")
    assert reasons == {"large.wav": "is larger than 5.58794e-05 GiB"}


def test_the_catalogue_of_a_data_set_is_kept(
    tmp_path: Path, bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    rows = Dataset.rows
    monkeypatch.setattr(Dataset, "rows", lambda d, part: read.append(part) or rows(d, part))
    monkeypatch.setenv("GENRELENS_DATASET_CACHE", str(tmp_path / "cache"))
    dataset = Dataset("s3://archive/library")
    for name in "ab":
        dataset.write([data_row(f"s3://archive/{name}")], part=f"{name}.parquet")
        for _ in range(2):
            with open_library(dataset.location) as catalog:
                assert len(list(catalog.query())) == len(dataset.parts())
    assert read == ["a.parquet", "b.parquet"]


def test_a_data_set_in_the_store(
    model: Path, capsys: pytest.CaptureFixture[str], bucket: Store
) -> None:
    target = "s3://archive/library"
    scan = ["scan", "s3://archive/music", "--model", model, "-j", "1", "--out", target, "--json"]
    done = run(capsys, *scan)
    assert done.code == 1
    document = json.loads(done.out)
    assert (document["catalog"], document["analysed"], document["failed"]) == (target, 3, 1)
    assert [each["path"] for each in document["failures"]] == ["s3://archive/music/bad.mp3"]
    before = bucket.names(), Dataset(target).parts()
    again = json.loads(run(capsys, *scan).out)
    assert (again["analysed"], again["known"], again["unchanged"]) == (0, 0, 4)
    assert (bucket.names(), len(Dataset(target).parts())) == (before[0], 1)
    listed = run(capsys, "list", "--db", target, "--format", "csv").out
    assert listed.count("s3://archive/music/") == 5
    audited = run(capsys, "audit", "s3://archive/music", "--db", target)
    assert "5 files: 4 have no genre, 1 could not be classified" in audited.out
    tagged = json.loads(run(capsys, "tag", "s3://archive", "--db", target, "--json").out)
    assert {each["reason"] for each in tagged["skipped"]} == {
        "is an object in a store; genrelens writes tags only to files"
    }
    assert len(tagged["skipped"]) == 5
    imported = run(capsys, "catalog", "import", target, "--db", "c.sqlite")
    assert imported.out == f"{target}: 8 new or newer files and predictions\n"


def test_shards_on_machines_that_share_nothing(
    model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scan = ["scan", "s3://archive/music", "--model", model, "-j", "1"]
    for number in (1, 2, 3):
        run(capsys, *scan, "--shard", f"{number}/3", "--out", f"shard-{number}")
    shards = [each for each in ("shard-1", "shard-2", "shard-3") if Path(each).exists()]
    assert run(capsys, "catalog", "import", *shards, "--db", "merged.sqlite").code == 0
    run(capsys, *scan, "--db", "whole.sqlite")
    listing = [
        run(capsys, "list", "--db", name, "--format", "csv").out
        for name in ("merged.sqlite", "whole.sqlite")
    ]
    assert listing[0] == listing[1]
    assert listing[0].count("\n") == 1 + len(FOUND)
    for each in shards:
        shutil.rmtree(tmp_path / each)


def test_a_store_that_does_not_exist_or_answer() -> None:
    with pytest.raises(LibraryError, match=r"s3://none/library: .*bucket"):
        Dataset("s3://none/library").write([])
    [problem] = found("s3://wrong/x?endpoint_override=127.0.0.1:1&scheme=http&retry=1")
    assert problem.startswith("s3://wrong/x: ")
