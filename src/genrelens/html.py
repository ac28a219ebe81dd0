"""HTML pages from the Jinja2 templates in the package.

Every value is escaped, so that file names and genres cannot become markup. Characters that are not
printable are escaped as in ``repr``.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import jinja2

__all__ = ["file_link", "percent", "printable", "render"]


def render(template: str, **values: object) -> str:
    """Return a page as HTML.

    Templates can use Jinja2's filters and the filter ``percent`` (:func:`percent`).

    Args:
        template: path of the template below the package, as ``"library/audit.html"``.
        **values: the variables of the template.

    Raises:
        jinja2.UndefinedError: the template uses a variable that is missing.

    """
    return _environment().get_template(template).render(**values)


def percent(share: float, digits: int = 0) -> str:
    """Return a share as text in percent with a no-break space: 0.83 becomes ``83 %``."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def printable(text: str) -> str:
    """Return a text with the characters that are not printable escaped, as by ``repr``."""
    return "".join(
        c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else c.encode("unicode_escape").decode()
        for c in text
    )


def file_link(path: Path, folder: Path) -> str:
    """Return the address of a file for a page in a folder: relative if the file is below it."""
    if path.is_relative_to(folder):
        return quote(os.fsencode(path.relative_to(folder).as_posix()))
    return path.as_uri()


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # takes 50 ms, and only pages need it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("genrelens", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    return environment


def _printable(value: Any) -> Any:
    """Escape the characters of a text that are not printable; leave markup unchanged."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return printable(value)
