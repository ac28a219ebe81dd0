"""Scans on a real Ray cluster of several nodes: equal to a local scan, whatever is killed.

One file, so that pytest-xdist runs all of it in one worker with one cluster.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from genrelens.discovery.stores import Store
from genrelens.library import Dataset, open_library
from support import processes, synth, tiny
from support.commands import Result, command, spawn
from support.processes import wait_until
from support.ray_nodes import Nodes, workers

pytest.importorskip("ray", reason="needs the extra cluster")

pytestmark = pytest.mark.slow

N_CLIPS = 30
SECONDS = 20.0  # long enough for the tests to interrupt a scan
ODD = ["new\nline.wav", "אבג.wav", os.fsdecode(b"caf\xe9.wav"), 240 * "x" + ".wav"]
Rows = dict[str, Any]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips, among them copies, odd names, and files that are no music."""
    folder = tmp_path_factory.mktemp("archive") / "music"
    folder.mkdir()
    for number in range(N_CLIPS):
        y = tiny.sound(tiny.GENRES[number % 3], SECONDS, number)
        (folder / f"{number:02}.wav").write_bytes(synth.write(y, tiny.RATE))
    for number, name in enumerate(ODD):
        (folder / name).write_bytes(synth.write(tiny.sound("noise", 1, 99 + number), tiny.RATE))
    (folder / "copy.wav").write_bytes((folder / "00.wav").read_bytes())
    (folder / "text.mp3").write_text("no music")
    (folder / "empty.flac").touch()
    return folder


@pytest.fixture(scope="module")
def local(music: Path) -> Rows:
    """The rows of a scan without a cluster."""
    done = spawn("scan", music, "--db", music.parent / "local.sqlite")
    assert (done.code, done.err.count("error:")) == (1, 2)
    return rows(music.parent / "local.sqlite")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path_factory.mktemp("ray"))
    yield nodes
    nodes.close()


def rows(location: Path | str) -> Rows:
    """Return what a library holds, by path, without the times of the scans."""
    found = {}
    with open_library(location) as catalog:
        for entry in catalog.query():
            fields = entry.to_dict()
            if entry.prediction is not None:
                del fields["prediction"]["created_at"]
                assert entry.prediction.embedding is not None
                fields["embedding"] = entry.prediction.embedding.tobytes()
            found[str(entry.path)] = fields
    return found


def paths_in_parts(location: Path | str) -> list[str]:
    """Return the path of each row of each part."""
    return sorted(str(entry.path) for entry in Dataset(location).entries())


def assert_complete(location: Path, local: Rows) -> None:
    """The parts hold each file once, and the same as a local scan."""
    assert paths_in_parts(location) == sorted(local)
    assert rows(location) == local


def start(nodes: Nodes, music: Path | str, target: Path | str) -> subprocess.Popen[bytes]:
    arguments = command("scan", music, "--ray", nodes.address, "--out", target, "--json")
    return processes.start(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=nodes.environment,
        start_new_session=True,
    )


def result(driver: subprocess.Popen[bytes]) -> Result:
    out, err = driver.communicate(timeout=processes.PATIENCE)
    return Result(driver.returncode, out.decode(), err.decode())


def wait_for_a_part(driver: subprocess.Popen[bytes], target: Path) -> None:
    wait_until(lambda: list(target.glob("part-*")) or driver.poll() is not None)
    assert driver.poll() is None, result(driver)
    assert len(paths_in_parts(target)) < N_CLIPS


def test_a_worker_is_killed(nodes: Nodes, music: Path, local: Rows, tmp_path: Path) -> None:
    driver = start(nodes, music, tmp_path / "data")
    wait_for_a_part(driver, tmp_path / "data")
    os.kill(workers()[0], signal.SIGKILL)
    done = result(driver)
    assert done.code == 1, done
    summary = json.loads(done.out)
    assert summary["files"] == summary["stats"]["files"] == len(local)
    assert summary["stats"]["failed"] == 2
    assert sorted(line.split(": ")[:2] for line in done.err.splitlines()) == [
        ["error", f"{music}/empty.flac"],
        ["error", f"{music}/text.mp3"],
    ]
    assert_complete(tmp_path / "data", local)


