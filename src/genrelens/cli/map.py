"""``genrelens map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import out
from genrelens.cli.endings import check_ending
from genrelens.cli.names import check_names
from genrelens.cli.options import Database, GenreCondition, StyleCondition, Under
from genrelens.cli.similar import ComparedModel
from genrelens.counts import count_of
from genrelens.files import write_text_atomically
from genrelens.library import map_library, map_page, open_library

__all__ = ["map_files"]

_Page = Annotated[
    Path,
    typer.Option("--html", metavar="FILE", help="The page to write.", show_default="map.html"),
]
_Most = Annotated[
    int,
    typer.Option(
        "--most",
        metavar="N",
        min=1,
        max=50_000,
        help="Largest number of recordings to draw; of a larger library, a random sample.",
    ),
]


def map_files(
    page: _Page = Path("map.html"),
    genre: GenreCondition = None,
    style: StyleCondition = None,
    under: Under = None,
    most: _Most = 5000,
    model: ComparedModel = None,
    db: Database = None,
) -> None:
    """Draw a map of the library as a web page: recordings that sound alike are near each other.

    On the page you can play the recordings, search for names and filter by genre. It is one file
    and needs no internet connection. This command needs the extra similar.

    Examples:
        genrelens map --html map.html
            Draw the whole library.
        genrelens map --under ~/Music/Jazz --html jazz.html
            Draw one folder.

    """
    check_ending(page, "html", "--html")
    with open_library(db) as catalog:
        check_names(catalog, genre=genre, style=style)
        found = map_library(catalog, most=most, model=model, genre=genre, style=style, under=under)
    write_text_atomically(page, map_page(found, page))
    sample = "" if len(found.entries) == found.total else f" (a sample of {found.total})"
    out.print(f"{page}: {count_of(len(found.entries), 'recording')}{sample}", soft_wrap=True)
