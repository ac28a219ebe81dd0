"""A timeline with change points: which parts of a recording have which genre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Section", "VerdictName", "calibrated", "find_sections"]

VerdictName = Literal["genre", "not sure", "not music", "silence"]

Float64 = NDArray[np.float64]
Indices = NDArray[np.intp]
Bools = NDArray[np.bool_]

# A segment speaks for one state and against another with odds of 100 : 1 at most, however sure the
# network is, and a change costs just more than that. So one segment alone is never a section, not
# even the first or the last one; two sure ones can be at an end, three between two others, and
# weak evidence takes more: 7 segments of 2 : 1 at an end, 14 in between.
_HEAVIEST = math.log(100)
_SWITCH = math.log(101)
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a recording that sounds alike.

    Attributes:
        start: in seconds.
        end: in seconds.
        verdict: "genre"; "not sure" if the genre's probability is too low to rely on it; "not
            music"; "silence".
        genre: of the stretch, the likeliest one even where the verdict is another.
        probability: of that genre: the mean over the segments, calibrated as a recording's is.

    """

    start: float
    end: float
    verdict: VerdictName
    genre: str
    probability: float


def find_sections(
    segments: Float64,
    times: Float64,
    *,
    labels: Sequence[str],
    seconds: float,
    end: float,
    music: Float64 | None = None,
    music_threshold: float | None = None,
    sure_threshold: float | None = None,
    temperature: float = 1.0,
    weights: Float64 | None = None,
    silent: Bools | None = None,
) -> tuple[Section, ...]:
    """Join segments to sections.

    The likeliest sequence of genres (and "not music" and "silence") is sought, in which every
    change has a price; time and memory grow with the number of segments times that of genres.
    Where there are segments missing in between, a section ends in any case. A border lies in the
    middle of what the segments on its two sides share.

    Args:
        segments: probabilities of the genres, (n, n_classes).
        times: start of each segment in seconds, (n,), ascending.
        labels: of the genres.
        seconds: length of a segment.
        end: of the recording, in seconds; the last section does not go beyond.
        music: probability that a segment is music, (n,), or None.
        music_threshold: from which on it is. None where ``music`` is.
        sure_threshold: below this probability a section is "not sure"; None: never.
        temperature: that calibrates the mean over segments: its logarithm is divided by it. It is
            that of recordings, so a section of few segments may seem somewhat surer than it is.
        weights: what each segment adds to those before, as a share of a segment, (n,); None: 1.
        silent: which segments are silent, (n,); None: none. These have no genre: a section of
            another verdict that holds some has the mean of its other segments.

    Source: Viterbi (1967), with one price for every change.

    """
    weights = np.ones(len(times)) if weights is None else weights
    silent = np.zeros(len(times), np.bool_) if silent is None else silent
    scores = weights[:, None] * _with_silence(_scores(segments, music, music_threshold), silent)
    counted = np.where(silent, 1e-9, 1.0) * weights  # where all is silent the mean is of that
    together = np.diff(times) <= seconds * (1 + 1e-6)
    starts, ends = times.copy(), times + seconds
    starts[1:][together] = ends[:-1][together] = ((ends[:-1] + starts[1:]) / 2)[together]
    sections = []
    for stretch in np.split(np.arange(len(times)), np.flatnonzero(~together) + 1):
        states = _likeliest_states(scores[stretch])
        for run in np.split(stretch, np.flatnonzero(np.diff(states)) + 1):
            mean = np.average(segments[run], axis=0, weights=counted[run])
            genre, probability, verdict = _judge(
                int(states[run[0] - stretch[0]]), calibrated(mean, temperature), sure_threshold
            )
            first, last = float(starts[run[0]]), float(min(ends[run[-1]], end))
            sections.append(Section(first, last, verdict, labels[genre], probability))
    return tuple(sections)


def calibrated(means: Float64, temperature: float) -> Float64:
    """Divide the logarithm of probabilities (n_classes,) by a temperature; they sum to 1 again."""
    powers = (means / means.max()) ** (1 / temperature)
    return np.asarray(powers / powers.sum())


def _judge(
    state: int, means: Float64, sure_threshold: float | None
) -> tuple[int, float, VerdictName]:
    """Return genre, its probability and the verdict of a section with these probabilities."""
    if state >= len(means):
        genre = int(means.argmax())
        return genre, float(means[genre]), "not music" if state == len(means) else "silence"
    probability = float(means[state])
    unsure = sure_threshold is not None and probability < sure_threshold
    return state, probability, "not sure" if unsure else "genre"


def _scores(segments: Float64, music: Float64 | None, threshold: float | None) -> Float64:
    """Log-likelihood of each genre and of "not music", 0 for the best of a segment: (n, c + 1).

    "Not music" is measured against the best genre, so that between these two the music's odds,
    relative to the threshold's, decide alone, as they do for a whole recording.
    """
    scores = np.log(np.maximum(segments, _TINY))
    if music is not None and threshold is not None:
        clipped = np.clip(music, _TINY, 1 - _TINY)
        odds = np.log(clipped / (1 - clipped)) - math.log(threshold / (1 - threshold))
        scores += (-scores.max(axis=1) - np.logaddexp(0, -odds))[:, None]
        not_music = -np.logaddexp(0, odds)
    else:
        not_music = np.full(len(scores), -np.inf)
    scores = np.column_stack([scores, not_music])
    return np.asarray(np.maximum(scores - scores.max(axis=1, keepdims=True), -_HEAVIEST))


def _with_silence(scores: Float64, silent: Bools) -> Float64:
    """Add the state "silence": (n, k) -> (n, k + 1). It alone fits a segment that is silent."""
    states = np.column_stack([scores, np.full(len(scores), -_HEAVIEST)])
    states[silent] = -_HEAVIEST
    states[silent, -1] = 0
    return states


def _likeliest_states(scores: Float64) -> Indices:
    """Find the sequence of states with the highest sum of scores less the price of its changes.

    Args:
        scores: (n, n_states).

    Returns:
        The state of each segment, (n,).

    """
    n, n_states = scores.shape
    stay = np.arange(n_states)
    came_from = np.empty((n, n_states), np.intp)
    total = scores[0]
    for row in range(1, n):
        best = int(total.argmax())
        switched = total[best] - _SWITCH > total
        came_from[row] = np.where(switched, best, stay)
        total = np.maximum(total, total[best] - _SWITCH) + scores[row]
    states = np.empty(n, np.intp)
    states[-1] = total.argmax()
    for row in range(n - 1, 0, -1):
        states[row - 1] = came_from[row, states[row]]
    return states
