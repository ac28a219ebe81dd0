"""A function applied to many items in threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

__all__ = ["map_in_threads"]

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int | None = None,
    stop: Event | None = None,
) -> Generator[tuple[T, R], None, None]:
    """Apply a function to items in threads, and yield each item with its result, in order.

    At most ``2 * jobs`` items are taken from ``items`` before their results are yielded; a result
    that is complete is yielded once every thread has an item. Closing the iterator drops the items
    that were not started and waits for the others. Ctrl-C does not wait. An exception that
    ``function`` raises ends the iteration.

    Args:
        function: takes one item.
        items: taken as needed, in the thread that iterates.
        jobs: number of threads, at least 1; None starts one per core. With 1, ``function`` runs in
            the thread that iterates, and no item is taken ahead.
        stop: set when the iteration ends, even if it ends early; ``function`` can check it.

    Example::

        for path, digest in map_in_threads(files.sha256, paths):
            print(digest, path)

    """
    stop = stop or Event()
    jobs = jobs or os.cpu_count() or 1
    try:
        if jobs == 1:
            yield from ((item, function(item)) for item in items)
        else:
            yield from _map_in_pool(function, items, jobs, stop)
    finally:
        stop.set()


def _map_in_pool(
    function: Callable[[T], R], items: Iterable[T], jobs: int, stop: Event
) -> Generator[tuple[T, R], None, None]:
    pool = ThreadPoolExecutor(jobs, "genrelens")
    running: deque[tuple[T, Future[R]]] = deque()
    remaining = iter(items)
    wait = True
    try:
        while True:
            for item in remaining:
                running.append((item, pool.submit(function, item)))
                is_complete = len(running) >= jobs and running[0][1].done()
                if is_complete or len(running) == 2 * jobs:
                    break
            if not running:
                return
            item, future = running.popleft()
            yield item, future.result()
    except KeyboardInterrupt:
        wait = False  # a thread may hang in a read from a pipe
        raise
    finally:
        stop.set()
        pool.shutdown(wait=wait, cancel_futures=True)
