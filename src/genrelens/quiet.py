"""Standard error without the output of C libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]

_STDERR = 2  # the file descriptor


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Discard the standard error output of C libraries such as libmpg123; keep that of Python.

    Nothing changes if ``sys.stderr`` is not the standard error of the process.
    """
    stream = sys.stderr
    try:
        is_standard = stream.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):  # no stream, or a stream without a file
        is_standard = False
    if not is_standard:
        yield
        return
    stream.flush()
    copy = os.dup(_STDERR)
    with (
        open(copy, "w", buffering=1, encoding=stream.encoding, errors=stream.errors) as sys.stderr,  # noqa: PTH123
        open(os.devnull, "w") as null,  # noqa: PTH123
    ):
        os.dup2(null.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(copy, _STDERR)
            sys.stderr = stream
