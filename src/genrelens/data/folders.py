"""Labelled clips on disk, in one or more folders of ``genre/file``."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from genrelens.discovery.find import find_names
from genrelens.errors import DataError, DataWarning
from genrelens.files import reason

__all__ = [
    "LabelledClip",
    "Part",
    "clip_names",
    "find_audio",
    "label_set",
    "original_clip",
    "read_folder",
    "read_folders",
]

Part = Literal["train", "valid", "test"]

_REMADE_NAME = re.compile(r"(.+)-snippet-[\d.]+-[\d.]+")  # pop.00003-snippet-10-20


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A file with its genre.

    Attributes:
        path: the file.
        label: its genre, after the label map.
        part: its part of a split; None before a split.
        group: its group, usually the artist, which no split divides; None if not known.
        original_label: its genre before the label map, if that changed it; else None.
        source: index of the folder that it was read from, see :func:`read_folders`.

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
    source: int = 0

    @property
    def folder(self) -> str:
        """The name of its genre's folder: the genre before the label map."""
        return self.original_label or self.label

    def renamed(self, label: str) -> Self:
        """Return the clip with another genre and the present one as ``original_label``."""
        if label == self.label:
            return self
        return replace(self, label=label, original_label=self.original_label or self.label)


def find_audio(folder: Path) -> list[Path]:
    """List the audio files below a folder, sorted, by the rules of :mod:`genrelens.discovery`.

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
        folder: holds one subfolder for each genre, which may have subfolders.
        label_map: renames labels, for instance ``{"blues": "jazz"}``. The empty text leaves a
            genre out: ``{"speech": ""}``.

    Returns:
        The clips, sorted by path.

    Raises:
        DataError: the folder cannot be listed, holds no audio in subfolders, or the label map
            leaves out all its genres.

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
        LabelledClip(path, genre.name)
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
    labels = [renamed.get(clip.label, clip.label) for clip in clips]
    kept = [clip.renamed(label) for clip, label in zip(clips, labels, strict=True) if label]
    if not kept:
        raise DataError("all its genres are left out by the relabelling", path=folder)
    return kept


def read_folders(
    folders: Sequence[Path], *, label_map: Mapping[str, str] | None = None
) -> list[LabelledClip]:
    """Read several folders of ``genre/file``; genres of the same name are one genre.

    Args:
        folders: see :func:`read_folder`. The ``source`` of a clip is the index of its folder.
        label_map: renames or leaves out labels of all folders.

    Returns:
        The clips, by folder and then by path.

    Raises:
        DataError: a folder cannot be read, or is given twice or lies in another one.

    Example::

        clips = read_folders([Path("old"), Path("new")], label_map={"hip-hop": "hiphop"})
        {clip.source for clip in clips}  # {0, 1}

    """
    found = [
        [replace(clip, source=source) for clip in read_folder(folder, label_map=label_map)]
        for source, folder in enumerate(folders)
    ]
    resolved = [folder.resolve() for folder in folders]
    for index, folder in enumerate(resolved):
        others = resolved[:index] + resolved[index + 1 :]
        if any(folder.is_relative_to(other) for other in others):
            raise DataError("is given twice, or lies in another folder", path=folders[index])
    return [clip for clips in found for clip in clips]


def original_clip(name: str) -> str | None:
    """Return the name of the clip that was played for a recording by a microphone.

    Such recordings are named ``<clip>-snippet-<seconds>-<start>``. They belong to the group and to
    the part of the clip, unless they have a row of their own in the file.

    Args:
        name: name of a recording, without ending.

    Returns:
        The name of the clip, or None if the name has another form.

    Example:
        >>> original_clip("pop.00003-snippet-10-20")
        'pop.00003'

    """
    match = _REMADE_NAME.fullmatch(name)
    return match[1] if match else None


def label_set(clips: Iterable[LabelledClip]) -> list[str]:
    """Return the labels of the clips, sorted.

    Example:
        >>> label_set([LabelledClip(Path("1.wav"), "jazz"), LabelledClip(Path("2.wav"), "blues")])
        ['blues', 'jazz']

    """
    return sorted({clip.label for clip in clips})


def clip_names(paths: Sequence[Path]) -> list[str]:
    """Return the shortest names that differ: file names without ending, or longer paths.

    Args:
        paths: the files.

    Returns:
        All file names without ending; if two are equal, all with the last folder; if two are still
        equal, all paths.

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
    raise DataError("is among the clips twice", path=twice)
