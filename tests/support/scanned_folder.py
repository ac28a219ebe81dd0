"""Fixtures of the tests of ``scan``, ``list`` and data sets on the command line.

A test module imports all of them, and lists them in its ``__all__``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrelens.library import scan as scanning
from support import tiny
from support.commands import Result, run
from support.library_folder import HerePool, wav, write_files

__all__ = ["Command", "list_files", "music", "scan", "summary", "workdir"]

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory with the catalogue; scans start no processes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRELENS_DB", "catalog.sqlite")
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    return tmp_path


@pytest.fixture
def music(workdir: Path) -> Path:
    return write_files(workdir / "music", {f"{genre}.wav": wav(genre) for genre in tiny.GENRES})


@pytest.fixture
def scan(capsys: pytest.CaptureFixture[str], music: Path, model: Path) -> Command:
    """Run ``genrelens scan music --model MODEL ...``."""
    return lambda *args: run(capsys, "scan", "music", "--model", model, "-j", "1", *args)


@pytest.fixture
def list_files(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *args: run(capsys, "list", *args)


def summary(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.out)
    return document
