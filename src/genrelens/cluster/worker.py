"""The actor that classifies files on a node: one classifier in a process of its own."""

from __future__ import annotations

import pickle
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrelens.cluster.known import KnownAudio
from genrelens.discovery.find import Found
from genrelens.discovery.stores import use_store_options
from genrelens.errors import LibraryError
from genrelens.library.catalog import Catalog
from genrelens.library.dataset import Dataset
from genrelens.library.scan import classifier_pool, scan_files
from genrelens.quiet import quiet_libraries

__all__ = ["Settings", "Worker"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all workers of a scan need.

    Attributes:
        location: folder or URI of the data set.
        store_options: see :func:`genrelens.discovery.stores.store_options`.
        model: name of a packaged model, or None.
        model_content: content of the model file, if it is no packaged one.
        model_digest: SHA-256 of the model file.
        fast: classify excerpts.
        timeout: seconds for each file.
        retry: try files again that failed before.
        jobs: highest number of workers; 0: one for each core.

    """

    location: str
    store_options: dict[str, str]
    model: str | None
    model_content: bytes | None
    model_digest: str
    fast: bool
    timeout: float
    retry: bool
    jobs: int


class Worker:
    """Classifies the files of a task and writes them as a part of the data set.

    A decoder that crashes or hangs ends only the process of the classifier. A task that is repeated
    after the loss of a node finds its part, or replaces it.

    Args:
        settings: the settings of the scan.
        known: audio that was classified before.

    """

    def __init__(self, settings: Settings, known: Any) -> None:
        import ray

        use_store_options(settings.store_options)
        # A new process imports the file of __main__, which here is Ray's: that costs a second.
        sys.modules["__main__"].__file__ = None
        self._settings = settings
        self._known: KnownAudio = ray.get(known)
        self._dataset = Dataset(settings.location)
        self._folder = tempfile.TemporaryDirectory(prefix="genrelens-")
        self._model = settings.model
        if settings.model_content is not None:
            path = Path(self._folder.name) / "model.onnx"
            path.write_bytes(settings.model_content)
            self._model = str(path)
        self._pool = classifier_pool(self._model, 1)

    def __call__(self, task: Any) -> Any:
        """Classify the files of a task.

        Args:
            task: table with a row for each file (``path``, ``size``, ``mtime_ns``), and the name
                of the part in ``part``.

        Returns:
            A table with one row: the pickled list of :class:`Scanned`.

        """
        import pyarrow as pa

        rows = task.to_pylist()
        files = [Found(pickle.loads(r["path"]), r["size"], r["mtime_ns"]) for r in rows]
        with _TaskCatalog.of(self._dataset, self._known) as catalog, quiet_libraries():
            scanned = list(
                scan_files(
                    catalog,
                    files,
                    model=self._model,
                    fast=self._settings.fast,
                    timeout=self._settings.timeout,
                    pool=self._pool,
                )
            )
            entries = [entry for each in files if (entry := catalog.entry(each.path)) is not None]
        self._dataset.write(entries, part=rows[0]["part"])
        return pa.table({"scanned": [pickle.dumps(scanned)]})


class _TaskCatalog(Catalog):
    """The files of a task; predictions of known audio are read from the data set."""

    dataset: Dataset
    known: KnownAudio

    @classmethod
    def of(cls, dataset: Dataset, known: KnownAudio) -> _TaskCatalog:
        catalog = cls.temporary("task")
        catalog.dataset, catalog.known = dataset, known
        return catalog

    def has_prediction(self, digest: str, model_digest: str, *, fast: bool) -> bool:
        """Return whether there is a prediction, in the task or in the data set."""
        part = self.known.part(digest)
        if part is not None and not super().has_prediction(digest, model_digest, fast=fast):
            with suppress(LibraryError):  # the part was merged with others: classify again
                self.merge(each for each in self.dataset.entries(part) if each.digest == digest)
        return super().has_prediction(digest, model_digest, fast=fast)
