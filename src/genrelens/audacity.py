"""The sections of a recording as a label track for Audacity."""

from __future__ import annotations

from collections.abc import Iterable

from genrelens.percentages import percent
from genrelens.segmentation import Section

__all__ = ["audacity_labels"]


def audacity_labels(sections: Iterable[Section]) -> str:
    r"""Return sections as a label track: a line with start, end and label for each section.

    Start and end are in seconds, with tabs between the fields. In Audacity, *File > Import >
    Labels* reads such a file. Labels are ``"jazz 83 %"``, ``"not sure"``, ``"not music"`` and
    ``"silence"``.

    Args:
        sections: the sections, such as :attr:`genrelens.Prediction.sections`.

    Example::

        >>> from genrelens import Section
        >>> audacity_labels([Section(0.0, 12.5, "genre", "jazz", 0.83)])
        '0.000000\t12.500000\tjazz 83 %\n'

    """
    return "".join(f"{each.start:.6f}\t{each.end:.6f}\t{_label(each)}\n" for each in sections)


def _label(section: Section) -> str:
    if section.verdict != "genre":
        return section.verdict
    return " ".join(f"{section.genre} {percent(section.probability)}".split())
