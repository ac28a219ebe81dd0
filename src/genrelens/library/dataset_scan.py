"""Scan recordings on one machine and write the results as a data set."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from genrelens.discovery.find import Found
from genrelens.library.catalog import Catalog
from genrelens.library.dataset import Dataset
from genrelens.library.scan import Results, Scanned, scan_files

__all__ = ["NEW", "scan_to_dataset"]

NEW = frozenset(("analysed", "known", "failed"))
"""Statuses of files that get a new row."""

_MOST_ROWS = 1000  # of a part
_MOST_SECONDS = 60.0  # between two parts, so that little is lost if the process is killed


def scan_to_dataset(dataset: Dataset, files: Iterable[Found], **options: Any) -> Results:
    """Classify files as :func:`scan_files` does, and write the results to a data set.

    What the data set contains is not classified again. A part is written every minute, and when the
    scan ends or the iterator is closed. So a scan that is killed loses a minute at most.

    Args:
        dataset: the data set; it is created if it does not exist.
        files: files from :func:`find_sources` or :func:`find_files`.
        **options: the further arguments of :func:`scan_files`.

    Yields:
        The result of each file, in order of completion.

    Raises:
        LibraryError: the data set cannot be read or written, and the errors of :func:`scan_files`.

    Example::

        files = find_sources(["s3://bucket/music"], on_problem=print)
        for scanned in scan_to_dataset(Dataset("s3://bucket/library"), files, jobs=4):
            print(scanned.path, scanned.status)

    """
    with dataset.catalog() as catalog:
        yield from _written(dataset, catalog, scan_files(catalog, files, **options))
    dataset.tidy()


def _written(dataset: Dataset, catalog: Catalog, results: Results) -> Iterator[Scanned]:
    paths: list[str] = []
    started = time.monotonic()
    try:
        with closing(results):
            for scanned in results:
                paths += [scanned.path] if scanned.status in NEW else []
                if len(paths) >= _MOST_ROWS or time.monotonic() - started > _MOST_SECONDS:
                    _write(dataset, catalog, paths)
                    started = time.monotonic()
                yield scanned
    finally:
        _write(dataset, catalog, paths)


def _write(dataset: Dataset, catalog: Catalog, paths: list[str]) -> None:
    entries = [entry for path in paths if (entry := catalog.entry(path)) is not None]
    if entries:
        dataset.write(entries)
    paths.clear()
