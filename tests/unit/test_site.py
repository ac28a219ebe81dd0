"""The static site: its files, what it refuses, and the runtime that it needs."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens import DataError, ModelError
from genrelens.web import runtime, site
from genrelens.web.runtime import PACKAGE, read_runtime
from genrelens.web.site import write_site

NAMES = ("ort.js", "ort-wasm.js", "ort-wasm.wasm")
Write = Callable[..., site.Site]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Write:
    """Write a site without onnxruntime-web."""
    monkeypatch.setattr(site, "read_runtime", lambda _: dict.fromkeys(NAMES, b"runtime"))
    return lambda folder=tmp_path / "site", **options: write_site(folder, Path("-"), **options)


def test_files(write: Write) -> None:
    written = write()
    files = {path for path in written.folder.rglob("*") if path.is_file()}
    assert written.n_files == len(files)
    assert written.n_bytes == sum(path.stat().st_size for path in files)
    names = {path.relative_to(written.folder).as_posix() for path in files}
    assert {"index.html", "sw.js", "model.onnx", "v1/models", "runtime/ort.js"} <= names
    assert "examples/trance.ogg" in names
    assert "docs.html" not in names


def test_addresses_are_relative(write: Write) -> None:
    """The site works below any prefix."""
    folder = write().folder
    page = (folder / "index.html").read_text()
    links = re.findall(r'(?:href|src|action)="([^"#]+)"', page)
    assert len(links) > 5
    assert [link for link in links if link.startswith("/") or ":" in link] == []
    missing = [link for link in links if "." in link and not (folder / link).exists()]
    assert missing == []
    examples = json.loads((folder / "v1" / "examples").read_text())
    assert all((folder / example["url"]).exists() for example in examples)


def test_the_page_is_that_of_the_server(write: Write) -> None:
    """It differs in where it classifies, in what a server states in headers, and in a hint."""
    served = (Path(site.__file__).parent / "static" / "index.html").read_text()
    local = (write().folder / "index.html").read_text()
    assert 'data-engine="local"' in local
    assert "'wasm-unsafe-eval'" in local
    privacy, link = r'<p id="privacy">[^<]*</p>', r'\s*<a class="server-only".*?</a>'
    body = re.compile(rf"<noscript>.*</noscript>|.*<body>|{privacy}|{link}", re.DOTALL)
    assert body.sub("", local) == body.sub("", served)


def test_nothing_on_the_page_is_about_a_server(write: Write) -> None:
    """Not even if no script runs."""
    local = (write().folder / "index.html").read_text()
    assert "Nothing leaves this computer: your browser classifies the clips itself." in local
    assert "server-only" not in local
    assert "This server" not in local


def test_the_service_worker_has_the_hash_of_each_file(write: Write) -> None:
    folder = write().folder
    text = (folder / "sw.js").read_text()
    files = json.loads(text.partition("FILES = ")[2].partition(";\n")[0])
    stored = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(files) == stored - {"sw.js", "genrelens-site.json"}
    digest = hashlib.sha256((folder / "index.html").read_bytes()).digest()
    assert files["index.html"] == "sha256-" + site.b64encode(digest).decode()


def test_an_older_site_is_replaced(write: Write) -> None:
    folder = write().folder
    mark = folder / "genrelens-site.json"
    document = json.loads(mark.read_text())
    (folder / "old.js").write_text("old")
    outside = folder.parent / "keep.txt"
    outside.write_text("keep")
    document["files"] += ["old.js", "../keep.txt", "gone.js"]
    mark.write_text(json.dumps(document))
    (folder / "CNAME").write_text("music.example")
    write()
    assert not (folder / "old.js").exists()
    assert outside.exists()
    assert (folder / "CNAME").exists()  # a file of the user


@pytest.mark.parametrize("mark", [None, "no JSON", "[]"])
def test_other_folders_are_not_written(write: Write, tmp_path: Path, mark: str | None) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    if mark is not None:
        (tmp_path / "genrelens-site.json").write_text(mark)
    with pytest.raises(DataError, match=r"choose a new folder|cannot be replaced"):
        write(tmp_path)
    assert not (tmp_path / "index.html").exists()


def test_a_file_in_place_of_the_folder(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="Not a directory"):
        write(tmp_path / "file")
    with pytest.raises(DataError, match="Not a directory"):
        write(tmp_path / "file" / "site")


def test_an_empty_folder_and_odd_names(write: Write, tmp_path: Path) -> None:
    for name in ("empty", "a\nb", "\u202eflow", "\udcff"):
        (tmp_path / name).mkdir()
        assert write(tmp_path / name).n_files > 50


@pytest.mark.parametrize("model", ["mel-cnn-lstm", "mfcc-lstm"])
def test_models_that_need_a_server(write: Write, model: str) -> None:
    with pytest.raises(ModelError, match="does not run in a browser"):
        write(model=model)


# ------------------------------------------------------------------------------- runtime


def packed(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = 3
            archive.addfile(entry, io.BytesIO(b"old"))
    return path


def test_the_runtime_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"get it with: npm pack onnxruntime-web@1\.30\.0"):
        read_runtime(tmp_path / PACKAGE)


def test_the_runtime_has_another_version(tmp_path: Path) -> None:
    names = list(runtime._FILES)
    with pytest.raises(DataError, match=r"another ort\.wasm\.min\.mjs than version 1\.30\.0"):
        read_runtime(packed(tmp_path / PACKAGE, names))
    (tmp_path / "dist").mkdir()
    for name in names:
        (tmp_path / "dist" / name).write_bytes(b"old")
    with pytest.raises(DataError, match="another"):
        read_runtime(tmp_path)


def test_the_runtime_is_something_else(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.tgz", tmp_path / "empty"
    text.write_bytes(b"no archive")
    empty.mkdir()
    for path in (text, packed(tmp_path / "other.tgz", ["ort.js"])):
        with pytest.raises(DataError, match="is not the package onnxruntime-web"):
            read_runtime(path)
    with pytest.raises(DataError, match="npm pack"):
        read_runtime(empty)
