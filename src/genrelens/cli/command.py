"""Commands and groups of commands: help pages, errors and exit codes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from genrelens.cli.config_file import apply_config, source_of
from genrelens.cli.verbosity import verbosity_options
from genrelens.errors import AudioError, GenrelensError, MissingExtraError, ModelError

__all__ = ["Command", "Group", "explained", "placeholder"]

_NO_READER = 141

_PHRASES = {  # regular expression for a message of Typer -> the message to show instead
    r"Value error, ": "",
    r"Input should be greater than or equal to (.*)": r"must be at least \1",
    r"Input should be less than or equal to (.*)": r"must be at most \1",
    r"Input should be a valid integer.*": "must be a whole number",
    r"Input should be a valid number.*": "must be a number",
    r"Input should be a valid boolean.*": "must be 1 or 0",
}


class Command(TyperCommand):
    """A command whose docstring may end with examples, which ``--help`` shows after the options.

    The section ``Examples:`` of the docstring contains command lines, each followed by an indented
    sentence that explains it.

    Attributes:
        examples: (command line, sentence) of each example.

    """

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        text, _, section = inspect.cleandoc(help or "").partition("\n\nExamples:\n")
        self.examples = tuple(_read_examples(section))
        super().__init__(*args, help=_with_joined_lines(text), **settings)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, including ``--verbose``, ``--quiet`` and ``--help``."""
        *own, last = super().get_params(ctx)
        return _prepared([*own, *verbosity_options(), last])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help page, with the examples at its end."""
        self.epilog = _epilog(self.examples)
        super().format_help(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with defaults from the configuration file and the environment.

        The error messages of Typer are shortened.
        """
        if not (ctx.resilient_parsing or {"-h", "--help"} & {*args}):
            apply_config(ctx, self.params)
        try:
            return super().parse_args(ctx, list(_with_addresses(args)))
        except typer.BadParameter as error:
            raise explained(error, ctx) from error

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the name of the command in the line ``Usage:``."""
        arguments = [each for each in self.params if each.param_type_name == "argument"]
        return ["[OPTIONS]", *map(placeholder, arguments)]


_ADDRESS = re.compile(r"auto|local|ray://.*|[^/]+:[0-9]+")


def _with_addresses(args: Sequence[str]) -> Iterator[str]:
    """Yield the arguments with ``auto`` after each ``--ray`` that no address follows."""
    for arg, following in zip_longest(args, args[1:], fillvalue=""):
        yield arg
        if arg == "--ray" and not _ADDRESS.fullmatch(following):
            yield "auto"


class Group(TyperGroup):
    """A group of commands whose errors are a line on standard error and an exit code."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, including ``--help``."""
        return _prepared(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except GenrelensError as error:
            raise _ended(str(error), _exit_code(error)) from error
        except BrokenPipeError as error:
            raise typer.Exit(_NO_READER) from error
        except OSError as error:  # the results or a temporary file cannot be written
            from genrelens.files import reason

            path = f"{error.filename}: " if error.filename else ""
            raise _ended(f"{path}{reason(error)}", 1) from error


def _ended(message: str, code: int) -> typer.Exit:
    """Print an error; return the exception that ends the command with an exit code."""
    from genrelens.cli.console import print_error

    print_error(message)
    return typer.Exit(code)


def _exit_code(error: GenrelensError) -> int:
    if isinstance(error, AudioError):
        return 1
    return 3 if isinstance(error, ModelError | MissingExtraError) else 2


def explained(error: typer.BadParameter, ctx: Any) -> typer.BadParameter:
    """Shorten a message of Typer; add the variable or the file that the value comes from."""
    for phrase, plain in _PHRASES.items():
        error.message = re.sub(f"^{phrase}", plain, error.message)
    if error.param is not None and (source := source_of(ctx, error.param)):
        error.message += f" (in {source})"
    return error


def placeholder(param: Any) -> str:
    """Return the placeholder of a parameter's value, for instance ``[FOLDER]``."""
    text = str(param.metavar) + ("..." if param.nargs == -1 else "")
    return text if param.required or param.param_type_name == "option" else f"[{text}]"


def _prepared(params: list[Any]) -> list[Any]:
    """Adapt parameters to the style of genrelens: what they show, and how they are converted."""
    for param in params:
        if param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: ""  # otherwise Typer adds <path> or <list[str]>
        elif getattr(param, "is_flag", False) or getattr(param, "count", False):
            param.metavar = ""
        if hasattr(param, "type_descriptor") and "process_value" not in vars(param):
            param.process_value = partial(_converted, param, param.process_value)
    return params


def _converted(param: Any, convert: Callable[..., Any], ctx: Any, value: Any) -> Any:
    """Convert a value, unless it is a default or text: for others Typer imports pydantic first."""
    kind = param.type_descriptor.annotation
    is_default = value is param.default and not param.required
    is_text = kind is str and isinstance(value, str)
    are_texts = kind == list[str] and value and not isinstance(value, str)
    if is_default or is_text or are_texts:
        return value if param.callback is None else param.callback(ctx, param, value)
    return convert(ctx, value)


def _with_joined_lines(text: str) -> str:
    """Make each paragraph one line, because Typer keeps the line ends when it folds the text."""
    return re.sub(r"(?<!\n)\n(?=[^\s-])", " ", text)  # not before a list or what is indented


def _read_examples(section: str) -> Iterator[tuple[str, str]]:
    lines = [line.strip() for line in section.splitlines() if line.strip()]
    yield from zip(lines[::2], lines[1::2], strict=True)


def _epilog(examples: Sequence[tuple[str, str]]) -> str | None:
    from rich.markup import escape

    lines = [f"{escape(line)}\n  {escape(sentence)}" for line, sentence in examples]
    return "\n".join(["Examples:", *lines]) if lines else None
