"""C libraries kept off the error stream of the process, where Python goes on writing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]

_STDERR = 2  # the file descriptor


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep off stderr what C libraries write there by themselves: libmpg123 does so a lot."""
    stream = sys.stderr
    try:
        ours = stream.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):  # no stream, or one that is no file
        ours = False
    if not ours:
        yield
        return
    stream.flush()
    copy = os.dup(_STDERR)
    with (
        open(copy, "w", buffering=1, encoding=stream.encoding, errors=stream.errors) as sys.stderr,  # noqa: PTH123
        open(os.devnull, "w") as nowhere,  # noqa: PTH123
    ):
        os.dup2(nowhere.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(copy, _STDERR)
            sys.stderr = stream
