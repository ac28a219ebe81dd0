"""Fixtures of the tests of several modules."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def held_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replace the worker processes by jobs that the test ends; uploads are stored in tmp_path."""
    from genrelens.web import app
    from support.asgi import HeldPool

    monkeypatch.setattr(app, "ClassifierPool", HeldPool)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
