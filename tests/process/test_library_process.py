"""Scans as processes: workers that crash or hang, kills, terminals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genrelens import worker_pool
from genrelens.discovery.find import find_files
from genrelens.library import Catalog
from genrelens.library.scan import scan_files
from support import misbehaviour
from support.commands import as_seen, at_terminal, command, spawn
from support.library_folder import wav, write_files
from support.processes import PATIENCE, group_lives, start, wait_until

N_KILLS = 80  # killed_scans.py takes any number


def test_workers_that_crash_and_hang(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the file in progress fails, once; its copies fail with it."""
    names = ["a.wav", "crash.wav", "b.wav", "hang.wav", "c.wav"]
    files = {name: wav("noise", seed=seed) for seed, name in enumerate(names)}
    music = write_files(tmp_path / "music", files | {"hang2.wav": files["hang.wav"]})
    timeout = 3 + 20 * seconds_for_a_file(tmp_path / "one", model)
    monkeypatch.setattr(worker_pool, "_classify_file", misbehaviour.as_the_name_says)
    for expected in ("failed", "failed before"):
        with Catalog.open(tmp_path / "x.sqlite") as catalog:
            found = find_files([music], on_problem=pytest.fail)
            outcomes = scan_files(catalog, found, model=str(model), jobs=2, timeout=timeout)
            statuses = {Path(each.path).stem: each.status for each in outcomes}
            reasons = {e.path.stem: e.error for e in catalog.query(errors=True)}
        good = "analysed" if expected == "failed" else "unchanged"
        assert statuses == {
            **dict.fromkeys("abc", good),
            **dict.fromkeys(["crash", "hang", "hang2"], expected),
        }
        assert reasons == {
            "crash": "crashed its decoder (SIGSEGV)",
            **dict.fromkeys(["hang", "hang2"], f"took longer than {timeout:g} s"),
        }


def seconds_for_a_file(folder: Path, model: Path) -> float:
    """Return the seconds that a worker takes for a file on this machine, including its start."""
    found = find_files([write_files(folder, {"a.wav": wav("noise")})], on_problem=pytest.fail)
    with Catalog.open(folder / "x.sqlite") as catalog:
        started = time.monotonic()
        assert [each.status for each in scan_files(catalog, found, model=str(model))] == [
            "analysed"
        ]
        return time.monotonic() - started


@pytest.mark.slow
def test_a_killed_scan_loses_no_yielded_result(model: Path, tmp_path: Path) -> None:
    files = {f"{number}.wav": wav("noise", 0.3, seed=number) for number in range(8)}
    music = write_files(tmp_path / "music", {**files, "copy.wav": files["3.wav"], "x.mp3": b"x"})
    done = subprocess.run(
        [sys.executable, "-m", "support.killed_scans", model, music, tmp_path, str(N_KILLS)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["kills"], found["files"]) == (N_KILLS, 10)
    assert found["complete"] > 2
    assert found["continued"] > N_KILLS // 10
    assert len(set(found["points"])) > 5  # they were killed at many different points


@pytest.mark.slow
def test_a_kill_leaves_no_process_behind(model: Path, tmp_path: Path) -> None:
    """And the next scan continues."""
    files = {f"{number}.wav": wav("noise", 40, seed=number) for number in range(40)}
    music = write_files(tmp_path / "music", files)
    arguments = ["scan", music, "--db", tmp_path / "x.sqlite", "--model", model]
    scanning = start(
        command(*arguments, "-j", "2"),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    log = tmp_path / "x.sqlite-wal"
    wait_until(lambda: log.exists() and log.stat().st_size > 60_000)
    scanning.kill()
    scanning.wait()
    wait_until(lambda: not group_lives(scanning.pid))
    with Catalog.open(tmp_path / "x.sqlite", readonly=True) as catalog:
        n_known = len(list(catalog.query()))
    assert 0 < n_known < 40
    result = spawn(*arguments, "--json", "-j", "2")
    summary = json.loads(result.out)
    assert (result.code, summary["unchanged"], summary["analysed"]) == (0, n_known, 40 - n_known)


@pytest.mark.slow
def test_ctrl_c_at_a_terminal(model: Path, tmp_path: Path) -> None:
    files = {f"{number:02}.wav": wav("noise", 20, seed=number) for number in range(60)}
    music = write_files(tmp_path / "music", files)
    arguments = ["scan", music, "--db", tmp_path / "x.sqlite", "--model", model, "-j", "1"]
    running = at_terminal(command(*arguments), width=100)
    before = running.read(until=b"x real time")
    assert running.ctrl_c() < 20
    assert running.process.returncode == 130
    after = running.read()
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", before + after)
    assert re.search(r"Scanning \S+ +\d+% \d+/60 files  \d+x real time [-\d]:[-\d]{2}:", plain)
    assert "Traceback" not in before + after
    lines = as_seen(before + after)
    assert "stopped; run the same command again to continue" in lines
    assert not any("Scanning" in line for line in lines)
    with Catalog.open(tmp_path / "x.sqlite", readonly=True) as catalog:
        assert 0 < len(list(catalog.query())) < 60


@pytest.mark.slow
def test_two_scans_at_once(model: Path, tmp_path: Path) -> None:
    """One waits while the other writes; both have the same results."""
    files = {f"{number}.wav": wav("noise", 1, seed=number) for number in range(10)}
    music = write_files(tmp_path / "music", files | {"text.mp3": b"no music"})
    arguments = ["scan", music, "--db", tmp_path / "x.sqlite", "--model", model, "--json"]
    other = start(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    result = spawn(*arguments)
    out, _ = other.communicate(timeout=PATIENCE)
    for summary in (json.loads(result.out), json.loads(out)):
        assert (summary["files"], len(summary["failures"])) == (11, 1 - summary["failed_before"])
    assert (result.code, other.returncode) == (1, 1)
    with Catalog.open(tmp_path / "x.sqlite", readonly=True) as catalog:
        assert len(list(catalog.query(genre="noise"))) == 10
