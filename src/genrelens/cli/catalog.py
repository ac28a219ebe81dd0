"""``genrelens catalog``: catalogues and data sets."""

from __future__ import annotations

from typing import Annotated

import typer

from genrelens.cli.command import Command, Group
from genrelens.cli.console import display_name, out, print_json
from genrelens.cli.options import AsJson, CatalogFile
from genrelens.counts import count_of
from genrelens.library import Catalog, import_library
from genrelens.library.records import path_fields

app = typer.Typer(
    cls=Group,
    help="Merge catalogues and data sets.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Folders or URIs of data sets, Parquet files of genrelens list, or files of "
        "catalogues.",
        show_default=False,
    ),
]


@app.command("import", cls=Command)
def import_sources(sources: _Sources, db: CatalogFile = None, as_json: AsJson = False) -> None:
    """Add the files and predictions of data sets and other catalogues to the catalogue.

    If a file was scanned twice, the later result is kept. Running the command again changes
    nothing.

    Examples:
        genrelens catalog import shard-1 shard-2 --db archive.sqlite
            Merge the data sets of two machines into one catalogue.
        genrelens catalog import s3://bucket/library
            Copy a data set into your catalogue.

    """
    imported = {}
    with Catalog.open(db) as catalog:
        for source in sources:
            imported[source] = import_library(catalog, source)
            if not as_json:
                new = "new or newer file or prediction", "new or newer files and predictions"
                line = f"{source}: {count_of(imported[source], *new)}"
                out.print(display_name(line), soft_wrap=True)
    if as_json:
        print_json([path_fields(name) | {"imported": n} for name, n in imported.items()])
