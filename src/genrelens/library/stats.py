"""Count what a catalogue or a data set holds: genres, verdicts, failures, copies and hours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from genrelens.library.catalog import Catalog, StrPath
from genrelens.library.columns import path_key
from genrelens.library.dataset import Dataset
from genrelens.library.parquet_checks import paths_of
from genrelens.library.records import Failure

__all__ = ["LibraryStats", "dataset_stats", "library_stats"]

_DETAILS = re.compile(r" \(|[:;] ")  # what follows is particular to one file


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStats:
    """Numbers of files in a catalogue, as they were at their latest scan.

    Each file is counted once: under its verdict, or under the reason of its failure.

    Attributes:
        files: number of files.
        seconds: length of their audio, including copies.
        copies: files with the same audio as another file that is counted.
        verdicts: verdict -> number of files, the most frequent first.
        genres: predicted genre -> number of files with the verdict ``"genre"``, the most frequent
            first. A file with several genres counts under the most probable one.
        failures: reason -> number of files that could not be classified, the most frequent first.
            Details of one file, such as an error code, are left out.
        models: name of the model -> number of files whose latest prediction is by it.

    Example::

        stats = library_stats(catalog, under="Music")
        print(stats.files, "files;", stats.genres)

    """

    files: int
    seconds: float
    copies: int
    verdicts: Mapping[str, int]
    genres: Mapping[str, int]
    failures: Mapping[str, int]
    models: Mapping[str, int]

    @property
    def failed(self) -> int:
        """Number of files that could not be classified."""
        return sum(self.failures.values())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values of all fields, as in ``genrelens stats --json``."""
        return asdict(self) | {"failed": self.failed}


def library_stats(
    catalog: Catalog,
    *,
    under: StrPath | None = None,
    paths: Iterable[StrPath] | None = None,
) -> LibraryStats:
    """Count the files of a catalogue in one pass; the files themselves are not opened.

    Args:
        catalog: a catalogue that a scan has filled.
        under: count only files in this folder or below it, or this file.
        paths: count only these files.

    Raises:
        LibraryError: the catalogue cannot be read.

    Example::

        with Catalog.open(readonly=True) as catalog:
            for genre, n in library_stats(catalog).genres.items():
                print(genre, n)

    """
    chosen = None if paths is None else {path_key(path) for path in paths}
    groups = catalog.groups(under=under, paths=chosen)
    return _stats(groups, catalog.count_copies(under=under, paths=chosen))


def dataset_stats(dataset: Dataset, *, paths: Iterable[StrPath] | None = None) -> LibraryStats:
    """Count the files of a data set as :func:`library_stats` does, but read only some columns.

    A file is counted once for each of its rows, of which :meth:`Dataset.tidy` leaves one.

    Args:
        dataset: the data set.
        paths: count only these files.

    Raises:
        LibraryError: the data set cannot be read.

    Example::

        stats = dataset_stats(Dataset("s3://bucket/library"))
        print(stats.files, "files;", stats.genres)

    """
    import pyarrow as pa

    chosen = None if paths is None else {path_key(path) for path in paths}
    groups, digests = list[dict[str, Any]](), list[Any]()
    for part in dataset.parts():
        table = dataset.columns(part, _COLUMNS)
        if chosen is not None:
            table = table.filter([path in chosen for path in paths_of(table)])
        digests += table["digest"].drop_null().chunks
        counted = table.group_by(_GROUPED).aggregate([([], "count_all"), ("duration", "sum")])
        groups += counted.to_pylist()
    copies = pa.chunked_array(digests, pa.string())
    return _stats(map(_group, groups), len(copies) - len(copies.unique()))


_GROUPED = ["error", "model", "verdict", "genre"]
_COLUMNS = [*_GROUPED, "path", "path_bytes", "digest", "duration"]


def _group(row: dict[str, Any]) -> dict[str, Any]:
    """Return a group as :meth:`Catalog.groups` does."""
    failure = None if row["error"] is None else Failure(row["error"])
    seconds = row["duration_sum"] or 0.0
    return {**row, "failure": failure, "files": row["count_all"], "seconds": seconds}


def _stats(groups: Iterable[Mapping[str, Any]], copies: int) -> LibraryStats:
    verdicts, genres = Counter[str](), Counter[str]()
    failures, models = Counter[str](), Counter[str]()
    files, seconds = 0, 0.0
    for group in groups:
        n = group["files"]
        files += n
        if group["failure"] is not None:
            failures[_DETAILS.split(group["failure"].reason)[0]] += n
        elif group["verdict"] is not None:
            seconds += group["seconds"]
            models[group["model"]] += n
            verdicts[group["verdict"]] += n
            if group["verdict"] == "genre":
                genres[group["genre"]] += n
    return LibraryStats(
        files=files,
        seconds=seconds,
        copies=copies,
        verdicts=_ranked(verdicts),
        genres=_ranked(genres),
        failures=_ranked(failures),
        models=_ranked(models),
    )


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
