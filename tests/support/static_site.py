"""The static site for tests: onnxruntime-web, a server for files, and the engine in a page."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from genrelens.web.runtime import PACKAGE
from support.browser import Visit

ROOT = Path(__file__).resolve().parents[2]
_NPM_NAME = PACKAGE.removesuffix(".tgz").replace("web-", "web@")
_CLASSIFY = """async ({ name, content, genres }) => {
  const { LocalEngine } = await import(new URL("static/engine/client.js", document.baseURI));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  window.engine ??= new LocalEngine();
  const partial = [];
  const onPartial = (document) => partial.push(document);
  try {
    const file = new File([bytes], name);
    return { document: await window.engine.classify(file, { genres, onPartial }), partial };
  } catch (error) {
    return { error: error.message };
  }
}"""


def runtime() -> Path:
    """Return the npm package onnxruntime-web; skip the test if it cannot be had.

    ``GENRELENS_ORT_WEB`` names the file. Else it is ``build/`` in the checkout, where ``make site``
    puts it, and npm loads it if it is missing.
    """
    path = Path(os.environ.get("GENRELENS_ORT_WEB", ROOT / "build" / PACKAGE))
    if path.exists():
        return path
    if shutil.which("npm") is None:
        pytest.skip(f"needs npm, or {path}")
    path.parent.mkdir(exist_ok=True)
    command = ["npm", "pack", "--silent", _NPM_NAME, "--pack-destination", str(path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=path.parent)
    if done.returncode != 0:
        pytest.skip(f"npm cannot load {_NPM_NAME}: {done.stderr.strip()}")
    return path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """Serve a folder as ``python -m http.server`` does; yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def address_of(server: str, *folders: str) -> str:
    """Return the address of a folder of a server."""
    return server + "".join(f"{quote(folder)}/" for folder in folders)


def classify(
    visit: Visit, content: bytes, name: str = "clip", genres: Sequence[str] = ()
) -> dict[str, Any]:
    """Classify a file with the engine of a page of the site.

    Returns:
        ``document`` and ``partial``, the documents before it; or ``error``.

    """
    call = {"name": name, "content": b64encode(content).decode(), "genres": list(genres)}
    result: dict[str, Any] = visit.page.evaluate(_CLASSIFY, call)
    return result


def evaluate_after_reloads(page: Any, script: str) -> Any:
    """Evaluate a script; again if the page reloads itself meanwhile, as it does for an update."""
    from playwright.sync_api import Error

    for _ in range(20):
        try:
            return page.evaluate(script)
        except Error as error:
            if "navigation" not in str(error):
                raise
            page.wait_for_load_state()
    raise AssertionError("the page does not stop reloading")


def offline_ready(visit: Visit) -> None:
    """Wait until the service worker of a page has stored the site."""
    visit.page.evaluate(
        """navigator.serviceWorker.controller ?? new Promise((resolve) =>
          navigator.serviceWorker.addEventListener("controllerchange", () => resolve()))"""
    )
