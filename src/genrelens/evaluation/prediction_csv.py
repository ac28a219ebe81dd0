"""Rows of predictions as files hold them: read, checked, written."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.csv_cells import original_cell, readable_row
from genrelens.errors import DataError
from genrelens.files import reason, write_text_atomically

__all__ = ["CLOSE", "FLAGS", "NOT_LABELS", "Row", "columns", "read_rows", "words", "write_rows"]

NOT_LABELS = ("clip", "genre", "group", "round", "in_training")  # no probabilities
FLAGS = {True: "yes", False: "no"}
_FLAGS = {"yes": True, "no": False, "true": True, "false": False}
CLOSE = 1e-3  # how far from 1 the probabilities of a clip may add up: they were rounded


# ------------------------------------------------------------------------------- checks


@dataclass(frozen=True, slots=True)
class Row:
    """A clip as it was read; nothing is checked yet.

    Attributes:
        place: file and line, for messages.

    """

    place: str
    clip: Any
    genre: Any
    group: Any
    round: Any
    in_training: Any
    probabilities: list[Any]


def columns(
    source: str, labels: list[Any], rows: list[Row], truth: Mapping[str, str]
) -> dict[str, Any]:
    """Check rows.

    Args:
        source: name of the file, for messages.
        labels: of the probabilities.
        rows: the clips.
        truth: name of a clip -> its genre, where the row does not say it.

    Returns:
        The arguments of ``PredictionTable``.

    Raises:
        DataError: a value cannot be; with its place.

    """
    if len(labels) < 2 or not all(isinstance(label, str) and label for label in labels):
        raise DataError(f"{source}: has the labels {labels}; there must be two named ones or more")
    _check_unique(source, "label", labels)
    if not rows:
        raise DataError(f"{source}: holds no clip")
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
        raise DataError(f"{source}: the {what} {double[0]!r} stands there twice")


def _check_clips(rows: Iterable[Row]) -> None:
    seen: dict[tuple[str, str], str] = {}
    genres: dict[str, Any] = {}
    for row in rows:
        if not isinstance(row.clip, str) or not row.clip:
            raise DataError(f"{row.place}: clip={row.clip!r} is no name")
        first = seen.setdefault((row.clip, str(row.round)), row.place)
        if first != row.place:
            raise DataError(f"{row.place}: {row.clip} stands there twice; first: {first}")
        other = genres.setdefault(row.clip, row.genre)
        if other != row.genre:
            raise DataError(f"{row.place}: {row.clip} is {row.genre!r} here, {other!r} above")


def _true(row: Row, index: Mapping[str, int], truth: Mapping[str, str]) -> int:
    """Find the true class of a clip, in its row or else in ``truth``."""
    genre = str(row.genre or truth.get(row.clip, ""))
    if not genre:
        bare = PurePath(row.clip).stem
        hint = (
            f"write {bare}, without folder and ending"
            if bare in truth
            else ("give it in a column 'genre', or the folder of the labelled clips")
        )
        raise DataError(f"{row.place}: the genre of {row.clip} is not known; {hint}")
    if genre not in index:
        raise DataError(
            f"{row.place}: genre={genre!r} has no column; the labels are {', '.join(index)}"
        )
    return index[genre]


def _probabilities(row: Row, labels: Sequence[str]) -> list[float]:
    """Check the probabilities of a clip and bring them to a sum of 1."""
    if len(row.probabilities) != len(labels):
        raise DataError(
            f"{row.place}: {len(row.probabilities)} probabilities for {len(labels)} labels"
        )
    found = [
        _probability(row.place, label, value)
        for label, value in zip(labels, row.probabilities, strict=True)
    ]
    total = math.fsum(found)
    if abs(total - 1) > CLOSE:
        hint = "in percent?" if abs(total - 100) < 1 else "are they logits or scores?"
        raise DataError(f"{row.place}: the probabilities add up to {total:.6g}, not to 1; {hint}")
    return found


def _probability(place: str, label: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        hint = (
            "is missing"
            if value in (None, "")
            else (f"must be a number; a column other than {', '.join(NOT_LABELS)} is a label")
        )
        raise DataError(f"{place}: {label}={value!r} {hint}") from None
    if not math.isfinite(number):
        raise DataError(f"{place}: {label}={value!r} is not finite; did the model diverge?")
    if number < 0:
        raise DataError(f"{place}: {label}={value!r} is below 0; logits need a softmax first")
    return number


def _filled(rows: Sequence[Row], name: str) -> list[str] | None:
    """Return an optional column as text, or None where it is empty throughout."""
    values = [getattr(row, name) for row in rows]
    empty = [row.place for row, value in zip(rows, values, strict=True) if value in (None, "")]
    if len(empty) == len(rows):
        return None
    if empty:
        raise DataError(
            f"{empty[0]}: {name} is empty, as in {len(empty)} of {len(rows)} rows; fill it in "
            f"for all clips or for none"
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
            raise DataError(f"{row.place}: round={value!r} must be a whole number from 1")
    return np.array([int(value) for value in values], dtype=np.int64)


def _in_training(rows: Sequence[Row]) -> NDArray[np.bool_] | None:
    values = _filled(rows, "in_training")
    if values is None:
        return None
    for row, value in zip(rows, values, strict=True):
        if value.lower() not in _FLAGS:
            raise DataError(f"{row.place}: in_training={value!r} must be yes or no")
    return np.array([_FLAGS[value.lower()] for value in values])


# ------------------------------------------------------------------------------- CSV


def read_rows(path: Path) -> tuple[list[str], list[Row]]:
    """Read the labels and the rows of a CSV file; bytes that are no UTF-8 are kept as they are.

    Raises:
        DataError: it cannot be read, or its header cannot be.

    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.reader(file, strict=True)
            header = [original_cell(name) for name in next(reader, [])]
            _check_header(path, header)
            rows = [_row(f"{path}, line {reader.line_num}", header, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; not a CSV file?") from error
    except OSError as error:
        raise DataError(f"{path}: {words(error)}") from error
    return [name for name in header if name not in NOT_LABELS], rows


def _check_header(path: Path, header: list[str]) -> None:
    place = f"{path}, line 1"
    if not header:
        raise DataError(f"{path}: is empty")
    if len(header) == 1:
        raise DataError(f"{place}: has one column, {header[0]!r}; they are parted by commas")
    if "clip" not in header:
        raise DataError(f"{place}: has no column 'clip' but {', '.join(map(repr, header))}")
    if "" in header:
        raise DataError(
            f"{place}: column {header.index('') + 1} has no name; pandas writes such an index "
            f"unless it is told index=False"
        )
    _check_unique(place, "column", header)
    if len(set(header) - set(NOT_LABELS)) < 2:
        raise DataError(
            f"{place}: has {', '.join(header)}; there must be a column of probabilities for each "
            f"of two labels or more"
        )


def _row(place: str, header: list[str], values: list[str]) -> Row:
    if len(values) != len(header):
        raise DataError(f"{place}: has {len(values)} values for {len(header)} columns")
    cells = dict(zip(header, map(original_cell, values), strict=True))
    known = {name: cells.pop(name, None) for name in NOT_LABELS}
    return Row(place=place, **known, probabilities=list(cells.values()))


def write_rows(path: Path, lines: Iterable[Sequence[Any]], *, safe_csv: bool = False) -> None:
    """Write a CSV file at once and complete, or not at all; :func:`read_rows` reads it.

    Args:
        path: of the file.
        lines: the header and the rows.
        safe_csv: put an apostrophe before text that a spreadsheet would run as a formula.

    Raises:
        DataError: it cannot be written.

    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(readable_row(line, safe=safe_csv) for line in lines)
    write_text_atomically(path, text.getvalue())


def words(error: Exception) -> str:
    """Say what was wrong, without the path."""
    return reason(error)
