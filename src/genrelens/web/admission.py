"""Limits on the work of a server: request bodies that are arriving, and classifications."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.types import Message

from genrelens.web.problems import Problem

__all__ = ["Admission", "RequestBodies", "RequestBody"]

_PAST_WEIGHT = 0.9  # weight of earlier classifications in the moving mean of durations
_STEP_BYTES = 10 * 2**10  # a body must deliver this many bytes ...
_STEP_SECONDS = 10.0  # ... per this many seconds of waiting
_EVICTION_SECONDS = 1.0  # when there are too many bodies, one that waited this long is dropped


class Admission:
    """Slots for recordings that have arrived; for use in one event loop.

    Args:
        workers: number of recordings that are classified at once.
        queue: number of recordings that may wait for a worker.

    Attributes:
        capacity: number of slots.
        in_progress: number of slots in use.
        free_worker: ``async with admission.free_worker`` waits until a worker is free. A request
            can be cancelled there at no cost, whereas cancelling a job of the pool ends a process.

    """

    def __init__(self, workers: int, queue: int) -> None:
        self.capacity = workers + queue
        self.in_progress = 0
        self.free_worker = asyncio.Semaphore(workers)
        self._workers = workers
        self._mean_seconds = 1.0  # mean duration of a classification

    def check(self) -> None:
        """Raise an error if no slot is free.

        Raises:
            Problem: 429, with ``Retry-After``.

        """
        if self.in_progress >= self.capacity:
            raise _busy(math.ceil(self.capacity * self._mean_seconds / self._workers / 2))

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Occupy a slot for a recording that has arrived.

        Raises:
            Problem: 429, with ``Retry-After``: no slot is free.

        """
        self.check()
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1

    def record_duration(self, seconds: float) -> None:
        """Add the duration of a classification to the moving mean."""
        self._mean_seconds = _PAST_WEIGHT * self._mean_seconds + (1 - _PAST_WEIGHT) * seconds


class RequestBodies:
    """The request bodies on the disk, limited in number and bytes; for use in one event loop.

    A body that is arriving occupies no slot of :class:`Admission`. When there are too many bodies
    or bytes, the body that has waited longest for its next 10 KiB is dropped, so that slow clients
    do not block others.

    Args:
        max_arriving: number of bodies that may be arriving at once.
        max_bytes: largest total size of all recordings on the disk, in bytes, including those that
            are being classified.

    """

    def __init__(self, max_arriving: int, max_bytes: int) -> None:
        self._max_arriving = max_arriving
        self._max_bytes = max_bytes
        self._arriving: set[RequestBody] = set()
        self._bytes = 0

    def __len__(self) -> int:
        """Return the number of bodies that are arriving."""
        return len(self._arriving)

    @contextmanager
    def admit(self, receive: Callable[[], Awaitable[Message]]) -> Iterator[RequestBody]:
        """Admit a body, and count its bytes until the context ends.

        Args:
            receive: returns the next message of the request.

        Raises:
            Problem: 429: too many bodies are arriving, and none of them is slow.

        """
        if len(self._arriving) >= self._max_arriving:
            self._drop_slowest(None)
        body = RequestBody(receive, self)
        self._arriving.add(body)
        try:
            yield body
        finally:
            self._arriving.discard(body)
            self._release(body)

    def count(self, body: RequestBody, n_bytes: int) -> None:
        """Count bytes that have arrived.

        Raises:
            Problem: 429: there are too many bytes, and no other body is slow.

        """
        self._bytes += n_bytes
        body.n_bytes += n_bytes
        if self._bytes > self._max_bytes:
            self._drop_slowest(body)

    def complete(self, body: RequestBody) -> None:
        """Mark a body as complete, so that it is not dropped any more."""
        self._arriving.discard(body)

    def _drop_slowest(self, newest: RequestBody | None) -> None:
        others = self._arriving - {newest}
        slowest = max(others, key=lambda other: other.waited, default=None)
        if slowest is None or slowest.waited < _EVICTION_SECONDS:
            raise _busy(1)
        self._arriving.discard(slowest)
        self._release(slowest)
        slowest.drop()

    def _release(self, body: RequestBody) -> None:
        self._bytes -= body.n_bytes
        body.n_bytes = 0


class RequestBody:
    """A body that is arriving. It must deliver at least 10 KiB every 10 s.

    Attributes:
        n_bytes: bytes that have arrived and are counted in ``bodies``.

    """

    def __init__(self, receive: Callable[[], Awaitable[Message]], bodies: RequestBodies) -> None:
        self.n_bytes = 0
        self._receive = receive
        self._bodies = bodies
        self._more = True
        self._step_bytes = 0  # bytes since the waiting time was last reset
        self._waited = 0.0
        self._waiting_since: float | None = None
        self._timeout: asyncio.Timeout | None = None
        self._dropped = False

    @property
    def waited(self) -> float:
        """Seconds spent waiting for the current 10 KiB."""
        since = self._waiting_since
        return self._waited + (time.monotonic() - since if since is not None else 0.0)

    def drop(self) -> None:
        """Make the current or next call of :meth:`receive` fail."""
        self._dropped = True
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def receive(self) -> Message:
        """Return the next message of the request.

        Raises:
            Problem: 408: the body arrives too slowly; 429: see :meth:`RequestBodies.count`.

        """
        if not self._more:
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError as error:
            raise _too_slow() from error
        if self._dropped:
            raise _too_slow()
        self._more = message.get("more_body", False)
        self._account(len(message.get("body", b"")))
        return message

    async def _next(self) -> Message:
        self._waiting_since = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, _STEP_SECONDS - self._waited)) as self._timeout:
                return await self._receive()
        finally:
            self._waited, self._waiting_since = self.waited, None
            self._timeout = None

    def _account(self, n_bytes: int) -> None:
        self._step_bytes += n_bytes
        if self._step_bytes >= _STEP_BYTES:
            self._step_bytes, self._waited = 0, 0.0
        self._bodies.count(self, n_bytes)
        if not self._more:
            self._bodies.complete(self)


def _busy(seconds: int) -> Problem:
    seconds = max(1, seconds)
    detail = f"the server is busy; try again in {seconds} s"
    return Problem(429, detail, {"Retry-After": str(seconds)})


def _too_slow() -> Problem:
    return Problem(408, "the recording arrives too slowly", {"Connection": "close"})
