"""The server that runs the application: uvicorn, on a socket that is opened here."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from genrelens.web.app import create_app
from genrelens.web.origin import is_loopback
from genrelens.web.protocol import Protocol
from genrelens.web.settings import Settings

__all__ = ["listen", "serve"]

_MARGIN = 5.0  # seconds
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_MOST_CONNECTIONS = 2000
_FILES_PER_UPLOAD = 2  # besides the connection: the recording, and the form that it came in
_OTHER_FILES = 100


def listen(host: str, port: int) -> socket.socket:
    """Open a socket; port 0 takes a free one.

    Raises:
        OSError: the address is in use, not one of this machine, or not allowed.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def serve(settings: Settings, sock: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; running requests are finished first, new ones refused.

    Args:
        settings: of the application.
        sock: where to listen; closed in the end. If its address is a loopback address, requests
            for other host names are refused.
        on_ready: called once requests are accepted.

    Raises:
        ModelError: the model is missing, foreign, damaged or of another version.
        KeyboardInterrupt: it was stopped by Ctrl-C.
        SystemExit: with code 0, it was stopped by SIGTERM.

    """
    for name in _THREADS:  # of numpy in each worker: the workers together use all cores
        os.environ.setdefault(name, "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it anew in the end
    _log(settings.log_level)
    config = uvicorn.Config(
        create_app(settings, loopback=is_loopback(sock.getsockname()[0])),
        http=Protocol,
        limit_concurrency=_connections(settings.uploads),
        log_level=logging.getLevelName(max(logging.WARNING, _level(settings.log_level))).lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.timeout + _MARGIN),
    )
    _Server(config, on_ready).run(sockets=[sock])


def _level(name: str) -> int:
    return logging.getLevelNamesMapping()[name.upper()]


def _log(level: str) -> None:
    """Write the messages of genrelens to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("genrelens.web")
    logger.setLevel(_level(level))
    logger.addHandler(handler)


def _connections(uploads: int) -> int:
    """Return how many connections the limit of open files allows, after raising it if possible."""
    wanted = _MOST_CONNECTIONS + uploads * _FILES_PER_UPLOAD + _OTHER_FILES
    try:
        import resource
    except ImportError:  # Windows
        return _MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = (wanted if soft < 0 else min(soft, wanted)) - _OTHER_FILES
    # With few files, every connection may be an upload.
    return max(1, files // (1 + _FILES_PER_UPLOAD), files - uploads * _FILES_PER_UPLOAD)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what is loaded now stays; collections need not visit it again
        if self.started:
            self._on_ready()
