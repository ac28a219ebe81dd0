"""``genrelens classify``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import typer
from rich.text import Text

from genrelens.audacity import audacity_labels
from genrelens.audio import AudioSource, source_name
from genrelens.classifier import Classifier
from genrelens.cli.console import (
    Bar,
    bar_of,
    clock,
    display_name,
    out,
    print_error,
    print_json,
    progress,
    warnings_as_notes,
)
from genrelens.cli.inputs import Source, expand, note_skipped
from genrelens.cli.options import Genres, Jobs, Model, SafeCsv, n_jobs, restricted_classifier
from genrelens.csv_cells import safe_row
from genrelens.errors import AudioError, DataError
from genrelens.excerpts import expected_seconds
from genrelens.files import write_text_atomically
from genrelens.findings import styles_to_show
from genrelens.percentages import percent, percent_significant
from genrelens.prediction import Prediction
from genrelens.quiet import quiet_libraries

_LONG = 300.0  # seconds of a single recording from which on progress is shown
_LONGEST_BAR = 40
_MOST_STYLES = 5
_MORE_COLUMNS = (
    "verdict",
    "styles",
    "music",
    "duration",
    "model",
    "genres",
    "changes",
    "snr",
)
_STYLES_OF_VERDICTS = {
    "genre": "green",
    "changes": "green",
    "not sure": "yellow",
    "not music": "dim",
    "silence": "dim",
}

_Outcome = tuple[str, Prediction | AudioError]  # name of the recording, result

_Recordings = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Recordings, folders, playlists, quoted patterns ('*.mp3'), or - for standard input.",
        show_default=False,
    ),
]
_Top = Annotated[
    int | None,
    typer.Option("--top", "-n", metavar="N", min=1, help="Show only the N most probable genres."),
]
_AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON array with one object for each file.")
]
_AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV with one row for each file.")]
_Timeline = Annotated[
    bool,
    typer.Option("--timeline", help="Include the genres of each segment and the sections (JSON)."),
]
_Embedding = Annotated[bool, typer.Option("--embedding", help="Include the embedding (JSON).")]
_Fast = Annotated[
    bool, typer.Option("--fast", help="Classify three short excerpts of each long recording.")
]
_Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw the bars of one recording as a PNG, PDF or SVG file."),
]
_LabelFile = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="Write the sections of one recording as a label track for Audacity (.txt).",
    ),
]


def classify(
    files: _Recordings,
    model: Model = None,
    genres: Genres = None,
    top: _Top = None,
    as_json: _AsJson = False,
    as_csv: _AsCsv = False,
    safe_csv: SafeCsv = False,
    timeline: _Timeline = False,
    embedding: _Embedding = False,
    fast: _Fast = False,
    plot: _Plot = None,
    label_file: _LabelFile = None,
    jobs: Jobs = 0,
) -> None:
    """Classify the genre of recordings.

    A file that cannot be read is reported and the others are classified. Exit code 1: some files
    could not be read.

    Examples:
        genrelens classify song.mp3
            Show a bar for each genre.
        genrelens classify ~/Music --csv > genres.csv
            Classify all recordings below a folder and write a table.
        genrelens classify mix.flac --json --timeline --labels mix.txt
            Print the genre of each segment, and write the sections as labels for Audacity.
        genrelens classify song.mp3 --genres rock,metal,pop
            Choose from three of the model's genres.

    """
    _check_options(as_json=as_json, as_csv=as_csv, timeline=timeline, embedding=embedding, top=top)
    if safe_csv and not as_csv:
        raise typer.BadParameter("--safe-csv needs --csv")
    skipped: Counter[str] = Counter()
    sources = expand(files, skipped)
    if plot is not None:
        _check_plot(plot, sources)
    if label_file is not None:
        _check_label_file(label_file, sources)
    jobs = min(n_jobs(jobs), len(sources))
    classifier = Classifier.load(model, threads=1 if jobs > 1 else 0)
    classifier = restricted_classifier(classifier, genres)
    failures: list[AudioError] = []
    with (
        quiet_libraries(),
        warnings_as_notes() as notes,
        closing(_classified(classifier, sources, jobs, fast=fast)) as results,
    ):
        outcomes = _reported(results, failures, plot, label_file)
        if as_json:
            _print_json(outcomes, top, notes, timeline=timeline, embedding=embedding)
        elif as_csv:
            _print_csv(outcomes, classifier.labels, safe=safe_csv)
        else:
            _print_bars(outcomes, top)
    note_skipped(skipped)
    if failures:
        if len(sources) > 1:
            print_error(f"{len(failures)} of {len(sources)} recordings could not be classified")
        raise typer.Exit(1)


def _check_options(
    *, as_json: bool, as_csv: bool, timeline: bool, embedding: bool, top: int | None
) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("--json cannot be combined with --csv")
    if timeline and not as_json:
        raise typer.BadParameter("--timeline needs --json")
    if embedding and not as_json:
        raise typer.BadParameter("--embedding needs --json")
    if top is not None and as_csv:
        raise typer.BadParameter("--top cannot be combined with --csv, which has all genres")


def _check_plot(plot: Path, sources: Sequence[Source]) -> None:
    from genrelens.plots import check_image_path

    if len(sources) != 1:
        raise typer.BadParameter(f"--plot draws one recording, not {len(sources)}")
    check_image_path(plot)


def _check_label_file(label_file: Path, sources: Sequence[Source]) -> None:
    if len(sources) != 1:
        raise typer.BadParameter(f"--labels describes one recording, not {len(sources)}")
    if label_file.suffix.lower() != ".txt":  # and not the name of a recording by mistake
        raise typer.BadParameter("--labels writes a file whose name ends in .txt")
    if not label_file.parent.is_dir():
        raise DataError("its folder is missing", path=label_file)


def _classified(
    classifier: Classifier, sources: Sequence[Source], jobs: int, *, fast: bool
) -> Generator[_Outcome, None, None]:
    """Classify all sources in order, with progress on standard error."""
    readable = [source for source in sources if not isinstance(source, AudioError)]
    shown = len(sources) > 1 or any(map(_is_long, readable))
    with progress("Classifying", len(sources), shown=shown) as bar:
        parts = _Parts(bar, with_time=len(sources) == 1)
        results = classifier.classify_many(
            readable, jobs=jobs, fast=fast, on_progress=parts.report if shown else None
        )
        with closing(results):
            yield from _in_order(sources, results, parts)


def _in_order(
    sources: Sequence[Source],
    results: Iterator[tuple[AudioSource, Prediction | AudioError]],
    parts: _Parts,
) -> Iterator[_Outcome]:
    """Yield the name and the result of each source."""
    for source in sources:
        outcome: _Outcome
        if isinstance(source, AudioError):
            outcome = source.source, source
        else:
            outcome = source_name(source), next(results)[1]
        with parts.bar.hidden():
            yield outcome
        parts.finish(source)


def _is_long(source: AudioSource) -> bool:
    return (expected_seconds(source) or 0.0) >= _LONG


class _Parts:
    """Advances a progress bar, one step for each recording, also within recordings."""

    def __init__(self, bar: Bar, *, with_time: bool) -> None:
        self.bar = bar
        self._with_time = with_time
        self._lock = Lock()
        self._done: dict[int, float] = {}  # identity of a source -> share that is classified

    def report(self, source: AudioSource, prediction: Prediction) -> None:
        """Show how much of a recording is classified, if its length is known."""
        heard, duration = prediction.heard, prediction.duration
        if heard >= duration:  # the end, or the header states no length
            return
        with self._lock:
            before = self._done.get(id(source), 0.0)
            self._done[id(source)] = share = max(before, heard / duration)
            note = f"{clock(heard)} of {clock(duration)}" if self._with_time else None
            self.bar(share - before, note)

    def finish(self, source: Source) -> None:
        """Show that a recording is done."""
        with self._lock:
            self.bar(1 - self._done.pop(id(source), 0.0))


def _reported(
    outcomes: Iterable[_Outcome],
    failures: list[AudioError],
    plot: Path | None,
    label_file: Path | None,
) -> Iterator[_Outcome]:
    """Pass the outcomes on; report and collect the failures, and write the plot and the labels."""
    for name, result in outcomes:
        if isinstance(result, AudioError):
            failures.append(result)
            print_error(str(result))
        yield name, result
        if label_file is not None and isinstance(result, Prediction):
            write_text_atomically(label_file, audacity_labels(result.sections))
        if plot is not None and isinstance(result, Prediction):
            from genrelens.plots import plot_bars

            plot_bars(result, plot)


# ------------------------------------------------------------------------------- output


def _print_bars(outcomes: Iterable[_Outcome], top: int | None) -> None:
    printed = 0
    for name, result in outcomes:
        if isinstance(result, Prediction):
            if printed:
                out.print()
            _print_prediction(name, result, top)
            printed += 1


def _print_prediction(name: str, prediction: Prediction, top: int | None) -> None:
    out.print(Text(f"{display_name(name)} ({_length(prediction)})", style="dim"), soft_wrap=True)
    style = _STYLES_OF_VERDICTS[prediction.verdict]
    words, colon, answer = display_name(prediction.headline).partition(": ")
    line = Text(words + colon, style="" if answer else style)
    out.print(line.append(answer, style=f"bold {style}"), soft_wrap=True)
    if not prediction.silent:
        _print_rows(prediction.top(top), style)
    if prediction.verdict not in ("not music", "silence"):
        _print_genres_and_styles(prediction)


def _print_genres_and_styles(prediction: Prediction) -> None:
    """Print the genres that apply, if there are several, and the styles that apply."""
    genres = [display_name(genre.name) for genre in prediction.genres if genre.applies]
    if len(genres) > 1 and prediction.verdict != "changes":
        out.print(Text(f"Genres: {', '.join(genres)}"), soft_wrap=True)
    styles = styles_to_show(prediction.styles, prediction.verdict, prediction.labels)
    if styles:
        shown = styles[:_MOST_STYLES]
        texts = (f"{display_name(each.path)} {percent(each.probability)}" for each in shown)
        out.print(Text(f"Styles: {', '.join(texts)}"), soft_wrap=True)


def _length(prediction: Prediction) -> str:
    text = f"{prediction.duration:.1f} s"
    if prediction.heard < prediction.duration:
        text += f", {prediction.heard:.0f} s classified"
    if prediction.padded:
        text += ", too short to be sure"
    if prediction.noisy:
        text += f", noisy: about {prediction.snr:.0f} dB"
    return text


def _print_rows(ranking: Sequence[tuple[str, float]], style: str) -> None:
    """Print a bar for each genre, the first in a style of its own."""
    rows = [(display_name(label), p, percent_significant(p)) for label, p in ranking]
    label_width = max(len(label) for label, _, _ in rows)
    percent_width = max(len(text) for _, _, text in rows)
    longest = min(_LONGEST_BAR, out.width - label_width - percent_width - 6)
    for rank, (label, probability, text) in enumerate(rows):
        row = Text(f"  {label:<{label_width}}  {text:>{percent_width}}")
        bar = bar_of(probability, longest)
        out.print(
            row.append(f"  {bar}" if bar else "", style=style if rank == 0 else "cyan"),
            soft_wrap=True,
        )


def _print_json(
    outcomes: Iterable[_Outcome],
    top: int | None,
    notes: Sequence[str],
    *,
    timeline: bool,
    embedding: bool,
) -> None:
    documents = []
    for name, result in outcomes:
        if isinstance(result, AudioError):
            documents.append({"path": name, "error": str(result)})
            continue
        document = result.to_dict(timeline=timeline, embedding=embedding)
        if top is not None:
            document["top"] = [label for label, _ in result.top(top)]
        if own := [note for note in notes if note.startswith(f"{name}: ")]:
            document["notes"] = own
        documents.append(document)
    print_json(documents)


def _print_csv(outcomes: Iterable[_Outcome], labels: Sequence[str], *, safe: bool) -> None:
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
    """Return the cells for the genre, the probabilities and ``_MORE_COLUMNS``."""
    return [
        prediction.genre,
        *prediction.probabilities.tolist(),
        prediction.verdict,
        "|".join(style.name for style in prediction.styles if style.applies),
        prediction.music,
        prediction.duration,
        prediction.model,
        "|".join(genre.name for genre in prediction.genres if genre.applies),
        "|".join(prediction.changes),
        prediction.snr,
    ]
