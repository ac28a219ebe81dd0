"""Kill the writing of tags and the taking back at random moments; every file must be old or new.

    python scripts/kills.py [--apply 150] [--undo 100] [--seed 0]

After each kill every recording must be the old one or the new one to the last byte, and opening
the journal must clear up, so that undo brings back the old ones. Prints a table; exit code 1 if a
file was lost or torn. Not for Windows.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"  # a process that has threads must not be forked
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.killed_writes import KINDS, kills


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apply", type=int, default=150)
    parser.add_argument("--undo", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    memory = Path("/dev/shm")
    print(f"{len(KINDS)} recordings: {', '.join(KINDS)}")
    print(f"{'':<8}{'kills':>7}{'in the middle':>16}{'temporary left':>17}{'lost or torn':>15}")
    n_faults = 0
    for phase, n_kills in (("apply", asked.apply), ("undo", asked.undo)):
        with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            try:
                seen = kills(Path(folder), n_kills, phase, asked.seed)
            except AssertionError as error:
                n_faults += 1
                print(f"{phase:<8}{str(error)[:200]}")
                continue
        middle, left = seen.get("some new", 0), seen.get("temporary files", 0)
        print(f"{phase:<8}{n_kills:>7}{middle:>16}{left:>17}{0:>15}", flush=True)
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
