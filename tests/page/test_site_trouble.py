"""Parts of the static site that cannot be loaded: a sentence says so, and another try works."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.browser import Visit
from support.site_clips import WAVS
from support.static_site import classify, file_server

NOT_LOADED = "The part of this page that classifies could not be loaded."
NOT_STARTED = "The network could not be started: "
NO_WEBASSEMBLY = "This browser did not run the network (WebAssembly)."


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("static/engine/worker.js", NOT_LOADED),
        ("static/engine/network-worker.js", NOT_LOADED),
        ("model.onnx", NOT_STARTED),
        ("runtime/ort.js", NOT_STARTED),
        ("runtime/ort-wasm.wasm", NO_WEBASSEMBLY),
    ],
)
def test_a_part_that_cannot_be_loaded(
    browser: Any, static_site: Path, tmp_path: Path, missing: str, sentence: str
) -> None:
    folder = tmp_path / "site"
    shutil.copytree(next(static_site.iterdir()), folder)
    kept = (folder / missing).rename(tmp_path / "kept")
    with file_server(folder) as server:
        visit = Visit(browser, server, service_workers="block")
        error = classify(visit, WAVS["two seconds"]())["error"]
        assert error.startswith(sentence)
        kept.rename(folder / missing)
        found = classify(visit, WAVS["two seconds"]())
        assert "document" in found, found
        visit.close()
