"""``genrelens evaluate``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from genrelens.classifier import Classifier
from genrelens.cli.console import (
    out,
    print_error,
    print_json,
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.cli.data_split import GroupColumn, Groups, Relabel, check_relabel, label_map
from genrelens.cli.endings import check_ending
from genrelens.cli.figures import figure_text, interval_text
from genrelens.cli.options import AsJson, Jobs, Model, SafeCsv, Seed, n_jobs
from genrelens.counts import count_of
from genrelens.data.folders import LabelledClip, Part, read_folder
from genrelens.data.selection import select_clips
from genrelens.data.splits import read_groups
from genrelens.errors import AudioError
from genrelens.evaluation.bootstrap import interval_note
from genrelens.evaluation.metrics import recalls
from genrelens.evaluation.provenance import (
    data_provenance,
    environment,
    model_provenance,
    predictions_provenance,
)
from genrelens.evaluation.run import Evaluation, evaluate_predictions, genres_of_labels
from genrelens.evaluation.run import evaluate as run_evaluation
from genrelens.evaluation.scores import FIGURES, Scores
from genrelens.percentages import percent, percent_range
from genrelens.quiet import quiet_libraries

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness

_PARTS = ("train", "valid", "test")
_SHARES = {"macro F1": "macro_f1", "top 2": "top2", "calibration": "ece"}


_Folder = Annotated[
    Path | None,
    typer.Argument(metavar="FOLDER", help="A folder with one subfolder for each genre."),
]
_SplitFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="CSV file with the columns clip and split.")
]
_Part = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Part of --split to evaluate on: train, valid or test.",
        show_default="valid",
    ),
]
_Predictions = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Evaluate the predictions of any model: a CSV file with the column clip and one "
        "column of probabilities for each genre, and the column genre if there is no FOLDER.",
    ),
]
_Report = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write a report: a web page, figures and all numbers."),
]
_Robustness = Annotated[
    bool,
    typer.Option(
        "--robustness",
        help="Also evaluate under conditions such as noise, a room, a codec or another speed.",
    ),
]
_Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw the confusion matrix as a PNG, PDF or SVG file."),
]


def evaluate(
    folder: _Folder = None,
    model: Model = None,
    split: _SplitFile = None,
    part: _Part = None,
    groups: Groups = None,
    group_column: GroupColumn = "group",
    relabel: Relabel = None,
    predictions: _Predictions = None,
    report: _Report = None,
    safe_csv: SafeCsv = False,
    robustness: _Robustness = False,
    seed: Seed = 0,
    as_json: AsJson = False,
    plot: _Plot = None,
    jobs: Jobs = 0,
) -> None:
    """Evaluate a model on labelled clips: accuracy, recall and calibration with 95 % intervals.

    If the model has genres that the folder does not have, it chooses from those of the folder; its
    accuracy among all its genres is shown as well. So is how many of the clips it was trained on.
    Exit code 1: some clips could not be read.

    Examples:
        genrelens evaluate my-genres
            Evaluate the default model.
        genrelens evaluate my-genres --model runs/mine/model.onnx --report report
            Write a report with all figures.
        genrelens evaluate my-genres --robustness --groups artists.csv
            Evaluate under noise, rooms and codecs, with intervals over artists.
        genrelens evaluate --predictions other.csv
            Evaluate the predictions of another model.

    """
    _check_request(folder, model, predictions, split, part, robustness=robustness)
    check_ending(report, "report", "--report")
    _check_outputs(report, plot)
    started = time.monotonic()
    data = _Selection(folder, split, part or "valid", groups, group_column, relabel or [])
    with quiet_libraries(), warnings_as_notes():
        if predictions is None:
            result, found, origin = _evaluate_model(data, model, jobs, seed, robustness=robustness)
        else:
            result, origin = _evaluate_file(data, predictions, seed)
            found = None
        seconds = round(time.monotonic() - started, 1)
        origin |= {**_among_all(result), **_run_provenance(label_map(relabel), seed, seconds)}
        if report is not None:
            _write_report(report, result, found, origin, safe_csv=safe_csv)
        if plot is not None:
            from genrelens.plots import plot_confusion

            plot_confusion(result.confusion, result.labels, plot)
    if as_json:
        print_json(_document(result, found, origin))
    else:
        _print_evaluation(result, found, origin)
    if result.failed:
        raise typer.Exit(1)


def _check_request(
    folder: Path | None,
    model: str | None,
    predictions: Path | None,
    split: Path | None,
    part: str | None,
    *,
    robustness: bool,
) -> None:
    if folder is None and predictions is None:
        raise typer.BadParameter("FOLDER or --predictions is missing")
    if folder is None and split is not None:
        raise typer.BadParameter("--split needs FOLDER")
    if part is not None and (split is None or part not in _PARTS):
        raise typer.BadParameter(f"--part needs --split and must be one of {', '.join(_PARTS)}")
    if predictions is not None and (model is not None or robustness):
        option = "--model" if model is not None else "--robustness"
        raise typer.BadParameter(f"--predictions cannot be combined with {option}")


def _check_outputs(report: Path | None, plot: Path | None) -> None:
    """Refuse outputs that cannot be written, before the work."""
    if plot is not None:
        from genrelens.plots import check_image_path

        check_image_path(plot)
    if report is not None:
        from genrelens.evaluation.report.write import check_report_folder

        check_report_folder(report)


# ----------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True)
class _Selection:
    """The clips to evaluate on.

    Attributes:
        folder: a folder with one subfolder for each genre, or None.
        split: a CSV file that assigns clips to parts; None for all clips.
        part: part of the split.
        groups: a CSV file with the groups, or None.
        group_column: column of the groups.
        relabel: the renamed genres, as given on the command line.

    """

    folder: Path | None
    split: Path | None
    part: str
    groups: Path | None
    group_column: str
    relabel: list[str]

    @property
    def renamed(self) -> dict[str, str]:
        """The renamed genres: old -> new."""
        return {old: new for old, new in label_map(self.relabel).items() if new}

    @property
    def left_out(self) -> set[str]:
        """The genres that are left out."""
        return label_map(self.relabel).keys() - self.renamed.keys()

    def clips(self) -> list[LabelledClip]:
        """Return the clips with their original labels; none without a folder."""
        if self.folder is None:
            return []
        return select_clips(
            self.folder,
            split=self.split,
            part=cast(Part, self.part),
            groups=self.groups,
            group_column=self.group_column,
            left_out=self.left_out,
        )

    def labels(self) -> set[str]:
        """Return the genres of the whole folder, with the names that a model may have for them."""
        labels = {clip.label for clip in read_folder(self.folder)} if self.folder else set()
        return labels | {self.renamed.get(label, label) for label in labels}

    @property
    def protocol(self) -> str:
        """The split in words, for the report."""
        return "all clips" if self.split is None else f"part {self.part} of {self.split.name}"


def _evaluate_model(
    data: _Selection, model: str | None, jobs: int, seed: int, *, robustness: bool
) -> tuple[Evaluation, Robustness | None, dict[str, Any]]:
    clips = data.clips()
    jobs = min(n_jobs(jobs), len(clips))
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    known = {*classifier.labels, *classifier.metadata.label_map}
    check_relabel(data.relabel, {*data.labels(), *classifier.labels})
    clips = [
        clip if clip.label in known else clip.renamed(data.renamed.get(clip.label, clip.label))
        for clip in clips
    ]
    options: dict[str, Any] = {"label_map": data.renamed, "jobs": jobs, "seed": seed}
    genres = genres_of_labels(classifier.metadata, data.labels() - data.left_out, data.renamed)
    with progress("Evaluating", len(clips)) as advance:

        def on_clip(_: LabelledClip, outcome: object) -> None:
            advance()
            if isinstance(outcome, AudioError):
                print_error(str(outcome))

        result = run_evaluation(classifier, clips, genres=genres, on_clip=on_clip, **options)
    unreadable = {error.source for error in result.failed}
    clips = [clip for clip in clips if str(clip.path) not in unreadable]
    chooser = classifier if genres is None else classifier.restricted(genres)
    found = _measure_robustness(chooser, clips, options) if robustness else None
    origin = {
        **model_provenance(model, classifier.metadata),
        **data_provenance(data.folder, clips, data.protocol, split=data.split, groups=data.groups),
    }
    return result, found, origin


def _measure_robustness(
    classifier: Classifier, clips: Sequence[LabelledClip], options: dict[str, Any]
) -> Robustness:
    from genrelens.evaluation.robustness import measure_robustness

    with progress("Conditions", len(clips)) as advance:
        return measure_robustness(classifier, clips, on_clip=lambda *_: advance(), **options)


def _evaluate_file(data: _Selection, path: Path, seed: int) -> tuple[Evaluation, dict[str, Any]]:
    clips = data.clips()
    result = evaluate_predictions(path, clips, label_map=data.renamed, seed=seed)
    origin = predictions_provenance(path)
    if clips:
        files = {"split": data.split, "groups": data.groups}
        return result, {**origin, **data_provenance(data.folder, clips, data.protocol, **files)}
    if data.groups is not None:
        named = [LabelledClip(Path(f"{name}.wav"), "") for name in result.table.clips]
        named = read_groups(data.groups, named, column=data.group_column)
        groups = tuple(str(clip.group) for clip in named)
        result = replace(result, table=replace(result.table, groups=groups))
        origin["groups"] = data.groups.name
    return result, origin


def _among_all(result: Evaluation) -> dict[str, Any]:
    """Return the figures among all genres of the model, for the report, if there are any."""
    whole = result.unrestricted
    if whole is None:
        return {}
    figures = {"accuracy": whole.accuracy, "macro_recall": whole.macro_recall}
    return {"among_all_genres": {"genres": len(whole.labels), **figures}}


def _run_provenance(renamed: Mapping[str, str], seed: int, seconds: float) -> dict[str, Any]:
    """Return how the figures were computed."""
    return {
        "relabel": dict(renamed) or None,
        "seed": seed,
        "seconds": seconds,
        "command": shlex.join(["genrelens", *sys.argv[1:]]),
        **environment(),
    }


# --------------------------------------------------------------------------------- output


def _write_report(
    folder: Path,
    result: Evaluation,
    robustness: Robustness | None,
    origin: dict[str, Any],
    *,
    safe_csv: bool,
) -> None:
    from genrelens.evaluation.report.write import write_report

    page = write_report(
        folder,
        f"{result.model} on {origin.get('data', origin.get('predictions'))}",
        result.table,
        result.scores,
        origin,
        robustness=robustness,
        failed=[str(error) for error in result.failed],
        safe_csv=safe_csv,
    )
    print_note(f"report: {page}")


def _document(
    result: Evaluation, robustness: Robustness | None, origin: dict[str, Any]
) -> dict[str, Any]:
    """Return the document of ``--json``."""
    document = {
        **result.to_dict(),
        "data": origin.get("data"),
        "scores": result.scores.to_dict(),
        "provenance": origin,
    }
    if robustness is not None:
        document["robustness"] = robustness.to_dict()
    return document


def _print_evaluation(
    result: Evaluation, robustness: Robustness | None, provenance: Mapping[str, Any]
) -> None:
    """Print the figures and the confusion matrix."""
    failed = f" ({len(result.failed)} more could not be read)" if result.failed else ""
    scores = result.scores
    groups = "" if scores.n_groups is None else f" from {count_of(scores.n_groups, 'group')}"
    out.print(f"model         {result.model}", soft_wrap=True)
    out.print(f"clips         {result.n}{groups}{failed}", soft_wrap=True)
    _print_training(result, provenance)
    _print_scores(scores, result.accuracy_interval)
    if result.unrestricted is not None:
        _print_unrestricted(result.unrestricted)
    _print_confusion(result)
    if robustness is not None:
        _print_robustness(robustness)


def _print_training(result: Evaluation, provenance: Mapping[str, Any]) -> None:
    """Print whether clips were in the training of the model, if that is known."""
    if warning := result.table.training_warning:
        out.print(f"warning       {warning}", style="yellow", soft_wrap=True)
    elif "training_recordings" in provenance:
        n = provenance["training_recordings"]
        unknown = "the model file does not list its training recordings"
        none = f"none of the {count_of(n, 'training recording')} is among these clips"
        out.print(f"training      {unknown if n is None else none}", soft_wrap=True)


def _print_scores(scores: Scores, wilson: tuple[float, float]) -> None:
    interval = f"95 % interval {interval_text(scores.accuracy)}"
    out.print(f"accuracy      {percent(scores.accuracy.value, 1)} ({interval})", soft_wrap=True)
    out.print(f"macro recall  {figure_text(scores.macro_recall)}")
    for name, field in _SHARES.items():
        meaning = " expected error of the probabilities" if field == "ece" else ""
        out.print(f"{name:<12}  {figure_text(getattr(scores, field))}{meaning}", soft_wrap=True)
    out.print(f"log loss      {figure_text(scores.log_loss, 'number')}")
    unit = scores.bootstrap["unit"]
    independent = f"{percent_range(*wilson)} (Wilson)"
    shown = [getattr(scores, name) for name in FIGURES]
    bootstrap = f"bootstrap, {unit}s drawn {scores.bootstrap['resamples']} times"
    out.print(
        f"Intervals: {bootstrap}; that of the accuracy for independent clips: {independent}",
        soft_wrap=True,
    )
    for sentence in filter(None, (interval_note(shown, unit), scores.few_clips_note)):
        out.print(sentence, soft_wrap=True)


def _print_unrestricted(result: Evaluation) -> None:
    """Print the figures among all genres of the model beside those among the folder's."""
    out.print(
        f"These figures are among the genres of the folder. Among all {len(result.labels)} of the "
        f"model: accuracy {figure_text(result.scores.accuracy)}, macro recall "
        f"{figure_text(result.scores.macro_recall)}",
        soft_wrap=True,
    )


