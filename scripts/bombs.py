"""Make files that are made to be slow or to fill the memory, and read each in a process of its own.

    python scripts/bombs.py [--mb 90] [--only WORDS] [--from NAME] [--seconds 60] [--memory-mb 1024]
        [--in DIR] [--functions read_tags,audio_digest,probe]

Prints a table: for each kind of file, what ``read_tags``, ``audio_digest`` and ``probe`` did, in
how many seconds of CPU and with how many MB beyond what the process starts with. "!" marks what
took longer, what took more memory, and what crashed. Exit code 1 if there was one. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # a process that has threads must not be forked
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from genrelens.audio import probe
from genrelens.errors import GenrelensError
from genrelens.library import audio_digest
from genrelens.tags import read_tags
from support.bombs import BOMBS, write_bomb

FUNCTIONS: dict[str, Callable[[Path], Any]] = {
    "read_tags": read_tags,
    "audio_digest": audio_digest,
    "probe": probe,
}


@dataclass(frozen=True)
class Outcome:
    """What a function did; ``words`` is its result, its error, or how its process ended."""

    seconds: float
    megabytes: float
    words: str
    is_fault: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=90)
    parser.add_argument("--only", default="")
    parser.add_argument("--from", dest="first", default="")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--functions", default=",".join(FUNCTIONS))
    parser.add_argument("--in", dest="folder")
    asked = parser.parse_args()
    functions = {name: FUNCTIONS[name] for name in asked.functions.split(",")}
    n_faults = n_calls = 0
    print(f"{'file':<34}{'MB':>5}  " + "".join(f"{name:<52}" for name in functions))
    with TemporaryDirectory(dir=asked.folder) as folder:
        names = list(BOMBS)[list(BOMBS).index(asked.first) if asked.first else 0 :]
        for name in (each for each in names if asked.only in each):
            path = Path(folder) / f"bomb.{BOMBS[name][0]}"
            make(name, path, int(asked.mb * 1e6))
            row = f"{name:<34}{path.stat().st_size / 1e6:>5.0f}  "
            for function in functions.values():
                outcome = measure(function, path, asked.seconds, asked.memory_mb * 2**20)
                n_calls += 1
                n_faults += outcome.is_fault
                row += f"{cell(outcome):<52}"
            print(row.rstrip(), flush=True)
            path.unlink()
    print(f"{n_faults} of {n_calls} calls took too long or too much, or crashed")
    return int(n_faults > 0)


def make(name: str, path: Path, size: int) -> None:
    """Write a file in a fork of this process, whose memory would count for the children."""
    child = os.fork()
    if not child:
        write_bomb(name, path, size)
        os._exit(0)
    os.waitpid(child, 0)


def cell(outcome: Outcome) -> str:
    mark = "!" if outcome.is_fault else " "
    figures = f"{outcome.seconds:6.1f} s{outcome.megabytes:6.0f} MB"
    return f"{mark}{figures}  {outcome.words[:32]}"


def measure(function: Callable[[Path], Any], path: Path, seconds: int, memory: int) -> Outcome:
    """Call a function in a fork of this process, with limits."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _call(function, path, seconds, memory, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    used = usage.ru_utime + usage.ru_stime
    megabytes = max(0, usage.ru_maxrss - before) / 1024
    if not answer:
        ended = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "ended"
        return Outcome(used, megabytes, f"{ended} after {used:.0f} s", True)
    words, is_fault = json.loads(answer)
    return Outcome(used, megabytes, words, is_fault)


def _call(
    function: Callable[[Path], Any], path: Path, seconds: int, memory: int, pipe: int
) -> None:
    """Call and report; never return."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    bound = _data_bytes() + memory
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    signal.alarm(20 * seconds)  # if it waits and does nothing
    warnings.simplefilter("ignore")
    try:
        answer = (repr(function(path)), False)
    except GenrelensError as error:
        answer = (str(error).removeprefix(f"{path}: "), False)
    except BaseException as error:
        answer = (f"{type(error).__name__}: {error}", True)
    os.write(pipe, json.dumps((answer[0][:200], answer[1])).encode())
    os._exit(0)


def _data_bytes() -> int:
    """Return the size of this process's data now."""
    with Path("/proc/self/status").open() as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmData"].split()[0]) * 1024


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
