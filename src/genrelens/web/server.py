"""The server that runs the application: uvicorn, on a socket of ours."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import uvicorn

from genrelens.web.app import create_app
from genrelens.web.settings import Settings

__all__ = ["listen", "serve"]

_GRACE = 30  # seconds that running requests get to finish


def listen(host: str, port: int) -> socket.socket:
    """Open a socket; port 0 takes a free one.

    Raises:
        OSError: the address is in use, not ours, or not allowed.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def serve(settings: Settings, sock: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until a signal ends it; running requests are finished first.

    Args:
        settings: of the application.
        sock: where to listen; closed in the end.
        on_ready: called once requests are accepted.

    Raises:
        ModelError: the model is missing, foreign, damaged or of another version.
        KeyboardInterrupt: it was stopped by Ctrl-C.

    """
    config = uvicorn.Config(
        create_app(settings), log_level=logging.WARNING, access_log=False, server_header=False,
        timeout_graceful_shutdown=_GRACE, date_header=True,
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