def _print_confusion(result: Evaluation) -> None:
    from rich.table import Table

    out.print("\nConfusion matrix: rows are true genres, columns predicted genres", soft_wrap=True)
    table = Table("", box=None, pad_edge=False)
    for label in (*result.labels, "recall"):
        table.add_column(label, justify="right", overflow="fold")
    rows = zip(result.labels, result.confusion.tolist(), recalls(result.confusion), strict=True)
    for label, row, recall in rows:
        counts = [str(count) if count else "." for count in row]
        table.add_row(label, *counts, percent(recall))
    out.print(table)


def _print_robustness(robustness: Robustness) -> None:
    from rich.table import Table

    out.print("\nRobustness: changes of the audio that do not change the genre", soft_wrap=True)
    table = Table("", "accuracy", "difference (95 %)", "other answers", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    first, *others = robustness.rows
    table.add_row(first.condition, percent(first.accuracy.value, 1), "", "")
    for row in others:
        accuracy, changed = percent(row.accuracy.value, 1), percent(row.changed, 1)
        table.add_row(row.condition, accuracy, figure_text(row.difference, "change"), changed)
    out.print(table)
    differences = [row.difference for row in others]
    if sentence := interval_note(differences, robustness.bootstrap["unit"]):
        out.print(sentence, soft_wrap=True)
