"""Kill tagging runs and undo runs at random moments, and check the files.

A program of its own, because a process that forks must not have threads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from genrelens.library import Catalog, Plan, Policy, apply_changes, list_runs, plan_changes, undo
from support.shelf import contents, shelve, song

KINDS = ("mp3", "flac", "vorbis", "m4a", "wavpack")


def main(folder: Path, n_kills: int, phase: str = "both", seed: int = 0) -> None:
    """Kill a number of times in ``"apply"``, ``"undo"`` or ``"both"``; print counts as JSON."""
    print(json.dumps(kills(folder, n_kills, phase, seed)))


def kills(folder: Path, n_kills: int, phase: str, seed: int) -> dict[str, float]:
    """Return counts; raise an ``AssertionError`` if a file is neither old nor new."""
    os.environ["GENRELENS_JOURNAL"] = str(folder / "journal.sqlite")
    music, catalog, plan = prepare(folder)
    old = contents(music)
    seconds, new = rehearse(music, catalog, plan, phase)
    assert contents(music) == old != new
    counts: Counter[str] = Counter()
    rng = random.Random(seed)
    for _ in range(n_kills):
        if phase == "undo":
            write(catalog, plan)
        killed = kill_after(rng.uniform(0, 1.05 * seconds), catalog, plan, phase)
        seconds *= 1.03 if killed else 0.9  # adapts to the machine, so that most runs are killed
        left = contents(music)
        counts["temporary files"] += len(left) > len(old)
        counts["some new"] += 0 < sum(left[name] == new[name] for name in old) < len(old)
        broken = [name for name in old if left[name] not in (old[name], new[name])]
        assert not broken, broken
        clear_up(catalog, music, old)
    return {"kills": n_kills, "seconds": seconds, **counts}


def prepare(folder: Path) -> tuple[Path, Path, Plan]:
    music, path = folder / "music", folder / "catalog.sqlite"
    with Catalog.open(path) as catalog:
        for kind in KINDS:
            shelve(catalog, song(music, f"{kind}.mp3", kind, "Rock"))
        return music, path, plan_changes(catalog, [music], Policy(existing="replace"))


def write(path: Path, plan: Plan) -> None:
    with Catalog.open(path) as catalog:
        apply_changes(plan, catalog=catalog)


def undo_last(path: Path, plan: Plan) -> None:
    with Catalog.open(path) as catalog:
        undo(catalog=catalog)


def write_and_undo(path: Path, plan: Plan) -> None:
    write(path, plan)
    undo_last(path, plan)


PHASES = {"apply": write, "undo": undo_last, "both": write_and_undo}


def rehearse(music: Path, path: Path, plan: Plan, phase: str) -> tuple[float, dict[str, bytes]]:
    """Return the seconds that a phase takes, and the content of the new files."""
    write(path, plan)
    new = contents(music)
    undo_last(path, plan)
    if phase == "undo":
        write(path, plan)
    started = time.monotonic()
    PHASES[phase](path, plan)
    seconds = time.monotonic() - started
    if phase == "apply":
        undo_last(path, plan)
    return seconds, new


def kill_after(seconds: float, path: Path, plan: Plan, phase: str) -> bool:
    """Kill a process in a phase; return whether it was still running."""
    child = os.fork()
    if not child:
        PHASES[phase](path, plan)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def clear_up(path: Path, music: Path, old: dict[str, bytes]) -> None:
    """Open the journal, which cleans up, and undo all runs."""
    with Catalog.open(path) as catalog:
        runs = list_runs(catalog=catalog)
        assert set(contents(music)) == set(old)
        for run in runs:
            if run.written:
                assert not undo(run.id, catalog=catalog).failed
        assert contents(music) == old
        plan = plan_changes(catalog, [music], Policy(existing="replace"))
        assert len(plan.changes) == len(old)  # all are in the catalogue


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
