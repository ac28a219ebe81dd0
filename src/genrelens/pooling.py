"""Pooling: from the outputs of the network for windows and segments to those of a recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrelens.metadata import ModelMetadata
from genrelens.model_file import Outputs
from genrelens.prediction import Style
from genrelens.segmentation import calibrated
from genrelens.set_head import SegmentSets, SetHead

__all__ = ["PooledRecording"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ROUNDING = 1e-5  # largest difference of two probabilities of one graph that are the same


class PooledRecording:
    """The outputs of all windows of a recording, pooled.

    Only segments with music count. Silent segments are in no window. If the model has music logits,
    segments whose probability of being music is below the model's threshold do not count: an hour
    of talk with two songs in it gets the genres of the songs. If no segment is music, or the model
    has no music logits, all segments that are not silent count. An overlapping segment is weighted
    by the share that earlier segments do not cover.

    If the answer of the graph is the mean over its segments and the model has ``temperatures``, the
    mean over all segments that count is calibrated with the temperature for their number. Otherwise
    the answer for each window is calibrated with ``temperature``, and the windows are averaged. A
    model without ``temperatures`` weights windows, and segments for the styles, by their
    probability of being music as well.

    A model with a set head evaluates the set of all segments that count, in windows, see
    :class:`~genrelens.set_head.SegmentSets`.

    Args:
        windows: outputs of the network for consecutive segments that are not silent; empty for a
            silent recording.
        metadata: metadata of the model.
        shares: share of each segment that the segments before it do not cover, (n,) in 0..1.
        silent: whether each segment is silent, (n,) bool.
        head: the set head of the model; None if the model has none.

    Attributes:
        segments: probabilities of the genres for each segment, (n, n_classes); all genres are
            equally probable in silent segments.
        segment_music: probability that a segment is music, (n,), 0 in silent segments; None if the
            model has no music logits.
        segment_snr: estimated signal-to-noise ratio of each segment in dB, (n,), NaN in silent
            segments; None if the model does not estimate it.
        sets: evaluates sets of the segments; None if the model has no set head.

    """

    def __init__(
        self,
        windows: Sequence[Outputs],
        metadata: ModelMetadata,
        *,
        shares: Float64,
        silent: Bools,
        head: SetHead | None = None,
    ) -> None:
        n_classes = len(metadata.labels)
        self._windows, self._metadata = windows, metadata
        self._shares = shares[~silent]
        self._music = _joined([_sigmoid(each.music_logits) for each in windows])
        self._snr = _joined([_as_float64(each.snr) for each in windows])
        rule = self._shares, self._music, metadata.music_threshold
        self._counted = _music_weights(*rule, by_probability=False)
        self._weights = _music_weights(*rule, by_probability=not metadata.temperatures)
        temperature = metadata.timeline_temperature
        segments = _joined([_softmax(each.segment_logits / temperature) for each in windows])
        self.segments = np.full((len(shares), n_classes), 1 / n_classes)
        if segments is not None:
            self.segments[~silent] = segments
        self.segment_music = None
        if metadata.music_threshold is not None:
            self.segment_music = _expanded(self._music, silent, elsewhere=0.0)
        self.segment_snr = None
        if self._snr is not None:
            self.segment_snr = _expanded(self._snr, silent, elsewhere=np.nan)
        self.sets = None
        if head is not None:
            parts = [each.features for each in windows if each.features is not None]
            empty = np.zeros((0, head.n_features), np.float32)
            self.sets = SegmentSets(
                head,
                metadata,
                features=np.concatenate([empty, *parts]),
                shares=self._shares,
                silent=silent,
                counted=_expanded(self._counted, silent, elsewhere=0.0) > 0,
            )

    @property
    def probabilities(self) -> Float64:
        """Probabilities of the genres, (n_classes,)."""
        if not self._windows:
            return np.full(len(self._metadata.labels), 1 / len(self._metadata.labels))
        if self.sets is not None:
            return self.sets.probabilities()
        starts = np.cumsum([len(window.segment_logits) for window in self._windows[:-1]])
        counted = np.split(self._counted, starts)
        totals = [part.sum() for part in np.split(self._weights, starts)]
        by_number = bool(self._metadata.temperatures) and all(map(_is_mean, self._windows))
        temperature = 1.0 if by_number else self._metadata.temperature
        means = [
            _window_probabilities(window, part, temperature)
            for window, part in zip(self._windows, counted, strict=True)
        ]
        mean = np.asarray(np.average(np.stack(means), axis=0, weights=totals))
        if not by_number:
            return mean
        return calibrated(mean, self._metadata.temperature_for(float(sum(totals))))

    @property
    def snr(self) -> float | None:
        """Estimated signal-to-noise ratio in dB: the mean over the segments that count."""
        return None if self._snr is None else float(np.average(self._snr, weights=self._counted))

    @property
    def music(self) -> float | None:
        """Probability that the recording is music: the mean over segments that are not silent."""
        if self.sets is not None:
            return self.sets.music()
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
        if self.sets is not None:
            own = self.sets.styles()
            means = np.concatenate([means[: len(means) - len(own)], own])
        pairs = zip(tags, means.tolist(), strict=True)
        styles = [Style(tag.name, value, tag.threshold, tag.parent) for tag, value in pairs]
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


def _window_probabilities(window: Outputs, counted: Float64, temperature: float) -> Float64:
    """Return the probabilities of the genres for a window, (n_classes,).

    A graph whose answer is the plain mean over its segments does not consider that some of them
    overlap others or are not music. Its mean is weighted here, by the shares that count, (n,). The
    answer of another graph is kept.
    """
    if (counted == 1).all() or not counted.any() or not _is_mean(window):
        return _softmax(window.clip_logits / temperature)
    mean = np.average(_softmax(window.segment_logits), axis=0, weights=counted)
    return calibrated(mean, temperature)


def _is_mean(window: Outputs) -> bool:
    """Return whether the answer for a window is the mean over its segments."""
    mean = _softmax(window.segment_logits).mean(axis=0)
    return bool(np.abs(_softmax(window.clip_logits) - mean).max() <= _ROUNDING)


def _music_weights(
    shares: Float64, music: Float64 | None, threshold: float | None, *, by_probability: bool
) -> Float64:
    """Return the shares of segments that are music, (n,), or all shares if none is.

    With ``by_probability`` they are multiplied by the probability of being music.
    """
    if music is not None and threshold is not None:
        weights = np.where(music >= threshold, music if by_probability else 1.0, 0.0) * shares
        if weights.any():
            return weights
    return shares


def _expanded(values: Float64 | None, silent: Bools, *, elsewhere: float) -> Float64:
    """Expand values of audible segments to all segments, (n,); silent ones get ``elsewhere``."""
    expanded = np.full(len(silent), elsewhere)
    if values is not None:
        expanded[~silent] = values
    return expanded


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
