"""The embeddings of the recordings of a catalogue as one matrix, and the search in it.

Up to :data:`EXACT_LIMIT` recordings, a search compares a vector with every row. Beyond, it uses an
index (:mod:`genrelens.library.vector_index`), unless usearch is not installed, the folder of the
catalogue cannot be written to, or the search is limited to some rows.

The matrix of a large catalogue takes seconds to read from the tables, so it is stored beside the
catalogue, in a folder with the name of the catalogue and ``.similar``. The names of the stored
files contain the model, the state of the catalogue and a digest of the content, so a file that is
out of date is never read. The folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import DataError, LibraryError, MissingExtraError
from genrelens.files import replaced
from genrelens.library.catalog import Catalog
from genrelens.library.vector_index import VectorIndex

__all__ = ["EXACT_LIMIT", "Embeddings"]

EXACT_LIMIT = 200_000
"""Number of recordings up to which every search is exact."""

_STORED_FROM = 5_000  # recordings; fewer are read from the catalogue in less than 0.1 s
_FIRST = 256  # rows of the first part of a ranking; the next part is eight times as long
_LETTERS = 16  # of each digest in a file name

Float32 = NDArray[np.float32]
Rows = NDArray[np.int64]


class Embeddings:
    """The embeddings of the recordings of a catalogue by one model.

    Attributes:
        vectors: embedding of each recording, (n, d) float32 of length 1, in the order of the
            digests of the audio.
        on_build: called before an index is built, which can take minutes.

    """

    def __init__(self, table: NDArray[np.void], index_at: tuple[Path, str] | None = None) -> None:
        """Take a table with the fields ``digest`` and ``vector``.

        The index is stored in ``index_at``, a folder and the first part of the file name.
        """
        self._digests: NDArray[np.bytes_] = table["digest"]
        self.vectors: Float32 = table["vector"]
        self._index_at = index_at
        self._index: VectorIndex | None = None
        self.on_build: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, catalog: Catalog, model_digest: str) -> Self:
        """Return the embeddings by one model; those of different models are not comparable.

        Args:
            catalog: the catalogue.
            model_digest: SHA-256 of the model file.

        Raises:
            LibraryError: the catalogue cannot be read, or is damaged.

        """
        if not catalog.file_path.is_file():  # a temporary one has no place for files
            return cls(_read(catalog, model_digest))
        store = _Store(catalog.file_path, model_digest)
        loaded = store.load()
        if loaded is not None:
            return cls(*loaded)
        table = _read(catalog, model_digest)
        return cls(table, store.save(table) if len(table) >= _STORED_FROM else None)

    def __len__(self) -> int:
        return len(self._digests)

    def digest(self, row: int) -> str:
        """Return the digest of the audio of a row."""
        return bytes(self._digests[row]).decode()

    def rows(self, digests: Iterable[str]) -> Rows:
        """Return the rows of recordings, ascending; a recording without embedding has none."""
        wanted = np.array(sorted(digest.encode() for digest in digests), self._digests.dtype)
        rows = np.searchsorted(self._digests, wanted)
        rows = rows[rows < len(self)]
        return np.asarray(rows[self._digests[rows] == wanted[: len(rows)]])

    def ranked(self, vector: Float32, among: Rows | None = None) -> Iterator[tuple[int, float]]:
        """Yield rows and their similarities to a vector, the most similar first.

        Args:
            vector: a vector of length 1, (d,).
            among: the rows to rank; None ranks all, if there are many with the index.

        Yields:
            Row and dot product, -1 to 1.

        """
        index = self._opened_index() if among is None else None
        if index is None:
            yield from _sorted_parts(self._similarities(vector, among), among)
            return
        near = index.nearest(vector, _FIRST)
        similarities = self.vectors[near] @ vector
        order = np.argsort(-similarities, kind="stable")
        yield from zip(near[order].tolist(), similarities[order].tolist(), strict=True)
        rest = np.setdiff1d(np.arange(len(self)), near)
        yield from _sorted_parts(self._similarities(vector, rest), rest)

    def nearest_to_any(self, vectors: Float32, among: Rows | None = None) -> Iterator[int]:
        """Yield rows by their largest similarity to any of k vectors, (k, d), the largest first."""
        similarities = self._similarities(vectors.T, among).max(axis=1)
        return (row for row, _ in _sorted_parts(similarities, among))

    def _similarities(self, vectors: Float32, among: Rows | None) -> Float32:
        chosen = self.vectors if among is None else self.vectors[among]
        return np.asarray(chosen @ vectors)

    def _opened_index(self) -> VectorIndex | None:
        if self._index is None and len(self) > EXACT_LIMIT and self._index_at is not None:
            with suppress(DataError, MissingExtraError, OSError):
                self._index = VectorIndex.open(
                    *self._index_at, self.vectors, on_build=self.on_build
                )
        return self._index


def _sorted_parts(similarities: Float32, rows: Rows | None) -> Iterator[tuple[int, float]]:
    """Yield rows in descending order of similarity; only as many are sorted as are taken."""
    done, end = 0, _FIRST
    while done < len(similarities):
        last = np.partition(-similarities, end)[end] if end < len(similarities) else np.inf
        chosen = np.flatnonzero(-similarities <= last)  # all that are equal, or none of them
        order = chosen[np.lexsort((chosen, -similarities[chosen]))][done:]
        for place in order.tolist():
            yield (place if rows is None else int(rows[place])), float(similarities[place])
        done, end = done + len(order), 8 * end


def _read(catalog: Catalog, model_digest: str) -> NDArray[np.void]:
    """Read digests and embeddings from the tables."""
    digests, vectors = [], []
    for digest, vector in catalog.embeddings(model_digest):
        digests.append(digest.encode())
        vectors.append(vector)
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        raise LibraryError(f"is damaged (embeddings of sizes {sizes}); {catalog.remedy}")
    size = sizes.pop() if sizes else 0
    length = max(map(len, digests), default=1)
    table = np.zeros(len(digests), [("digest", f"S{length}"), ("vector", "<f4", (size,))])
    if digests:
        table["digest"], table["vector"] = digests, np.stack(vectors)
    return table


class _Store:
    """The files of one model in the folder beside a catalogue."""

    def __init__(self, catalog: Path, model_digest: str) -> None:
        self._folder = catalog.with_name(f"{catalog.name}.similar")
        self._model = model_digest[:_LETTERS]
        # Before the catalogue is read: a change in the meantime makes the stored file out of date.
        self._state = _state(catalog)

    def load(self) -> tuple[NDArray[np.void], tuple[Path, str]] | None:
        """Map the stored table into memory; None if there is none for this state."""
        for path in self._files(f"{self._model}.{self._state}.", ".npy"):
            with suppress(OSError, ValueError, EOFError):
                table = np.load(path, mmap_mode="r")
                if table.dtype.names == ("digest", "vector"):
                    return table, (self._folder, f"{self._model}.{path.name.split('.')[2]}")
        return None

    def save(self, table: NDArray[np.void]) -> tuple[Path, str] | None:
        """Store a table, and remove files of former states; None if the folder is read-only."""
        content = hashlib.sha256(table.view(np.uint8).data).hexdigest()[:_LETTERS]
        path = self._folder / f"{self._model}.{self._state}.{content}.npy"
        index = f"{self._model}.{content}"
        try:
            self._folder.mkdir(exist_ok=True)
            with replaced(path) as file:
                np.save(file, table)
            for old in self._files(f"{self._model}.", ""):
                if old != path and not old.name.startswith(f"{index}."):
                    old.unlink()
        except (DataError, OSError):
            return None
        return self._folder, index

    def _files(self, start: str, end: str) -> list[Path]:
        try:
            names = sorted(os.listdir(self._folder))  # noqa: PTH208 (a name is enough)
        except OSError:
            return []
        chosen = [name for name in names if name.startswith(start) and name.endswith(end)]
        return [self._folder / name for name in chosen]


def _state(catalog: Path) -> str:
    """Return a digest of size and time of the catalogue and of its write-ahead log."""
    known: list[Any] = []
    for path in (catalog, catalog.with_name(f"{catalog.name}-wal")):
        with suppress(OSError):
            found = path.stat()
            # Readers create and remove an empty log.
            known.append((found.st_size, found.st_mtime_ns) if found.st_size else None)
    known = [each for each in known if each is not None]
    return hashlib.sha256(repr(known).encode()).hexdigest()[:_LETTERS]
