"""Damage catalogues and journals, call every public function and command on them, count outcomes.

    python scripts/damaged_stores.py [N] [FIRST]

N cases (2 000 if left out), from the number FIRST on (0); a number is always the same case. Prints
a table, and each fault with its number. Exit code 1 if there was one.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.damaged_stores import make_shelf, run_case, surroundings, variants
from support.small_models import write_model


def main(n_cases: int = 2000, first: int = 0) -> int:
    counts: Counter[tuple[str, str]] = Counter()
    n_calls: Counter[str] = Counter()
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        with surroundings(folder):
            (folder / "model").mkdir()
            shelf = make_shelf(folder, write_model(folder / "model"))
            allowed = variants(shelf)
            for number in range(first, first + n_cases):
                case = run_case(shelf, allowed, number)
                counts[case.which, "fault" if case.is_fault else case.outcome] += 1
                n_calls[f"{case.which}: {case.call}"] += 1
                if case.is_fault:
                    print(f"{number}: {case}", flush=True)
    for which in ("catalog", "journal"):
        cells = [f"{counts[which, outcome]:>6} {outcome}" for outcome in OUTCOMES]
        print(f"{which:<10}{''.join(cells)}")
    print(f"{n_cases} cases, {len(n_calls)} functions and commands")
    return int(any(outcome == "fault" and n for (_, outcome), n in counts.items()))


OUTCOMES = ("fine", "LibraryError", "fault")

if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
