"""The server that runs the application: uvicorn, on a socket of ours."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from asyncio import Transport
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from genrelens.web.app import create_app
from genrelens.web.settings import Settings

__all__ = ["listen", "serve"]

_HEAD_SECONDS = 10.0  # that a client may take for the head of a request
_MARGIN = 5.0  # seconds
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def listen(host: str, port: int) -> socket.socket:
    """Open a socket; port 0 takes a free one.

    Raises:
        OSError: the address is in use, not ours, or not allowed.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def serve(settings: Settings, sock: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; running requests are finished first, new ones refused.

    Args:
        settings: of the application.
        sock: where to listen; closed in the end.
        on_ready: called once requests are accepted.

    Raises:
        ModelError: the model is missing, foreign, damaged or of another version.
        KeyboardInterrupt: it was stopped by Ctrl-C.
        SystemExit: with code 0, it was stopped by SIGTERM.

    """
    for name in _THREADS:  # numpy in each worker: together they have all cores as it is
        os.environ.setdefault(name, "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it anew in the end
    config = uvicorn.Config(
        create_app(settings), http=_Protocol, log_level=logging.WARNING, access_log=False,
        server_header=False, timeout_graceful_shutdown=round(settings.timeout + _MARGIN),
    )  # fmt: skip
    _Server(config, on_ready).run(sockets=[sock])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


class _Protocol(H11Protocol):
    """Closes connections on which the head of a request does not arrive in time."""

    _head_timer: Any = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Let the clock run while there is no request: bytes that trickle in do not stop it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watch()
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _stop_watch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
