"""Defaults of options from the configuration file and from environment variables.

The command line comes first, then ``$GENRELENS_COMMAND_OPTION``, ``$GENRELENS_OPTION``, the section
of the command in the file, its section ``default``, and the default of the option.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from genrelens.cli.commands import COMMANDS, GROUPS
from genrelens.discovery.locations import is_uri
from genrelens.errors import GenrelensError

__all__ = [
    "COMMON",
    "FILE_KEY",
    "SETTABLE",
    "all_commands",
    "apply_config",
    "config_path",
    "long_name",
    "on_command_line",
    "path_in",
    "read_config",
    "settings_of",
    "source_of",
    "variables",
]

_LARGEST = 2**20  # bytes of a configuration file

COMMON = "default"
"""The section for all commands that have an option of this name."""

SETTABLE = frozenset(
    [
        "allow-host",
        "cache",
        "db",
        "device",
        "exclude",
        "existing",
        "fast",
        "genres",
        "host",
        "id3",
        "jobs",
        "journal",
        "log-level",
        "max-genres",
        "max-seconds",
        "max-upload",
        "min",
        "min-confidence",
        "model",
        "musicnn",
        "nice",
        "not-music",
        "port",
        "precision",
        "queue",
        "relative-to",
        "root-path",
        "timeout",
        "words",
        "workers",
    ]
)
"""Options that can be set. Those that choose what is done or written are not among them."""

FILE_KEY = "genrelens.config"
"""The key of the file that ``--config`` names in the context of the command line."""


def config_path(named: str | None = None) -> Path | None:
    """Return the path of the configuration file; None if there is to be none.

    Args:
        named: file from the command line. None: ``$GENRELENS_CONFIG``, where an empty text stands
            for no file, or ``config.toml`` in the user's configuration folder.

    """
    chosen = os.environ.get("GENRELENS_CONFIG") if named is None else named
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    import platformdirs

    return platformdirs.user_config_path("genrelens", appauthor=False) / "config.toml"


def path_in(ctx: Any) -> Path | None:
    """Return the path of the configuration file for a command line."""
    return config_path(ctx.meta.get(FILE_KEY))


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration file and check its sections and keys.

    Returns:
        The sections by the name of the command; empty if there is no file and none was named.

    Raises:
        GenrelensError: the file cannot be read, or has an unknown section or key.

    """
    document = _parsed(path)
    names = [COMMON, *(name for listed in COMMANDS.values() for name in listed)]
    for name, section in document.items():
        if not isinstance(section, dict):
            raise _error(path, f"{name!r} is outside of a section such as [{COMMON}]")
        if name not in names:
            raise _error(path, f"[{name}] is not a command{_suggestion(name, names)}")
        if name in GROUPS:
            _check_group(path, name, section)
        else:
            _check_keys(path, name, section)
    return document


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = _text(path)
        import tomllib  # not before it is clear that there is a file

        return tomllib.loads(text)
    except FileNotFoundError as error:
        if path != config_path() or os.environ.get("GENRELENS_CONFIG"):  # the user named it
            raise _error(path, "No such file or directory") from error
        return {}
    except (OSError, ValueError) as error:  # of TOML as well
        from genrelens.files import reason

        raise _error(path, reason(error)) from error


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise _error(path, "is larger than 1 MiB, so it is not a configuration file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(path, f"is not text in UTF-8 (line {line})") from error


def _check_group(path: Path, name: str, section: dict[str, Any]) -> None:
    """Check a group of commands, which has sections such as [data.check] and no settings."""
    for key, value in section.items():
        own = f"{name}.{key}"
        if key in GROUPS[name] and isinstance(value, dict):
            _check_keys(path, own, value)
        elif key in GROUPS[name]:
            text = f"is a command: its options belong to a section [{own}]"
            raise _error(path, f"[{name}] {key!r} {text}")
        elif isinstance(value, dict):
            raise _error(path, f"[{own}] is not a command{_suggestion(key, GROUPS[name])}")
        else:
            commands = ", ".join(f"[{name}.{each}]" for each in GROUPS[name])
            raise _error(path, f"[{name}] {key!r} belongs to the section of a command: {commands}")


def _check_keys(path: Path, name: str, section: dict[str, Any]) -> None:
    for key in section:
        if key not in SETTABLE:
            raise _error(path, f"[{name}] {key!r} {_obstacle(key)}")


def _obstacle(key: str) -> str:
    """Return why a key cannot be set. The commands are imported only here, for the message."""
    if any(key == long_name(param) for _, each in all_commands() for param in each.params):
        return "cannot be set; it is only for the command line"
    return f"cannot be set{_suggestion(key, SETTABLE)}"


def all_commands() -> Iterator[tuple[str, Any]]:
    """Yield all commands that are not groups, with their full names; import them."""
    import typer

    from genrelens.cli import app

    yield from _leaves(typer.main.get_command(app), "")


def _leaves(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{name} ")
        else:
            yield prefix + name, command


def settings_of(path: Path, command: str, params: Iterable[Any]) -> dict[str, Any]:
    """Return the values in the file for the options of a command, by the name of the parameter.

    Args:
        path: the configuration file.
        command: name of the command, such as ``scan`` or ``data check``.
        params: parameters of the command.

    Raises:
        GenrelensError: a key is unknown, or a value has the wrong type.

    """
    document = read_config(path)
    own: dict[str, Any] = document
    for word in command.split():
        own = own.get(word, {})
    options = {long_name(param): param for param in params if long_name(param) in SETTABLE}
    for key in own:
        if key not in options:
            text = f"[{command}] has no option {key!r}{_suggestion(key, options)}"
            raise _error(path, text)
    values = document.get(COMMON, {}) | own
    return {
        options[name].name: _checked(path, options[name], value)
        for name, value in values.items()
        if name in options
    }


def _checked(path: Path, param: Any, value: Any) -> Any:
    """Return a value of the file for a parameter; raise an error if it has the wrong type."""
    kinds, text = _kinds(param)
    entries = value if isinstance(value, list) else [value]
    is_list = isinstance(value, list) == bool(param.multiple)
    if not (is_list and all(type(entry) in kinds for entry in entries)):
        raise _error(path, f"{long_name(param)} = {_shown(value)} must be {text}")
    if value == "":
        raise _error(path, f'{long_name(param)} = "" must not be empty')
    kind = param.type_descriptor.annotation
    is_model = param.name == "model" and str(value).endswith(".onnx")
    is_library = param.name == "db" and not is_uri(str(value))
    is_path = kind is Path or is_model or is_library
    return str(path.parent / Path(value).expanduser()) if is_path else value


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _kinds(param: Any) -> tuple[tuple[type, ...], str]:
    """Return the types of TOML that a parameter takes, and their name."""
    kind = param.type_descriptor.annotation
    if param.multiple:
        return (str,), 'a list such as ["a", "b"]'
    if param.is_flag:
        return (bool,), "true or false"
    if param.metavar == "P":
        return (int, float, str), 'a number, or a percentage such as "60%"'
    if kind is int:
        return (int,), "a whole number"
    return ((int, float), "a number") if kind is float else ((str,), "text in quotes")


def apply_config(ctx: Any, params: Iterable[Any]) -> None:
    """Make the file and the environment set defaults of a command's options.

    Args:
        ctx: context of the command.
        params: parameters of the command.

    Raises:
        GenrelensError: the file is not valid.

    """
    params = [param for param in params if long_name(param) in SETTABLE]
    command = _command(ctx)
    for param in params:
        param.envvar = variables(command, long_name(param))
        param.show_envvar = False  # in error messages, where the used one is named
    if params and (path := path_in(ctx)) is not None:
        ctx.default_map = settings_of(path, command, params)


def _command(ctx: Any) -> str:
    """Return the name of the command without that of the program."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.info_name)
        ctx = ctx.parent
    return " ".join(names)


def variables(command: str, option: str) -> list[str]:
    """Return the environment variables of an option, the one that counts most first.

    Example:
        >>> variables("scan", "relative-to")
        ['GENRELENS_SCAN_RELATIVE_TO', 'GENRELENS_RELATIVE_TO']

    """
    words = [f"{command} {option}", option]
    return ["GENRELENS_" + text.upper().replace(" ", "_").replace("-", "_") for text in words]


def long_name(param: Any) -> str:
    """Return the long name of an option without dashes; empty for an argument."""
    names = [name[2:] for name in param.opts if name.startswith("--")]
    return names[0] if names else ""


def source_of(ctx: Any, param: Any) -> str:
    """Return the variable or the file that the value of a parameter comes from, else no text."""
    source = ctx.get_parameter_source(param.name)
    if source is not None and source.name == "ENVIRONMENT":
        return next(f"${name}" for name in param.envvar if os.environ.get(name))
    if source is not None and source.name == "DEFAULT_MAP":
        return str(path_in(ctx))
    return ""


def on_command_line(ctx: Any, *names: str) -> bool:
    """Return whether one of these parameters was given on the command line."""
    sources = (ctx.get_parameter_source(name) for name in names)
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _error(path: Path, text: str) -> GenrelensError:
    return GenrelensError(text, path=path)
