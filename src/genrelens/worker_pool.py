"""Classification in worker processes.

A decoder that crashes ends only its worker process. A job that exceeds its time limit is ended with
its worker, and the memory of each worker is bounded.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from genrelens.counts import count_of
from genrelens.errors import AudioError, AudioWarning
from genrelens.feature_image import FeatureImage
from genrelens.logs import logger
from genrelens.prediction import Prediction
from genrelens.quiet import quiet_libraries
from genrelens.worker_logs import ForwardedLogs, LogSender, forward_logs

__all__ = ["ClassifierPool", "Limits", "ProgressFile", "WorkerError", "WorkerResult"]

T = TypeVar("T")

_log = logger(__name__)
_START_SECONDS = 120.0  # time limit for the start of the first worker
_POLL_SECONDS = 0.1  # between two checks of the workers
_PROGRESS_SECONDS = 0.1  # between two lines of a file of progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on a recording and on the worker that classifies it.

    Attributes:
        seconds: longest duration, measured by decoding; the header is not trusted.
        sample_rate: highest sample rate, in Hz.
        channels: highest number of channels.
        memory: bytes that a worker may allocate after its start; 0 sets no limit. The limit is
            enforced on Linux only.

    """

    seconds: float = 3 * 3600
    sample_rate: int = 384_000
    channels: int = 32
    memory: int = 2**31


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """The result for a recording that was classified.

    Attributes:
        prediction: the result.
        image: :meth:`FeatureImage.to_dict` of the features, or None if it was not requested.
        notes: texts of the audio warnings, for instance that the file is damaged.

    """

    prediction: Prediction
    image: Mapping[str, Any] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerError:
    """The reason why a recording was not classified.

    Attributes:
        name: name of the recording for messages.
        reason: what is wrong, without the name.

    """

    name: str
    reason: str

    def __str__(self) -> str:
        """Return the name and the reason."""
        return f"{self.name}: {self.reason}"


class ProgressFile:
    """A file that a worker appends the predictions so far to, a line of JSON for each.

    A line is :meth:`genrelens.Prediction.to_dict` with sections. There are at most ten a second.
    Once the file is deleted, nothing is written: a worker may still run for a moment when its job
    is cancelled.

    Args:
        path: path of the file, which is created empty.
        name: name of the recording.
        genres: genres to choose from; empty: all of the model.

    """

    def __init__(self, path: Path, name: str, genres: Sequence[str] = ()) -> None:
        self.path = path
        self._name, self._genres = name, genres
        self._next = 0.0
        path.touch()

    def write(self, prediction: Prediction) -> None:
        """Append a prediction, unless the last one is less than a tenth of a second old."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PROGRESS_SECONDS
        chosen = prediction.restricted(self._genres) if self._genres else prediction
        document = replace(chosen, source=self._name).to_dict(sections=True)
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)  # does not create the file
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(document) + "\n")


class ClassifierPool:
    """A pool of processes that classify recordings, each with its own classifier.

    If this process logs messages of genrelens at INFO or below, those of the workers are logged
    here as well.

    Args:
        model: as for :meth:`Classifier.load`.
        workers: number of processes.
        limits: limits on each recording and worker.

    Example::

        pool = ClassifierPool(None, workers=2, limits=Limits())
        future = pool.submit(Path("song.mp3"), "song.mp3", timeout=60)
        print(future.result())
        pool.close()

    """

    def __init__(self, model: str | None, *, workers: int, limits: Limits) -> None:
        self._model, self._n_workers, self._limits = model, workers, limits
        self._logs = ForwardedLogs()
        self._workers = self._started()

    def submit(
        self,
        path: Path,
        name: str,
        *,
        fast: bool = False,
        image: bool = False,
        alone: bool = False,
        progress: ProgressFile | None = None,
        timeout: float | None = None,
    ) -> Future[WorkerResult | WorkerError]:
        """Classify a file in a worker.

        Args:
            path: the file.
            name: name of the recording for messages; replaces ``path`` in the result.
            fast: classify three short excerpts, as :meth:`Classifier.classify` does.
            image: include an image of the network's input in the result.
            alone: no other job is running, so the network uses all cores. The result comes sooner
                but takes more CPU time.
            progress: file that the worker writes the predictions so far to.
            timeout: as for :meth:`run`.

        Returns:
            A future with the errors of :meth:`run`.

        """
        job = partial(
            _classify_file,
            str(path),
            name,
            self._limits,
            fast=fast,
            image=image,
            alone=alone,
            progress=progress,
        )
        return self.run(job, timeout=timeout)

    def run(self, job: Callable[[], T], *, timeout: float | None = None) -> Future[T]:
        """Call a function in a worker.

        Cancelling the future ends the worker that runs the job; another one is started.

        Args:
            job: the function; it, its result and its errors are pickled.
            timeout: seconds after which the worker is ended; None sets no limit.

        Returns:
            A future. Its errors are those of the job (``RuntimeError`` for a bug in genrelens),
            ``pebble.ProcessExpired`` if the worker crashed, ``BrokenProcessPool`` if no worker
            could be started, and ``TimeoutError`` if the time limit was exceeded.

        """
        if not self._workers.active:  # Pebble stops when an idle worker dies
            self._workers = self._started()
        return self._workers.run(job, timeout)

    def close(self) -> None:
        """End the processes at once, with the jobs that they are running."""
        self._workers.close()
        self._logs.close()

    def _started(self) -> _Workers:
        _log.info("starting %s", count_of(self._n_workers, "worker process", "worker processes"))
        return _Workers(
            ProcessPool(
                self._n_workers,
                initializer=_start,
                initargs=(self._model, self._limits.memory, self._logs.sender),
                # A fork would copy locks that other threads of this process hold.
                context=multiprocessing.get_context("spawn"),
            )
        )


class _Workers:
    """Worker processes, with a thread that watches them.

    Pebble loses jobs that are scheduled while its workers die, and it endlessly replaces workers
    that end without an error. The thread fails all pending futures when the workers have ended or
    do not start in time.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._pending: set[Future[Any]] = set()
        self._lock = Lock()  # guards _pending and _broken
        self._broken = False
        try:
            with _no_interrupts():
                first = pool.schedule(_nothing)  # the first job makes Pebble start all workers
        except (RuntimeError, OSError):  # no worker can be started
            self._broken = True
            pool.stop()
            first = Future[None]()
        self._watcher = Thread(target=self._watch, args=(first,), daemon=True)
        self._watcher.start()

    @property
    def active(self) -> bool:
        """Whether the workers accept jobs."""
        return not self._broken and bool(self._pool.active)

    def run(self, job: Callable[[], T], timeout: float | None) -> Future[T]:
        """Schedule a job; the future fails with ``BrokenProcessPool`` if there is no worker."""
        with self._lock:
            try:
                if self._broken:
                    raise BrokenProcessPool("no worker process")
                future: Future[T] = self._pool.schedule(job, timeout=timeout)
            except RuntimeError as error:  # raised by Pebble if the workers have just ended
                future = Future()
                future.set_exception(BrokenProcessPool(str(error)))
                return future
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def close(self) -> None:
        """End the workers and the thread."""
        self._pool.stop()
        self._watcher.join()
        _log.info("the worker processes ended")

    def _watch(self, first: Future[None]) -> None:
        """Wait until the workers end, or do not start in time; then fail the pending futures."""
        deadline = time.monotonic() + _START_SECONDS
        while self.active and (first.done() or time.monotonic() < deadline):
            time.sleep(_POLL_SECONDS)
        with self._lock:
            self._broken = True
        self._pool.stop()
        self._pool.join()
        for future in list(self._pending):
            with contextlib.suppress(InvalidStateError):  # the future was cancelled
                future.set_exception(BrokenProcessPool("the worker processes ended"))


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Block Ctrl-C in threads and processes that start here, even while they import modules."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else the first worker starts it, which unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---------------------------------------------------------------------- in the worker process

