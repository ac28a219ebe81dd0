"""Splits of clips into training, validation and test parts, and their CSV files.

A split has one or more rounds. In each round every clip is in ``train``, ``valid`` or ``test``, or
in no part. The CSV file has the columns ``clip`` (the name from
:func:`~genrelens.data.folders.clip_names`), ``genre``, ``group`` where groups are known, and
``split``, or ``split_1`` to ``split_k`` for several rounds.
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

from genrelens.counts import count_of
from genrelens.csv_cells import original_cell, readable_row
from genrelens.data.folders import LabelledClip, Part, clip_names, original_clip
from genrelens.errors import DataError, DataWarning
from genrelens.files import reason, write_text_atomically

__all__ = ["Split", "read_groups", "split_by_file"]

_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Clips and their parts in each round.

    Attributes:
        protocol: ``"random"``, ``"grouped"``, ``"filtered"`` or ``"file"``.
        clips: the clips, without parts.
        rounds: for each round, the part of each clip; None for a clip in no part.
        seed: seed of a random split; None for other splits.

    Example::

        split = grouped_folds(read_groups(Path("artists.csv"), clips), 5)
        split.save(Path("folds.csv"))
        for clips in split:
            test = [clip for clip in clips if clip.part == "test"]

    """

    protocol: str
    clips: tuple[LabelledClip, ...]
    rounds: tuple[tuple[Part | None, ...], ...]
    seed: int | None = None

    def __iter__(self) -> Iterator[list[LabelledClip]]:
        """Yield for each round the clips that are in a part, with their parts."""
        for parts in self.rounds:
            pairs = zip(self.clips, parts, strict=True)
            yield [replace(clip, part=part) for clip, part in pairs if part is not None]

    def __len__(self) -> int:
        return len(self.rounds)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that identify clips, labels, groups and parts."""
        return hashlib.sha256(self._text().encode()).hexdigest()[:16]

    def save(self, path: Path, *, safe_csv: bool = False) -> None:
        """Write the split as a CSV file.

        Args:
            path: the file.
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
        """Read the split of clips from a CSV file.

        Rows of other clips are ignored. A clip without a row is an error, because the clip was
        added after the split. A microphone recording can have the row of its clip (see
        :func:`~genrelens.data.folders.original_clip`).

        Args:
            path: the file.
            clips: the clips.

        Raises:
            DataError: the file is malformed or lacks a clip. In a file with several rounds also: a
                round has no training or test clips, or divides a group.

        Warns:
            DataWarning: a file with one round divides a group; some published splits do.

        """
        columns, found = _read_csv(path, "split")
        names = _names(clips)
        rows = [_row(found, name) for name in names]
        if missing := [name for name, row in zip(names, rows, strict=True) if not row]:
            raise DataError(
                f"{count_of(len(missing), 'clip has', 'clips have')} no row, for instance "
                f"{missing[0]}",
                path=path,
            )
        pairs = zip(clips, rows, strict=True)
        known = [replace(clip, group=row.get("group") or None) for clip, row in pairs]
        rounds = [tuple(_part(path, row, column) for row in rows) for column in columns]
        split = cls(protocol="file", clips=tuple(known), rounds=tuple(rounds))
        if len(split) > 1:
            split.check_rounds(path)
        elif divided := _divided_groups(known, rounds[0]):
            group, parts = divided[0]
            message = (
                f"{path}: the split divides groups: {len(divided)} in all, for instance {group} "
                f"(in {' and '.join(sorted(parts))})"
            )
            warnings.warn(DataWarning(message), stacklevel=2)
        return split

    def check_rounds(self, path: Path | None = None) -> None:
        """Check that every round has training and test clips and divides no group.

        Args:
            path: the file of the split, for the message.

        Raises:
            DataError: a round has no training or no test clips, or divides a group.

        """
        for number, parts in enumerate(self.rounds, start=1):
            if not {"train", "test"} <= set(parts):
                raise DataError(f"round {number} needs clips in train and in test", path=path)
            for group, found in _divided_groups(self.clips, parts):
                raise DataError(
                    f"group {group} is in {' and '.join(sorted(found))} of round {number}; all "
                    f"clips of a group must be in one part",
                    path=path,
                )


