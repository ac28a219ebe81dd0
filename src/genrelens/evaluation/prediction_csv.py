"""Read, check and write the rows of a file of predictions."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.counts import count_of
from genrelens.csv_cells import original_cell, readable_row
from genrelens.errors import DataError
from genrelens.files import reason, write_text_atomically

__all__ = ["CLOSE", "FLAGS", "NOT_LABELS", "Row", "columns", "read_rows", "write_rows"]

NOT_LABELS = ("clip", "genre", "group", "round", "in_training")
"""The columns that do not hold probabilities."""

FLAGS = {True: "yes", False: "no"}
CLOSE = 1e-3
"""Largest distance from 1 of the sum of a clip's probabilities, which may be rounded."""

_FLAGS = {"yes": True, "no": False, "true": True, "false": False}


class Row(NamedTuple):
    """The values of one clip as read from a file, before any check.

    Attributes:
        source: name of the file.
        position: position in the file, such as ``"line 3"``.

    """

    source: str
    position: str
    clip: Any
    genre: Any
    group: Any
    round: Any
    in_training: Any
    probabilities: list[Any]

    def error(self, reason: str) -> DataError:
        """Return an error that names the file and the position."""
        return DataError(f"{self.position}: {reason}", path=self.source)


# ------------------------------------------------------------------------------- checks


def columns(
    source: str, labels: list[Any], rows: list[Row], truth: Mapping[str, str]
) -> dict[str, Any]:
    """Check rows and return the arguments of ``PredictionTable``.

    Args:
        source: name of the file, for messages.
        labels: labels of the probabilities.
        rows: one row per clip.
        truth: name of a clip -> its genre, for rows without a genre.

    Raises:
        DataError: a value is invalid; the message names its position.

    """
    if len(labels) < 2 or not all(isinstance(label, str) and label for label in labels):
        raise DataError(f"has the labels {labels}; two or more with names are needed", path=source)
    _check_unique(source, "label", labels)
    if not rows:
        raise DataError("contains no clips", path=source)
    _check_clips(rows)
    index = {label: number for number, label in enumerate(labels)}
    return {
        "labels": tuple(labels),
        "clips": tuple(row.clip for row in rows),
        "true": np.array([_true(row, index, truth) for row in rows], dtype=np.int64),
        "probabilities": np.array([_probabilities(row, labels) for row in rows]),
        "groups": _groups(rows),
        "rounds": _rounds(rows),
        "in_training": _in_training(rows),
    }


def _check_unique(source: str, what: str, names: Sequence[str]) -> None:
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"has the {what} {double[0]!r} twice", path=source)


def _check_clips(rows: Iterable[Row]) -> None:
    seen: dict[tuple[str, str], str] = {}
    genres: dict[str, Any] = {}
    for row in rows:
        if not isinstance(row.clip, str) or not row.clip:
            raise row.error(f"clip={row.clip!r} is not a valid name")
        first = seen.setdefault((row.clip, str(row.round)), row.position)
        if first != row.position:
            raise row.error(f"{row.clip} is listed twice; first: {first}")
        other = genres.setdefault(row.clip, row.genre)
        if other != row.genre:
            raise row.error(f"{row.clip} is {row.genre!r} here, {other!r} above")


def _true(row: Row, index: Mapping[str, int], truth: Mapping[str, str]) -> int:
    """Return the index of a clip's genre, from its row or else from ``truth``."""
    genre = str(row.genre or truth.get(row.clip, ""))
    if not genre:
        bare = PurePath(row.clip).stem
        hint = (
            f"write {bare}, without folder and extension"
            if bare in truth
            else "give it in a column 'genre', or give the folder of the labelled clips"
        )
        raise row.error(f"the genre of {row.clip} is not known; {hint}")
    if genre not in index:
        raise row.error(f"genre={genre!r} has no column; the labels are {', '.join(index)}")
    return index[genre]


def _probabilities(row: Row, labels: Sequence[str]) -> list[float]:
    if len(row.probabilities) != len(labels):
        raise row.error(
            f"{count_of(len(row.probabilities), 'probability', 'probabilities')} for "
            f"{count_of(len(labels), 'label')}"
        )
    pairs = zip(labels, row.probabilities, strict=True)
    found = [_probability(row, label, value) for label, value in pairs]
    total = math.fsum(found)
    if abs(total - 1) > CLOSE:
        hint = "in percent?" if abs(total - 100) < 1 else "are they logits or scores?"
        raise row.error(f"the probabilities add up to {total:.6g}, not to 1; {hint}")
    return found


