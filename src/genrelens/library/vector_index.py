"""An approximate index of many vectors (HNSW, by usearch), stored in a file.

Malkov & Yashunin: Efficient and robust approximate nearest neighbor search using hierarchical
navigable small world graphs, 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import DataError, MissingExtraError
from genrelens.files import replaced_path, sha256

__all__ = ["VectorIndex"]

# More than 95 % of the 20 nearest are found with these (benchmarks/README.md has the figure).
_GRAPH: Any = {"metric": "ip", "dtype": "f16", "connectivity": 16, "expansion_add": 64}
_EXPANSION = 128  # candidates that a search follows
_LETTERS = 16  # of the checksum in a file name


class VectorIndex:
    """An index of vectors of length 1. Create it with :meth:`open`."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        vectors: NDArray[np.float32],
        *,
        on_build: Callable[[], None] = lambda: None,
    ) -> Self:
        """Load the index of vectors from a folder; build and store it if it is not there.

        A stored file has its SHA-256 in its name. A damaged one is replaced.

        Args:
            folder: an existing folder.
            name: first part of the file name; it must differ for other vectors.
            vectors: the vectors, (n, d), of length 1.
            on_build: called before an index is built, which takes minutes for a million vectors.

        Raises:
            DataError: the folder cannot be written to.
            MissingExtraError: usearch is not installed (the extra ``similar``).

        """
        try:
            from usearch.index import Index
        except ImportError as error:
            raise MissingExtraError("usearch", "similar") from error
        for path in folder.glob(f"{name}.*.usearch"):
            if _is_whole(path):
                return cls(_ready(Index.restore(path, view=True)))
            path.unlink()
        on_build()
        index = Index(ndim=vectors.shape[1], **_GRAPH)
        index.add(np.arange(len(vectors)), vectors)
        temporary = folder / f"{name}.new"
        with replaced_path(temporary) as path:
            index.save(path)
        temporary.replace(folder / f"{name}.{sha256(temporary)[:_LETTERS]}.usearch")
        return cls(_ready(index))

    def nearest(self, vector: NDArray[np.float32], n: int) -> NDArray[np.int64]:
        """Return about the n rows whose dot product with a vector is largest, in no certain order.

        Args:
            vector: a vector of length 1, (d,).
            n: number of rows.

        """
        return np.asarray(self._index.search(vector, n).keys, dtype=np.int64)


def _ready(index: Any) -> Any:
    index.expansion_search = _EXPANSION
    return index


def _is_whole(path: Path) -> bool:
    """Return whether the content of a stored file is that which was written."""
    with suppress(DataError):
        return path.name.split(".")[-2] == sha256(path)[:_LETTERS]
    return False
