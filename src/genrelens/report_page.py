"""The page of a report: what an evaluation found, in words, figures and tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from genrelens.markup import Row, anchor, details, figure, paragraph, safe, section, table
from genrelens.metrics import accuracy, confusion_matrix, macro_recall, wilson_interval
from genrelens.predictions import PredictionTable

if TYPE_CHECKING:
    from genrelens.scores import Estimate, RejectionPoint, Scores

__all__ = ["Report", "Section", "page", "per_round"]

_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)  # of the clips, in the table
_NAMES = {
    "model_sha256": "model file, SHA-256", "data_fingerprint": "data fingerprint",
    "split_sha256": "split file, SHA-256", "predictions_sha256": "predictions file, SHA-256",
    "commit": "git commit", "seconds": "wall time, s",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report that not every report has.

    Attributes:
        title: its heading.
        text: a paragraph.
        header: of the columns of a table; empty for no table.
        rows: of the table; the first cell of each is its heading.
        caption: of the table.

    """

    title: str
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Row] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a report is made of; ``write_report`` says what each is."""

    title: str
    table: PredictionTable
    scores: Scores
    provenance: Mapping[str, Any]
    sections: Sequence[Section] = ()
    before: Scores | None = None
    failed: Sequence[str] = ()


def page(report: Report, figures: Mapping[str, bytes]) -> str:
    """Return the report as one HTML page that needs no other file.

    Args:
        report: what it says.
        figures: SVG pictures ``confusion``, ``recall``, ``reliability`` and ``rejection``.

    """
    parts = {
        "Figures": _headline(report.scores),
        "Genres": _genres(report.scores, figures["recall"]),
        "Confusions": _confusions(report.scores, figures["confusion"]),
        "Calibration": _calibration(report, figures["reliability"]),
        "Answering only when sure": _rejection(report.scores, figures["rejection"]),
        "Worst clips": _worst(report.scores),
        "Rounds": _rounds(report.table),
        **{extra.title: _extra(extra) for extra in report.sections},
        "Clips that could not be read": _failed(report.failed),
        "How this was made": _provenance(report.provenance),
    }
    shown = {title: body for title, body in parts.items() if body}
    template = resources.files("genrelens") / "report.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=safe(report.title),
        summary="\n".join(paragraph(text) for text in _summary(report.scores)),
        contents="\n".join(f'<a href="#{anchor(t)}">{safe(t)}</a>' for t in shown),
        sections="\n".join(section(title, body) for title, body in shown.items()),
        version=safe(report.provenance.get("genrelens", "")),
        date=safe(report.provenance.get("date", "")),
    )


# ---------------------------------------------------------------------------------- words


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"


def _interval(estimate: Estimate) -> str:
    """``66.9 % (59.2 to 74.1 %)``."""
    value, low, high = estimate
    if math.isnan(low):
        return _percent(value)
    return f"{_percent(value)} ({100 * low:.1f} to {100 * high:.1f} %)"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _summary(scores: Scores) -> Iterable[str]:
    """Say the result in plain words."""
    right = int(np.trace(scores.confusion))
    groups = f" from {_counted(scores.n_groups, 'group')}" if scores.n_groups is not None else ""
    value, low, high = scores.accuracy
    yield (
        f"On {_counted(scores.n, 'clip')}{groups} the model was right for {right}: "
        f"{_percent(value)}. With 95 % confidence its accuracy on such music lies between "
        f"{_percent(low)} and {_percent(high)}."
    )
    support = scores.confusion.sum(axis=1)
    commonest = scores.labels[int(support.argmax())]
    yield (
        f"With every genre counted alike it is {_percent(scores.macro_recall.value)} (macro "
        f"recall). Always answering {commonest} would be right for "
        f"{_percent(support.max() / scores.n)}."
    )
    found = sorted((c for c in scores.per_class if c.support), key=lambda c: c.recall.value)
    if len(found) > 1:
        best, worst = found[-1], found[0]
        yield (
            f"Found best: {best.label}, {_percent(best.recall.value)} of "
            f"{_counted(best.support, 'clip')}. Found worst: {worst.label}, "
            f"{_percent(worst.recall.value)} of {_counted(worst.support, 'clip')}."
        )
    yield (
        f"It gives its answers a probability of {_percent(_confidence(scores))} on average, and "
        f"{_percent(value)} of them are right."
    )


def _confidence(scores: Scores) -> float:
    """Mean probability of the predicted genre."""
    return sum(b.n * b.confidence for b in scores.reliability if b.n) / scores.n


def _how(scores: Scores) -> str:
    """Say how the intervals were made."""
    resamples, unit = scores.bootstrap["resamples"], scores.bootstrap["unit"]
    drawn = (
        "whole groups drawn with replacement, since the clips of one artist are alike"
        if unit == "group"
        else "clips drawn with replacement as if they were independent; clips of one artist are "
        "not, and with known groups the intervals would be wider"
    )
    low, high = wilson_interval(int(np.trace(scores.confusion)), scores.n)
    return (
        f"Intervals are of 95 %, by percentile bootstrap: {resamples} times {drawn} (seed "
        f"{scores.bootstrap['seed']}). For comparison, the Wilson interval of the accuracy for "
        f"independent clips is {_percent(low)} to {_percent(high)}. None of them covers how much "
        "another training run or other music would change the figures."
    )


# ------------------------------------------------------------------------------- sections


def _headline(scores: Scores) -> str:
    shares = {
        "accuracy": scores.accuracy, "macro recall": scores.macro_recall,
        "macro F1": scores.macro_f1, "genre among the two most probable": scores.top2,
    }  # fmt: skip
    rows = [_bounds(name, estimate) for name, estimate in shares.items()]
    rows.append(("log loss, nats", *(f"{number:.3f}" for number in scores.log_loss)))
    rows.append(_bounds("expected calibration error", scores.ece))
    people = _counted(scores.n, "clip")
    if scores.n_groups is not None:
        people += f", {_counted(scores.n_groups, 'group')}"
    header = ("", "value", "95 % from", "to")
    return table(f"All figures rest on {people}", header, rows) + paragraph(_how(scores))


def _bounds(name: str, estimate: Estimate) -> tuple[str, ...]:
    return (name, *(_percent(number) for number in estimate))


def _genres(scores: Scores, picture: bytes) -> str:
    header = ("genre", "clips", "recall", "95 %", "precision", "95 %", "F1", "95 %")
    rows = [
        (c.label, c.support, *_split(c.recall), *_split(c.precision), *_split(c.f1))
        for c in scores.per_class
    ]
    recalls = ", ".join(f"{c.label} {_percent(c.recall.value)}" for c in scores.per_class)
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
    return f"{value:.1f}", "-" if math.isnan(low) else f"{low:.0f} to {high:.0f}"


def _confusions(scores: Scores, picture: bytes) -> str:
    labels, counts = scores.labels, scores.confusion
    wrong = counts - np.diag(np.diagonal(counts))
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    worst = (
        f"The commonest mistake: {_counted(int(wrong.max()), 'clip')} of {labels[true]} taken for "
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


def _calibration(report: Report, picture: bytes) -> str:
    scores, before = report.scores, report.before
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
        (f"{100 * b.low:.0f} to {100 * b.high:.0f} %", b.n, _percent(b.confidence),
         _percent(b.accuracy)) for b in scores.reliability
    ]  # fmt: skip
    data = table("Clips by the probability of the predicted genre",
                 ("probability", "clips", "on average", "right"), rows)  # fmt: skip
    caption = (
        "Reliability diagram: on the dotted diagonal a probability means what it says, below it "
        "the model is too sure. Bars are 95 % Wilson intervals; below, how many clips each point "
        "stands for."
    )
    alt = f"Reliability diagram; expected calibration error {_percent(scores.ece.value)}"
    return paragraph(text) + figure(picture, alt, caption) + details("The bins as a table", data)


def _rejection(scores: Scores, picture: bytes) -> str:
    points = [p for share in _SHARES if (p := _at_coverage(scores.rejection, share)) is not None]
    rows = [
        (_percent(p.coverage), f"{p.threshold:.3f}", _percent(p.accuracy))
        for p in dict.fromkeys(points)
    ]
    data = table("Accuracy if the model may say \"don't know\"",
                 ("clips answered", "probability at least", "of these right"), rows)  # fmt: skip
    caption = "Only the clips that the model is surest of get an answer; the fewer, the righter."
    half = _at_coverage(scores.rejection, 0.5)
    alt = "Curve of the accuracy against the share of the clips that get an answer"
    if half is not None:
        alt += f"; {_percent(half.accuracy)} where {_percent(half.coverage)} get one"
    return figure(picture, alt, caption) + data


def _at_coverage(points: Sequence[RejectionPoint], share: float) -> RejectionPoint | None:
    """Find the largest coverage up to ``share``."""
    fitting = [point for point in points if 0 < point.coverage <= share + 1e-9]
    return max(fitting, key=lambda point: point.coverage, default=None)


def _worst(scores: Scores) -> str:
    wrong = [clip for clip in scores.worst if clip.true != clip.predicted]
    if not wrong:
        return paragraph("No clip was classified wrong.")
    rows = [
        (c.clip, c.true, c.predicted, _percent(c.probability_of_predicted),
         _percent(c.probability_of_true)) for c in wrong
    ]  # fmt: skip
    header = ("clip", "true", "taken for", "with", "true one had")
    return table("Wrong answers, the surest first", header, rows, words=3)


def per_round(predictions: PredictionTable) -> list[tuple[int, int, float, float]]:
    """Return number, clips, accuracy and macro recall of each round; none without rounds."""
    if predictions.rounds is None:
        return []
    result = []
    for number in np.unique(predictions.rounds):
        part = predictions.select(np.flatnonzero(predictions.rounds == number))
        counts = confusion_matrix(part.true.tolist(), part.predicted.tolist(), len(part.labels))
        result.append((int(number), part.n, accuracy(counts), macro_recall(counts)))
    return result


def _rounds(predictions: PredictionTable) -> str:
    rounds = per_round(predictions)
    if not rounds:
        return ""
    rows: list[Row] = [(f"round {k}", n, _percent(a), _percent(m)) for k, n, a, m in rounds]
    columns = [np.array(column) for column in list(zip(*rounds, strict=True))[2:]]
    rows.append(("mean of the rounds", predictions.n, *(_percent(c.mean()) for c in columns)))
    if len(rounds) > 1:
        spread = (_percent(float(c.std(ddof=1))) for c in columns)
        rows.append(("standard deviation", "", *spread))
    text = "Each round trained a model of its own and judged it by the clips kept back from it."
    return paragraph(text) + table("Rounds", ("", "clips", "accuracy", "macro recall"), rows)


def _extra(extra: Section) -> str:
    tables = table(extra.caption or extra.title, extra.header, extra.rows) if extra.header else ""
    return paragraph(extra.text) + tables


def _failed(failed: Sequence[str]) -> str:
    items = "\n".join(f"<li>{safe(message)}</li>" for message in failed)
    return f"{paragraph('They are in no figure.')}\n<ul>{items}</ul>" if failed else ""


def _provenance(provenance: Mapping[str, Any]) -> str:
    rows = [
        (_NAMES.get(key, key.replace("_", " ")), _words(value))
        for key, value in provenance.items()
        if value is not None
    ]
    whole = table("What it takes to get the same figures again", ("", ""), rows, words=2)
    return f'<div class="long">{whole}</div>'


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)
