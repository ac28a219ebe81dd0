"""Hear what is new in a library.

Files are read and heard in worker processes (:mod:`genrelens.worker_pool`), each in two steps: the
digest of its sound and its tags; then, if nobody has heard that sound, its genre. What is known
of a file is recorded at once, so that an end at any moment loses no more than the files in flight.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pebble import ProcessExpired

from genrelens import __version__
from genrelens.discovery.find import Found
from genrelens.errors import LibraryError
from genrelens.library.catalog import Catalog
from genrelens.library.identity import Identity, identify
from genrelens.library.records import Failure, StoredPrediction
from genrelens.model_file import ModelFile, model_digest
from genrelens.tags import Tags
from genrelens.worker_pool import ClassifierPool, Limits, WorkerError, WorkerResult

__all__ = ["DEFAULT_TIMEOUT", "Scanned", "scan_files"]

DEFAULT_TIMEOUT = 600.0
"""Seconds that one file may take: hours of music, even where a core hears ten times real time."""

Status = Literal["analysed", "known", "unchanged", "failed", "failed before"]

Results = Generator["Scanned", None, None]

# A library holds what its owner put there: mixes of a day, DSD. Only memory has a bound.
_LIMITS = Limits(seconds=1e9, sample_rate=3_000_000, channels=256)
_ATTEMPTS = 2  # to find a worker, or to be heard while the computer is awake
_PATIENCE = 300.0  # seconds that workers may take to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What became of a file.

    Attributes:
        path: of the file, absolute.
        status: ``"analysed"``; ``"known"``: its sound was heard before, at another place or with
            other tags; ``"unchanged"``; ``"failed"``; ``"failed before"``: and not tried again.
        prediction: that was made now, or None.
        failure: why it failed, or None.
        notes: what was wrong with it although it could be heard, in sentences.

    """

    path: str
    status: Status
    prediction: StoredPrediction | None = None
    failure: Failure | None = None
    notes: tuple[str, ...] = ()


def scan_files(
    catalog: Catalog,
    files: Iterable[Found],
    *,
    model: str | None = None,
    jobs: int = 1,
    fast: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    retry: bool = False,
) -> Results:
    """Bring a catalogue up to date with files.

    Nothing is read of a file of known size and time of modification that this model has heard. A
    file that failed is tried again when it, the model or genrelens is another. Closing the
    iterator ends the workers; what was yielded is safe. Workers import the script that calls this:
    it must guard what it does with ``if __name__ == "__main__"``.

    Args:
        catalog: to be written to.
        files: from :func:`genrelens.discovery.find.find_files`.
        model: as for :meth:`Classifier.load`.
        jobs: files at once, each in a process of its own.
        fast: hear three windows of 30 s of each recording; those that were heard whole stay.
        timeout: seconds that a file may take; then its process is ended.
        retry: try again what failed before.

    Yields:
        What became of each file, as it comes.

    Raises:
        LibraryError: the catalogue cannot be written, or there are no worker processes.
        ModelError: the model cannot be loaded.
        ValueError: ``jobs`` or ``timeout`` is out of range.

    """
    if jobs < 1:
        raise ValueError(f"jobs={jobs} must be at least 1")
    if not timeout > 0:
        raise ValueError(f"timeout={timeout} must be positive")
    return _Scan(catalog, model, jobs, fast=fast, timeout=timeout, retry=retry).run(iter(files))


@dataclass(slots=True)
class _Job:
    """A file on its way; ``digest`` is None until it is known."""

    found: Found
    digest: str | None = None
    tags: Tags | None = None
    attempts: int = 0
    submitted: float = 0.0  # on a clock that stands still while the computer sleeps


