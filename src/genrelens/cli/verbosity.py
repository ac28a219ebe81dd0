"""The options ``--verbose`` and ``--quiet`` of every command."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from genrelens.cli.commands import OPTIONS

if TYPE_CHECKING:
    import logging

__all__ = ["Quiet", "Verbose", "is_quiet", "reset_verbosity", "verbosity_options"]

_state: dict[str, Any] = {"quiet": False, "handler": None}


def is_quiet() -> bool:
    """Return whether notes, warnings and progress are not to be shown."""
    return bool(_state["quiet"])


def reset_verbosity() -> None:
    """Show notes and no log messages, as at the start of the program."""
    _state["quiet"] = False
    if (handler := _state.pop("handler", None)) is not None:
        import logging

        logging.getLogger("genrelens").removeHandler(handler)
        logging.getLogger("genrelens").setLevel(logging.NOTSET)


def _be_quiet(value: bool) -> None:
    _state["quiet"] |= value


def _be_verbose(value: int) -> None:
    """Show the log messages of the library; 1: information, 2 or more: details of each file."""
    if not value:
        return
    import logging

    library = logging.getLogger("genrelens")
    if _state.get("handler") is None:
        _state["handler"] = _handler()
        library.addHandler(_state["handler"])
    library.setLevel(logging.INFO if value == 1 else logging.DEBUG)


def _handler() -> logging.Handler:
    import logging

    from genrelens.cli.console import print_log

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            module = record.name.removeprefix("genrelens.")
            print_log(f"{record.relativeCreated / 1000:8.3f} s  {module}: {record.getMessage()}")

    return Handler()


Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        callback=_be_verbose,
        help=OPTIONS["--verbose"][1],
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_be_quiet, help=OPTIONS["--quiet"][1])
]


@functools.cache
def verbosity_options() -> tuple[Any, ...]:
    """Return the two options as parameters of a command that does not get their values."""

    def command(verbose: Verbose = 0, quiet: Quiet = False) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(command)
    params = typer.main.get_command(app).params
    for param in params:
        param.expose_value = False
    return tuple(params)
