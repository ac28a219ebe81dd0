"""Compare genre tags with predictions, and show the mismatches on an HTML page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrelens.counts import count_of
from genrelens.discovery.find import find_files
from genrelens.discovery.locations import is_uri
from genrelens.html import file_link, render
from genrelens.library.catalog import Catalog
from genrelens.library.records import Entry, StoredPrediction, path_fields
from genrelens.library.versions import is_outdated
from genrelens.library.vocabulary import is_speech, meanings, real_genres, related

__all__ = ["Audit", "TagMismatch", "audit_library", "audit_page", "compare_tag"]

_MOST_GENRES = 3  # of each file on the page
_SMALLEST = 0.005  # a smaller share is 0 % on the page


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMismatch:
    """A file whose genre tag disagrees with its prediction.

    Attributes:
        path: path of the file.
        genres: the genres in its tag.
        predicted: the predicted genre, or ``"not music"``.
        probability: probability of ``predicted``, 0 to 1.
        tagged: probability of the genres in the tag, 0 to 1.
        probabilities: genre -> probability, the most probable first.
        styles: style that applies -> probability.

    Example::

        for mismatch in audit.mismatches:
            print(mismatch.path, mismatch.genres, "predicted:", mismatch.predicted)

    """

    path: Path
    genres: tuple[str, ...]
    predicted: str
    probability: float
    tagged: float
    probabilities: Mapping[str, float]
    styles: Mapping[str, float]

    @property
    def score(self) -> float:
        """Strength of the disagreement: ``probability - tagged``."""
        return self.probability - self.tagged

    @property
    def top_genres(self) -> dict[str, float]:
        """The most probable genres, at most three, without those below half a percent."""
        ranked = list(self.probabilities.items())[:_MOST_GENRES]
        return {name: p for name, p in ranked if p >= _SMALLEST}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values of all fields, as in ``genrelens audit --json``."""
        return path_fields(self.path) | {
            "genres": list(self.genres),
            "predicted": self.predicted,
            "heard": self.predicted,  # the former name
            "probability": self.probability,
            "tagged": self.tagged,
            "score": self.score,
            "probabilities": dict(self.probabilities),
            "styles": dict(self.styles),
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit.

    Attributes:
        mismatches: the files that disagree, the strongest disagreement first.
        counts: result of the comparison (see :func:`compare_tag`) -> number of files.
        unknown: genre in a tag that cannot be compared -> number of files.
        unscanned: files that are not in the catalogue or were changed after the scan.
        problems: (path, reason) of inputs that cannot be read.
        outdated: name of a packaged model -> number of compared files whose prediction is by
            another version of it.

    Example::

        with Catalog.open() as catalog:
            audit = audit_library(catalog, ["Music"])
        print(audit.summary, len(audit.mismatches))

    """

    mismatches: tuple[TagMismatch, ...]
    counts: Mapping[str, int]
    unknown: Mapping[str, int]
    unscanned: tuple[Path, ...]
    problems: tuple[tuple[str, str], ...]
    outdated: Mapping[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The counts as a sentence: how many files agree, disagree and cannot be compared."""
        commonest = sorted(self.unknown.items(), key=lambda item: (-item[1], item[0]))[:5]
        unknown = ", ".join(f"{genre} {n}" for genre, n in commonest)
        phrases = {
            "disagrees": ("disagrees", "disagree"),
            "agrees": ("agrees", "agree"),
            "has no genre": ("has no genre", "have no genre"),
            "cannot be compared": (f"cannot be compared ({unknown})",) * 2,
            "no result": ("could not be classified",) * 2,
            "changes": ("changes its genre", "change their genre"),
        }
        counts = self.counts
        order = [*phrases, *sorted(set(counts) - set(phrases))]
        parts = [
            count_of(counts[name], *phrases.get(name, (name, name)))
            for name in order
            if name in counts
        ]
        return (
            f"{count_of(sum(counts.values()), 'file')}: {', '.join(parts) or 'nothing to compare'}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values of all fields, as in ``genrelens audit --json``."""
        return {
            "findings": [mismatch.to_dict() for mismatch in self.mismatches],
            "counts": dict(self.counts),
            "cannot_be_compared": dict(self.unknown),
            "unscanned": [path_fields(path) for path in self.unscanned],
            "unheard": [path_fields(path) for path in self.unscanned],  # the former name
            "problems": [path_fields(path) | {"reason": reason} for path, reason in self.problems],
        }


def audit_library(
    catalog: Catalog, inputs: Iterable[str | os.PathLike[str]], *, minimum: float = 0.0
) -> Audit:
    """Compare the genre tags of files with their predictions, both from the catalogue.

    Args:
        catalog: a catalogue that a scan has filled.
        inputs: folders, files, playlists and patterns, as for :func:`find_files`; a URI
            names the objects of the catalogue below it.
        minimum: lowest ``score`` of a mismatch to be included, -1 to 1; ``counts`` includes all.

    Raises:
        LibraryError: the catalogue cannot be read.

    Example::

        with Catalog.open(readonly=True) as catalog:
            for mismatch in audit_library(catalog, ["Music"], minimum=0.5).mismatches:
                print(mismatch.path, mismatch.genres, mismatch.predicted)

    """
    mismatches, unscanned, problems = [], list[Path](), list[tuple[str, str]]()
    counts: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    outdated: Counter[str] = Counter()
    for entry in _entries(catalog, list(inputs), unscanned, problems):
        result, mismatch = compare_tag(entry)
        counts[result] += 1
        made = entry.prediction
        if made is not None and is_outdated(made.model, made.model_digest):
            outdated[made.model] += 1
        if mismatch is not None and mismatch.score >= minimum:
            mismatches.append(mismatch)
        if result == "cannot be compared" and entry.tags is not None:
            unknown.update(set(entry.tags.genres))
    ranked = sorted(mismatches, key=lambda each: (-each.score, each.path))
    return Audit(tuple(ranked), counts, unknown, tuple(unscanned), tuple(problems), outdated)


def _entries(
    catalog: Catalog,
    inputs: Sequence[str | os.PathLike[str]],
    unscanned: list[Path],
    problems: list[tuple[str, str]],
) -> Iterator[Entry]:
    """Yield the entries of unchanged files, and of the objects below URIs."""
    files = [each for each in inputs if not is_uri(each)]
    for found in find_files(files, on_problem=lambda *problem: problems.append(problem)):
        entry = catalog.entry(found.path)
        if entry is None or (entry.size, entry.mtime_ns) != (found.size, found.mtime_ns):
            unscanned.append(Path(found.path))
        else:
            yield entry
    for uri in filter(is_uri, inputs):
        yield from catalog.query(under=uri)


# ----------------------------------------------------------------------------- comparison


def compare_tag(entry: Entry) -> tuple[str, TagMismatch | None]:
    """Compare the genre tag of a file with its prediction.

    A tag can be compared if it names a genre or style of the model, a subgenre of one, or a parent
    genre of one (see ``vocabulary.toml``). It agrees if that genre is predicted, or if that genre
    or style applies. If the tag has several genres, one that agrees is enough.

    Returns:
        The result, and the mismatch if the result is ``"disagrees"``. The other results are
        ``"agrees"``, ``"cannot be compared"``, ``"has no genre"``, ``"changes"``, ``"not sure"``,
        ``"silence"`` and ``"no result"``.

    """
    prediction, tags = entry.prediction, entry.tags
    if prediction is None:
        return "no result", None
    genres = [] if tags is None else real_genres(tags.genres)
    if not genres:
        return "has no genre", None
    if prediction.verdict in ("changes", "not sure", "silence"):
        return prediction.verdict, None
    keys = frozenset().union(*map(meanings, genres))
    tagged = _tag_probability(prediction, keys)
    if tagged is None:
        return "cannot be compared", None
    if _agrees(prediction, keys):
        return "agrees", None
    predicted, probability = prediction.genre, prediction.probability
    if prediction.verdict == "not music" and prediction.music is not None:
        predicted, probability = "not music", 1 - prediction.music
    return "disagrees", TagMismatch(
        path=entry.path,
        genres=tuple(genres),
        predicted=predicted,
        probability=probability,
        tagged=tagged,
        probabilities=prediction.probabilities,
        styles={style.name: style.probability for style in prediction.styles if style.applies},
    )


def _tag_probability(prediction: StoredPrediction, keys: frozenset[str]) -> float | None:
    """Return the probability of the genres in a tag; None if the model cannot predict them."""
    if is_speech(keys):
        return None if prediction.music is None else 1 - prediction.music
    shares = [p for name, p in prediction.probabilities.items() if related(keys, meanings(name))]
    genres = [g.probability for g in prediction.genres if related(keys, meanings(g.name))]
    styles = [s.probability for s in prediction.styles if related(keys, meanings(s.name))]
    if not (shares or genres or styles):
        return None
    tagged = max([min(1.0, sum(shares)), *genres, *styles])
    music = 1.0 if prediction.music is None else prediction.music
    return tagged if prediction.verdict == "genre" else tagged * music


def _agrees(prediction: StoredPrediction, keys: frozenset[str]) -> bool:
    if is_speech(keys) or prediction.verdict == "not music":
        return is_speech(keys) and prediction.verdict == "not music"
    styles = (style.name for style in prediction.styles if style.applies)
    names = [prediction.genre, *prediction.found_genres, *styles]
    return any(related(keys, meanings(name)) for name in names)


# ------------------------------------------------------------------------------------ page


def audit_page(audit: Audit, path: str | os.PathLike[str], *, top: int | None = None) -> str:
    """Return an audit as an HTML page with a player for each file.

    Names of files and genres are escaped, and the page may load only audio. Files below the
    folder of the page have relative links, so the page and the files can be moved together.

    Args:
        audit: the audit.
        path: path that the page will be written to.
        top: number of mismatches to show, the strongest first; None shows all.

    Example::

        with Catalog.open(readonly=True) as catalog:
            audit = audit_library(catalog, ["Music"])
        Path("audit.html").write_text(audit_page(audit, "audit.html"), encoding="utf-8")

    """
    from genrelens import __version__

    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 (resolve follows links)
    shown = audit.mismatches[:top]
    return render(
        "library/audit.html",
        summary=audit.summary,
        total=len(audit.mismatches),
        rows=[(mismatch, file_link(mismatch.path, folder)) for mismatch in shown],
        version=__version__,
    )
