"""Turn the arguments of ``genrelens classify`` into recordings."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from typing import BinaryIO

import typer

from genrelens.audio import AudioSource
from genrelens.cli.console import print_note
from genrelens.counts import count_of, plural
from genrelens.discovery.find import find_names, is_single_file
from genrelens.discovery.playlists import STREAMS
from genrelens.discovery.uris import not_here, without_scheme
from genrelens.errors import AudioError

__all__ = ["Source", "expand", "note_skipped"]


Source = AudioSource | AudioError

_NO_AUDIO = "is a folder without audio files"
_MOST_EXTENSIONS = 5  # with a count for each; the other files are counted together


def expand(arguments: Sequence[str], skipped: Counter[str]) -> list[Source]:
    """Return the recordings that the arguments name, in order.

    ``-`` is standard input. A folder names the audio files below it, and a pattern the files that
    it matches, unless a file has that name. An argument that names no recording becomes an
    ``AudioError``.

    Args:
        arguments: the arguments of the command.
        skipped: counts the other files of the folders by file extension.

    """
    return [source for argument in arguments for source in _expand_one(argument, skipped)]


def note_skipped(skipped: Counter[str]) -> None:
    """Report the skipped entries of lists, and files by extension, the most frequent first."""
    if n := skipped[STREAMS]:
        are = plural(n, "is not a file", "are not files")
        print_note(f"skipped {count_of(n, 'entry', 'entries')} that {are} on this computer")
    suffixes = {suffix: n for suffix, n in skipped.items() if suffix != STREAMS and n}
    if not suffixes:
        return
    ranking = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{n} {suffix or 'without extension'}" for suffix, n in ranking[:_MOST_EXTENSIONS]]
    if rest := sum(n for _, n in ranking[_MOST_EXTENSIONS:]):
        parts.append(f"{rest} with other extensions")
    print_note(f"skipped files without an audio extension: {', '.join(parts)}")


def _expand_one(argument: str, skipped: Counter[str]) -> list[Source]:
    if argument == "-":
        return [_standard_input()]
    if not argument:
        return [AudioError("''", "is not the name of a file")]
    argument = without_scheme(argument)
    if not is_single_file(argument):
        return _found(argument, skipped)
    if not os.path.lexists(argument) and (obstacle := not_here(argument)):
        return [AudioError(argument, obstacle)]
    if _is_named_pipe(argument):
        print_note(f"note: {argument}: is a pipe; waiting for a program that writes to it")
    return [argument]


def _is_named_pipe(name: str) -> bool:
    """Return whether a file is a pipe with a name, not one of the shell's: ``<(...)``."""
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode) and not name.startswith("/dev/")  # noqa: PTH116
    except (OSError, ValueError):
        return False


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(
            "no recording on standard input; try: cat song.mp3 | genrelens classify -"
        )
    return sys.stdin.buffer


def _found(argument: str, skipped: Counter[str]) -> list[Source]:
    """Return the files that a folder, a pattern or a playlist names, and an error per problem."""
    found: list[Source] = []
    names = find_names(
        [argument],
        on_problem=lambda path, reason: found.append(AudioError(path, reason)),
        left_out=skipped,
    )
    for name in names:
        found.append(name)
    if not found:
        is_folder = os.path.isdir(argument)  # noqa: PTH112
        found.append(AudioError(argument, _NO_AUDIO if is_folder else "names no audio file"))
    return found
