"""A real Ray cluster of several nodes on this machine, in a process of its own.

The process prints the address of the head. Each line that it reads is a command, which it answers
with a line: ``kill`` ends a node at once, as a power failure would; ``add`` starts one. It ends the
cluster when its input is closed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

from support import processes

_CORES = 1  # of each node
_MEMORY = 80 * 2**20  # bytes for objects of each node


class Nodes:
    """A cluster with two nodes that work; the head only coordinates them.

    Attributes:
        address: the address of the head.
        environment: the environment of its nodes, for drivers.

    """

    def __init__(self, folder: Path) -> None:
        (folder / "token").write_text(secrets.token_hex(32))  # else Ray puts one into the home
        self.environment = {
            **os.environ,
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2] / "src"), *sys.path]),
            "RAY_USAGE_STATS_ENABLED": "0",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_EC2_METADATA_DISABLED": "true",
            "OMP_NUM_THREADS": "1",
        }
        # Not processes.start, because several tests use the cluster.
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            text=True,
        )
        self.address = self._answer()

    def kill(self) -> None:
        """End a node and all its processes with SIGKILL."""
        self._command("kill")

    def add(self) -> None:
        """Start a node."""
        self._command("add")

    def close(self) -> None:
        """End the cluster."""
        with self._process:
            self._process.stdin.close()
            self._process.wait(processes.PATIENCE)

    def _command(self, text: str) -> None:
        print(text, file=self._process.stdin, flush=True)
        assert self._answer() == "done"

    def _answer(self) -> str:
        line = self._process.stdout.readline().strip()
        assert line, "the cluster has ended"
        return str(line)


def workers() -> list[int]:
    """Return the processes of the actors that classify, of all clusters of this user."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if name.startswith(b"ray::MapWorker"):
            found.append(int(folder.name))
    return found


def main(folder: str) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    options = {"object_store_memory": _MEMORY, "include_dashboard": False}
    cluster.add_node(num_cpus=0, **options)
    nodes = [cluster.add_node(num_cpus=_CORES, **options) for _ in range(2)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            nodes.append(cluster.add_node(num_cpus=_CORES, **options))
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
