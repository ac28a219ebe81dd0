"""Bounds on the work of a server: bodies that are arriving, and recordings that are classified."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.types import Message

from genrelens.web.problems import Problem

__all__ = ["Admission", "Arrival", "Arrivals"]

_MEMORY = 0.9  # weight of the past in the mean duration of a classification
_STEP = 10 * 2**10  # bytes that a body must bring ...
_STEP_SECONDS = 10.0  # ... each time this long was spent waiting for them
_YIELD_SECONDS = 1.0  # a body that has waited this long gives way when there are too many


class Admission:
    """The places for recordings that have arrived; belongs to one event loop.

    Args:
        workers: recordings that are classified at once.
        queue: recordings that may wait for a worker.

    Attributes:
        under_way: places that are taken.
        turn: ``async with admission.turn`` waits until a worker is free. Leaving while waiting
            here is free; cancelling a job that the pool already has costs a worker process.

    """

    def __init__(self, workers: int, queue: int) -> None:
        self.capacity = workers + queue
        self.under_way = 0
        self.turn = asyncio.Semaphore(workers)
        self._workers = workers
        self._seconds = 1.0  # mean time that a recording keeps a worker busy

    def check(self) -> None:
        """Raise an error if no place is free.

        Raises:
            Problem: 429, with ``Retry-After``.

        """
        if self.under_way >= self.capacity:
            raise _busy(math.ceil(self.capacity * self._seconds / self._workers / 2))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for a recording that has arrived.

        Raises:
            Problem: 429, with ``Retry-After``: all places are taken.

        """
        self.check()
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def took(self, seconds: float) -> None:
        """Record how long a worker was busy with a recording."""
        self._seconds = _MEMORY * self._seconds + (1 - _MEMORY) * seconds


class Arrivals:
    """The bodies of requests on the disk, bounded in number and in bytes; for one event loop.

    A body that is arriving holds no place in :class:`Admission`. When there are too many bodies or
    bytes, the one that has waited longest for its next 10 KiB is refused. So slow clients, however
    many, keep nobody else out.

    Args:
        number: bodies that may be arriving at once.
        size: bytes of all recordings that are on the disk, those being classified among them.

    """

    def __init__(self, number: int, size: int) -> None:
        self._number = number
        self._size = size
        self._arriving: set[Arrival] = set()
        self._bytes = 0

    def __len__(self) -> int:
        """Return the number of bodies that are arriving."""
        return len(self._arriving)

    @contextmanager
    def body(self, receive: Callable[[], Awaitable[Message]]) -> Iterator[Arrival]:
        """Admit a body until its recording is no longer needed.

        Args:
            receive: returns the next message of the request.

        Raises:
            Problem: 429: there are too many bodies, and none of them is slow.

        """
        if len(self._arriving) >= self._number:
            self._make_room(None)
        arrival = Arrival(receive, self)
        self._arriving.add(arrival)
        try:
            yield arrival
        finally:
            self._arriving.discard(arrival)
            self._release(arrival)

    def count(self, arrival: Arrival, size: int) -> None:
        """Count bytes that arrived.

        Raises:
            Problem: 429: there are too many bytes, and no other body is slow.

        """
        self._bytes += size
        arrival.size += size
        if self._bytes > self._size:
            self._make_room(arrival)

    def complete(self, arrival: Arrival) -> None:
        """Mark a body as complete: it cannot be asked to give way any more."""
        self._arriving.discard(arrival)

    def _make_room(self, newcomer: Arrival | None) -> None:
        others = self._arriving - {newcomer}
        slowest = max(others, key=lambda other: other.waited, default=None)
        if slowest is None or slowest.waited < _YIELD_SECONDS:
            raise _busy(1)
        self._arriving.discard(slowest)
        self._release(slowest)
        slowest.evict()

    def _release(self, arrival: Arrival) -> None:
        self._bytes -= arrival.size
        arrival.size = 0


class Arrival:
    """One body that is arriving, at no less than 10 KiB every 10 s.

    Attributes:
        size: bytes that have arrived and are counted in ``arrivals``.

    """

    def __init__(self, receive: Callable[[], Awaitable[Message]], arrivals: Arrivals) -> None:
        self.size = 0
        self._receive = receive
        self._arrivals = arrivals
        self._more = True
        self._step = 0  # bytes since the clock was set to zero
        self._waited = 0.0
        self._waiting_since: float | None = None
        self._timeout: asyncio.Timeout | None = None
        self._evicted = False

    @property
    def waited(self) -> float:
        """Seconds spent waiting for the present 10 KiB."""
        since = self._waiting_since
        return self._waited + (time.monotonic() - since if since is not None else 0.0)

    def evict(self) -> None:
        """Let the next or present :meth:`receive` fail."""
        self._evicted = True
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def receive(self) -> Message:
        """Return the next message of the request.

        Raises:
            Problem: 408: the body arrives too slowly; or 429, as :meth:`Arrivals.count` raises it.

        """
        if not self._more:
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError as error:
            raise _too_slow() from error
        if self._evicted:
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

    def _account(self, size: int) -> None:
        self._step += size
        if self._step >= _STEP:
            self._step, self._waited = 0, 0.0
        self._arrivals.count(self, size)
        if not self._more:
            self._arrivals.complete(self)


def _busy(seconds: int) -> Problem:
    seconds = max(1, seconds)
    detail = f"the server is busy; try again in {seconds} s"
    return Problem(429, detail, {"Retry-After": str(seconds)})


def _too_slow() -> Problem:
    return Problem(408, "the recording arrives too slowly", {"Connection": "close"})
