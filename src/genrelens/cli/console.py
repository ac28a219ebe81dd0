"""Terminal output: results on standard output; errors, notes and progress on standard error."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from genrelens.cli.verbosity import is_quiet

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = [
    "Bar",
    "display_name",
    "err",
    "out",
    "print_error",
    "print_json",
    "print_log",
    "print_note",
    "progress",
    "warnings_as_notes",
]


_LIST_OF_NUMBERS = re.compile(r'\[\n[^][{}"]+\n *\]')


class _Console(Console):
    """A console that raises ``BrokenPipeError`` when the reader of the output closes the pipe."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _console(*, stderr: bool) -> Console:
    """Return a console that prints text unchanged, and wraps lines only at a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream is not None and stream.isatty() else 1000
    return _Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


out = _console(stderr=False)
err = _console(stderr=True)


def display_name(name: str) -> str:
    """Return text that is safe to show on one line.

    Control characters and undecodable bytes are escaped.
    """
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in name)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not valid text
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def print_error(message: str) -> None:
    """Write an error to standard error, on one line."""
    _print_line(f"error: {message}", style="red")


def print_note(message: str, *, style: str = "") -> None:
    """Write a note to standard error, on one line, unless the command is to be quiet."""
    if not is_quiet():
        _print_line(message, style=style)


def print_log(message: str) -> None:
    """Write a log message to standard error, on one line."""
    _print_line(message, style="dim")


def _print_line(message: str, *, style: str) -> None:
    err.print(display_name(message), style=style, soft_wrap=True)


def print_json(value: Any) -> None:
    """Write one JSON document to standard output, with each list of numbers on one line."""
    text = json.dumps(value, indent=1, allow_nan=False)
    print(_LIST_OF_NUMBERS.sub(lambda match: " ".join(match[0].split()), text), flush=True)


class Bar:
    """A progress bar, or an object that does nothing in its place. Call it to advance."""

    def __init__(self, bars: Progress | None = None, task: TaskID | None = None) -> None:
        self._bars = bars
        self._task = task

    def __call__(self, n: float = 1, note: str | None = None) -> None:
        """Advance by ``n`` and show ``note`` beside the bar."""
        if self._bars is not None and self._task is not None:
            if note is not None:
                self._bars.update(self._task, note=note)
            self._bars.advance(self._task, n)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bar while something else is printed on the same terminal."""
        if self._bars is None:
            yield
            return
        self._bars.stop()
        yield
        self._bars.start()


@contextmanager
def progress(description: str, total: float, *, shown: bool = True) -> Iterator[Bar]:
    """Show a progress bar on standard error.

    It is not shown if that is no terminal, ``shown`` is false, or the command is to be quiet.
    """
    if not (shown and err.is_terminal) or is_quiet():
        yield Bar()
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        Remaining(),
    )
    with Progress(
        *columns, console=err, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        yield Bar(bars, bars.add_task(description, total=total, note=""))


@contextmanager
def warnings_as_notes() -> Iterator[list[str]]:
    """Write each Python warning to standard error once, for instance about damaged files.

    Yields:
        A list of the messages so far; new messages are appended to it.

    """
    messages: list[str] = []

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in messages:
            messages.append(str(message))
            print_note(f"warning: {message}", style="yellow")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield messages
