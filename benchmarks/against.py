"""Compare the speed of this checkout with another one, side by side.

    python benchmarks/against.py ../former --runs 7

Both checkouts run with the same Python and packages. Their runs alternate, so that a change of the
machine's speed concerns both. The first run of each is not counted. Prints Markdown.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import soundfile as sf
from library import write_library

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "disco-groove.ogg"

# Runs in a process of its own with the package of one checkout; reads tasks, prints seconds.
WORKER = """
import json, sys, time
import soundfile
from genrelens import Classifier

path = sys.argv[1]
classifier = Classifier.load()
tasks = {
    "decode": lambda: soundfile.read(path, dtype="float32"),
    "whole": lambda: classifier.classify(path),
    "fast": lambda: classifier.classify(path, fast=True),
}
for line in sys.stdin:
    wall, used = time.perf_counter(), time.process_time()
    tasks[line.strip()]()
    print(json.dumps([time.perf_counter() - wall, time.process_time() - used]), flush=True)
"""

TASKS = ("decode", "whole", "fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("former", type=Path, help="folder of the other checkout")
    parser.add_argument("--runs", type=int, default=7, help="that each figure is of")
    parser.add_argument("--files", type=int, default=100, help="of the library that is scanned")
    options = parser.parse_args()
    checkouts = {"former": options.former.resolve(), "now": ROOT}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        song = folder / "song.mp3"
        write_music(song, 240)
        print(f"{os.cpu_count()} cores; each figure is the best and the median of {options.runs}\n")
        print("| what | former | now |\n|---|---|---|")
        in_one_process(checkouts, song, options.runs)
        commands(checkouts, folder, options.runs)
        scans(checkouts, folder, options.files)
    sizes = [f"{wheel_bytes(path) / 1e6:.1f} MB" for path in checkouts.values()]
    print(f"| wheel, as a deflated archive | {' | '.join(sizes)} |")


def write_music(path: Path, seconds: int) -> None:
    """Repeat the bundled clip, in the format that the ending says."""
    samples, rate = sf.read(EXAMPLE, dtype="float32")
    missing = seconds * rate
    with sf.SoundFile(path, "w", rate, samples.shape[1]) as file:
        while missing > 0:
            file.write(samples[:missing])
            missing -= len(samples)


def alternating(
    checkouts: Mapping[str, Path], runs: int, run: Callable[[str], Any]
) -> dict[str, list[Any]]:
    """Call ``run`` with the name of each checkout in turns; return its results but the first."""
    times: dict[str, list[Any]] = {name: [] for name in checkouts}
    for number in range(runs + 1):
        for name in checkouts:
            result = run(name)
            if number:
                times[name].append(result)
    return times


def in_one_process(checkouts: Mapping[str, Path], song: Path, runs: int) -> None:
    """Print rows for whole recordings, warm, as multiples of their decoding by soundfile."""
    workers = {
        name: subprocess.Popen(
            [sys.executable, "-c", WORKER, str(song)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(path, song.parent),
        )
        for name, path in checkouts.items()
    }

    def run(name: str, task: str) -> list[float]:
        stdin, stdout = workers[name].stdin, workers[name].stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{task}\n")
        stdin.flush()
        return [float(value) for value in json.loads(stdout.readline())]

    rounds = alternating(checkouts, runs, lambda name: [run(name, task) for task in TASKS])
    times = {
        task: {name: [each[number] for each in rounds[name]] for name in checkouts}
        for number, task in enumerate(TASKS)
    }
    for worker in workers.values():
        worker.communicate()
    for task, what in (("whole", "4 min mp3, warm"), ("fast", "the same, `--fast`")):
        for column, kind in enumerate(("", ", processor time")):
            cells = " | ".join(
                " and ".join(
                    f"{pick(times[task][name], column) / pick(times['decode'][name], column):.2f}x"
                    for pick in (best, median)
                )
                for name in checkouts
            )
            print(f"| {what}, as a multiple of its decoding{kind} | {cells} |", flush=True)


def best(times: list[list[float]], column: int) -> float:
    return min(each[column] for each in times)


def median(times: list[list[float]], column: int) -> float:
    return statistics.median(each[column] for each in times)


def commands(checkouts: Mapping[str, Path], folder: Path, runs: int) -> None:
    """Print rows for commands as new processes."""
    for arguments in (["classify", str(EXAMPLE)], ["--help"], ["--version"]):

        def run(name: str, arguments: list[str] = arguments) -> list[float]:
            return [timed(checkouts[name], folder, arguments)]

        times = alternating(checkouts, runs, run)
        cells = " | ".join(
            f"{best(each, 0):.2f} and {median(each, 0):.2f} s" for each in times.values()
        )
        shown = " ".join([arguments[0], *(Path(each).name for each in arguments[1:])])
        print(f"| `genrelens {shown}`, a new process | {cells} |", flush=True)


def scans(checkouts: Mapping[str, Path], folder: Path, n_files: int) -> None:
    """Print a row for scans of a new library with two jobs."""
    music = folder / "music"
    seconds = write_library(music, n_files)

    def run(name: str) -> list[float]:
        with tempfile.TemporaryDirectory(dir=folder) as data:  # a catalogue of its own
            arguments = ["scan", str(music), "--jobs", "2"]
            return [timed(checkouts[name], Path(data), arguments)]

    times = alternating(checkouts, 2, run)
    cells = " | ".join(
        f"{seconds / best(each, 0):.0f} and {seconds / median(each, 0):.0f}"
        for each in times.values()
    )
    what = f"scan of {n_files} files, {seconds / 3600:.1f} h, two jobs, times real time"
    print(f"| {what} | {cells} |", flush=True)


def timed(checkout: Path, data: Path, arguments: list[str]) -> float:
    """Return the seconds that a command takes."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "genrelens", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment(checkout, data))
    return time.perf_counter() - start


def environment(checkout: Path, data: Path) -> dict[str, str]:
    homes = {f"XDG_{kind}_HOME": str(data) for kind in ("DATA", "CONFIG", "CACHE")}
    return {**os.environ, **homes, "PYTHONPATH": str(checkout / "src")}


def wheel_bytes(checkout: Path) -> int:
    """Return the size of an archive of the files that belong to the wheel."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in ("src/genrelens", "examples"):
            for path in sorted((checkout / folder).rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    archive.write(path, path.relative_to(checkout))
    return len(target.getvalue())


if __name__ == "__main__":
    main()
