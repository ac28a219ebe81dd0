"""A static site: the page, the model and all that it needs, without a server.

The site has the files of the served page. Four things differ: ``<html>`` has
``data-engine="local"``, so that the page classifies in the browser; the page has nothing about a
server; the documents of the API are files; and a service worker keeps everything for visits without
a network.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from genrelens import __version__
from genrelens.counts import count_of
from genrelens.errors import DataError, ModelError
from genrelens.files import reason, replaced
from genrelens.metadata import ModelMetadata
from genrelens.model_file import DEFAULT_MODEL, ModelFile, read_model
from genrelens.web.information import (
    describe_model,
    examples_folder,
    licence_notice,
    list_examples,
)
from genrelens.web.runtime import read_runtime

__all__ = ["Site", "write_site"]

_STATIC = Path(__file__).parent / "static"
_MARK = "genrelens-site.json"  # its presence allows the folder to be written again
_NOT_COPIED = ("index.html", "docs.html", "docs.js", "docs.css", "engine/service-worker.js")
_LAST = ("index.html", "sw.js", _MARK)  # written when all files that they name are there
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'"
)
_HEAD = f"""<meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="{_POLICY}">
  <link rel="manifest" href="manifest.webmanifest">
  <link rel="apple-touch-icon" href="static/icon-192.png">
  <script type="module" src="static/engine/offline.js"></script>"""
_PRIVACY = "Nothing leaves this computer: your browser classifies the clips itself."
_CHANGES = {
    r'data-engine="server"': 'data-engine="local"',
    r'<meta charset="utf-8">': _HEAD,
    r"<noscript>.*?</noscript>": "<noscript><p>This page needs JavaScript.</p></noscript>",
    r"This server classifies clips and does not keep them\.": _PRIVACY,
    r'\s*<a class="server-only" [^>]*>[^<]*</a>': "",
}


class Site(NamedTuple):
    """What :func:`write_site` has written.

    Attributes:
        folder: the folder.
        n_files: number of files.
        n_bytes: their size in bytes, not compressed.

    Example::

        site.folder, site.n_files, site.n_bytes

    """

    folder: Path
    n_files: int
    n_bytes: int


def write_site(folder: Path, runtime: Path, *, model: str | None = None) -> Site:
    """Write a static site that classifies recordings in the browser.

    Any server for files can serve it, at any address. Links in it are relative.

    Args:
        folder: a new or empty folder, or that of an older site, which is replaced.
        runtime: the npm package onnxruntime-web 1.30.0, as a ``.tgz`` file or unpacked.
        model: name of a packaged model or path of an ``.onnx`` file with a set head, such as
            ``lens``; None selects the default.

    Raises:
        DataError: the folder has other files or cannot be written, or ``runtime`` is missing or of
            another version.
        ModelError: the model cannot be read, or does not run in a browser.

    Example::

        write_site(Path("site-static"), Path("onnxruntime-web-1.30.0.tgz"))

    """
    former = _former_files(folder)
    files = _contents(model or DEFAULT_MODEL, runtime)
    try:
        for name, content in sorted(files.items(), key=lambda each: each[0] in _LAST):
            _write(folder / name, content)
        for name in former - set(files):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot be written ({reason(error)})", path=folder) from error
    return Site(folder, len(files), sum(map(len, files.values())))


def _former_files(folder: Path) -> set[str]:
    """Return the names of the files of an older site in the folder.

    Raises:
        DataError: the folder has files of something else.

    """
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return set()
        document = json.loads((folder / _MARK).read_text())
        names = {name for name in document["files"] if _is_inside(folder, name)}
    except FileNotFoundError as error:
        text = "is not empty and not a site of genrelens; choose a new folder"
        raise DataError(text, path=folder) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"cannot be replaced ({reason(error)})", path=folder) from error
    return names


def _is_inside(folder: Path, name: str) -> bool:
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write(content)


def _contents(model: str, runtime: Path) -> dict[str, bytes]:
    """Return the content of each file of the site."""
    metadata = _checked_metadata(model)
    files = {f"runtime/{name}": content for name, content in read_runtime(runtime).items()}
    files["model.onnx"] = read_model(model)
    files["NOTICE.txt"] = licence_notice().encode()
    files |= _static_files()
    files |= {f"examples/{path.name}": path.read_bytes() for path in _examples()}
    files["v1/models"] = _as_json([describe_model(metadata)])
    files["v1/examples"] = _as_json(list_examples(".")).replace(b'"./', b'"')
    files["v1/limits"] = _as_json({})
    files["manifest.webmanifest"] = _as_json(_manifest())
    files["index.html"] = _local_page((_STATIC / "index.html").read_text("utf-8")).encode()
    files["sw.js"] = _service_worker(files)
    files[_MARK] = _as_json({"genrelens": __version__, "files": sorted(files)})
    return files


def _checked_metadata(model: str) -> ModelMetadata:
    """Return the metadata of a model; check that the page can run it."""
    file = ModelFile.load(model)
    features = file.metadata.features
    is_power = features.n_fft & (features.n_fft - 1) == 0
    if file.set_head is None or features.kind != "mel" or not is_power:
        text = "does not run in a browser: only models like lens do (mel spectrogram, set head)"
        raise ModelError(text, path=model)
    return file.metadata


def _static_files() -> dict[str, bytes]:
    paths = [path for path in sorted(_STATIC.rglob("*")) if path.is_file()]
    names = {path.relative_to(_STATIC).as_posix(): path for path in paths}
    return {
        f"static/{name}": path.read_bytes()
        for name, path in names.items()
        if name not in _NOT_COPIED
    }


def _examples() -> list[Path]:
    return sorted(examples_folder().glob("*.ogg"))


def _as_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _manifest() -> dict[str, Any]:
    sizes = (192, 512)
    icons = [
        {"src": f"static/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png"}
        for size in sizes
    ]
    return {
        "name": "genrelens",
        "short_name": "genrelens",
        "description": "Predicts the genre of a recording, on this computer alone.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#000000",
        "theme_color": "#000000",
        "icons": [
            {"src": "static/favicon.svg", "sizes": "any", "type": "image/svg+xml"},
            *icons,
        ],
    }


def _local_page(html: str) -> str:
    """Return the page for the static site: it classifies in the browser."""
    for pattern, new in _CHANGES.items():
        parts = re.split(pattern, html, flags=re.DOTALL)
        if len(parts) != 2:
            raise RuntimeError(f"index.html has {count_of(len(parts) - 1, 'time')} {pattern}")
        html = new.join(parts)
    return html


def _service_worker(files: Mapping[str, bytes]) -> bytes:
    """Return the service worker with the list of all files and their hashes."""
    hashes = {name: _integrity(content) for name, content in sorted(files.items())}
    version = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]
    head = f'const VERSION = "{version}";\nconst FILES = {json.dumps(hashes, indent=1)};\n\n'
    return head.encode() + (_STATIC / "engine" / "service-worker.js").read_bytes()


def _integrity(content: bytes) -> str:
    return "sha256-" + b64encode(hashlib.sha256(content).digest()).decode("ascii")
