"""Commands that open a data set at the same time, are killed, or are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from genrelens.library import Dataset
from support import processes
from support.commands import command, spawn
from support.library_folder import data_row as row
from support.processes import PATIENCE, wait_until

pytest.importorskip("pyarrow")

# Opens a data set, and waits for its end after the first part.
WAITING = """
import sys, time
from genrelens.library import Dataset, open_library
rows = Dataset.rows
def slow(self, part):
    yield from rows(self, part)
    print("read", flush=True)
    time.sleep(1000)
Dataset.rows = slow
open_library(sys.argv[1])
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "GENRELENS_DATASET_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def location(tmp_path: Path) -> str:
    dataset = Dataset(tmp_path / "library")
    for part in range(3):
        dataset.write([row(f"/{part}/{number}") for number in range(300)])
    return dataset.location


def kept(tmp_path: Path) -> list[str]:
    return [path.suffix for path in (tmp_path / "cache").glob("*/*") if path.is_file()]


def test_several_commands_at_once(
    location: str, environment: dict[str, str], tmp_path: Path
) -> None:
    arguments = command("list", "--db", location, "--format", "jsonl")
    runs = [processes.start(arguments, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [run.communicate(timeout=PATIENCE)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(outputs[0].splitlines()) == 900
    assert outputs == outputs[:1] * 3
    assert kept(tmp_path) == [".sqlite"]


@pytest.mark.parametrize(("number", "left"), [(signal.SIGKILL, [".tmp"]), (signal.SIGINT, [])])
def test_a_killed_or_stopped_process(
    location: str,
    environment: dict[str, str],
    tmp_path: Path,
    number: signal.Signals,
    left: list[str],
) -> None:
    run = processes.start(
        [sys.executable, "-c", WAITING, location],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == b"read\n"
    run.send_signal(number)
    run.communicate(timeout=PATIENCE)
    wait_until(lambda: run.poll() is not None)
    assert kept(tmp_path) == left
    done = spawn("list", "--db", location, "--format", "jsonl", env=environment)
    assert (done.code, len(done.out.splitlines())) == (0, 900)
    assert sorted(kept(tmp_path)) == [".sqlite", *left]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(
    location: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir(mode=0o500)
    done = spawn("list", "--db", location, "--format", "jsonl", env=environment)
    assert (done.code, len(done.out.splitlines()), done.err) == (0, 900, "")
