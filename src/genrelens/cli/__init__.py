"""The command line: one module for each command. Only this package prints.

The module of a command is imported when the command runs, so that the others do not slow it down.

Exit codes: 0 success; 1 some files failed; 2 wrong usage or an invalid input file; 3 a model or an
optional package is missing; 130 stopped by Ctrl-C; 141 the reader of the output closed the pipe (as
in ``| head -1``).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys

TYPE_CHECKING = False  # importing typing takes too long: Ctrl-C has no handler yet
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from genrelens.cli.application import app

__all__ = ["app", "main"]

_WRONG_USAGE, _STOPPED, _NO_READER = 2, 130, 141


def __getattr__(name: str) -> Any:
    """Import the application at its first use."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from genrelens.cli.application import app

    return app


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _prepare_streams()
    try:
        code = _run(sys.argv[1:])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    _leave(code)


def _run(arguments: list[str]) -> int:
    """Run the command. Version and overview need no import, so they are printed at once."""
    if "_GENRELENS_COMPLETE" not in os.environ:  # set by the shell to complete a word
        if arguments == ["--version"]:
            _print_version()
            return 0
        if arguments in ([], ["--help"], ["-h"]):
            _print_overview()
            return 0 if arguments else _WRONG_USAGE
    from genrelens.cli.application import app

    app(prog_name="genrelens")
    return 0


def _print_version() -> None:
    from genrelens import __version__

    print(f"genrelens {__version__}")


def _print_overview() -> None:
    from genrelens.cli.overview import overview

    print(overview())


def _prepare_streams() -> None:
    """Replace closed streams, and escape characters that a stream cannot encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _leave(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
    except OSError as error:
        if code == 0:
            code = _NO_READER if isinstance(error, BrokenPipeError) else 1
    if code in (_STOPPED, _NO_READER):
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)  # without waiting for threads, which may be blocked by a pipe
    if "pyarrow" in sys.modules:  # its threads may abort the process while the interpreter ends
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
