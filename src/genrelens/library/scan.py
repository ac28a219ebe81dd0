"""Classify the new files of a library and store the predictions in the catalogue.

Worker processes (:mod:`genrelens.worker_pool`) read each file in two steps: first the digest of
its audio and its tags; then its prediction, unless the catalogue has one for that audio. Each
result is stored at once, so an interruption loses only the results of files in progress.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pebble import ProcessExpired

from genrelens import __version__
from genrelens.discovery.find import Found, is_gone
from genrelens.discovery.locations import is_uri
from genrelens.discovery.stores import copy_object
from genrelens.errors import AudioError, LibraryError, TagError
from genrelens.files import temporary_beside
from genrelens.library.catalog import Catalog
from genrelens.library.digest import audio_digest
from genrelens.library.records import Failure, StoredPrediction
from genrelens.logs import logger
from genrelens.model_file import ModelFile, model_digest
from genrelens.tags import Tags, read_tags
from genrelens.worker_pool import ClassifierPool, Limits, WorkerError, WorkerResult

__all__ = [
    "DEFAULT_TIMEOUT",
    "Scanned",
    "classifier_pool",
    "identify",
    "prune",
    "scan_files",
]

DEFAULT_TIMEOUT = 600.0
"""Default limit in seconds for one file: enough for hours of audio on a slow core."""

Status = Literal["analysed", "known", "unchanged", "failed", "failed before"]

Results = Generator["Scanned", None, None]
_Identity = tuple[str, Tags | None]  # digest of the audio, and the tags

# The files belong to the user, so a recording may last a day or be in DSD. Only memory is limited.
_LIMITS = Limits(seconds=1e9, sample_rate=3_000_000, channels=256)
_log = logger(__name__)
_ATTEMPTS = 2  # for each file, if no worker started or the computer slept
_PATIENCE = 300.0  # seconds that workers may take to start
_LARGEST_OBJECT = 2**32  # bytes of an object that is copied to a temporary file


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """The result of a scan for one file.

    Attributes:
        path: absolute path of the file.
        status: ``"analysed"``: the file was classified; ``"known"``: the catalogue had a
            prediction for this audio, from another path or with other tags; ``"unchanged"``: the
            file has not changed since the last scan; ``"failed"``; ``"failed before"``: the file
            failed in an earlier scan and was not tried again.
        prediction: the new prediction; None unless the status is ``"analysed"``.
        failure: why the file could not be classified, or None.
        notes: warnings about damage in a file that was classified nevertheless.

    Example::

        for scanned in scan_files(catalog, files):
            if scanned.failure is not None:
                print(scanned.path, scanned.failure.reason)

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
    pool: ClassifierPool | None = None,
) -> Results:
    """Classify files and store the results in a catalogue, unless it is up to date.

    A file is not opened if its size and time of modification are those in the catalogue and it has
    a prediction of this model. A failed file is tried again if the file, the model or the version
    of genrelens has changed. Closing the iterator ends the workers; all yielded results are stored.
    Workers import the calling script, so the script needs ``if __name__ == "__main__"``.

    Objects in a store (from :func:`find_sources`) are copied to temporary files, of which at most
    ``2 * jobs`` exist at a time.

    Args:
        catalog: the catalogue, open for writing.
        files: files from :func:`find_files`.
        model: name of a packaged model or path of a model file; None is the default model.
        jobs: number of worker processes, at least 1.
        fast: classify three short excerpts of each recording. Recordings that were classified
            completely keep their prediction.
        timeout: time limit for one file in seconds, above 0; its process is then ended.
        retry: try files again that failed in an earlier scan.
        pool: worker processes of ``model``, for several scans; they are not ended. None starts
            ``jobs`` processes and ends them after the scan.

    Yields:
        The result of each file, in order of completion.

    Raises:
        LibraryError: the catalogue cannot be written, or no worker process can be started.
        ModelError: the model cannot be loaded.
        ValueError: ``jobs`` or ``timeout`` is out of range.

    Example::

        with Catalog.open() as catalog:
            for scanned in scan_files(catalog, find_files(["Music"], on_problem=print), jobs=4):
                print(scanned.path, scanned.status)

    """
    if jobs < 1:
        raise ValueError(f"jobs={jobs} must be at least 1")
    if not timeout > 0:
        raise ValueError(f"timeout={timeout} must be positive")
    scan = _Scan(catalog, model, jobs, fast=fast, timeout=timeout, retry=retry, pool=pool)
    return scan.run(iter(files))


