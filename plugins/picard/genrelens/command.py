"""Run the command ``genrelens`` on files."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["predicted_genres"]

_AT_ONCE = 100  # files: the length of a command line is limited
_WITHOUT_WINDOW = {"creationflags": 0x08000000} if sys.platform == "win32" else {}


def predicted_genres(
    paths: Sequence[str], *, command: str = "genrelens", max_genres: int = 1, fast: bool = False
) -> dict[str, list[str]]:
    """Return the genres to write to each file for which a genre is sure.

    The predictions are stored in the catalogue of genrelens, which classifies a file once.

    Args:
        paths: absolute paths of the files.
        command: the command, with arguments if necessary.
        max_genres: highest number of genres for each file.
        fast: classify three short excerpts of each file.

    Raises:
        RuntimeError: the command cannot be run or fails.

    """
    found: dict[str, list[str]] = {}
    for start in range(0, len(paths), _AT_ONCE):
        found |= _predicted(paths[start : start + _AT_ONCE], shlex.split(command), max_genres, fast)
    return found


def _predicted(
    paths: Sequence[str], command: list[str], max_genres: int, fast: bool
) -> dict[str, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.jsonl"
        _run([*command, "scan", *(["--fast"] if fast else []), "--", *paths])
        rules = ["--existing", "replace", "--max-genres", str(max_genres)]
        _run([*command, "tag", *rules, "--plan", str(plan), "--", *paths])
        return dict(_changes(plan)) if plan.exists() else {}


def _run(arguments: list[str]) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, check=False, **_WITHOUT_WINDOW)
    except OSError as error:
        raise RuntimeError(f"{arguments[0]} cannot be run: {error.strerror}") from error
    if done.returncode > 1:  # 1: some files failed
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise RuntimeError(f"{arguments[0]} failed: {lines[-1]}")


def _changes(plan: Path) -> Iterator[tuple[str, list[str]]]:
    for line in plan.read_text(encoding="utf-8").splitlines():
        change = json.loads(line)
        if "after" in change:
            yield change["path"], change["after"]
