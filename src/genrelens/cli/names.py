"""Names of genres and styles that a user gives, with suggestions for unknown ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection

import typer

from genrelens.cli.console import display_name
from genrelens.library import Catalog

__all__ = ["check_names"]


def check_names(catalog: Catalog, *, genre: str | None = None, style: str | None = None) -> None:
    """Refuse a genre or style that no model of the catalogue has.

    Args:
        catalog: the catalogue; every name is accepted if it has no predictions.
        genre: the value of ``--genre``, in upper or lower case.
        style: the value of ``--style``, in upper or lower case.

    Raises:
        BadParameter: the name is unknown; the message suggests the nearest one.

    """
    if genre is None and style is None:
        return
    genres, styles = catalog.labels()
    if not genres:
        return
    if genre is not None and not _is_in(genre, genres):
        raise _unknown("genre", genre, genres, "style" if _is_in(genre, styles) else None)
    if style is not None and not _is_in(style, styles):
        raise _unknown("style", style, styles, "genre" if _is_in(style, genres) else None)


def _is_in(name: str, known: Collection[str]) -> bool:
    return name.casefold() in {each.casefold() for each in known}


def _unknown(kind: str, name: str, known: Collection[str], other: str | None) -> typer.BadParameter:
    shown = display_name(name)
    if other is not None:
        text = f"'{shown}' is a {other}: use --{other}"
    elif near := _nearest(name, known):
        text = f"there is no {kind} '{shown}'; did you mean {near}?"
    else:
        names = ", ".join(map(display_name, sorted(known))) or "none"
        text = f"there is no {kind} '{shown}'; the {kind}s of the catalogue: {names}"
    return typer.BadParameter(text, param_hint=f"--{kind}")


def _nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most similar, or None if none is."""
    by_letters = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(name.casefold(), by_letters, n=1)
    return display_name(by_letters[found[0]]) if found else None
