"""``genrelens playlist``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.names import check_names
from genrelens.cli.options import Database, GenreCondition, SafeCsv, StyleCondition, Target, Under
from genrelens.cli.similar import (
    ComparedModel,
    Kind,
    RelativeTo,
    checked_format,
    print_recordings,
)
from genrelens.library import make_playlist, open_library

__all__ = ["playlist"]

_Like = Annotated[
    list[Path] | None,
    typer.Option(
        "--like",
        metavar="FILE",
        help="The recording to start from; name those to lead through after it.",
        show_default=False,
    ),
]
_Others = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Further recordings that the playlist leads through, in order; it ends with the last.",
        show_default=False,
    ),
]
_Number = Annotated[
    int,
    typer.Option("--n", "-n", metavar="N", min=1, max=1000, help="Number of recordings."),
]


def playlist(
    others: _Others = None,
    like: _Like = None,
    n: _Number = 50,
    genre: GenreCondition = None,
    style: StyleCondition = None,
    under: Under = None,
    kind: Kind = None,
    target: Target = None,
    relative_to: RelativeTo = None,
    safe_csv: SafeCsv = False,
    model: ComparedModel = None,
    db: Database = None,
) -> None:
    """Make a playlist that leads from one recording to another without jumps.

    Consecutive recordings are as similar as possible, and none is repeated. With one recording, the
    playlist moves slowly away from it; with several, it leads through all of them. Each line
    begins with the similarity to the recording before it.

    Examples:
        genrelens playlist --like calm.mp3 wild.mp3 --n 30 --out evening.m3u8
            Write a playlist of 30 recordings that leads from one to the other.
        genrelens playlist --like song.mp3 --genre jazz
            Show 50 recordings of jazz that begin near a song.

    """
    chosen = checked_format(kind, target, safe_csv=safe_csv)
    seeds = _seeds(like or [], others or [])
    with open_library(db) as catalog:
        try:
            found = make_playlist(
                catalog, seeds, n=n, model=model, genre=genre, style=style, under=under
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        if len(found) <= len(seeds):
            check_names(catalog, genre=genre, style=style)
    print_recordings(found, chosen, target, relative_to, safe_csv=safe_csv)


def _seeds(like: list[Path], others: list[Path]) -> list[Path]:
    """Return the recordings of ``--like A B`` in order."""
    if not like and not others:
        raise typer.BadParameter("give a recording, as in --like song.mp3")
    if len(like) > 1 and others:
        raise typer.BadParameter("give all recordings after one --like, so that their order counts")
    return [*like, *others]
