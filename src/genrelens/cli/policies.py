"""Options that say what ``genrelens tag`` writes."""

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
        help="Of files that have a genre: keep leaves them alone, append adds ours, replace "
        "replaces theirs (default: keep).",
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(metavar="P", min=0, max=1, help="Least probability of the genre (default: 0.5)."),
]
MaxGenres = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Write at most N: the genre, then styles that apply (default: 1)."
    ),
]
OwnWords = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your own words for genres, and a whitelist (TOML)."),
]
ID3Version = Annotated[
    _ID3 | None, typer.Option(help="Version of ID3v2; else that of the file, 2.4 if new.")
]


def make_policy(
    existing: Existing,
    min_confidence: MinConfidence,
    max_genres: MaxGenres,
    words: OwnWords,
    id3: ID3Version,
) -> Policy | None:
    """Return what was asked for; None if nothing was."""
    settings: dict[str, Any] = {
        "existing": existing and str(existing),
        "min_confidence": min_confidence,
        "max_genres": max_genres,
        "id3_version": id3 and int(id3[-1]),
        "mapping": words and read_mapping(words),
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return Policy(**given) if given else None
