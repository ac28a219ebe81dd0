"""Pieces of HTML. Whatever comes in is text: names of files and genres cannot become markup."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

__all__ = ["Row", "anchor", "details", "figure", "paragraph", "safe", "section", "table"]

Row = Sequence[object]


def safe(value: object) -> str:
    """Escape a value for HTML; what cannot be printed (control characters) is written out."""
    text = str(value)
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return html.escape("".join(shown)).replace(" %", "&nbsp;%")


def paragraph(text: object) -> str:
    """Return a paragraph of text, or nothing for no text."""
    return f"<p>{safe(text)}</p>" if text else ""


def section(title: str, *parts: str) -> str:
    """Return pieces of HTML under a heading that can be linked to."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{anchor(title)}">\n<h2>{safe(title)}</h2>\n{body}\n</section>'


def anchor(title: str) -> str:
    """Return the name of a section in links."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def details(title: str, *parts: str) -> str:
    """Return pieces of HTML that are shown on a click."""
    body = "\n".join(parts)
    return f"<details><summary>{safe(title)}</summary>\n{body}\n</details>"


def figure(svg: bytes, alt: str, caption: str) -> str:
    """Return a picture that is part of the page.

    Args:
        svg: the picture.
        alt: what it shows, for those who do not see it.
        caption: stands below it.

    """
    data = base64.b64encode(svg).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{safe(alt)}">\n'
        f"<figcaption>{safe(caption)}</figcaption></figure>"
    )


def table(caption: str, header: Row, rows: Iterable[Row], *, words: int = 1) -> str:
    """Return a table that scrolls sideways by itself where it is too wide.

    Args:
        caption: stands above it.
        header: of the columns.
        rows: as long as the header; their first cell is a heading.
        words: how many columns, from the left, hold words; the others hold numbers.

    """
    head = "".join(
        f'<th scope="col"{_align(i, words)}>{safe(v)}</th>' for i, v in enumerate(header)
    )
    body = "\n".join(_row(row, words) for row in rows)
    title = safe(caption)
    return (
        f'<div class="wide" role="region" aria-label="{title}" tabindex="0">\n'
        f"<table><caption><span>{title}</span></caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(row: Row, words: int) -> str:
    first, *others = row
    cells = "".join(f"<td{_align(i, words)}>{safe(v)}</td>" for i, v in enumerate(others, 1))
    return f'<tr><th scope="row">{safe(first)}</th>{cells}</tr>'


def _align(column: int, words: int) -> str:
    return "" if column < words else ' class="n"'
