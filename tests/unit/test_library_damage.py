"""A damaged catalogue or journal causes a ``LibraryError`` with a remedy, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support import damaged_stores, store_damage
from support.damaged_stores import Shelf, make_shelf, run_case, surroundings, variants

N_CASES, N_PARTS = 320, 8

REMEDIES = "delete it|can be deleted|restore (it|the journal) from a backup|update genrelens"


@pytest.fixture(scope="module")
def shelf(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A library in memory if possible, because every case waits for the disk."""
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() else tmp_path_factory.mktemp("shelf")
    with TemporaryDirectory(dir=parent) as folder, surroundings(Path(folder)):
        yield make_shelf(Path(folder), model)


@pytest.fixture(scope="module")
def allowed(shelf: Shelf) -> dict[str, set[bytes]]:
    found = variants(shelf)
    assert {len(each) for each in found.values()} == {2}  # so a change can be detected
    return found


@pytest.mark.parametrize("part", range(N_PARTS))
def test_damage_causes_only_errors_with_a_remedy(
    part: int, shelf: Shelf, allowed: dict[str, set[bytes]]
) -> None:
    cases = [run_case(shelf, allowed, number) for number in range(part, N_CASES, N_PARTS)]
    assert not [case for case in cases if case.is_fault]
    for case in cases:
        if case.message:
            path = re.escape(str(shelf.store(case.which)))
            assert re.match(rf"{path}: .*({REMEDIES})", case.message), case


def test_every_call_works_without_damage(shelf: Shelf) -> None:
    for which in ("catalog", "journal"):
        for name, call in damaged_stores.calls(shelf, which).items():
            shelf.restore()
            assert damaged_stores.outcome_of(call) == ("fine", ""), name


def test_all_columns_are_damaged(shelf: Shelf) -> None:
    """The list of columns to damage is complete."""
    shelf.restore()
    for which, tables in store_damage.TABLES.items():
        for table, columns in tables.items():
            assert set(store_damage.columns_in(shelf.store(which), table)) == set(columns)
