"""Recordings classified in processes of their own.

A decoder that crashes takes its process along and nothing else, one that hangs is ended when its
time is over, and what one recording may cost in memory has a bound.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar

from pebble import ProcessPool

from genrelens.audio import probe
from genrelens.classifier import Classifier
from genrelens.errors import AudioError, AudioWarning
from genrelens.feature_image import FeatureImage
from genrelens.prediction import Prediction
from genrelens.quiet import quiet_libraries

__all__ = ["ClassifierPool", "Limits", "WorkerError", "WorkerResult"]

T = TypeVar("T")

_START = 120.0  # seconds that the first worker may take to start
_GLANCE = 0.1  # seconds between two looks at the workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a recording may be and cost.

    Attributes:
        seconds: of audio, by what is decoded and not by what the file says of itself.
        sample_rate: in Hz.
        channels: number of channels.
        memory: of a worker process beyond what it starts with, in bytes; 0 sets no bound. Kept
            where the system can (Linux).

    """

    seconds: float = 3 * 3600
    sample_rate: int = 384_000
    channels: int = 32
    memory: int = 2**31


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """What a worker says of a recording: the prediction, and its picture if one was asked for."""

    prediction: Prediction
    picture: Mapping[str, Any] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerError:
    """Why a recording was not classified.

    Attributes:
        name: of the recording, for people.
        reason: in a sentence, without the name.

    """

    name: str
    reason: str

    def __str__(self) -> str:
        """Return name and reason."""
        return f"{self.name}: {self.reason}"


class ClassifierPool:
    """Processes that classify recordings, each with a classifier of its own.

    Args:
        model: as for :meth:`Classifier.load`.
        workers: number of processes.
        limits: what a recording may be and cost.

    """

    def __init__(self, model: str | None, *, workers: int, limits: Limits) -> None:
        self._model, self._workers, self._limits = model, workers, limits
        self._workforce = self._started()

    def submit(
        self,
        path: Path,
        name: str,
        *,
        fast: bool = False,
        picture: bool = False,
        alone: bool = False,
        timeout: float | None = None,
    ) -> Future[WorkerResult | WorkerError]:
        """Classify a file; see :meth:`run` for what may become of it.

        Args:
            path: of the file.
            name: of the recording, for people; stands in the result instead of ``path``.
            fast: hear three passages of 30 s, as :meth:`Classifier.classify` does.
            picture: add a picture of what the network hears.
            alone: nothing else is under way, so the network may use all cores. It is done sooner
                then, though the cores do more in sum.
            timeout: as for :meth:`run`.

        """
        job = partial(
            _judge, str(path), name, self._limits, fast=fast, picture=picture, alone=alone
        )
        return self.run(job, timeout=timeout)

    def run(self, job: Callable[[], T], *, timeout: float | None = None) -> Future[T]:
        """Do something else in a worker.

        A worker that is at it when the future is cancelled is ended; another takes its place. The
        future's errors: those of the job (``RuntimeError`` for a fault of genrelens),
        ``pebble.ProcessExpired`` if the worker crashed, ``BrokenProcessPool`` if there was none,
        ``TimeoutError`` if the time was over.

        Args:
            job: to be called there; it, its result and its errors are pickled.
            timeout: seconds that it may take before the worker is ended; None sets no bound.

        """
        if not self._workforce.active:  # Pebble gives up when a worker dies with nothing to do
            self._workforce = self._started()
        return self._workforce.run(job, timeout)

    def close(self) -> None:
        """End the processes at once; what they were doing is lost."""
        self._workforce.close()

    def _started(self) -> _Workforce:
        return _Workforce(
            ProcessPool(
                self._workers,
                initializer=_start,
                initargs=(self._model, self._limits.memory),
                # A fork would copy the locks of this process' threads as they happen to be.
                context=multiprocessing.get_context("spawn"),
            )
        )


