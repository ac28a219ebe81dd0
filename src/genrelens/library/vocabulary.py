"""Genre names: spellings, synonyms and subgenres, from ``vocabulary.toml``."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

__all__ = ["genre_key", "is_speech", "meanings", "real_genres", "related", "spelling"]

# Keys of the words that programs write if the genre is unknown.
_PLACEHOLDERS = frozenset(
    {
        "",
        "other",
        "others",
        "unknown",
        "unknowngenre",
        "misc",
        "miscellaneous",
        "none",
        "genre",
        "nogenre",
        "unclassifiable",
        "unclassified",
        "undefined",
        "notset",
        "default",
        "various",
    }
)

_IGNORED = {"and", "n", "music"}


def genre_key(name: str) -> str:
    """Return a key that is the same for all spellings of a name: ``Hip-Hop`` and ``hip hop``."""
    return "".join(_tokens(name)) or name.casefold().strip()


def spelling(label: str) -> str:
    """Return the usual spelling of a genre: ``Hip-Hop`` for ``hiphop``.

    A genre that is not in the vocabulary is returned unchanged.
    """
    genres, keys = _vocabulary()
    key = genre_key(label)
    if key in genres:
        name: str = genres[key]["spelling"]
        return name
    return label.title() if key in keys and label.islower() else label


def real_genres(names: Iterable[str]) -> list[str]:
    """Return the names without placeholders such as "Other" and "Unknown"."""
    return [name for name in names if genre_key(name) not in _PLACEHOLDERS]


def meanings(name: str) -> frozenset[str]:
    """Return the keys of the genres that a name means.

    ``Melodic Death Metal`` means ``{"metal"}``, ``Country Rock`` means ``{"country", "rock"}``. An
    name that is not in the vocabulary means itself: ``Gamelan`` means ``{"gamelan"}``.
    """
    tokens = _tokens(name)
    keys = _vocabulary()[1]
    found = set()
    start = 0
    while start < len(tokens):
        ends = range(len(tokens), start, -1)  # the longest phrase first
        end = next((e for e in ends if "".join(tokens[start:e]) in keys), None)
        if end is not None:
            found.add(keys["".join(tokens[start:end])])
        start = end or start + 1
    return frozenset(found or {genre_key(name)})


def related(first: Iterable[str], second: Iterable[str]) -> bool:
    """Return whether two sets share a genre key, or one has a subgenre of a genre in the other."""
    first, second = set(first), set(second)
    return bool(first & _with_ancestors(second) or second & _with_ancestors(first))


def is_speech(keys: Iterable[str]) -> bool:
    """Return whether all genre keys are speech rather than music; False without keys."""
    genres = [_vocabulary()[0].get(key) for key in keys]
    return bool(genres) and all(genre and not genre.get("music", True) for genre in genres)


def _with_ancestors(keys: Iterable[str]) -> set[str]:
    genres = _vocabulary()[0]
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += genres.get(key, {}).get("under", ())
    return found


def _tokens(name: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return [token for token in re.findall(r"[^\W_]+", plain) if token not in _IGNORED]


@functools.cache
def _vocabulary() -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, str]]:
    """Return the genres of ``vocabulary.toml`` by key, and the key of each name."""
    text = (resources.files("genrelens.library") / "vocabulary.toml").read_text(encoding="utf-8")
    genres = tomllib.loads(text)
    keys = {
        genre_key(name): key
        for key, genre in genres.items()
        for name in (key, genre["spelling"], *genre.get("same", ()))
    }
    return genres, keys
