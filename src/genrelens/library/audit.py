"""Which tags disagree with the sound, with the evidence."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from genrelens.discovery.find import find_files
from genrelens.library.catalog import Catalog
from genrelens.library.records import Entry, StoredPrediction
from genrelens.library.vocabulary import is_speech, meanings, named, related

__all__ = ["Audit", "TagMismatch", "audit_library", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMismatch:
    """A file whose tag disagrees with its sound.

    Attributes:
        path: of the file.
        genres: what its tag says.
        heard: what it sounds like: a genre, or ``"not music"``.
        probability: of that, 0 to 1.
        tagged: probability of what the tag says, 0 to 1.
        probabilities: genre -> probability, the most probable first.
        styles: those that apply, with their probabilities.

    """

    path: Path
    genres: tuple[str, ...]
    heard: str
    probability: float
    tagged: float
    probabilities: Mapping[str, float]
    styles: Mapping[str, float]

    @property
    def score(self) -> float:
        """By how much what is heard is more probable than what the tag says, 0 to 1."""
        return self.probability - self.tagged


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        findings: the strongest disagreement first.
        counts: how many files there are of each judgement.
        unknown: words of tags that cannot be compared, with how many files have them.
        unheard: files that the catalogue knows nothing of, or that were changed since.
        problems: path and reason of what could not be looked at.

    """

    findings: tuple[TagMismatch, ...]
    counts: Mapping[str, int]
    unknown: Mapping[str, int]
    unheard: tuple[Path, ...]
    problems: tuple[tuple[str, str], ...]


def audit_library(catalog: Catalog, inputs: Iterable[str | os.PathLike[str]]) -> Audit:
    """Compare the tags of files below folders with what was heard in them. No file is opened.

    Args:
        catalog: that was filled by a scan.
        inputs: folders, files, playlists and patterns, as for a scan.

    Raises:
        LibraryError: the catalogue cannot be read.

    """
    findings, unheard, problems = [], [], list[tuple[str, str]]()
    counts: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for found in find_files(inputs, on_problem=lambda *problem: problems.append(problem)):
        entry = catalog.entry(found.path)
        if entry is None or (entry.size, entry.mtime_ns) != (found.size, found.mtime_ns):
            unheard.append(Path(found.path))
            continue
        judgement, finding = judge(entry)
        counts[judgement] += 1
        if finding is not None:
            findings.append(finding)
        if judgement == "cannot be compared" and entry.tags is not None:
            unknown.update(set(entry.tags.genres))
    ranked = sorted(findings, key=lambda each: (-each.score, each.path))
    return Audit(tuple(ranked), counts, unknown, tuple(unheard), tuple(problems))


def judge(entry: Entry) -> tuple[str, TagMismatch | None]:
    """Compare the tag of a file with what was heard.

    A tag is compared where its words mean a genre or a style that the model knows, or one that is
    a kind of it or that it is a kind of (``words.toml``). It agrees where that genre is the
    answer, or where that style applies; of several genres in a tag, one is enough.

    Returns:
        ``"agrees"``, ``"disagrees"`` (with the evidence), ``"cannot be compared"``,
        ``"has no genre"``, ``"not sure"``, ``"silence"`` or ``"no result"``.

    """
    heard, tags = entry.prediction, entry.tags
    if heard is None:
        return "no result", None
    genres = [] if tags is None else named(tags.genres)
    if not genres:
        return "has no genre", None
    if heard.verdict in ("not sure", "silence"):
        return heard.verdict, None
    keys = frozenset().union(*map(meanings, genres))
    answer, probability = _answer(heard)
    tagged = _probability(heard, keys)
    if tagged is None:
        return "cannot be compared", None
    if _agrees(heard, keys):
        return "agrees", None
    return "disagrees", TagMismatch(
        path=entry.path,
        genres=tuple(genres),
        heard=answer,
        probability=probability,
        tagged=tagged,
        probabilities=heard.probabilities,
        styles={style.name: style.probability for style in heard.styles if style.applies},
    )


def _answer(heard: StoredPrediction) -> tuple[str, float]:
    if heard.verdict == "not music" and heard.music is not None:
        return "not music", 1 - heard.music
    return heard.genre, heard.probability


def _probability(heard: StoredPrediction, keys: frozenset[str]) -> float | None:
    """Return the probability of what a tag means, or None if the model does not know of it."""
    if is_speech(keys):
        return None if heard.music is None else 1 - heard.music
    genres = [p for name, p in heard.probabilities.items() if related(keys, meanings(name))]
    styles = [s.probability for s in heard.styles if related(keys, meanings(s.name))]
    if not genres and not styles:
        return None
    is_music = 1.0 if heard.music is None or heard.verdict == "genre" else heard.music
    return max([min(1.0, sum(genres)), *styles]) * is_music


def _agrees(heard: StoredPrediction, keys: frozenset[str]) -> bool:
    if is_speech(keys) or heard.verdict == "not music":
        return is_speech(keys) and heard.verdict == "not music"
    names = [heard.genre, *(style.name for style in heard.styles if style.applies)]
    return any(related(keys, meanings(name)) for name in names)
