"""What to write to which file. A pure function of what is known; nothing is read or written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from genrelens.errors import LibraryError
from genrelens.files import reason
from genrelens.library.records import Entry, StoredPrediction
from genrelens.library.vocabulary import named, spelling, word_key

__all__ = [
    "Change",
    "Existing",
    "Policy",
    "Skip",
    "Words",
    "decide",
    "is_word",
    "read_words",
    "shown",
    "word_fault",
]

Existing = Literal["keep", "append", "replace"]
"""What becomes of the genres of a file that has some: the file is left alone, ours come behind
them, or ours take their place."""

_LONGEST = 200  # characters of a word
_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Words:
    """The user's own words for genres.

    Attributes:
        genre_words: our label -> what to write instead, which may be several words or none.
        whitelist: all words that may be written, spelt so; None for all. A word that is not in
            it is left out.

    """

    genre_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whitelist: tuple[str, ...] | None = None

    def words_for(self, label: str) -> Iterator[str]:
        """Yield what to write for one of our labels."""
        allowed = None if self.whitelist is None else {word_key(w): w for w in self.whitelist}
        for word in self.genre_words.get(word_key(label), (spelling(label),)):
            if allowed is None:
                yield word
            elif word_key(word) in allowed:
                yield allowed[word_key(word)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is to be written.

    Attributes:
        existing: see :data:`Existing`. Words that name no genre, as "Other", count as none.
        min_confidence: least probability of the genre, 0 to 1.
        max_genres: at most so many of ours: the genre, then the styles that apply.
        id3_version: 3 or 4 for ID3v2.3 or ID3v2.4; None keeps that of the file.
        words: the user's own.

    """

    existing: Existing = "keep"
    min_confidence: float = 0.5
    max_genres: int = 1
    id3_version: int | None = None
    words: Words = field(default_factory=Words)

    def __post_init__(self) -> None:
        if self.existing not in ("keep", "append", "replace"):
            raise LibraryError(f"existing={shown(self.existing)} is none of keep, append, replace")
        if not 0 <= self.min_confidence <= 1:
            raise LibraryError(f"min_confidence={self.min_confidence} is not between 0 and 1")
        if self.max_genres < 1:
            raise LibraryError(f"max_genres={self.max_genres} must be at least 1")
        if self.id3_version not in (None, 3, 4):
            raise LibraryError(f"id3_version={self.id3_version} must be 3 or 4")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``to_dict`` was called of.

        Raises:
            LibraryError: something is missing, unknown or not of its type.

        """
        _check_types("policy", values, _POLICY_TYPES)
        _check_types("words", values["words"], _WORDS_TYPES)
        words = values["words"]
        mapping = {key: _word_list(key, each) for key, each in words["genre_words"].items()}
        whitelist = words["whitelist"]
        kept = Words(mapping, None if whitelist is None else _word_list("whitelist", whitelist))
        return cls(**{**values, "words": kept})


_POLICY_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "existing": ("a string", (str,)),
    "min_confidence": ("a number", (int, float)),
    "max_genres": ("a whole number", (int,)),
    "id3_version": ("3, 4 or null", (int, type(None))),
    "words": ("an object", (dict,)),
}
_WORDS_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "genre_words": ("an object", (dict,)),
    "whitelist": ("a list of words, or null", (list, tuple, type(None))),
}


def _check_types(
    name: str, values: object, types: Mapping[str, tuple[str, tuple[type, ...]]]
) -> None:
    """Refuse what is no object with exactly these members of these types."""
    if not isinstance(values, dict):
        raise LibraryError(f"{name} must be an object, not {shown(values)}")
    for member, (words, allowed) in types.items():
        if member not in values:
            raise LibraryError(f"{name}: {member!r} is missing")
        value = values[member]
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise LibraryError(f"{name}: {member} must be {words}, not {shown(value)}")
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise LibraryError(f"{name}: {shown(unknown[0])} is unknown")


def _word_list(name: str, words: object) -> tuple[str, ...]:
    if not isinstance(words, list | tuple) or not all(map(is_word, words)):
        raise LibraryError(f"words: {name} must be a list of words, not {shown(words)}")
    return tuple(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Genres to be written to a file.

    Attributes:
        path: of the file, absolute.
        size: of it, in bytes, when this was decided.
        mtime_ns: its time of modification then, in nanoseconds.
        digest: of its sound.
        before: its genres.
        after: what they are to be.
        confidence: probability of the genre, 0 to 1.
        reason: what was heard, for people.

    """

    path: Path
    size: int
    mtime_ns: int
    digest: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that stays as it is.

    Attributes:
        path: of the file.
        reason: why, in words that are the same for all files of that kind.

    """

    path: Path
    reason: str


def decide(entry: Entry, policy: Policy) -> Change | Skip:
    """Decide what to write to a file.

    It is left alone where nobody has listened to it, where its format has no tags that can be
    written, where it is no music or the model is not sure, and where nothing would change.
    """
    obstacle = _obstacle(entry, policy)
    if obstacle:
        return Skip(entry.path, obstacle)
    heard, tags = entry.prediction, entry.tags
    assert heard is not None
    assert tags is not None
    assert entry.digest is not None
    ours = _first(_proposals(heard, policy.words), policy.max_genres)
    kept = named(tags.genres) if policy.existing == "append" else []
    after = (*kept, *_new(ours, _single(kept, tags.format)))
    if not ours:
        return Skip(entry.path, "none of the words may be written")
    if tags.genres in (after, *((mark.join(after),) for mark in _MARKS.values())):
        return Skip(entry.path, "has these genres")
    return Change(
        path=entry.path,
        size=entry.size,
        mtime_ns=entry.mtime_ns,
        digest=entry.digest,
        before=tags.genres,
        after=after,
        confidence=heard.probability,
        reason=_reason(heard),
    )


def _obstacle(entry: Entry, policy: Policy) -> str:
    """Say why a file is left alone whatever the words are, or nothing."""
    heard = entry.prediction
    if entry.failure is not None:
        return "could not be analysed"
    if heard is None or entry.digest is None:
        return "has no result"
    if entry.tags is None:
        return "has no tags that can be written"
    if heard.verdict != "genre":
        return heard.verdict
    if heard.probability < policy.min_confidence:
        return f"is below {100 * policy.min_confidence:g} % of confidence"
    if policy.existing == "keep" and named(entry.tags.genres):
        return "has a genre"
    return ""


def _proposals(heard: StoredPrediction, words: Words) -> Iterator[str]:
    """Yield what could be written: the genre, then the styles, the likeliest first."""
    yield from words.words_for(heard.genre)
    for style in heard.styles:
        if style.applies:
            yield from words.words_for(style.name)


def _first(words: Iterable[str], n: int) -> list[str]:
    """Return the first ``n`` different words."""
    found: dict[str, str] = {}
    for word in words:
        found.setdefault(word_key(word), word)
    return list(found.values())[:n]


# What stands between genres in tags that hold one text, by the beginning of their format's name.
_MARKS = {"ID3v2.2": "/", "ID3v2.3": "/", "RIFF INFO": "; "}


def _single(genres: Iterable[str], tag_format: str) -> Iterator[str]:
    """Yield genres, and the parts of those that may be several joined to one text."""
    marks = [mark for name, mark in _MARKS.items() if tag_format.startswith(name)]
    for genre in genres:
        yield genre
        yield from (part for mark in marks for part in genre.split(mark))


def _new(ours: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Leave out what is there already, written in whatever way."""
    there = {word_key(genre) for genre in kept}
    return [genre for genre in ours if word_key(genre) not in there]


