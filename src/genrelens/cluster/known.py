"""What a data set contains already: an index that nodes share without copying it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.discovery.find import Found
from genrelens.library.dataset import Dataset
from genrelens.library.records import Failure

__all__ = ["KnownAudio", "KnownFiles", "read_known"]

_COLUMNS = (
    *("path", "path_bytes", "size", "mtime_ns", "digest", "fast", "model", "model_digest"),
    *("error", "error_model_digest", "error_version"),
)
_KEY, _DIGEST = "S16", "S20"  # bytes of a key, and of a digest of audio


class KnownFiles:
    """The files of a data set that need not be opened, by path, size and time of modification.

    It needs 16 bytes of memory for each file.

    Args:
        keys: keys of files with a prediction.
        failed: keys of files that would fail again.

    """

    def __init__(self, keys: Iterable[bytes], failed: Iterable[bytes]) -> None:
        self._done, self._failed = _sorted(keys, _KEY), _sorted(failed, _KEY)

    def status(self, found: Found) -> str | None:
        """Return ``"unchanged"``, ``"failed before"``, or None for a file that is to be opened."""
        key = _key(found.path, found.size, found.mtime_ns)
        if _position(self._done, key) is not None:
            return "unchanged"
        return None if _position(self._failed, key) is None else "failed before"


@dataclass(frozen=True)
class KnownAudio:
    """The audio that the data set has predictions of; nodes share its arrays.

    Attributes:
        digests: digests of the audio, sorted.
        parts: number of the part with the prediction of each digest.
        names: names of the parts.

    """

    digests: NDArray[np.bytes_]
    parts: NDArray[np.int32]
    names: list[str]

    def part(self, digest: str) -> str | None:
        """Return the name of the part with the prediction of some audio, or None."""
        position = _position(self.digests, bytes.fromhex(digest))
        return None if position is None else self.names[self.parts[position]]


def read_known(
    dataset: Dataset, *, model_digest: str, fast: bool, retry: bool
) -> tuple[KnownFiles, KnownAudio]:
    """Read what need not be classified again.

    Args:
        dataset: the data set.
        model_digest: SHA-256 of the model file.
        fast: accept predictions from excerpts.
        retry: try files again that failed before.

    Raises:
        LibraryError: the data set cannot be read.

    """
    done, failed, digests, parts = list[bytes](), list[bytes](), list[bytes](), list[int]()
    names = dataset.parts()
    for number, name in enumerate(names):
        for row in dataset.columns(name, _COLUMNS).to_pylist():
            path = row["path"] if row["path_bytes"] is None else os.fsdecode(row["path_bytes"])
            key = _key(path, row["size"], row["mtime_ns"])
            if row["model_digest"] == model_digest and row["fast"] <= fast:
                done.append(key)
                digests.append(bytes.fromhex(row["digest"]))
                parts.append(number)
            elif _fails_again(row, model_digest) and not retry:
                failed.append(key)
    order = np.argsort(np.array(digests, _DIGEST), kind="stable")
    audio = KnownAudio(np.array(digests, _DIGEST)[order], np.array(parts, np.int32)[order], names)
    return KnownFiles(done, failed), audio


def _fails_again(row: dict[str, Any], model_digest: str) -> bool:
    failure = Failure(row["error"], row["error_model_digest"], row["error_version"])
    return row["error"] is not None and failure.holds(model_digest)


def _key(path: str, size: int, mtime_ns: int | None) -> bytes:
    """Return the key of a file; one whose time is not known is never unchanged."""
    content = b"%d %a " % (size, mtime_ns) + os.fsencode(path)
    return hashlib.blake2b(content, digest_size=16).digest()


def _sorted(values: Iterable[bytes], kind: str) -> NDArray[np.bytes_]:
    return np.sort(np.array(list(values), kind))


def _position(values: NDArray[np.bytes_], value: bytes) -> int | None:
    """Return the position of a value in a sorted array, or None."""
    wanted = np.array(value, values.dtype)
    position = int(np.searchsorted(values, wanted))
    return position if position < len(values) and values[position] == wanted else None
