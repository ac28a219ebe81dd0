"""Numbers with their nouns, written in the same way in all messages."""

from __future__ import annotations

__all__ = ["count_of", "plural"]


def plural(n: int, one: str, several: str | None = None) -> str:
    """Return the form of a word that agrees with a number.

    Args:
        n: the number.
        one: the form for 1.
        several: the form for all other numbers; None: ``one`` with an s.

    Example::

        >>> plural(2, "file"), plural(1, "copy", "copies"), plural(0, "is", "are")
        ('files', 'copy', 'are')

    """
    return one if n == 1 else several or f"{one}s"


def count_of(n: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun.

    Args:
        n: the number.
        one: the noun for 1, as for :func:`plural`.
        several: the noun for all other numbers.

    Example::

        >>> count_of(1, "file"), count_of(0, "file"), count_of(2, "entry", "entries")
        ('1 file', '0 files', '2 entries')

    """
    return f"{n} {plural(n, one, several)}"
