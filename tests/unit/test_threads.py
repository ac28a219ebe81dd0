"""Items mapped and taken in threads: order, early ends and errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count, islice
from threading import Event

import numpy as np
import pytest

from genrelens.threads import ahead, map_in_threads
from support.processes import wait_until

JOBS = pytest.mark.parametrize("jobs", [1, 3, None])


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("genrelens")]


@JOBS
def test_results_come_with_their_items_in_order(jobs: int | None) -> None:
    def square(number: int) -> int:
        Event().wait(0.01 if number == 0 else 0)  # the first is the last to finish
        return number * number

    results = list(map_in_threads(square, range(10), jobs=jobs))
    assert results == [(number, number * number) for number in range(10)]
    wait_until(lambda: threads() == [])


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (3, 6)])
def test_the_number_of_items_taken_ahead_is_limited(jobs: int, most: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = map_in_threads(str, items(), jobs=jobs)
    assert taken == []
    assert next(results) == (0, "0")
    assert len(taken) == most
    results.close()


@JOBS
def test_an_early_end_sets_the_event(jobs: int | None) -> None:
    stop = Event()
    results = map_in_threads(str, count(), jobs=jobs, stop=stop)
    next(results)
    assert not stop.is_set()
    results.close()
    assert stop.is_set()
    assert threads() == []


@JOBS
def test_an_error_ends_the_iteration(jobs: int | None) -> None:
    results = map_in_threads([1, 2].index, [1, 3, 2], jobs=jobs)
    assert next(results) == (1, 0)
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert list(results) == []


# --------------------------------------------------------------------------------- ahead


class Source:
    """Yields numbers up to ``stop``, then raises an error; records what happened in its thread."""

    def __init__(self, stop: int) -> None:
        self.stop = stop
        self.taken = 0
        self.closed_in: list[threading.Thread] = []

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.stop):
                self.taken = number + 1
                yield number
            raise LookupError("torn")
        finally:
            self.closed_in.append(threading.current_thread())


def test_items_are_taken_ahead_in_order() -> None:
    assert list(ahead(range(100), size=3)) == list(range(100))
    assert list(ahead([], size=1)) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    source = Source(5)
    items = ahead(iter(source), size=2)
    assert list(islice(items, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(LookupError, match="torn"):
        next(items)
    assert source.closed_in != [threading.current_thread()]


@pytest.mark.parametrize("size", [1, 4])
def test_few_items_wait_and_closing_ends_the_thread(size: int) -> None:
    source = Source(10**6)
    items = ahead(iter(source), size=size)
    assert source.taken == 0
    assert next(items) == 0
    wait_until(lambda: source.taken == size + 2)  # one is free again, one is in progress
    items.close()
    assert source.taken <= size + 2
    assert not any(thread.is_alive() for thread in source.closed_in)
    assert len(source.closed_in) == 1


def test_ctrl_c_does_not_wait_for_the_item_in_progress() -> None:
    released = Event()

    def hanging() -> Iterator[int]:
        yield 0
        released.wait()

    items = ahead(hanging(), size=1)
    next(items)
    with pytest.raises(KeyboardInterrupt):
        items.throw(KeyboardInterrupt)
    released.set()


def test_the_thread_has_the_context_of_the_caller() -> None:
    def divided() -> Iterator[float]:
        yield float(np.float32(1) / np.float32(0))

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(ahead(divided(), size=1))
