"""Splits: which clips a model learns from and which judge it, as a file to save, read and hash.

A split has one round or several. In each round every clip is in ``train``, ``valid`` or ``test``,
or left out. The CSV file has the columns ``clip`` (the file name without its
ending, with folders where that does not tell clips apart), ``genre``,
``group`` where groups are known, and ``split``, or ``split_1`` to ``split_k`` for several rounds.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, cast

from genrelens.csv_cells import original_cell, readable_row
from genrelens.data.folders import LabelledClip, Part, clip_names
from genrelens.errors import DataError, DataWarning
from genrelens.files import reason, write_text_atomically

__all__ = ["Split", "read_groups", "split_by_file"]

_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Clips and, for each round, the part that each is in.

    Attributes:
        protocol: ``"random"``, ``"grouped"``, ``"filtered"`` or ``"file"``.
        clips: the clips, their part None.
        rounds: for each round the part of each clip, or None where it is left out.
        seed: of the draw, or None.

    """

    protocol: str
    clips: tuple[LabelledClip, ...]
    rounds: tuple[tuple[Part | None, ...], ...]
    seed: int | None = None

    def __iter__(self) -> Iterator[list[LabelledClip]]:
        """Give the clips of each round with their parts."""
        for parts in self.rounds:
            pairs = zip(self.clips, parts, strict=True)
            yield [replace(clip, part=part) for clip, part in pairs if part is not None]

    def __len__(self) -> int:
        return len(self.rounds)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the split: its clips, labels, groups and parts."""
        return hashlib.sha256(self._text().encode()).hexdigest()[:16]

    def save(self, path: Path, *, safe_csv: bool = False) -> None:
        """Write the split as CSV.

        Args:
            path: of the file.
            safe_csv: put an apostrophe before text that a spreadsheet would run as a formula (it
                begins with ``=``, ``+``, ``-`` or ``@``). :meth:`load` removes it again.

        Raises:
            DataError: the file cannot be written.

        """
        write_text_atomically(path, self._text(safe=safe_csv))

    def _text(self, *, safe: bool = False) -> str:
        grouped = any(clip.group is not None for clip in self.clips)
        names = ["split"] if len(self) == 1 else [f"split_{k}" for k in range(1, len(self) + 1)]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["clip", "genre", *(["group"] if grouped else []), *names])
        rows = zip(_names(self.clips), self.clips, *self.rounds, strict=True)
        for name, clip, *parts in sorted(rows, key=lambda row: row[0]):
            group = [clip.group or ""] if grouped else []
            row = [name, clip.label, *group, *(part or "" for part in parts)]
            writer.writerow(readable_row(row, safe=safe))
        return out.getvalue()

    @classmethod
    def load(cls, path: Path, clips: Sequence[LabelledClip]) -> Self:
        """Read a split for clips.

        Rows without a clip are ignored. A clip without a row is an error: whoever made the file
        did not know of it.

        Raises:
            DataError: the file is malformed or lacks a clip; one of several rounds has no
                training or test clips, or a group on two sides.

        Warns:
            DataWarning: a group lies on two sides of a file of one round: published splits do so.

        """
        columns, found = _read_csv(path, "split")
        names = _names(clips)
        if missing := [name for name in names if name not in found]:
            raise DataError(
                f"{len(missing)} clips have no row, for instance {missing[0]}", path=path
            )
        rows = [found[name] for name in names]
        pairs = zip(clips, rows, strict=True)
        known = [replace(clip, group=row.get("group") or None) for clip, row in pairs]
        rounds = [tuple(_part(path, row, column) for row in rows) for column in columns]
        split = cls(protocol="file", clips=tuple(known), rounds=tuple(rounds))
        if len(split) > 1:
            split.check_rounds(str(path))
        elif torn := _torn_groups(known, rounds[0]):
            group, parts = torn[0]
            message = (
                f"{path}: {len(torn)} groups lie on two sides of the split, for instance {group} "
                f"in {' and '.join(sorted(parts))}"
            )
            warnings.warn(DataWarning(message), stacklevel=2)
        return split

    def check_rounds(self, place: str) -> None:
        """Refuse rounds that judge nothing, or by clips of a group that was learnt from.

        Raises:
            DataError: there is one; ``place`` stands in the message.

        """
        for number, parts in enumerate(self.rounds, start=1):
            if not {"train", "test"} <= set(parts):
                raise DataError(f"{place}: round {number} needs clips in train and in test")
            for group, sides in _torn_groups(self.clips, parts):
                raise DataError(
                    f"{place}: group {group} is in {' and '.join(sorted(sides))} of round "
                    f"{number}; all clips of a group belong on one side"
                )


def split_by_file(path: Path, clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Put each clip on the side that a file of one round names; what it leaves out is left out.

    Raises:
        DataError: the file is malformed, lacks a clip, or has several rounds.

    Warns:
        DataWarning: a group lies on two sides, as in the published split of GTZAN.

    """
    split = Split.load(path, clips)
    if len(split) > 1:
        raise DataError(f"has {len(split)} rounds; genrelens crossval goes through them", path=path)
    return next(iter(split))


