"""Measure the leak: the accuracy of one classifier when the same segments are split differently.

Segments of one clip resemble each other, and so do clips of one artist. If segments are assigned to
training and test at random, the classifier is tested on near copies of its training data. Only the
split differs here. Features, classifier, its settings (the defaults of scikit-learn, not tuned) and
the number of training segments are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import stream_audio
from genrelens.data.folders import LabelledClip, label_set
from genrelens.data.protocols import grouped_folds, random_folds
from genrelens.data.splits import Split
from genrelens.errors import AudioError, DataError, MissingExtraError
from genrelens.evaluation.bootstrap import (
    Estimate,
    checked_macro_recall,
    checked_share,
    percentile_estimates,
    resampled_sums,
)
from genrelens.features import ORIGINAL_MFCC, iter_features
from genrelens.percentages import percent
from genrelens.plots import image_file
from genrelens.threads import map_in_threads

__all__ = [
    "PROTOCOLS",
    "Leak",
    "ProtocolScore",
    "SegmentTable",
    "Shares",
    "leak_splits",
    "measure_leak",
    "plot_leak",
    "tabulate",
]

PROTOCOLS = {"segment": "by segment (a leak)", "clip": "by clip", "group": "by artist"}
"""Names of the protocols in tables and figures."""

SEGMENT_SECONDS = 3.0

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
_Fold = tuple[Int64, Int64]  # indices of the training and of the test segments

_FRAMES_PER_SEGMENT = (
    round(SEGMENT_SECONDS * ORIGINAL_MFCC.sample_rate / ORIGINAL_MFCC.hop_length) - 1
)
_BAR = 0.36  # height of a bar in the figure; the bars of a protocol are one below the other


class Shares(NamedTuple):
    """Accuracy and macro recall, 0..1, each with a 95 % interval."""

    accuracy: Estimate
    macro_recall: Estimate


class ProtocolScore(NamedTuple):
    """Figures under one protocol.

    Attributes:
        protocol: the unit that the split does not divide: ``"segment"``, ``"clip"`` or ``"group"``.
        segments: figures of single segments.
        clips: figures of whole clips, from the mean of their segments' scores; None for
            ``"segment"``, which divides clips between training and test.
        folds: accuracy of single segments in each fold.

    """

    protocol: str
    segments: Shares
    clips: Shares | None
    folds: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        values: dict[str, Any] = {"protocol": self.protocol}
        for name in ("segments", "clips"):
            shares: Shares | None = getattr(self, name)
            values[name] = shares and {k: v._asdict() for k, v in shares._asdict().items()}
        return {**values, "folds": list(self.folds)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Figures under each protocol.

    Attributes:
        scores: ``"segment"``, ``"clip"`` and, where groups are known, ``"group"``.
        labels: the genres.
        n_clips: number of clips.
        n_segments: number of segments of all clips.
        n_groups: number of groups; None if they are not known.
        n_train: number of training segments in each fold, the same in all protocols.
        seed: seed of folds, draws and bootstrap.

    """

    scores: tuple[ProtocolScore, ...]
    labels: tuple[str, ...]
    n_clips: int
    n_segments: int
    n_groups: int | None
    n_train: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        names = ("n_clips", "n_segments", "n_groups", "n_train", "seed")
        counts = {name: getattr(self, name) for name in names}
        protocols = [each.to_dict() for each in self.scores]
        return {"protocols": protocols, "labels": list(self.labels), **counts}


# ------------------------------------------------------------------------------- features


class SegmentTable(NamedTuple):
    """The segments of clips as vectors.

    Attributes:
        clips: the clips that could be read.
        owner: index of each segment's clip, (n,) int64.
        values: (n, 80) float64: mean and standard deviation over the segment of 20 MFCCs, then of
            their differences between frames.
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
    """Cut clips into segments of 3 s and compute the vector of each.

    An incomplete last segment is skipped. A clip shorter than 3 s is one segment; it is not padded,
    because silence at its end would distinguish it from other clips.

    Args:
        clips: the files.
        jobs: number of files to read at once.
        on_clip: called for each clip, in order, with its error if it cannot be read.

    Raises:
        DataError: no clip can be read.

    """
    rows: dict[LabelledClip, Float64] = {}
    failed: list[AudioError] = []
    for clip, result in map_in_threads(_vectors, clips, jobs=jobs):
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


def _vectors(clip: LabelledClip) -> Float64 | AudioError:
    try:
        blocks = stream_audio(clip.path, sample_rate=ORIGINAL_MFCC.sample_rate)
        frames = np.concatenate(list(iter_features(blocks, ORIGINAL_MFCC))).astype(np.float64)
    except AudioError as error:
        return error
    size = _FRAMES_PER_SEGMENT
    n = len(frames) // size
    segments = frames[: n * size].reshape(n, size, -1) if n else frames[None]
    steps = np.diff(segments, axis=1) if segments.shape[1] > 1 else np.zeros_like(segments)
    parts = (segments.mean(1), segments.std(1), steps.mean(1), steps.std(1))
    return np.hstack(parts)  # (n, 80)


# ------------------------------------------------------------------------------- protocols


def leak_splits(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> dict[str, Split]:
    """Split whole clips for the protocol ``"clip"`` and, if all clips have groups, for ``"group"``.

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
    """Cross-validate the same classifier over segments, clips and, if known, groups.

    An SVM with a radial kernel is trained on standardised vectors. Each fold of each protocol
    has the same number of training segments, drawn at random: as many as the smallest fold has. The
    intervals are percentiles of a bootstrap over groups, or over clips if groups are not known.

    Args:
        table: the segments; their clips have a group or None.
        n_folds: number of folds, at least 2.
        seed: seed of folds, draws and bootstrap.
        resamples: number of bootstrap resamples.
        on_fold: called after each fold of each protocol.

    Raises:
        DataError: a genre has fewer clips or groups than there are folds.
        MissingExtraError: scikit-learn is not installed.

    """
    labels = label_set(table.clips)
    of_clip = np.array([labels.index(clip.label) for clip in table.clips])
    true = of_clip[table.owner]
    folds = {"segment": _segment_folds(true, n_folds, seed)}
    for name, split in leak_splits(table.clips, n_folds, seed=seed).items():
        folds[name] = [_fold(table, parts) for parts in split.rounds]
    n_train = min(len(train) for each in folds.values() for train, _ in each)
    scores = []
    for protocol, each in folds.items():
        decisions = np.zeros((len(true), len(labels)))
        for train, test in each:
            drawn = np.random.default_rng(seed).choice(train, n_train, replace=False)
            decisions[test] = _decide(table.values, true, np.sort(drawn), test, len(labels))
            on_fold()
        scores.append(_score(protocol, table, of_clip, decisions, each, resamples, seed))
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
    """Split segments at random: this is the mistake that the measurement shows."""
    try:
        from sklearn.model_selection import StratifiedKFold
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "evaluate") from error
    return list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(true, true))


