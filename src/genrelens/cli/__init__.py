"""The command line. The only package that prints.

Exit codes: 0 all fine; 1 some files failed; 2 wrong usage; 3 a model or a needed package is
missing; 130 stopped by Ctrl-C; 141 the reader of the output went away (as in ``| head -1``).
"""

from __future__ import annotations

import contextlib
import os
import sys
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
    tag,
    train,
    undo,
)
from genrelens.cli import list as listing
from genrelens.cli.console import print_error
from genrelens.errors import AudioError, GenrelensError, MissingExtraError, ModelError
from genrelens.files import reason

__all__ = ["app", "main"]

_STOPPED, _NO_READER = 130, 141


class _Group(TyperGroup):
    """Turns the errors of a command into a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GenrelensError as error:
            print_error(str(error))
            raise typer.Exit(_exit_code(error)) from error
        except BrokenPipeError as error:
            raise typer.Exit(_NO_READER) from error
        except OSError as error:  # the results or a temporary file cannot be written
            place = f"{error.filename}: " if error.filename else ""
            print_error(f"{place}{reason(error)}")
            raise typer.Exit(1) from error


def _exit_code(error: GenrelensError) -> int:
    if isinstance(error, AudioError):
        return 1
    return 3 if isinstance(error, ModelError | MissingExtraError) else 2


app = typer.Typer(
    name="genrelens",
    cls=_Group,
    help="Tell what kind of music a recording is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("classify")(classify.classify)
app.command("models")(models.models)
app.command("scan")(scan.scan)
app.command("list")(listing.list_files)
app.command("tag")(tag.tag)
app.command("undo")(undo.undo)
app.command("audit")(audit.audit)
app.command("features")(features.features)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("leak")(leak.leak)
app.command("train")(train.train)
app.command("crossval")(crossval.crossval)
app.command("calibrate")(calibrate.calibrate)
app.command("serve")(serve.serve)
app.add_typer(data.app, name="data")


def _version(value: bool) -> None:
    if value:
        from genrelens import __version__

        typer.echo(f"genrelens {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _prepare_streams()
    try:
        app()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    _leave(code)


def _prepare_streams() -> None:
    """Make sure that there are streams, and that they take what their encoding cannot hold."""
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
        os._exit(code)  # at once: a thread may hang in the reading of a pipe
    sys.exit(code)
