"""``genrelens data split``, and the options for a split that other commands share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import out
from genrelens.cli.endings import check_ending
from genrelens.cli.options import DataFolders, SafeCsv, Seed
from genrelens.counts import count_of
from genrelens.data.folders import LabelledClip, read_folders
from genrelens.data.protocols import PROTOCOLS, split_clips
from genrelens.data.relabel import read_label_map
from genrelens.data.splits import read_groups
from genrelens.errors import DataError

__all__ = [
    "Draws",
    "Folds",
    "GroupColumn",
    "GroupFiles",
    "Groups",
    "Protocol",
    "RareGenres",
    "Relabel",
    "TestFraction",
    "check_protocol",
    "check_relabel",
    "label_map",
    "read_clips",
    "split",
]

Protocol = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="random (by clip), grouped (by artist) or filtered (the published split of GTZAN).",
    ),
]
Folds = Annotated[
    int, typer.Option(metavar="N", help="Number of folds; each fold is the test part once.")
]
Draws = Annotated[
    int | None,
    typer.Option(metavar="N", help="Draw N random test parts instead of folds (protocol random)."),
]
TestFraction = Annotated[
    float,
    typer.Option(
        metavar="P", help="Share of the clips in a test part, between 0 and 1 (with --draws)."
    ),
]
RareGenres = Annotated[
    bool,
    typer.Option(
        "--rare-genres",
        help="Allow genres with fewer groups than folds; some folds do not test them (grouped).",
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV file with the group, such as the artist, of each clip."),
]
GroupFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--groups",
        metavar="FILE",
        help="CSV file with the group, such as the artist, of each clip: one for all folders, or "
        "one for each, in the same order.",
    ),
]
GroupColumn = Annotated[
    str, typer.Option(metavar="NAME", help="Column of the group in the file of --groups.")
]
Relabel = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OLD=NEW",
        help="Rename a genre, such as blues=jazz; OLD= leaves it out; FILE.toml contains "
        "such pairs. Repeatable.",
    ),
]


def check_protocol(protocol: str, draws: int | None, groups: Sequence[Path] | None) -> None:
    """Refuse an unknown protocol, and options that do not fit the protocol."""
    if protocol not in PROTOCOLS:
        raise typer.BadParameter(f"--protocol {protocol} must be one of {', '.join(PROTOCOLS)}")
    if draws is not None and protocol != "random":
        raise typer.BadParameter("--draws needs --protocol random")
    if protocol == "grouped" and not groups:
        raise typer.BadParameter("--protocol grouped needs --groups")


def label_map(relabel: Sequence[str] | None) -> dict[str, str]:
    """Return the genres that ``--relabel`` renames: old name -> new name, empty to leave it out."""
    renamed: dict[str, str] = {}
    for entry in relabel or ():
        renamed |= _pairs(entry)
    return renamed


def _pairs(entry: str) -> dict[str, str]:
    if entry.endswith(".toml"):
        return read_label_map(Path(entry))
    old, *new = entry.split("=")
    if not old or len(new) != 1:
        raise typer.BadParameter(f"--relabel {entry} must have the form OLD=NEW or FILE.toml")
    return {old: new[0]}


def check_relabel(
    relabel: Sequence[str] | None, genres: Collection[str], problem: str = "there is no genre"
) -> None:
    """Refuse to rename genres that do not exist; a table may contain more than the data has."""
    for entry in relabel or ():
        pairs = _pairs(entry)
        if not pairs.keys() & set(genres):
            names = "of its table" if entry.endswith(".toml") else repr(*pairs)
            raise DataError(f"--relabel {entry}: {problem} {names}")


def read_clips(
    folders: Sequence[Path],
    relabel: Sequence[str] | None = None,
    groups: Sequence[Path] | None = None,
    column: str = "group",
) -> list[LabelledClip]:
    """Read the clips of folders with one subfolder for each genre, and their groups."""
    if groups and len(groups) not in (1, len(folders)):
        raise typer.BadParameter(
            f"--groups is given {count_of(len(groups), 'time')} for "
            f"{count_of(len(folders), 'folder')}: give one file for all folders, or one for each, "
            "in the same order"
        )
    clips = read_folders(folders, label_map=label_map(relabel))
    paths = [path for folder in folders for path in folder.iterdir()]
    names = " and ".join(map(str, folders))
    problem = f"{names} {'has' if len(folders) == 1 else 'have'} no genre"
    check_relabel(relabel, {path.name for path in paths if path.is_dir()}, problem)
    return read_groups(groups, clips, column=column) if groups else clips


_Target = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="CSV file to write.")]


def split(
    folders: DataFolders,
    target: _Target,
    protocol: Protocol = "random",
    folds: Folds = 5,
    draws: Draws = None,
    test_fraction: TestFraction = 0.1,
    rare_genres: RareGenres = False,
    groups: GroupFiles = None,
    group_column: GroupColumn = "group",
    relabel: Relabel = None,
    seed: Seed = 0,
    safe_csv: SafeCsv = False,
) -> None:
    """Split clips into folds or parts, and write the split to a CSV file.

    Examples:
        genrelens data split my-genres --out folds.csv
            Write five random folds.
        genrelens data split my-genres --protocol grouped --groups artists.csv --out folds.csv
            Keep all clips of an artist in one fold.
        genrelens data split old new --protocol grouped --groups artists.csv --out folds.csv
            Split two folders together. Two --groups give each folder its own artists.
        genrelens data split my-genres --draws 20 --test-fraction 0.2 --out draws.csv
            Draw 20 % of the clips as test clips, 20 times.

    """
    check_protocol(protocol, draws, groups)
    check_ending(target, "csv", "--out")
    clips = read_clips(folders, relabel, groups, group_column)
    made = split_clips(
        clips,
        protocol,
        folds=folds,
        draws=draws,
        test_fraction=test_fraction,
        seed=seed,
        rare_genres=rare_genres,
    )
    made.save(target, safe_csv=safe_csv)
    for number, assigned in enumerate(made, start=1):
        counts = Counter(clip.part for clip in assigned)
        parts = ", ".join(f"{counts[part]} {part}" for part in ("train", "valid", "test"))
        out.print(f"round {number}: {parts}")
    out.print(f"{target} (split {made.digest})", soft_wrap=True)
