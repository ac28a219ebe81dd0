"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a shared machine is slow now and then. The same examples in every run.
settings.register_profile("genrelens", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("genrelens")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that knows chords, clicks and noise."""
    from models import write_model

    return write_model(tmp_path_factory.mktemp("model"), label_map={"hiss": "noise"})


@pytest.fixture(scope="session")
def recurrent_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, but the order of the segments matters."""
    from models import write_model

    return write_model(tmp_path_factory.mktemp("model"), recurrent=True, name="recurrent")
