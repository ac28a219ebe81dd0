"""The set head: from the features of a set of segments to genres, styles, music and noise.

A model file may have a second small graph, the set head. It takes the mean and the standard
deviation of the features over any set of segments, and the logarithm of their number. One segment,
a section and a recording are therefore classified by the same function.

The input of the graph is ``sets``, (m, 2 d + 1) float32, see :func:`describe`. Its outputs are
those of :class:`SetOutputs`.
"""

from __future__ import annotations

import copy
import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import require
from genrelens.metadata import ModelMetadata

# Without this variable, onnxruntime 1.32 sends telemetry as soon as it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = ["SegmentSets", "SetHead", "SetOutputs", "describe", "softmax"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

_INPUT = "sets"
_LEAST_SHARE = 1e-3  # share of a segment that overlaps another completely
_SLACK = 0.5  # a window is not divided for so few segments more


class SetOutputs(NamedTuple):
    """The outputs of a set head for m sets, float32; missing outputs are None."""

    genre_logits: Float32  # (m, n_classes), for a softmax
    style_logits: Float32  # (m, n_styles), for a sigmoid
    music_logits: Float32 | None = None  # (m,), for a sigmoid
    snr: Float32 | None = None  # (m,), in dB


_OUTPUTS = SetOutputs._fields
_REQUIRED = _OUTPUTS[:2]


def describe(features: Float32, weights: Float64) -> Float32:
    """Describe a set of segments by the statistics of their features.

    Args:
        features: features of the segments, (n, d), n >= 1.
        weights: weight of each segment, (n,), usually 1; their sum is above 0.

    Returns:
        Weighted mean, weighted standard deviation, and logarithm of the sum of the weights,
        (2 d + 1,) float32. The logarithm of a sum below 1 is 0.

    Example:
        >>> describe(np.array([[1.0], [3.0]], np.float32), np.ones(2)).round(2).tolist()
        [2.0, 1.0, 0.69]

    """
    total = float(weights.sum())
    shares = (weights / total).astype(np.float32)
    mean = shares @ features
    variance = shares @ np.square(features - mean)
    return np.concatenate([mean, np.sqrt(variance), [np.float32(math.log(max(total, 1)))]])


