"""The HTTP API and the web page; the server needs the extra ``web``.

``genrelens serve`` runs this server from the command line, :func:`serve` from Python.

Example::

    from genrelens.web import Settings, listen, serve

    with listen("127.0.0.1", 8000) as sock:
        serve(Settings(workers=2), sock)  # returns when the process gets SIGTERM or Ctrl-C

:func:`create_app` returns the same application for another ASGI server::

    from genrelens.web import Settings, create_app

    app = create_app(Settings(root_path="/genre"))

:func:`write_site` writes the page as a static site, which classifies in the browser. It does not
need the extra::

    from genrelens.web import write_site

    write_site(Path("site-static"), Path("onnxruntime-web-1.30.0.tgz"))

The names are imported on first use, so that ``import genrelens.web`` loads no web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrelens.web.app import create_app
    from genrelens.web.server import listen, serve
    from genrelens.web.settings import Settings
    from genrelens.web.site import Site, write_site

__all__ = ["Settings", "Site", "create_app", "listen", "serve", "write_site"]

_MODULES = {
    "Settings": "settings",
    "Site": "site",
    "create_app": "app",
    "listen": "server",
    "serve": "server",
    "write_site": "site",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
