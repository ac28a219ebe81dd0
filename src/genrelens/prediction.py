"""The result of classifying a recording."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.findings import Genre, Style
from genrelens.levels import SILENCE_LEVEL
from genrelens.metadata import ModelMetadata
from genrelens.percentages import percent
from genrelens.prediction_html import prediction_html
from genrelens.segmentation import Section, VerdictName, find_sections
from genrelens.set_head import SegmentSets

__all__ = ["CHANGE_SECONDS", "MUSIC_SECONDS", "Genre", "Prediction", "Style"]

CHANGE_SECONDS = 10.0
"""Shortest section, in seconds, that counts for :attr:`Prediction.changes`."""
MUSIC_SECONDS = 20.0
"""Seconds: a recording with a section of music of this length is music, even if the rest is not."""
_MAX_STYLES = 3  # styles in an answer that is not sure

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Prediction:
    """The result of classifying one recording.

    In a notebook, a prediction is displayed with its bars and its timeline.

    Attributes:
        metadata: metadata of the model.
        source: name of the recording.
        probabilities: probabilities of the genres for the recording, (n_classes,) float64 in the
            order of ``labels``; they sum to 1.
        segments: probabilities of the genres for each segment, (n_segments, n_classes) float64.
        segment_times: start of each segment in seconds, (n_segments,) float64.
        segment_weights: share of each segment that the segments before it do not cover,
            (n_segments,) float64 in 0..1: below 1 only for a last segment that overlaps more.
            None: all 1.
        segment_levels: RMS level of each segment in dBFS, (n_segments,) float64. Segments below
            :data:`~genrelens.levels.SILENCE_LEVEL` do not count; all genres are equally probable
            in them. None: unknown.
        segment_music: probability that a segment is music, (n_segments,) float64; None if the
            model has no such output.
        music: probability that the recording is music: the mean over the segments that are not
            silent; None if the model has no such output.
        segment_snr: estimated signal-to-noise ratio of each segment in dB, (n_segments,) float64,
            NaN in silent segments; None if the model does not estimate it.
        snr: mean of ``segment_snr`` over the segments that are music, in dB; None if unknown.
        styles: all styles of the model, the most probable first.
        embedding: (d,) float64 of length 1; the dot product of two is the similarity of the
            recordings. None if the model has none.
        sets: evaluates sets of segments, for the sections; None if the model has no set head.
        duration: length of the recording, or of the requested part, in seconds.
        heard: length of what was classified, in seconds; less than ``duration`` with ``fast``.
        level: RMS level of the loudest segment in dBFS, at least -120.
        padded: the recording was shorter than a segment and was padded with silence.

    Example::

        prediction = Classifier.load().classify("song.mp3")
        prediction.answer    # 'rock'
        prediction.verdict   # 'genre'
        prediction.top(2)    # [('rock', 0.91), ('metal', 0.05)]

    """

    metadata: ModelMetadata
    source: str
    probabilities: Float64
    segments: Float64
    segment_times: Float64
    segment_weights: Float64 | None = None
    segment_levels: Float64 | None = None
    segment_music: Float64 | None = None
    music: float | None = None
    segment_snr: Float64 | None = None
    snr: float | None = None
    styles: tuple[Style, ...] = ()
    embedding: Float64 | None = None
    sets: SegmentSets | None = None
    duration: float
    heard: float
    level: float
    padded: bool = False

    # ---------------------------------------------------------------------------- the model

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's genres, in the order of the probabilities."""
        return self.metadata.labels

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.metadata.name

    @property
    def segment_seconds(self) -> float:
        """Length of a segment in seconds."""
        return self.metadata.features.segment_seconds

    @property
    def music_threshold(self) -> float | None:
        """A recording with a lower ``music`` is not music; None if the model has no such output."""
        return self.metadata.music_threshold

    @property
    def sure_threshold(self) -> float | None:
        """The verdict is "not sure" below this probability of the genre; None: never."""
        return self.metadata.sure_threshold

    @property
    def temperature(self) -> float:
        """Temperature that calibrates the probabilities of a clip of one window."""
        return self.metadata.temperature

    # --------------------------------------------------------------------------- the answer

    @property
    def genre(self) -> str:
        """The most probable genre, also if the verdict is not ``"genre"``."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def silent(self) -> bool:
        """Whether the whole recording is silent."""
        return self.level < SILENCE_LEVEL

    @property
    def verdict(self) -> VerdictName:
        """The first of these that applies; rely on :attr:`genre` only if it is ``"genre"``.

        - ``"silence"``: the whole recording is silent.
        - ``"not sure"``: it is shorter than a segment, which is too short to judge.
        - ``"not music"``: :attr:`music` is below its threshold, and no stretch of music lasts
          :data:`MUSIC_SECONDS` or longer, whatever its genres.
        - ``"changes"``: no genre is sure for the whole recording, and :attr:`changes` has genres.
        - ``"not sure"``: no genre is sure. In noise the threshold is higher, see :attr:`noisy`.
        - ``"genre"``: the most probable genre is sure.
        """
        if self.silent:
            return "silence"
        if self.padded:
            return "not sure"
        if not self._is_music:
            return "not music"
        if self._is_sure:
            return "genre"
        return "changes" if self._changes else "not sure"

    @property
    def _is_music(self) -> bool:
        below = _is_below(self.music, self.music_threshold)
        if not below or self.segment_music is None:
            return not below
        stretches = groupby(self.sections, key=lambda section: section.is_music)
        return any(
            is_music and sum(section.duration for section in sections) >= MUSIC_SECONDS
            for is_music, sections in stretches
        )

    @property
    def _is_sure(self) -> bool:
        threshold = self.metadata.sure_threshold_for(self.snr)
        return not _is_below(float(self.probabilities.max()), threshold)

    @property
    def noisy(self) -> bool:
        """Whether noise is the reason for "not sure": without the noise rule it would be sure."""
        enough = not _is_below(float(self.probabilities.max()), self.sure_threshold)
        return self.verdict == "not sure" and not self.padded and enough

    @property
    def changes(self) -> tuple[str, ...]:
        """The genres of a recording that changes, in order of appearance; empty if it does not.

        A recording changes if its verdict would be "not sure" as a whole, and sections of at least
        two genres are sure. Only sections of :data:`CHANGE_SECONDS` or longer count (half a segment
        less is enough), and together they last at least half as long as all sections of music.
        """
        return tuple(self._changes) if self.verdict == "changes" else ()

    @property
    def _changes(self) -> dict[str, float]:
        """The genres of the sections and their highest probabilities, if the conditions hold."""
        lowest = CHANGE_SECONDS - self.segment_seconds / 2  # the borders are those of segments
        sure = [s for s in self.sections if s.verdict == "genre" and s.duration >= lowest]
        genres: dict[str, float] = {}
        for each in sure:
            genres[each.genre] = max(each.probability, genres.get(each.genre, 0.0))
        music = sum(section.duration for section in self.sections if section.is_music)
        covered = sum(each.duration for each in sure)
        return genres if len(genres) >= 2 and 2 * covered >= music else {}

    @property
    def genres(self) -> tuple[Genre, ...]:
        """All genres, each with the probability that it applies, the most probable first.

        If the model has a rule for each genre, each genre has its own probability and threshold,
        so that several can apply, even if no single genre is sure. In noise the threshold of the
        noise rule must be reached as well. If the model has no such rules, the probability is that
        among all genres. The genre of the verdict ``"genre"`` and the genres of :attr:`changes`
        always apply; the latter have at least the probability of their surest section. No genre
        applies to a recording that is not music or is shorter than a segment.
        """
        verdict = self.verdict
        of_sections = self._changes if verdict == "changes" else {}
        answers = (self.genre,) if verdict == "genre" else tuple(of_sections)
        if self.padded or verdict in ("silence", "not music"):
            lowest = math.inf
        else:
            lowest = self.metadata.noise_threshold(self.snr)
        rules = self.metadata.genre_rules or (None,) * len(self.labels)
        found = []
        for name, share, rule in zip(self.labels, self.probabilities.tolist(), rules, strict=True):
            probability = share if rule is None else rule.probability(share)
            probability = max(probability, of_sections.get(name, 0.0))
            applies = rule is not None and probability >= max(rule.threshold, lowest)
            found.append(Genre(name, probability, applies or name in answers))
        return tuple(sorted(found, key=lambda genre: -genre.probability))

    @property
    def answer(self) -> str:
        """The result as a short text.

        ``"rock"``, ``"changes: classical, metal"``, or ``"not sure: rock 31 %, country 28 %"``,
        followed by the most probable styles that apply: ``"; sounds electronic, ambient"``.
        """
        if self.verdict == "genre":
            return self.genre
        if self.verdict == "changes":
            return f"changes: {', '.join(self.changes)}"
        if self.verdict == "not sure":
            named = self.top(2)
            text = "not sure: " + ", ".join(f"{name} {percent(p)}" for name, p in named)
            styles = self._style_names({name for name, _ in named})
            return f"{text}; sounds {', '.join(styles)}" if styles else text
        return self.verdict

    def _style_names(self, named: set[str]) -> list[str]:
        """Return the most probable styles that apply and are not named already.

        There are none in noise and for a recording that is too short.
        """
        if self.padded or self.noisy:
            return []
        styles = [style.name for style in self.styles if style.applies and style.name not in named]
        return styles[:_MAX_STYLES]

    @property
    def headline(self) -> str:
        """The result as a sentence: ``"The predicted genre is: rock"``."""
        if self.verdict == "genre":
            return f"The predicted genre is: {self.genre}"
        end = "." if self.verdict in ("not music", "silence") else ""
        return self.answer[0].upper() + self.answer[1:] + end

    def top(self, k: int | None = None) -> list[tuple[str, float]]:
        """Return the ``k`` most probable genres (all by default) with their probabilities.

        Raises:
            ValueError: ``k`` is below 1.

        """
        if k is not None and k < 1:
            raise ValueError(f"k={k} must be at least 1")
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The stretches of the timeline with one genre, in order.

        If only one section is music, it has the genre and the probability of the recording. So has
        the only section with sound of a recording that is music as a whole.
        """
        found = find_sections(
            self.segments,
            self.segment_times,
            self.metadata,
            end=self.duration,
            music=self.segment_music,
            weights=self.segment_weights,
            silent=self.silent_segments,
            snr=self.segment_snr,
            probabilities_of=None if self.sets is None else self.sets.probabilities,
        )
        if self.padded and not self.silent:
            found = tuple(replace(section, verdict="not sure") for section in found)
        music = [section for section in found if section.is_music]
        if not music and not _is_below(self.music, self.music_threshold):
            music = [section for section in found if section.verdict != "silence"]
        if len(music) != 1:
            return found
        return tuple(self._with_overall_genre(each) if each in music else each for each in found)

    def _with_overall_genre(self, section: Section) -> Section:
        """Return a section with the genre and the probability of the recording."""
        sure = self._is_sure and not self.padded
        return replace(
            section,
            verdict="genre" if sure else "not sure",
            genre=self.genre,
            probability=float(self.probabilities.max()),
        )

    def restricted(self, genres: Iterable[str]) -> Prediction:
        """Return the prediction for a choice among some genres of the model.

        The probabilities of these genres are divided by their sum, also in each segment.

        Args:
            genres: names of at least two genres; the result has them in the order of the model.

        Raises:
            ValueError: the model does not have a genre, or there are fewer than 2.

        Example::

            prediction.restricted(["rock", "metal"]).top()  # [('rock', 0.95), ('metal', 0.05)]

        """
        return self.with_metadata(self.metadata.restricted(genres))

    def with_metadata(self, metadata: ModelMetadata) -> Prediction:
        """Return the prediction restricted to the genres of restricted metadata."""
        if metadata.labels == self.labels:
            return self
        columns = [self.labels.index(label) for label in metadata.labels]
        parents = {style.name: style.parent for style in metadata.styles}
        return replace(
            self,
            metadata=metadata,
            probabilities=_shares(self.probabilities[columns]),
            segments=_shares(self.segments[:, columns]),
            sets=None if self.sets is None else self.sets.restricted(columns),
            styles=tuple(replace(style, parent=parents[style.name]) for style in self.styles),
        )

    @property
    def silent_segments(self) -> NDArray[np.bool_]:
        """Mask of the silent segments, (n_segments,) bool."""
        if self.segment_levels is None:
            return np.full(len(self.segments), self.silent)
        return np.asarray(self.segment_levels < SILENCE_LEVEL)

    def _timeline(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = [
            {
                "start": float(start),
                "end": float(min(start + self.segment_seconds, self.duration)),
                "genre": self.labels[int(row.argmax())],
                "probabilities": row.tolist(),
            }
            for start, row in zip(self.segment_times, self.segments, strict=True)
        ]
        if self.segment_music is not None:
            for entry, probability in zip(entries, self.segment_music, strict=True):
                entry["music"] = float(probability)
        if self.segment_snr is not None:
            for entry, ratio in zip(entries, self.segment_snr, strict=True):
                entry["snr"] = None if math.isnan(ratio) else float(ratio)
        return entries

    # -------------------------------------------------------------------------- other forms

    def to_dict(
        self, *, timeline: bool = False, sections: bool = False, embedding: bool = False
    ) -> dict[str, Any]:
        """Return the prediction as plain values for JSON, as ``genrelens classify --json`` does.

        Args:
            timeline: add ``labels``; ``timeline``, one entry for each segment: ``start`` and
                ``end`` in seconds, ``genre``, ``probabilities`` in the order of ``labels`` and, if
                the model has these outputs, ``music`` and ``snr`` (None in silent segments); and
                ``sections``.
            sections: add ``labels`` and ``sections`` only.
            embedding: add ``embedding``, a list of numbers or None.

        """
        result: dict[str, Any] = {
            "path": self.source,
            "answer": self.answer,
            "verdict": self.verdict,
            "genre": self.genre,
            "probabilities": dict(self.top()),
            "genres": [asdict(each) for each in self.genres],
            "changes": list(self.changes),
            "styles": [each.to_dict() for each in self.styles],
            "music": self.music,
            "snr": self.snr,
            "noisy": self.noisy,
            "level": self.level,
            "duration": self.duration,
            "heard": self.heard,
            "padded": self.padded,
            "model": self.model,
        }
        if timeline or sections:
            result["labels"] = list(self.labels)
        if timeline:
            result["timeline"] = self._timeline()
        if timeline or sections:
            result["sections"] = [asdict(section) for section in self.sections]
        if embedding:
            result["embedding"] = None if self.embedding is None else self.embedding.tolist()
        return result

    def __repr__(self) -> str:
        """Return one line: ``<Prediction 'song.mp3': rock 91 %>``."""
        sure = f" {percent(float(self.probabilities.max()))}" if self.verdict == "genre" else ""
        return f"<Prediction {self.source!r}: {self.answer}{sure}>"

    def _repr_html_(self) -> str:
        """Return the answer, the bars and the timeline as HTML, for notebooks."""
        return prediction_html(
            self.source,
            self.headline,
            genres=[] if self.silent else self.top(),
            several=[each.name for each in self.genres if each.applies],
            styles=[each.path for each in self.styles if each.applies],
            sections=self.sections,
            duration=self.duration,
        )


def _is_below(value: float | None, threshold: float | None) -> bool:
    return value is not None and threshold is not None and value < threshold


def _shares(values: Float64) -> Float64:
    """Divide each row by its sum; a row of zeros becomes equal shares."""
    sums = values.sum(axis=-1, keepdims=True)
    equal = np.full_like(values, 1 / values.shape[-1])
    return np.asarray(np.divide(values, sums, out=equal, where=sums > 0))
