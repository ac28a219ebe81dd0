"""Functions that misbehave in a worker process, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from genrelens.worker_pool import ProgressFile
from support.predictions import prediction


def die(*args: Any, **kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(*args: Any, **kwargs: Any) -> None:
    os._exit(1)


def hang(*args: Any, **kwargs: Any) -> None:
    time.sleep(600)


def begin(*args: Any, progress: ProgressFile, **kwargs: Any) -> None:
    """Write the first prediction and go on for ever."""
    progress.write(prediction({"noise": 0.7, "clicks": 0.3}))
    hang()


class UnpicklableError(Exception):
    """An error that can be pickled but not unpickled, like the errors of several decoders."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("a secret of the server")


def fail(*args: Any, **kwargs: Any) -> None:
    raise UnpicklableError(1, 2)


def peak_memory(*args: Any, **kwargs: Any) -> int:
    """Return the peak memory of this process in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def write_as_a_library() -> None:
    """Write to standard error as a C library does, then as Python does."""
    os.write(2, b"a line of a C library\n")
    print("a line of Python", file=sys.stderr, flush=True)


def raise_plainly(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("a secret of the server")


def as_the_name_says(path: str, *args: Any, **kwargs: Any) -> Any:
    """Crash, hang or classify, depending on the file name."""
    from genrelens import worker_pool

    name = Path(path).name
    if "crash" in name:
        die()
    if "hang" in name:
        hang()
    return worker_pool._classify_file(path, *args, **kwargs)
