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

    Ctrl-C ends the process without a traceback, code 130, even during the import of modules, and if
    it is pressed again while the command ends.
    """
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if handled:  # SIGINT is not ignored, as it is under nohup
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    from genrelens.cli import main as run

    interrupted = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    try:
        if handled:
            signal.signal(signal.SIGINT, interrupt)
        run()
    except SystemExit:
        raise
    except BaseException as error:
        # An interrupted import raises an ImportError, and an interrupted end of threads others.
        if not interrupted and not isinstance(error, KeyboardInterrupt):
            raise
        os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
