"""Entry point of the command line, also for ``python -m genrelens``."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # importing typing takes too long while Ctrl-C is not handled yet
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 130  # exit code after Ctrl-C


def main() -> NoReturn:
    """Run the command line and exit with its code.

    Ctrl-C during the import of modules ends the process at once without a traceback, code 130.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # SIGINT is not ignored, as it is under nohup
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from genrelens.cli import main as run

    try:
        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:  # just before or after the command
        os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