def split_by_file(path: Path, clips: Sequence[LabelledClip]) -> list[LabelledClip]:
    """Return the clips with parts from a file with one round; leave out clips without a part.

    Args:
        path: the file.
        clips: the clips.

    Raises:
        DataError: the file is malformed, lacks a clip, or has several rounds.

    Warns:
        DataWarning: the split divides a group, as the published split of GTZAN does.

    Example::

        clips = split_by_file(Path("split.csv"), read_folder(folder))

    """
    split = Split.load(path, clips)
    if len(split) > 1:
        raise DataError(
            f"has {len(split)} rounds; only genrelens crossval uses several rounds", path=path
        )
    return next(iter(split))


def _divided_groups(
    clips: Sequence[LabelledClip], parts: Sequence[Part | None]
) -> list[tuple[str, set[str]]]:
    """Return the groups that are in several parts, with their parts."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for clip, part in zip(clips, parts, strict=True):
        if clip.group is not None and part is not None:
            found[clip.group].add(part)
    return [(group, each) for group, each in sorted(found.items()) if len(each) > 1]


def _names(clips: Sequence[LabelledClip]) -> list[str]:
    return clip_names([clip.path for clip in clips])


# ---------------------------------------------------------------------------------- files


def read_groups(
    paths: Path | Sequence[Path], clips: Sequence[LabelledClip], *, column: str = "group"
) -> list[LabelledClip]:
    """Return the clips with their groups from CSV files.

    A microphone recording has the group of its clip, see
    :func:`~genrelens.data.folders.original_clip`.

    Args:
        paths: one file for all clips, or one for each ``source`` of the clips, in order, with the
            columns ``clip`` (see :func:`clip_names`) and ``column``. Groups of different files
            are different: ``g1`` becomes ``1:g1`` or ``2:g1``. Sources with the same file share
            its groups.
        clips: the clips.
        column: name of the column with the groups.

    Raises:
        DataError: a file is malformed, has no such column, or lacks the group of a clip; or there
            are more sources than files.

    Example::

        clips = read_groups(Path("artists.csv"), clips, column="artist")
        both = read_folders([Path("old"), Path("new")])
        both = read_groups([Path("old.csv"), Path("new.csv")], both)

    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    distinct = {path.resolve(): path for path in files}
    if len(distinct) == 1:
        return _grouped(files[0], clips, column)
    n_sources = 1 + max((clip.source for clip in clips), default=-1)
    if n_sources > len(files):
        raise DataError(
            f"{count_of(len(files), 'file')} of groups for {count_of(n_sources, 'folder')}: give "
            "one for each folder, in the same order, or one for all"
        )
    result = list(clips)
    for number, (resolved, path) in enumerate(distinct.items(), start=1):
        indices = [i for i, clip in enumerate(clips) if files[clip.source].resolve() == resolved]
        grouped = _grouped(path, [clips[i] for i in indices], column)
        for index, clip in zip(indices, grouped, strict=True):
            result[index] = replace(clip, group=f"{number}:{clip.group}")
    return result


def _grouped(path: Path, clips: Sequence[LabelledClip], column: str) -> list[LabelledClip]:
    _, rows = _read_csv(path, column)
    groups = [_row(rows, name).get(column) for name in _names(clips)]
    if missing := [clip.path.name for clip, group in zip(clips, groups, strict=True) if not group]:
        raise DataError(
            f"{count_of(len(missing), 'clip has', 'clips have')} no {column}, for instance "
            f"{missing[0]}",
            path=path,
        )
    return [replace(clip, group=group) for clip, group in zip(clips, groups, strict=True)]


def _row(rows: dict[str, dict[str, str]], name: str) -> dict[str, str]:
    """Return the row of a clip, or that of the clip that a microphone recorded, or no columns."""
    return rows.get(name) or rows.get(original_clip(name) or "") or {}


def _read_csv(path: Path, column: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return the names of the columns ``column`` (or ``column_1`` etc.), and the rows by clip."""
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
                    message = f"line {reader.line_num}: not {count_of(len(names), 'column')}"
                    raise DataError(message, path=path)
                row = {key: original_cell(text) for key, text in row.items()}
                name = row["clip"]
                if name in rows:
                    raise DataError(
                        f"line {reader.line_num}: {name} is listed twice; segments of one clip "
                        "belong together in one row",
                        path=path,
                    )
                rows[name] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(reason(error), path=path) from error
    return columns, rows


def _part(path: Path, row: dict[str, str], column: str) -> Part | None:
    value = row[column]
    if value and value not in _PARTS:
        raise DataError(
            f"{row['clip']} has {column}={value!r}; it must be one of {', '.join(_PARTS)}, or "
            "empty",
            path=path,
        )
    return cast(Part, value) if value else None
