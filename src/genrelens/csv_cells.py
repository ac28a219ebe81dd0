"""CSV cells that a spreadsheet does not run as formulas.

A spreadsheet runs a cell that starts with ``=``, ``+``, ``-`` or ``@`` as a formula, and formulas
can send data to other machines. File names, tags and labels can start with these characters. An
apostrophe before such a cell makes it text. Numbers are never changed.

Source: OWASP, "CSV Injection", with the full-width characters listed there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["original_cell", "readable_row", "safe_row"]

_START = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(_START)
_PROTECTED = re.compile(f"'+{_START}")


def safe_row(cells: Iterable[Any]) -> list[Any]:
    """Return the cells with an apostrophe before each text that a spreadsheet runs as a formula."""
    return [_with_apostrophe(each, _FORMULA) for each in _escaped(cells)]


def readable_row(cells: Iterable[Any], *, safe: bool) -> list[Any]:
    """Return the cells of a row that :func:`original_cell` can decode.

    Args:
        cells: text and numbers.
        safe: also put an apostrophe before formulas, as :func:`safe_row` does.

    """
    return safe_row(cells) if safe else _escaped(cells)


def original_cell(text: str) -> str:
    """Return the text of a cell that :func:`readable_row` or :func:`safe_row` encoded."""
    return text[1:] if _PROTECTED.match(text) else text


def _escaped(cells: Iterable[Any]) -> list[Any]:
    """Add an apostrophe to text that already looks protected."""
    return [_with_apostrophe(each, _PROTECTED) for each in cells]


def _with_apostrophe(cell: Any, pattern: re.Pattern[str]) -> Any:
    return f"'{cell}" if isinstance(cell, str) and pattern.match(cell) else cell
