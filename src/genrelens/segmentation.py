"""The sections of a recording: stretches of the timeline with one genre."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrelens.metadata import ModelMetadata

__all__ = ["Section", "SectionVerdict", "VerdictName", "calibrated", "find_sections"]

SectionVerdict = Literal["genre", "not sure", "not music", "silence"]
VerdictName = Literal["genre", "changes", "not sure", "not music", "silence"]

Float64 = NDArray[np.float64]
Indices = NDArray[np.intp]
Bools = NDArray[np.bool_]

# The odds between two states are limited to 100 : 1 per segment, and a change costs slightly more.
# Therefore a single segment is never a section, not even the first or the last one. Two sure
# segments can be a section at an end, three between two others. Weak evidence needs more: 7
# segments of 2 : 1 at an end, 14 in between.
_HIGHEST_LOG_ODDS = math.log(100)
_SWITCH_COST = math.log(101)
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a recording with one genre.

    Attributes:
        start: start in seconds.
        end: end in seconds.
        verdict: ``"genre"``; ``"not sure"`` if the probability of the genre is too low to rely on;
            ``"not music"``; or ``"silence"``.
        genre: the most probable genre of the section, also if the verdict is not ``"genre"``.
        probability: probability of that genre, in 0..1: the mean over the segments that are music,
            calibrated like that of a recording.

    Example::

        for section in prediction.sections:
            print(section.start, section.end, section.genre, section.probability)

    """

    start: float
    end: float
    verdict: SectionVerdict
    genre: str
    probability: float

    @property
    def is_music(self) -> bool:
        """Whether the section is music: its verdict is ``"genre"`` or ``"not sure"``."""
        return self.verdict in ("genre", "not sure")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


def find_sections(
    segments: Float64,
    times: Float64,
    metadata: ModelMetadata,
    *,
    end: float,
    music: Float64 | None = None,
    weights: Float64 | None = None,
    silent: Bools | None = None,
    snr: Float64 | None = None,
    probabilities_of: Callable[[Indices], Float64] | None = None,
) -> tuple[Section, ...]:
    """Group consecutive segments into sections.

    The sections follow the most probable sequence of genres (and of "not music" and "silence")
    when each change has a fixed cost. Time and memory grow with the number of segments times the
    number of genres. A gap between segments always ends a section. A border lies in the middle of
    the overlap of the segments on its two sides.

    Args:
        segments: probabilities of the genres, (n, n_classes).
        times: start of each segment in seconds, (n,), ascending.
        metadata: metadata of the model: labels, thresholds, temperatures, and the length of a
            segment.
        end: end of the recording in seconds; the last section ends there at the latest.
        music: probability that a segment is music, (n,); None if the model has no such output.
        weights: share of each segment that the segments before it do not cover, (n,), in 0..1;
            None: all 1.
        silent: which segments are silent, (n,); None: none. Silent segments have no genre. They do
            not count in the mean of a section that has other segments. Segments that are not music
            do not count either.
        snr: estimated signal-to-noise ratio of each segment in dB, (n,), NaN in silent segments;
            None if unknown.
        probabilities_of: returns the calibrated probabilities of the genres for a run of segments,
            (n_classes,), from their indices; None: those of the mean over the segments.

    Returns:
        The sections, in order.

    Source: Viterbi (1967), with the same cost for every change.

    """
    weights = np.ones(len(times)) if weights is None else weights
    silent = np.zeros(len(times), np.bool_) if silent is None else silent
    scores = _with_silence(_scores(segments, music, metadata.music_threshold), silent)
    scores = weights[:, None] * scores
    average = _Average(segments, metadata, weights=weights, counted=~silent, music=music, snr=snr)
    probabilities_of = probabilities_of or average.probabilities
    starts, ends, adjacent = _borders(times, metadata.features.segment_seconds)
    sections = []
    for stretch in np.split(np.arange(len(times)), np.flatnonzero(~adjacent) + 1):
        states = _most_probable_states(scores[stretch])
        for run in np.split(stretch, np.flatnonzero(np.diff(states)) + 1):
            probabilities, sure_threshold = probabilities_of(run), average.sure_threshold(run)
            state = int(states[run[0] - stretch[0]])
            genre, verdict = _verdict_of_state(state, probabilities, sure_threshold)
            label, probability = metadata.labels[genre], float(probabilities[genre])
            first, last = float(starts[run[0]]), float(min(ends[run[-1]], end))
            sections.append(Section(first, last, verdict, label, probability))
    return tuple(sections)


