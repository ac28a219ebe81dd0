"""What a classifier says of a recording."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.levels import SILENCE_LEVEL
from genrelens.percentages import percent
from genrelens.segmentation import Section, VerdictName, find_sections

__all__ = ["Prediction", "Style"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Style:
    """A style that a recording may have; it may have several, and none.

    Attributes:
        name: of the style.
        probability: that the recording has it.
        threshold: from which probability on it is taken to have it.

    """

    name: str
    probability: float
    threshold: float

    @property
    def applies(self) -> bool:
        """Whether the recording is taken to have it."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What a classifier says of one recording.

    Attributes:
        labels: the model's genres, in its order.
        probabilities: of the whole recording, (n_classes,) float64 that sum to 1.
        segments: probabilities of each segment alone, (n_segments, n_classes) float64.
        segment_times: start of each segment in seconds, (n_segments,) float64.
        segment_seconds: length of a segment in seconds.
        duration: of the recording (or the part of it that was asked for), in seconds.
        heard: seconds of audio that were heard; less than ``duration`` with ``fast``.
        padded: the recording was shorter than one segment and was padded with silence; its
            verdict is "not sure" unless it is silent.
        level: RMS level of the loudest segment, in dBFS; -120 at least.
        model: name of the model.
        source: name of the recording.
        styles: of the whole recording, the likeliest first; empty if the model knows none.
        embedding: where the recording stands among others, (d,) float64 of length 1: the product
            of two is the likeness of their sound. None if the model has none.
        music: probability that the recording is music, or None if the model does not tell.
        segment_music: the same for each segment, (n_segments,) float64, or None.
        music_threshold: below this ``music`` the recording is not music. None where ``music`` is.
        sure_threshold: below this probability of the likeliest genre the model is not sure; None
            if it always answers.
        temperature: by which the model calibrates a mean over segments.
        segment_weights: what each segment adds to those before, as a share of a segment,
            (n_segments,) float64: 1 but for a last one that overlaps more. None: all 1.
        segment_levels: RMS level of each segment in dBFS, (n_segments,) float64. Those below
            :data:`~genrelens.levels.SILENCE_LEVEL` count for nothing; all their genres are as
            probable. None: not known.

    """

    labels: tuple[str, ...]
    probabilities: Float64
    segments: Float64
    segment_times: Float64
    segment_seconds: float
    duration: float
    heard: float
    padded: bool
    level: float
    model: str
    source: str
    styles: tuple[Style, ...] = ()
    embedding: Float64 | None = None
    music: float | None = None
    segment_music: Float64 | None = None
    music_threshold: float | None = None
    sure_threshold: float | None = None
    temperature: float = 1.0
    segment_weights: Float64 | None = None
    segment_levels: Float64 | None = None

    @property
    def genre(self) -> str:
        """The most probable genre, whatever the verdict is."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear."""
        return self.level < SILENCE_LEVEL

    @property
    def verdict(self) -> VerdictName:
        """Whether the recording is ``"silence"``, ``"not music"``, ``"not sure"`` or ``"genre"``.

        The first that holds, but that a recording shorter than a segment is too short to judge:
        unless it is silent, it is ``"not sure"``. Rely on :attr:`genre` only with ``"genre"``.
        """
        if self.silent:
            return "silence"
        if self.padded:
            return "not sure"
        if self._is_below(self.music, self.music_threshold):
            return "not music"
        if self._is_below(float(self.probabilities.max()), self.sure_threshold):
            return "not sure"
        return "genre"

    @property
    def answer(self) -> str:
        """The verdict for people, as ``"rock"`` or ``"not sure: rock 31 %, country 28 %"``."""
        if self.verdict == "genre":
            return self.genre
        if self.verdict == "not sure":
            return "not sure: " + ", ".join(f"{name} {percent(p)}" for name, p in self.top(2))
        return self.verdict

    @property
    def headline(self) -> str:
        """The verdict as a line of its own, as ``"The predicted genre is: rock"``."""
        if self.verdict == "genre":
            return f"The predicted genre is: {self.genre}"
        end = "" if self.verdict == "not sure" else "."
        return self.answer[0].upper() + self.answer[1:] + end

    @property
    def sections(self) -> tuple[Section, ...]:
        """The timeline with its change points, in order; computed anew each time."""
        found = find_sections(
            self.segments,
            self.segment_times,
            labels=self.labels,
            seconds=self.segment_seconds,
            end=self.duration,
            music=self.segment_music,
            music_threshold=self.music_threshold,
            sure_threshold=self.sure_threshold,
            temperature=self.temperature,
            weights=self.segment_weights,
            silent=self.silent_segments,
        )
        short = self.padded and not self.silent
        return tuple(replace(each, verdict="not sure") for each in found) if short else found

    @property
    def silent_segments(self) -> NDArray[np.bool_]:
        """Which segments are silent, (n_segments,)."""
        if self.segment_levels is None:
            return np.full(len(self.segments), self.silent)
        return np.asarray(self.segment_levels < SILENCE_LEVEL)

    @staticmethod
    def _is_below(value: float | None, threshold: float | None) -> bool:
        return value is not None and threshold is not None and value < threshold

    def top(self, k: int | None = None) -> list[tuple[str, float]]:
        """Return the ``k`` most probable genres (all by default) with their probabilities.

        Raises:
            ValueError: ``k`` is below 1.

        """
        if k is not None and k < 1:
            raise ValueError(f"k={k} must be at least 1")
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def to_dict(self, *, timeline: bool = False, embedding: bool = False) -> dict[str, Any]:
        """Return the prediction as plain values that JSON can hold.

        Args:
            timeline: add ``labels``; ``timeline``, one entry for each segment: ``start`` and
                ``end`` in seconds, ``genre``, ``probabilities`` in the order of ``labels`` and, if
                the model tells, ``music``; and ``sections``, the timeline with change points.
            embedding: add ``embedding``, a list of numbers or None.

        """
        result: dict[str, Any] = {
            "path": self.source,
            "answer": self.answer,
            "verdict": self.verdict,
            "genre": self.genre,
            "probabilities": dict(self.top()),
            "styles": [
                {"name": each.name, "probability": each.probability, "applies": each.applies}
                for each in self.styles
            ],
            "music": self.music,
            "level": self.level,
            "duration": self.duration,
            "heard": self.heard,
            "padded": self.padded,
            "model": self.model,
        }
        if timeline:
            result["labels"] = list(self.labels)
            result["timeline"] = self._timeline()
            result["sections"] = [asdict(section) for section in self.sections]
        if embedding:
            result["embedding"] = None if self.embedding is None else self.embedding.tolist()
        return result

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
        return entries
