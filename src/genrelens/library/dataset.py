"""A library as a data set: Parquet files in a folder, on a disk or in an object store.

Scans of many machines write such a data set, because each of its files ("parts") is written once
and completely. A part has the schema of ``genrelens list --format parquet``. A file has one row,
with its prediction or the reason why it has none. If two parts have a row of one file, the later
scan counts; :meth:`Dataset.tidy` removes the other row.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from genrelens.discovery.locations import SCHEMES, is_uri
from genrelens.discovery.stores import Store
from genrelens.errors import LibraryError
from genrelens.files import reason, replaced
from genrelens.library.catalog import Catalog
from genrelens.library.catalog_queries import StoredRow
from genrelens.library.dataset_cache import open_catalog
from genrelens.library.parquet import parquet_schema, write_parquet
from genrelens.library.parquet_checks import check_columns
from genrelens.library.parquet_rows import (
    UNREADABLE,
    conformed,
    read_entries,
    read_rows,
    unreadable,
)
from genrelens.library.records import Entry

__all__ = ["Dataset", "import_library", "is_dataset", "open_library"]

StrPath = str | os.PathLike[str]

_SQLITE = b"SQLite format 3\0"  # the first bytes of a file
_SUFFIX = ".parquet"
_SMALL, _LARGE = 5_000, 20_000  # rows of parts that are merged, and of the merged ones at most
_FEW = 16  # small parts that are not worth merging


class Dataset:
    """A library as Parquet files.

    Args:
        location: a folder, or a URI such as ``s3://bucket/library``. It need not exist.

    Attributes:
        location: the folder or URI as text.

    Raises:
        LibraryError: the URI is not valid, or ``location`` is a file or empty.
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    Example::

        dataset = Dataset("archive")
        for entry in dataset.entries():
            print(entry.path, entry.prediction and entry.prediction.genre)

    """

    def __init__(self, location: StrPath) -> None:
        parquet_schema()  # raises here if pyarrow is missing
        _refuse_other_uri(os.fspath(location))
        self._store = Store(os.fspath(location)) if is_uri(location) else _Folder(location)
        self.location = self._store.uri

    def parts(self) -> list[str]:
        """Return the names of the parts, sorted; none if the data set does not exist.

        Raises:
            LibraryError: the folder cannot be read.

        """
        return list(filter(_is_part, self._store.names()))

    def entries(self, part: str | None = None) -> Iterator[Entry]:
        """Yield the rows of all parts, or of one part.

        Raises:
            LibraryError: a part cannot be read.

        """
        for name in self.parts() if part is None else [part]:
            with closing(self._store.open(name)) as file:
                yield from read_entries(file, f"{self.location}/{name}")

    def rows(self, part: str) -> Iterator[list[StoredRow]]:
        """Yield the rows of a part in the form of a catalogue, some thousands at a time.

        Raises:
            LibraryError: the part cannot be read.

        """
        with closing(self._store.open(part)) as file:
            yield from read_rows(file, f"{self.location}/{part}")

    def catalog(self, *, readonly: bool = False) -> Catalog:
        """Return a catalogue with the files of the data set.

        It is kept in the user's cache folder (see :mod:`genrelens.library.dataset_cache`), so that
        the next opening reads only new parts.

        Args:
            readonly: return the kept catalogue, which cannot be written to. Otherwise it is a
                temporary copy.

        Raises:
            LibraryError: a part cannot be read.

        """
        kept = open_catalog(self.location, self._store.details(_is_part), self.rows)
        return kept if readonly else kept.copied()

    def write(self, entries: Sequence[Entry], *, part: str | None = None) -> str:
        """Write a part with a row for each entry, completely or not at all.

        Args:
            entries: the entries.
            part: name of the part, which is replaced if it exists. None makes it from the files,
                so that a part that is written again replaces itself.

        Returns:
            The name of the part.

        Raises:
            LibraryError: the part cannot be written.

        """
        name = part or _part_name(entries)
        file = io.BytesIO()
        write_parquet(entries, file)
        self._store.write(name, file.getvalue())
        return name

    def columns(self, part: str, names: Sequence[str]) -> Any:
        """Return columns of a part as a :class:`pyarrow.Table`.

        Columns that a former version of genrelens did not write contain nulls.

        Raises:
            LibraryError: the part cannot be read.

        """
        import pyarrow as pa
        from pyarrow import parquet

        wanted, path = list(names), f"{self.location}/{part}"
        try:
            with closing(self._store.open(part)) as file:
                columns = conformed(parquet.ParquetFile(file).read(columns=wanted), wanted)
            check_columns(columns)
            return pa.table(columns)
        except UNREADABLE as error:
            raise unreadable(error, path) from error

    # ------------------------------------------------------------------------------- tidying

    def tidy(self) -> int:
        """Remove the rows that a later scan replaced, and merge small parts.

        An interruption loses nothing: a new part is complete before an old one is deleted.

        Returns:
            Number of removed rows.

        Raises:
            LibraryError: a part cannot be read or written.

        """
        removed = self._remove_replaced()
        self._merge_small()
        return removed

    def _remove_replaced(self) -> int:
        parts = self.parts()
        latest = self._latest(parts, self._repeated(parts))
        n_removed = 0
        for part in parts if latest else []:
            table = self.columns(part, parquet_schema().names)
            rows = table.select(["path", "path_bytes"]).to_pylist()
            own = [
                latest.get(_key(row), ("", part, n))[1:] == (part, n) for n, row in enumerate(rows)
            ]
            if not all(own):
                self._replace([part], table.filter(own))
                n_removed += own.count(False)
        return n_removed

    def _repeated(self, parts: Sequence[str]) -> set[str]:
        """Return the paths that more than one row has, as text."""
        import pyarrow as pa
        from pyarrow import compute

        if not parts:
            return set()
        paths = pa.concat_tables(self.columns(part, ["path"]) for part in parts)
        counts = paths.group_by("path").aggregate([("path", "count")])
        repeated = counts.filter(compute.greater(counts["path_count"], 1))
        return set(repeated["path"].to_pylist())

    def _latest(
        self, parts: Sequence[str], repeated: set[str]
    ) -> dict[bytes, tuple[str, str, int]]:
        """Return the time, the part and the number of the latest row of each repeated path."""
        latest: dict[bytes, tuple[str, str, int]] = {}
        for part in parts if repeated else []:
            columns = self.columns(part, ["path", "path_bytes", "scanned_at"]).to_pylist()
            for n, row in enumerate(columns):
                if row["path"] in repeated:
                    key = _key(row)
                    found = (row["scanned_at"] or "", part, n)
                    latest[key] = max(latest.get(key, found), found)
        return latest

    def _merge_small(self) -> None:
        small = {part: self.columns(part, ["size"]).num_rows for part in self.parts()}
        small = {part: n_rows for part, n_rows in small.items() if n_rows < _SMALL}
        if len(small) <= _FEW:
            return
        group: list[str] = []
        for part in [*small, None]:
            if part is None or sum(small[each] for each in group) + small[part] > _LARGE:
                self._merge(group)
                group = []
            group += [part] if part else []

    def _merge(self, parts: Sequence[str]) -> None:
        import pyarrow as pa

        if len(parts) > 1:
            names = parquet_schema().names
            self._replace(parts, pa.concat_tables(self.columns(part, names) for part in parts))

    def _replace(self, parts: Sequence[str], table: Any) -> None:
        """Write the rows of a table as a new part, and then delete the parts that it replaces."""
        from pyarrow import parquet

        if table.num_rows:
            file = io.BytesIO()
            parquet.write_table(table, file, compression="zstd")
            digest = hashlib.blake2b(file.getvalue(), digest_size=12).hexdigest()
            self._store.write(f"part-{digest}{_SUFFIX}", file.getvalue())
        for part in parts:
            self._store.delete(part)


def _refuse_other_uri(location: str) -> None:
    """Refuse what would be a folder such as ``http:``, and an empty text."""
    if not location:
        raise LibraryError("the location of a data set is empty")
    if re.match(r"[a-z][a-z0-9+.-]+://", location, re.IGNORECASE) and not is_uri(location):
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        text = f"is not the URI of a bucket or of a place in it ({known})"
        raise LibraryError(text, path=location)


def _is_part(name: str) -> bool:
    return name.endswith(_SUFFIX) and name[0] not in "._"


def _key(row: dict[str, Any]) -> bytes:
    return row["path_bytes"] or os.fsencode(row["path"])


def _part_name(entries: Sequence[Entry]) -> str:
    files = [(os.fsencode(each.path), each.size, each.mtime_ns) for each in entries]
    digest = hashlib.blake2b(repr(sorted(files)).encode(), digest_size=12).hexdigest()
    return f"part-{digest}{_SUFFIX}"


class _Folder:
    """The files of a folder, with the methods of :class:`Store`."""

    def __init__(self, path: StrPath) -> None:
        self.uri = os.path.abspath(path)  # noqa: PTH100
        self._path = Path(self.uri)
        if self._path.exists() and not self._path.is_dir():
            raise LibraryError("is a file, not the folder of a data set", path=path)

    def names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._path)) if self._path.exists() else []  # noqa: PTH208
        except OSError as error:
            raise LibraryError(reason(error), path=self.uri) from error

    def details(self, wanted: Callable[[str], bool]) -> dict[str, tuple[int, int]]:
        try:
            found = {name: (self._path / name).stat() for name in filter(wanted, self.names())}
        except OSError as error:
            raise LibraryError(reason(error), path=self.uri) from error
        return {name: (each.st_size, each.st_mtime_ns) for name, each in found.items()}

    def open(self, name: str) -> Any:
        path = self._path / name
        if path.is_fifo():  # opening it would wait for a writer
            raise LibraryError("is a pipe, not a part of a data set", path=path)
        try:
            return path.open("rb")
        except OSError as error:
            raise LibraryError(reason(error), path=path) from error

    def write(self, name: str, content: bytes) -> None:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(reason(error), path=self.uri) from error
        with replaced(self._path / name) as file:
            file.write(content)

    def delete(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)


# ------------------------------------------------------------------------- catalogue or data set


def is_dataset(location: StrPath) -> bool:
    """Return whether a location is that of a data set rather than of a catalogue's file."""
    return is_uri(location) or os.path.isdir(location)  # noqa: PTH112


