"""The public API: load a model, classify recordings."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Event
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.aggregation import Heard, Window
from genrelens.artifact import Artifact, ModelMetadata
from genrelens.audio import AudioSource, source_name
from genrelens.errors import AudioError, ModelError
from genrelens.features import iter_segments
from genrelens.passages import Meter, Passage, open_passages
from genrelens.prediction import Prediction
from genrelens.waveforms import as_mono, resampled

__all__ = ["Classifier"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Results = Generator[tuple[AudioSource, Prediction | AudioError], None, None]


class Classifier:
    """Tells the genre of recordings.

    Example::

        classifier = Classifier.load()
        prediction = classifier.classify("song.mp3")
        print(prediction.genre, prediction.top(3))

    A classifier may be used from several threads at once.
    """

    def __init__(self, artifact: Artifact) -> None:
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
        return cls(Artifact.load(model, threads=threads))

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
                streams, and pipes) and what is damaged is heard whole.
            on_segments: called with the features that the network hears, (k, segment_frames,
                n_bins) float32, piece by piece.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: the model is damaged so that it cannot be run.

        """
        passages, seconds = open_passages(
            source, sample_rate=self.metadata.features.sample_rate, offset=offset,
            duration=duration, fast=fast,
        )  # fmt: skip
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
        samples = resampled(as_mono(y), sample_rate, rate)
        return self._classify([Passage(0.0, [samples])], "<waveform>")

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
        if jobs == 1:
            return ((source, self._try(source, Event(), fast)) for source in sources)
        return self._side_by_side(iter(sources), jobs, fast)

    def _side_by_side(self, sources: Iterator[AudioSource], jobs: int, fast: bool) -> Results:
        stop, wait = Event(), True
        pool = ThreadPoolExecutor(jobs, "genrelens")
        running: deque[tuple[AudioSource, Future[Prediction | AudioError]]] = deque()
        try:
            while True:
                for source in islice(sources, 2 * jobs - len(running)):
                    running.append((source, pool.submit(self._try, source, stop, fast)))
                if not running:
                    return
                source, future = running.popleft()
                yield source, future.result()
        except KeyboardInterrupt:
            wait = False  # at once, even if a thread hangs in the reading of a pipe
            raise
        finally:
            stop.set()
            pool.shutdown(wait=wait, cancel_futures=True)

    def _try(self, source: AudioSource, stop: Event, fast: bool) -> Prediction | AudioError:
        name = source_name(source)
        rate = self.metadata.features.sample_rate
        try:
            passages, seconds = open_passages(
                source, sample_rate=rate, offset=0.0, duration=None, fast=fast
            )
            watched = [Passage(each.start, _until(stop, each.blocks)) for each in passages]
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
        passages: Iterable[Passage],
        name: str,
        seconds: float | None = None,
        on_segments: Callable[[Float32], None] | None = None,
    ) -> Prediction:
        """Classify what is to be heard of a recording of so many seconds (None: all of it)."""
        metadata, features = self.metadata, self.metadata.features
        meter = Meter(features.segment_frames * features.hop_length)
        windows, times = self._hear(passages, meter, on_segments)
        heard = Heard(windows, metadata.music_threshold)
        seconds_heard = meter.n_samples / features.sample_rate
        return Prediction(
            labels=self.labels,
            probabilities=heard.probabilities,
            segments=heard.segments,
            segment_times=times,
            segment_seconds=features.segment_seconds,
            duration=seconds_heard if seconds is None else seconds,
            heard=seconds_heard,
            padded=meter.n_samples < features.min_samples,
            level=meter.level,
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
        passages: Iterable[Passage],
        meter: Meter,
        listener: Callable[[Float32], None] | None,
    ) -> tuple[list[Window], Float64]:
        """Run the network window by window; return what it says, and when each segment starts."""
        features = self.metadata.features
        windows: list[Window] = []
        times = []
        for passage in passages:
            pieces = _told(iter_segments(meter.through(passage.blocks), features), listener)
            n_segments = 0
            for segments in _cut(pieces, self.metadata.window_segments):
                windows.append(Window.of(self._artifact.run(segments), self.metadata))
                n_segments += len(segments)
            times.append(passage.start + np.arange(n_segments) * features.segment_hop_seconds)
        return windows, np.concatenate(times)


def _until(stop: Event, blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Pass blocks on until somebody sets ``stop``."""
    for block in blocks:
        if stop.is_set():
            raise InterruptedError("stopped")
        yield block


def _told(
    pieces: Iterable[Float32], listener: Callable[[Float32], None] | None
) -> Iterator[Float32]:
    """Pass pieces on once the listener, if there is one, has had them."""
    for piece in pieces:
        if listener is not None:
            listener(piece)
        yield piece


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
