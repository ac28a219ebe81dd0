"""Arguments and options that several commands have."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated

import typer

from genrelens.classifier import Classifier
from genrelens.discovery.locations import as_path
from genrelens.metadata import genre_names
from genrelens.model_file import packaged_models

__all__ = [
    "AsJson",
    "CatalogFile",
    "DataFolder",
    "DataFolders",
    "Database",
    "GenreCondition",
    "Genres",
    "Jobs",
    "JournalFile",
    "LibraryPaths",
    "Model",
    "MusicnnWheel",
    "NotMusic",
    "SafeCsv",
    "ScanSources",
    "Seed",
    "StyleCondition",
    "Target",
    "Under",
    "as_probability",
    "n_jobs",
    "restricted_classifier",
]

LibraryPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Folders, files, playlists (M3U, PLS, XSPF; XML, NML and crates of DJ programs), or "
        "quoted patterns ('Music/**/*.flac').",
        show_default=False,
    ),
]
ScanSources = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Folders, files, playlists (M3U, PLS, XSPF; XML, NML and crates of DJ programs), "
        "quoted patterns ('Music/**/*.flac'), URIs such as s3://bucket/music, or CSV and Parquet "
        "files with a column of paths.",
        show_default=False,
    ),
]
DataFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A folder with one subfolder for each genre.")
]
DataFolders = Annotated[
    list[Path],
    typer.Argument(metavar="FOLDER", help="Folders with one subfolder for each genre."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Name of a packaged model, or an .onnx file.",
        show_default="lens",
        autocompletion=lambda: list(packaged_models()),
    ),
]
Genres = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Genres of the model to choose from, separated by commas.",
        show_default="all",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        min=0,
        help="Number of files to process in parallel; 0: one for each core.",
    ),
]
MusicnnWheel = Annotated[
    Path | None,
    typer.Option(
        "--musicnn",
        metavar="FILE",
        help="Wheel of musicnn 0.1.0, which contains the pre-trained network (recipe lens).",
    ),
]
NotMusic = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder of recordings that are not music (recipe lens)."),
]
SafeCsv = Annotated[
    bool,
    typer.Option(
        "--safe-csv",
        help="In CSV, put an apostrophe before text that a spreadsheet would run as a formula "
        "(text that begins with =, +, - or @). Numbers are unchanged.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the random numbers.")]
_CATALOG = "$GENRELENS_DB, or catalog.sqlite in the user's data folder"
CatalogFile = Annotated[
    str | None,
    typer.Option("--db", metavar="FILE", help="File of the catalogue.", show_default=_CATALOG),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE",
        help="File of the catalogue, or folder or URI of a data set.",
        show_default=_CATALOG,
    ),
]
GenreCondition = Annotated[
    str | None,
    typer.Option(
        "--genre",
        metavar="GENRE",
        help="Only files of this genre; a file with several genres has each of them.",
    ),
]
StyleCondition = Annotated[
    str | None,
    typer.Option("--style", metavar="STYLE", help="Only files to which this style applies."),
]
Under = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Only files in this folder or below it.", parser=as_path),
]
Target = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="Write to this file.", show_default="standard output"
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="File of the journal, which records every write.",
        show_default="$GENRELENS_JOURNAL, or journal.sqlite in the user's data folder",
    ),
]


def as_probability(value: str | float) -> float:
    """Return the probability that a user wrote: ``0.6``, ``60%`` or ``60 %``.

    A number above 1 needs the percent sign, because 1 without it is 100 %.

    Raises:
        ValueError: the value is not a number from 0 to 1, or from 0% to 100%.

    """
    text = str(value).strip()
    in_percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise ValueError("must be a number from 0 to 1, or a percentage such as 60%") from None
    highest = 100 if in_percent else 1
    if 0 <= number <= highest:
        return number / highest
    if 1 < number <= 100:
        raise ValueError(f"must be at most 1, or a percentage: {text}%")
    if math.isnan(number) or number < 0:
        raise ValueError("must be at least 0")
    raise ValueError(f"must be at most {'100%' if in_percent else '1'}")


def n_jobs(requested: int) -> int:
    """Return the number of jobs for ``--jobs``: 0 is the number of cores that may be used."""
    if requested:
        return requested
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def restricted_classifier(classifier: Classifier, genres: str | None) -> Classifier:
    """Restrict a classifier to the genres of ``--genres``, if any are given."""
    if genres is None:
        return classifier
    try:
        return classifier.restricted(genre_names(genres))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--genres") from error
