"""An audit as one page that plays the files; it needs no other file but them."""

from __future__ import annotations

import html
import os
from importlib import resources
from pathlib import Path
from string import Template
from urllib.parse import quote

from genrelens.library.audit import Audit, TagMismatch

__all__ = ["audit_page", "summary"]

_LIKELIEST = 3  # genres shown as evidence


def audit_page(audit: Audit, place: Path, *, top: int | None = None) -> str:
    """Return an audit as HTML.

    Names of files and genres cannot become markup, and the page may load nothing but sound. A
    file below the folder of the page is linked to from there, so that both can be moved together.

    Args:
        audit: what it shows.
        place: where the page will be.
        top: only so many findings.

    """
    from genrelens import __version__

    folder = Path(os.path.abspath(place)).parent  # noqa: PTH100 (resolve would follow links)
    shown = audit.findings[:top]
    template = resources.files("genrelens.library") / "audit.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        summary=_safe(summary(audit)),
        shown="" if len(shown) == len(audit.findings) else f"The first {len(shown)} are shown.",
        rows="\n".join(_row(finding, folder) for finding in shown),
        version=_safe(__version__),
    )


def summary(audit: Audit) -> str:
    """Return how many files agree, how many do not, and how many tell nothing, in a sentence."""
    unknown = ", ".join(f"{word} {n}" for word, n in _commonest(audit))
    words = {
        "disagrees": "disagree",
        "agrees": "agree",
        "has no genre": "have no genre",
        "cannot be compared": f"cannot be compared ({unknown})",
        "no result": "could not be analysed",
    }
    order = [*words, *sorted(set(audit.counts) - set(words))]
    counts = audit.counts
    parts = [f"{counts[name]} {words.get(name, name)}" for name in order if name in counts]
    return f"{sum(counts.values())} files: {', '.join(parts) or 'nothing to compare'}"


def _commonest(audit: Audit) -> list[tuple[str, int]]:
    return sorted(audit.unknown.items(), key=lambda pair: (-pair[1], pair[0]))[:5]


def _row(finding: TagMismatch, folder: Path) -> str:
    likeliest = list(finding.probabilities.items())[:_LIKELIEST]
    evidence = ", ".join(_with_percent(*pair) for pair in [*likeliest, *finding.styles.items()])
    link = _safe(_link(finding.path, folder))
    return (
        f'<tr><td class="n">{100 * finding.score:.0f}</td>'
        f"<td><b>{_safe('; '.join(finding.genres))}</b> {_percent(finding.tagged)}</td>"
        f"<td><b>{_safe(finding.heard)}</b> {_percent(finding.probability)}"
        f'<div class="soft">{_safe(evidence)}</div></td>'
        f'<td><audio controls preload="none" src="{link}"></audio>'
        f'<div class="soft"><a href="{link}">{_safe(finding.path)}</a></div></td></tr>'
    )


def _link(path: Path, folder: Path) -> str:
    if path.is_relative_to(folder):
        return quote(os.fsencode(path.relative_to(folder).as_posix()))
    return path.as_uri()


def _with_percent(name: str, probability: float) -> str:
    return f"{name} {_percent(probability)}"


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"


def _safe(value: object) -> str:
    """Escape for HTML; what cannot be printed, as bytes that are no text, is written out."""
    text = "".join(
        c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else c.encode("unicode_escape").decode()
        for c in str(value)
    )
    return html.escape(text)
