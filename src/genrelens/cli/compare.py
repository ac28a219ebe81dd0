"""``genrelens compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.figures import interval_text
from genrelens.cli.options import AsJson, Seed
from genrelens.counts import count_of
from genrelens.data.folders import read_folder
from genrelens.evaluation.bootstrap import Estimate, interval_note
from genrelens.evaluation.comparison import Comparison, common_clips, load_tables
from genrelens.evaluation.comparison import compare as run_comparison
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import FIGURES, Scores, score

_COLUMNS = ("accuracy", "macro recall", "F1", "top 2", "log loss", "ECE")
_WITH_INTERVAL = ("accuracy", "macro_recall")


_Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="Two or more reports (folders, or their metrics.json) or CSV files of predictions.",
    ),
]
_Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="A folder with one subfolder for each genre: the true genres for CSV files that have "
        "none.",
    ),
]
_Resamples = Annotated[
    int, typer.Option(metavar="N", min=100, help="Number of bootstrap resamples.")
]


def compare(
    files: _Files,
    data: _Data = None,
    resamples: _Resamples = 2000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare other models with the first one, on the clips that all of them classified.

    Examples:
        genrelens compare report-old report-new
            Compare two reports of "genrelens evaluate --report".
        genrelens compare mine.csv theirs.csv --data my-genres
            Compare predictions in CSV files, with the genres of a folder.

    """
    if len(files) < 2:
        raise typer.BadParameter("a comparison needs at least two files")
    tables = load_tables(files, () if data is None else read_folder(data))
    shared = common_clips(tables)
    left_out = [table.n - shared[0].n for table in tables]
    names = [display_name(str(path)) for path in files]
    scores = [score(table, resamples=resamples, seed=seed) for table in shared]
    found = [
        run_comparison(shared[0], table, resamples=resamples, seed=seed) for table in shared[1:]
    ]
    if as_json:
        print_json(_to_dict(names, left_out, shared, scores, found))
        return
    _print_table(names, left_out, shared, scores)
    for name, each in zip(names[1:], found, strict=True):
        _print_comparison(names[0], name, each)
    if len(found) > 1:
        print_note(f"note: p is not corrected for the number of comparisons ({len(found)})")


def _to_dict(
    names: list[str],
    left_out: list[int],
    tables: list[PredictionTable],
    scores: list[Scores],
    found: list[Comparison],
) -> dict[str, Any]:
    models = [
        {
            "file": name,
            "left_out": n,
            "in_training": table.n_in_training,
            "warning": table.training_warning or None,
            **{key: each.to_dict()[key] for key in FIGURES},
        }
        for name, n, table, each in zip(names, left_out, tables, scores, strict=True)
    ]
    comparisons = [
        {
            "first": names[0],
            "second": name,
            **each.to_dict(),
            "verdict": each.summary(names[0], name),
        }
        for name, each in zip(names[1:], found, strict=True)
    ]
    for each in comparisons:
        del each["left_out"], each["bootstrap"]  # the same for all comparisons
    return {
        "n": scores[0].n,
        "n_groups": scores[0].n_groups,
        "bootstrap": scores[0].bootstrap,
        "models": models,
        "comparisons": comparisons,
    }


def _print_table(
    names: list[str], left_out: list[int], tables: list[PredictionTable], scores: list[Scores]
) -> None:
    from rich.table import Table

    groups = "" if scores[0].n_groups is None else f" of {count_of(scores[0].n_groups, 'group')}"
    out.print(f"clips that all models classified: {scores[0].n}{groups}", soft_wrap=True)
    for name, n, compared in zip(names, left_out, tables, strict=True):
        if n:
            out.print(f"not compared: {n} of {name}", soft_wrap=True)
        if compared.training_warning:
            warning = f"warning: {name}: {compared.training_warning}"
            out.print(warning, style="yellow", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for name, each in zip(names, scores, strict=True):
        table.add_row(name, *(_cell(key, getattr(each, key)) for key in FIGURES))
    out.print(table)
    unit = scores[0].bootstrap["unit"]
    shown = [getattr(each, key) for each in scores for key in _WITH_INTERVAL]
    sentences = (
        f"In percent, except the log loss; 95 % intervals by bootstrap over {unit}s. F1 is the "
        f"mean over the genres; ECE is the expected calibration error.",
        interval_note(shown, unit),
        scores[0].few_clips_note,
    )
    for sentence in filter(None, sentences):
        out.print(sentence, soft_wrap=True)


def _cell(figure: str, estimate: Estimate) -> str:
    if figure == "log_loss":
        return f"{estimate.value:.3f}"
    value, low, high = (f"{100 * each:.1f}" for each in estimate)
    method = " Wilson" if estimate.method == "wilson" else ""
    return f"{value} ({low} to {high}{method})" if figure in _WITH_INTERVAL else value


def _print_comparison(first: str, second: str, found: Comparison) -> None:
    test = "" if found.p_value is None else f"; McNemar p = {_p(found.p_value)}"
    out.print(f"\n{second} against {first}: {found.summary(first, second)}", soft_wrap=True)
    out.print(
        f"  accuracy {100 * found.difference.value:+.1f} percentage points (95 % interval "
        f"{interval_text(found.difference, 'points')}); right where the other is wrong: "
        f"{found.right_alone[1]} against {count_of(found.right_alone[0], 'clip')}{test}",
        soft_wrap=True,
    )
    if sentence := interval_note([found.difference], found.bootstrap["unit"]):
        out.print(f"  {sentence}", soft_wrap=True)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
