"""``genrelens data split``, and the options for a split that other commands share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from genrelens.cli.console import out
from genrelens.cli.options import DataFolder, SafeCsv, Seed
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.data.protocols import PROTOCOLS, split_clips
from genrelens.data.splits import read_groups
from genrelens.errors import DataError

__all__ = [
    "Draws",
    "Folds",
    "GroupColumn",
    "Groups",
    "Protocol",
    "Relabel",
    "TestFraction",
    "check_protocol",
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
Groups = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV file with the group, such as the artist, of each clip."),
]
GroupColumn = Annotated[
    str, typer.Option(metavar="NAME", help="Column of the group in the file of --groups.")
]
Relabel = Annotated[
    list[str] | None,
    typer.Option(metavar="OLD=NEW", help="Rename a genre, such as blues=jazz; repeatable."),
]


def check_protocol(protocol: str, draws: int | None, groups: Path | None) -> None:
    """Refuse an unknown protocol, and options that do not fit the protocol."""
    if protocol not in PROTOCOLS:
        raise typer.BadParameter(f"--protocol {protocol} must be one of {', '.join(PROTOCOLS)}")
    if draws is not None and protocol != "random":
        raise typer.BadParameter("--draws needs --protocol random")
    if protocol == "grouped" and groups is None:
        raise typer.BadParameter("--protocol grouped needs --groups")


def label_map(relabel: Sequence[str] | None) -> dict[str, str]:
    """Return the genres that ``--relabel`` renames: old name -> new name."""
    pairs = [entry.split("=") for entry in relabel or ()]
    for entry, pair in zip(relabel or (), pairs, strict=True):
        if len(pair) != 2 or not all(pair):
            raise typer.BadParameter(f"--relabel {entry} must have the form OLD=NEW")
    return {pair[0]: pair[1] for pair in pairs}


def read_clips(
    folder: Path, renamed: dict[str, str], groups: Path | None = None, column: str = "group"
) -> list[LabelledClip]:
    """Read the clips of a folder with one subfolder for each genre, and their groups."""
    clips = read_folder(folder, label_map=renamed)
    for old, new in renamed.items():
        if not (folder / old).is_dir():
            raise DataError(f"--relabel {old}={new}: {folder} has no genre {old!r}")
    return clips if groups is None else read_groups(groups, clips, column=column)


_Target = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="CSV file to write.")]


def split(
    folder: DataFolder,
    target: _Target,
    protocol: Protocol = "random",
    folds: Folds = 5,
    draws: Draws = None,
    test_fraction: TestFraction = 0.1,
    groups: Groups = None,
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
        genrelens data split my-genres --draws 20 --test-fraction 0.2 --out draws.csv
            Draw 20 % of the clips as test clips, 20 times.

    """
    check_protocol(protocol, draws, groups)
    clips = read_clips(folder, label_map(relabel), groups, group_column)
    made = split_clips(
        clips, protocol, folds=folds, draws=draws, test_fraction=test_fraction, seed=seed
    )
    made.save(target, safe_csv=safe_csv)
    for number, assigned in enumerate(made, start=1):
        counts = Counter(clip.part for clip in assigned)
        parts = ", ".join(f"{counts[part]} {part}" for part in ("train", "valid", "test"))
        out.print(f"round {number}: {parts}")
    out.print(f"{target} (split {made.digest})", soft_wrap=True)
