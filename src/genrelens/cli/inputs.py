"""From the arguments of a command to the recordings they name."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import BinaryIO

import typer

from genrelens.audio import AudioSource
from genrelens.cli.console import print_note
from genrelens.discovery.find import find_names, is_single_file
from genrelens.errors import AudioError

__all__ = ["Source", "expand", "note_left_out"]


Source = AudioSource | AudioError

_NO_AUDIO = "is a folder without audio files"
_MOST_ENDINGS = 5  # that are named; the others are counted together


def expand(arguments: Sequence[str], left_out: Counter[str]) -> list[Source]:
    """Turn arguments into recordings, in order.

    ``-`` is standard input, a folder stands for the audio files below it, and a pattern that is
    not itself a file for what it matches. What names nothing becomes an ``AudioError``. The other
    files of the folders are counted in ``left_out`` by their endings.
    """
    return [source for argument in arguments for source in _expand_one(argument, left_out)]


def note_left_out(left_out: Counter[str]) -> None:
    """Report the files of folders that are no audio by their endings, the commonest by name."""
    if not left_out:
        return
    named = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{n} {ending or 'without an ending'}" for ending, n in named[:_MOST_ENDINGS]]
    if rest := sum(n for _, n in named[_MOST_ENDINGS:]):
        parts.append(f"{rest} with other endings")
    print_note(f"left out, no audio by their endings: {', '.join(parts)}")


def _expand_one(argument: str, left_out: Counter[str]) -> list[Source]:
    if argument == "-":
        return [_standard_input()]
    if not argument:
        return [AudioError("''", "is not the name of a file")]
    return [argument] if is_single_file(argument) else _found(argument, left_out)


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(
            "- is standard input, and there is no recording on it; "
            "for instance: cat song.mp3 | genrelens classify -"
        )
    return sys.stdin.buffer


def _found(argument: str, left_out: Counter[str]) -> list[Source]:
    """Return the files that a folder, a pattern or a playlist names, and the problems."""
    found: list[Source] = []
    names = find_names(
        [argument],
        on_problem=lambda path, reason: found.append(AudioError(path, reason)),
        left_out=left_out,
    )
    for name in names:
        found.append(name)
    if not found:
        is_folder = os.path.isdir(argument)  # noqa: PTH112
        found.append(AudioError(argument, _NO_AUDIO if is_folder else "names no audio file"))
    return found
