"""Connections: bounded in number, and closed when the client sends or reads too slowly."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Protocol"]

_HEAD_SECONDS = 10.0  # that a client may take for the head of a request
_READ_SECONDS = 10.0  # in which a client must take ...
_READ_BYTES = 10 * 2**10  # ... this much of an answer
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


class Protocol(H11Protocol):
    """A connection; ``limit_concurrency`` of the configuration bounds the number of connections.

    When there are more, the one that has been idle longest is closed: it has sent no complete head
    of a request, or its request is already answered. If there is none, the new connection is
    answered with 503. uvicorn's own limit would keep silent connections and refuse new requests.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None
    _unread = 0
    _since = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = self.limit_concurrency
        self.limit_concurrency = None

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for its answer."""
        return self.cycle is None or self.cycle.response_started

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit the connection, or refuse it."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._watch_head()
        if self._most is not None and len(self.connections) > self._most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Handle what the client sends."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._since = self.loop.time()
            self._stop_read_timer()
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._stop_head_timer()
        self._stop_read_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start to watch a client that does not read as fast as the answer is written."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Stop to watch a client that has read."""
        self._stop_read_timer()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Watch the client while it has not read the whole answer."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._watch_reader()

    def _make_room(self) -> None:
        others = [other for other in self.connections if other is not self]
        idle = [other for other in others if isinstance(other, Protocol) and other.is_idle]
        if idle:
            longest = min(idle, key=lambda other: other._since)
            self.connections.discard(longest)
            longest.transport.abort()
        else:
            self.transport.write(_FULL)
            self.transport.close()

    def _watch_head(self) -> None:
        """Run a clock while there is no complete head; single bytes do not stop it."""
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
        """Close the connection of a client that has read too little; else wait again."""
        self._read_timer = None
        if self._unread - self.transport.get_write_buffer_size() < min(_READ_BYTES, self._unread):
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
