"""A scan on a Ray cluster beside the same scan without one.

Run with ``python benchmarks/cluster.py``; prints Markdown. The library is made of the bundled
clips, as 300 FLAC files of 30 s. The scans of a round follow each other, so that a change of the
machine's speed affects all of them; the table has medians of the rounds, and ratios within a round.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
from pathlib import Path

from library import scan, write

SECONDS = 30
OBJECTS = 200 * 2**20  # bytes of Ray's object store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder, "music")
        for number in range(arguments.files):
            write(music / f"{number:04}.flac", number, SECONDS)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
            f"{arguments.files} files of {SECONDS} s, medians of {arguments.rounds} rounds\n"
        )
        measure(music, Path(folder), arguments.files, arguments.rounds)


def measure(music: Path, folder: Path, n_files: int, n_rounds: int) -> None:
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
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    inner: dict[str, list[float]] = {kind: [] for kind in kinds}
    memory: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(n_rounds):
        for kind, options in kinds.items():
            shutil.rmtree(folder / "out", ignore_errors=True)
            run = scan(music, None, "--out", str(folder / "out"), *options)
            assert run.summary["analysed"] == n_files, run.summary
            times[kind].append(run.seconds)
            inner[kind].append(run.summary["seconds"])
            memory[kind].append(max(run.memory))
    print("| scan | time | files/s | ratio to the scan without a cluster | memory of the command |")
    print("|---|---|---|---|---|")
    for kind, seconds in times.items():
        base = times[f"without a cluster, {1 if ' 1 ' in kind else 2} job" + "s" * (" 2 " in kind)]
        ratio = statistics.median(a / b for a, b in zip(seconds, base, strict=True))
        time = statistics.median(seconds)
        print(
            f"| {kind} | {time:.1f} s | {n_files / time:.1f} | {ratio:.2f} | "
            f"{statistics.median(memory[kind]) / 2**20:.0f} MB |"
        )
    for cluster_kind in ("without a cluster", "cluster"):
        names = ("1 job", "2 jobs") if cluster_kind.startswith("w") else ("1 worker", "2 workers")
        one, two = (times[f"{cluster_kind}, {name}"] for name in names)
        gain = statistics.median(a / b for a, b in zip(one, two, strict=True))
        print(f"\n{cluster_kind}: two are {gain:.2f} times as fast as one")
    cluster.shutdown()
    print_load()


def print_load() -> None:
    print(f"\nLoad of the machine at the end: {os.getloadavg()[1]:.1f} (5 minutes)")


if __name__ == "__main__":
    main()
