"""From what a network says of windows and segments to what is said of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from genrelens.metadata import ModelMetadata, StyleTag
from genrelens.model_file import Outputs
from genrelens.prediction import Style
from genrelens.segmentation import calibrated

__all__ = ["PooledRecording", "SegmentTrack", "Window"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

_EQUAL = 1e-5  # two probabilities of one graph that differ only by rounding


@dataclass(frozen=True, slots=True)
class Window:
    """What a model says of a window of n segments: probabilities, float64.

    Attributes:
        clip: of the genres, for the whole window, (n_classes,).
        segments: of the genres, for each segment, (n, n_classes).
        embeddings: of the segments, (n, d), or None.
        styles: that a segment has a style, (n, n_styles), or None.
        music: that a segment is music, (n,), or None.
        raw: of the genres, for each segment, before any temperature, if the graph's answer for
            the window is the plain mean of these; else None.
        temperature: of the clip.

    """

    clip: Float64
    segments: Float64
    embeddings: Float64 | None
    styles: Float64 | None
    music: Float64 | None
    raw: Float64 | None
    temperature: float

    @classmethod
    def of(cls, outputs: Outputs, metadata: ModelMetadata) -> Self:
        """Turn the outputs of a graph into probabilities."""
        vectors, styles, music = outputs.embeddings, outputs.style_logits, outputs.music_logits
        raw = _softmax(outputs.segment_logits)
        is_mean = np.abs(_softmax(outputs.clip_logits) - raw.mean(axis=0)).max() <= _EQUAL
        return cls(
            clip=_softmax(outputs.clip_logits / metadata.temperature),
            segments=_softmax(outputs.segment_logits / metadata.segment_temperature),
            embeddings=None if vectors is None else vectors.astype(np.float64),
            styles=None if styles is None else _sigmoid(styles),
            music=None if music is None else _sigmoid(music),
            raw=raw if is_mean else None,
            temperature=metadata.temperature,
        )

    def pooled(self, shares: Float64) -> Float64:
        """Return the probabilities of the genres for the whole window, (n_classes,).

        A graph that takes the mean of its segments cannot know that one of them overlaps others;
        its mean is weighted here. What any other graph makes of the window stays.

        Args:
            shares: what each segment adds to those before, (n,).

        """
        if self.raw is None or (shares == 1).all():
            return self.clip
        return calibrated(np.average(self.raw, axis=0, weights=shares), self.temperature)


@dataclass(frozen=True, slots=True)
class SegmentTrack:
    """Where the segments of a recording are, and which of them sound.

    Attributes:
        times: start of each in seconds, (n,).
        weights: what each adds to those before, as a share of a segment, (n,).
        levels: in dBFS, (n,).
        sounding: those that are not silent, (n,): the network gets no others.

    """

    times: Float64
    weights: Float64
    levels: Float64
    sounding: Bools


class PooledRecording:
    """A recording, as the sum of its windows.

    A recording is judged by what sounds and is music: silent segments are in no window, and if the
    model tells music from other sounds, a segment weighs as much as it is probably music, and
    nothing if that is below the model's threshold. So an hour of talk with two songs in it has the
    genre of the songs. Where nothing is music, or the model does not tell, all segments that sound
    weigh the same, but for one that overlaps others: it weighs what it adds.

    Args:
        windows: of the segments that sound; none at all of a silent recording.
        track: of all segments.
        metadata: of the model.

    Attributes:
        segments: probabilities of the genres for each segment, (n, n_classes); all genres are as
            probable where it is silent.
        segment_music: probability that a segment is music, (n,), 0 where it is silent; or None.

    """

    def __init__(
        self, windows: Sequence[Window], track: SegmentTrack, metadata: ModelMetadata
    ) -> None:
        self._windows = windows
        self._n_classes = len(metadata.labels)
        self._shares = track.weights[track.sounding]
        self._music = _joined([window.music for window in windows])
        self._weights = _weights(self._shares, self._music, metadata.music_threshold)
        self.segments = np.full((len(track.times), self._n_classes), 1 / self._n_classes)
        self.segment_music = None
        if metadata.music_threshold is not None:
            self.segment_music = np.zeros(len(track.times))
        if windows:
            self.segments[track.sounding] = np.concatenate([each.segments for each in windows])
            if self.segment_music is not None:
                self.segment_music[track.sounding] = self._music

    @property
    def probabilities(self) -> Float64:
        """Of the genres, (n_classes,): the windows' mean, each with the weight of its segments."""
        if not self._windows:
            return np.full(self._n_classes, 1 / self._n_classes)
        starts = np.cumsum([len(window.segments) for window in self._windows[:-1]])
        shares = np.split(self._shares, starts)
        clips = [each.pooled(share) for each, share in zip(self._windows, shares, strict=True)]
        weights = [each.sum() for each in np.split(self._weights, starts)]
        return np.asarray(np.average(np.stack(clips), axis=0, weights=weights))

    @property
    def music(self) -> float | None:
        """Probability that the recording is music: the mean over its segments that sound."""
        if self.segment_music is None:
            return None
        return 0.0 if self._music is None else float(np.average(self._music, weights=self._shares))

    def styles(self, tags: Sequence[StyleTag]) -> tuple[Style, ...]:
        """Weigh the segments' probabilities of each style; the likeliest comes first."""
        of_segments = _joined([window.styles for window in self._windows])
        means = np.zeros(len(tags))
        if of_segments is not None:
            means = np.average(of_segments, axis=0, weights=self._weights)
        pairs = zip(tags, means.tolist(), strict=True)
        found = [Style(tag.name, p, tag.threshold) for tag, p in pairs]
        return tuple(sorted(found, key=lambda style: -style.probability))

    @property
    def embedding(self) -> Float64 | None:
        """The mean of the segments' embeddings, scaled to length 1; None if that is zero.

        All segments that sound count, music or not.
        """
        vectors = _joined([window.embeddings for window in self._windows])
        if vectors is None:
            return None
        total = self._shares @ vectors
        length = float(np.linalg.norm(total))
        return total / length if length else None


def _weights(shares: Float64, music: Float64 | None, threshold: float | None) -> Float64:
    if music is not None and threshold is not None:
        weights = np.where(music >= threshold, music, 0.0) * shares
        if weights.any():
            return weights
    return shares


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
