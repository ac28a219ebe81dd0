"""Labelled clips on disk, in a folder of ``genre/file``."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from genrelens.discovery.find import find_names
from genrelens.errors import DataError, DataWarning
from genrelens.files import reason

__all__ = ["LabelledClip", "Part", "clip_names", "find_audio", "label_set", "read_folder"]

Part = Literal["train", "valid", "test"]


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A file with its genre.

    Attributes:
        path: the file.
        label: its genre, after the label map.
        part: its part of a split; None before a split.
        group: its group, usually the artist; a split by group does not divide it. None if not
            known.
        original_label: its genre before the label map, if the map changed it; else None.

    Example:
        >>> clip = LabelledClip(Path("clips/bebop/01.mp3"), "bebop", group="Monk")
        >>> clip.renamed("jazz").label
        'jazz'

    """

    path: Path
    label: str
    part: Part | None = None
    group: str | None = None
    original_label: str | None = field(default=None, compare=False)

    def renamed(self, label: str) -> Self:
        """Return the clip with a new genre; the old genre becomes ``original_label``."""
        if label == self.label:
            return self
        return replace(self, label=label, original_label=self.original_label or self.label)


def find_audio(folder: Path) -> list[Path]:
    """List the audio files below a folder, sorted, with the rules of :mod:`genrelens.discovery`.

    Links to folders are not followed, because the files behind them may belong to another genre.
    A dangling link or a pipe is skipped with a ``DataWarning``.

    Raises:
        DataError: ``folder`` cannot be listed.

    """

    def on_problem(path: str, reason: str) -> None:
        if Path(path).is_dir():
            raise DataError(reason, path=path)
        warnings.warn(f"{path} is skipped: {reason}", DataWarning, stacklevel=3)

    try:
        os.scandir(folder).close()
    except OSError as error:
        raise DataError(reason(error), path=folder) from error
    return sorted(map(Path, find_names([folder], follow_links=False, on_problem=on_problem)))


def read_folder(folder: Path, *, label_map: Mapping[str, str] | None = None) -> list[LabelledClip]:
    """Read a folder of ``genre/file``: the name of the subfolder is the label.

    Args:
        folder: contains one subfolder per genre, which can contain further subfolders.
        label_map: renames labels, for instance ``{"blues": "jazz"}``.

    Returns:
        The clips, sorted by path.

    Raises:
        DataError: the folder cannot be listed or holds no audio in subfolders.

    Example::

        clips = read_folder(Path("clips"), label_map={"bebop": "jazz"})
        clips[0].label  # 'jazz'

    """
    renamed = dict(label_map or {})
    try:
        genres = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    except OSError as error:
        raise DataError(reason(error), path=folder) from error
    clips = [
        LabelledClip(path, genre.name).renamed(renamed.get(genre.name, genre.name))
        for genre in genres
        if not genre.name.startswith(".")
        for path in find_audio(genre)
    ]
    if not clips:
        raise DataError(
            "contains no audio in subfolders; expected one folder for each genre, "
            f"for instance {folder / 'jazz' / 'track.mp3'}",
            path=folder,
        )
    return clips


def label_set(clips: Iterable[LabelledClip]) -> list[str]:
    """Return the labels of the clips, sorted.

    Example:
        >>> label_set([LabelledClip(Path("1.wav"), "jazz"), LabelledClip(Path("2.wav"), "blues")])
        ['blues', 'jazz']

    """
    return sorted({clip.label for clip in clips})


def clip_names(paths: Sequence[Path]) -> list[str]:
    """Return unique names of files that are as short as possible.

    Args:
        paths: the files.

    Returns:
        The file names without extension. If two are equal, all names include the parent folder. If
        two are still equal, the names are the paths.

    Raises:
        DataError: a file occurs twice.

    Example:
        >>> clip_names([Path("blues/01.wav"), Path("jazz/01.wav")])
        ['blues/01', 'jazz/01']

    """
    choices: list[list[str]] = [
        [path.stem for path in paths],
        [f"{path.parent.name}/{path.stem}" for path in paths],
        [str(path) for path in paths],
    ]
    for names in choices:
        if len(set(names)) == len(paths):
            return names
    twice, _ = Counter(choices[-1]).most_common(1)[0]
    raise DataError("is listed twice", path=twice)
