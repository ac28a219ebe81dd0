"""``genrelens site`` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrelens.web import site
from support.commands import run


def test_a_site_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "read_runtime", lambda _: {"ort.js": b""})
    done = run(capsys, "site", tmp_path / "my site")
    assert done.code == 0
    assert "python -m http.server --directory" in done.err
    assert (tmp_path / "my site" / "index.html").exists()


def test_the_runtime_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "site", tmp_path / "site", "--runtime", tmp_path / "missing.tgz")
    assert done.code == 2
    assert "npm pack onnxruntime-web@1.30.0" in done.err
    assert not (tmp_path / "site").exists()


def test_a_folder_with_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = run(capsys, "site", tmp_path)
    assert done.code == 2
    assert "choose a new folder" in done.err


def test_a_model_that_needs_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "site", tmp_path / "site", "--model", "mfcc-lstm")
    assert done.code == 3
    assert "does not run in a browser" in done.err
