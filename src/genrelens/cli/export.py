"""``genrelens export``."""

from __future__ import annotations

from enum import StrEnum, auto
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from genrelens.cli.console import display_name, out, print_json, print_note
from genrelens.cli.endings import check_ending
from genrelens.cli.names import check_names
from genrelens.cli.options import AsJson, Database, GenreCondition, StyleCondition, Under
from genrelens.cli.tag import (
    Existing,
    MaxGenres,
    MinConfidence,
    Words,
    make_policy,
    print_outdated,
)
from genrelens.counts import count_of
from genrelens.library import ExportedCollection, export_collection, open_library
from genrelens.library.dj.write import DjProgram
from genrelens.library.records import path_fields
from genrelens.library.versions import count_outdated

__all__ = ["export"]

_MOST_SKIPPED = 10  # with a line for each; the others are counted


class _Program(StrEnum):
    rekordbox = auto()
    traktor = auto()
    serato = auto()


class _By(StrEnum):
    genre = auto()
    style = auto()
    both = auto()


_NEXT = {
    _Program.rekordbox: "choose this file in Rekordbox: Preferences > Advanced > rekordbox xml",
    _Program.traktor: "choose this file in Traktor: Track Collection > Import Another Collection",
    _Program.serato: "Serato reads crates in the folder _Serato_/Subcrates when it starts",
}
_GROUPINGS: dict[_By, tuple[Literal["genre", "style"], ...]] = {
    _By.genre: ("genre",),
    _By.style: ("style",),
    _By.both: ("genre", "style"),
}

_ForProgram = Annotated[
    _Program, typer.Argument(metavar="PROGRAM", help="rekordbox, traktor or serato.")
]
_Target = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="The file to write: XML for Rekordbox, NML for Traktor. For Serato, a folder.",
    ),
]
_PlaylistsBy = Annotated[
    _By, typer.Option("--by", help="Playlists or crates for each genre, each style, or both.")
]
_Comments = Annotated[
    bool,
    typer.Option(
        "--comments",
        help="Also write the prediction as the comment of each track ('Jazz 83 %; Bebop'). When "
        "you import it, it replaces your own comment.",
    ),
]
_Force = Annotated[bool, typer.Option("--force", help="Replace a file that another program wrote.")]
_Drive = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Root of the drive that holds the tracks (Serato).",
        show_default="the drive of PATH",
    ),
]


def export(
    program: _ForProgram,
    target: _Target,
    db: Database = None,
    genre: GenreCondition = None,
    style: StyleCondition = None,
    under: Under = None,
    by: _PlaylistsBy = _By.both,
    existing: Existing = None,
    min_confidence: MinConfidence = None,
    max_genres: MaxGenres = None,
    words: Words = None,
    comments: _Comments = False,
    drive: _Drive = None,
    force: _Force = False,
    as_json: AsJson = False,
) -> None:
    """Write scanned tracks, with genres and playlists, as a collection of a DJ program.

    Genres are chosen as "genrelens tag" chooses them; those in the tags are kept unless --existing
    is append or replace. Your own collection is never changed: import the new file in the program.

    Examples:
        genrelens export rekordbox genrelens.xml
            Write a collection that Rekordbox imports.
        genrelens export traktor genrelens.nml --under ~/Music/Crate --by style
            Write the tracks below a folder, with a playlist for each style.
        genrelens export serato ~/Music/_Serato_/Subcrates --by genre
            Write a crate for each genre.

    """
    if drive is not None and program is not _Program.serato:
        raise typer.BadParameter("--drive is only for serato")
    if str(target) == "-":
        raise typer.BadParameter("PATH must be a file or folder; ./- is one with this name")
    check_ending(target, program, "PATH")
    policy = make_policy(existing, min_confidence, max_genres, words)
    with open_library(db) as catalog:
        entries = catalog.query(genre=genre, style=style, under=under)
        first = next(entries, None)
        if first is None:
            check_names(catalog, genre=genre, style=style)
        print_outdated(count_outdated(catalog, under=under))
        exported = export_collection(
            chain(() if first is None else (first,), entries),
            cast(DjProgram, program.value),
            target,
            policy=policy,
            by=_GROUPINGS[by],
            comments=comments,
            force=force,
            drive=drive,
        )
    if as_json:
        print_json(_document(exported, program, target))
    else:
        _print(exported, program, target)


def _print(exported: ExportedCollection, program: _Program, target: Path) -> None:
    for name, n_tracks in exported.playlists.items():
        out.print(f"{display_name(name)}  {count_of(n_tracks, 'track')}", soft_wrap=True)
    for path, reason in exported.skipped[:_MOST_SKIPPED]:
        print_note(f"skipped {path}: {reason}")
    if n_more := len(exported.skipped[_MOST_SKIPPED:]):
        print_note(f"skipped {n_more} more (--json has all)")
    if not exported.n_tracks:
        print_note("no file meets these conditions; nothing was written")
        return
    out.print(
        f"{display_name(str(target))}: {count_of(exported.n_tracks, 'track')}", soft_wrap=True
    )
    print_note(_NEXT[program])


def _document(exported: ExportedCollection, program: _Program, target: Path) -> dict[str, object]:
    return {
        "program": program.value,
        "target": path_fields(target)["path"],
        "tracks": exported.n_tracks,
        "playlists": exported.playlists,
        "skipped": [path_fields(path) | {"reason": reason} for path, reason in exported.skipped],
    }
