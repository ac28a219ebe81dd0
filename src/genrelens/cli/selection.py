"""The options of ``genrelens evaluate`` that select clips."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from genrelens.data.folders import LabelledClip, Part
from genrelens.data.selection import select_clips
from genrelens.data.splits import read_groups
from genrelens.errors import DataError

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The clips to evaluate on.

    Attributes:
        folder: a folder of genre/file, or None.
        split: a CSV file that puts the clips into parts, or None for all clips.
        part: part of the split.
        groups: a CSV file with the groups, or None.
        group_column: column of the groups.
        renamed: old label -> new label.

    """

    folder: Path | None
    split: Path | None
    part: str
    groups: Path | None
    group_column: str
    renamed: dict[str, str]

    def clips(self) -> list[LabelledClip]:
        """Return the clips with their original labels; none without a folder."""
        if self.folder is None:
            return []
        return select_clips(
            self.folder,
            split=self.split,
            part=cast(Part, self.part),
            groups=self.groups,
            group_column=self.group_column,
        )

    def grouped(self, clips: list[LabelledClip]) -> list[LabelledClip]:
        """Return clips with the groups of ``--groups``."""
        if self.groups is None:
            return clips
        return read_groups(self.groups, clips, column=self.group_column)

    def check_renamed(self, *known: Collection[str]) -> None:
        """Refuse to rename a genre that is neither in the data nor in the model."""
        for old, new in self.renamed.items():
            if not any(old in labels for labels in known):
                raise DataError(f"--relabel {old}={new}: there is no genre {old!r}")

    @property
    def protocol(self) -> str:
        """A description for the report."""
        return "all clips" if self.split is None else f"part {self.part} of {self.split.name}"
