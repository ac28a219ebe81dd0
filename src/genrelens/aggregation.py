"""From what a network says of windows and segments to what is said of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from genrelens.artifact import Outputs
from genrelens.metadata import ModelMetadata, StyleTag
from genrelens.prediction import Style

__all__ = ["Heard", "Window"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """What a model says of a window of n segments: probabilities, float64.

    Attributes:
        clip: of the genres, for the whole window, (n_classes,).
        segments: of the genres, for each segment, (n, n_classes).
        embedding: sum of the segments' embeddings, (d,), or None.
        styles: that a segment has a style, (n, n_styles), or None.
        music: that a segment is music, (n,), or None.

    """

    clip: Float64
    segments: Float64
    embedding: Float64 | None
    styles: Float64 | None
    music: Float64 | None

    @classmethod
    def of(cls, outputs: Outputs, metadata: ModelMetadata) -> Self:
        """Turn the outputs of a graph into probabilities."""
        vectors, styles, music = outputs.embeddings, outputs.style_logits, outputs.music_logits
        return cls(
            clip=_softmax(outputs.clip_logits / metadata.temperature),
            segments=_softmax(outputs.segment_logits / metadata.segment_temperature),
            embedding=None if vectors is None else vectors.sum(axis=0, dtype=np.float64),
            styles=None if styles is None else _sigmoid(styles),
            music=None if music is None else _sigmoid(music),
        )


class Heard:
    """A recording, as the sum of its windows.

    A recording is judged by its music: if the model tells music from other sounds, a segment
    weighs as much as it is probably music, and nothing if that is below the model's threshold. So
    an hour of talk with two songs in it has the genre of the songs. Where nothing is music, or
    the model does not tell, all segments weigh the same.

    Args:
        windows: at least one.
        music_threshold: of the model.

    Attributes:
        segments: probabilities of the genres for each segment, (n, n_classes).
        segment_music: probability that a segment is music, (n,), or None.

    """

    def __init__(self, windows: Sequence[Window], music_threshold: float | None) -> None:
        self._windows = windows
        self.segments = np.concatenate([window.segments for window in windows])
        self.segment_music = _joined([window.music for window in windows])
        self._weights = _weights(len(self.segments), self.segment_music, music_threshold)

    @property
    def probabilities(self) -> Float64:
        """Of the genres, (n_classes,): the windows' mean, each with the weight of its segments."""
        starts = np.cumsum([0, *(len(window.segments) for window in self._windows[:-1])])
        clips = np.stack([window.clip for window in self._windows])
        weights = np.add.reduceat(self._weights, starts)
        return np.asarray(np.average(clips, axis=0, weights=weights))

    @property
    def music(self) -> float | None:
        """Probability that the recording is music: the plain mean over its segments."""
        return None if self.segment_music is None else float(self.segment_music.mean())

    def styles(self, tags: Sequence[StyleTag]) -> tuple[Style, ...]:
        """Weigh the segments' probabilities of each style; the likeliest comes first."""
        of_segments = _joined([window.styles for window in self._windows])
        if of_segments is None:
            return ()
        means = np.average(of_segments, axis=0, weights=self._weights).tolist()
        found = [Style(tag.name, p, tag.threshold) for tag, p in zip(tags, means, strict=True)]
        return tuple(sorted(found, key=lambda style: -style.probability))

    @property
    def embedding(self) -> Float64 | None:
        """The plain mean of the segments' embeddings, scaled to length 1; None if that is zero."""
        sums = _joined([window.embedding for window in self._windows])
        if sums is None:
            return None
        total = sums.reshape(len(self._windows), -1).sum(axis=0)
        length = float(np.linalg.norm(total))
        return total / length if length else None


def _weights(n: int, music: Float64 | None, threshold: float | None) -> Float64:
    if music is not None and threshold is not None:
        weights = np.where(music >= threshold, music, 0.0)
        if weights.any():
            return weights
    return np.ones(n)


def _joined(parts: Sequence[Float64 | None]) -> Float64 | None:
    """Join the parts of all windows; a model has something in all of them or in none."""
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None


def _softmax(logits: Float32) -> Float64:
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: Float64 = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def _sigmoid(logits: Float32) -> Float64:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))))
