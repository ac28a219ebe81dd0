"""Read many damaged files, as ``tests/test_mutants.py`` does with a few, and print what came of it.

    python scripts/mutants.py 5000 --seed 1

Exit code 1: a mutant ended the process, hung, or raised an error of another kind.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import mutants


def table(title: str, rows: dict[str, Counter[str]]) -> str:
    lines = [f"{title:20} {'read':>7} {'refused':>8} {'fault':>6}"]
    for name, counts in rows.items():
        lines.append(f"{name:20} {counts['read']:7} {counts['refused']:8} {counts['fault']:6}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("n", type=int, help="number of mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    arguments = parser.parse_args()
    report = mutants.run(arguments.first, arguments.first + arguments.n, arguments.seed)
    print(f"{report.n} mutants, {len(report.faults)} faults\n")
    print(table("function", report.outcomes) + "\n")
    print(table("format (load_audio)", dict(sorted(report.formats.items()))))
    print("\n".join(report.faults))
    return bool(report.faults)


if __name__ == "__main__":
    sys.exit(main())