class _Average:
    """Averages segments to the probabilities of a section and its threshold of "not sure"."""

    def __init__(
        self,
        segments: Float64,
        metadata: ModelMetadata,
        *,
        weights: Float64,
        counted: Bools,
        music: Float64 | None,
        snr: Float64 | None,
    ) -> None:
        self._metadata = metadata
        self._snr = None if snr is None else np.nan_to_num(snr)  # NaN in silent segments
        # The uncalibrated output of the network: segments are calibrated if it has temperatures.
        inverse = 1 / metadata.timeline_temperature if metadata.temperatures else 1.0
        self._segments = segments if inverse == 1 else calibrated(segments, inverse)
        if music is not None and metadata.music_threshold is not None:
            counted = counted & (music >= metadata.music_threshold)
        self._n = np.where(counted, weights, 0.0)
        self._weights = np.where(counted, 1.0, 1e-9) * weights  # not 0, in case no segment counts

    def probabilities(self, run: Indices) -> Float64:
        mean = np.average(self._segments[run], axis=0, weights=self._weights[run])
        return calibrated(mean, self._metadata.temperature_for(float(self._n[run].sum())))

    def sure_threshold(self, run: Indices) -> float | None:
        if self._snr is None:
            return self._metadata.sure_threshold_for(None)
        snr = float(np.average(self._snr[run], weights=self._weights[run]))
        return self._metadata.sure_threshold_for(snr)


def calibrated(probabilities: Float64, temperature: float) -> Float64:
    """Divide the logarithm of probabilities by a temperature, and normalise them.

    Args:
        probabilities: (..., n_classes).
        temperature: above 0.

    """
    powers = (probabilities / probabilities.max(axis=-1, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _borders(times: Float64, seconds: float) -> tuple[Float64, Float64, Bools]:
    """Return start and end of each segment, without overlaps, and whether it touches the next."""
    adjacent = np.diff(times) <= seconds * (1 + 1e-6)
    starts, ends = times.copy(), times + seconds
    starts[1:][adjacent] = ends[:-1][adjacent] = ((ends[:-1] + starts[1:]) / 2)[adjacent]
    return starts, ends, adjacent


def _verdict_of_state(
    state: int, probabilities: Float64, sure_threshold: float | None
) -> tuple[int, SectionVerdict]:
    """Return the index of the genre and the verdict of a section in this state."""
    if state == len(probabilities):
        return int(probabilities.argmax()), "not music"
    if state > len(probabilities):
        return int(probabilities.argmax()), "silence"
    unsure = sure_threshold is not None and probabilities[state] < sure_threshold
    return state, "not sure" if unsure else "genre"


def _scores(segments: Float64, music: Float64 | None, threshold: float | None) -> Float64:
    """Return the log-likelihood of each genre and of "not music", (n, n_classes + 1).

    The score of the best state of a segment is 0. "Not music" is compared with the best genre, so
    only the odds of music relative to the threshold decide between these two, as for a whole
    recording.
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
    return np.asarray(np.maximum(scores - scores.max(axis=1, keepdims=True), -_HIGHEST_LOG_ODDS))


def _with_silence(scores: Float64, silent: Bools) -> Float64:
    """Add the state "silence", the only one that fits a silent segment: (n, k) -> (n, k + 1)."""
    states = np.column_stack([scores, np.full(len(scores), -_HIGHEST_LOG_ODDS)])
    states[silent] = -_HIGHEST_LOG_ODDS
    states[silent, -1] = 0
    return states


def _most_probable_states(scores: Float64) -> Indices:
    """Find the sequence of states with the highest sum of scores minus the cost of its changes.

    Args:
        scores: (n, n_states).

    Returns:
        The state of each segment, (n,).

    """
    n, n_states = scores.shape
    stay = np.arange(n_states)
    previous = np.empty((n, n_states), np.intp)
    total = scores[0]
    for row in range(1, n):
        best = int(total.argmax())
        switched = total[best] - _SWITCH_COST > total
        previous[row] = np.where(switched, best, stay)
        total = np.maximum(total, total[best] - _SWITCH_COST) + scores[row]
    states = np.empty(n, np.intp)
    states[-1] = total.argmax()
    for row in range(n - 1, 0, -1):
        states[row - 1] = previous[row, states[row]]
    return states