def test_the_driver_is_killed(nodes: Nodes, music: Path, local: Rows, tmp_path: Path) -> None:
    driver = start(nodes, music, tmp_path / "data")
    wait_for_a_part(driver, tmp_path / "data")
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    n_before = len(paths_in_parts(tmp_path / "data"))
    done = result(start(nodes, music, tmp_path / "data"))
    document = json.loads(done.out)
    assert document["unchanged"] + document["failed_before"] >= n_before - 2
    assert_complete(tmp_path / "data", local)
    parts = {part: part.stat() for part in (tmp_path / "data").iterdir()}
    again = json.loads(result(start(nodes, music, tmp_path / "data")).out)
    assert again["analysed"] == again["known"] == 0
    assert again["unchanged"] == len(local) - 2
    assert rows(tmp_path / "data") == local
    with suppress(KeyError):
        assert all(each.stat().st_mtime_ns == parts[each].st_mtime_ns for each in parts)


def test_a_node_is_killed(nodes: Nodes, music: Path, local: Rows, tmp_path: Path) -> None:
    driver = start(nodes, music, tmp_path / "data")
    wait_for_a_part(driver, tmp_path / "data")
    nodes.kill()
    done = result(driver)
    assert done.code == 1, done
    assert json.loads(done.out)["files"] == len(local)
    assert_complete(tmp_path / "data", local)
    nodes.add()


def test_objects_in_a_store(
    nodes: Nodes, music: Path, local: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes get the endpoint from the URI.

    The bucket is not that of other tests: objects and options hold for the rest of the process.
    """
    moto = pytest.importorskip("moto.server")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.setenv(name, nodes.environment[name])
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = f"?endpoint_override={host}:{port}&scheme=http&allow_bucket_creation=true"
        Store(f"s3://cluster{options}")._files.create_dir("cluster")
        names = ["00.wav", "01.wav", "copy.wav", "text.mp3"]
        for name in names:
            Store("s3://cluster/music").write(name, (music / name).read_bytes())
        target = f"s3://cluster/library{options}"
        done = result(start(nodes, f"s3://cluster/music{options}", target))
        assert done.code == 1, done
        found = rows("s3://cluster/library")
        assert sorted(found) == [f"s3://cluster/music/{name}" for name in names]
        for name in names:
            ours, theirs = found[f"s3://cluster/music/{name}"], local[str(music / name)]
            assert ours["embedding" if "embedding" in ours else "error"] == theirs.get(
                "embedding", theirs["error"]
            )
            assert ours["digest"] == theirs["digest"]
    finally:
        server.stop()


def test_ctrl_c(nodes: Nodes, music: Path, local: Rows, tmp_path: Path) -> None:
    """What was written stays, and no worker is left."""
    driver = start(nodes, music, tmp_path / "data")
    wait_for_a_part(driver, tmp_path / "data")
    os.killpg(driver.pid, signal.SIGINT)
    done = result(driver)
    assert done.code == 130
    assert done.err == "stopped; run the same command again to continue\n"
    written = paths_in_parts(tmp_path / "data")
    assert set(written) <= set(local)
    wait_until(lambda: not workers())


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "no Ray cluster can be used at 127.0.0.1:1 (Connection refused)"),
        ("ray://127.0.0.1:1", "no Ray cluster can be used at ray://127.0.0.1:1 (Connection"),
    ],
)
def test_an_address_that_does_not_answer(tmp_path: Path, address: str, reason: str) -> None:
    done = spawn("scan", tmp_path, "--ray", address, "--out", tmp_path / "data")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {reason}")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "data").exists()
