"""Kill scans at random points, and check that no result is lost.

A program of its own, because a process that forks must not have threads. Arguments: a model, a
folder of music, a working folder, and the number of kills. Prints JSON for the test. Each scan is
a fork of this process, which has loaded everything, and runs the jobs of its workers itself.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from genrelens.discovery.find import find_files
from genrelens.library import scan as scanning
from genrelens.library.catalog import Catalog
from genrelens.library.records import StoredPrediction
from genrelens.library.scan import scan_files
from support.library_folder import HerePool

Facts = dict[str, Any]


def main(model: str, music: Path, work: Path, n_kills: int) -> None:
    scanning.ClassifierPool = HerePool  # type: ignore[misc]
    began = time.monotonic()
    expected = facts(complete_scan(model, music, work / "expected.sqlite"))
    for_one = (time.monotonic() - began) / len(expected)
    chance = random.Random(1)
    found = {"kills": 0, "files": len(expected), "complete": 0, "continued": 0, "points": []}
    catalog = work / "0.sqlite"
    while found["kills"] < n_kills:
        before = facts(catalog) if catalog.exists() else {}
        first = 0 if chance.random() < 0.2 else max(1, len(before) - 2)
        count, more = chance.randint(first, len(expected)), chance.uniform(0, for_one)
        yielded, killed = kill(model, music, catalog, count, more)
        after = facts(catalog) if catalog.exists() else {}
        assert yielded <= set(after), f"lost: {yielded - set(after)}"
        assert set(before) <= set(after), "an entry is missing"
        assert after.items() <= expected.items(), "an entry is incomplete"
        found["kills"] += killed
        found["continued"] += bool(before) and len(after) > len(before)
        found["points"].append(len(after))
        if len(after) == len(expected):
            assert facts(complete_scan(model, music, catalog)) == expected
            found["complete"] += 1
            catalog = work / f"{found['kills']}.sqlite"
    print(json.dumps(found))


def complete_scan(model: str, music: Path, path: Path) -> Path:
    with Catalog.open(path) as catalog:
        for _ in scan_files(catalog, find_files([music], on_problem=print), model=model):
            pass
    return path


def kill(model: str, music: Path, path: Path, count: int, seconds: float) -> tuple[set[str], bool]:
    """Kill a scan some time after it yielded a number of files.

    Return the files that it yielded, and whether it was still running.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with Catalog.open(path) as catalog:
            for each in scan_files(catalog, find_files([music], on_problem=print), model=model):
                os.write(write, f"{each.path}\n".encode())
        os._exit(0)
    os.close(write)
    yielded = b""
    while yielded.count(b"\n") < count and (more := os.read(read, 65_536)):
        yielded += more
    yielded += read_for(seconds, read)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read, "rb") as rest:
        lines = (yielded + rest.read()).decode().splitlines()
    return set(lines), os.WIFSIGNALED(status)


def read_for(seconds: float, source: int) -> bytes:
    """Read for some seconds, or to the end."""
    deadline, content = time.monotonic() + seconds, b""
    while (left := deadline - time.monotonic()) > 0 and select.select([source], [], [], left)[0]:
        more = os.read(source, 65_536)
        if not more:
            break
        content += more
    return content


def facts(path: Path) -> dict[str, str]:
    """Return the entry of each file in a catalogue, without the time of the prediction."""
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return {}  # killed before it had tables
    with Catalog.open(path, readonly=True) as catalog:
        return {str(entry.path): described(entry.to_dict()) for entry in catalog.query()}


def described(entry: Facts) -> str:
    prediction: Facts | StoredPrediction | None = entry["prediction"]
    if isinstance(prediction, dict):
        del prediction["created_at"]
    return json.dumps(entry)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
