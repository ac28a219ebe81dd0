"""The items of a column of maps or lists, as flat arrays."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Items"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Items:
    """The items of all rows of a column, one after another.

    Args:
        array: a :class:`pyarrow.MapArray` or :class:`pyarrow.ListArray`. A list has no values: its
            elements are keys.

    Attributes:
        ends: number of items in all rows up to each row, (rows + 1,) int32, from 0 on.
        rows: row of each item.
        keys: key of each item, a :class:`pyarrow.Array`.
        values: value of each item, a :class:`pyarrow.Array`.

    """

    def __init__(self, array: Any) -> None:
        import pyarrow as pa

        offsets = array.offsets.to_numpy()
        inside = slice(int(offsets[0]), int(offsets[-1]))
        self.ends = offsets - offsets[0]
        self.rows: Ints = np.repeat(np.arange(len(array)), np.diff(offsets))
        is_map = pa.types.is_map(array.type)
        self.keys = (array.keys if is_map else array.values)[inside]
        self.values: Any = array.items[inside] if is_map else None

    @classmethod
    def of_texts(cls, array: Any) -> Self:
        """Return the values of a column of texts as lists with one element each."""
        import pyarrow as pa

        ends = pa.array(np.arange(len(array) + 1, dtype=np.int32))
        return cls(pa.ListArray.from_arrays(ends, array))

    def __len__(self) -> int:
        return len(self.keys)

    def numbers(self) -> NDArray[np.float64]:
        """Return the values as numbers; a missing one is NaN."""
        return np.asarray(self.values.to_numpy(zero_copy_only=False), dtype=np.float64)

    def positions_in(self, other: Items) -> Ints:
        """Return where another column has an item of the same row and key; -1 if it has none."""
        labels = other.keys.unique()
        wanted, given = self._codes(labels), other._codes(labels)
        if np.array_equal(wanted, given):
            return np.arange(len(self))
        if not len(other):
            return np.full(len(self), -1)
        order = np.argsort(given, kind="stable")
        found = np.searchsorted(given, wanted, sorter=order).clip(max=len(other) - 1)
        return np.where(given[order[found]] == wanted, order[found], -1)

    def repeated(self) -> Bools:
        """Return whether the row of each item has its key more than once."""
        codes = self._codes(self.keys.unique())
        _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
        return np.asarray(counts[inverse] > 1)

    def _codes(self, labels: Any) -> Ints:
        """Return a number for the row and the key of each item."""
        from pyarrow import compute

        codes = compute.index_in(self.keys, labels).fill_null(-1).to_numpy(zero_copy_only=False)
        return np.asarray(self.rows * (len(labels) + 1) + codes + 1)
