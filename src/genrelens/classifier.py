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
import soxr
from numpy.typing import ArrayLike, NDArray

from genrelens.artifact import Artifact, ModelMetadata
from genrelens.audio import AudioSource, source_name, stream_audio
from genrelens.errors import AudioError, ModelError
from genrelens.features import iter_segments
from genrelens.prediction import Prediction

__all__ = ["Classifier"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Results = Generator[tuple[AudioSource, Prediction | AudioError], None, None]

_MIN_RATE, _MAX_RATE = 1_000, 3_000_000  # Hz
_MAX_CHANNELS = 256
_LOUDEST = 1e6  # as for files: 120 dB over full scale is no sound


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
        on_segments: Callable[[Float32], None] | None = None,
    ) -> Prediction:
        """Classify a recording, in memory that does not grow with its length.

        Args:
            source: path, bytes of a file, or binary file object; any format, rate and channels.
            offset: where to start, in seconds.
            duration: how much to hear, in seconds; None hears all of it.
            on_segments: called with the features that the network hears, (k, segment_frames,
                n_bins) float32, piece by piece.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: the model is damaged so that it cannot be run.

        """
        blocks = stream_audio(
            source, sample_rate=self.metadata.features.sample_rate, offset=offset, duration=duration
        )
        return self._classify(blocks, source_name(source), on_segments)

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
        return self._classify([_resampled(_as_mono(y), sample_rate, rate)], "<waveform>")

    def classify_many(self, sources: Iterable[AudioSource], *, jobs: int = 1) -> Results:
        """Classify recordings side by side; a failed one does not stop the rest.

        Whatever goes wrong with one recording, a fault of a decoder too, is the ``AudioError`` of
        that recording. At most ``2 * jobs`` sources are taken ahead of what was yielded; whoever
        stops early drops those. Nothing reads a source any more once the iterator is closed.

        Args:
            sources: what to classify.
            jobs: how many at once; load the classifier with ``threads=1`` if it is above 1.

        Yields:
            Each source with its prediction or its error, in order.

        Raises:
            ModelError: the model is damaged so that it cannot be run.
            ValueError: ``jobs`` is below 1.

        """
        if jobs < 1:
            raise ValueError(f"jobs={jobs} must be at least 1")
        if jobs == 1:
            return ((source, self._try(source, Event())) for source in sources)
        return self._side_by_side(iter(sources), jobs)

    def _side_by_side(self, sources: Iterator[AudioSource], jobs: int) -> Results:
        stop, wait = Event(), True
        pool = ThreadPoolExecutor(jobs, "genrelens")
        running: deque[tuple[AudioSource, Future[Prediction | AudioError]]] = deque()
        try:
            while True:
                for source in islice(sources, 2 * jobs - len(running)):
                    running.append((source, pool.submit(self._try, source, stop)))
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

    def _try(self, source: AudioSource, stop: Event) -> Prediction | AudioError:
        name = source_name(source)
        try:
            blocks = stream_audio(source, sample_rate=self.metadata.features.sample_rate)
            return self._classify(_until(stop, blocks), name)
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
        blocks: Iterable[Float32],
        name: str,
        on_segments: Callable[[Float32], None] | None = None,
    ) -> Prediction:
        features = self.metadata.features
        counter = _Counter(blocks)
        pieces = iter_segments(counter, features)
        if on_segments is not None:
            pieces = _told(pieces, on_segments)
        windows = list(self._run_windows(pieces))
        weights = np.array([len(segments) for _, segments in windows], np.float64)
        clips = np.stack([clip for clip, _ in windows])
        segments = np.concatenate([segments for _, segments in windows])
        return Prediction(
            labels=self.labels,
            probabilities=np.average(clips, axis=0, weights=weights),
            segments=segments,
            segment_times=np.arange(len(segments), dtype=np.float64) * features.segment_hop_seconds,
            segment_seconds=features.segment_seconds,
            duration=counter.n_samples / features.sample_rate,
            padded=counter.n_samples < features.min_samples,
            model=self.metadata.name,
            source=name,
        )

    def _run_windows(self, pieces: Iterable[Float32]) -> Iterator[tuple[Float64, Float64]]:
        """Run the network window by window: probabilities (c,) and (n, c) of each."""
        temperature = self.metadata.temperature
        for window in _windows(pieces, self.metadata.window_segments):
            outputs = self._artifact.run(window)
            yield _softmax(outputs.clip_logits / temperature), _softmax(outputs.segment_logits)


