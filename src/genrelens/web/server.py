"""The HTTP server: uvicorn with a limited number of connections, on a socket of our own."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from genrelens.web.app import create_app
from genrelens.web.middleware import is_loopback
from genrelens.web.settings import Settings

__all__ = ["BoundedProtocol", "listen", "serve"]

_SHUTDOWN_MARGIN = 5.0  # seconds, in addition to the timeout of a request
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_MAX_CONNECTIONS = 2000
_FILES_PER_UPLOAD = 2  # besides the connection: the recording, and the form that contains it
_OTHER_FILES = 100
_HEAD_SECONDS = 10.0  # time limit for a client to send the head of a request
_READ_SECONDS = 10.0  # time in which a client must read ...
_READ_BYTES = 10 * 2**10  # ... this many bytes of a response
_SERVER_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


def listen(host: str, port: int) -> socket.socket:
    """Open a socket for :func:`serve`.

    Example::

        >>> with listen("127.0.0.1", 0) as sock:
        ...     sock.getsockname()[0]
        '127.0.0.1'

    Args:
        host: address or name of this machine; ``0.0.0.0`` stands for all its addresses.
        port: 0 to 65535; 0 chooses a free port.

    Raises:
        OSError: the address is in use, does not belong to this machine, or is not permitted.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def serve(
    settings: Settings, sock: socket.socket, on_ready: Callable[[], None] | None = None
) -> None:
    """Serve until SIGTERM or Ctrl-C; then refuse new requests and finish the running ones.

    Example::

        with listen("127.0.0.1", 8000) as sock:
            serve(Settings(), sock, on_ready=lambda: print("ready"))

    Args:
        settings: settings of the application.
        sock: the listening socket, which is closed at the end. If it listens on a loopback address,
            requests for other host names are refused.
        on_ready: called as soon as requests are accepted.

    Raises:
        ModelError: the model is missing, damaged, of another version or not a model.
        KeyboardInterrupt: the server was stopped by Ctrl-C.
        SystemExit: with code 0: the server was stopped by SIGTERM.

    """
    for name in _THREAD_VARIABLES:  # for numpy in each worker; together, the workers use all cores
        os.environ.setdefault(name, "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal at the end
    _log_to_stderr(settings.log_level)
    config = uvicorn.Config(
        create_app(settings, loopback=is_loopback(sock.getsockname()[0])),
        http=BoundedProtocol,
        limit_concurrency=_max_connections(settings.uploads),
        log_level=logging.getLevelName(max(logging.WARNING, _level(settings.log_level))).lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.timeout + _SHUTDOWN_MARGIN),
    )
    _Server(config, on_ready).run(sockets=[sock])


def _level(name: str) -> int:
    return logging.getLevelNamesMapping()[name.upper()]


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("genrelens.web")
    logger.setLevel(_level(level))
    logger.addHandler(handler)


def _max_connections(uploads: int) -> int:
    """Raise the limit of open files if possible; return how many connections it allows."""
    wanted = _MAX_CONNECTIONS + uploads * _FILES_PER_UPLOAD + _OTHER_FILES
    try:
        import resource
    except ImportError:  # Windows
        return _MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = (wanted if soft < 0 else min(soft, wanted)) - _OTHER_FILES
    # If few open files are allowed, assume that every connection is an upload.
    return max(1, files // (1 + _FILES_PER_UPLOAD), files - uploads * _FILES_PER_UPLOAD)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # objects that exist now are permanent, so later collections skip them
        if self.started and self._on_ready is not None:
            self._on_ready()


class BoundedProtocol(H11Protocol):
    """A connection; ``limit_concurrency`` of the configuration limits their number.

    Connections whose client sends or reads too slowly are closed. When there are too many
    connections, the one that has been idle longest is closed. A connection is idle if it has not
    received a complete request head, or if its request is answered. If none is idle, the new
    connection is answered with 503. uvicorn's own limit would keep idle connections and refuse new
    requests.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None
    _unread = 0
    _idle_since = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for its response."""
        return self.cycle is None or self.cycle.response_started

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit or refuse the connection."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._watch_head()
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Handle data from the client."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._idle_since = self.loop.time()
            self._stop_read_timer()
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._stop_head_timer()
        self._stop_read_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start a timer when a client reads more slowly than the response is written."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Stop the timer when the client has caught up."""
        self._stop_read_timer()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Run the timer until the client has read the whole response."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        self._watch_reader()

    def _make_room(self) -> None:
        others = [other for other in self.connections if other is not self]
        idle = [other for other in others if isinstance(other, BoundedProtocol) and other.is_idle]
        if idle:
            longest = min(idle, key=lambda other: other._idle_since)
            self.connections.discard(longest)
            longest.transport.abort()
        else:
            self.transport.write(_SERVER_FULL)
            self.transport.close()

    def _watch_head(self) -> None:
        """Run a timer while the head is incomplete; single bytes do not stop it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_head_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread and self._read_timer is None:
            self._unread = unread
            self._read_timer = self.loop.call_later(_READ_SECONDS, self._check_reader)

    def _check_reader(self) -> None:
        """Close the connection if the client has read too little; otherwise wait again."""
        self._read_timer = None
        if self._unread - self.transport.get_write_buffer_size() < min(_READ_BYTES, self._unread):
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
