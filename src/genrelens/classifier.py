"""Load a model and classify recordings: the main entry point for Python users."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from threading import Event
from typing import Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.analysis import Analysis
from genrelens.audio import AudioSource, as_mono, resampled, source_name
from genrelens.errors import AudioError, ModelError
from genrelens.excerpts import Excerpt, expected_seconds, open_excerpts
from genrelens.features import MeasuredSegments, iter_measured_segments
from genrelens.metadata import ModelMetadata
from genrelens.model_file import ModelFile
from genrelens.prediction import Prediction
from genrelens.threads import map_in_threads

__all__ = ["Classifier"]

Float32 = NDArray[np.float32]
T = TypeVar("T")
_LARGE = 2**24  # bytes; more than any block of a recording

# Lengths of excerpts in seconds. A set head classifies any number of segments, but the networks of
# 2018 are trained on sequences of 30 s.
_WINDOW, _HALF_A_WINDOW = 30.0, 15.0

Results = Generator[tuple[AudioSource, Prediction | AudioError], None, None]


class Classifier:
    """Classifies recordings by genre.

    A classifier can be used from several threads at once.

    Args:
        model_file: the loaded model; :meth:`load` is the usual way.
        genres: genres to choose from, at least two; None: all genres of the model.

    Example::

        classifier = Classifier.load()
        prediction = classifier.classify("song.mp3")
        print(prediction.answer, prediction.top(3))

    """

    def __init__(self, model_file: ModelFile, *, genres: Iterable[str] | None = None) -> None:
        self._model_file = model_file
        own = model_file.metadata
        self._metadata = own if genres is None else own.restricted(genres)

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        genres: Iterable[str] | None = None,
        threads: int = 0,
    ) -> Self:
        """Load a model.

        Args:
            model: name of a packaged model (see :func:`genrelens.packaged_models`) or path of an
                ``.onnx`` file; None selects the packaged default.
            genres: genres of the model to choose from, at least two; None: all. The predictions
                have these genres only, and their probabilities sum to 1, see
                :meth:`genrelens.Prediction.restricted`.
            threads: number of threads for the network of one recording, which work while the
                recording is decoded; 0 uses one per core, but at most 4, since more would wait for
                the decoder. With 1, the calling thread does all the work.

        Raises:
            ModelError: the model is missing, damaged, of another version, or not a model.
            ValueError: the model does not have one of ``genres``, or there are fewer than 2.

        Example::

            Classifier.load()
            Classifier.load(genres=["rock", "metal", "punk"])
            Classifier.load("mfcc-lstm", threads=1)
            Classifier.load("runs/mine/model.onnx")

        """
        _keep_freed_memory()
        return cls(ModelFile.load(model, threads=threads), genres=genres)

    def restricted(self, genres: Iterable[str]) -> Self:
        """Return a classifier with the same model that chooses from some of its genres.

        Args:
            genres: see :meth:`load`.

        Raises:
            ValueError: the model does not have one of ``genres``, or there are fewer than 2.

        """
        return type(self)(self._model_file, genres=genres)

    @property
    def metadata(self) -> ModelMetadata:
        """The metadata of the model: labels, front end, thresholds, provenance, metrics.

        With a choice of genres, it is restricted to these.
        """
        return self._metadata

    @property
    def labels(self) -> tuple[str, ...]:
        """The genres, in the order of the probabilities."""
        return self.metadata.labels

    @property
    def embedding_size(self) -> int | None:
        """Number of dimensions of an embedding; None if the model does not give embeddings."""
        return self._model_file.embedding_size

    def classify(
        self,
        source: AudioSource,
        *,
        offset: float = 0.0,
        duration: float | None = None,
        fast: bool = False,
        on_segments: Callable[[Float32], None] | None = None,
        on_progress: Callable[[Prediction], None] | None = None,
    ) -> Prediction:
        """Classify a recording. Memory does not grow with its length.

        Args:
            source: path, bytes of a file, or binary file object; any format, sample rate and
                number of channels.
            offset: where to start, in seconds.
            duration: length to classify, in seconds; None is the rest of the recording.
            fast: classify three excerpts, around 1/6, 3/6 and 5/6 of the recording, and do not
                decode the rest. They last 15 s each, or 30 s for a model without a set head. A
                recording is decoded whole if it lasts 90 s or less, if its length is unknown (some
                streams, and pipes), if it is damaged, or if an excerpt is silent.
            on_segments: called with the input of the network, (k, segment_frames, n_bins) float32,
                for consecutive runs of segments.
            on_progress: called in this thread with the prediction for what has been classified so
                far, after each run of the network (15 s of audio with the default model; after 100
                runs, whenever the recording has become 1 % longer), and at the end with the result.
                ``heard`` is the length so far. ``duration`` is the expected length, or equal to
                ``heard`` if the header states no length. An exception ends the classification.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: the model is damaged and cannot be run.

        Example::

            classifier.classify("song.mp3")
            classifier.classify(Path("mix.flac").read_bytes(), fast=True)
            classifier.classify("concert.wav", offset=600, duration=240)
            classifier.classify("mix.flac", on_progress=lambda p: print(p.heard, p.duration))

        """
        excerpts, seconds = self._excerpts(source, offset, duration, fast=fast)
        progress = None
        if on_progress is not None:
            expected = seconds or expected_seconds(source, offset, duration)
            progress = _Progress(on_progress, expected)
        return self._classify(excerpts, source_name(source), seconds, on_segments, progress)

    def classify_waveform(self, y: ArrayLike, sample_rate: float) -> Prediction:
        """Classify an array of samples.

        Args:
            y: (n_samples,) or (n_samples, n_channels). Full scale is 1.0 for floats, and the full
                range of the type for integers of 8 to 32 bits (the zero of unsigned integers is in
                the middle, as in WAV files).
            sample_rate: of ``y``, in Hz.

        Raises:
            AudioError: there are no samples, or a sample is not finite or more than 120 dB over
                full scale.
            ModelError: the model is damaged and cannot be run.
            TypeError: numbers of this type have no agreed full scale.
            ValueError: ``y`` or ``sample_rate`` has an invalid shape or range.

        Example::

            y, sample_rate = soundfile.read("song.wav")
            classifier.classify_waveform(y, sample_rate)

        """
        rate = self.metadata.features.sample_rate
        samples = resampled(as_mono(y, sample_rate), sample_rate, rate)
        return self._classify([Excerpt(0.0, [samples])], "<waveform>")

    def classify_many(
        self,
        sources: Iterable[AudioSource],
        *,
        jobs: int = 1,
        fast: bool = False,
        on_progress: Callable[[AudioSource, Prediction], None] | None = None,
    ) -> Results:
        """Classify recordings in parallel. A recording that fails does not stop the others.

        Every error of a recording, even an unexpected one in a decoder, is returned as its
        ``AudioError``. At most ``2 * jobs`` sources are taken before their results are yielded;
        closing the iterator early drops those. No source is read once the iterator is closed.

        Args:
            sources: the recordings; see :meth:`classify`.
            jobs: number of recordings at once; above 1, load the classifier with ``threads=1``.
            fast: classify three excerpts of each, as :meth:`classify` does.
            on_progress: called with a source and its prediction so far, as :meth:`classify` does;
                with several jobs, in several threads at once.

        Yields:
            Each source with its prediction or its error, in order.

        Raises:
            ModelError: the model is damaged and cannot be run.
            TypeError: ``sources`` is one recording.
            ValueError: ``jobs`` is below 1.

        Example::

            for path, result in classifier.classify_many(paths, jobs=4):
                print(path, result.answer if isinstance(result, Prediction) else result.reason)

        """
        if isinstance(sources, str | bytes | os.PathLike):
            raise TypeError(f"sources is one recording ({source_name(sources)}); use classify")
        if jobs < 1:
            raise ValueError(f"jobs={jobs} must be at least 1")
        stop = Event()
        return map_in_threads(
            lambda source: self._try(source, stop, fast, on_progress), sources, jobs=jobs, stop=stop
        )

    def _try(
        self,
        source: AudioSource,
        stop: Event,
        fast: bool,
        on_progress: Callable[[AudioSource, Prediction], None] | None,
    ) -> Prediction | AudioError:
        name = source_name(source)
        try:
            excerpts, seconds = self._excerpts(source, 0.0, None, fast=fast)
            watched = [Excerpt(each.start, _until(stop, each.blocks)) for each in excerpts]
            progress = None
            if on_progress is not None:
                expected = seconds or expected_seconds(source, 0.0, None)
                progress = _Progress(partial(on_progress, source), expected)
            return self._classify(watched, name, seconds, progress=progress)
        except AudioError as error:
            return error
        except ModelError:  # every recording would fail in the same way
            raise
        except Exception as error:  # one recording of ten thousand must not end the run
            failure = AudioError(name, f"cannot be classified ({type(error).__name__}: {error})")
            failure.__cause__ = error
            return failure

    def _excerpts(
        self, source: AudioSource, offset: float, duration: float | None, *, fast: bool
    ) -> tuple[list[Excerpt], float | None]:
        """Open a recording, see :func:`open_excerpts`."""
        seconds = _WINDOW if self._model_file.set_head is None else _HALF_A_WINDOW
        return open_excerpts(
            source,
            sample_rate=self.metadata.features.sample_rate,
            offset=offset,
            duration=duration,
            excerpt_seconds=seconds if fast else None,
            threads=self._model_file.threads,
        )

    def _classify(
        self,
        excerpts: Iterable[Excerpt],
        source: str,
        duration: float | None = None,
        on_segments: Callable[[Float32], None] | None = None,
        progress: _Progress | None = None,
    ) -> Prediction:
        """Classify excerpts of a recording of ``duration`` seconds; None if they are the whole."""
        analysis, run = Analysis(self._model_file, source), self._model_file.run
        with (
            closing(self._runs_of(analysis, excerpts, on_segments)) as segments,
            closing(map_in_threads(run, segments, jobs=self._model_file.threads)) as results,
        ):
            for _, outputs in results:
                analysis.windows.append(outputs)
                if progress is not None:
                    progress.report(analysis, self._metadata)
        prediction = analysis.result(duration).with_metadata(self._metadata)
        if progress is not None:
            progress.callback(prediction)
        return prediction

    def _runs_of(
        self,
        analysis: Analysis,
        excerpts: Iterable[Excerpt],
        on_segments: Callable[[Float32], None] | None,
    ) -> Generator[Float32, None, None]:
        """Yield the segments that are not silent, for one run of the network each time."""

        def loud(runs: Iterable[MeasuredSegments]) -> Iterator[Float32]:
            for run in runs:
                if on_segments is not None:
                    on_segments(run.features)
                yield analysis.add(run)

        for excerpt in excerpts:
            analysis.begin(excerpt.start)
            blocks = analysis.count(excerpt.blocks)
            segments = iter_measured_segments(blocks, self.metadata.features)
            yield from _cut(loud(segments), self._model_file.run_segments)


class _Progress:
    """Reports the prediction so far after each run of the network.

    After 100 runs, it reports whenever the recording has become 1 % longer. The cost of all reports
    is then proportional to the length.
    """

    def __init__(
        self, callback: Callable[[Prediction], None], expected_seconds: float | None
    ) -> None:
        self.callback = callback
        self._expected = expected_seconds
        self._next = 0  # number of runs for the next report

    def report(self, analysis: Analysis, metadata: ModelMetadata) -> None:
        """Report an analysis, for the genres of ``metadata``, if it is time."""
        n_runs = len(analysis.windows)
        if n_runs >= self._next:
            self._next = n_runs + 1 + n_runs // 100
            self.callback(analysis.so_far(self._expected).with_metadata(metadata))


def _keep_freed_memory() -> None:
    """Make glibc reuse freed memory for the blocks of a recording.

    Otherwise it returns each block to the system, and the system clears it for the next one, which
    takes about 8 % of the time. When a large array is freed, glibc raises its threshold to that
    size. The array is not touched, so it takes no memory. Elsewhere this has no effect.
    """
    np.empty(_LARGE, np.uint8)


def _until(stop: Event, blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Yield blocks; raise ``InterruptedError`` once ``stop`` is set."""
    for block in blocks:
        if stop.is_set():
            raise InterruptedError("stopped")
        yield block


def _cut(runs: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Cut runs of segments (k, t, b) into runs of ``size`` segments; the last can be shorter."""
    rest: Float32 | None = None
    for run in runs:
        rest = run if rest is None else np.concatenate([rest, run])
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest is not None and len(rest):
        yield rest
