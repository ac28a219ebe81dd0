"""``genrelens config``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from genrelens.cli.command import explained
from genrelens.cli.config_file import (
    SETTABLE,
    all_commands,
    apply_config,
    long_name,
    path_in,
    read_config,
    source_of,
    variables,
)
from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.options import AsJson
from genrelens.errors import GenrelensError
from genrelens.model_file import packaged_models

__all__ = ["config"]

_Path = Annotated[bool, typer.Option("--path", help="Print the path of the configuration file.")]
_Example = Annotated[
    bool, typer.Option("--example", help="Print a configuration file with a comment on each line.")
]
_All = Annotated[bool, typer.Option("--all", help="Show the defaults as well.")]


class _Setting(NamedTuple):
    command: str
    option: str
    value: Any
    source: str  # a variable, a file, or "default"


def config(
    ctx: typer.Context,
    path: _Path = False,
    example: _Example = False,
    show_all: _All = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings that differ from the defaults.

    They come from the configuration file and from environment variables, and the whole file is
    checked. Options on the command line override both.

    Examples:
        genrelens config
            Show the settings and where each one comes from.
        genrelens config --example > config.toml
            Write a configuration file to edit.
        genrelens config --path
            Show where genrelens looks for the file.
        genrelens config --all
            Show all options that can be set, with their values.

    """
    if path + example + as_json > 1:
        raise typer.BadParameter("--path, --example and --json cannot be combined")
    file = path_in(ctx)
    if example:
        print((resources.files("genrelens.cli") / "config_example.toml").read_text(), end="")
    elif path:
        print("" if file is None else file)
    else:
        if file is not None:
            read_config(file)
        settings = [each for each in _settings(ctx) if show_all or each.source != "default"]
        _show(file, settings, as_json=as_json)
        for name in _unknown_variables():
            print_note(f"${display_name(name)} sets no option that can be set, and is ignored")


def _settings(ctx: typer.Context) -> Iterator[_Setting]:
    """Yield the settings of all commands; raise an error if a value is not valid."""
    root = ctx.find_root()
    for name, command in all_commands():
        sub = typer.Context(command, info_name=name, parent=root)
        apply_config(sub, command.params)
        for param in command.params:
            if long_name(param) in SETTABLE:
                yield _setting(sub, name, param)


def _unknown_variables() -> list[str]:
    """Return the environment variables that look like settings and are none, sorted."""
    known = {f"GENRELENS_{name}" for name in ("CONFIG", "DB", "JOURNAL", "DATASET_CACHE")}
    for name, command in all_commands():
        options = SETTABLE & {long_name(param) for param in command.params}
        known.update(variable for option in options for variable in variables(name, option))
    return sorted(
        name for name in os.environ if name.startswith("GENRELENS_") and name not in known
    )


def _setting(ctx: typer.Context, command: str, param: Any) -> _Setting:
    value, source = param.consume_value(ctx, {})
    ctx.set_parameter_source(param.name, source)
    try:
        value = param.process_value(ctx, value)
    except typer.BadParameter as error:
        raise explained(error, ctx) from error
    origin = source_of(ctx, param) or "default"
    if param.name == "model" and origin != "default":
        _check_model(str(value), origin)
    return _Setting(command, long_name(param), _plain(value), origin)


def _check_model(model: str, origin: str) -> None:
    """Refuse a wrong name of a model. A file that does not exist (yet) is accepted."""
    known = packaged_models()
    if model not in known and not model.endswith(".onnx") and not Path(model).exists():
        text = f"model = {model!r} is neither a file nor a packaged model ({', '.join(known)})"
        raise GenrelensError(text, path=origin)


def _plain(value: Any) -> Any:
    """Return a value of an option as JSON has it."""
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value] or None
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _show(file: Path | None, settings: list[_Setting], *, as_json: bool) -> None:
    if as_json:
        exists = file is not None and file.exists()
        document = {"path": file and str(file), "exists": exists}
        print_json({**document, "settings": [each._asdict() for each in settings]})
        return
    if file is None:
        print_note("no configuration file is used: $GENRELENS_CONFIG is empty")
    elif not file.exists():
        print_note(f"no configuration file: {file}; genrelens config --example shows one")
    rows = [
        (f"{each.command} --{each.option}", _text(each.value), each.source) for each in settings
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for option, value, source in rows:
        line = f"{option:<{widths[0]}}  {value:<{widths[1]}}  {display_name(source)}"
        out.print(line, soft_wrap=True)
    if not rows:
        print_note("every option has its default")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return display_name(", ".join(map(str, value)) if isinstance(value, list) else str(value))
