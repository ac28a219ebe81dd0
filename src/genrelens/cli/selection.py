"""The clips that ``genrelens evaluate`` uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from genrelens.data.folders import LabelledClip, read_folder
from genrelens.data.splits import read_groups, split_by_file
from genrelens.errors import DataError

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The clips to evaluate on.

    Attributes:
        folder: a folder with one subfolder for each genre, or None.
        split: a CSV file that assigns clips to parts; None for all clips.
        part: the part of the split to use.
        groups: a CSV file with the group of each clip, or None.
        group_column: the column of ``groups`` that holds the group.
        renamed: old label -> new label.

    """

    folder: Path | None
    split: Path | None
    part: str
    groups: Path | None
    group_column: str
    renamed: dict[str, str]

    def clips(self) -> list[LabelledClip]:
        """Return the clips with their labels before renaming; none without a folder."""
        if self.folder is None:
            return []
        clips = read_folder(self.folder)
        _refuse_empty_genres(self.folder, clips)
        if self.split is not None:
            clips = [clip for clip in split_by_file(self.split, clips) if clip.part == self.part]
            if not clips:
                raise DataError(
                    f"no clip of {self.folder} is in part {self.part!r}", path=self.split
                )
        return [replace(clip, part=None) for clip in self.grouped(clips)]

    def grouped(self, clips: list[LabelledClip]) -> list[LabelledClip]:
        """Return the clips with the groups of ``--groups``."""
        if self.groups is None:
            return clips
        return read_groups(self.groups, clips, column=self.group_column)

    def check_renamed(self, *known: Collection[str]) -> None:
        """Refuse to rename a genre that neither the data nor the model has."""
        for old, new in self.renamed.items():
            if not any(old in labels for labels in known):
                raise DataError(f"--relabel {old}={new}: there is no genre {old!r}")

    @property
    def protocol(self) -> str:
        """The split in words."""
        return "all clips" if self.split is None else f"part {self.part} of {self.split.name}"


def _refuse_empty_genres(folder: Path, clips: Iterable[LabelledClip]) -> None:
    """Refuse a genre folder without clips, which is probably a mistake."""
    filled = {clip.path.relative_to(folder).parts[0] for clip in clips}
    for genre in sorted(folder.iterdir()):
        if genre.is_dir() and not genre.name.startswith(".") and genre.name not in filled:
            raise DataError("contains no audio; fill the folder or remove it", path=genre)
