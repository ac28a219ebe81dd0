"""``genrelens data``: data sets to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genrelens.cli.command import Command, Group
from genrelens.cli.console import display_name, err, out, print_note
from genrelens.cli.data_check import check
from genrelens.cli.data_split import split

app = typer.Typer(
    cls=Group,
    help="Check, split and download data sets.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check", cls=Command)(check)
app.command("split", cls=Command)(split)


@app.command("gtzan", cls=Command)
def gtzan(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to unpack the data set into.")
    ],
    archive: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A copy of genres.tar.gz.", show_default="download 1.2 GB"
        ),
    ] = None,
) -> None:
    """Download, verify and unpack GTZAN, a data set of 1000 clips in ten genres.

    Run the same command again to continue an interrupted download.

    Examples:
        genrelens data gtzan gtzan
            Download 1.2 GB and unpack the clips into the folder gtzan/genres.
        genrelens data gtzan gtzan --archive genres.tar.gz
            Unpack an archive that you already have.

    """
    from rich.progress import Progress

    from genrelens.data.gtzan import fetch_gtzan

    with Progress(console=err, disable=not err.is_terminal, redirect_stdout=False) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step.capitalize(), total=total)
            bars.update(tasks[step], completed=done, total=total)

        report = fetch_gtzan(folder, archive_path=archive, progress=show)
    for reason in report.unreadable.values():
        print_note(f"skipped: {reason}", style="yellow")
    state = "was complete already" if report.already_there else "is complete"
    path = display_name(str(report.folder))
    out.print(f"{path} {state}: {len(report.clips)} readable clips", soft_wrap=True)
