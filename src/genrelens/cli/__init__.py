"""The command line: one module for each command. Only this package prints.

Exit codes: 0 success; 1 some files failed; 2 wrong usage or an invalid input file; 3 a model or an
optional package is missing; 130 stopped by Ctrl-C; 141 the reader of the output closed the pipe (as
in ``| head -1``).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from genrelens.cli import (
    audit,
    calibrate,
    classify,
    compare,
    crossval,
    data,
    evaluate,
    features,
    leak,
    models,
    scan,
    serve,
    site,
    tag,
    train,
    undo,
)
from genrelens.cli import list as list_command
from genrelens.cli.command import Command, without_types
from genrelens.cli.console import print_error
from genrelens.errors import AudioError, GenrelensError, MissingExtraError, ModelError
from genrelens.files import reason

__all__ = ["app", "main"]

_STOPPED, _NO_READER = 130, 141


class _Group(TyperGroup):
    """Turn the errors of a command into a line on standard error and an exit code."""

    def get_params(self, ctx: Any) -> list[Any]:
        return without_types(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GenrelensError as error:
            print_error(str(error))
            raise typer.Exit(_exit_code(error)) from error
        except BrokenPipeError as error:
            raise typer.Exit(_NO_READER) from error
        except OSError as error:  # the results or a temporary file cannot be written
            path = f"{error.filename}: " if error.filename else ""
            print_error(f"{path}{reason(error)}")
            raise typer.Exit(1) from error


def _exit_code(error: GenrelensError) -> int:
    if isinstance(error, AudioError):
        return 1
    return 3 if isinstance(error, ModelError | MissingExtraError) else 2


_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Listen": {
        "classify": classify.classify,
        "features": features.features,
        "models": models.models,
    },
    "Library": {
        "scan": scan.scan,
        "list": list_command.list_files,
        "audit": audit.audit,
        "tag": tag.tag,
        "undo": undo.undo,
    },
    "Train and judge": {
        "train": train.train,
        "crossval": crossval.crossval,
        "evaluate": evaluate.evaluate,
        "compare": compare.compare,
        "calibrate": calibrate.calibrate,
        "leak": leak.leak,
    },
    "Serve": {"serve": serve.serve, "site": site.site},
}


def _make_app() -> typer.Typer:
    app = typer.Typer(
        name="genrelens",
        cls=_Group,
        help="Classify the genre of music recordings.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group, commands in _COMMANDS.items():
        for name, function in commands.items():
            app.command(name, cls=Command, rich_help_panel=group)(function)
        if group == "Train and judge":
            app.add_typer(data.app, name="data", cls=_Group, rich_help_panel=group)
    app.callback()(_root)
    return app


def _version(value: bool) -> None:
    if value:
        from genrelens import __version__

        typer.echo(f"genrelens {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


app = _make_app()


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _prepare_streams()
    try:
        app(prog_name="genrelens")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    _leave(code)


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
    sys.exit(code)
