"""Select the clips to evaluate a model on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from genrelens.data.folders import LabelledClip, Part, read_folder
from genrelens.data.splits import read_groups, split_by_file
from genrelens.errors import DataError

__all__ = ["select_clips"]


def select_clips(
    folder: Path,
    *,
    split: Path | None = None,
    part: Part = "valid",
    groups: Path | None = None,
    group_column: str = "group",
    left_out: Collection[str] = (),
) -> list[LabelledClip]:
    """Return the labelled clips of a folder, or those in one part of a split.

    Args:
        folder: a folder of ``genre/file``.
        split: a CSV file that puts the clips into parts; None selects all clips.
        part: part of the split.
        groups: a CSV file with the group (the artist) of each clip, or None.
        group_column: column of the groups.
        left_out: genres to leave out.

    Raises:
        DataError: a file cannot be read, a genre has no audio files, no clip is in the part, or
            all genres are left out.

    Example::

        clips = select_clips(Path("gtzan"), split=Path("split.csv"), part="test")

    """
    clips = read_folder(folder)
    _refuse_empty_genres(folder, clips)
    clips = [clip for clip in clips if clip.label not in left_out]
    if not clips:
        raise DataError("all its genres are left out", path=folder)
    if split is not None:
        clips = [clip for clip in split_by_file(split, clips) if clip.part == part]
        if not clips:
            raise DataError(f"no clip of {folder} is in part {part!r}", path=split)
    if groups is not None:
        clips = read_groups(groups, clips, column=group_column)
    return [replace(clip, part=None) for clip in clips]


def _refuse_empty_genres(folder: Path, clips: Iterable[LabelledClip]) -> None:
    """Refuse a genre without clips: probably they are missing."""
    filled = {clip.path.relative_to(folder).parts[0] for clip in clips}
    for genre in sorted(folder.iterdir()):
        if genre.is_dir() and not genre.name.startswith(".") and genre.name not in filled:
            raise DataError("holds no audio; fill the folder or remove it", path=genre)
