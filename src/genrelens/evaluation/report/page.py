"""The page of a report: what an evaluation found, in words, figures and tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from genrelens.evaluation.estimates import FIGURES
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.report.markup import Row, anchor, paragraph, safe, section, table
from genrelens.evaluation.report.sections import (
    calibration_section,
    confusions_section,
    counted,
    genres_section,
    percent,
    rejection_section,
    robustness_section,
    rounds_section,
    worst_section,
)
from genrelens.evaluation.wilson import note

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness
    from genrelens.evaluation.scores import Estimate, Scores

__all__ = ["Report", "Section", "page"]

_NAMES = {
    "model_sha256": "model file, SHA-256",
    "model_data_fingerprints": "data fingerprints of the training",
    "data_fingerprint": "data fingerprint",
    "split_sha256": "split file, SHA-256",
    "predictions_sha256": "predictions file, SHA-256",
    "commit": "git commit",
    "seconds": "wall time, s",
}

_TELLING = 10  # clips of a genre: of fewer, the best and the worst are chance


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
    robustness: Robustness | None = None
    failed: Sequence[str] = ()


def page(report: Report, figures: Mapping[str, bytes]) -> str:
    """Return the report as one HTML page that needs no other file.

    Args:
        report: what it says.
        figures: SVG pictures ``confusion``, ``recall``, ``reliability``, ``rejection`` and, if
            it was measured, ``robustness``.

    """
    from genrelens import __version__

    parts = {
        "Figures": _headline(report),
        "Genres": genres_section(report.scores, figures["recall"]),
        "Confusions": confusions_section(report.scores, figures["confusion"]),
        "Calibration": calibration_section(report.scores, report.before, figures["reliability"]),
        "Answering only when sure": rejection_section(report.scores, figures["rejection"]),
        "Worst clips": worst_section(report.scores),
        "Rounds": rounds_section(report.table),
        "Robustness": robustness_section(report.robustness, figures.get("robustness", b"")),
        **{extra.title: _extra(extra) for extra in report.sections},
        "Clips that could not be read": _failed(report.failed),
        "How this was made": _provenance(report.provenance),
    }
    shown = {title: body for title, body in parts.items() if body}
    template = resources.files("genrelens.evaluation.report") / "report.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=safe(report.title),
        summary="\n".join(paragraph(text) for text in _summary(report)),
        contents="\n".join(f'<a href="#{anchor(t)}">{safe(t)}</a>' for t in shown),
        sections="\n".join(section(title, body) for title, body in shown.items()),
        version=safe(__version__),
    )


# ---------------------------------------------------------------------------------- words


def _judged(report: Report) -> str:
    """``160 clips from 87 groups``."""
    scores = report.scores
    n_clips = len(set(report.table.clips))
    groups = f" from {counted(scores.n_groups, 'group')}" if scores.n_groups is not None else ""
    again = f", judged {scores.n} times in all" if n_clips < scores.n else ""
    return f"{counted(n_clips, 'clip')}{groups}{again}"


def _summary(report: Report) -> Iterable[str]:
    """Say the result in plain words."""
    scores = report.scores
    value, low, high = scores.accuracy
    one = report.table.rounds is None
    yield (
        f"On {_judged(report)}, {'the model was' if one else 'the models of the rounds were'} "
        f"right {int(np.trace(scores.confusion))} times: {percent(value)}. The 95 % interval of "
        f"this accuracy is {percent(low)} to {percent(high)}."
    )
    yield _of_training(report.table)
    support = scores.confusion.sum(axis=1)
    commonest = scores.labels[int(support.argmax())]
    yield (
        f"With every genre counted alike it is {percent(scores.macro_recall.value)} (macro "
        f"recall). Always answering {commonest} would be right for "
        f"{percent(support.max() / scores.n)}."
    )
    telling = [each for each in scores.per_class if each.support >= _TELLING]
    found = sorted(telling, key=lambda each: each.recall.value)
    if len(found) > 1:
        best, last = found[-1], found[0]
        yield (
            f"Found best: {best.label}, {percent(best.recall.value)} of "
            f"{counted(best.support, 'clip')}. Found worst: {last.label}, "
            f"{percent(last.recall.value)} of {counted(last.support, 'clip')}."
        )
    if scores.absent:
        yield f"There is no clip of {', '.join(scores.absent)}, which are in no mean."
    yield (
        f"On average its answers come with a probability of {percent(_confidence(scores))}, and "
        f"{percent(value)} of them are right."
    )


def _of_training(predictions: PredictionTable) -> str:
    """Write whether clips were in the model's training; nothing if it is not known."""
    if predictions.training_warning:
        return f"Warning: {predictions.training_warning}."
    if predictions.in_training is None:
        return ""
    return (
        "None of the clips was in the model's training. They were compared by content; a "
        "re-encoded copy or an excerpt is not recognised."
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
    shown = [getattr(scores, name) for name in FIGURES]
    other = note([*shown, *(rate for c in scores.per_class for rate in c[2:])], unit)
    return (
        f"Intervals are of 95 %, by percentile bootstrap: {resamples} times {drawn} (seed "
        f"{scores.bootstrap['seed']}). For comparison, the Wilson interval of the accuracy for "
        f"independent clips is {percent(low)} to {percent(high)}. None of them covers how much "
        f"another training run or other music would change the figures. {other}"
    )


# ------------------------------------------------------------------------------- sections


def _headline(report: Report) -> str:
    scores = report.scores
    shares = {
        "accuracy": scores.accuracy,
        "macro recall": scores.macro_recall,
        "macro F1": scores.macro_f1,
        "genre among the two most probable": scores.top2,
    }
    rows = [_bounds(name, estimate) for name, estimate in shares.items()]
    loss = ("-" if math.isnan(number) else f"{number:.3f}" for number in scores.log_loss)
    rows.append(("log loss, nats", *loss, scores.log_loss.method))
    rows.append(_bounds("expected calibration error", scores.ece))
    caption = f"All figures rest on {_judged(report)}"
    figures = table(caption, ("figure", "value", "95 % from", "to", "interval"), rows)
    few = paragraph(scores.few_clips_note)
    return f'<div class="figures">{figures}</div>{paragraph(_how(scores))}{few}'


def _bounds(name: str, estimate: Estimate) -> tuple[str, ...]:
    return (name, *(percent(number) for number in estimate), estimate.method)


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
    whole = table("What it takes to get the same figures again", ("what", "value"), rows, words=2)
    return f'<div class="long">{whole}</div>'


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
