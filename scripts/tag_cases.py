"""Write genres to random files with odd tags, and compare byte for byte what is no genre.

    python scripts/tag_cases.py [--cases 50000] [--seed 0] [KIND ...]

A kind is a module ``tests/*_cases.py`` without its ending; all of them share the cases. Prints each
fault with its seed, and what was refused why. Exit code 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.tag_judge import judge, kinds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    asked = parser.parse_args()
    chosen = [module for name, module in kinds().items() if name in (asked.kinds or kinds())]
    refused: Counter[str] = Counter()
    n_faults = 0
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        for seed in range(asked.seed, asked.seed + asked.cases):
            kind = chosen[seed % len(chosen)]
            reason, faults = judge(kind, seed, Path(folder))
            refused[reason] += bool(reason)
            n_faults += bool(faults)
            for fault in faults:
                print(f"{kind.__name__}, seed {seed}: {fault}")
    names = ", ".join(kind.__name__ for kind in chosen)
    print(f"{asked.cases} cases of {names}: {n_faults} faults, {refused.total()} refused")
    for reason, n_cases in refused.most_common():
        if n_cases:
            print(f"{n_cases:7} {reason}")
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
