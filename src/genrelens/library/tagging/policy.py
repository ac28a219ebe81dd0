"""Decide which genres to write to a file: a pure function of its catalogue entry and a policy."""

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
from genrelens.library.vocabulary import genre_key, real_genres, spelling
from genrelens.prediction import Genre

__all__ = [
    "Change",
    "Existing",
    "GenreMapping",
    "Policy",
    "decide",
    "genre_fault",
    "is_genre",
    "read_mapping",
    "shortened",
]

Existing = Literal["keep", "append", "replace"]
"""What to do with a file that has genres: leave it unchanged, add genres, or replace them."""

_LONGEST = 200  # characters of a genre
_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class GenreMapping:
    """The user's own names for genres.

    Attributes:
        genre_words: label of the model -> genres to write in its place; an empty tuple writes
            none.
        whitelist: the only genres that may be written, in this spelling; None allows all.

    Example::

        mapping = GenreMapping({"hiphop": ("Rap",), "pop": ()})
        list(mapping.genres_for("hiphop"))  # ['Rap']
        list(mapping.genres_for("pop"))     # []
        list(mapping.genres_for("jazz"))    # ['Jazz']

    """

    genre_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whitelist: tuple[str, ...] | None = None

    def genres_for(self, label: str) -> Iterator[str]:
        """Yield the genres to write for a label of the model."""
        allowed = None if self.whitelist is None else {genre_key(g): g for g in self.whitelist}
        for genre in self.genre_words.get(genre_key(label), (spelling(label),)):
            if allowed is None:
                yield genre
            elif genre_key(genre) in allowed:
                yield allowed[genre_key(genre)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules for the genres that are written.

    Attributes:
        existing: ``"keep"`` leaves files that have genres unchanged, ``"append"`` adds genres,
            ``"replace"`` replaces them. Placeholders such as "Other" do not count as genres.
        min_confidence: lowest probability of each genre, 0 to 1.
        max_genres: highest number of genres to write: the genre, then further genres that apply,
            then styles that apply. A style below a genre, or with the name of a genre of the
            model, is written only with that genre.
        id3_version: 3 or 4 for ID3v2.3 or ID3v2.4; None keeps the version of the file.
        mapping: the user's own names for genres.

    Raises:
        LibraryError: a value is out of range.

    Example::

        Policy(existing="append", min_confidence=0.7, max_genres=3)

    """

    existing: Existing = "keep"
    min_confidence: float = 0.5
    max_genres: int = 1
    id3_version: int | None = None
    mapping: GenreMapping = field(default_factory=GenreMapping)

    def __post_init__(self) -> None:
        if self.existing not in ("keep", "append", "replace"):
            value = shortened(self.existing)
            raise LibraryError(f"existing={value} is none of keep, append, replace")
        if not 0 <= self.min_confidence <= 1:
            raise LibraryError(f"min_confidence={self.min_confidence} is not between 0 and 1")
        if self.max_genres < 1:
            raise LibraryError(f"max_genres={self.max_genres} must be at least 1")
        if self.id3_version not in (None, 3, 4):
            raise LibraryError(f"id3_version={self.id3_version} must be 3 or 4")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, as in the header of a plan."""
        values = asdict(self)
        return {"words" if name == "mapping" else name: each for name, each in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the policy from the values of :meth:`to_dict`.

        Raises:
            LibraryError: a value is missing, unknown or of the wrong type.

        """
        _check_types("policy", values, _POLICY_TYPES)
        _check_types("words", values["words"], _MAPPING_TYPES)
        words = values["words"]
        genres = {label: _genres(label, each) for label, each in words["genre_words"].items()}
        whitelist = words["whitelist"]
        mapping = GenreMapping(
            genres, None if whitelist is None else _genres("whitelist", whitelist)
        )
        others = {name: value for name, value in values.items() if name != "words"}
        return cls(**others, mapping=mapping)


_POLICY_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "existing": ("a string", (str,)),
    "min_confidence": ("a number", (int, float)),
    "max_genres": ("a whole number", (int,)),
    "id3_version": ("3, 4 or null", (int, type(None))),
    "words": ("an object", (dict,)),
}
_MAPPING_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "genre_words": ("an object", (dict,)),
    "whitelist": ("a list of words, or null", (list, tuple, type(None))),
}


def _check_types(
    name: str, values: object, types: Mapping[str, tuple[str, tuple[type, ...]]]
) -> None:
    """Refuse a value that is not an object with exactly these members of these types."""
    if not isinstance(values, dict):
        raise LibraryError(f"{name} must be an object, not {shortened(values)}")
    for member, (description, allowed) in types.items():
        if member not in values:
            raise LibraryError(f"{name}: {member!r} is missing")
        value = values[member]
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise LibraryError(f"{name}: {member} must be {description}, not {shortened(value)}")
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise LibraryError(f"{name}: {shortened(unknown[0])} is unknown")


def _genres(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(map(is_genre, values)):
        raise LibraryError(f"words: {name} must be a list of words, not {shortened(values)}")
    return tuple(values)


# ----------------------------------------------------------------------------- decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The genres to write to a file.

    Attributes:
        path: absolute path of the file.
        size: size in bytes at the time of the decision.
        mtime_ns: time of modification in nanoseconds at the time of the decision.
        digest: digest of the audio.
        before: the genres in the file.
        after: the genres to write.
        confidence: probability of the genre, 0 to 1.
        reason: the prediction, for the user.

    Example::

        for change in plan.changes:
            print(change.path, change.before, "->", change.after, change.reason)

    """

    path: Path
    size: int
    mtime_ns: int
    digest: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    confidence: float
    reason: str


def decide(entry: Entry, policy: Policy) -> Change | str:
    """Decide which genres to write to a file.

    Args:
        entry: the file in the catalogue.
        policy: the rules.

    Returns:
        The change; or the reason why the file is not changed: it has no prediction, its format has
        no tags that can be written, it is not music, the model is not sure, it changes from genre
        to genre, or the tags would be the same. The reason is the same text for all files of that
        kind.

    Example::

        decision = decide(catalog.entry("Music/song.mp3"), Policy(min_confidence=0.7))
        if isinstance(decision, Change):
            print(decision.before, "->", decision.after)
        else:
            print("not changed:", decision)

    """
    obstacle = _obstacle(entry, policy)
    if obstacle:
        return obstacle
    prediction, tags = entry.prediction, entry.tags
    assert prediction is not None
    assert tags is not None
    assert entry.digest is not None
    proposed = _first(_proposals(prediction, policy), policy.max_genres)
    kept = real_genres(tags.genres) if policy.existing == "append" else []
    after = (*kept, *_missing(proposed, _single(kept, tags.format)))
    if not proposed:
        return "none of the words may be written"
    if tags.genres in (after, *((mark.join(after),) for mark in _MARKS.values())):
        return "has these genres"
    return Change(
        path=entry.path,
        size=entry.size,
        mtime_ns=entry.mtime_ns,
        digest=entry.digest,
        before=tags.genres,
        after=after,
        confidence=prediction.probability,
        reason=_summary(prediction, _further(prediction, policy)),
    )


_REASONS = {"changes": "changes its genre"}  # verdict -> reason, if that is another text


def _obstacle(entry: Entry, policy: Policy) -> str:
    """Return why no genre may be written to a file, or an empty string."""
    prediction = entry.prediction
    if entry.failure is not None:
        return "could not be analysed"
    if prediction is None or entry.digest is None:
        return "has no result"
    if entry.tags is None:
        return "has no tags that can be written"
    if prediction.verdict != "genre":
        return _REASONS.get(prediction.verdict, prediction.verdict)
    if prediction.probability < policy.min_confidence:
        return f"is below {100 * policy.min_confidence:g} % of confidence"
    if policy.existing == "keep" and real_genres(entry.tags.genres):
        return "has a genre"
    return ""


def _proposals(prediction: StoredPrediction, policy: Policy) -> Iterator[str]:
    """Yield the words that could be written: for the genre, further genres, then styles."""
    genres = [prediction.genre, *(genre.name for genre in _further(prediction, policy))]
    for genre in genres:
        yield from policy.mapping.genres_for(genre)
    absent = [label for label in prediction.probabilities if label not in genres]
    for style in prediction.styles:
        fits = style.parent in genres if style.parent else not style.repeats(absent)
        if style.applies and fits:
            yield from policy.mapping.genres_for(style.name)


def _further(prediction: StoredPrediction, policy: Policy) -> list[Genre]:
    """Return the genres besides the predicted one that apply, the most probable first."""
    return [
        genre
        for genre in prediction.genres
        if genre.applies
        and genre.name != prediction.genre
        and genre.probability >= policy.min_confidence
    ]


def _first(genres: Iterable[str], n: int) -> list[str]:
    """Return the first ``n`` different genres."""
    found: dict[str, str] = {}
    for genre in genres:
        found.setdefault(genre_key(genre), genre)
    return list(found.values())[:n]


# Separator of genres in tag formats that hold one text, by the beginning of the format's name.
_MARKS = {"ID3v2.2": "/", "ID3v2.3": "/", "RIFF INFO": "; "}


def _single(genres: Iterable[str], tag_format: str) -> Iterator[str]:
    """Yield genres, and the parts of those that may be several genres joined to one text."""
    marks = [mark for name, mark in _MARKS.items() if tag_format.startswith(name)]
    for genre in genres:
        yield genre
        yield from (part for mark in marks for part in genre.split(mark))


def _missing(proposed: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Return the proposed genres that are not among the kept ones in any spelling."""
    present = {genre_key(genre) for genre in kept}
    return [genre for genre in proposed if genre_key(genre) not in present]


def _summary(prediction: StoredPrediction, further: Iterable[Genre]) -> str:
    """Return ``jazz 83 %, blues 60 %; bebop 61 %, swing 55 %``."""
    styles = _shares((each.name, each.probability) for each in prediction.styles if each.applies)
    others = [(each.name, each.probability) for each in further]
    genres = _shares([(prediction.genre, prediction.probability), *others])
    return f"{genres}; {styles}" if styles else genres


def _shares(pairs: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {100 * probability:.0f} %" for name, probability in pairs)


# ------------------------------------------------------------------------ the user's mapping


def is_genre(value: object) -> bool:
    """Return whether a value can be written as a genre."""
    return isinstance(value, str) and not genre_fault(value)


def genre_fault(genre: str) -> str:
    """Return what is wrong with a genre, as "must not ..." without "must not"; or nothing."""
    if not genre:
        return "be empty"
    if genre != genre.strip():
        return "begin or end with spaces"
    if not genre.isprintable():
        return "hold invisible characters"
    return f"be longer than {_LONGEST} characters" if len(genre) > _LONGEST else ""


def shortened(value: object) -> str:
    """Return a value as JSON for a message, with at most about 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def read_mapping(path: Path) -> GenreMapping:
    """Read the user's own names for genres from a TOML file.

    ::

        whitelist = ["Jazz", "Hip-Hop", "Metal"]  # optional: write only these genres

        [genre_words]  # label of the model = genre or genres to write
        hiphop = "Hip-Hop"
        metal = ["Metal", "Rock"]
        pop = []  # write nothing

    Args:
        path: path of the file.

    Raises:
        LibraryError: the file cannot be read, or has another form.

    Example::

        policy = Policy(mapping=read_mapping(Path("words.toml")))

    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: of TOML and of UTF-8
        raise LibraryError(reason(error), path=path) from error
    unknown = sorted(set(table) - {"genre_words", "whitelist"})
    if unknown:
        raise LibraryError(f"{unknown[0]!r} is neither genre_words nor whitelist", path=path)
    whitelist = table.get("whitelist")
    genre_words = table.get("genre_words", {})
    if not isinstance(genre_words, dict):
        raise LibraryError("genre_words must be a table, as [genre_words]", path=path)
    return GenreMapping(
        {genre_key(label): _checked(path, label, genres) for label, genres in genre_words.items()},
        None if whitelist is None else _checked(path, "whitelist", whitelist),
    )


def _checked(path: Path, name: str, value: object) -> tuple[str, ...]:
    genres = [value] if isinstance(value, str) else value
    if not isinstance(genres, list) or not all(map(is_genre, genres)):
        text = f"{name} must be a word, or a list of words: {shortened(value)}"
        raise LibraryError(text, path=path)
    return tuple(genres)
