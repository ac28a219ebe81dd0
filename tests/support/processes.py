"""Processes that tests start: time limits, and their end after the test."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 900
"""Time limit in seconds for anything that does not hang; it does not measure speed."""

_started: list[subprocess.Popen[Any]] = []


def start(arguments: Sequence[Any], **options: Any) -> subprocess.Popen[Any]:
    """Start a process that is ended after the test, even if the test fails."""
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
    """End the processes that the test has started.

    A process that a failed test leaves would be reported as a ``ResourceWarning`` in whichever
    test the garbage collector runs next.
    """
    while _started:
        end(_started.pop())


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds that depends on another process or thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


def stat_of(pid: int | str) -> list[str]:
    """Return state, parent, group and so on of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def sleeps(pid: int) -> bool:
    """Return whether the main thread of a process waits, or the process has ended."""
    return stat_of(pid)[:1] != ["R"]


def processor_seconds(pid: int) -> float:
    """Processor time of a process and of its children that have ended."""
    ticks = sum(map(int, stat_of(pid)[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def group_lives(group: int) -> bool:
    """Return whether a process of a group has not ended."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(
        fields[2] == str(group) and fields[0] != "Z"
        for fields in (stat_of(each.name) for each in Path("/proc").glob("[0-9]*"))
        if fields
    )
