"""``genrelens evaluate``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrelens.classifier import Classifier
from genrelens.cli.console import (
    print_error,
    print_json,
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.cli.data_split import GroupColumn, Groups, Relabel, label_map
from genrelens.cli.options import AsJson, Jobs, Model, SafeCsv, Seed, n_jobs
from genrelens.cli.selection import Selection
from genrelens.cli.verdict import (
    data_provenance,
    evaluation_provenance,
    model_provenance,
    predictions_provenance,
    print_verdict,
)
from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError, MissingExtraError
from genrelens.evaluation.evaluate import Evaluation, judge_predictions, merge_labels
from genrelens.evaluation.evaluate import evaluate as run_evaluation
from genrelens.quiet import quiet_libraries

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness
    from genrelens.evaluation.scores import Scores

_PARTS = ("train", "valid", "test")


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

    Clips that were in the training of the model are counted. Exit code 1: some clips could not be
    read.

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
    _check_places(report, plot, everything=robustness)
    started = time.monotonic()
    data = Selection(folder, split, part or "valid", groups, group_column, label_map(relabel))
    with quiet_libraries(), warnings_as_notes():
        if predictions is None:
            result = _judge_model(data, model, jobs, seed, robustness=robustness)
        else:
            result = _judge_predictions(data, predictions)
        scores = _scores(result.evaluation, seed, needed=report is not None)
        seconds = round(time.monotonic() - started, 1)
        origin = {**result.provenance, **evaluation_provenance(data.renamed, seed, seconds)}
        _write(result, scores, origin, report, plot, safe_csv=safe_csv)
    if as_json:
        print_json(_document(result, scores, origin))
    else:
        print_verdict(result.evaluation, scores, result.robustness, origin)
    if result.evaluation.failed:
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
        raise typer.BadParameter("DIR is missing: a folder of genre/file")
    if folder is None and split is not None:
        raise typer.BadParameter("--split needs DIR, the folder whose clips it splits")
    if part is not None and (split is None or part not in _PARTS):
        raise typer.BadParameter(f"--part needs --split and is one of {', '.join(_PARTS)}")
    if predictions is not None and (model is not None or robustness):
        option = "--model" if model is not None else "--robustness"
        raise typer.BadParameter(f"{option} and --predictions exclude each other")


def _check_places(report: Path | None, plot: Path | None, *, everything: bool) -> None:
    """Find out before the work what would stop us after it."""
    if plot is not None:
        from genrelens.plots import check_picture

        check_picture(plot)
    if report is not None or everything:
        from genrelens.evaluation.report.write import check_report_folder

        check_report_folder(Path() if report is None else report)


# ------------------------------------------------------------------------------- the work


@dataclass(frozen=True, slots=True)
class _Result:
    """What came out, of which data and model."""

    evaluation: Evaluation
    provenance: dict[str, Any]
    robustness: Robustness | None = None


def _judge_model(
    data: Selection, model: str | None, jobs: int, seed: int, *, robustness: bool
) -> _Result:
    clips = data.clips()
    jobs = min(n_jobs(jobs), len(clips))
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    known = {*classifier.labels, *classifier.metadata.label_map}
    data.check_renamed([clip.label for clip in clips], classifier.labels)
    clips = [
        clip if clip.label in known else clip.renamed(data.renamed.get(clip.label, clip.label))
        for clip in clips
    ]
    with progress("Evaluating", len(clips)) as advance:

        def on_clip(_: LabelledClip, outcome: object) -> None:
            advance()
            if isinstance(outcome, AudioError):
                print_error(str(outcome))

        evaluation = run_evaluation(classifier, clips, jobs=jobs, on_clip=on_clip)
    unreadable = {error.source for error in evaluation.failed}
    clips = [clip for clip in clips if str(clip.path) not in unreadable]
    heard = _robustness(classifier, clips, jobs, seed, data.renamed) if robustness else None
    merged = replace(evaluation, table=merge_labels(evaluation.table, data.renamed))
    origin = {
        **model_provenance(model, classifier.metadata),
        **data_provenance(data.folder, clips, data.protocol, split=data.split, groups=data.groups),
    }
    return _Result(merged, origin, heard)


def _robustness(
    classifier: Classifier,
    clips: Sequence[LabelledClip],
    jobs: int,
    seed: int,
    renamed: dict[str, str],
) -> Robustness:
    from genrelens.evaluation.robustness import compare_conditions
    from genrelens.evaluation.stress import measure_robustness

    with progress("Conditions", len(clips)) as advance:
        found = measure_robustness(
            classifier, clips, jobs=jobs, seed=seed, on_clip=lambda clip, heard: advance()
        )
    if not renamed:
        return found
    return compare_conditions(
        {name: merge_labels(table, renamed) for name, table in found.tables.items()},
        model=found.model,
        failed=found.failed,
        seed=seed,
        descriptions={row.condition: row.description for row in found.rows},
    )


def _judge_predictions(data: Selection, path: Path) -> _Result:
    clips = data.clips()
    evaluation = judge_predictions(path, clips, label_map=data.renamed)
    origin = predictions_provenance(path)
    if clips:
        judged = data_provenance(
            data.folder, clips, data.protocol, split=data.split, groups=data.groups
        )
        return _Result(evaluation, {**origin, **judged})
    table = evaluation.table
    if data.groups is not None:
        named = [LabelledClip(Path(f"{name}.wav"), "") for name in table.clips]
        groups = tuple(str(clip.group) for clip in data.grouped(named))
        evaluation = replace(evaluation, table=replace(table, groups=groups))
        origin["groups"] = data.groups.name
    return _Result(evaluation, origin)


def _scores(evaluation: Evaluation, seed: int, *, needed: bool) -> Scores | None:
    """Judge, or leave it at the plain figures where scikit-learn is not installed."""
    from genrelens.evaluation.scores import score

    try:
        return score(evaluation.table, seed=seed)
    except MissingExtraError as error:
        if needed:
            raise
        print_note(f"note: calibration, F1, log loss and more are left out: {error}")
        return None


# ------------------------------------------------------------------------------ the result


def _write(
    result: _Result,
    scores: Scores | None,
    origin: dict[str, Any],
    report: Path | None,
    plot: Path | None,
    *,
    safe_csv: bool,
) -> None:
    evaluation = result.evaluation
    if report is not None and scores is not None:
        from genrelens.evaluation.report.write import write_report

        page = write_report(
            report,
            f"{evaluation.model} on {origin.get('data', origin.get('predictions'))}",
            evaluation.table,
            scores,
            origin,
            robustness=result.robustness,
            failed=[str(error) for error in evaluation.failed],
            safe_csv=safe_csv,
        )
        print_note(f"report: {page}")
    if plot is not None:
        from genrelens.plots import plot_confusion

        plot_confusion(evaluation.confusion, evaluation.labels, plot)


def _document(result: _Result, scores: Scores | None, origin: dict[str, Any]) -> dict[str, Any]:
    """Return what ``--json`` prints; ``scores`` is None without scikit-learn."""
    document = {
        **result.evaluation.to_dict(),
        "data": origin.get("data"),
        "scores": None if scores is None else scores.to_dict(),
        "provenance": origin,
    }
    if result.robustness is not None:
        document["robustness"] = result.robustness.to_dict()
    return document