def _reason(heard: StoredPrediction) -> str:
    """Return ``jazz 83 %; bebop 61 %, swing 55 %``."""
    styles = ", ".join(
        f"{style.name} {100 * style.probability:.0f} %" for style in heard.styles if style.applies
    )
    genre = f"{heard.genre} {100 * heard.probability:.0f} %"
    return f"{genre}; {styles}" if styles else genre


# --------------------------------------------------------------------- the user's own words


def is_word(value: object) -> bool:
    """Tell whether something can be written as a genre."""
    return isinstance(value, str) and not word_fault(value)


def word_fault(word: str) -> str:
    """Return what a text does that a genre must not do, or nothing."""
    if not word:
        return "be empty"
    if word != word.strip():
        return "begin or end with spaces"
    if not word.isprintable():
        return "hold invisible characters"
    return f"be longer than {_LONGEST} characters" if len(word) > _LONGEST else ""


def shown(value: object) -> str:
    """Return a value as JSON for a message, cut to about 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def read_words(path: Path) -> Words:
    """Read the user's own words from a TOML file.

    ::

        whitelist = ["Jazz", "Hip-Hop", "Metal"]  # nothing else is written; may be left out

        [genre_words]  # our label = yours
        hiphop = "Hip-Hop"
        metal = ["Metal", "Rock"]
        pop = []  # is never written

    Raises:
        LibraryError: the file cannot be read, or something in it is not as above.

    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LibraryError(f"{path}: {reason(error)}") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise LibraryError(f"{path}: {error}") from error
    unknown = sorted(set(table) - {"genre_words", "whitelist"})
    if unknown:
        raise LibraryError(f"{path}: {unknown[0]!r} is neither genre_words nor whitelist")
    whitelist = table.get("whitelist")
    mapping = table.get("genre_words", {})
    if not isinstance(mapping, dict):
        raise LibraryError(f"{path}: genre_words must be a table, as [genre_words]")
    return Words(
        {word_key(label): _checked(path, label, words) for label, words in mapping.items()},
        None if whitelist is None else _checked(path, "whitelist", whitelist),
    )


def _checked(path: Path, name: str, words: object) -> tuple[str, ...]:
    given = [words] if isinstance(words, str) else words
    if not isinstance(given, list) or not all(map(is_word, given)):
        raise LibraryError(f"{path}: {name} must be a word, or a list of words: {shown(words)}")
    return tuple(given)
