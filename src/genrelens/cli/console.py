"""Terminal output: results on standard output; errors, notes and progress on standard error."""

from __future__ import annotations

import json
import re
import shlex
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from genrelens.cli.verbosity import is_quiet

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

__all__ = [
    "Bar",
    "bar_of",
    "clock",
    "display_name",
    "err",
    "out",
    "print_error",
    "print_json",
    "print_log",
    "print_note",
    "print_table",
    "progress",
    "shell_word",
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
_screen = threading.RLock()  # held while lines are written and while the bar comes or goes


def display_name(name: str) -> str:
    """Return text that is safe to show on one line.

    Control characters and undecodable bytes are escaped.
    """
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in name)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not valid text
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shell_word(text: str) -> str:
    """Return text as one word of a command that can be pasted into a shell."""
    if text.isprintable():
        return shlex.quote(text)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{display_name(quoted)}'"


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds, for instance ``1:02:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar_of(share: float, longest: int) -> str:
    """Return a bar for a share from 0 to 1, of at most ``longest`` characters."""
    mark = "█" if out.is_terminal and out.encoding.startswith("utf") else "#"
    return mark * round(longest * share)


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
    with _screen:
        err.print(display_name(message), style=style, soft_wrap=True)


def print_table(table: Table) -> None:
    """Write a table to standard output, without spaces at the ends of lines."""
    with out.capture() as capture:
        out.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


def print_json(value: Any) -> None:
    """Write one JSON document to standard output, with each list of numbers on one line."""
    text = json.dumps(value, indent=1, allow_nan=False)
    print(_LIST_OF_NUMBERS.sub(lambda match: " ".join(match[0].split()), text), flush=True)


class _Lines:
    """Plain lines of progress, for a log or an e-mail of cron.

    A short run writes none. After a minute, there is one for every 5 %, at most every 10 s and at
    least every 10 minutes.
    """

    _QUIET, _SHORTEST, _LONGEST, _STEP = 60.0, 10.0, 600.0, 0.05  # seconds, and a share

    def __init__(self, description: str, total: float) -> None:
        self._description, self._total = description, total
        self._done, self._note = 0.0, ""
        self._started = time.monotonic()
        self._mark = (self._started, 0.0)  # time and work done, from which the speed is taken

    def advance(self, n: float, note: str | None) -> None:
        """Add work done, and write a line if one is due."""
        self._done += n
        self._note = self._note if note is None else note
        now = time.monotonic()
        since = now - self._mark[0]
        if now - self._started < self._QUIET:
            if since >= self._QUIET / 2:  # what was known before took no time and is over
                self._mark = (now, self._done)
        elif since >= self._SHORTEST and (self._steps() or since >= self._LONGEST):
            print_note(self._line(since))
            self._mark = (now, self._done)

    def _steps(self) -> bool:
        """Return whether enough work is done for another line."""
        return (self._done - self._mark[1]) >= self._STEP * self._total

    def _line(self, since: float) -> str:
        left = self._total - self._done
        speed = (self._done - self._mark[1]) / since
        parts = [f"{self._description}: {100 * self._done / self._total:.0f} %", self._note]
        if left > 0 and speed > 0:
            parts.append(f"about {_time(left / speed)} left")
        return ", ".join(filter(None, parts))


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "1 min"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Bar:
    """A progress bar, plain lines, or an object that does nothing. Call it to advance."""

    def __init__(
        self,
        bars: Progress | None = None,
        task: TaskID | None = None,
        *,
        lines: _Lines | None = None,
    ) -> None:
        self._bars = bars
        self._task = task
        self._lines = lines

    def __call__(self, n: float = 1, note: str | None = None) -> None:
        """Advance by ``n`` and show ``note`` beside the bar."""
        if self._bars is not None and self._task is not None:
            if note is not None:
                self._bars.update(self._task, note=note)
            self._bars.advance(self._task, n)
        elif self._lines is not None:
            self._lines.advance(n, note)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bar while something else is printed on the same terminal."""
        if self._bars is None:
            yield
            return
        with _screen:
            self._bars.stop()
            yield
            self._bars.start()


@contextmanager
def progress(description: str, total: float, *, shown: bool = True) -> Iterator[Bar]:
    """Show progress on standard error if ``shown`` is true and the command is not to be quiet.

    At a terminal it is a bar, elsewhere a plain line from time to time if it takes minutes.
    """
    shown = shown and not is_quiet()
    if not (shown and err.is_terminal):
        yield Bar(lines=_Lines(description, total) if shown else None)
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
    bars = Progress(
        *columns, console=err, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with _screen:
        bars.start()
    try:
        yield Bar(bars, bars.add_task(description, total=total, note=""))
    finally:
        with _screen:
            bars.stop()


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