_classifiers: dict[bool, Classifier] = {}  # by whether the network uses all cores
_until_exit = contextlib.ExitStack()  # contexts that last as long as the worker


def _start(model: str | None, memory: int, logs: LogSender | None = None) -> None:
    """Prepare a worker: load the classifiers, bound its memory and silence C libraries."""
    forward_logs(logs)
    _until_exit.enter_context(quiet_libraries())
    Thread(target=_exit_with_parent, daemon=True).start()
    _classifiers.update({False: Classifier.load(model, threads=1), True: Classifier.load(model)})
    if memory:
        with contextlib.suppress(ImportError, ValueError, OSError):
            _bound_memory(memory)


def _exit_with_parent() -> None:
    """End this process when its parent ends or is killed, even while a decoder hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _bound_memory(memory: int) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # data and stack
    limit = pages * os.sysconf("SC_PAGE_SIZE") + memory
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _nothing() -> None:
    pass


def _classify_file(
    path: str,
    name: str,
    limits: Limits,
    *,
    fast: bool,
    image: bool,
    alone: bool,
    progress: ProgressFile | None = None,
) -> WorkerResult | WorkerError:
    classifier = _classifiers[alone]
    features = FeatureImage(classifier.metadata.features) if image else None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AudioWarning)
            _check_header(path, limits)
            prediction = classifier.classify(
                path,
                duration=limits.seconds + 1,
                fast=fast,
                on_segments=None if features is None else features.add,
                on_progress=None if progress is None else progress.write,
            )
        if prediction.duration > limits.seconds:
            raise AudioError(path, f"is longer than {limits.seconds:.0f} s")
    except AudioError as error:
        return WorkerError(name, error.full_reason.replace(path, name))
    except MemoryError:
        return WorkerError(name, "exceeds the memory limit")
    except Exception:  # Pebble fails on errors that cannot be unpickled
        raise RuntimeError(traceback.format_exc()) from None
    notes = tuple(
        str(each.message).replace(path, name)
        for each in caught
        if issubclass(each.category, AudioWarning)
    )
    drawn = None if features is None else features.to_dict(prediction.segment_weights)
    return WorkerResult(replace(prediction, source=name), drawn, notes)


def _check_header(path: str, limits: Limits) -> None:
    info = probe(path)
    for what, value, limit in (
        ("a sample rate of {} Hz", info.sample_rate, limits.sample_rate),
        ("{} channels", info.channels, limits.channels),
        ("{} s of audio", info.seconds or 0, limits.seconds),
    ):
        if value > limit:
            found = what.format(f"{value:.0f}")
            raise AudioError(path, f"has {found}; the limit is {limit:.0f}")
