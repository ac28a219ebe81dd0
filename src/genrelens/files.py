"""Files that are either old or new, never half written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from genrelens.errors import DataError

__all__ = ["replaced", "write_text_atomically"]


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of ``path`` if all goes well.

    It lies beside that place meanwhile.

    Raises:
        DataError: it cannot be written.

    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror or error})", path=path) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file (UTF-8, the line ends as given) beside its place, then move it there.

    File names that are not UTF-8 come out as the bytes that they are.

    Raises:
        DataError: the file cannot be written.

    """
    with replaced(path) as file:
        file.write(text.encode("utf-8", errors="surrogateescape"))
