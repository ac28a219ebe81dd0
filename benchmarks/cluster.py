"""A scan on a Ray cluster beside the same scan without one.

Run with ``python benchmarks/cluster.py``; prints Markdown. The library is made of the bundled
clips, as 300 FLAC files of 210 s, which take 5 GB. The scans of a round follow each other, so that
a change of the machine's speed affects all of them; the table has medians of the rounds, and the
ratios are within a round. The start of a scan is shown by itself, since it does not grow with the
library.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from library import scan, write

from genrelens.library import Dataset

BRIEF = ("without a cluster, 2 jobs", "cluster, 2 workers")
OBJECTS = 200 * 2**20  # bytes of Ray's object store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=210, help="length of a file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--library", type=Path, help="make it here, and use what is here already")
    parser.add_argument("--brief", action="store_true", help="only two workers on a cluster")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        music = arguments.library or Path(folder, "music")
        for number in range(arguments.files):
            write(music / f"{number:04}.flac", number, arguments.seconds)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
            f"{arguments.files} files of {arguments.seconds} s, "
            f"medians of {arguments.rounds} rounds\n"
        )
        measure(music, Path(folder), arguments)


def measure(music: Path, folder: Path, arguments: argparse.Namespace) -> None:
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 2, "object_store_memory": OBJECTS, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    kinds = {
        "without a cluster, 1 job": ["--jobs", "1"],
        "without a cluster, 2 jobs": ["--jobs", "2"],
        "cluster, 1 worker": ["--jobs", "1", f"--ray={cluster.address}"],
        "cluster, 2 workers": ["--jobs", "2", f"--ray={cluster.address}"],
        "--ray local, 2 workers": ["--jobs", "2", "--ray=local"],
    }
    runs: dict[str, list[Figures]] = {kind: [] for kind in kinds}
    if arguments.brief:
        kinds = {kind: options for kind, options in kinds.items() if kind in BRIEF}
        runs = {kind: runs[kind] for kind in kinds}
    for _ in range(arguments.rounds):
        for kind, options in kinds.items():
            runs[kind].append(measure_one(music, folder / "out", arguments.files, options))
            print(f"{kind}: {runs[kind][-1]}", file=sys.stderr, flush=True)
    print("| scan | time | until the first result | then files/s | memory of the command |")
    print("|---|---|---|---|---|")
    for kind, figures in runs.items():
        seconds, start, rate, memory = map(statistics.median, zip(*figures, strict=True))
        row = f"{seconds:.1f} s | {start:.1f} s | {rate:.2f} | {memory / 2**20:.0f} MB"
        print(f"| {kind} | {row} |")
    print()
    for kind, other in (
        ("cluster, 1 worker", "without a cluster, 1 job"),
        ("cluster, 2 workers", "without a cluster, 2 jobs"),
        ("--ray local, 2 workers", "without a cluster, 2 jobs"),
        ("cluster, 2 workers", "cluster, 1 worker"),
        ("without a cluster, 2 jobs", "without a cluster, 1 job"),
    ):
        if not {kind, other} <= set(runs):
            continue
        pairs = list(zip(runs[kind], runs[other], strict=True))
        time = statistics.median(one.seconds / two.seconds for one, two in pairs)
        rate = statistics.median(one.rate / two.rate for one, two in pairs)
        print(f"- {kind} / {other}: time {time:.2f}, files/s after the start {rate:.2f}")
    cluster.shutdown()
    print_load()


class Figures(NamedTuple):
    """What a scan took.

    Attributes:
        seconds: the whole command.
        start: until the first file was classified.
        rate: files per second from then on.
        memory: of the command and its processes at most, in bytes.

    """

    seconds: float
    start: float
    rate: float
    memory: float


def measure_one(music: Path, target: Path, n_files: int, options: list[str]) -> Figures:
    shutil.rmtree(target, ignore_errors=True)
    began = datetime.now(UTC)
    run = scan(music, None, "--out", str(target), *options)
    assert run.summary["analysed"] == n_files, run.summary
    times = sorted(datetime.fromisoformat(each.scanned_at) for each in Dataset(target).entries())
    rate = (n_files - 1) / (times[-1] - times[0]).total_seconds()
    return Figures(run.seconds, (times[0] - began).total_seconds(), rate, max(run.memory))


def print_load() -> None:
    print(f"\nLoad of the machine at the end: {os.getloadavg()[1]:.1f} (5 minutes)")


if __name__ == "__main__":
    main()
