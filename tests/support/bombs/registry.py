"""The registry of bombs, and the parts that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count, repeat
from pathlib import Path

from support import tagged

Parts = Iterable[bytes]
Maker = Callable[[int], Parts]

BOMBS: dict[str, tuple[str, Maker]] = {}
_BATCH = 2**14  # parts that are joined before they are written


def bomb(name: str) -> Callable[[Maker], Maker]:
    """Register a kind under its name, which ends with the extension of its format."""
    extension = name.rpartition(".")[2]

    def register(make: Maker) -> Maker:
        BOMBS[name] = (extension, make)
        return make

    return register


def write_bomb(name: str, path: Path, size: int) -> Path:
    """Write a file of about this size."""
    with path.open("wb") as file:
        for part_bytes in BOMBS[name][1](size):
            file.write(part_bytes)
    return path


def many(size: int, part: Callable[[int], bytes] | bytes) -> Iterator[bytes]:
    """Yield parts, equal or made from their numbers, of about this size in total."""
    if isinstance(part, bytes):
        n = max(1, size // len(part))
        yield from repeat(part * _BATCH, n // _BATCH)
        yield part * (n % _BATCH)
        return
    written, numbers = 0, count()
    while written < size:
        part_bytes = b"".join(part(next(numbers)) for _ in range(_BATCH if size > 2**20 else 64))
        written += len(part_bytes)
        yield part_bytes


def joined(size: int, part: Callable[[int], bytes] | bytes) -> bytes:
    return b"".join(many(size, part))


def mp3() -> bytes:
    return tagged.recording("mp3-bare")
