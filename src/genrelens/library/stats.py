"""Count what the catalogue holds: genres, verdicts, failures, copies and hours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from genrelens.library.catalog import Catalog, StrPath
from genrelens.library.columns import path_key

__all__ = ["LibraryStats", "library_stats"]

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
    verdicts, genres = Counter[str](), Counter[str]()
    failures, models = Counter[str](), Counter[str]()
    files, seconds = 0, 0.0
    for group in catalog.groups(under=under, paths=chosen):
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
        copies=catalog.count_copies(under=under, paths=chosen),
        verdicts=_ranked(verdicts),
        genres=_ranked(genres),
        failures=_ranked(failures),
        models=_ranked(models),
    )


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
