"""Fixtures of the unit tests of several modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from genrelens import Classifier
    from genrelens.library import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalogue, open for writing."""
    from genrelens.library import Catalog

    with Catalog.open(tmp_path / "catalog.sqlite") as catalog:
        yield catalog


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory if possible, because each step of the library waits for the disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    """An MP3 file without tags."""
    from support import tagged

    return tagged.make(tmp_path, "mp3-bare")


@pytest.fixture(scope="module")
def classifier(model: Path) -> Classifier:
    """A classifier with the genres chords, clicks and noise, in one thread."""
    from genrelens import Classifier

    return Classifier.load(model, threads=1)


@pytest.fixture(scope="module")
def recurrent(recurrent_model: Path) -> Classifier:
    """The same with a network for which the order of segments matters."""
    from genrelens import Classifier

    return Classifier.load(recurrent_model, threads=1)


@pytest.fixture(scope="module")
def full(listener_model: Path) -> Classifier:
    """A classifier with styles, embeddings, a music output and a threshold for "not sure"."""
    from genrelens import Classifier

    return Classifier.load(listener_model, threads=1)
