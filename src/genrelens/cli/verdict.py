"""What ``genrelens evaluate`` prints, and what it notes of where a figure comes from."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrelens.cli.console import out
from genrelens.cli.figures import interval_text, with_interval
from genrelens.data.folders import LabelledClip
from genrelens.evaluation.estimates import FIGURES
from genrelens.evaluation.evaluate import Evaluation
from genrelens.evaluation.metrics import recalls
from genrelens.evaluation.provenance import data_fingerprint, environment
from genrelens.evaluation.wilson import note as wilson_note
from genrelens.files import sha256
from genrelens.model_file import DEFAULT_MODEL, ModelMetadata, packaged_models
from genrelens.training_audio import TrainingAudio

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness
    from genrelens.evaluation.scores import Scores

__all__ = [
    "data_provenance",
    "evaluation_provenance",
    "model_provenance",
    "predictions_provenance",
    "print_verdict",
]

_SHARES = {"macro F1": "macro_f1", "top 2": "top2", "calibration": "ece"}


def print_verdict(
    evaluation: Evaluation,
    scores: Scores | None,
    robustness: Robustness | None,
    provenance: Mapping[str, Any],
) -> None:
    """Print figures and confusion matrix."""
    failed = f" ({len(evaluation.failed)} more could not be read)" if evaluation.failed else ""
    groups = "" if scores is None or scores.n_groups is None else f" from {scores.n_groups} groups"
    out.print(f"model         {evaluation.model}", soft_wrap=True)
    out.print(f"clips         {evaluation.n}{groups}{failed}", soft_wrap=True)
    _print_training(evaluation, provenance)
    low, high = evaluation.accuracy_interval
    if scores is None:
        interval = f"95 % interval {low:.1%} to {high:.1%}"
        out.print(f"accuracy      {evaluation.accuracy:.1%} ({interval})", soft_wrap=True)
        out.print(f"macro recall  {evaluation.macro_recall:.1%}")
    else:
        _print_scores(scores, (low, high))
    _print_confusion(evaluation)
    if robustness is not None:
        _print_robustness(robustness)


def _print_training(evaluation: Evaluation, provenance: Mapping[str, Any]) -> None:
    """Print whether clips were in the training, if a model was judged or the predictions say it."""
    if warning := evaluation.table.training_warning:
        out.print(f"warning       {warning}", style="yellow", soft_wrap=True)
    elif "training_recordings" in provenance:
        n = provenance["training_recordings"]
        unknown = "the model file does not say which recordings it was trained on"
        none = f"none of its {n} recordings is among these clips"
        out.print(f"training      {unknown if n is None else none}", soft_wrap=True)


def _print_scores(scores: Scores, wilson: tuple[float, float]) -> None:
    interval = f"95 % interval {interval_text(scores.accuracy)}"
    out.print(f"accuracy      {scores.accuracy.value:.1%} ({interval})", soft_wrap=True)
    out.print(f"macro recall  {with_interval(scores.macro_recall)}")
    for name, field in _SHARES.items():
        meaning = " expected error of the probabilities" if field == "ece" else ""
        out.print(f"{name:<12}  {with_interval(getattr(scores, field))}{meaning}", soft_wrap=True)
    out.print(f"log loss      {with_interval(scores.log_loss, '{:.3f}')}")
    unit = scores.bootstrap["unit"]
    independent = f"{wilson[0]:.1%} to {wilson[1]:.1%} (Wilson)"
    shown = [getattr(scores, name) for name in FIGURES]
    bootstrap = f"bootstrap, {unit}s drawn {scores.bootstrap['resamples']} times"
    out.print(
        f"Intervals: {bootstrap}; for independent clips the accuracy's would be {independent}",
        soft_wrap=True,
    )
    for sentence in filter(None, (wilson_note(shown, unit), scores.few_clips_note)):
        out.print(sentence, soft_wrap=True)


def _print_confusion(evaluation: Evaluation) -> None:
    from rich.table import Table

    out.print("\nConfusion matrix: rows are true, columns predicted", soft_wrap=True)
    table = Table("", box=None, pad_edge=False)
    for label in (*evaluation.labels, "recall"):
        table.add_column(label, justify="right", overflow="fold")
    for label, row, recall in zip(
        evaluation.labels, evaluation.confusion.tolist(), recalls(evaluation.confusion), strict=True
    ):
        counts = [str(count) if count else "." for count in row]
        table.add_row(label, *counts, "-" if recall != recall else f"{recall:.0%}")
    out.print(table)


def _print_robustness(robustness: Robustness) -> None:
    from rich.table import Table

    out.print("\nUnder changes that leave the genre as it is", soft_wrap=True)
    table = Table("", "accuracy", "difference (95 %)", "other answers", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    first, *others = robustness.rows
    table.add_row(first.condition, f"{first.accuracy.value:.1%}", "", "")
    for row in others:
        change = with_interval(row.difference, "{:+.1%}")
        table.add_row(row.condition, f"{row.accuracy.value:.1%}", change, f"{row.changed:.1%}")
    out.print(table)
    differences = [row.difference for row in others]
    if sentence := wilson_note(differences, robustness.bootstrap["unit"]):
        out.print(sentence, soft_wrap=True)


# ------------------------------------------------------------------------------ provenance


def model_provenance(model: str | None, metadata: ModelMetadata) -> dict[str, Any]:
    """Name a model by its content.

    Raises:
        DataError: its file can no longer be read.

    """
    name = DEFAULT_MODEL if model is None else model
    if name in packaged_models():
        packaged = resources.files("genrelens") / "models" / f"{name}.onnx"
        with resources.as_file(packaged) as path:
            digest = sha256(path)
    else:
        digest = sha256(Path(name))
    audio = TrainingAudio.from_provenance(metadata.provenance)
    return {
        "model": metadata.name,
        "model_sha256": digest,
        "training_recordings": None if audio is None else len(audio),
        "model_data_fingerprints": _training_fingerprints(metadata.provenance),
        "temperature": metadata.temperature,
    }


def _training_fingerprints(provenance: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the fingerprints of all clips of the training and of its parts, if they are stored.

    Models of former versions hold none that a report could be matched with.
    """
    data = provenance.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("fingerprints"), Mapping):
        return None
    return {"all": str(data.get("fingerprint")), **data["fingerprints"]}


def predictions_provenance(path: Path) -> dict[str, Any]:
    """Name a file of predictions, or that of a report, by its content.

    Raises:
        DataError: it cannot be read.

    """
    file = path / "predictions.csv" if path.is_dir() else path
    return {"predictions": path.resolve().name, "predictions_sha256": sha256(file)}


def data_provenance(
    folder: Path | None,
    clips: Sequence[LabelledClip],
    protocol: str,
    *,
    split: Path | None,
    groups: Path | None,
) -> dict[str, Any]:
    """Name clips and the files that chose and grouped them by their content.

    Raises:
        DataError: one of them cannot be read.

    """
    return {
        "data": None if folder is None else folder.resolve().name,
        "data_fingerprint": data_fingerprint(clips),
        "protocol": protocol,
        "split_sha256": None if split is None else sha256(split),
        "groups": None if groups is None else groups.name,
    }


def evaluation_provenance(renamed: Mapping[str, str], seed: int, seconds: float) -> dict[str, Any]:
    """Note how the figures were made."""
    return {
        "relabel": dict(renamed) or None,
        "seed": seed,
        "seconds": seconds,
        "command": shlex.join(["genrelens", *sys.argv[1:]]),
        **environment(),
    }