class _Scan:
    """The state of a scan: what is under way, and who waits for what."""

    def __init__(
        self,
        catalog: Catalog,
        model: str | None,
        jobs: int,
        *,
        fast: bool,
        timeout: float,
        retry: bool,
    ) -> None:
        self._catalog, self._model, self._jobs = catalog, model, jobs
        self._fast, self._timeout, self._retry = fast, timeout, retry
        self._model_digest = model_digest(model)
        self._pool: ClassifierPool | None = None
        self._running: dict[Future[Any], _Job] = {}
        self._twins: dict[str, list[_Job]] = {}  # those who wait for a digest that is being heard

    def run(self, files: Iterator[Found]) -> Results:
        """Go through the files."""
        try:
            while True:
                while len(self._running) < 2 * self._jobs and (found := next(files, None)):
                    yield from self._begin(found)
                if not self._running:
                    return
                done, _ = wait(self._running, self._timeout + _PATIENCE, FIRST_COMPLETED)
                if not done:
                    raise LibraryError("the worker processes do not answer")
                for future in done:
                    yield from self._go_on(self._running.pop(future), future)
        finally:
            if self._pool is not None:
                self._pool.close()

    def _begin(self, found: Found) -> Iterator[Scanned]:
        known = self._catalog.file(found.path)
        if known is None or (known.size, known.mtime_ns) != (found.size, found.mtime_ns):
            self._submit(_Job(found))
        elif known.digest is not None and self._is_heard(known.digest):
            yield Scanned(path=found.path, status="unchanged")
        elif known.failure and known.failure.holds(self._model_digest) and not self._retry:
            yield Scanned(path=found.path, status="failed before", failure=known.failure)
        elif known.digest is None:
            self._submit(_Job(found))
        else:
            yield from self._hear(_Job(found, known.digest, known.tags))

    def _is_heard(self, digest: str) -> bool:
        return self._catalog.has_prediction(digest, self._model_digest, fast=self._fast)

    def _hear(self, job: _Job) -> Iterator[Scanned]:
        """Have the sound heard, unless it was or is being heard."""
        assert job.digest is not None
        if job.digest in self._twins:
            self._twins[job.digest].append(job)
        elif self._is_heard(job.digest):
            yield self._record(job, "known")
        else:
            self._twins[job.digest] = []
            self._submit(job)

    def _submit(self, job: _Job) -> None:
        if self._pool is None:
            ModelFile.load(self._model, threads=1)  # what is wrong with it is better said here
            self._pool = ClassifierPool(self._model, workers=self._jobs, limits=_LIMITS)
        job.attempts += 1
        job.submitted = time.monotonic()
        path = job.found.path
        if job.digest is None:
            future: Future[Any] = self._pool.run(partial(identify, path), timeout=self._timeout)
        else:
            future = self._pool.submit(
                Path(path), path, fast=self._fast, alone=self._jobs == 1, timeout=self._timeout
            )
        self._running[future] = job

    def _go_on(self, job: _Job, future: Future[Any]) -> Iterator[Scanned]:
        """Take a step with what a worker said."""
        said = self._said(job, future)
        if said is None:
            self._submit(job)
        elif isinstance(said, Identity):
            job.digest, job.tags, job.attempts = said.digest, said.tags, 0
            yield from self._hear(job)
        elif isinstance(said, Failure):
            yield from self._fail(job, said)
        else:
            prediction = StoredPrediction.of(
                said.prediction, model_digest=self._model_digest, fast=self._fast
            )
            yield self._record(job, "analysed", prediction=prediction, notes=said.notes)
            for twin in self._released(job):
                yield self._record(twin, "known")

    def _said(self, job: _Job, future: Future[Any]) -> Identity | WorkerResult | Failure | None:
        """Return what a worker said, or why it said nothing; None to ask again."""
        try:
            said: Identity | WorkerResult | WorkerError | Failure = future.result()
        except TimeoutError:
            slept = time.monotonic() - job.submitted < self._timeout
            if slept and job.attempts < _ATTEMPTS:
                return None
            return self._lasting(f"took longer than {self._timeout:g} s")
        except ProcessExpired as error:
            return self._lasting(f"crashed the process that read it ({_exit(error.exitcode)})")
        except BrokenProcessPool as error:
            if job.attempts < _ATTEMPTS:
                return None
            raise LibraryError("the worker processes end before they begin") from error
        except RuntimeError as error:
            return self._lasting(f"is more than genrelens can handle ({_last_line(error)})")
        if isinstance(said, WorkerError):
            unchanged = job.found.is_unchanged
            return self._lasting(said.reason) if unchanged else Failure(said.reason)
        return said

    def _lasting(self, reason: str) -> Failure:
        return Failure(reason, self._model_digest, __version__)

    def _fail(self, job: _Job, failure: Failure) -> Iterator[Scanned]:
        for each in (job, *self._released(job)):
            yield self._record(each, "failed", failure=failure)

    def _released(self, job: _Job) -> list[_Job]:
        return [] if job.digest is None else self._twins.pop(job.digest, [])

    def _record(
        self,
        job: _Job,
        status: Status,
        *,
        prediction: StoredPrediction | None = None,
        failure: Failure | None = None,
        notes: tuple[str, ...] = (),
    ) -> Scanned:
        found = job.found
        self._catalog.record(
            found.path,
            size=found.size,
            mtime_ns=found.mtime_ns,
            digest=job.digest,
            tags=job.tags,
            prediction=prediction,
            failure=failure,
        )
        return Scanned(
            path=found.path, status=status, prediction=prediction, failure=failure, notes=notes
        )


def _exit(code: int) -> str:
    """Say how a process ended: its exit code, or the signal that ended it."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


def _last_line(error: RuntimeError) -> str:
    return str(error).strip().rpartition("\n")[2]
