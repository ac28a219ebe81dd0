"""Distribute the files of a scan to the workers of a Ray cluster, and collect the results."""

from __future__ import annotations

import math
import pickle
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from genrelens.cluster.known import KnownFiles, read_known
from genrelens.cluster.worker import Settings, Worker
from genrelens.discovery.find import Found
from genrelens.discovery.stores import store_options, use_store_options
from genrelens.errors import LibraryError
from genrelens.library.dataset import Dataset
from genrelens.library.records import Failure
from genrelens.library.scan import DEFAULT_TIMEOUT, Results, Scanned
from genrelens.model_file import ModelFile, model_digest, packaged_models

__all__ = ["scan_on_cluster"]

Batch = list[Scanned]

_WAVE = 100_000  # files that are handed to Ray at a time
_SMALLEST, _LARGEST, _TASKS = 4, 256, 16  # files of a task, and tasks for each worker
_MEMORY = 512 * 2**20  # bytes that Ray reserves for a worker; see also worker_pool.Limits


def scan_on_cluster(
    dataset: Dataset,
    files: Iterable[Found],
    *,
    model: str | None = None,
    jobs: int = 0,
    fast: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    retry: bool = False,
) -> Results:
    """Classify files on the connected Ray cluster, and write the results to a data set.

    What the data set contains is not classified again. A task writes a part with its files at once
    and completely. Ray repeats the tasks that are lost with a node or a process.

    Args:
        dataset: the data set; each node must reach its folder or URI.
        files: files from :func:`find_sources`; each node must reach their paths or URIs.
        model: name of a packaged model or path of a model file; None is the default model.
        jobs: highest number of workers, each with one core; 0: one for each core.
        fast: classify three short excerpts of each recording.
        timeout: time limit for one file in seconds.
        retry: try files again that failed in an earlier scan.

    Yields:
        The result of each file; those of a task come together.

    Raises:
        LibraryError: the data set cannot be read or written, or the cluster is lost.
        ModelError: the model cannot be loaded.

    """
    ModelFile.load(model, threads=1)  # raises here rather than on a node
    settings = Settings(
        location=dataset.location,
        store_options=store_options(),
        model=model if model in packaged_models() else None,
        model_content=_content(model),
        model_digest=model_digest(model),
        fast=fast,
        timeout=timeout,
        retry=retry,
        jobs=jobs,
    )
    for batch in _remote_batches(files, settings) if _is_client() else _batches(files, settings):
        yield from batch


def _content(model: str | None) -> bytes | None:
    return None if model is None or model in packaged_models() else Path(model).read_bytes()


def _is_client() -> bool:
    """Return whether this process is connected by ``ray://``."""
    from ray.util.client import ray

    client: Any = ray
    return bool(client.is_connected())


def _remote_batches(files: Iterable[Found], settings: Settings) -> Iterator[Batch]:
    """Do the work of :func:`_batches` in an actor, because Ray Data needs a node of the cluster."""
    import ray
    from ray.exceptions import RayError

    driver: Any = ray.remote(num_cpus=0)(_RemoteDriver)
    driver = driver.remote(list(files), settings)
    try:
        while (batch := ray.get(driver.next.remote())) is not None:
            yield batch
    except RayError as error:
        raise _lost(error) from error


class _RemoteDriver:
    def __init__(self, files: Sequence[Found], settings: Settings) -> None:
        use_store_options(settings.store_options)
        self._batches = _batches(files, settings)

    def next(self) -> Batch | None:
        return next(self._batches, None)


def _batches(files: Iterable[Found], settings: Settings) -> Iterator[Batch]:
    """Yield the results of the files, those of a task together."""
    dataset = Dataset(settings.location)
    known, audio = read_known(
        dataset,
        model_digest=settings.model_digest,
        fast=settings.fast,
        retry=settings.retry,
    )
    run = _Run(settings, audio)
    files = iter(files)
    while wave := list(islice(files, _WAVE)):
        results = {found: _known(found, known) for found in wave}
        yield [each for each in results.values() if each is not None]
        yield from run.scan([found for found, each in results.items() if each is None])
    dataset.tidy()


def _known(found: Found, known: KnownFiles) -> Scanned | None:
    """Return the result of a file that need not be opened, or None."""
    match known.status(found):
        case "unchanged":
            return Scanned(path=found.path, status="unchanged")
        case "failed before":
            failure = Failure("failed in an earlier scan")
            return Scanned(path=found.path, status="failed before", failure=failure)
    return None


class _Run:
    """A scan by a pool of workers."""

    def __init__(self, settings: Settings, audio: Any) -> None:
        import ray

        self._settings = settings
        self._audio = ray.put(audio)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        n_cores = int(resources.get("CPU", 1))
        self._n_workers = max(1, min(settings.jobs or n_cores, n_cores))
        self._name = secrets.token_hex(6)  # parts of another run are never replaced
        self._n_tasks = 0

    def scan(self, files: Sequence[Found]) -> Iterator[Batch]:
        """Yield the results of files, those of a task together."""
        import ray
        from ray.exceptions import RayError

        if not files:
            return
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        results: Any = ray.data.from_arrow(self._tasks(files)).map_batches(
            Worker,
            fn_constructor_args=(self._settings, self._audio),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self._n_workers),
            num_cpus=1,
            memory=_MEMORY,
        )
        try:
            for batch in results.iter_batches(batch_size=None, batch_format="pyarrow"):
                for content in batch["scanned"].to_pylist():
                    yield pickle.loads(content)
        except RayError as error:
            raise _lost(error) from error

    def _tasks(self, files: Sequence[Found]) -> list[Any]:
        """Return the files as tables, one for each task."""
        import pyarrow as pa

        wanted = math.ceil(len(files) / (_TASKS * self._n_workers))
        size = min(_LARGEST, max(_SMALLEST, wanted))
        tables = []
        for start in range(0, len(files), size):
            self._n_tasks += 1
            some = files[start : start + size]
            columns = {
                "path": [pickle.dumps(found.path) for found in some],
                "size": [found.size for found in some],
                "mtime_ns": [found.mtime_ns for found in some],
                "part": [f"part-{self._name}-{self._n_tasks:06}.parquet"] * len(some),
            }
            tables.append(pa.table(columns))
        return tables


def _lost(error: Exception) -> LibraryError:
    lines = str(error).strip().splitlines()
    return LibraryError(f"the cluster failed ({lines[-1].strip() if lines else type(error)})")
