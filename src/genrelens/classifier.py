"""The public API: load a model, classify recordings."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from threading import Event
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.audio import AudioSource, as_mono, resampled, source_name
from genrelens.errors import AudioError, ModelError
from genrelens.excerpts import Excerpt, open_excerpts
from genrelens.features import (
    FeatureConfig,
    MeasuredSegments,
    iter_measured_segments,
    segment_weights,
)
from genrelens.levels import SILENCE_LEVEL
from genrelens.model_file import ModelFile, ModelMetadata
from genrelens.pooling import PooledRecording, SegmentTrack, Window
from genrelens.prediction import Prediction
from genrelens.threads import map_in_threads

__all__ = ["Classifier"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Results = Generator[tuple[AudioSource, Prediction | AudioError], None, None]


class Classifier:
    """Tells the genre of recordings.

    Example::

        classifier = Classifier.load()
        prediction = classifier.classify("song.mp3")
        print(prediction.genre, prediction.top(3))

    A classifier may be used from several threads at once.
    """

    def __init__(self, artifact: ModelFile) -> None:
        self._artifact = artifact

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int = 0) -> Self:
        """Load a model.

        Args:
            model: name of a packaged model (``genrelens models``) or path of an ``.onnx`` file;
                None takes the packaged default.
            threads: that the network may use for one recording; 0 uses one for each core.

        Raises:
            ModelError: the model is missing, foreign, damaged or of another version.

        """
        return cls(ModelFile.load(model, threads=threads))

    @property
    def metadata(self) -> ModelMetadata:
        """What the model says of itself: labels, front end, provenance, metrics."""
        return self._artifact.metadata

    @property
    def labels(self) -> tuple[str, ...]:
        """The genres, in the order of the probabilities."""
        return self.metadata.labels

    def classify(
        self,
        source: AudioSource,
        *,
        offset: float = 0.0,
        duration: float | None = None,
        fast: bool = False,
        on_segments: Callable[[Float32], None] | None = None,
    ) -> Prediction:
        """Classify a recording, in memory that does not grow with its length.

        Args:
            source: path, bytes of a file, or binary file object; any format, rate and channels.
            offset: where to start, in seconds.
            duration: how much to hear, in seconds; None hears all of it.
            fast: hear three passages of 30 s, around 1/6, 3/6 and 5/6 of that, and leave the rest
                undecoded. What lasts 90 s or less, what does not say how long it lasts (some
                streams, and pipes), what is damaged, and what is silent there is decoded whole.
            on_segments: called with the features that the network hears, (k, segment_frames,
                n_bins) float32, piece by piece.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: the model is damaged so that it cannot be run.

        """
        passages, seconds = open_excerpts(
            source,
            sample_rate=self.metadata.features.sample_rate,
            offset=offset,
            duration=duration,
            fast=fast,
        )
        return self._classify(passages, source_name(source), seconds, on_segments)

    def classify_waveform(self, y: ArrayLike, sample_rate: float) -> Prediction:
        """Classify samples.

        Args:
            y: (n_samples,) or (n_samples, n_channels); full scale is 1.0 for floats and the
                type's own for integers of 8 to 32 bits (unsigned ones have their zero in the
                middle, as in WAV files).
            sample_rate: of ``y``, in Hz.

        Raises:
            AudioError: there are no samples, or some are not finite or far beyond full scale.
            ModelError: the model is damaged so that it cannot be run.
            TypeError: numbers of this type have no full scale that everybody agrees on.
            ValueError: ``y`` or ``sample_rate`` cannot be meant so.

        """
        rate = self.metadata.features.sample_rate
        samples = resampled(as_mono(y, sample_rate), sample_rate, rate)
        return self._classify([Excerpt(0.0, [samples])], "<waveform>")

    def classify_many(
        self, sources: Iterable[AudioSource], *, jobs: int = 1, fast: bool = False
    ) -> Results:
        """Classify recordings side by side; a failed one does not stop the rest.

        Whatever goes wrong with one recording, a fault of a decoder too, is the ``AudioError`` of
        that recording. At most ``2 * jobs`` sources are taken ahead of what was yielded; whoever
        stops early drops those. Nothing reads a source any more once the iterator is closed.

        Args:
            sources: what to classify.
            jobs: how many at once; load the classifier with ``threads=1`` if it is above 1.
            fast: hear three passages of each, as :meth:`classify` does.

        Yields:
            Each source with its prediction or its error, in order.

        Raises:
            ModelError: the model is damaged so that it cannot be run.
            ValueError: ``jobs`` is below 1.

        """
        if jobs < 1:
            raise ValueError(f"jobs={jobs} must be at least 1")
        stop = Event()
        return map_in_threads(
            lambda source: self._try(source, stop, fast), sources, jobs=jobs, stop=stop
        )

    def _try(self, source: AudioSource, stop: Event, fast: bool) -> Prediction | AudioError:
        name = source_name(source)
        rate = self.metadata.features.sample_rate
        try:
            passages, seconds = open_excerpts(
                source, sample_rate=rate, offset=0.0, duration=None, fast=fast
            )
            watched = [Excerpt(each.start, _until(stop, each.blocks)) for each in passages]
            return self._classify(watched, name, seconds)
        except AudioError as error:
            return error
        except ModelError:  # the next recording would fare no better
            raise
        except Exception as error:  # one recording of ten thousand must not end the run
            failure = AudioError(name, f"cannot be classified ({type(error).__name__}: {error})")
            failure.__cause__ = error
            return failure

    def _classify(
        self,
        passages: Iterable[Excerpt],
        name: str,
        seconds: float | None = None,
        on_segments: Callable[[Float32], None] | None = None,
    ) -> Prediction:
        """Classify what is to be heard of a recording of so many seconds (None: all of it)."""
        metadata, features = self.metadata, self.metadata.features
        counter = _Counter()
        windows, track = self._hear(passages, counter, on_segments)
        heard = PooledRecording(windows, track, metadata)
        seconds_heard = counter.n_samples / features.sample_rate
        return Prediction(
            labels=self.labels,
            probabilities=heard.probabilities,
            segments=heard.segments,
            segment_times=track.times,
            segment_seconds=features.segment_seconds,
            segment_weights=track.weights,
            segment_levels=track.levels,
            duration=seconds_heard if seconds is None else seconds,
            heard=seconds_heard,
            padded=counter.n_samples < features.min_samples,
            level=float(track.levels.max()),
            model=metadata.name,
            source=name,
            styles=heard.styles(metadata.styles),
            embedding=heard.embedding,
            music=heard.music,
            segment_music=heard.segment_music,
            music_threshold=metadata.music_threshold,
            sure_threshold=metadata.sure_threshold,
            temperature=metadata.temperature,
        )

    def _hear(
        self,
        passages: Iterable[Excerpt],
        counter: _Counter,
        listener: Callable[[Float32], None] | None,
    ) -> tuple[list[Window], SegmentTrack]:
        """Run the network on what sounds, window by window; return its answers and the segments."""
        features = self.metadata.features
        windows: list[Window] = []
        tracks = []
        for passage in passages:
            seen: list[tuple[Int64, Float64]] = []
            segments = iter_measured_segments(counter.through(passage.blocks), features)
            for window in _cut(_sounding(segments, seen, listener), self.metadata.window_segments):
                windows.append(Window.of(self._artifact.run(window), self.metadata))
            tracks.append(_track(seen, passage.start, features))
        return windows, SegmentTrack(*map(np.concatenate, zip(*tracks, strict=True)))


class _Counter:
    """Counts the samples that pass."""

    def __init__(self) -> None:
        self.n_samples = 0

    def through(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        for block in blocks:
            self.n_samples += len(block)
            yield block


def _sounding(
    runs: Iterable[MeasuredSegments],
    seen: list[tuple[Int64, Float64]],
    listener: Callable[[Float32], None] | None,
) -> Iterator[Float32]:
    """Pass on the segments that are not silent; note the starts and levels of all of them.

    The listener, if there is one, gets all of them first.
    """
    for run in runs:
        if listener is not None:
            listener(run.features)
        seen.append((run.starts, run.levels))
        sounding = run.levels >= SILENCE_LEVEL
        if sounding.any():
            yield run.features if sounding.all() else run.features[sounding]


def _track(
    seen: Sequence[tuple[Int64, Float64]], start: float, config: FeatureConfig
) -> tuple[NDArray[Any], ...]:
    """Return the fields of a :class:`SegmentTrack` for an excerpt that starts at ``start``."""
    starts, levels = map(np.concatenate, zip(*seen, strict=True))
    times = start + starts * (config.hop_length / config.sample_rate)
    return times, segment_weights(starts, config), levels, levels >= SILENCE_LEVEL


def _until(stop: Event, blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Pass blocks on until somebody sets ``stop``."""
    for block in blocks:
        if stop.is_set():
            raise InterruptedError("stopped")
        yield block


def _cut(pieces: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Join pieces (k, t, b) and cut them into windows of ``size`` segments; the last is shorter."""
    rest: Float32 | None = None
    for piece in pieces:
        rest = piece if rest is None else np.concatenate([rest, piece])
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest is not None and len(rest):
        yield rest
