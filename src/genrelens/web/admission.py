"""How many requests may be under way: the rest is sent away at once, with a time to come back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager

from genrelens.web.problems import Problem

__all__ = ["Admission"]

_MEMORY = 0.9  # weight of the past in the mean duration of a request


class Admission:
    """Counts the requests under way; belongs to one event loop.

    Args:
        workers: how many are worked on at once.
        queue: how many more may wait.

    Attributes:
        under_way: how many there are.
        turn: ``async with admission.turn`` waits until a worker is free. Who gives up waiting here
            costs nothing; who gives up a job that the pool already has costs a worker its life.

    """

    def __init__(self, workers: int, queue: int) -> None:
        self.capacity = workers + queue
        self.under_way = 0
        self.turn = asyncio.Semaphore(workers)
        self._workers = workers
        self._seconds = 1.0  # what a request keeps a worker busy, on average

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Take a place.

        Raises:
            Problem: 429, with ``Retry-After``: all are taken.

        """
        if self.under_way >= self.capacity:
            seconds = max(1, math.ceil(self.capacity * self._seconds / self._workers / 2))
            raise Problem(
                429, f"the server is busy; try again in {seconds} s", {"Retry-After": str(seconds)}
            )
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def took(self, seconds: float) -> None:
        """Learn how long a worker was busy with a request."""
        self._seconds = _MEMORY * self._seconds + (1 - _MEMORY) * seconds
