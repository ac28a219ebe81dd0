"""Sections of a report on scores: each a figure, what it shows in words, and its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genrelens.evaluation.metrics import accuracy, confusion_matrix, macro_recall
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.report.markup import Row, details, figure, paragraph, table

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import ConditionScores, Robustness
    from genrelens.evaluation.scores import Estimate, RejectionPoint, Scores

__all__ = [
    "calibration_section",
    "confusions_section",
    "counted",
    "genres_section",
    "percent",
    "rejection_section",
    "robustness_section",
    "rounds_section",
    "worst_section",
]

_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)  # of the clips, in the table
_SHOWN = 20  # of the worst clips; the others on a click
_MARKS = {"bootstrap": "", "wilson": ", Wilson", "none": ""}


def percent(share: float) -> str:
    """Write a share: ``66.9 %``, or ``-`` for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"


def _interval(estimate: Estimate) -> str:
    """``66.9 % (59.2 to 74.1 %)``, with ``Wilson`` in the brackets if it is Wilson's."""
    value, low, high = estimate
    if math.isnan(low):
        return f"{percent(value)} (no interval)"
    return f"{percent(value)} ({100 * low:.1f} to {100 * high:.1f} %{_MARKS[estimate.method]})"


def counted(n: int, noun: str) -> str:
    """``1 clip`` or ``2 clips``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


# ------------------------------------------------------------------------------- sections


def genres_section(scores: Scores, picture: bytes) -> str:
    """Return recall, precision and F1 of each genre."""
    header = ("genre", "clips", "recall", "95 %", "precision", "95 %", "F1", "95 %")
    rows = [
        (c.label, c.support, *_split(c.recall), *_split(c.precision), *_split(c.f1))
        for c in scores.per_class
    ]
    recalls = ", ".join(f"{c.label} {percent(c.recall.value)}" for c in scores.per_class)
    return figure(
        picture,
        f"Bars of the recall of each genre: {recalls}",
        "Recall: the share of a genre's clips that were found, with 95 % intervals; the number of "
        "clips in brackets.",
    ) + table("Recall, precision and F1 of each genre, in %", header, rows)


def _split(estimate: Estimate) -> tuple[str, str]:
    value, low, high = (100 * number for number in estimate)
    if math.isnan(value):
        return "-", "-"
    mark = _MARKS[estimate.method]
    return f"{value:.1f}", "-" if math.isnan(low) else f"{low:.0f} to {high:.0f}{mark}"


def confusions_section(scores: Scores, picture: bytes) -> str:
    """Return what was taken for what."""
    labels, counts = scores.labels, scores.confusion
    wrong = counts - np.diag(np.diagonal(counts))
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    worst = (
        f"The commonest mistake: {counted(int(wrong.max()), 'clip')} of {labels[true]} taken for "
        f"{labels[taken]}."
        if wrong.any()
        else "There is no mistake."
    )
    rows = [
        (label, *(int(n) if n else "." for n in row), int(row.sum()))
        for label, row in zip(labels, counts, strict=True)
    ]
    data = table("Rows are true, columns predicted", ("", *labels, "clips"), rows)
    caption = "Rows are the true genre, columns the predicted one; dark: a large share of the row."
    picture_of = figure(picture, f"Confusion matrix. {worst}", caption)
    return picture_of + paragraph(worst) + details("The counts as a table", data)


def calibration_section(scores: Scores, before: Scores | None, picture: bytes) -> str:
    """Return how far the probabilities can be believed, also ``before`` a calibration."""
    text = (
        f"A probability of 70 % should be right seven times of ten. The expected calibration error "
        f"is the mean distance from that: {_interval(scores.ece)}."
    )
    if before is not None:
        text += (
            f" Before the calibration it was {_interval(before.ece)}, and the log loss "
            f"{before.log_loss.value:.3f} instead of {scores.log_loss.value:.3f} nats."
        )
    rows = [
        (
            f"{100 * b.low:.0f} to {100 * b.high:.0f} %",
            b.n,
            percent(b.confidence),
            percent(b.accuracy),
        )
        for b in scores.reliability
    ]
    data = table(
        "Clips by the probability of the predicted genre",
        ("probability", "clips", "on average", "right"),
        rows,
    )
    caption = (
        "Reliability diagram: on the dotted diagonal a probability means what it says, below it "
        "the model is too sure. Bars are 95 % Wilson intervals; below, how many clips each point "
        "stands for."
    )
    alt = f"Reliability diagram; expected calibration error {percent(scores.ece.value)}"
    return paragraph(text) + figure(picture, alt, caption) + details("The bins as a table", data)


def rejection_section(scores: Scores, picture: bytes) -> str:
    """Return the accuracy where only the surest clips get an answer."""
    points = [p for share in _SHARES if (p := _at_coverage(scores.rejection, share)) is not None]
    rows = [
        (
            percent(p.coverage),
            round(p.coverage * scores.n),
            f"{p.threshold:.3f}",
            percent(p.accuracy),
        )
        for p in dict.fromkeys(points)
    ]
    header = ("answered", "clips", "probability at least", "of these right")
    data = table('Accuracy if the model may say "don\'t know"', header, rows)
    caption = "Only the clips that the model is surest of get an answer; in grey, 95 % intervals."
    half = _at_coverage(scores.rejection, 0.5)
    alt = "Curve of the accuracy against the share of the clips that get an answer"
    if half is not None:
        alt += f"; {percent(half.accuracy)} where {percent(half.coverage)} get one"
    return figure(picture, alt, caption) + data


def _at_coverage(points: Sequence[RejectionPoint], share: float) -> RejectionPoint | None:
    """Find the largest coverage up to ``share``."""
    fitting = [point for point in points if 0 < point.coverage <= share + 1e-9]
    return max(fitting, key=lambda point: point.coverage, default=None)


def worst_section(scores: Scores) -> str:
    """Return the wrong answers, the surest first."""
    wrong = [clip for clip in scores.worst if clip.true != clip.predicted]
    if not wrong:
        return paragraph("No clip was classified wrong.")
    rows = [
        (
            c.clip,
            c.true,
            c.predicted,
            percent(c.probability_of_predicted),
            percent(c.probability_of_true),
        )
        for c in wrong
    ]
    header = ("clip", "true", "taken for", "with", "true one had")
    shown = table("Wrong answers, the surest first", header, rows[:_SHOWN], words=3)
    if len(rows) <= _SHOWN:
        return shown
    more = table("Wrong answers, less sure", header, rows[_SHOWN:], words=3)
    return shown + details(f"{len(rows) - _SHOWN} more", more)


def _per_round(predictions: PredictionTable) -> list[tuple[int, int, float, float]]:
    """Return number, clips, accuracy and macro recall of each round; none without rounds."""
    if predictions.rounds is None:
        return []
    result = []
    for number in np.unique(predictions.rounds):
        part = predictions.select(np.flatnonzero(predictions.rounds == number))
        counts = confusion_matrix(part.true.tolist(), part.predicted.tolist(), len(part.labels))
        result.append((int(number), part.n, accuracy(counts), macro_recall(counts)))
    return result


def rounds_section(predictions: PredictionTable) -> str:
    """Return what each round found, with mean and spread; nothing without rounds."""
    rounds = _per_round(predictions)
    if not rounds:
        return ""
    rows: list[Row] = [(f"round {k}", n, percent(a), percent(m)) for k, n, a, m in rounds]
    columns = [np.array(column) for column in list(zip(*rounds, strict=True))[2:]]
    rows.append(("mean of the rounds", predictions.n, *(percent(c.mean()) for c in columns)))
    if len(rounds) > 1:
        spread = (percent(float(c.std(ddof=1))) for c in columns)
        rows.append(("standard deviation", "", *spread))
    text = "Each round trained a model of its own and judged it by the clips kept back from it."
    return paragraph(text) + table("Rounds", ("", "clips", "accuracy", "macro recall"), rows)


def robustness_section(robustness: Robustness | None, picture: bytes) -> str:
    """Return what the model said under other conditions; nothing if that was not measured."""
    if robustness is None:
        return ""
    first, *others = robustness.rows
    rows = [_condition(row, None if row is first else row.difference) for row in robustness.rows]
    header = (
        "condition",
        "accuracy",
        "95 %",
        "macro recall",
        "difference",
        "95 %",
        "other answers",
        "surer by",
    )
    described = [(row.condition, row.description) for row in robustness.rows]
    meanings = table("The conditions", ("condition", "recordings"), described, words=2)
    caption = (
        f"{counted(first.n, 'clip')}, in % and points; the difference to {first.condition!r} and "
        "its interval are paired, clip by clip"
    )
    told = [row.condition for row in others if row.difference.low > 0 or row.difference.high < 0]
    text = (
        "The same clips after changes that leave the genre as it was. "
        + (
            f"The 95 % interval of the difference leaves out zero for {', '.join(told)}."
            if told
            else "The 95 % interval of every difference holds zero."
        )
        + " A model that hears the music alone loses nothing without what is below 30 Hz, or 20 dB "
        "quieter."
    )
    values = ", ".join(f"{row.condition} {percent(row.accuracy.value)}" for row in robustness.rows)
    drawn = figure(
        picture,
        f"Bars of the accuracy under each condition: {values}",
        f"Accuracy with 95 % intervals; the dashed line is {first.condition!r}.",
    )
    return paragraph(text) + drawn + meanings + table(caption, header, rows)


def _condition(row: ConditionScores, difference: Estimate | None) -> Row:
    change = ("-", "-")
    if difference is not None:
        value, low, high = (f"{100 * number:+.1f}" for number in difference)
        change = (value, f"{low} to {high}{_MARKS[difference.method]}")
    return (
        row.condition,
        *_split(row.accuracy),
        f"{100 * row.macro_recall.value:.1f}",
        *change,
        f"{100 * row.changed:.1f}",
        f"{100 * row.confidence_change:+.1f}",
    )
