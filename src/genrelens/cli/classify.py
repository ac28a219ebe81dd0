"""``genrelens classify``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from genrelens.audio import source_name
from genrelens.classifier import Classifier
from genrelens.cli.console import (
    display_name,
    out,
    print_error,
    print_json,
    progress,
    warnings_as_notes,
)
from genrelens.cli.inputs import Source, expand, note_left_out
from genrelens.cli.options import Jobs, Model, SafeCsv, n_jobs
from genrelens.csv_cells import safe_row
from genrelens.errors import AudioError
from genrelens.percentages import percent_significant
from genrelens.prediction import Prediction
from genrelens.quiet import quiet_libraries

_LONGEST_BAR = 40
_MOST_STYLES = 5
_MORE_COLUMNS = ("verdict", "styles", "music", "duration", "model")

Outcome = tuple[str, Prediction | AudioError]

Timeline = Annotated[
    bool,
    typer.Option(
        "--timeline", metavar="", help="Add the genres of each segment, and sections (with --json)."
    ),
]
Embedding = Annotated[
    bool,
    typer.Option(
        "--embedding", metavar="", help="Add the vector that likeness is told by (with --json)."
    ),
]
Fast = Annotated[
    bool,
    typer.Option("--fast", metavar="", help="Hear three passages of 30 s, not all of a file."),
]


def classify(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Recordings, folders, quoted patterns ('*.mp3'), or - for standard input.",
            show_default=False,
        ),
    ],
    model: Model = None,
    top: Annotated[
        int | None,
        typer.Option("--top", "-n", metavar="N", min=1, help="Show only the N likeliest genres."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", metavar="", help="Print one JSON array, one object for each file."),
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", metavar="", help="Print CSV, one row for each file.")
    ] = False,
    safe_csv: SafeCsv = False,
    timeline: Timeline = False,
    embedding: Embedding = False,
    fast: Fast = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Draw the bars of one file, for instance bars.png."),
    ] = None,
    jobs: Jobs = 0,
) -> None:
    """Tell the genre of recordings."""
    _check_options(as_json=as_json, as_csv=as_csv, timeline=timeline, embedding=embedding, top=top)
    if safe_csv and not as_csv:
        raise typer.BadParameter("--safe-csv goes with --csv")
    left_out: Counter[str] = Counter()
    sources = expand(files, left_out)
    if plot is not None:
        _check_plot(plot, sources)
    jobs = min(n_jobs(jobs), len(sources))
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    failures: list[AudioError] = []
    with (
        quiet_libraries(),
        warnings_as_notes(),
        closing(_outcomes(classifier, sources, jobs, fast=fast)) as results,
    ):
        outcomes = _watched(results, failures, plot)
        if as_json:
            _print_json(outcomes, top, timeline=timeline, embedding=embedding)
        elif as_csv:
            _print_csv(outcomes, classifier.labels, safe=safe_csv)
        else:
            _print_bars(outcomes, top)
    note_left_out(left_out)
    if failures:
        if len(sources) > 1:
            print_error(f"{len(failures)} of {len(sources)} recordings could not be classified")
        raise typer.Exit(1)


def _check_options(
    *, as_json: bool, as_csv: bool, timeline: bool, embedding: bool, top: int | None
) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    if timeline and not as_json:
        raise typer.BadParameter("--timeline needs --json")
    if embedding and not as_json:
        raise typer.BadParameter("--embedding needs --json")
    if top is not None and as_csv:
        raise typer.BadParameter("--csv has a column for each genre; --top does not go with it")


def _check_plot(plot: Path, sources: Sequence[Source]) -> None:
    from genrelens.plots import check_picture

    if len(sources) != 1:
        raise typer.BadParameter(f"--plot draws one recording, not {len(sources)}")
    check_picture(plot)


def _outcomes(
    classifier: Classifier, sources: Sequence[Source], jobs: int, *, fast: bool
) -> Generator[Outcome, None, None]:
    """Classify what can be read; a bar on stderr shows how far it is."""
    readable = [source for source in sources if not isinstance(source, AudioError)]
    with (
        closing(classifier.classify_many(readable, jobs=jobs, fast=fast)) as results,
        progress("Classifying", len(sources), shown=len(sources) > 1) as bar,
    ):
        for source in sources:
            outcome: Outcome
            if isinstance(source, AudioError):
                outcome = source.source, source
            else:
                outcome = source_name(source), next(results)[1]
            with bar.hidden():
                yield outcome
            bar()


def _watched(
    outcomes: Iterable[Outcome], failures: list[AudioError], plot: Path | None
) -> Iterator[Outcome]:
    """Report and collect the failures, and draw the picture, whatever is printed of it."""
    for name, result in outcomes:
        if isinstance(result, AudioError):
            failures.append(result)
            print_error(str(result))
        yield name, result
        if plot is not None and isinstance(result, Prediction):
            from genrelens.plots import plot_bars

            plot_bars(result, plot)


# ------------------------------------------------------------------------------- output


def _print_bars(outcomes: Iterable[Outcome], top: int | None) -> None:
    printed = 0
    for name, result in outcomes:
        if isinstance(result, Prediction):
            if printed:
                out.print()
            _print_prediction(name, result, top)
            printed += 1


def _print_prediction(name: str, prediction: Prediction, top: int | None) -> None:
    out.print(Text(f"{display_name(name)} ({_length(prediction)})", style="dim"), soft_wrap=True)
    words, colon, what = display_name(prediction.headline).partition(": ")
    out.print(Text(words + colon).append(what, style="bold green"), soft_wrap=True)
    if not prediction.silent:
        _print_rows(prediction.top(top))
    styles = [style for style in prediction.styles if style.applies][:_MOST_STYLES]
    if styles and prediction.verdict in ("genre", "not sure"):
        shares = (f"{display_name(each.name)} {100 * each.probability:.0f} %" for each in styles)
        out.print(Text(f"Styles: {', '.join(shares)}"), soft_wrap=True)


def _length(prediction: Prediction) -> str:
    text = f"{prediction.duration:.1f} s"
    if prediction.heard < prediction.duration:
        text += f", {prediction.heard:.0f} s of it heard"
    if prediction.padded:
        text += ", shorter than the network listens: trust it less"
    return text


def _print_rows(ranking: Sequence[tuple[str, float]]) -> None:
    """Print a bar for each genre."""
    rows = [(display_name(label), p, percent_significant(p)) for label, p in ranking]
    label_width = max(len(label) for label, _, _ in rows)
    percent_width = max(len(percent) for _, _, percent in rows)
    longest = min(_LONGEST_BAR, out.width - label_width - percent_width - 6)
    mark = "█" if out.is_terminal and out.encoding.startswith("utf") else "#"
    for rank, (label, probability, percent) in enumerate(rows):
        row = Text(f"  {label:<{label_width}}  {percent:>{percent_width}}")
        bar = mark * round(longest * probability)
        out.print(
            row.append(f"  {bar}" if bar else "", style="green" if rank == 0 else "cyan"),
            soft_wrap=True,
        )


def _print_json(
    outcomes: Iterable[Outcome], top: int | None, *, timeline: bool, embedding: bool
) -> None:
    documents = []
    for name, result in outcomes:
        if isinstance(result, AudioError):
            documents.append({"path": name, "error": str(result)})
            continue
        document = result.to_dict(timeline=timeline, embedding=embedding)
        if top is not None:
            document["top"] = [label for label, _ in result.top(top)]
        documents.append(document)
    print_json(documents)


def _print_csv(outcomes: Iterable[Outcome], labels: Sequence[str], *, safe: bool) -> None:
    shown = display_name if out.is_terminal else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    protect = safe_row if safe else list
    writer.writerow(protect(["path", "genre", *labels, *_MORE_COLUMNS, "error"]))
    for name, result in outcomes:
        if isinstance(result, AudioError):
            empty = [""] * (1 + len(labels) + len(_MORE_COLUMNS))
            writer.writerow(protect([shown(name), *empty, shown(str(result))]))
        else:
            writer.writerow(protect([shown(name), *_cells(result), ""]))
        sys.stdout.flush()


def _cells(prediction: Prediction) -> list[Any]:
    """List the genre, the probabilities, and what ``_MORE_COLUMNS`` names."""
    styles = "|".join(style.name for style in prediction.styles if style.applies)
    return [
        prediction.genre,
        *prediction.probabilities.tolist(),
        prediction.verdict,
        styles,
        prediction.music,
        prediction.duration,
        prediction.model,
    ]
