"""Options of ``genrelens tag`` that choose what is written."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genrelens.library import Policy, read_mapping

__all__ = ["Existing", "ID3Version", "MaxGenres", "MinConfidence", "OwnWords", "make_policy"]


class _Existing(StrEnum):
    KEEP = "keep"
    APPEND = "append"
    REPLACE = "replace"


class _ID3(StrEnum):
    V2_3 = "2.3"
    V2_4 = "2.4"


Existing = Annotated[
    _Existing | None,
    typer.Option(
        help="For files that have a genre: keep it, append ours, or replace it with ours.",
        show_default="keep",
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        metavar="P", min=0, max=1, help="Lowest probability of the genre.", show_default="0.5"
    ),
]
MaxGenres = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Largest number of genres to write: the genre first, then styles that apply.",
        show_default="1",
    ),
]
OwnWords = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Mapping of genres to your own names (TOML)."),
]
ID3Version = Annotated[
    _ID3 | None,
    typer.Option(help="Version of ID3v2.", show_default="that of the file, 2.4 for new tags"),
]


def make_policy(
    existing: Existing,
    min_confidence: MinConfidence,
    max_genres: MaxGenres,
    words: OwnWords,
    id3: ID3Version,
) -> Policy | None:
    """Return the requested policy; None if no option was given."""
    settings: dict[str, Any] = {
        "existing": existing and str(existing),
        "min_confidence": min_confidence,
        "max_genres": max_genres,
        "id3_version": id3 and int(id3[-1]),
        "mapping": words and read_mapping(words),
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return Policy(**given) if given else None
