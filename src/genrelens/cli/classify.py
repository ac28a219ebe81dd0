"""``genrelens classify``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

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
    quiet_libraries,
    warnings_as_notes,
)
from genrelens.cli.inputs import Source, expand
from genrelens.cli.options import Jobs, Model, n_jobs
from genrelens.errors import AudioError
from genrelens.prediction import Prediction, format_percent

_LONGEST_BAR = 40

Outcome = tuple[str, Prediction | AudioError]


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
    timeline: Annotated[
        bool,
        typer.Option(
            "--timeline", metavar="", help="Add the genres of each segment (with --json)."
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Draw the bars of one file, for instance bars.png."),
    ] = None,
    jobs: Jobs = 0,
) -> None:
    """Tell the genre of recordings."""
    _check_options(as_json=as_json, as_csv=as_csv, timeline=timeline, top=top)
    sources = expand(files)
    if plot is not None:
        _check_plot(plot, sources)
    jobs = min(n_jobs(jobs), len(sources))
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    failures: list[AudioError] = []
    with (
        quiet_libraries(),
        warnings_as_notes(),
        closing(_outcomes(classifier, sources, jobs)) as results,
    ):
        outcomes = _watched(results, failures, plot)
        if as_json:
            _print_json(outcomes, top, timeline=timeline)
        elif as_csv:
            _print_csv(outcomes, classifier.labels)
        else:
            _print_bars(outcomes, top)
    if failures:
        if len(sources) > 1:
            print_error(f"{len(failures)} of {len(sources)} recordings could not be classified")
        raise typer.Exit(1)


def _check_options(*, as_json: bool, as_csv: bool, timeline: bool, top: int | None) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    if timeline and not as_json:
        raise typer.BadParameter("--timeline needs --json")
    if top is not None and as_csv:
        raise typer.BadParameter("--csv has a column for each genre; --top does not go with it")


def _check_plot(plot: Path, sources: Sequence[Source]) -> None:
    from genrelens.plots import check_picture

    if len(sources) != 1:
        raise typer.BadParameter(f"--plot draws one recording, not {len(sources)}")
    check_picture(plot)


def _outcomes(
    classifier: Classifier, sources: Sequence[Source], jobs: int
) -> Generator[Outcome, None, None]:
    """Classify what can be read; a bar on stderr shows how far it is."""
    readable = [source for source in sources if not isinstance(source, AudioError)]
    with (
        closing(classifier.classify_many(readable, jobs=jobs)) as results,
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
    seconds = f"{prediction.duration:.1f} s"
    short = ", shorter than the network listens: trust it less" if prediction.padded else ""
    out.print(Text(f"{display_name(name)} ({seconds}{short})", style="dim"), soft_wrap=True)
    line = Text("The predicted genre is: ")
    out.print(line.append(display_name(prediction.genre), style="bold green"), soft_wrap=True)
    rows = [(display_name(label), p, format_percent(p)) for label, p in prediction.top(top)]
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


def _print_json(outcomes: Iterable[Outcome], top: int | None, *, timeline: bool) -> None:
    documents = []
    for name, result in outcomes:
        if isinstance(result, AudioError):
            documents.append({"path": name, "error": str(result)})
            continue
        document = result.to_dict(timeline=timeline)
        if top is not None:
            document["top"] = [label for label, _ in result.top(top)]
        documents.append(document)
    print_json(documents)


def _print_csv(outcomes: Iterable[Outcome], labels: Sequence[str]) -> None:
    columns = ["path", "genre", *labels, "duration", "model", "error"]
    shown = display_name if out.is_terminal else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for name, result in outcomes:
        if isinstance(result, AudioError):
            empty = [""] * len(labels)
            writer.writerow([shown(name), "", *empty, "", "", shown(str(result))])
        else:
            probabilities = result.probabilities.tolist()
            writer.writerow(
                [shown(name), result.genre, *probabilities, result.duration, result.model, ""]
            )
        sys.stdout.flush()