def _torn_groups(
    clips: Sequence[LabelledClip], parts: Sequence[Part | None]
) -> list[tuple[str, set[str]]]:
    """List the groups on more than one side, with the sides."""
    sides: defaultdict[str, set[str]] = defaultdict(set)
    for clip, part in zip(clips, parts, strict=True):
        if clip.group is not None and part is not None:
            sides[clip.group].add(part)
    return [(group, found) for group, found in sorted(sides.items()) if len(found) > 1]


def _names(clips: Sequence[LabelledClip]) -> list[str]:
    return clip_names([clip.path for clip in clips])


# ---------------------------------------------------------------------------------- files


def read_groups(
    path: Path, clips: Sequence[LabelledClip], *, column: str = "group"
) -> list[LabelledClip]:
    """Give each clip its group from a CSV file with the columns ``clip`` and ``column``.

    Raises:
        DataError: the file is malformed, has no such column, or a clip has no group in it.

    """
    _, rows = _read_csv(path, column)
    groups = [rows.get(name, {}).get(column) for name in _names(clips)]
    if missing := [clip.path.name for clip, group in zip(clips, groups, strict=True) if not group]:
        raise DataError(
            f"{len(missing)} clips have no {column}, for instance {missing[0]}", path=path
        )
    return [replace(clip, group=group) for clip, group in zip(clips, groups, strict=True)]


def _read_csv(path: Path, column: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Read rows by their clip, and the columns called ``column`` or ``column_1`` and so on."""
    rows: dict[str, dict[str, str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [original_cell(name) for name in reader.fieldnames or ()]
            reader.fieldnames = names
            numbered = [name for name in names if re.fullmatch(rf"{column}_\d+", name)]
            columns = [column] if column in names else numbered
            if "clip" not in names or not columns:
                raise DataError(
                    f"needs the columns clip and {column}; it has {', '.join(names) or 'none'}",
                    path=path,
                )
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path}, line {reader.line_num}: not {len(names)} columns")
                row = {key: original_cell(text) for key, text in row.items()}
                name = row["clip"]
                if name in rows:
                    raise DataError(
                        f"{path}, line {reader.line_num}: {name} stands there twice; segments of "
                        "one clip belong together, in one row"
                    )
                rows[name] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(reason(error), path=path) from error
    return columns, rows


def _part(path: Path, row: dict[str, str], column: str) -> Part | None:
    value = row[column]
    if value and value not in _PARTS:
        raise DataError(
            f"{row['clip']} has {column}={value!r}; known are {', '.join(_PARTS)} and "
            "nothing at all",
            path=path,
        )
    return cast(Part, value) if value else None
