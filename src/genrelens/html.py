"""HTML pages from the Jinja2 templates in the package.

Every value is escaped, so names of files and genres cannot become markup. Characters that cannot
be printed are escaped as in ``repr``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["percent", "render"]


def render(template: str, **values: object) -> str:
    """Return a page as HTML.

    Besides Jinja2's own filters, templates have ``percent`` (:func:`percent`).

    Args:
        template: path of the template below the package, as ``"library/audit.html"``.
        **values: the variables of the template. A variable that is missing is an error.

    """
    return _environment().get_template(template).render(**values)


def percent(share: float, digits: int = 0) -> str:
    """Write a share of 1 in percent with a no-break space: ``0.83`` is ``83 %``."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


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
    """Write out the characters of a text that cannot be printed; leave markup as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(
        c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else c.encode("unicode_escape").decode()
        for c in value
    )
