"""Words for genres: how they are spelt, which mean the same, which is a kind of which."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

__all__ = ["is_speech", "meanings", "named", "related", "spelling", "word_key"]

# Keys of words that programs write where they know no genre.
_NO_GENRES = frozenset(
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

_LEFT_OUT = {"and", "n", "music"}


@dataclass(frozen=True, slots=True)
class _Genre:
    spelling: str
    under: tuple[str, ...]
    music: bool


def word_key(word: str) -> str:
    """Return what is the same for all ways to write a word: ``Hip-Hop`` and ``hip hop``."""
    return "".join(_tokens(word)) or word.casefold().strip()


def spelling(label: str) -> str:
    """Return how a genre is usually spelt: ``Hip-Hop`` for ``hiphop``; unknown ones as they are."""
    genres, words = _table()
    key = word_key(label)
    if key in genres:
        return genres[key].spelling
    return label.title() if key in words and label.islower() else label


def named(words: Iterable[str]) -> list[str]:
    """Leave out words that name no genre, as "Other"."""
    return [word for word in words if word_key(word) not in _NO_GENRES]


def meanings(word: str) -> frozenset[str]:
    """Return the genres that a word stands for, as keys.

    ``Melodic Death Metal`` is ``{"metal"}``, ``Country Rock`` is ``{"country", "rock"}``; a word
    of which nothing is known stands for itself, ``Gamelan`` for ``{"gamelan"}``.
    """
    tokens = _tokens(word)
    found = set()
    start = 0
    while start < len(tokens):
        ends = range(len(tokens), start, -1)  # the longest phrase first
        end = next((e for e in ends if "".join(tokens[start:e]) in _table()[1]), None)
        if end is not None:
            found.add(_table()[1]["".join(tokens[start:end])])
        start = end or start + 1
    return frozenset(found or {word_key(word)})


def related(first: Iterable[str], second: Iterable[str]) -> bool:
    """Tell whether one of the first is one of the second, or either is a kind of the other."""
    first, second = set(first), set(second)
    return bool(first & _with_ancestors(second) or second & _with_ancestors(first))


def is_speech(keys: Iterable[str]) -> bool:
    """Tell whether all of these genres, of which there must be one, are no music."""
    genres = [_table()[0].get(key) for key in keys]
    return bool(genres) and all(genre is not None and not genre.music for genre in genres)


def _with_ancestors(keys: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += _table()[0][key].under if key in _table()[0] else ()
    return found


def _tokens(word: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return [token for token in re.findall(r"[^\W_]+", plain) if token not in _LEFT_OUT]


@functools.cache
def _table() -> tuple[dict[str, _Genre], dict[str, str]]:
    """Return the genres by their key, and the key for each word."""
    text = (resources.files("genrelens.library") / "vocabulary.toml").read_text(encoding="utf-8")
    genres, words = {}, {}
    for key, entry in tomllib.loads(text).items():
        under = tuple(entry.get("under", ()))
        genres[key] = _Genre(entry["spelling"], under, entry.get("music", True))
        for word in (key, entry["spelling"], *entry.get("same", ())):
            words[word_key(word)] = key
    return genres, words