class SetHead:
    """A loaded set head. It can be pickled, and several threads can use it at once.

    Args:
        content: the graph as bytes.

    Attributes:
        n_features: number d of features of a segment.
        n_classes: number of genres.
        n_styles: number of styles.
        has_music: whether it returns logits of music.
        has_snr: whether it estimates the signal-to-noise ratio.

    Raises:
        ValueError: the bytes are not the graph of a set head.

    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # the graph is too small for more
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise ValueError(f"its set head is damaged ({' '.join(str(error).split())})") from error
        outputs = {entry.name: list(entry.shape) for entry in self._session.get_outputs()}
        inputs = {entry.name: list(entry.shape) for entry in self._session.get_inputs()}
        require(
            set(inputs) == {_INPUT} and set(_REQUIRED) <= set(outputs),
            f"its set head maps {sorted(inputs)} to {sorted(outputs)}",
        )
        n_inputs = inputs[_INPUT][-1]
        require(
            isinstance(n_inputs, int) and n_inputs % 2 == 1,
            f"its set head takes sets of shape {inputs[_INPUT]}",
        )
        self.n_features = (n_inputs - 1) // 2
        self.n_classes, self.n_styles = (outputs[name][-1] for name in _REQUIRED)
        self.has_music, self.has_snr = (name in outputs for name in _OUTPUTS[2:])
        self._names = [name for name in _OUTPUTS if name in outputs]

    def __reduce__(self) -> tuple[Callable[[bytes], SetHead], tuple[bytes]]:
        """Pickle the graph; a process opens each graph once."""
        return _opened, (self._content,)

    def __call__(self, sets: Float32) -> SetOutputs:
        """Evaluate sets.

        Args:
            sets: rows of :func:`describe`, (m, 2 d + 1) float32.

        Raises:
            ValueError: the graph returns NaN, because it is damaged.

        """
        values = self._session.run(self._names, {_INPUT: sets.astype(np.float32)})
        require(
            all(np.isfinite(value).all() for value in values),
            "its set head returns NaN: its weights are damaged",
        )
        return SetOutputs(**dict(zip(self._names, values, strict=True)))

    def of_segments(self, features: Float32) -> SetOutputs:
        """Evaluate each segment as a set of its own.

        Args:
            features: features of the segments, (n, d) float32.

        """
        rest = np.zeros((len(features), self.n_features + 1), np.float32)
        return self(np.concatenate([features, rest], axis=1))


@functools.lru_cache(maxsize=4)
def _opened(content: bytes) -> SetHead:
    return SetHead(content)


class SegmentSets:
    """The segments of a recording that are not silent; they are evaluated in sets.

    A set with more segments than a window of the model is split into windows of about equal size.
    Their results are averaged.

    Args:
        head: the set head of the model.
        metadata: metadata of the model, with all its genres.
        features: features of the segments that are not silent, (n, d) float32.
        shares: share of each of these segments that the segments before it do not cover, (n,) in
            0..1.
        silent: whether each segment of the recording is silent, (n_segments,) bool.
        counted: whether each segment counts because it is music, (n_segments,) bool.

    """

    _columns: list[int] | None = None  # indices of the genres to choose from; None: all

    def __init__(
        self,
        head: SetHead,
        metadata: ModelMetadata,
        *,
        features: Float32,
        shares: Float64,
        silent: Bools,
        counted: Bools,
    ) -> None:
        self._head, self._metadata = head, metadata
        self._features, self._shares = features, shares
        self._silent, self._counted = silent, counted
        self._position = np.cumsum(~silent) - 1  # of each segment among those not silent

    def probabilities(self, run: Indices | None = None) -> Float64:
        """Return the calibrated probabilities of the genres, (n_classes,).

        Args:
            run: ascending indices of segments of the recording; None uses all. Only segments of
                music count; if there are none, those that are not silent.

        """
        sets, sizes = self._windows(self._chosen(run))
        if not len(sizes):
            n = len(self._columns or self._metadata.labels)
            return np.full(n, 1 / n)
        temperatures = np.array([self._metadata.temperature_for(size) for size in sizes])
        logits = self._head(sets).genre_logits / temperatures[:, None]
        mean = np.average(softmax(logits), axis=0, weights=sizes)
        if self._columns is not None:
            mean = mean[self._columns] / max(float(mean[self._columns].sum()), 1e-300)
        return np.asarray(mean)

    def restricted(self, columns: list[int]) -> SegmentSets:
        """Return a copy that chooses from the genres with these indices."""
        result = copy.copy(self)
        result._columns = columns if self._columns is None else [self._columns[i] for i in columns]
        return result

    def evaluate(self, runs: Sequence[Indices]) -> tuple[SetOutputs, Float64]:
        """Evaluate runs of segments as one set each, without calibration.

        Args:
            runs: ascending indices of segments of the recording that are not silent.

        Returns:
            The outputs, one row for each run, and the size of each run, (m,).

        """
        rows = [self._position[run] for run in runs]
        shares = [np.maximum(self._shares[row], _LEAST_SHARE) for row in rows]
        pairs = zip(rows, shares, strict=True)
        sets = np.stack([describe(self._features[row], share) for row, share in pairs])
        return self._head(sets), np.array([share.sum() for share in shares])

    def styles(self) -> Float64:
        """Return the probabilities of the set head's styles, (n_styles,)."""
        sets, sizes = self._windows(self._chosen(None))
        if not len(sizes):
            return np.zeros(self._head.n_styles)
        return np.asarray(np.average(_sigmoid(self._head(sets).style_logits), 0, sizes))

    def music(self) -> float | None:
        """Return the probability that the audible part is music; None if the head lacks it."""
        sets, sizes = self._windows(np.flatnonzero(~self._silent))
        if not self._head.has_music:
            return None
        if not len(sizes):
            return 0.0
        logits = self._head(sets).music_logits
        assert logits is not None
        return float(np.average(_sigmoid(logits), weights=sizes))

    def _chosen(self, run: Indices | None) -> Indices:
        run = np.arange(len(self._silent)) if run is None else run
        music = run[self._counted[run] & ~self._silent[run]]
        return np.asarray(music if len(music) else run[~self._silent[run]])

    def _windows(self, chosen: Indices) -> tuple[Float32, Float64]:
        """Return the description and the size of each window of a set: (m, 2 d + 1) and (m,)."""
        rows = self._position[chosen]
        shares = np.maximum(self._shares[rows], _LEAST_SHARE)
        total = float(shares.sum())
        n_windows = max(1, math.ceil(total / (self._metadata.window_segments + _SLACK)))
        middles = np.cumsum(shares) - shares / 2
        window = np.minimum((middles * n_windows / max(total, 1e-9)).astype(int), n_windows - 1)
        parts = [np.flatnonzero(window == number) for number in np.unique(window)]
        sizes = np.array([float(shares[part].sum()) for part in parts])
        width = 2 * self._head.n_features + 1
        sets = [describe(self._features[rows[part]], shares[part]) for part in parts]
        return np.array(sets, np.float32).reshape(-1, width), sizes


def softmax(logits: NDArray[np.floating[Any]]) -> Float64:
    """Return probabilities from logits, over the last axis, in float64."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _sigmoid(logits: Float32) -> Float64:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))))
