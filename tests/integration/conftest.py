"""Fixtures of the tests of several modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.commands import Result, run

if TYPE_CHECKING:
    from genrelens.web import Settings


@pytest.fixture
def held_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replace the worker processes by jobs that the test ends; uploads are stored in tmp_path."""
    from genrelens.web import app
    from support.asgi import HeldPool

    monkeypatch.setattr(app, "ClassifierPool", HeldPool)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def settings(model: Path) -> Settings:
    """Settings of a server with one worker and a short queue."""
    from genrelens.web import Settings

    return Settings(model=str(model), workers=1, queue=2, max_upload=1000, timeout=60)


@pytest.fixture
def genrelens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run a command as at a terminal of 200 columns, so that Typer folds no message."""
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *args: run(capsys, *args)