def _fold(table: SegmentTable, parts: Sequence[str | None]) -> _Fold:
    testing = np.array([part == "test" for part in parts])[table.owner]
    return np.flatnonzero(~testing), np.flatnonzero(testing)


def _decide(values: Float64, true: Int64, train: Int64, test: Int64, n_labels: int) -> Float64:
    """Train, then return the score of each class for each test segment, (n, n_labels)."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    model = make_pipeline(StandardScaler(), SVC()).fit(values[train], true[train])
    found = model.decision_function(values[test])
    result = np.full((len(test), n_labels), -np.inf)  # for classes without training segments
    result[:, model.classes_] = found if found.ndim > 1 else np.stack([-found, found], axis=1)
    return result


def _score(
    protocol: str,
    table: SegmentTable,
    of_clip: Int64,
    decisions: Float64,
    folds: list[_Fold],
    resamples: int,
    seed: int,
) -> ProtocolScore:
    units = [clip.group or f"clip {index}" for index, clip in enumerate(table.clips)]
    right = decisions.argmax(axis=1) == of_clip[table.owner]
    bootstrap = {"resamples": resamples, "seed": seed}
    clips = None
    if protocol != "segment":
        sums = np.zeros((len(of_clip), decisions.shape[1]))
        np.add.at(sums, table.owner, decisions)
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
    samples = _rates(resampled_sums(terms, units, resamples=resamples, seed=seed))
    accuracy, macro = percentile_estimates(values, samples)
    recalls = [float(right[true == label].mean()) for label in range(classes.shape[1])]
    n_of_class = [
        len({unit for unit, of in zip(units, true.tolist(), strict=True) if of == label})
        for label in range(classes.shape[1])
    ]
    n_units = len(set(units))
    return Shares(
        checked_share(accuracy, n_units),
        checked_macro_recall(macro, recalls, n_of_class, n_units),
    )


def _rates(sums: Float64) -> Float64:
    """Return accuracy and macro recall, (n, 2), from sizes and hits of the classes, (n, 2 c)."""
    size, hits = np.hsplit(sums, 2)
    recall = np.divide(hits, size, out=np.full_like(hits, np.nan), where=size > 0)
    return np.column_stack([hits.sum(axis=1) / size.sum(axis=1), np.nanmean(recall, axis=1)])


# ------------------------------------------------------------------------------- figure


def plot_leak(leak: Leak, path: Path) -> None:
    """Draw the accuracy of segments and clips under each protocol with its 95 % interval.

    Args:
        leak: the figures.
        path: path of the image; the extension selects the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    series: dict[str, dict[float, Estimate]] = {"3 s segments": {}, "whole clips": {}}
    for row, score in enumerate(leak.scores):
        shift = _BAR / 2 if score.clips else 0
        series["3 s segments"][row - shift] = score.segments.accuracy
        if score.clips:
            series["whole clips"][row + shift] = score.clips.accuracy
    names = [PROTOCOLS[score.protocol].replace(" (", "\n(") for score in leak.scores]
    with image_file(path, 5.6, 1.2 + 0.62 * len(leak.scores)) as figure:
        axes = figure.subplots()
        for (name, bars), (colour, hatch) in zip(
            series.items(), (("#9db8d2", ""), ("#e4ecf4", "//")), strict=True
        ):
            _draw_bars(axes, bars, facecolor=colour, edgecolor="#1f4e79", hatch=hatch, label=name)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="accuracy, %", xlim=(0, 100), ylim=(len(names) - 0.4, -0.6))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", fontsize=8)


def _draw_bars(axes: Any, bars: dict[float, Estimate], **style: str) -> None:
    """Draw horizontal bars of shares at their positions, with intervals and numbers."""
    positions, shares = list(bars), 100 * np.array(list(bars.values()))
    values, low, high = shares.T
    axes.barh(positions, values, height=_BAR, **style)
    errors = [values - low, high - values]
    axes.errorbar(values, positions, xerr=errors, fmt="none", ecolor="black", capsize=3)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    for position, share in bars.items():
        axes.text(1.5, position, percent(share.value), va="center", bbox=box)