def open_library(location: StrPath | None = None) -> Catalog:
    """Open a catalogue or a data set to read.

    Args:
        location: the file of a catalogue, or the folder or URI of a data set; None is
            ``$GENRELENS_DB``, or the catalogue in the platform's data folder.

    Returns:
        The catalogue; of a data set, one with its files, see :meth:`Dataset.catalog`.

    Raises:
        LibraryError: it cannot be read.
        MissingExtraError: pyarrow is not installed (the extra ``parquet``).

    Example::

        with open_library("s3://bucket/library") as catalog:
            for entry in catalog.query(genre="jazz"):
                print(entry.path)

    """
    if location is None:
        location = os.environ.get(Catalog.environment) or Catalog.default_path()
    if is_dataset(location):
        return _not_empty(location).catalog(readonly=True)
    return Catalog.open(location, readonly=True)


def import_library(catalog: Catalog, location: StrPath) -> int:
    """Add the files and predictions of a data set or another catalogue to a catalogue.

    Of two scans of a file the later one is kept, and of two predictions of a model for the same
    audio the later one, so an import that is repeated changes nothing.

    Args:
        catalog: the catalogue, open for writing.
        location: the folder or URI of a data set, one Parquet file of ``genrelens list``, or the
            file of a catalogue.

    Returns:
        Number of files and predictions that are new or newer.

    Raises:
        LibraryError: ``location`` cannot be read, and nothing was imported.

    Example::

        with Catalog.open() as catalog:
            for shard in ("shard-1", "shard-2"):
                import_library(catalog, shard)

    """
    if not is_dataset(location) and os.fspath(location).endswith(_SUFFIX):
        folder = _Folder(Path(location).parent)
        with closing(folder.open(Path(location).name)) as file:
            return catalog.merge_rows(read_rows(file, location))
    if is_dataset(location):
        dataset = _not_empty(location)
        return catalog.merge_rows(rows for part in dataset.parts() for rows in dataset.rows(part))
    if not os.path.exists(location):  # noqa: PTH110
        raise LibraryError("does not exist", path=location)
    if not _is_catalog(location):
        text = "is neither a data set, nor a Parquet file of genrelens list, nor a catalogue"
        raise LibraryError(text, path=location)
    with Catalog.open(location, readonly=True) as other:
        return catalog.merge(other.query())


def _is_catalog(path: StrPath) -> bool:
    """Return whether a file is an SQLite file, as a catalogue is; False if it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _not_empty(location: StrPath) -> Dataset:
    dataset = Dataset(location)
    if not dataset.parts():
        raise LibraryError("contains no part of a data set", path=dataset.location)
    return dataset
