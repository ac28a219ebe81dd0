"""A classification in progress: the segments so far, and the prediction that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from genrelens.features import MeasuredSegments, segment_weights
from genrelens.levels import SILENCE_LEVEL
from genrelens.model_file import ModelFile, Outputs
from genrelens.pooling import PooledRecording
from genrelens.prediction import Prediction

__all__ = ["Analysis"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Analysis:
    """Collects the segments of a recording and the outputs of the network for them.

    Args:
        model_file: the model.
        source: name of the recording.

    Attributes:
        n_samples: number of samples decoded so far, at the sample rate of the model.
        windows: outputs of the network for consecutive segments that are not silent.

    """

    def __init__(self, model_file: ModelFile, source: str) -> None:
        self.n_samples = 0
        self.windows: list[Outputs] = []
        self._model_file, self._source = model_file, source
        self._features = model_file.metadata.features
        self._n_samples_before = 0  # the excerpt in progress
        self._tracks: list[tuple[Float64, Float64, Float64]] = []  # of the excerpts before it
        self._start = 0.0  # of the excerpt in progress, in seconds
        self._runs: list[tuple[Int64, Float64]] = []  # starts and levels of its segments

    def begin(self, start: float) -> None:
        """Begin an excerpt at ``start`` seconds; end the one before."""
        if self._runs:
            self._tracks.append(self._track())
        self._start, self._runs, self._n_samples_before = start, [], self.n_samples

    def count(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """Yield the samples of the excerpt in blocks (n,), and count them."""
        for block in blocks:
            self.n_samples += len(block)
            yield block

    def add(self, run: MeasuredSegments) -> Float32:
        """Add segments of the excerpt; return the features of those that are not silent."""
        self._runs.append((run.starts, run.levels))
        loud = run.levels >= SILENCE_LEVEL
        return run.features if loud.all() else run.features[loud]

    def _track(self) -> tuple[Float64, Float64, Float64]:
        """Return times, shares and levels of the segments of the excerpt in progress."""
        starts, levels = map(np.concatenate, zip(*self._runs, strict=True))
        times = self._start + starts * (self._features.hop_length / self._features.sample_rate)
        return times, segment_weights(starts, self._features), levels

    def result(self, duration: float | None) -> Prediction:
        """Return the prediction for all excerpts.

        Args:
            duration: length of the recording in seconds; None if the excerpts are the whole.

        """
        seconds = self.n_samples / self._features.sample_rate
        return self._prediction(seconds, seconds if duration is None else duration)

    def so_far(self, duration: float | None) -> Prediction:
        """Return the prediction for the segments that the network has classified so far.

        Args:
            duration: expected length of the recording in seconds; None if it is unknown.

        """
        heard = self._n_samples_classified() / self._features.sample_rate
        return self._prediction(heard, max(heard, duration or 0.0))

    def _n_samples_classified(self) -> int:
        n_segments = self._n_classified()
        n_here = n_segments - sum(len(times) for times, _, _ in self._tracks)
        if n_here <= 0:  # the network is still in an excerpt before the one in progress
            frames = n_segments * self._features.segment_hop
            return min(self._n_samples_before, frames * self._features.hop_length)
        starts = np.concatenate([starts for starts, _ in self._runs])
        last = int(starts[n_here - 1]) + self._features.segment_frames
        n_samples = min(self.n_samples - self._n_samples_before, last * self._features.hop_length)
        return self._n_samples_before + n_samples

    def _n_classified(self) -> int:
        """Return the number of segments before the first that awaits the network."""
        n_outputs = sum(len(window.segment_logits) for window in self.windows)
        levels = [levels for _, _, levels in self._tracks] + [levels for _, levels in self._runs]
        loud = np.flatnonzero(np.concatenate(levels) >= SILENCE_LEVEL)
        return int(loud[n_outputs]) if n_outputs < len(loud) else sum(map(len, levels))

    def _prediction(self, heard: float, duration: float) -> Prediction:
        metadata = self._model_file.metadata
        n = self._n_classified()
        tracks = [*self._tracks, self._track()]
        times, shares, levels = (np.concatenate(each)[:n] for each in zip(*tracks, strict=True))
        pooled = PooledRecording(
            self.windows,
            metadata,
            shares=shares,
            silent=levels < SILENCE_LEVEL,
            head=self._model_file.set_head,
        )
        return Prediction(
            metadata=metadata,
            source=self._source,
            probabilities=pooled.probabilities,
            segments=pooled.segments,
            segment_times=times,
            segment_weights=shares,
            segment_levels=levels,
            segment_music=pooled.segment_music,
            music=pooled.music,
            segment_snr=pooled.segment_snr,
            snr=pooled.snr,
            styles=pooled.styles,
            embedding=pooled.embedding,
            sets=pooled.sets,
            duration=duration,
            heard=heard,
            level=float(levels.max()),
            padded=self.n_samples < self._features.min_samples,
        )
