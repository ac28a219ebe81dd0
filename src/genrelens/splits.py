"""Splits: which clips a model learns from and which judge it, as a file to save, read and hash.

A split has one round or several. In each round every clip is in ``train``, ``valid`` or ``test``,
or left out. The CSV file has the columns ``clip`` (file name without its ending), ``genre``,
``group`` where groups are known, and ``split``, or ``split_1`` to ``split_k`` for several rounds.

``published_splits/gtzan-filtered.csv`` is the fault-filtered split of GTZAN: C. Kereliuk, B. L.
Sturm and J. Larsen, "Deep Learning and Music Adversaries", IEEE Trans. Multimedia 17 (2015), from
the lists that torchaudio carries too (443 train, 197 valid and 290 test clips).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from genrelens.datasets import LabelledClip, Part, label_set
from genrelens.errors import DataError, MissingExtraError
from genrelens.files import write_text_atomically

__all__ = [
    "Split", "filtered_split", "grouped_folds", "random_draws", "random_folds", "read_groups",
]  # fmt: skip

_PARTS = ("train", "valid", "test")
_SEGMENT_NAME = re.compile(r"(.+[._-]\d+)[._-]\d+")  # blues.00000.3: of the clip blues.00000


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

    def save(self, path: Path) -> None:
        """Write the split as CSV.

        Raises:
            DataError: the file cannot be written.

        """
        write_text_atomically(path, self._text())

    def _text(self) -> str:
        grouped = any(clip.group is not None for clip in self.clips)
        names = ["split"] if len(self) == 1 else [f"split_{k}" for k in range(1, len(self) + 1)]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["clip", "genre", *(["group"] if grouped else []), *names])
        for clip, *parts in sorted(zip(self.clips, *self.rounds, strict=True), key=_by_name):
            group = [clip.group or ""] if grouped else []
            writer.writerow([clip.path.stem, clip.label, *group, *(part or "" for part in parts)])
        return out.getvalue()

    @classmethod
    def load(cls, path: Path, clips: Sequence[LabelledClip]) -> Self:
        """Read a split for clips.

        Rows without a clip are ignored. A clip without a row is an error: whoever made the file
        did not know of it.

        Raises:
            DataError: the file is malformed, lacks a clip, leaves a round without training or
                test clips, or in one of several rounds has a group on two sides.

        """
        _check_names(clips)
        columns, rows = _read_csv(path, "split")
        missing = [clip.path.name for clip in clips if clip.path.stem not in rows]
        if missing:
            raise DataError(f"{path}: {len(missing)} clips have no row, for instance {missing[0]}")
        known = [replace(c, group=rows[c.path.stem].get("group") or None) for c in clips]
        rounds = [
            tuple(_part(path, rows[clip.path.stem][column], clip) for clip in known)
            for column in columns
        ]
        split = cls(protocol="file", clips=tuple(known), rounds=tuple(rounds))
        if len(columns) > 1:
            split._check_groups(str(path))
        for number, parts in enumerate(rounds, start=1):
            if not {"train", "test"} <= set(parts) and len(columns) > 1:
                raise DataError(f"{path}: round {number} needs clips in train and in test")
        return split

    def _check_groups(self, place: str) -> None:
        for number, parts in enumerate(self.rounds, start=1):
            sides: defaultdict[str, set[str]] = defaultdict(set)
            for clip, part in zip(self.clips, parts, strict=True):
                if clip.group is not None and part is not None:
                    sides[clip.group].add(part)
            for group, found in sorted(sides.items()):
                if len(found) > 1:
                    raise DataError(
                        f"{place}: group {group} is in {' and '.join(sorted(found))} of round "
                        f"{number}; all clips of a group belong on one side"
                    )


def _by_name(row: tuple[LabelledClip, *tuple[Part | None, ...]]) -> str:
    return row[0].path.stem


# ------------------------------------------------------------------------------ protocols


def random_folds(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> Split:
    """Split whole clips at random into folds, the genres alike in each; each fold is test once.

    Raises:
        DataError: a genre has fewer clips than there are folds, or the files are segments.
        MissingExtraError: scikit-learn is not installed.

    """
    _check_request(clips, n_folds, "clips", Counter(clip.label for clip in clips))
    _refuse_segments(clips)
    splitter = _sklearn("StratifiedKFold")(n_folds, shuffle=True, random_state=seed)
    labels = [clip.label for clip in clips]
    tests = [test for _, test in splitter.split(labels, labels)]
    return _split("random", clips, tests, seed)


def grouped_folds(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> Split:
    """Split into folds with all clips of a group (an artist) in one, the genres as alike as can be.

    Raises:
        DataError: a clip has no group, a genre has fewer groups than there are folds, or a fold
            would have no clip of some genre.
        MissingExtraError: scikit-learn is not installed.

    """
    loose = [clip.path.name for clip in clips if clip.group is None]
    if loose:
        raise DataError(
            f"{len(loose)} of {len(clips)} clips have no group, for instance {loose[0]}; name "
            "the groups in a CSV file with the columns clip and group"
        )
    counts = Counter(label for label, _ in {(clip.label, clip.group) for clip in clips})
    _check_request(clips, n_folds, "groups", counts)
    splitter = _sklearn("StratifiedGroupKFold")(n_folds, shuffle=True, random_state=seed)
    labels, groups = [clip.label for clip in clips], [clip.group for clip in clips]
    tests = [test for _, test in splitter.split(labels, labels, groups)]
    for number, test in enumerate(tests, start=1):
        absent = sorted(set(labels) - {labels[index] for index in test})
        if absent:
            raise DataError(
                f"fold {number} would have no clip of {', '.join(absent)}: try another seed or "
                "fewer folds"
            )
    split = _split("grouped", clips, tests, seed)
    split._check_groups("the folds")
    return split


def random_draws(
    clips: Sequence[LabelledClip], n_draws: int, *, test_fraction: float = 0.1, seed: int = 0
) -> Split:
    """Draw the test clips at random, again for each round; the original system's protocol.

    Raises:
        DataError: a genre has fewer than two clips, the test part is too small to hold a clip of
            each genre, or the files are segments.
        MissingExtraError: scikit-learn is not installed.

    """
    if n_draws < 1 or not 0 < test_fraction < 1:
        raise DataError(
            f"{n_draws} draws of {test_fraction} of the clips: at least one draw, of a share "
            "between 0 and 1"
        )
    _check_request(clips, 2, "clips", Counter(clip.label for clip in clips))
    _refuse_segments(clips)
    splitter = _sklearn("StratifiedShuffleSplit")(
        n_draws, test_size=test_fraction, random_state=seed
    )
    labels = [clip.label for clip in clips]
    try:
        tests = [test for _, test in splitter.split(labels, labels)]
    except ValueError as error:
        raise DataError(f"{test_fraction:.0%} of {len(clips)} clips: {error}") from error
    return _split("random", clips, tests, seed)


def filtered_split(clips: Sequence[LabelledClip]) -> Split:
    """Split GTZAN as Kereliuk, Sturm & Larsen (2015) did; faulty clips are left out.

    Clips are known by their names (``blues.00000``), whatever ends them.

    Raises:
        DataError: no clip is one of GTZAN's.

    """
    _check_names(clips)
    folder = resources.files("genrelens") / "published_splits"
    text = (folder / "gtzan-filtered.csv").read_text(encoding="utf-8")
    parts = {row["clip"]: row["split"] for row in csv.DictReader(io.StringIO(text))}
    known = tuple(clip for clip in clips if clip.path.stem in parts)
    if not known:
        raise DataError(
            f"the filtered split is of GTZAN; none of {len(clips)} clips has a name like "
            f"blues.00000 ({clips[0].path.name if clips else 'there are none'})"
        )
    chosen = tuple(cast(Part, parts[clip.path.stem]) for clip in known)
    return Split(protocol="filtered", clips=known, rounds=(chosen,))


def _split(
    protocol: str, clips: Sequence[LabelledClip], tests: Sequence[Iterable[int]], seed: int
) -> Split:
    _check_names(clips)
    rounds = []
    for test in tests:
        parts: list[Part | None] = ["train"] * len(clips)
        for index in test:
            parts[index] = "test"
        rounds.append(tuple(parts))
    bare = tuple(replace(clip, part=None) for clip in clips)
    return Split(protocol=protocol, clips=bare, rounds=tuple(rounds), seed=seed)


def _sklearn(name: str) -> Any:
    try:
        from sklearn import model_selection
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "evaluate") from error
    return getattr(model_selection, name)


# --------------------------------------------------------------------------------- checks


def _check_request(
    clips: Sequence[LabelledClip], n_folds: int, what: str, counts: Counter[str]
) -> None:
    if n_folds < 2:
        raise DataError(f"{n_folds} folds: at least 2 are needed, one to train on")
    if len(label_set(clips)) < 2:
        raise DataError(f"{len(clips)} clips of {len(label_set(clips))} genres: 2 are needed")
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < n_folds:
        raise DataError(
            f"{n_folds} folds cannot be made: genre {label!r} has only {fewest} {what}, and each "
            f"fold needs one; ask for at most {fewest} folds"
            + (" or leave the genre out" if fewest < 2 else "")
        )


def _refuse_segments(clips: Sequence[LabelledClip]) -> None:
    """Refuse files that are the segments of longer clips: at random they would be on two sides."""
    matches = [_SEGMENT_NAME.fullmatch(clip.path.stem) for clip in clips]
    if not all(matches):
        return
    counts = Counter(match[1] for match in matches if match)
    if np.median(list(counts.values())) > 1:
        name, n = counts.most_common(1)[0]
        raise DataError(
            f"the files look like segments of longer clips ({n} of {name}); segments of one clip "
            "would be in train and test. Give the clip of each as its group and split by group"
        )


def _check_names(clips: Sequence[LabelledClip]) -> None:
    seen: dict[str, Path] = {}
    for clip in clips:
        other = seen.setdefault(clip.path.stem, clip.path)
        if other != clip.path:
            raise DataError(f"a split knows clips by name, which {other} and {clip.path} share")


# ---------------------------------------------------------------------------------- files


def read_groups(
    path: Path, clips: Sequence[LabelledClip], *, column: str = "group"
) -> list[LabelledClip]:
    """Give each clip its group from a CSV file with the columns ``clip`` and ``column``.

    Raises:
        DataError: the file is malformed, has no such column, or a clip has no group in it.

    """
    _check_names(clips)
    _, rows = _read_csv(path, column)
    groups = {name: row[column] for name, row in rows.items()}
    missing = [clip.path.name for clip in clips if not groups.get(clip.path.stem)]
    if missing:
        raise DataError(f"{path}: {len(missing)} clips have no {column}, for instance {missing[0]}")
    return [replace(clip, group=groups[clip.path.stem]) for clip in clips]


def _read_csv(path: Path, column: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Read rows by their clip, and the columns called ``column`` or ``column_1`` and so on."""
    rows: dict[str, dict[str, str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or ())
            numbered = [name for name in names if re.fullmatch(rf"{column}_\d+", name)]
            columns = [column] if column in names else numbered
            if "clip" not in names or not columns:
                raise DataError(
                    f"{path}: needs the columns clip and {column}; it has "
                    f"{', '.join(names) or 'none'}"
                )
            for row in reader:
                name = row["clip"]
                if None in row or None in row.values():
                    raise DataError(f"{path}, line {reader.line_num}: not {len(names)} columns")
                if name in rows:
                    raise DataError(
                        f"{path}, line {reader.line_num}: {name} stands there twice; segments of "
                        "one clip belong together, in one row"
                    )
                rows[name] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    return columns, rows


def _part(path: Path, value: str, clip: LabelledClip) -> Part | None:
    if value and value not in _PARTS:
        raise DataError(
            f"{path}: {clip.path.stem} has split={value!r}; known are {', '.join(_PARTS)} and "
            "nothing at all"
        )
    return cast(Part, value) if value else None
