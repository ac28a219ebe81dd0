"""Labelled clips on disk: a folder of ``genre/file``, and how it is split."""

from __future__ import annotations

import csv
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from genrelens.audio import AUDIO_SUFFIXES
from genrelens.errors import DataError, DataWarning

__all__ = ["LabelledClip", "apply_split", "find_audio", "label_set", "random_split", "read_folder"]

Part = Literal["train", "valid", "test"]
_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """One file and what is known of it.

    Attributes:
        path: the file.
        label: its genre, the label map applied.
        part: the side of a split it is on, or None before a split.
        group: what must stay on one side of any split (the artist), or None.

    """

    path: Path
    label: str
    part: Part | None = None
    group: str | None = None


def find_audio(folder: Path) -> list[Path]:
    """List the audio files below a folder, sorted; hidden files and folders are left out.

    Raises:
        DataError: ``folder`` is not a folder that can be listed.

    """
    found: list[Path] = []
    try:
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir() and not entry.is_symlink():
                found += find_audio(entry)
            elif entry.suffix.lower() in AUDIO_SUFFIXES and entry.is_file():
                found.append(entry)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    return found


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
        raise DataError(f"{folder}: {error.strerror or error}") from error
    clips = [
        LabelledClip(path, renamed.get(genre.name, genre.name))
        for genre in genres
        if not genre.name.startswith(".")
        for path in find_audio(genre)
    ]
    if not clips:
        raise DataError(
            f"{folder}: holds no audio in subfolders; expected one folder for each genre, "
            f"for instance {folder / 'jazz' / 'track.mp3'}"
        )
    return clips


def label_set(clips: Iterable[LabelledClip]) -> list[str]:
    """Return the labels of the clips, sorted."""
    return sorted({clip.label for clip in clips})


# ------------------------------------------------------------------------------- splits


def apply_split(clips: Sequence[LabelledClip], split_file: Path) -> list[LabelledClip]:
    """Put each clip on the side that a CSV file names.

    The file has a column ``clip`` (file name without its ending), a column ``split`` (``train``,
    ``valid`` or ``test``) and, if groups are known, a column ``group``. Rows without a file are
    ignored; a file without a row is an error.

    Raises:
        DataError: the file is malformed or misses a clip, or two clips have the same name.

    Warns:
        DataWarning: a group lies on two sides of the split.

    """
    rows = _read_rows(split_file)
    _check_names_differ(clips, split_file)
    missing = [clip.path.name for clip in clips if clip.path.stem not in rows]
    if missing:
        raise DataError(
            f"{split_file}: {len(missing)} files have no row, for instance {missing[0]}"
        )
    placed = [
        replace(clip, part=rows[clip.path.stem][0], group=rows[clip.path.stem][1])
        for clip in clips
    ]  # fmt: skip
    _warn_of_torn_groups(placed, split_file)
    return placed


def _check_names_differ(clips: Iterable[LabelledClip], split_file: Path) -> None:
    seen: dict[str, Path] = {}
    for clip in clips:
        other = seen.setdefault(clip.path.stem, clip.path)
        if other != clip.path:
            raise DataError(f"{split_file}: its names cannot tell {other} from {clip.path}")


def _read_rows(split_file: Path) -> dict[str, tuple[Part, str | None]]:
    rows: dict[str, tuple[Part, str | None]] = {}
    try:
        with split_file.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            absent = {"clip", "split"} - set(reader.fieldnames or ())
            if absent:
                raise DataError(f"{split_file}: has no column {' or '.join(sorted(absent))}")
            for row in reader:
                clip, part = row["clip"], row["split"]
                place = f"{split_file}, line {reader.line_num}"
                if part not in _PARTS:
                    raise DataError(f"{place}: split={part!r} must be one of {', '.join(_PARTS)}")
                if clip in rows:
                    raise DataError(f"{place}: {clip} stands there twice")
                rows[clip] = (cast(Part, part), row.get("group") or None)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{split_file}: {error}") from error
    return rows


def _warn_of_torn_groups(clips: Iterable[LabelledClip], split_file: Path) -> None:
    parts: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.group is not None:
            parts[clip.group].add(str(clip.part))
    torn = sorted(group for group, found in parts.items() if len(found) > 1)
    if torn:
        message = (
            f"{split_file}: of {len(parts)} groups {len(torn)} lie on two sides of the split, "
            f"for instance {torn[0]} in {' and '.join(sorted(parts[torn[0]]))}"
        )
        warnings.warn(DataWarning(message), stacklevel=3)


def random_split(
    clips: Sequence[LabelledClip], *, valid_fraction: float = 0.15, seed: int = 0
) -> list[LabelledClip]:
    """Put whole clips at random into ``train`` and ``valid``, the same share of each genre.

    Raises:
        DataError: a genre has fewer than two clips, so that one side would lack it.
        ValueError: ``valid_fraction`` is not between 0 and 1.

    """
    if not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction={valid_fraction} must lie between 0 and 1")
    counts = Counter(clip.label for clip in clips)
    for label, count in counts.items():
        if count < 2:
            raise DataError(f"genre {label!r} has only {count} clip; a split needs at least 2")
    shuffled = random.Random(seed).sample(range(len(clips)), len(clips))
    valid: set[int] = set()
    taken: Counter[str] = Counter()
    for index in shuffled:
        label = clips[index].label
        wanted = max(1, round(valid_fraction * counts[label]))
        if taken[label] < min(wanted, counts[label] - 1):
            taken[label] += 1
            valid.add(index)
    return [
        replace(clip, part="valid" if index in valid else "train")
        for index, clip in enumerate(clips)
    ]
