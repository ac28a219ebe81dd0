"""Recordings classified in parallel: order, failures, and closing early."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from genrelens import AudioError, Classifier, Prediction
from support import synth, tiny
from support.processes import PATIENCE, wait_until
from support.sparse import empty_wav

JOBS = pytest.mark.parametrize("jobs", [1, 3])


@pytest.fixture(scope="module")
def recordings() -> list[bytes]:
    return [synth.write(tiny.sound(tiny.GENRES[n % 3], 0.5 + n % 4, n), 8000) for n in range(10)]


class Faulty(io.BytesIO):
    """A file that raises an unexpected error when it is read."""

    def read(self, size: int | None = -1) -> bytes:
        raise RuntimeError("the tape is torn")


class Stuck(io.RawIOBase):
    """A pipe that blocks until it is released."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.reached.set()
        self.released.wait(PATIENCE)
        return b""


def workers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("genrelens")]


def assert_workers_end() -> None:
    wait_until(lambda: workers() == [])


@JOBS
def test_results_are_in_order(classifier: Classifier, recordings: list[bytes], jobs: int) -> None:
    results = list(classifier.classify_many(recordings, jobs=jobs))
    assert [source for source, _ in results] == recordings
    for source, result in results:
        assert isinstance(result, Prediction)
        np.testing.assert_array_equal(
            result.probabilities, classifier.classify(source).probabilities
        )
    assert_workers_end()


@JOBS
def test_a_failure_does_not_stop_the_rest(
    classifier: Classifier, recordings: list[bytes], jobs: int, tmp_path: Path
) -> None:
    faulty = Faulty()
    sources = [tmp_path / "missing.wav", recordings[0], b"text", faulty, recordings[1]]
    results = [result for _, result in classifier.classify_many(sources, jobs=jobs)]
    kinds = [AudioError, Prediction, AudioError, AudioError, Prediction]
    assert [type(result) for result in results] == kinds
    fault = results[3]
    assert str(fault) == "<stream>: cannot be classified (RuntimeError: the tape is torn)"
    assert isinstance(fault, AudioError)
    assert isinstance(fault.__cause__, RuntimeError)


@JOBS
def test_sources_are_taken_as_needed(
    classifier: Classifier, recordings: list[bytes], jobs: int
) -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        for number in count():
            taken.append(number)
            yield recordings[number % len(recordings)]

    results = classifier.classify_many(endless(), jobs=jobs)
    for _ in range(3):
        next(results)
    results.close()
    assert len(taken) <= 3 + 2 * jobs
    assert_workers_end()


@JOBS
def test_sources_that_raise(classifier: Classifier, recordings: list[bytes], jobs: int) -> None:
    def torn() -> Iterator[bytes]:
        yield from recordings
        raise LookupError("the list is torn")

    with pytest.raises(LookupError, match="torn"):
        list(classifier.classify_many(torn(), jobs=jobs))
    assert_workers_end()


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_below_one(classifier: Classifier, jobs: int) -> None:
    with pytest.raises(ValueError, match=f"jobs={jobs} must be at least 1"):
        classifier.classify_many([], jobs=jobs)


def test_closing_early_does_not_wait_for_a_long_recording(
    classifier: Classifier, recordings: list[bytes], tmp_path: Path
) -> None:
    """The second recording lasts 36 hours, which would take minutes of processor time."""
    endless = empty_wav(tmp_path / "endless.wav", 36 * 3600)
    results = classifier.classify_many([recordings[0], endless, recordings[1]], jobs=2)
    next(results)
    started = time.process_time()
    results.close()
    assert time.process_time() - started < 10
    assert workers() == []


def test_ctrl_c_does_not_wait_for_a_pipe(classifier: Classifier) -> None:
    stuck = Stuck()
    sources = [synth.write(tiny.sound("noise", 1), 8000), stuck]
    results = classifier.classify_many(sources, jobs=2)  # type: ignore[list-item]
    next(results)
    assert stuck.reached.wait(PATIENCE)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert workers() != []  # it did not wait
    stuck.released.set()
    assert_workers_end()
