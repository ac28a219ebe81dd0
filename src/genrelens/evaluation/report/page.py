"""The page of a report: the numbers as text for the template ``report.html``."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrelens import percentages
from genrelens.counts import count_of
from genrelens.evaluation.bootstrap import Estimate, interval_note
from genrelens.evaluation.metrics import (
    RejectionPoint,
    accuracy,
    confusion_matrix,
    macro_recall,
    wilson_interval,
)
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import FIGURES
from genrelens.html import render

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness
    from genrelens.evaluation.scores import Scores

__all__ = ["report_page"]

_NAMES = {
    "model_sha256": "model file, SHA-256",
    "model_data_fingerprints": "data fingerprints of the training",
    "data_fingerprint": "data fingerprint",
    "split_sha256": "split file, SHA-256",
    "predictions_sha256": "predictions file, SHA-256",
    "commit": "git commit",
    "seconds": "wall time, s",
}
_MEANINGFUL = 10  # clips of a genre; with fewer, the best and the worst recall are chance
_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)  # in the table of rejection
_SHOWN = 20  # wrong answers; further ones are folded
_MARKS = {"bootstrap": "", "wilson": ", Wilson", "none": ""}

Row = Sequence[object]


def report_page(
    title: str,
    table: PredictionTable,
    scores: Scores,
    provenance: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    *,
    before: Scores | None = None,
    robustness: Robustness | None = None,
    failed: Sequence[str] = (),
) -> str:
    """Return the report as one HTML page that refers to no other file.

    Args:
        title: title of the page.
        table: the predictions.
        scores: figures of ``table``.
        provenance: what is needed to reproduce the figures.
        pictures: SVG files ``confusion``, ``recall``, ``reliability``, ``rejection`` and, with
            ``robustness``, ``robustness``.
        before: figures of the same clips before the calibration.
        robustness: figures under other conditions.
        failed: messages about the clips that could not be read.

    """
    from genrelens import __version__

    return render(
        "evaluation/report/report.html",
        title=title,
        version=__version__,
        anchor=_anchor,
        percent=_percent,
        counted=count_of,
        interval=_interval,
        scores=scores,
        before=before,
        failed=failed,
        pictures={name: base64.b64encode(data).decode() for name, data in pictures.items()},
        clips=_clips(table, scores),
        training=_training(table),
        headline=_headline(scores),
        **_summary(scores),
        genres=[
            (c.label, c.support, *_split(c.recall), *_split(c.precision), *_split(c.f1))
            for c in scores.per_class
        ],
        confusions=_confusions(scores),
        bins=[
            (f"{100 * b.low:.0f} to {_percent(b.high, 0)}", b.n, *map(_percent, b[3:]))
            for b in scores.reliability
        ],
        rejection=_rejection(scores),
        half=_at_coverage(scores.rejection, 0.5),
        wrong=_wrong(scores),
        shown=_SHOWN,
        rounds=_rounds(table),
        robustness=robustness,
        conditions=_conditions(robustness),
        descriptions=[
            (r.condition, r.description) for r in (robustness.rows if robustness else ())
        ],
        changed=_changed_conditions(robustness),
        provenance=[
            (_NAMES.get(key, key.replace("_", " ")), _plain(value))
            for key, value in provenance.items()
            if value is not None
        ],
    )


# ---------------------------------------------------------------------------- text of numbers


def _percent(share: float, digits: int = 1) -> str:
    return percentages.percent(share, digits).replace(" ", "\N{NO-BREAK SPACE}")


def _points(share: float, *, signed: bool = False, digits: int = 1) -> str:
    """Return a share as a number in percent, for tables with the unit in the caption."""
    return percentages.percent(share, digits, signed=signed).removesuffix(" %")


def _interval(estimate: Estimate) -> str:
    """Return text such as ``66.9 % (59.2 to 74.1 %)``, with ``Wilson`` for Wilson's interval."""
    value, low, high = estimate
    if math.isnan(low):
        return f"{_percent(value)} (no interval)"
    return f"{_percent(value)} ({_points(low)} to {_percent(high)}{_MARKS[estimate.method]})"


def _split(estimate: Estimate) -> tuple[str, str]:
    """Return a figure and its interval as numbers in percent."""
    value, low, high = estimate
    if math.isnan(low):
        return _points(value), "-"
    ends = f"{_points(low, digits=0)} to {_points(high, digits=0)}"
    return _points(value), ends + _MARKS[estimate.method]


