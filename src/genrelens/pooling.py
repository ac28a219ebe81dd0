"""Pooling: from the outputs of the network for windows and segments to those of a recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrelens.metadata import ModelMetadata
from genrelens.model_file import Outputs
from genrelens.prediction import Style
from genrelens.segmentation import calibrated

__all__ = ["PooledRecording"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ROUNDING = 1e-5  # largest difference of two probabilities of one graph that are the same


class PooledRecording:
    """The outputs of all windows of a recording, pooled.

    Only music counts. Silent segments are in no window. If the model has music logits, a segment
    is weighted by its probability of being music, or by 0 if that is below the model's threshold:
    an hour of talk with two songs in it gets the genre of the songs. If no segment is music, or
    the model has no music logits, all segments that are not silent have the same weight. A segment
    that overlaps others is weighted by the share of it that they do not cover.

    Args:
        windows: outputs of the network for consecutive segments that are not silent; empty for a
            silent recording.
        metadata: of the model.
        shares: share of each segment that the segments before it do not cover, (n,) in 0..1.
        silent: which segments are silent, (n,).

    Attributes:
        segments: probabilities of the genres for each segment, (n, n_classes); all genres are
            equally probable in silent segments.
        segment_music: probability that a segment is music, (n,), 0 where it is silent; None if the
            model has no music logits.

    """

    def __init__(
        self, windows: Sequence[Outputs], metadata: ModelMetadata, *, shares: Float64, silent: Bools
    ) -> None:
        n, n_classes = len(shares), len(metadata.labels)
        self._windows, self._metadata = windows, metadata
        self._shares = shares[~silent]
        self._music = _joined([_sigmoid(each.music_logits) for each in windows])
        self._weights = _music_weights(self._shares, self._music, metadata.music_threshold)
        self.segments = np.full((n, n_classes), 1 / n_classes)
        self.segment_music = None if metadata.music_threshold is None else np.zeros(n)
        if windows:
            temperature = metadata.segment_temperature
            of_windows = [_softmax(each.segment_logits / temperature) for each in windows]
            self.segments[~silent] = np.concatenate(of_windows)
            if self.segment_music is not None:
                self.segment_music[~silent] = self._music

    @property
    def probabilities(self) -> Float64:
        """Probabilities of the genres, (n_classes,): the mean over windows.

        A window is weighted by the sum of the weights of its segments.
        """
        if not self._windows:
            return np.full(len(self._metadata.labels), 1 / len(self._metadata.labels))
        starts = np.cumsum([len(window.segment_logits) for window in self._windows[:-1]])
        shares, weights = np.split(self._shares, starts), np.split(self._weights, starts)
        pooled = [
            _window_probabilities(window, share, self._metadata.temperature)
            for window, share in zip(self._windows, shares, strict=True)
        ]
        return np.asarray(np.average(np.stack(pooled), axis=0, weights=[w.sum() for w in weights]))

    @property
    def music(self) -> float | None:
        """Probability that the recording is music: the mean over segments that are not silent."""
        if self.segment_music is None:
            return None
        return 0.0 if self._music is None else float(np.average(self._music, weights=self._shares))

    @property
    def styles(self) -> tuple[Style, ...]:
        """The styles of the model, the most probable first: weighted means over segments."""
        tags = self._metadata.styles
        of_segments = _joined([_sigmoid(window.style_logits) for window in self._windows])
        means = np.zeros(len(tags))
        if of_segments is not None:
            means = np.average(of_segments, axis=0, weights=self._weights)
        pairs = zip(tags, means.tolist(), strict=True)
        styles = [Style(tag.name, probability, tag.threshold) for tag, probability in pairs]
        return tuple(sorted(styles, key=lambda style: -style.probability))

    @property
    def embedding(self) -> Float64 | None:
        """The mean of the segments' embeddings, (d,), scaled to length 1; None if it is zero.

        All segments that are not silent count, whether they are music or not.
        """
        vectors = _joined([_as_float64(window.embeddings) for window in self._windows])
        if vectors is None:
            return None
        total = self._shares @ vectors
        length = float(np.linalg.norm(total))
        return total / length if length else None


def _window_probabilities(window: Outputs, shares: Float64, temperature: float) -> Float64:
    """Return the probabilities of the genres for a window, (n_classes,).

    A graph whose answer is the plain mean over its segments does not consider that one of them
    overlaps others. Its mean is weighted here, by the shares (n,). The answer of another graph
    stays as it is.
    """
    segments = _softmax(window.segment_logits)
    difference = np.abs(_softmax(window.clip_logits) - segments.mean(axis=0)).max()
    if difference > _ROUNDING or (shares == 1).all():
        return _softmax(window.clip_logits / temperature)
    return calibrated(np.average(segments, axis=0, weights=shares), temperature)


def _music_weights(shares: Float64, music: Float64 | None, threshold: float | None) -> Float64:
    if music is not None and threshold is not None:
        weights = np.where(music >= threshold, music, 0.0) * shares
        if weights.any():
            return weights
    return shares


def _joined(parts: Sequence[Float64 | None]) -> Float64 | None:
    """Concatenate an output of all windows; a model has it in all of them or in none."""
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None


def _softmax(logits: Float32) -> Float64:
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: Float64 = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def _sigmoid(logits: Float32 | None) -> Float64 | None:
    return None if logits is None else 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))


def _as_float64(values: Float32 | None) -> Float64 | None:
    return None if values is None else values.astype(np.float64)
