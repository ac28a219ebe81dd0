"""The entry point of the command line, also for ``python -m genrelens``."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # that of typing takes long to import, and Ctrl-C is not handled yet
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]

_STOPPED = 130


def main() -> NoReturn:
    """Run the command line and exit with its code.

    A Ctrl-C while its modules are imported ends the process at once and quietly, with code 130.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, as under nohup
        signal.signal(signal.SIGINT, lambda *_: os._exit(_STOPPED))
    from genrelens.cli import main as run

    try:
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:  # just before the command, or after it
        os._exit(_STOPPED)


if __name__ == "__main__":
    main()
