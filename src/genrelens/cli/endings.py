"""Check that the ending of a file to write fits what is written to it."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from genrelens.cli.console import display_name
from genrelens.decoders.formats import AUDIO_SUFFIXES

__all__ = ["check_ending"]

# Kind of file -> its words in messages, and its endings, the usual one first.
_KINDS = {
    "csv": ("CSV", (".csv", ".txt")),
    "json": ("JSON", (".json", ".txt")),
    "jsonl": ("JSON Lines", (".jsonl", ".ndjson", ".txt")),
    "parquet": ("Parquet", (".parquet",)),
    "m3u8": ("a playlist", (".m3u8", ".m3u")),
    "html": ("a web page", (".html", ".htm")),
    "plan": ("a plan", (".jsonl", ".json", ".txt")),
    "npz": ("NumPy arrays", (".npz",)),
    "onnx": ("a model", (".onnx",)),
    "rekordbox": ("a collection of Rekordbox", (".xml",)),
    "traktor": ("a collection of Traktor", (".nml",)),
    "serato": ("crates of Serato", ()),
    "report": ("a report", ()),
    "run": ("a run", ()),
    "playlists": ("playlists", ()),
    "data set": ("a data set", ()),
    "site": ("a site", ()),
}
_OTHERS = (".pdf", ".png", ".svg", ".toml", ".sqlite", ".db", ".tsv", ".xlsx", ".crate", ".zip")
_KNOWN = AUDIO_SUFFIXES.union(_OTHERS, *(endings for _, endings in _KINDS.values()))


def _is_there(target: Path, *, or_file: bool) -> bool:
    """Return whether there is a folder, or with ``or_file`` anything, with this name."""
    # The methods of Path raise an error for a name that is too long.
    return os.path.isdir(target) or (or_file and os.path.exists(target))  # noqa: PTH110, PTH112


def check_ending(target: Path | None, kind: str, option: str) -> None:
    """Refuse a file, or a name for a folder, with the ending of another kind of file.

    Files without an ending, such as pipes, and with an unknown ending are accepted.

    Args:
        target: the file or folder to write; None is accepted.
        kind: what is written, such as ``"csv"`` or ``"traktor"``.
        option: name of the option or the argument, for the message.

    Raises:
        typer.BadParameter: the ending contradicts the kind.

    """
    if target is None:
        return
    words, endings = _KINDS[kind]
    ending = target.suffix.lower()
    if ending not in _KNOWN or ending in endings or _is_there(target, or_file=not endings):
        return
    name = display_name(str(target))
    if not endings:
        need = "needs" if words.startswith("a ") else "need"
        raise typer.BadParameter(
            f"{option} {name}: {words} {need} the name of a folder, not of a {ending} file"
        )
    raise typer.BadParameter(
        f"{option} {name}: the file for {words} must end in {endings[0]}, not in {ending}"
    )
