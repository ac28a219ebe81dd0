"""Items mapped in threads: order, early ends and errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from threading import Event

import pytest

from genrelens.threads import map_in_threads
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

    def slow(number: int) -> int:
        wait_until(lambda: len(taken) == most)
        return number

    results = map_in_threads(slow, items(), jobs=jobs)
    assert taken == []
    assert next(results) == (0, 0)
    assert len(taken) == most
    results.close()


def test_a_result_does_not_wait_for_twice_as_many_items_as_threads() -> None:
    first, seen = Event(), Event()

    def items() -> Iterator[Event]:
        yield first
        assert first.wait(60)
        for _ in range(4):
            Event().wait(0.05)  # until the first result is complete
            yield Event()
        assert seen.is_set()

    for event, _ in map_in_threads(Event.set, items(), jobs=3):
        seen.set()
        assert event.is_set()


def test_ctrl_c_does_not_wait_for_the_items_in_progress() -> None:
    released = Event()

    def items() -> Iterator[Event]:
        yield released
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(map_in_threads(Event.wait, items(), jobs=2))
    assert threads() != []  # it did not wait
    released.set()
    wait_until(lambda: threads() == [])


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
