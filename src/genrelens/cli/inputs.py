"""Turn the arguments of ``genrelens classify`` into recordings."""

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

__all__ = ["Source", "expand", "note_skipped"]


Source = AudioSource | AudioError

_NO_AUDIO = "is a folder without audio files"
_MOST_ENDINGS = 5  # listed one by one; the rest are counted together


def expand(arguments: Sequence[str], skipped: Counter[str]) -> list[Source]:
    """Return the recordings that arguments name, in order.

    ``-`` is standard input, a folder stands for the audio files below it, and a pattern for the
    files that it matches, unless a file has that name. An argument that names no recording becomes
    an ``AudioError``. ``skipped`` counts the other files of the folders by their endings.
    """
    return [source for argument in arguments for source in _expand_one(argument, skipped)]


def note_skipped(skipped: Counter[str]) -> None:
    """Report how many files of folders were skipped, by ending, the most frequent first."""
    if not skipped:
        return
    ranking = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{n} {ending or 'without an ending'}" for ending, n in ranking[:_MOST_ENDINGS]]
    if rest := sum(n for _, n in ranking[_MOST_ENDINGS:]):
        parts.append(f"{rest} with other endings")
    print_note(f"skipped, not audio by their endings: {', '.join(parts)}")


def _expand_one(argument: str, skipped: Counter[str]) -> Iterator[Source]:
    if argument == "-":
        yield _standard_input()
    elif os.path.isdir(argument):  # noqa: PTH112 (Path's raises on a name that is too long)
        yield from _folder(argument, skipped)
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        yield from _pattern(argument, skipped)
    elif argument:
        yield argument
    else:
        yield AudioError("''", "is not the name of a file")


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(
            "- reads standard input, which has no recording; "
            "for instance: cat song.mp3 | genrelens classify -"
        )
    return sys.stdin.buffer


def _folder(name: str, skipped: Counter[str]) -> Iterator[str | AudioError]:
    try:
        files = find_audio(Path(name), skipped)
    except DataError as error:
        yield AudioError(error.path or name, error.reason)
        return
    if not files:
        yield AudioError(name, _NO_AUDIO)
    yield from map(str, files)


def _pattern(pattern: str, skipped: Counter[str]) -> Iterator[str | AudioError]:
    """Return the audio files that match and those in matching folders, each once.

    Other matching files are returned only if there is no audio file.
    """
    matched = sorted(set(matches(pattern)))
    paths = set(map(Path, matched))
    found: dict[str, str | AudioError] = {}
    for match in matched:
        if os.path.isdir(match):  # noqa: PTH112
            is_within_another = any(parent in paths for parent in Path(match).parents)
            files = _folder(match, Counter() if is_within_another else skipped)
            found |= {str(each): each for each in files if not _is_empty(each)}
        elif Path(match).suffix.lower() in AUDIO_SUFFIXES:
            found[str(Path(match))] = match
    if found or matched:
        yield from found.values() or matched
    else:
        yield AudioError(pattern, "matches no file")


def _is_empty(source: str | AudioError) -> bool:
    return isinstance(source, AudioError) and source.reason == _NO_AUDIO
