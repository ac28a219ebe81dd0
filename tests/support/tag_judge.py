"""Write genres to a random file, and compare the file before and after."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path
from types import ModuleType

from genrelens import TagError
from genrelens.tags import read_tags, write_genres

NEW = [["Jazz"], ["Jazz", "Boom bap"], ["Größe ✓"], [], ["x" * 300]]


def kinds() -> dict[str, ModuleType]:
    """Return the modules of cases in this folder by name; each has a function ``cases``."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*_cases.py"))
    modules = [import_module(f"support.{name}") for name in names]
    return {
        module.__name__.removeprefix("support."): module
        for module in modules
        if hasattr(module, "cases")
    }


def judge(kind: ModuleType, seed: int, folder: Path) -> tuple[str, list[str]]:
    """Write genres to the random file of a seed.

    Returns:
        The reason for which the write was refused, or an empty text; and the faults of the file.

    """
    rng = random.Random(seed)
    suffix, before = kind.cases(rng)
    genres = rng.choice(NEW)
    path = folder / f"case{suffix}"
    path.write_bytes(before)
    try:
        written = write_genres(path, genres)
    except TagError as error:
        return error.reason, []
    after = path.read_bytes()
    found = _problems(kind, before, after, suffix, genres)
    if read_tags(path).genres != written:
        found.append(f"{read_tags(path).genres} is read, {written} was promised")
    return "", found


def _problems(
    kind: ModuleType, before: bytes, after: bytes, suffix: str, genres: list[str]
) -> list[str]:
    if hasattr(kind, "problems"):
        return list(kind.problems(before, after, suffix, genres))
    found = []
    if kind.others(before, suffix) != kind.others(after, suffix):
        found.append("something else is changed")
    if kind.genres(after, suffix) not in (genres, ["; ".join(genres)]):
        found.append(f"holds the genres {kind.genres(after, suffix)}")
    return found
