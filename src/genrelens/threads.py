"""A function applied to many items in threads, and an iteration in a thread of its own."""

from __future__ import annotations

import contextvars
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

__all__ = ["ahead", "map_in_threads"]

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

    At most ``2 * jobs`` items are taken from ``items`` before their results are yielded. Closing
    the iterator drops the items that were not started and waits for the others. Ctrl-C does not
    wait. An exception that ``function`` raises ends the iteration.

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
            for item in islice(remaining, 2 * jobs - len(running)):
                running.append((item, pool.submit(function, item)))
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


def ahead(items: Iterable[T], *, size: int) -> Generator[T, None, None]:
    """Yield items that a thread takes from an iterable, up to ``size`` ahead.

    The items are the same and in the same order. An exception of the iterable is raised here, after
    the items before it. Closing the iterator waits for the item in progress, closes the iterable
    and ends the thread. Ctrl-C does not wait.

    Args:
        items: iterated in another thread, with the context variables of this one.
        size: largest number of items that wait, at least 1; it bounds the memory.

    Example::

        with contextlib.closing(ahead(blocks, size=4)) as decoded:
            for block in decoded:
                network(block)

    """
    reader = _Reader(items, size)
    wait = True
    try:
        yield from reader.items()
    except KeyboardInterrupt:
        wait = False  # the thread may hang in a read from a pipe
        raise
    finally:
        reader.stop(wait=wait)


class _End:
    """The end of an iteration, with the exception that ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Reader(Generic[T]):
    """A thread that puts items into a queue, one for each free slot."""

    def __init__(self, items: Iterable[T], size: int) -> None:
        self._queue: SimpleQueue[T | _End] = SimpleQueue()
        self._free, self._stopped = Semaphore(size), Event()
        run = contextvars.copy_context().run  # numpy's settings of errors, for instance
        arguments = (self._read, iter(items))
        self._thread = Thread(target=run, args=arguments, daemon=True, name="genrelens-ahead")
        self._thread.start()

    def _read(self, items: Iterator[T]) -> None:
        error = None
        try:
            for item in items:
                self._queue.put(item)
                self._free.acquire()
                if self._stopped.is_set():
                    break
        except BaseException as caught:
            error = caught
        finally:
            if isinstance(items, Generator):
                items.close()
            self._queue.put(_End(error))

    def items(self) -> Iterator[T]:
        while not isinstance(item := self._queue.get(), _End):
            self._free.release()
            yield item
        if item.error is not None:
            raise item.error

    def stop(self, *, wait: bool) -> None:
        self._stopped.set()
        self._free.release()
        if wait:
            self._thread.join()