def classifier_pool(model: str | None, workers: int) -> ClassifierPool:
    """Return worker processes for :func:`scan_files`.

    Raises:
        ModelError: the model cannot be loaded.

    """
    ModelFile.load(model, threads=1)  # raises here rather than in a worker
    return ClassifierPool(model, workers=workers, limits=_LIMITS)


@dataclass(slots=True)
class _Job:
    """A file in progress; ``digest`` is None until the first step is done."""

    found: Found
    digest: str | None = None
    tags: Tags | None = None
    attempts: int = 0
    submitted: float = 0.0  # on a clock that stops while the computer sleeps
    copy: Path | None = None  # of an object, as a temporary file

    @property
    def path(self) -> str:
        """Path of the file to be read."""
        return self.found.path if self.copy is None else str(self.copy)


class _Scan:
    """The files in progress, and the files that wait for a copy in progress."""

    def __init__(
        self,
        catalog: Catalog,
        model: str | None,
        jobs: int,
        *,
        fast: bool,
        timeout: float,
        retry: bool,
        pool: ClassifierPool | None,
    ) -> None:
        self._catalog, self._model, self._jobs = catalog, model, jobs
        self._fast, self._timeout, self._retry = fast, timeout, retry
        self._model_digest = model_digest(model)
        self._pool, self._own_pool = pool, pool is None
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._running: dict[Future[Any], _Job] = {}
        self._waiting: dict[str, list[_Job]] = {}  # digest in progress -> other files with it

    def run(self, files: Iterator[Found]) -> Results:
        try:
            while True:
                while len(self._running) < 2 * self._jobs and (found := next(files, None)):
                    yield from self._begin(found)
                if not self._running:
                    return
                done, _ = wait(self._running, self._timeout + _PATIENCE, FIRST_COMPLETED)
                if not done:
                    raise LibraryError("the worker processes do not respond")
                for future in done:
                    yield from self._continue(self._running.pop(future), future)
        finally:
            if self._pool is not None and self._own_pool:
                self._pool.close()
            if self._copies is not None:
                self._copies.cleanup()

    def _begin(self, found: Found) -> Iterator[Scanned]:
        known = self._catalog.file(found.path)
        if known is None or (known.size, known.mtime_ns) != (found.size, found.mtime_ns):
            yield from self._start(_Job(found))
        elif known.digest is not None and self._has_prediction(known.digest):
            _log.debug("%s: unchanged", found.path)
            yield Scanned(path=found.path, status="unchanged")
        elif known.failure and known.failure.holds(self._model_digest) and not self._retry:
            yield Scanned(path=found.path, status="failed before", failure=known.failure)
        else:
            yield from self._start(_Job(found, known.digest, known.tags))

    def _start(self, job: _Job) -> Iterator[Scanned]:
        """Copy an object to a file, and begin with the first step that is not done."""
        if is_uri(job.found.path):
            try:
                job.copy = self._copied(job.found)
            except LibraryError as error:
                yield self._record(job, "failed", failure=Failure(error.reason))
                return
        if job.digest is None:
            self._submit(job)
        else:
            yield from self._classify(job)

    def _copied(self, found: Found) -> Path:
        if found.size > _LARGEST_OBJECT:
            raise LibraryError(f"is larger than {_LARGEST_OBJECT / 2**30:g} GiB", path=found.path)
        if self._copies is None:
            self._copies = tempfile.TemporaryDirectory(prefix="genrelens-")
        path = temporary_beside(Path(self._copies.name) / "copy")
        copy_object(found.path, path, found.size)
        return path

    def _has_prediction(self, digest: str) -> bool:
        return self._catalog.has_prediction(digest, self._model_digest, fast=self._fast)

    def _classify(self, job: _Job) -> Iterator[Scanned]:
        """Queue the audio for classification unless it is done or in progress."""
        assert job.digest is not None
        if job.digest in self._waiting:
            self._waiting[job.digest].append(job)
        elif self._has_prediction(job.digest):
            yield self._record(job, "known")
        else:
            self._waiting[job.digest] = []
            self._submit(job)

    def _submit(self, job: _Job) -> None:
        if self._pool is None:
            self._pool = classifier_pool(self._model, self._jobs)
        job.attempts += 1
        job.submitted = time.monotonic()
        if job.digest is None:
            future: Future[Any] = self._pool.run(partial(identify, job.path), timeout=self._timeout)
        else:
            future = self._pool.submit(
                Path(job.path),
                job.found.path,
                fast=self._fast,
                alone=self._jobs == 1 and self._own_pool,
                timeout=self._timeout,
            )
        self._running[future] = job

    def _continue(self, job: _Job, future: Future[Any]) -> Iterator[Scanned]:
        """Process a worker's result: record it, or start the next step."""
        result = self._result(job, future)
        if result is None:
            _log.info("%s: trying again", job.found.path)
            self._submit(job)
        elif isinstance(result, tuple):
            (job.digest, job.tags), job.attempts = result, 0
            yield from self._classify(job)
        elif isinstance(result, Failure):
            for each in (job, *self._released(job)):
                yield self._record(each, "failed", failure=result)
        else:
            prediction = StoredPrediction.of(
                result.prediction, model_digest=self._model_digest, fast=self._fast
            )
            yield self._record(job, "analysed", prediction=prediction, notes=result.notes)
            for copy in self._released(job):
                yield self._record(copy, "known")

    def _result(self, job: _Job, future: Future[Any]) -> _Identity | WorkerResult | Failure | None:
        """Return a worker's result, or a failure; None if the file is to be tried again."""
        try:
            result: _Identity | WorkerResult | WorkerError | Failure = future.result()
        except TimeoutError:
            slept = time.monotonic() - job.submitted < self._timeout
            if slept and job.attempts < _ATTEMPTS:
                return None
            return self._lasting(f"took longer than {self._timeout:g} s")
        except ProcessExpired as error:
            return self._lasting(f"crashed its decoder ({_exit(error.exitcode)})")
        except BrokenProcessPool as error:
            if job.attempts < _ATTEMPTS:
                return None
            raise LibraryError("no worker process can be started") from error
        except RuntimeError as error:
            return self._lasting(f"caused an unexpected error ({_last_line(error)})")
        if isinstance(result, WorkerError):
            unchanged = job.copy is not None or job.found.is_unchanged
            return self._lasting(result.reason) if unchanged else Failure(result.reason)
        return result

    def _lasting(self, reason: str) -> Failure:
        """Return a failure that the next scan does not try again."""
        return Failure(reason, self._model_digest, __version__)

    def _released(self, job: _Job) -> list[_Job]:
        return [] if job.digest is None else self._waiting.pop(job.digest, [])

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
        _log.debug("%s: %s", found.path, status)
        if job.copy is not None:
            job.copy.unlink(missing_ok=True)
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


