"""``genrelens data``: data sets to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genrelens.cli.console import display_name, err, out, print_note
from genrelens.cli.data_check import check
from genrelens.cli.data_split import split

app = typer.Typer(help="Data sets to train on.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    pass


app.command("check")(check)


app.command("split")(split)


@app.command("gtzan")
def gtzan(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it goes.")],
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use a genres.tar.gz that is already on disk."),
    ] = None,
) -> None:
    """Download, verify and unpack GTZAN (1.2 GB; the same command again resumes)."""
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
    verb = "was there already" if report.already_there else "is ready"
    place = display_name(str(report.folder))
    out.print(f"{place} {verb}: {len(report.clips)} readable clips", soft_wrap=True)
