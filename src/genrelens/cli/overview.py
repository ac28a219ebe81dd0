"""The page of ``genrelens --help``. It is drawn without Rich, which is slow to import."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator

from genrelens.cli.commands import COMMANDS, DESCRIPTION, OPTIONS

__all__ = ["overview"]

_DIM, _BOLD, _YELLOW, _CYAN, _GREEN = "2", "1", "1;33", "1;36", "1;32"
_ROUND, _PLAIN = "╭─╮│╰╯", "+-+|++"  # corners and lines of a panel
_LEAST_WIDTH = 50  # of the page, however narrow the terminal is
_OPTION_WIDTHS = [max(map(len, OPTIONS)), 2]  # long and short form

_Cells = list[tuple[str, str]]  # (text, colour); the last column of a row is a sentence


def overview() -> str:
    """Return the help page: options and commands in panels, as wide as the terminal."""
    page = _Page(max(_LEAST_WIDTH, _width()), coloured=_has_colours(), corners=_corners())
    options: list[_Cells] = [
        [(name, _CYAN), (short, _GREEN), (text, "")] for name, (short, text) in OPTIONS.items()
    ]
    commands: dict[str, list[_Cells]] = {
        panel: [[(name, _CYAN), (text, "")] for name, (_, text) in listed.items()]
        for panel, listed in COMMANDS.items()
    }
    return "\n".join(page.lines({"Options": options, **commands}))


class _Page:
    def __init__(self, width: int, *, coloured: bool, corners: str) -> None:
        self.width, self.coloured, self.corners = width, coloured, corners

    def lines(self, panels: dict[str, list[_Cells]]) -> Iterator[str]:
        usage = self.paint("genrelens [OPTIONS] COMMAND [ARGS]...", _BOLD)
        yield from ("", f" {self.paint('Usage: ', _YELLOW)}{usage}", "", f" {DESCRIPTION}", "")
        names = max(len(row[0][0]) for rows in list(panels.values())[1:] for row in rows)
        for number, (title, rows) in enumerate(panels.items()):
            yield from self.panel(title, rows, [names] if number else _OPTION_WIDTHS)
        yield ""

    def panel(self, title: str, rows: Iterable[_Cells], widths: list[int]) -> Iterator[str]:
        left, line, right, side, low_left, low_right = tuple(self.corners)
        top = f"{left}{line} {title} ".ljust(self.width - 1, line)
        yield self.paint(top + right, _DIM)
        room = self.width - 4 - sum(widths) - 2 * len(widths)
        for *cells, (sentence, _) in rows:
            for part in textwrap.wrap(sentence, room, break_on_hyphens=False):
                columns = zip(cells, widths, strict=True)
                painted = [self.paint(f"{text:<{width}}", how) for (text, how), width in columns]
                row = f" {'  '.join(painted)}  {part:<{room}} "
                yield self.paint(side, _DIM) + row + self.paint(side, _DIM)
                cells = [("", how) for _, how in cells]
        yield self.paint(f"{low_left}{line * (self.width - 2)}{low_right}", _DIM)

    def paint(self, text: str, how: str) -> str:
        return f"\x1b[{how}m{text}\x1b[0m" if self.coloured and how and text.strip() else text


def _width() -> int:
    """Return the width of the terminal: $COLUMNS, or its own, or 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size().columns or 80
    except OSError:
        return 80


def _has_colours() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    understands = os.name != "nt" or "WT_SESSION" in os.environ  # the old console shows the codes
    return understands and sys.stdout.isatty()


def _corners() -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return _ROUND if encoding.lower().startswith("utf") else _PLAIN
