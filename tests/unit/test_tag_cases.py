"""Only the genre changes in files with odd tags, compared byte for byte.

What compares them is written for the tests and shares no code with the product.
"""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import pytest

from genrelens import TagError
from genrelens.library import Catalog, Policy, apply_changes, plan_changes, undo
from genrelens.tags import read_tags, write_genres
from support import asf_cases, mp4_cases, vorbis_cases
from support.shelf import shelve

CASES = [(vorbis_cases, 400), (mp4_cases, 400), (asf_cases, 400)]
NEW = [["Jazz"], ["Rock", "Jazz"], ["Größe ✓"], [], ["x" * 3000], [f"genre {n}" for n in range(30)]]


def compare(cases: ModuleType, rng: random.Random, path: Path) -> str:
    """Write a genre to the file of a case; return the reason if it was refused."""
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
        if before is not None:
            raise
        return error.reason
    after = path.read_bytes()
    assert cases.others(after, suffix) == before
    assert list(written) == cases.genres(after, suffix) == list(read_tags(path).genres)
    assert list(written) in (new, ["; ".join(new)])
    return ""


@pytest.mark.parametrize(
    ("cases", "seed"), [(cases, seed) for cases, n in CASES for seed in range(n // 20)]
)
def test_only_the_genre_changes(cases: ModuleType, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    reasons = [compare(cases, rng, tmp_path / "song") for _ in range(20)]
    assert reasons.count("") >= 10  # most of them can be written
    assert all(" " in reason for reason in reasons if reason)  # it is a sentence


@pytest.mark.parametrize("cases", [cases for cases, _ in CASES])
def test_undo_restores_every_byte(
    cases: ModuleType, in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the library, which also checks that the audio stays the same."""
    monkeypatch.setenv("GENRELENS_JOURNAL", str(in_memory / "journal.sqlite"))
    rng, music = random.Random(1), in_memory / "music"
    music.mkdir()
    before = {}
    with Catalog.open(in_memory / "catalog.sqlite") as catalog:
        for number in range(30):
            suffix, data = cases.cases(rng)
            path = music / f"{number}{suffix}"
            path.write_bytes(data)
            before[path] = data
            shelve(catalog, path)
        plan = plan_changes(catalog, [music], Policy(existing="replace"))
        result = apply_changes(plan, catalog=catalog)
        written = [outcome.path for outcome in result.outcomes if outcome.done]
        assert len(written) >= 20
        assert all(read_tags(path).genres == ("Jazz",) for path in written)
        assert all(path.read_bytes() != before[path] for path in written)
        undo(catalog=catalog)
    assert {path: path.read_bytes() for path in before} == before
