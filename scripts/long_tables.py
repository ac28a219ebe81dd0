"""Tables of the results on long recordings, in Markdown; see long_recordings.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens import Prediction
from genrelens.evaluation.bootstrap import (
    Estimate,
    checked_share,
    paired_difference,
    percentile_estimates,
    resampled_sums,
)
from genrelens.evaluation.metrics import N_BINS, reliability_index
from genrelens.segmentation import Section, calibrated
from genrelens.set_head import softmax

PODCASTS = ("podcast", "the two clips alone")  # kinds of recordings

Float64 = NDArray[np.float64]


class Span(NamedTuple):
    """A stretch of a recording with one genre; "" is speech."""

    start: float
    end: float
    genre: str


class Recording(NamedTuple):
    """A joined recording and its predictions; ``unit`` is the unit of the bootstrap."""

    kind: str
    unit: str
    spans: list[Span]
    full: Prediction
    fast: Prediction | None
    seconds: tuple[float, float]  # of one core, for ``full`` and ``fast``

    @property
    def genres(self) -> set[str]:
        """The genres that it has."""
        return {span.genre for span in self.spans if span.genre}

    @property
    def sections(self) -> list[Section]:
        """The sections of music."""
        return [section for section in self.full.sections if section.is_music]

    @property
    def sure(self) -> list[Section]:
        """The sections with a sure genre."""
        return [section for section in self.sections if section.verdict == "genre"]


Figure = Callable[[Recording], float]


# --------------------------------------------------------------------------- the figures


def right(each: Recording) -> float:
    return each.full.genre in each.genres


def in_top_two(each: Recording) -> float:
    return any(name in each.genres for name, _ in each.full.top(2))


def verdict(name: str) -> Figure:
    return lambda each: each.full.verdict == name


def sure_and_right(each: Recording) -> float:
    return each.full.verdict == "genre" and right(each)


def named(each: Recording) -> set[str]:
    """Return the genres that the answer names."""
    return {each.full.genre} if each.full.verdict == "genre" else set(each.full.changes)


def shared(one: Span | Section, other: Span | Section) -> float:
    return max(0.0, min(one.end, other.end) - max(one.start, other.start))


def seconds_of(parts: Iterable[Span | Section]) -> float:
    return sum(part.end - part.start for part in parts)


def right_seconds(sections: Iterable[Section], spans: Sequence[Span]) -> float:
    return sum(shared(a, b) for a in sections for b in spans if a.genre == b.genre)


def is_right(section: Section, spans: Sequence[Span]) -> bool:
    """Return whether the genre of a section is that of most of its time."""
    return max(spans, key=lambda span: shared(section, span)).genre == section.genre


def found_as(each: Recording, *, music: bool) -> tuple[float, float]:
    """Return the seconds of music (or speech) that are found as such, and all of them."""
    spans = [span for span in each.spans if bool(span.genre) == music]
    parts = [section for section in each.full.sections if section.is_music == music]
    return sum(shared(a, b) for a in parts for b in spans), seconds_of(spans)


def at_temperature_one(prediction: Prediction, run: NDArray[np.intp]) -> Float64:
    """Return the probabilities of the genres for a run of segments, without calibration."""
    if prediction.sets is None:
        raw = calibrated(prediction.segments[run], 1 / prediction.metadata.timeline_temperature)
        return np.asarray(raw.mean(axis=0))
    windows = np.array_split(run, math.ceil(len(run) / prediction.metadata.window_segments))
    outputs, sizes = prediction.sets.evaluate(windows)
    return np.asarray(np.average(softmax(outputs.genre_logits), axis=0, weights=sizes))


class Item(NamedTuple):
    """A section or a segment: its probability at temperature 1 and calibrated."""

    before: float
    after: float
    right: bool
    unit: str


def counted(full: Prediction) -> NDArray[np.bool_]:
    """Return which segments count for the genre: those of music that are not silent."""
    audible = ~full.silent_segments
    if full.segment_music is None or full.music_threshold is None:
        return audible
    music = audible & (full.segment_music >= full.music_threshold)
    return music if music.any() else audible


def whole_items(each: Recording) -> Iterator[Item]:
    full = each.full
    before = at_temperature_one(full, np.flatnonzero(counted(full)))
    best = int(full.probabilities.argmax())
    yield Item(before[best], full.probabilities[best], bool(right(each)), each.unit)


def section_items(each: Recording) -> Iterator[Item]:
    full = each.full
    middles = full.segment_times + full.segment_seconds / 2
    for part in each.sections:
        inside = (middles >= part.start) & (middles < part.end)
        run = np.flatnonzero(inside & counted(full))
        if len(run):
            before = at_temperature_one(full, run)[full.labels.index(part.genre)]
            yield Item(before, part.probability, is_right(part, each.spans), each.unit)


def segment_items(each: Recording) -> Iterator[Item]:
    full = each.full
    before = calibrated(full.segments, 1 / full.metadata.timeline_temperature).max(axis=1)
    for i in np.flatnonzero(~full.silent_segments):
        start, best = float(full.segment_times[i]), int(full.segments[i].argmax())
        end, label = start + full.segment_seconds, full.labels[best]
        hit = is_right(Section(start, end, "genre", label, 1.0), each.spans)
        yield Item(before[i], full.segments[i, best], hit, each.unit)


# ---------------------------------------------------------------------------- the tables


def report(found: Sequence[Recording]) -> str:
    songs = [each for each in found if each.fast is not None]
    joined = [each for each in songs if each.kind.startswith("joined")]
    repeated = [each for each in songs if each.kind.startswith("repeated")]
    mixes = [each for each in found if each.kind.startswith("mix")]
    others = [each for each in found if each.kind in PODCASTS]
    return "\n\n".join(
        [
            table(
                song_row(f"{name}, {mode}", each)
                for name, part in by_kind(songs)
                for mode, each in (("full", part), ("fast", with_fast(part)))
            ),
            table(fast_row(*row) for row in by_kind(songs)),
            table(verdict_row(*row) for row in by_kind(mixes) + by_kind(songs)),
            table(section_row(*row) for row in by_kind(mixes) + by_kind(songs)),
            table(
                error_row(name, [item for each in part for item in items(each)])
                for name, part, items in (
                    ("whole songs, joined", joined, whole_items),
                    ("whole songs, repeated", repeated, whole_items),
                    ("sections of songs", songs, section_items),
                    ("sections of mixes", mixes, section_items),
                    ("segments of songs", songs, segment_items),
                    ("segments of mixes", mixes, segment_items),
                )
            ),
            table(podcast_row(*row) for row in by_kind(others)[:-1]),
        ]
    )


def by_kind(found: Sequence[Recording]) -> list[tuple[str, Sequence[Recording]]]:
    names = sorted({each.kind for each in found})
    return [(name, [e for e in found if e.kind == name]) for name in names] + [("all", found)]


def table(rows: Iterable[dict[str, str]]) -> str:
    made = list(rows)
    lines = [list(made[0]), ["---"] * len(made[0]), *(list(row.values()) for row in made)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratio(part: Sequence[Recording], hits: Figure, of: Figure = lambda each: 1) -> str:
    """Return the ratio of two sums in percent, with its interval over the units."""
    values = np.array([(hits(each), of(each)) for each in part], float)
    if not values[:, 1].sum():
        return ""
    units = [each.unit for each in part]
    with np.errstate(invalid="ignore"):
        sums = resampled_sums(values, units, resamples=2000, seed=0)
        samples = sums[:, :1] / sums[:, 1:]
    (found,) = percentile_estimates(values[:, :1].sum(axis=0) / values[:, 1:].sum(axis=0), samples)
    counted = {unit for unit, of_unit in zip(units, values[:, 1], strict=True) if of_unit}
    return percent(checked_share(found, len(counted)))


def percent(found: Estimate) -> str:
    value, low, high = (100 * bound for bound in found)
    wilson = ", Wilson" if found.method == "wilson" else ""
    return f"{value:.1f} ({low:.1f} to {high:.1f}{wilson})"


def mean(part: Sequence[Recording], figure: Figure) -> str:
    return f"{np.mean([figure(each) for each in part]):.2f}"


def song_row(name: str, part: Sequence[Recording]) -> dict[str, str]:
    return {
        "songs": name,
        "number": str(len(part)),
        "right": ratio(part, right),
        "in the top two": ratio(part, in_top_two),
        "sure": ratio(part, verdict("genre")),
        "sure and right": ratio(part, sure_and_right),
        "right of the sure": ratio(part, sure_and_right, verdict("genre")),
    }


def with_fast(part: Sequence[Recording]) -> list[Recording]:
    """Return the recordings with the predictions of ``--fast`` in place of the others."""
    return [each._replace(full=each.fast or each.full) for each in part]


def fast_row(name: str, part: Sequence[Recording]) -> dict[str, str]:
    fast = with_fast(part)
    gains = [int(right(b)) - int(right(a)) for a, b in zip(part, fast, strict=True)]
    units = [each.unit for each in part]
    difference = paired_difference(np.array(gains), units, resamples=2000, seed=0)
    return {
        "songs": name,
        "artists": str(len(set(units))),
        "minutes": mean(part, lambda each: each.full.duration / 60),
        "same genre": ratio(part, lambda e: e.fast is not None and e.full.genre == e.fast.genre),
        "same answer": ratio(part, lambda each: named(each) == named(with_fast([each])[0])),
        "right, fast minus full": percent(difference),
        "seconds, full": mean(part, lambda each: each.seconds[0]),
        "seconds, fast": mean(part, lambda each: each.seconds[1]),
    }


def verdict_row(name: str, part: Sequence[Recording]) -> dict[str, str]:
    changed = [each for each in part if each.full.verdict == "changes"]
    verdicts = {"changes": "changes", "sure of one genre": "genre"}
    verdicts |= {"not sure": "not sure", "not music": "not music"}
    return {
        "recordings": name,
        "number": str(len(part)),
        **{title: ratio(part, verdict(each)) for title, each in verdicts.items()},
        "named genres that are in it": ratio(
            part, lambda each: len(named(each) & each.genres), lambda each: len(named(each))
        ),
        "its genres that are named, if it changes": ratio(
            changed, lambda each: len(named(each) & each.genres), lambda each: len(each.genres)
        )
        if changed
        else "",
    }


def section_row(name: str, part: Sequence[Recording]) -> dict[str, str]:
    return {
        "recordings": name,
        "sections of music": mean(part, lambda each: len(each.sections)),
        "time with the right genre": ratio(
            part, lambda e: right_seconds(e.sections, e.spans), lambda e: seconds_of(e.spans)
        ),
        "time in sure sections": ratio(
            part, lambda e: seconds_of(e.sure), lambda e: seconds_of(e.spans)
        ),
        "right of this time": ratio(
            part, lambda e: right_seconds(e.sure, e.spans), lambda e: seconds_of(e.sure)
        ),
        "sure sections": str(sum(len(each.sure) for each in part)),
        "right of these": ratio(
            part, lambda e: sum(is_right(s, e.spans) for s in e.sure), lambda e: len(e.sure)
        ),
    }


def error_row(name: str, items: Sequence[Item]) -> dict[str, str]:
    hits, units = np.array([item.right for item in items], float), [item.unit for item in items]
    after = np.array([item.after for item in items])
    return {
        "of": name,
        "number": str(len(items)),
        "right, %": f"{100 * hits.mean():.1f}",
        "mean probability, %": f"{100 * after.mean():.1f}",
        "error at temperature 1": error(np.array([item.before for item in items]), hits, units),
        "error, calibrated": error(after, hits, units),
    }


def error(confidence: Float64, hits: Float64, units: Sequence[str]) -> str:
    """Return the expected calibration error in 10 bins, with its interval over the units."""
    columns = np.zeros((len(hits), N_BINS + 1))
    columns[np.arange(len(hits)), reliability_index(confidence)] = confidence - hits
    columns[:, -1] = 1

    def of(sums: Float64) -> Float64:
        return np.asarray(np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1])

    samples = of(resampled_sums(columns, units, resamples=2000, seed=0))
    (found,) = percentile_estimates(of(columns.sum(axis=0))[None], samples[:, None])
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def podcast_row(name: str, part: Sequence[Recording]) -> dict[str, str]:
    verdicts = ("not sure", "changes", "not music")
    return {
        "recordings": name,
        "number": str(len(part)),
        "right": ratio(part, right),
        "sure and right": ratio(part, sure_and_right),
        "sure and wrong": ratio(
            part, lambda each: each.full.verdict == "genre" and not right(each)
        ),
        **{each: ratio(part, verdict(each)) for each in verdicts},
        "speech found as such": ratio(
            part, lambda e: found_as(e, music=False)[0], lambda e: found_as(e, music=False)[1]
        ),
        "music found as such": ratio(
            part, lambda e: found_as(e, music=True)[0], lambda e: found_as(e, music=True)[1]
        ),
    }