def identify(path: str) -> _Identity | Failure:
    """Return the digest of a file's audio and its tags, or why the file cannot be read.

    A scan calls this in a worker process, because a damaged file may crash the decoder. The tags
    are None if the format has none or they cannot be read.
    """
    try:
        digest = audio_digest(path)
    except AudioError as error:
        return Failure(error.reason)
    try:
        return digest, read_tags(path)
    except TagError:
        return digest, None


def _exit(code: int) -> str:
    """Return the name of the signal that ended a process, or its exit code as text."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


def _last_line(error: RuntimeError) -> str:
    return str(error).strip().rpartition("\n")[2]


def prune(catalog: Catalog, folder: str | os.PathLike[str], files: Sequence[Found]) -> list[Path]:
    """Remove the files in or below a folder that no longer exist from a catalogue.

    Args:
        catalog: the catalogue, open for writing.
        folder: the folder.
        files: the files that :func:`find_files` has just found in it.

    Returns:
        Paths of the removed files.

    Raises:
        LibraryError: no file was found in the folder, possibly because its drive is not connected;
            or the catalogue cannot be written.

    Example::

        with Catalog.open() as catalog:
            gone = prune(catalog, "Music", list(find_files(["Music"], on_problem=print)))

    """
    prefix = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118
    if not any(found.path.startswith(prefix) for found in files):
        reason = "is not pruned, because no audio file was found in it"
        raise LibraryError(reason, path=folder)
    gone = [entry.path for entry in catalog.query(under=folder) if is_gone(entry.path)]
    catalog.remove(gone)
    return gone
