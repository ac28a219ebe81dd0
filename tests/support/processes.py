"""Processes that tests start: how long to wait for them, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 900
"""Seconds until something hangs for certain; no statement about how fast anything is."""

_started: list[subprocess.Popen[Any]] = []


def start(arguments: Sequence[Any], **options: Any) -> subprocess.Popen[Any]:
    """Start a process that ends with the test, however the test ends."""
    _started.append(subprocess.Popen(arguments, **options))
    return _started[-1]


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process, and its group if it leads one; reap it and close its pipes."""
    if process.poll() is None:
        leads = os.getpgid(process.pid) == process.pid
        (os.killpg if leads else os.kill)(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def end_all() -> None:
    """End what the test has started.

    A process that a failed test leaves would be reported as a ``ResourceWarning`` in whichever
    test the garbage collector runs next.
    """
    while _started:
        end(_started.pop())


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for something that happens in another process or thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


def stat_of(pid: int | str) -> list[str]:
    """Read state, parent, group and so on of a process; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def sleeps(pid: int) -> bool:
    """Whether the main thread of a process waits for something, or the process is gone."""
    return stat_of(pid)[:1] != ["R"]


def processor_seconds(pid: int) -> float:
    """Processor time of a process and of its children that have ended."""
    ticks = sum(map(int, stat_of(pid)[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
