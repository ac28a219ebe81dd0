"""A classifier that hears labelled clips under every condition."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.classifier import Classifier
from genrelens.data.folders import LabelledClip, clip_names
from genrelens.errors import AudioError, DataError, ModelError
from genrelens.evaluation.conditions import CONDITIONS, Condition, rng_for
from genrelens.evaluation.evaluate import true_classes
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.robustness import Robustness, compare_conditions
from genrelens.threads import map_in_threads

__all__ = ["Heard", "measure_robustness"]

Float64 = NDArray[np.float64]
Heard = Float64 | AudioError
"""Probabilities of a clip, (n_conditions, n_classes), or why there are none."""

_REHEARSAL = 0.1  # seconds


def measure_robustness(
    classifier: Classifier,
    clips: Sequence[LabelledClip],
    *,
    conditions: Sequence[Condition] = CONDITIONS,
    jobs: int = 1,
    seed: int = 0,
    resamples: int = 2000,
    longest: float = 300.0,
    on_clip: Callable[[LabelledClip, Heard], None] = lambda clip, heard: None,
) -> Robustness:
    """Classify labelled clips under every condition.

    Each clip is decoded once, at the model's rate, where the conditions act. ``jobs`` clips are in
    memory at a time.

    Args:
        classifier: what is judged; load it with ``threads=1`` if ``jobs`` is above 1.
        clips: labelled in the data's or the model's words; none of them twice.
        conditions: to hear them under; the first is what the others are compared with.
        jobs: how many clips at once.
        seed: of what the conditions draw (with the clip's name), and of the bootstrap.
        resamples: number of bootstrap resamples.
        longest: how much of a clip is heard, under every condition: seconds from its beginning.
        on_clip: called for each clip, in order, with what came out.

    Raises:
        AudioError: this FFmpeg lacks an encoder that a condition needs; told before the work.
        DataError: a label is unknown to the model, or fewer than two clips (or groups) could be
            heard.
        MissingExtraError: scikit-learn is not installed.
        ModelError: the model is damaged so that it cannot be run.
        ValueError: there are no conditions, or two of one name, or ``jobs`` is below 1.

    """
    if not conditions or len({each.name for each in conditions}) < len(conditions):
        raise ValueError("there must be conditions, and each must have a name of its own")
    if jobs < 1:
        raise ValueError(f"jobs={jobs} must be at least 1")
    if not clips:
        raise DataError("there are no clips to judge on")
    listener = _Listener(classifier, conditions, seed, longest)
    targets = true_classes(clips, classifier)
    names = clip_names([clip.path for clip in clips])
    listener.rehearse()
    heard: list[Heard] = []
    with closing(listener.hear_all([clip.path for clip in clips], jobs)) as results:
        for clip, (_, result) in zip(clips, results, strict=True):
            heard.append(result)
            on_clip(clip, result)
    return compare_conditions(
        _tables(classifier.labels, conditions, clips, names, targets, heard),
        descriptions={each.name: each.description for each in conditions},
        failed=[result for result in heard if isinstance(result, AudioError)],
        model=classifier.metadata.name,
        resamples=resamples,
        seed=seed,
    )


# ------------------------------------------------------------------------------- hearing


@dataclass(frozen=True, slots=True)
class _Listener:
    """A classifier that hears each clip under every condition."""

    classifier: Classifier
    conditions: Sequence[Condition]
    seed: int
    longest: float

    @property
    def rate(self) -> int:
        return self.classifier.metadata.features.sample_rate

    def rehearse(self) -> None:
        """Try every condition on a moment of silence: what is missing is told before the work."""
        for condition in self.conditions:
            silence = np.zeros(round(_REHEARSAL * self.rate), np.float32)
            condition.apply(silence, self.rate, rng_for("", self.seed))

    def hear_all(
        self, paths: Sequence[Path], jobs: int
    ) -> Generator[tuple[Path, Heard], None, None]:
        """Hear clips side by side; yields in order. Closing it ends the work."""
        stop = Event()
        return map_in_threads(partial(self._try, stop), paths, jobs=jobs, stop=stop)

    def _try(self, stop: Event, path: Path) -> Heard:
        try:
            return self._hear(stop, path)
        except AudioError as error:
            return error
        except ModelError:  # the next clip would fare no better
            raise
        except Exception as error:  # one clip of thousands must not end the run
            failure = AudioError(str(path), f"cannot be heard ({type(error).__name__}: {error})")
            failure.__cause__ = error
            return failure

    def _hear(self, stop: Event, path: Path) -> Float64:
        y = load_audio(path, sample_rate=self.rate, duration=self.longest)
        said = []
        for condition in self.conditions:
            if stop.is_set():
                raise InterruptedError("stopped")
            changed = condition.apply(y, self.rate, rng_for(path.stem, self.seed))
            said.append(self.classifier.classify_waveform(changed, self.rate).probabilities)
        return np.stack(said)


def _tables(
    labels: tuple[str, ...],
    conditions: Sequence[Condition],
    clips: Sequence[LabelledClip],
    names: Sequence[str],
    targets: Sequence[int],
    heard: Sequence[Heard],
) -> dict[str, PredictionTable]:
    """Make a table for each condition of the clips that could be heard."""
    judged = [(i, said) for i, said in enumerate(heard) if not isinstance(said, AudioError)]
    if not judged:
        raise DataError(f"no clip of {len(clips)} could be heard; the first: {heard[0]}")
    grouped = any(clip.group is not None for clip in clips)
    probabilities = np.stack([said for _, said in judged], axis=1)  # (condition, clip, class)
    return {
        condition.name: PredictionTable(
            labels=labels,
            clips=tuple(names[i] for i, _ in judged),
            true=np.array([targets[i] for i, _ in judged], np.int64),
            probabilities=said,
            groups=tuple(clips[i].group or names[i] for i, _ in judged) if grouped else None,
        )
        for condition, said in zip(conditions, probabilities, strict=True)
    }
