"""The leak: what the same features and the same classifier score when they are split otherwise.

Segments of one clip resemble each other, and clips of one artist do. Where segments are dealt to
training and test at random, a classifier is asked what it has been told. Nothing here but the
split differs: features, classifier, its settings (scikit-learn's own, none was tuned) and the
number of segments it learns from are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import stream_audio
from genrelens.data.folders import LabelledClip, label_set
from genrelens.data.protocols import grouped_folds, random_folds
from genrelens.data.splits import Split
from genrelens.errors import AudioError, DataError, MissingExtraError
from genrelens.evaluation import wilson
from genrelens.evaluation.bootstrap import Estimate, percentile_interval, resampled_sums
from genrelens.features import ORIGINAL_MFCC, iter_features
from genrelens.threads import map_in_threads

__all__ = ["Leak", "ProtocolScore", "SegmentTable", "Shares", "measure_leak", "plan", "tabulate"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
_Fold = tuple[Int64, Int64]  # the segments to learn from, and those to judge on

SEGMENT_SECONDS = 3.0
_PER_SEGMENT = round(SEGMENT_SECONDS * ORIGINAL_MFCC.sample_rate / ORIGINAL_MFCC.hop_length) - 1


class Shares(NamedTuple):
    """How much is right, each with a 95 % interval."""

    accuracy: Estimate
    macro_recall: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolScore:
    """What came out under one protocol.

    Attributes:
        protocol: what is kept together: ``"segment"`` (nothing), ``"clip"`` or ``"group"``.
        segments: of single segments.
        clips: of whole clips, by the mean of their segments' scores; None for ``"segment"``, where
            no clip is on one side.
        folds: accuracy of single segments in each fold.

    """

    protocol: str
    segments: Shares
    clips: Shares | None
    folds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """The protocols side by side.

    Attributes:
        scores: ``"segment"``, ``"clip"`` and, where groups are known, ``"group"``.
        labels: the genres.
        n_clips: number of clips.
        n_segments: number of segments of all clips.
        n_groups: number of groups, or None where they are not known.
        n_train: segments that each fold of each protocol learns from.
        seed: of folds, draws and bootstrap.

    """

    scores: tuple[ProtocolScore, ...]
    labels: tuple[str, ...]
    n_clips: int
    n_segments: int
    n_groups: int | None
    n_train: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""

        def shares(of: Shares | None) -> dict[str, Any] | None:
            return of and {name: value._asdict() for name, value in of._asdict().items()}

        protocols = [
            {
                "protocol": each.protocol,
                "segments": shares(each.segments),
                "clips": shares(each.clips),
                "folds": list(each.folds),
            }
            for each in self.scores
        ]
        names = ("n_clips", "n_segments", "n_groups", "n_train", "seed")
        counts = {name: getattr(self, name) for name in names}
        return {"protocols": protocols, "labels": list(self.labels), **counts}


# ------------------------------------------------------------------------------- features


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTable:
    """The segments of clips as vectors.

    Attributes:
        clips: those that could be read.
        owner: index of each segment's clip, (n,) int64.
        values: (n, 80) float64: mean and standard deviation of 20 MFCCs over the segment, then of
            their differences from frame to frame.
        failed: the error of each clip that could not be read.

    """

    clips: tuple[LabelledClip, ...]
    owner: Int64
    values: Float64
    failed: tuple[AudioError, ...] = ()


def tabulate(
    clips: Sequence[LabelledClip],
    *,
    jobs: int = 1,
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None,
) -> SegmentTable:
    """Cut clips into segments of 3 s and describe each.

    What does not fill a last segment is left out; a clip below 3 s is one segment, not padded,
    since silence at its end would tell it from the others.

    Args:
        clips: the files.
        jobs: how many at once.
        on_clip: called for each clip, in order, with the error of one that cannot be read.

    Raises:
        DataError: no clip can be read.

    """
    rows: dict[LabelledClip, Float64] = {}
    failed: list[AudioError] = []
    for clip, result in map_in_threads(_describe, clips, jobs=jobs):
        if isinstance(result, AudioError):
            failed.append(result)
            on_clip(clip, result)
        else:
            rows[clip] = result
            on_clip(clip, None)
    if not rows:
        raise DataError(f"no clip of {len(clips)} could be read; the first: {failed[0]}")
    owner = np.repeat(np.arange(len(rows)), [len(values) for values in rows.values()])
    return SegmentTable(tuple(rows), owner, np.concatenate(list(rows.values())), tuple(failed))


def _describe(clip: LabelledClip) -> Float64 | AudioError:
    try:
        blocks = stream_audio(clip.path, sample_rate=ORIGINAL_MFCC.sample_rate)
        frames = np.concatenate(list(iter_features(blocks, ORIGINAL_MFCC))).astype(np.float64)
    except AudioError as error:
        return error
    n = len(frames) // _PER_SEGMENT
    segments = frames[: n * _PER_SEGMENT].reshape(n, _PER_SEGMENT, -1) if n else frames[None]
    steps = np.diff(segments, axis=1) if segments.shape[1] > 1 else np.zeros_like(segments)
    parts = (segments.mean(1), segments.std(1), steps.mean(1), steps.std(1))
    return np.hstack(parts)  # (n, 80)


# -------------------------------------------------------------------------------- protocols


def plan(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> dict[str, Split]:
    """Split whole clips as the honest protocols do: ``"clip"`` and, if all have one, ``"group"``.

    Raises:
        DataError: a genre has fewer clips or groups than there are folds.
        MissingExtraError: scikit-learn is not installed.

    """
    splits = {"clip": random_folds(clips, n_folds, seed=seed)}
    if all(clip.group is not None for clip in clips):
        splits["group"] = grouped_folds(clips, n_folds, seed=seed)
    return splits


def measure_leak(
    table: SegmentTable,
    *,
    n_folds: int = 5,
    seed: int = 0,
    resamples: int = 2000,
    on_fold: Callable[[], None] = lambda: None,
) -> Leak:
    """Cross-validate the same classifier over segments, clips and, where known, groups.

    An SVM with a radial kernel learns from standardised vectors. Every fold of every protocol
    learns from equally many segments: those of the smallest, drawn at random from the others.
    The intervals are percentiles of a bootstrap over groups, or clips where groups are unknown.

    Args:
        table: the segments; clips carry their group or None.
        n_folds: at least 2.
        seed: of folds, draws and bootstrap.
        resamples: of the bootstrap.
        on_fold: called after each fold of each protocol.

    Raises:
        DataError: a genre has fewer clips or groups than there are folds.
        MissingExtraError: scikit-learn is not installed.

    """
    labels = label_set(table.clips)
    of_clip = np.array([labels.index(clip.label) for clip in table.clips])
    true = of_clip[table.owner]
    folds = {"segment": _segment_folds(true, n_folds, seed)}
    for name, split in plan(table.clips, n_folds, seed=seed).items():
        folds[name] = [_fold(table, parts) for parts in split.rounds]
    n_train = min(len(train) for each in folds.values() for train, _ in each)
    scores = []
    for protocol, each in folds.items():
        decided = np.zeros((len(true), len(labels)))
        for train, test in each:
            drawn = np.random.default_rng(seed).choice(train, n_train, replace=False)
            decided[test] = _decide(table.values, true, np.sort(drawn), test, len(labels))
            on_fold()
        scores.append(_score(protocol, table, of_clip, decided, each, resamples, seed))
    groups = {clip.group for clip in table.clips}
    return Leak(
        scores=tuple(scores),
        labels=tuple(labels),
        n_clips=len(table.clips),
        n_segments=len(true),
        n_groups=None if None in groups else len(groups),
        n_train=n_train,
        seed=seed,
    )


def _segment_folds(true: Int64, n_folds: int, seed: int) -> list[_Fold]:
    """Deal segments at random: the mistake that is shown."""
    try:
        from sklearn.model_selection import StratifiedKFold
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "evaluate") from error
    return list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(true, true))


def _fold(table: SegmentTable, parts: Sequence[str | None]) -> _Fold:
    testing = np.array([part == "test" for part in parts])[table.owner]
    return np.flatnonzero(~testing), np.flatnonzero(testing)


def _decide(values: Float64, true: Int64, train: Int64, test: Int64, n_labels: int) -> Float64:
    """Learn, then score each class for each segment of the test, (n, n_labels)."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    model = make_pipeline(StandardScaler(), SVC()).fit(values[train], true[train])
    found = model.decision_function(values[test])
    result = np.full((len(test), n_labels), -np.inf)  # a class that the draw has missed
    result[:, model.classes_] = found if found.ndim > 1 else np.stack([-found, found], axis=1)
    return result