class _Workforce:
    """The worker processes from their start to their end, which every future learns of.

    Pebble forgets jobs that it is given while its workers die, and it replaces workers that end
    without an error for ever. A thread watches it, therefore.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._pending: set[Future[Any]] = set()
        self._lock = Lock()  # guards what follows and the set above
        self._broken = False
        try:
            with _no_interrupts():
                first = pool.schedule(_nothing)  # the first job starts all workers
        except (RuntimeError, OSError):  # they cannot even be started
            self._broken = True
            pool.stop()
            first = Future[None]()
        self._watcher = Thread(target=self._watch, args=(first,), daemon=True)
        self._watcher.start()

    @property
    def active(self) -> bool:
        """Whether the workers take jobs."""
        return not self._broken and bool(self._pool.active)

    def run(self, job: Callable[[], T], timeout: float | None) -> Future[T]:
        """Give a job to a worker; the future fails with ``BrokenProcessPool`` if there is none."""
        with self._lock:
            try:
                if self._broken:
                    raise BrokenProcessPool("no worker process")
                future: Future[T] = self._pool.schedule(job, timeout=timeout)
            except RuntimeError as error:  # Pebble's, if they ended just now
                future = Future()
                future.set_exception(BrokenProcessPool(str(error)))
                return future
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def close(self) -> None:
        """End the workers."""
        self._pool.stop()
        self._watcher.join()

    def _watch(self, first: Future[None]) -> None:
        """Wait until the workers end, or do not begin in time; fail what waits for them then."""
        latest = time.monotonic() + _START
        while self.active and (first.done() or time.monotonic() < latest):
            time.sleep(_GLANCE)
        with self._lock:
            self._broken = True
        self._pool.stop()
        self._pool.join()
        for future in list(self._pending):
            with contextlib.suppress(InvalidStateError):  # it was cancelled
                future.set_exception(BrokenProcessPool("the worker processes ended"))


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let threads and processes start that a Ctrl-C does not reach, not even while they import."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else it starts with the first worker, and unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -------------------------------------------------------------------- in the other process

_classifiers: dict[bool, Classifier] = {}  # by whether it may use all cores
_for_life = contextlib.ExitStack()  # what a worker enters once, and leaves when it ends


def _start(model: str | None, memory: int) -> None:
    """Make a worker ready: its classifiers, a bound on memory, no stray lines, and an end."""
    _for_life.enter_context(quiet_libraries())
    Thread(target=_leave_with_parent, daemon=True).start()
    _classifiers.update({False: Classifier.load(model, threads=1), True: Classifier.load(model)})
    if memory:
        with contextlib.suppress(ImportError, ValueError, OSError):
            _bound_memory(memory)


def _leave_with_parent() -> None:
    """End this process once its parent is gone, which may have been killed: a decoder may hang."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _bound_memory(memory: int) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # data and stack
    bound = pages * os.sysconf("SC_PAGE_SIZE") + memory
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))


def _nothing() -> None:
    pass


def _judge(
    path: str, name: str, limits: Limits, *, fast: bool, picture: bool, alone: bool
) -> WorkerResult | WorkerError:
    classifier = _classifiers[alone]
    columns = FeatureImage(classifier.metadata.features) if picture else None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AudioWarning)
            prediction = _within(limits, classifier, path, fast, columns)
    except AudioError as error:
        return WorkerError(name, error.full_reason.replace(path, name))
    except MemoryError:
        return WorkerError(name, "needs more memory than it may take")
    except Exception:  # many cannot be pickled, which Pebble would not survive
        raise RuntimeError(traceback.format_exc()) from None
    notes = tuple(
        str(each.message).replace(path, name)
        for each in caught
        if issubclass(each.category, AudioWarning)
    )
    drawn = columns.to_dict(prediction.segment_weights) if columns is not None else None
    return WorkerResult(replace(prediction, source=name), drawn, notes)


def _within(
    limits: Limits, classifier: Classifier, path: str, fast: bool, columns: FeatureImage | None
) -> Prediction:
    info = probe(path)
    for what, value, limit in (
        ("Hz of sample rate", info.sample_rate, limits.sample_rate),
        ("channels", info.channels, limits.channels),
        ("s of audio", info.seconds or 0, limits.seconds),
    ):
        if value > limit:
            raise AudioError(path, f"has {value:.0f} {what}; {limit:.0f} are allowed")
    prediction = classifier.classify(
        path,
        duration=limits.seconds + 1,
        fast=fast,
        on_segments=None if columns is None else columns.add,
    )
    if prediction.duration > limits.seconds:
        raise AudioError(path, f"is longer than {limits.seconds:.0f} s")
    return prediction
