"""Long files that take no space on the disk."""

import os
import struct
from pathlib import Path

RATE = 8_000


def empty_wav(path: Path, seconds: int) -> Path:
    """Write a sparse file of silence of any length."""
    size = 2 * RATE * seconds
    header = struct.pack(
        "<4sI8sIHHIIHH4sI",
        b"RIFF",
        36 + size,
        b"WAVEfmt ",
        16,
        1,
        1,
        RATE,
        2 * RATE,
        2,
        16,
        b"data",
        size,
    )
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return path
