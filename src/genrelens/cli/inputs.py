"""From the arguments of a command to the recordings they name."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import typer

from genrelens.audio import AUDIO_SUFFIXES, AudioSource
from genrelens.cli.console import print_note
from genrelens.data.folders import find_audio
from genrelens.discovery.patterns import matches
from genrelens.errors import AudioError, DataError

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


def _expand_one(argument: str, left_out: Counter[str]) -> Iterator[Source]:
    if argument == "-":
        yield _standard_input()
    elif os.path.isdir(argument):  # noqa: PTH112 (Path's raises on a name that is too long)
        yield from _folder(argument, left_out)
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        yield from _pattern(argument, left_out)
    elif argument:
        yield argument
    else:
        yield AudioError("''", "is not the name of a file")


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(
            "- is standard input, and there is no recording on it; "
            "for instance: cat song.mp3 | genrelens classify -"
        )
    return sys.stdin.buffer


def _folder(name: str, left_out: Counter[str]) -> Iterator[str | AudioError]:
    try:
        files = find_audio(Path(name), left_out)
    except DataError as error:
        yield AudioError(error.path or name, error.reason)
        return
    if not files:
        yield AudioError(name, _NO_AUDIO)
    yield from map(str, files)


def _pattern(pattern: str, left_out: Counter[str]) -> Iterator[str | AudioError]:
    """List the audio files that match and those in folders that match, each once.

    What does not look like audio counts only where nothing else matches.
    """
    matched = sorted(set(matches(pattern)))
    places = set(map(Path, matched))
    found: dict[str, str | AudioError] = {}
    for match in matched:
        if os.path.isdir(match):  # noqa: PTH112
            is_within_another = any(parent in places for parent in Path(match).parents)
            files = _folder(match, Counter() if is_within_another else left_out)
            found |= {str(each): each for each in files if not _is_empty(each)}
        elif Path(match).suffix.lower() in AUDIO_SUFFIXES:
            found[str(Path(match))] = match
    if found or matched:
        yield from found.values() or matched
    else:
        yield AudioError(pattern, "matches no file")


def _is_empty(source: str | AudioError) -> bool:
    return isinstance(source, AudioError) and source.reason == _NO_AUDIO
