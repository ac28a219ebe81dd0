"""Nothing but the genre changes: files with odd tags, compared byte for byte.

What compares them is written for the tests and shares no code with the product.
"""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import pytest

import mp4_cases
import vorbis_cases
from genrelens import TagError
from genrelens.tags import read_tags, write_genres

CASES = [(vorbis_cases, 400), (mp4_cases, 400)]
NEW = [["Jazz"], ["Rock", "Jazz"], ["Größe ✓"], [], ["x" * 3000], [f"genre {n}" for n in range(30)]]


def compare(cases: ModuleType, rng: random.Random, path: Path) -> str:
    """Write a genre to a file of a case; return why it was refused, if it was."""
    suffix, data = cases.cases(rng)
    path = path.with_suffix(suffix)
    path.write_bytes(data)
    new = rng.choice(NEW)
    try:
        before = cases.others(data, suffix)
    except ValueError:  # it is malformed
        before = None
    try:
        written = write_genres(path, new)
    except TagError as error:
        assert before is None, error
        return error.reason
    after = path.read_bytes()
    assert cases.others(after, suffix) == before
    assert list(written) == cases.genres(after, suffix) == list(read_tags(path).genres)
    assert list(written) in (new, ["; ".join(new)])
    return ""


@pytest.mark.parametrize(("cases", "seed"), [
    (cases, seed) for cases, n in CASES for seed in range(n // 20)
])  # fmt: skip
def test_all_but_the_genre_stays(cases: ModuleType, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    reasons = [compare(cases, rng, tmp_path / "song") for _ in range(20)]
    assert reasons.count("") >= 10  # most of them can be written
    assert all(" " in reason for reason in reasons if reason)  # it is a sentence