# ------------------------------------------------------------------------------- blocks


class _Counter:
    """Counts the samples of the blocks that pass."""

    def __init__(self, blocks: Iterable[Float32]) -> None:
        self._blocks = blocks
        self.n_samples = 0

    def __iter__(self) -> Iterator[Float32]:
        for block in self._blocks:
            self.n_samples += len(block)
            yield block


def _until(stop: Event, blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Pass blocks on until somebody sets ``stop``."""
    for block in blocks:
        if stop.is_set():
            raise InterruptedError("stopped")
        yield block


def _told(pieces: Iterable[Float32], listener: Callable[[Float32], None]) -> Iterator[Float32]:
    """Pass pieces on once the listener has had them."""
    for piece in pieces:
        listener(piece)
        yield piece


def _windows(pieces: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Join pieces (k, t, b) and cut them into windows of ``size`` segments; the last is shorter."""
    rest: Float32 | None = None
    for piece in pieces:
        rest = piece if rest is None else np.concatenate([rest, piece])
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest is not None and len(rest):
        yield rest


def _softmax(logits: Float32) -> Float64:
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: Float64 = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


# ----------------------------------------------------------------------------- waveforms


def _as_mono(y: ArrayLike) -> Float32:
    """Scale to 1.0 and average the channels: (n,) or (n, channels) -> (n,)."""
    samples = np.asarray(y)
    if samples.ndim not in (1, 2):
        raise ValueError(f"a waveform has one or two dimensions, not shape {samples.shape}")
    if samples.size == 0:
        raise AudioError("<waveform>", "holds no audio samples")
    if samples.ndim == 2 and samples.shape[1] > _MAX_CHANNELS:
        raise ValueError(
            f"shape {samples.shape} means {samples.shape[1]} channels; a waveform is "
            "(n_samples, n_channels): did you mean y.T?"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
        waveform = _as_float(samples)
        mono = waveform if waveform.ndim == 1 else waveform.mean(axis=1)
    if not -_LOUDEST <= mono.min() <= mono.max() <= _LOUDEST:
        index = int(np.argmin(np.abs(mono) <= _LOUDEST))
        raise AudioError("<waveform>", f"holds the sample {mono[index]:g}; full scale is 1")
    return mono


def _as_float(samples: NDArray[np.generic]) -> Float32:
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "f":
        return samples.astype(np.float32)
    if kind not in "iu" or bits > 32:
        raise TypeError(
            f"samples of type {samples.dtype} have no known full scale; use floats of full scale "
            "1.0 or integers of 8, 16 or 32 bits"
        )
    full_scale = np.float32(2 ** (bits - 1))
    waveform = samples.astype(np.float32) / full_scale
    return waveform - np.float32(1) if kind == "u" else waveform


def _resampled(mono: Float32, rate_in: float, rate_out: int) -> Float32:
    if not _MIN_RATE <= rate_in <= _MAX_RATE:
        raise ValueError(f"sample_rate={rate_in} must be in {_MIN_RATE}..{_MAX_RATE} Hz")
    if rate_in == rate_out:
        return mono
    resampled = np.asarray(soxr.resample(mono, rate_in, rate_out), dtype=np.float32)
    if resampled.size == 0:
        raise AudioError("<waveform>", "holds no audio samples")
    return resampled