def _probability(row: Row, label: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        hint = (
            "is missing"
            if value in (None, "")
            else f"must be a number; a column other than {', '.join(NOT_LABELS)} is a label"
        )
        raise row.error(f"{label}={value!r} {hint}") from None
    if not math.isfinite(number):
        raise row.error(f"{label}={value!r} is not finite; did the model diverge?")
    if number < 0:
        raise row.error(f"{label}={value!r} is below 0; logits need a softmax first")
    return number


def _filled(rows: Sequence[Row], name: str) -> list[str] | None:
    """Return an optional column as text, or None if all its cells are empty."""
    values = [getattr(row, name) for row in rows]
    empty = [row for row, value in zip(rows, values, strict=True) if value in (None, "")]
    if len(empty) == len(rows):
        return None
    if empty:
        raise empty[0].error(
            f"{name} is empty in {len(empty)} of {count_of(len(rows), 'row')}; fill it in for all "
            f"clips or for none"
        )
    return [str(value) for value in values]


def _groups(rows: Sequence[Row]) -> tuple[str, ...] | None:
    values = _filled(rows, "group")
    return None if values is None else tuple(values)


def _rounds(rows: Sequence[Row]) -> NDArray[np.int64] | None:
    values = _filled(rows, "round")
    if values is None:
        return None
    for row, value in zip(rows, values, strict=True):
        if not re.fullmatch("[1-9][0-9]{0,8}", value):
            raise row.error(f"round={value!r} must be a whole number from 1")
    return np.array([int(value) for value in values], dtype=np.int64)


def _in_training(rows: Sequence[Row]) -> NDArray[np.bool_] | None:
    values = _filled(rows, "in_training")
    if values is None:
        return None
    for row, value in zip(rows, values, strict=True):
        if value.lower() not in _FLAGS:
            raise row.error(f"in_training={value!r} must be yes or no")
    return np.array([_FLAGS[value.lower()] for value in values])


# ------------------------------------------------------------------------------- CSV


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """Read the labels and the rows of a CSV file; bytes that are not UTF-8 are kept.

    Raises:
        DataError: the file cannot be read, or its header is invalid.

    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.reader(file, strict=True)
            header = [original_cell(name) for name in next(reader, [])]
            _check_header(path, header)
            rows = [_row(path, reader.line_num, header, row) for row in reader if row]
    except csv.Error as error:
        message = f"line {reader.line_num}: {error}; not a CSV file?"
        raise DataError(message, path=path) from error
    except OSError as error:
        raise DataError(reason(error), path=path) from error
    return [name for name in header if name not in NOT_LABELS], rows


def _check_header(path: Path, header: list[str]) -> None:
    problem = ""
    if not header:
        problem = "is empty"
    elif len(header) == 1:
        problem = f"line 1: has one column, {header[0]!r}; columns are separated by commas"
    elif "clip" not in header:
        problem = f"line 1: has no column 'clip'; it has {', '.join(map(repr, header))}"
    elif "" in header:
        problem = (
            f"line 1: column {header.index('') + 1} has no name; pandas writes such a column "
            f"unless index=False"
        )
    elif len(set(header) - set(NOT_LABELS)) < 2 and len(set(header)) == len(header):
        problem = (
            f"line 1: has the columns {', '.join(header)}; needs columns of probabilities for two "
            f"or more labels"
        )
    if problem:
        raise DataError(problem, path=path)
    _check_unique(str(path), "column", header)


def _row(path: Path, line: int, header: list[str], values: list[str]) -> Row:
    if len(values) != len(header):
        found = f"{count_of(len(values), 'value')} for {count_of(len(header), 'column')}"
        raise DataError(f"line {line}: has {found}", path=path)
    cells = dict(zip(header, map(original_cell, values), strict=True))
    known = {name: cells.pop(name, None) for name in NOT_LABELS}
    return Row(str(path), f"line {line}", **known, probabilities=list(cells.values()))


def write_rows(path: Path, lines: Iterable[Sequence[Any]], *, safe_csv: bool = False) -> None:
    """Write a CSV file completely or not at all; :func:`read_rows` reads it.

    Args:
        path: the file.
        lines: the header and the rows.
        safe_csv: put an apostrophe before text that a spreadsheet would run as a formula.

    Raises:
        DataError: the file cannot be written.

    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(readable_row(line, safe=safe_csv) for line in lines)
    write_text_atomically(path, text.getvalue())
