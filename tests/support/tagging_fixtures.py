"""Fixtures of the tests that write plans and undo them: a catalogue, music and a journal.

A test module imports all of them, and lists them in its ``__all__``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from genrelens.library import Catalog, Plan
from support.shelf import plan_jazz


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory if possible, because every step waits for the disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "data" / "journal.sqlite"
    path.parent.mkdir()
    monkeypatch.setenv("GENRELENS_JOURNAL", str(path))
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "data" / "catalog.sqlite") as catalog:
        yield catalog


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return tmp_path / "music"


Planned = Callable[..., Plan]


@pytest.fixture
def planned(catalog: Catalog, music: Path) -> Planned:
    """Return a function that plans the genres of all files in the folder: jazz."""

    return partial(plan_jazz, catalog, music)
