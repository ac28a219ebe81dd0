"""Options that several commands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsJson",
    "Database",
    "Jobs",
    "JournalFile",
    "Model",
    "MusicnnWheel",
    "NotMusic",
    "SafeCsv",
    "n_jobs",
]

AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="A packaged model's name or an .onnx file."
    ),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", "-j", metavar="N", min=0, help="Files at once; 0 is one for each core."),
]
MusicnnWheel = Annotated[
    Path | None,
    typer.Option("--musicnn", metavar="WHEEL", help="musicnn 0.1.0, on which lens stands."),
]
NotMusic = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Recordings that are not music, for the recipe lens."),
]
SafeCsv = Annotated[
    bool,
    typer.Option(
        "--safe-csv",
        metavar="",
        help="In CSV, put an apostrophe before text that a spreadsheet would run as a formula "
        "(it begins with =, +, - or @); numbers stay as they are.",
    ),
]
Database = Annotated[
    Path | None,
    typer.Option(
        "--db", metavar="FILE", help="The catalogue; else $GENRELENS_DB, or in your data folder."
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="What was written; else $GENRELENS_JOURNAL, or in your data folder.",
    ),
]


def n_jobs(asked: int) -> int:
    """Resolve ``--jobs``: the cores that this process may use, where 0 was asked."""
    if asked:
        return asked
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
