"""Labelled clips on disk: a folder of ``genre/file``."""

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
    """One file and what is known of it.

    Attributes:
        path: the file.
        label: its genre, the label map applied.
        part: the side of a split it is on, or None before a split.
        group: what must stay on one side of any split (the artist), or None.
        original_label: its genre before the label map, where that changed it; else None.

    """

    path: Path
    label: str
    part: Part | None = None
    group: str | None = None
    original_label: str | None = field(default=None, compare=False)

    def renamed(self, label: str) -> Self:
        """Return the clip with another genre; the original one is kept."""
        if label == self.label:
            return self
        return replace(self, label=label, original_label=self.original_label or self.label)


def find_audio(folder: Path) -> list[Path]:
    """List the audio files below a folder, sorted, by the rules of :mod:`genrelens.discovery`.

    Links to folders are not followed, because the files behind them may belong to another genre.
    A dangling link or a pipe is skipped with a ``DataWarning``.

    Raises:
        DataError: ``folder`` is not a folder, or a folder cannot be listed.

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
        folder: holds one subfolder for each genre; files may lie deeper in it.
        label_map: renames labels, for instance ``{"blues": "jazz"}``.

    Returns:
        The clips, sorted by path.

    Raises:
        DataError: the folder cannot be listed or holds no audio in subfolders.

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
            "holds no audio in subfolders; expected one folder for each genre, "
            f"for instance {folder / 'jazz' / 'track.mp3'}",
            path=folder,
        )
    return clips


def label_set(clips: Iterable[LabelledClip]) -> list[str]:
    """Return the labels of the clips, sorted."""
    return sorted({clip.label for clip in clips})


def clip_names(paths: Sequence[Path]) -> list[str]:
    """Name files: without folder and ending if that tells them apart, else with more of both.

    Raises:
        DataError: a file is there twice.

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
    raise DataError("is among the clips twice", path=twice)
