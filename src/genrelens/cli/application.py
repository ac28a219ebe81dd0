"""The Typer application: a group whose commands are imported when they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand

from genrelens.cli.command import Command, Group
from genrelens.cli.commands import COMMANDS, DESCRIPTION, OPTIONS
from genrelens.cli.config_file import FILE_KEY
from genrelens.cli.overview import overview
from genrelens.cli.verbosity import Quiet, Verbose, reset_verbosity

__all__ = ["app"]

_ENTRIES = {name: entry for listed in COMMANDS.values() for name, entry in listed.items()}


class _Commands(Mapping[str, Any]):
    """The commands by name. Each one is imported when it is looked up for the first time."""

    def __init__(self) -> None:
        self._imported: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._imported:
            self._imported[name] = _import_command(name, _ENTRIES[name][0])
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_ENTRIES)

    def __len__(self) -> int:
        return len(_ENTRIES)


def _import_command(name: str, address: str) -> Any:
    module, _, attribute = address.partition(":")
    target = getattr(import_module(f"genrelens.cli.{module}"), attribute)
    if isinstance(target, typer.Typer):
        command: Any = typer.main.get_group(target)  # a group even if it has one command
    else:
        app = typer.Typer(add_completion=False)
        app.command(name, cls=Command)(target)
        command = typer.main.get_command(app)
    command.name = name
    return command


class _Root(Group):
    """All commands. Help and completion show them without importing them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added later

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        reset_verbosity()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the name and the first line of a command, for help and completion."""
        if cmd_name not in self.commands:
            return None
        return TyperCommand(cmd_name, help=_ENTRIES[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return the command that the arguments name, to be run."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and self.commands[args[0]], rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        typer.echo(overview())


def _version(value: bool) -> None:
    if value:
        from genrelens import __version__

        typer.echo(f"genrelens {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    config: Annotated[str | None, typer.Option(metavar="FILE", help=OPTIONS["--config"][1])] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help=OPTIONS["--version"][1]),
    ] = False,
) -> None:
    if config is not None:
        ctx.meta[FILE_KEY] = config


app = typer.Typer(
    name="genrelens",
    cls=_Root,
    help=DESCRIPTION,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    callback=_root,
)