def _anchor(title: str) -> str:
    """Return the identifier of a section for links."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------------------- parts of the page


def _clips(table: PredictionTable, scores: Scores) -> str:
    """Return a phrase such as ``160 clips from 87 groups``."""
    n_clips = len(set(table.clips))
    groups = f" from {count_of(scores.n_groups, 'group')}" if scores.n_groups is not None else ""
    again = f", classified {count_of(scores.n, 'time')} in all" if n_clips < scores.n else ""
    return f"{count_of(n_clips, 'clip')}{groups}{again}"


def _training(table: PredictionTable) -> str:
    """Return a note on clips that the model was trained on; empty if that is not known."""
    if table.training_warning:
        return f"Warning: {table.training_warning}."
    if table.in_training is None:
        return ""
    return (
        "None of the clips was in the model's training. They were compared by content; a "
        "re-encoded copy or an excerpt is not recognised."
    )


def _summary(scores: Scores) -> dict[str, Any]:
    """Return the values for the summary and the note on intervals."""
    n_right = int(np.trace(scores.confusion))
    support = scores.confusion.sum(axis=1)
    enough = [each for each in scores.per_class if each.support >= _MEANINGFUL]
    by_recall = sorted(enough, key=lambda each: each.recall.value)
    shown = [getattr(scores, name) for name in FIGURES]
    shown += [rate for c in scores.per_class for rate in c[2:]]
    return {
        "n_right": n_right,
        "commonest": scores.labels[int(support.argmax())],
        "share_of_commonest": support.max() / scores.n,
        "best": by_recall[-1] if len(enough) > 1 else None,
        "worst": by_recall[0] if len(enough) > 1 else None,
        "confidence": sum(b.n * b.confidence for b in scores.reliability if b.n) / scores.n,
        "wilson": wilson_interval(n_right, scores.n),
        "interval_note": interval_note(shown, scores.bootstrap["unit"]),
    }


def _headline(scores: Scores) -> list[Row]:
    names = {
        "accuracy": scores.accuracy,
        "macro recall": scores.macro_recall,
        "macro F1": scores.macro_f1,
        "genre among the two most probable": scores.top2,
    }
    rows: list[Row] = [
        (name, *map(_percent, estimate), estimate.method) for name, estimate in names.items()
    ]
    loss = ("-" if math.isnan(number) else f"{number:.3f}" for number in scores.log_loss)
    rows.append(("log loss, nats", *loss, scores.log_loss.method))
    rows.append(("expected calibration error", *map(_percent, scores.ece), scores.ece.method))
    return rows


def _confusions(scores: Scores) -> dict[str, Any]:
    """Return the counts as rows, and the most frequent mistake."""
    labels, counts = scores.labels, scores.confusion
    wrong = counts - np.diag(np.diagonal(counts))
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    mistake = "There are no mistakes."
    if wrong.any():
        mistake = (
            f"The most frequent mistake: {count_of(int(wrong.max()), 'clip')} of {labels[true]} "
            f"classified as {labels[predicted]}."
        )
    rows = [
        (label, *(int(n) if n else "." for n in row), int(row.sum()))
        for label, row in zip(labels, counts, strict=True)
    ]
    return {"mistake": mistake, "rows": rows}


def _rejection(scores: Scores) -> list[Row]:
    found = (_at_coverage(scores.rejection, share) for share in _COVERAGES)
    points = dict.fromkeys(point for point in found if point is not None)
    return [
        (
            _percent(p.coverage),
            round(p.coverage * scores.n),
            f"{p.threshold:.3f}",
            _percent(p.accuracy),
        )
        for p in points
    ]


def _at_coverage(points: Sequence[RejectionPoint], share: float) -> RejectionPoint | None:
    """Return the point with the largest coverage up to ``share``."""
    fitting = [point for point in points if 0 < point.coverage <= share + 1e-9]
    return max(fitting, key=lambda point: point.coverage, default=None)


def _wrong(scores: Scores) -> list[Row]:
    """Return the wrong answers, by falling confidence."""
    return [
        (
            c.clip,
            c.true,
            c.predicted,
            _percent(c.probability_of_predicted),
            _percent(c.probability_of_true),
        )
        for c in scores.worst
        if c.true != c.predicted
    ]


def _rounds(table: PredictionTable) -> list[Row]:
    """Return the figures of each round with mean and spread; none without rounds."""
    if table.rounds is None:
        return []
    numbers = np.unique(table.rounds)
    parts = [table.select(np.flatnonzero(table.rounds == number)) for number in numbers]
    matrices = [confusion_matrix(part.true, part.predicted, len(part.labels)) for part in parts]
    figures = np.array([[accuracy(counts), macro_recall(counts)] for counts in matrices])
    rows: list[Row] = [
        (f"round {number}", part.n, *map(_percent, values))
        for number, part, values in zip(numbers, parts, figures, strict=True)
    ]
    rows.append(("mean of the rounds", table.n, *map(_percent, figures.mean(axis=0))))
    if len(rows) > 2:
        rows.append(("standard deviation", "", *map(_percent, figures.std(axis=0, ddof=1))))
    return rows


def _conditions(robustness: Robustness | None) -> list[Row]:
    """Return the figures of each condition as numbers in percent."""
    rows: list[Row] = []
    for row in () if robustness is None else robustness.rows:
        change = ("-", "-")
        if rows:  # the others are compared with the first row
            value, low, high = (_points(number, signed=True) for number in row.difference)
            change = (value, f"{low} to {high}{_MARKS[row.difference.method]}")
        rows.append(
            (
                row.condition,
                *_split(row.accuracy),
                _points(row.macro_recall.value),
                *change,
                _points(row.changed),
                _points(row.confidence_change, signed=True),
            )
        )
    return rows


def _descriptions(robustness: Robustness | None) -> list[Row]:
    rows = () if robustness is None else robustness.rows
    return [(row.condition, row.description) for row in rows]


def _changed_conditions(robustness: Robustness | None) -> list[str]:
    """Return the conditions under which the interval of the difference excludes zero."""
    rows = () if robustness is None else robustness.rows[1:]
    return [row.condition for row in rows if row.difference.low > 0 or row.difference.high < 0]
