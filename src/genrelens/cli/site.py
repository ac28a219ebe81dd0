"""``genrelens site``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import display_name, print_note
from genrelens.cli.endings import check_ending
from genrelens.cli.options import Model
from genrelens.counts import count_of
from genrelens.web.runtime import PACKAGE
from genrelens.web.site import write_site

_Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help="Folder for the site: new, empty, or with an older site."
    ),
]
_Runtime = Annotated[
    Path,
    typer.Option(
        metavar="PATH",
        help="The npm package onnxruntime-web 1.30.0 as a .tgz file, or the folder with its files.",
    ),
]


def site(folder: _Folder, runtime: _Runtime = Path(PACKAGE), model: Model = None) -> None:
    """Write a static site: a page that classifies in the browser and needs no server.

    Any static file server can serve the folder, at any address. Recordings do not leave the
    visitor's computer, and after the first visit the page works without a network. The network
    runs in the browser with onnxruntime-web, which npm provides: npm pack onnxruntime-web@1.30.0

    Examples:
        genrelens site site-static
            Write the site with onnxruntime-web-1.30.0.tgz in this folder.
        genrelens site site-static --runtime node_modules/onnxruntime-web
            Use an installed npm package.
        genrelens site site-static --model runs/mine/model.onnx
            Use a model of your own, trained with the recipe lens.

    """
    check_ending(folder, "site", "FOLDER")
    written = write_site(folder, runtime, model=model)
    name = display_name(str(folder))
    print_note(
        f"Wrote {count_of(written.n_files, 'file')} ({written.n_bytes / 1e6:.1f} MB) to {name}"
    )
    print_note(f"Try it: python -m http.server --directory {shlex.quote(name)}")
