"""Catalogues of data sets, kept in the user's cache folder.

To make a catalogue from the parts of a large data set takes minutes, so it is kept as a file that
is never changed. Its name contains a digest of the parts it was made of (name, size and time of
each) and of its own size and time, so a file that is out of date, damaged or incomplete is not
used. If parts were added, a copy of the file gets their rows; if a part was replaced or deleted, a
new file is made. Two processes never write to the same file.

The folder can be deleted at any time. It is ``$GENRELENS_DATASET_CACHE``, or ``datasets`` in the
platform's cache folder; if the variable is empty, nothing is kept. If the folder cannot be written
to or is full, the catalogue is temporary.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from genrelens import __version__
from genrelens.discovery.locations import as_path
from genrelens.errors import LibraryError
from genrelens.files import reason, sync_file, temporary_beside
from genrelens.library.catalog import Catalog
from genrelens.library.catalog_queries import StoredRow
from genrelens.logs import logger

__all__ = ["DatasetCatalog", "cache_folder", "open_catalog"]

Part = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds."""
Rows = Callable[[str], Iterable[list[StoredRow]]]

_VARIABLE = "GENRELENS_DATASET_CACHE"
_SUFFIX = ".sqlite"
_LETTERS = 16  # of each digest in a file name
_DAY = 86_400.0  # seconds, after which a temporary file was left by a process that was killed
_LONGEST = 30 * _DAY  # that a catalogue is kept without being used
_MOST_BYTES = 10_000_000_000  # of all catalogues; those that were not used for longest are removed
_OWN = re.compile(r"[0-9a-f]+\.[0-9a-f]+\.sqlite(\.similar)?|\.genrelens-[0-9a-f]+\.tmp")
_log = logger(__name__)


def cache_folder() -> Path | None:
    """Return the folder of the kept catalogues; None if the user wants none."""
    import platformdirs

    chosen = os.environ.get(_VARIABLE)
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    return platformdirs.user_cache_path("genrelens", appauthor=False) / "datasets"


class DatasetCatalog(Catalog):
    """The catalogue of a data set. Its ``path`` is the location of the data set."""

    schema = (
        *Catalog.schema,
        "CREATE TABLE parts (name TEXT PRIMARY KEY, size INTEGER NOT NULL, time INTEGER NOT NULL)",
    )
    # The file is written once, and used only if it is complete.
    pragmas = ("journal_mode = MEMORY", "synchronous = OFF", "cache_size = -64000")
    remedy = "genrelens env shows the folder with the catalogues of data sets, which can be deleted"

    @classmethod
    def kept(cls, file: Path, location: str) -> Self:
        """Open a kept catalogue to read."""
        with cls._errors_explained(file):
            catalog = cls(as_path(location), cls._connect_to_read(file))
        catalog.file_path = file
        return catalog

    def parts(self) -> dict[str, Part]:
        """Return size and time of the parts whose rows are in the catalogue."""
        found = self._select("SELECT name, size, time FROM parts", (), tuple)
        return {name: (size, time) for name, size, time in found}

    def add(self, parts: Mapping[str, Part], rows: Rows) -> None:
        """Store the rows of parts that are not in the catalogue."""
        first = not self.parts()
        _, index, *_ = self.schema
        if first:
            self._execute("DROP INDEX files_by_digest")
        self.merge_rows(batch for name in parts for batch in rows(name))
        with self._transaction() as connection:
            values = [(name, *part) for name, part in parts.items()]
            connection.executemany("INSERT INTO parts VALUES (?, ?, ?)", values)
        if first:
            self._execute(index)

    def copied(self) -> Self:
        """Return a temporary copy that can be written to, and close this catalogue."""
        if self.file_path == self.path:  # it is temporary
            return self
        copy = type(self).temporary(self.path)
        with self, self._errors_explained(self.path):
            self._connection.backup(copy._connection)
        return copy


def open_catalog(location: str, parts: Mapping[str, Part], rows: Rows) -> DatasetCatalog:
    """Return the catalogue of a data set: a kept one, a new one that is kept, or a temporary one.

    Args:
        location: folder or URI of the data set.
        parts: name -> size and time of its parts.
        rows: returns the rows of a part.

    Raises:
        LibraryError: a part cannot be read.

    """
    folder = cache_folder()
    if folder is not None and parts:
        cache = _Cache(folder, location)
        try:
            return cache.open(parts) or cache.make(parts, rows)
        except _CacheError as error:
            _log.info("%s: the catalogue is not kept (%s)", location, error)
    catalog = DatasetCatalog.temporary(location)
    try:
        catalog.add(parts, rows)
    except BaseException:
        catalog.close()
        raise
    return catalog


