"""Cells of CSV files that a spreadsheet would run as formulas.

A file name, a tag or a label may begin with ``=``, ``+``, ``-`` or ``@``; a spreadsheet that opens
the CSV takes such a cell for a formula, which can send data elsewhere. With an apostrophe in front
it is text. Numbers are never touched.

Source: OWASP, "CSV Injection"; the characters include the full-width ones that it lists.
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
    """Put an apostrophe before each text that a spreadsheet would run as a formula."""
    return [_with_apostrophe(each, _FORMULA) for each in _escaped(cells)]


def readable_row(cells: Iterable[Any], *, safe: bool) -> list[Any]:
    """Return the cells of a file that is read back with :func:`original_cell`.

    Args:
        cells: text and numbers.
        safe: also do as :func:`safe_row`.

    """
    return safe_row(cells) if safe else _escaped(cells)


def original_cell(text: str) -> str:
    """Return the text of a cell of :func:`readable_row`."""
    return text[1:] if _PROTECTED.match(text) else text


def _escaped(cells: Iterable[Any]) -> list[Any]:
    """Add an apostrophe to text that looks as if it had been given one."""
    return [_with_apostrophe(each, _PROTECTED) for each in cells]


def _with_apostrophe(cell: Any, pattern: re.Pattern[str]) -> Any:
    return f"'{cell}" if isinstance(cell, str) and pattern.match(cell) else cell
