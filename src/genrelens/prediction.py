"""The result of classifying a recording."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.levels import SILENCE_LEVEL
from genrelens.metadata import ModelMetadata
from genrelens.percentages import percent
from genrelens.prediction_html import prediction_html
from genrelens.segmentation import Section, VerdictName, find_sections

__all__ = ["Prediction", "Style"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Style:
    """A style with its probability. A recording may have several styles, or none.

    Attributes:
        name: of the style.
        probability: that the recording has it, in 0..1.
        threshold: from this probability on, the style applies.

    Example::

        >>> Style("house", probability=0.7, threshold=0.5).applies
        True

    """

    name: str
    probability: float
    threshold: float

    @property
    def applies(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Prediction:
    """The result of classifying one recording.

    In a notebook, a prediction is displayed with its bars and its timeline.

    Attributes:
        metadata: of the model.
        source: name of the recording.
        probabilities: of the genres for the recording, (n_classes,) float64 in the order of
            ``labels``; they sum to 1.
        segments: the same for each segment alone, (n_segments, n_classes) float64.
        segment_times: start of each segment in seconds, (n_segments,) float64.
        segment_weights: share of each segment that the segments before it do not cover,
            (n_segments,) float64 in 0..1: below 1 only for a last segment that overlaps more.
            None: all 1.
        segment_levels: RMS level of each segment in dBFS, (n_segments,) float64. Segments below
            :data:`~genrelens.levels.SILENCE_LEVEL` do not count; all genres are equally probable
            in them. None: unknown.
        segment_music: probability that a segment is music, (n_segments,) float64; None if the
            model has no such output.
        music: probability that the recording is music; None if the model has no such output.
        styles: all styles of the model, the most probable first.
        embedding: (d,) float64 of length 1; the dot product of two is the similarity of the
            recordings. None if the model has none.
        duration: length of the recording, or of the part that was asked for, in seconds.
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
    styles: tuple[Style, ...] = ()
    embedding: Float64 | None = None
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
        """Temperature that calibrates the probabilities of a recording."""
        return self.metadata.temperature

    # --------------------------------------------------------------------------- the answer

    @property
    def genre(self) -> str:
        """The most probable genre, whatever the verdict is."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def silent(self) -> bool:
        """Whether the whole recording is silent."""
        return self.level < SILENCE_LEVEL

    @property
    def verdict(self) -> VerdictName:
        """Whether the recording is ``"silence"``, ``"not music"``, ``"not sure"`` or ``"genre"``.

        The first that applies. A recording shorter than a segment is too short to judge: unless it
        is silent, it is ``"not sure"``. Rely on :attr:`genre` only if this is ``"genre"``.
        """
        if self.silent:
            return "silence"
        if self.padded:
            return "not sure"
        if _is_below(self.music, self.music_threshold):
            return "not music"
        if _is_below(float(self.probabilities.max()), self.sure_threshold):
            return "not sure"
        return "genre"

    @property
    def answer(self) -> str:
        """The verdict for people: ``"rock"``, or ``"not sure: rock 31 %, country 28 %"``."""
        if self.verdict == "genre":
            return self.genre
        if self.verdict == "not sure":
            return "not sure: " + ", ".join(f"{name} {percent(p)}" for name, p in self.top(2))
        return self.verdict

    @property
    def headline(self) -> str:
        """The verdict as a line of its own: ``"The predicted genre is: rock"``."""
        if self.verdict == "genre":
            return f"The predicted genre is: {self.genre}"
        end = "" if self.verdict == "not sure" else "."
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

    # ------------------------------------------------------------------------- the timeline

    @property
    def sections(self) -> tuple[Section, ...]:
        """The stretches of the timeline with one genre, in order; computed at each access."""
        found = find_sections(
            self.segments,
            self.segment_times,
            self.metadata,
            end=self.duration,
            music=self.segment_music,
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

    # -------------------------------------------------------------------------- other forms

    def to_dict(self, *, timeline: bool = False, embedding: bool = False) -> dict[str, Any]:
        """Return the prediction as plain values for JSON, as ``genrelens classify --json`` does.

        Args:
            timeline: add ``labels``; ``timeline``, one entry for each segment: ``start`` and
                ``end`` in seconds, ``genre``, ``probabilities`` in the order of ``labels`` and, if
                the model has this output, ``music``; and ``sections``.
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
            styles=[each.name for each in self.styles if each.applies],
            sections=self.sections,
            duration=self.duration,
        )


def _is_below(value: float | None, threshold: float | None) -> bool:
    return value is not None and threshold is not None and value < threshold