class _CacheError(Exception):
    """The folder cannot be read or written."""


class _Cache:
    """The kept catalogue of one data set."""

    def __init__(self, folder: Path, location: str) -> None:
        self._all, self._location = folder, location
        self._folder = folder / _digest(location, __version__, DatasetCatalog.schema)

    def open(self, parts: Mapping[str, Part]) -> DatasetCatalog | None:
        """Open the catalogue that was made of these parts; None if there is none."""
        for file in self._files():
            if file.name.startswith(_state(parts)):
                with suppress(LibraryError):
                    return self._opened(file)
        return None

    def make(self, parts: Mapping[str, Part], rows: Rows) -> DatasetCatalog:
        """Make the catalogue of these parts, from a kept one of some of them if there is one."""
        temporary = temporary_beside(self._folder / "catalog")
        try:
            self._fill(temporary, parts, rows)
            file = self._folder / f"{_state(parts)}.{_stamp(temporary)}{_SUFFIX}"
            temporary.replace(file)
            opened = self._opened(file)
        except OSError as error:
            raise _CacheError(reason(error)) from error
        except LibraryError as error:
            if Path(error.path or "").parent != self._folder:  # a part is damaged
                raise
            raise _CacheError(error.reason) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        with suppress(OSError):
            self._remove_others(file)
        return opened

    def _fill(self, file: Path, parts: Mapping[str, Part], rows: Rows) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        done = self._copy_kept(parts, file)
        with DatasetCatalog.open(file) as catalog:
            catalog.add({name: part for name, part in parts.items() if name not in done}, rows)
        sync_file(file)

    def _copy_kept(self, parts: Mapping[str, Part], target: Path) -> Mapping[str, Part]:
        """Copy the largest kept catalogue of some of the parts; return its parts."""
        for file in sorted(self._files(), key=lambda file: -file.stat().st_size):
            with suppress(LibraryError):
                with DatasetCatalog.kept(file, self._location) as catalog:
                    done = catalog.parts()
                if done.items() <= parts.items():
                    shutil.copyfile(file, target)
                    return done
        return {}

    def _opened(self, file: Path) -> DatasetCatalog:
        opened = DatasetCatalog.kept(file, self._location)
        with suppress(OSError):
            os.utime(file.parent)  # when it was last used
        return opened

    def _files(self) -> Iterator[Path]:
        """Yield the complete and unchanged files."""
        with suppress(OSError):
            for file in sorted(self._folder.glob(f"*.*{_SUFFIX}")):
                if file.name.split(".")[1] == _stamp(file):
                    yield file

    def _remove_others(self, used: Path) -> None:
        """Remove what other states of the data set left, and what was not used for longest."""
        for path in _own_files(self._folder):
            if not path.name.startswith(used.name) and (path.suffix != ".tmp" or _age(path) > _DAY):
                _remove(path)
        total = 0
        for folder in sorted(filter(_is_own, self._all.iterdir()), key=_age):
            total += sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
            if folder != self._folder and (total > _MOST_BYTES or _age(folder) > _LONGEST):
                for path in _own_files(folder):
                    _remove(path)
                with suppress(OSError):  # it has other files
                    folder.rmdir()


def _is_own(folder: Path) -> bool:
    return re.fullmatch(f"[0-9a-f]{{{_LETTERS}}}", folder.name) is not None


def _own_files(folder: Path) -> list[Path]:
    """Return what this module writes: the user may have chosen a folder with other files."""
    return [path for path in folder.iterdir() if _OWN.fullmatch(path.name)]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _age(path: Path) -> float:
    """Return the seconds since a file was written, or since a catalogue in a folder was used."""
    return time.time() - path.stat().st_mtime


def _state(parts: Mapping[str, Part]) -> str:
    return _digest(sorted(parts.items()))


def _stamp(file: Path) -> str:
    """Return a digest of size and time of a file: it differs if the file was changed."""
    found = file.stat()
    return _digest(found.st_size, found.st_mtime_ns)


def _digest(*values: Any) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:_LETTERS]
