"""Run the command line: in this process, in a process of its own, or at a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import processes
from support.processes import PATIENCE


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *args: str | Path) -> Result:
    """Run a command in this process: fast, but without ``main`` and its streams."""
    from genrelens.cli import app

    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        app([str(arg) for arg in args])
    captured = capsys.readouterr()
    return Result(int(left.value.code or 0), captured.out, captured.err)


def parse(arguments: list[str]) -> None:
    """Parse a command line as the program would; nothing is run."""
    import typer.main

    from genrelens.cli import app

    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    command.make_context(command.name, arguments)


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "genrelens", *map(str, args)]


def spawn(*args: str | Path, **options: Any) -> Result:
    """Run a command in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    done = subprocess.run(
        command(*args), capture_output=True, env=environment, timeout=PATIENCE, **options
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass
class Terminal:
    """A process at a terminal.

    Attributes:
        process: the process.
        screen: file descriptor of the other end of the terminal.

    """

    process: subprocess.Popen[bytes]
    screen: int
    _written: bytes = b""

    def read(self, until: bytes | None = None) -> str:
        """Return the output until the process ends, or until the output contains ``until``."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not (until and until in self._written):
            if not self._read_some():
                os.close(self.screen)
                self.process.wait(PATIENCE)
                break
        written, self._written = self._written.decode(), b""
        return written

    def ctrl_c(self) -> float:
        """Interrupt the process; return the processor time in seconds until it and its children
        end.

        The signal is sent when the process waits. Python can miss a signal between its last check
        for signals and a blocking call; a user would then press Ctrl-C again.
        """
        deadline = time.monotonic() + 5
        while not processes.sleeps(self.process.pid) and time.monotonic() < deadline:
            self._read_some()
        before = processes.processor_seconds(self.process.pid) + _ended_children()
        os.killpg(self.process.pid, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self._read_some()
        return _ended_children() - before

    def _read_some(self) -> bool:
        """Read the available output; return False at the end.

        A process blocks if some kilobytes of its output are not read.
        """
        if select.select([self.screen], [], [], 0.02)[0]:
            try:
                self._written += os.read(self.screen, 65_536)
            except OSError:  # on Linux, the other end is closed
                return False
        return True


def _ended_children() -> float:
    """Processor time of the children of this process that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def at_terminal(
    arguments: Sequence[str], *, width: int = 80, stdout: int | None = None, **env: str
) -> Terminal:
    """Run a command with standard input, error and, unless redirected, output at a terminal."""
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "OMP_NUM_THREADS": "1", **env}
    environment.pop("COLUMNS", None)
    process = processes.start(
        arguments,
        stdin=keyboard,
        stdout=keyboard if stdout is None else stdout,
        stderr=keyboard,
        env=environment,
        start_new_session=True,
    )
    os.close(keyboard)
    return Terminal(process, screen)


def as_seen(written: str) -> list[str]:
    """Interpret output as a terminal does; return the lines on the screen at the end."""
    rows, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if token == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif token == "\r":
            column = 0
        elif token == "\x1b[1A":
            row -= 1
        elif token == "\x1b[2K":
            rows[row] = ""
        elif not token.startswith("\x1b"):
            rows[row] = rows[row][:column].ljust(column) + token + rows[row][column + len(token) :]
            column += len(token)
    return rows
