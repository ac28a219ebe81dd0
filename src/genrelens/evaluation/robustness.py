"""Measure robustness: classify the same clips under conditions that do not change the genre."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.classifier import Classifier
from genrelens.data.folders import LabelledClip, clip_names
from genrelens.errors import AudioError, DataError, ModelError
from genrelens.evaluation.bootstrap import Estimate, paired_difference
from genrelens.evaluation.conditions import CONDITIONS, Condition, rng_for
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.run import true_classes
from genrelens.evaluation.scores import score
from genrelens.threads import map_in_threads

__all__ = ["ConditionScores", "Outcome", "Robustness", "compare_conditions", "measure_robustness"]

Float64 = NDArray[np.float64]
Outcome = Float64 | AudioError
"""Probabilities of a clip, (n_conditions, n_classes), or the error of a clip that failed."""

_TRIAL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionScores:
    """Figures of a model under one condition.

    Attributes:
        condition: name of the condition.
        description: what was done to the recordings; empty if it is not known.
        n: number of clips.
        accuracy: share of the clips that are classified correctly.
        macro_recall: mean recall of the genres that have clips.
        difference: accuracy minus the accuracy under the first condition. The interval is paired:
            the bootstrap draws clips, each with its predictions under both conditions. For the
            first condition it is 0 without an interval.
        changed: share of the clips whose most probable genre differs from that under the first
            condition.
        confidence_change: mean change of the probability of the most probable genre.

    Example::

        for row in measure_robustness(classifier, clips).rows:
            print(row.condition, row.accuracy.value, row.changed)

    """

    condition: str
    description: str
    n: int
    accuracy: Estimate
    macro_recall: Estimate
    difference: Estimate
    changed: float
    confidence_change: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON."""
        return {
            "condition": self.condition,
            "description": self.description,
            "n": self.n,
            "accuracy": self.accuracy._asdict(),
            "macro_recall": self.macro_recall._asdict(),
            "difference": self.difference._asdict(),
            "changed": self.changed,
            "confidence_change": self.confidence_change,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Robustness:
    """Figures of a model under each condition.

    Attributes:
        rows: one row per condition; all are compared with the first.
        tables: name of a condition -> predictions; the clips are the same in all tables.
        failed: errors of the clips that failed; no figure includes them.
        model: name of the model.
        bootstrap: ``resamples``, ``seed`` and ``unit`` (``"clip"`` or ``"group"``).

    Example::

        found = measure_robustness(classifier, clips)
        print([row.condition for row in found.rows])

    """

    rows: tuple[ConditionScores, ...]
    tables: Mapping[str, PredictionTable]
    failed: tuple[AudioError, ...]
    model: str
    bootstrap: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, without the tables, as plain values for JSON."""
        return {
            "conditions": [row.to_dict() for row in self.rows],
            "failed": [{"path": error.source, "error": str(error)} for error in self.failed],
            "model": self.model,
            "bootstrap": dict(self.bootstrap),
        }


# ------------------------------------------------------------------------------- figures


def compare_conditions(
    tables: Mapping[str, PredictionTable],
    *,
    model: str,
    descriptions: Mapping[str, str] | None = None,
    failed: Sequence[AudioError] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> Robustness:
    """Compare predictions for the same clips under several conditions.

    Args:
        tables: name of the condition -> predictions for the same clips in the same order; all are
            compared with the first.
        model: name of the model.
        descriptions: name of the condition -> description.
        failed: errors of the clips that failed.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Raises:
        DataError: there is only one clip, or only one group, so no interval can be computed.
        ValueError: there is no table, or the tables hold different clips.

    Example::

        found = compare_conditions({"clean": clean, "noise": noise}, model="mine")

    """
    if not tables:
        raise ValueError("there is no table to compare")
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if (table.clips, table.labels) != (first.clips, first.labels):
            raise ValueError(f"the clips or labels of {name!r} differ from those of the first")
    scores = {name: score(table, resamples=resamples, seed=seed) for name, table in tables.items()}
    rows = tuple(
        ConditionScores(
            condition=name,
            description=(descriptions or {}).get(name, ""),
            n=table.n,
            accuracy=scores[name].accuracy,
            macro_recall=scores[name].macro_recall,
            difference=Estimate(0.0, 0.0, 0.0, "none")
            if table is first
            else _difference(first, table, resamples, seed),
            changed=float(np.mean(table.predicted != first.predicted)),
            confidence_change=float(np.mean(_confidence(table) - _confidence(first))),
        )
        for name, table in tables.items()
    )
    return Robustness(
        rows=rows,
        tables=dict(tables),
        failed=tuple(failed),
        model=model,
        bootstrap=scores[rows[0].condition].bootstrap,
    )


def _difference(
    first: PredictionTable, table: PredictionTable, resamples: int, seed: int
) -> Estimate:
    gains = table.right.astype(np.int64) - first.right
    units = first.clips if first.groups is None else first.groups
    return paired_difference(gains, units, resamples=resamples, seed=seed)


def _confidence(table: PredictionTable) -> Float64:
    confidence: Float64 = table.probabilities.max(axis=1)
    return confidence


# ------------------------------------------------------------------------------- classifying


def measure_robustness(
    classifier: Classifier,
    clips: Sequence[LabelledClip],
    *,
    conditions: Sequence[Condition] = CONDITIONS,
    label_map: Mapping[str, str] | None = None,
    jobs: int = 1,
    seed: int = 0,
    resamples: int = 2000,
    longest: float = 300.0,
    on_clip: Callable[[LabelledClip, Outcome], None] = lambda clip, outcome: None,
) -> Robustness:
    """Classify labelled clips under every condition.

    Each clip is decoded once, at the sample rate of the model, and the conditions are applied at
    that rate. At most ``jobs`` clips are in memory.

    Args:
        classifier: the model; load it with ``threads=1`` if ``jobs`` is above 1.
        clips: the clips, each once, with labels of the data or of the model.
        conditions: the conditions; all are compared with the first.
        label_map: renames labels of the result, see :meth:`PredictionTable.relabel`.
        jobs: number of clips at once.
        seed: seed of the random parts of the conditions (with the clip's name), and of the
            bootstrap.
        resamples: number of bootstrap resamples.
        longest: seconds of each clip to classify, from its beginning.
        on_clip: called for each clip, in order, with its probabilities or its error.

    Raises:
        AudioError: this FFmpeg lacks an encoder that a condition needs; raised before the first
            clip.
        DataError: the model does not have a label, or fewer than two clips (or groups) could be
            classified.
        ModelError: the model is damaged and cannot be run.
        ValueError: there are no conditions, or two of one name, or ``jobs`` is below 1.

    Example::

        clips = read_folder(Path("clips"))
        for row in measure_robustness(Classifier.load(), clips).rows:
            print(row.condition, row.accuracy.value)

    """
    if not conditions or len({each.name for each in conditions}) < len(conditions):
        raise ValueError("there must be conditions, and each must have its own name")
    if jobs < 1:
        raise ValueError(f"jobs={jobs} must be at least 1")
    if not clips:
        raise DataError("there are no clips to evaluate")
    true_classes(clips, classifier)
    names = clip_names([clip.path for clip in clips])
    _try_conditions(conditions, classifier.metadata.features.sample_rate)
    stop = Event()
    classify = partial(_outcome, classifier, conditions, seed, longest, stop)
    found: dict[int, Float64] = {}
    failed: list[AudioError] = []
    with closing(
        map_in_threads(classify, [clip.path for clip in clips], jobs=jobs, stop=stop)
    ) as outcomes:
        for index, (_, outcome) in enumerate(outcomes):
            if isinstance(outcome, AudioError):
                failed.append(outcome)
            else:
                found[index] = outcome
            on_clip(clips[index], outcome)
    if not found:
        raise DataError(f"no clip of {len(clips)} could be classified; the first: {failed[0]}")
    tables = [
        PredictionTable.of(
            [clips[i] for i in found],
            probabilities,
            labels=classifier.labels,
            names=[names[i] for i in found],
            label_map=classifier.metadata.label_map,
        ).relabel(label_map or {})
        for probabilities in np.stack(list(found.values()), axis=1)  # (clip, class) of each
    ]
    return compare_conditions(
        {condition.name: table for condition, table in zip(conditions, tables, strict=True)},
        descriptions={each.name: each.description for each in conditions},
        failed=failed,
        model=classifier.metadata.name,
        resamples=resamples,
        seed=seed,
    )


def _try_conditions(conditions: Sequence[Condition], rate: int) -> None:
    """Apply every condition to silence, so that a missing encoder is reported at the start."""
    for condition in conditions:
        silence = np.zeros(round(_TRIAL_SECONDS * rate), np.float32)
        condition.apply(silence, rate, rng_for(""))


def _outcome(
    classifier: Classifier,
    conditions: Sequence[Condition],
    seed: int,
    longest: float,
    stop: Event,
    path: Path,
) -> Outcome:
    """Classify one clip under every condition."""
    rate = classifier.metadata.features.sample_rate
    try:
        y = load_audio(path, sample_rate=rate, duration=longest)
        rows = []
        for condition in conditions:
            if stop.is_set():
                raise InterruptedError("stopped")
            changed = condition.apply(y, rate, rng_for(path.stem, seed))
            rows.append(classifier.classify_waveform(changed, rate).probabilities)
        return np.stack(rows)
    except AudioError as error:
        return error
    except ModelError:  # every other clip would fail too
        raise
    except Exception as error:  # one clip of thousands must not end the run
        failure = AudioError(str(path), f"cannot be classified ({type(error).__name__}: {error})")
        failure.__cause__ = error
        return failure