def _score(
    protocol: str,
    table: SegmentTable,
    of_clip: Int64,
    decided: Float64,
    folds: list[_Fold],
    resamples: int,
    seed: int,
) -> ProtocolScore:
    units = [clip.group or f"clip {index}" for index, clip in enumerate(table.clips)]
    right = decided.argmax(axis=1) == of_clip[table.owner]
    bootstrap = {"resamples": resamples, "seed": seed}
    clips = None
    if protocol != "segment":
        sums = np.zeros((len(of_clip), decided.shape[1]))
        np.add.at(sums, table.owner, decided)
        clips = _shares(sums.argmax(axis=1) == of_clip, of_clip, units, **bootstrap)
    return ProtocolScore(
        protocol=protocol,
        segments=_shares(right, of_clip[table.owner], [units[i] for i in table.owner], **bootstrap),
        clips=clips,
        folds=tuple(float(right[test].mean()) for _, test in folds),
    )


def _shares(
    right: NDArray[np.bool_], true: Int64, units: Sequence[str], *, resamples: int, seed: int
) -> Shares:
    classes = np.eye(int(true.max()) + 1)[true]
    terms = np.hstack([classes, classes * right[:, None]])
    values = _rates(terms.sum(axis=0, keepdims=True))[0]
    low, high = percentile_interval(
        _rates(resampled_sums(terms, units, resamples=resamples, seed=seed))
    )
    low, high = np.fmin(low, values), np.fmax(high, values)
    accuracy, macro = (
        Estimate(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)
    )
    n_units = len(set(units))
    recalls = [float(right[true == label].mean()) for label in range(classes.shape[1])]
    n_of_class = [
        len({unit for unit, of in zip(units, true.tolist(), strict=True) if of == label})
        for label in range(classes.shape[1])
    ]
    return Shares(
        wilson.share(accuracy, n_units), wilson.mean_recall(macro, recalls, n_of_class, n_units)
    )


def _rates(sums: Float64) -> Float64:
    """Make accuracy and macro recall of the sizes and the hits of classes, (n, 2 c) -> (n, 2)."""
    size, hits = np.hsplit(sums, 2)
    recall = np.divide(hits, size, out=np.full_like(hits, np.nan), where=size > 0)
    return np.column_stack([hits.sum(axis=1) / size.sum(axis=1), np.nanmean(recall, axis=1)])
