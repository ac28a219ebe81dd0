"""Rules for the values in Parquet files, which other programs can write or change.

Types are not enough: a probability of 7, a repeated label or a length below 0 would cause wrong
results or a traceback later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.discovery.locations import as_path, is_uri
from genrelens.library.parquet_items import Items

__all__ = ["check_columns", "paths_of"]

Bools = NDArray[np.bool_]
Columns = Mapping[str, Any]

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(\+00:00|Z)$"
_DIGEST, _SHA256 = "^[0-9a-f]{40}$", "^[0-9a-f]{64}$"
_PATTERNS = {
    "digest": (_DIGEST, "is not the digest of audio: 40 hexadecimal digits"),
    "model_digest": (_SHA256, "is not a SHA-256: 64 hexadecimal digits"),
    "error_model_digest": (_SHA256, "is not a SHA-256: 64 hexadecimal digits"),
    "scanned_at": (_TIME, "is not a time in UTC such as 2026-01-31T12:00:00+00:00"),
    "created_at": (_TIME, "is not a time in UTC such as 2026-01-31T12:00:00+00:00"),
}
_VERDICTS = ("genre", "changes", "not sure", "not music", "silence")
_RANGES = {  # seconds are limited as in a scan
    "size": (0, 2**63),
    "music": (0, 1),
    "duration": (0, 1e9),
    "heard": (0, 1e9),
    "level": (-1000, 1000),
    "snr": (-1000, 1000),
}
_OF_FILES = ("path", "size", "mtime")  # what each row must have
_OF_PREDICTIONS = (
    *("digest", "model_digest", "fast", "version", "created_at", "verdict", "genre"),
    *("probabilities", "level", "duration", "heard"),
)
_PROBABILITIES = ("probabilities", "genre_probabilities", "style_probabilities")
_SAME_LABELS = {"genre_applies": "genre_probabilities", "style_thresholds": "style_probabilities"}
_TOLERANCE = 0.01  # of a sum of probabilities
_LENGTH_TOLERANCE = 0.05  # of an embedding in float16
_SHOWN = 60  # characters of a value in a message

# Column, whether each of its rows breaks a rule, and the rule. The value is shown unless the rule
# is about a missing one.
_Finding = tuple[str, Bools, str]


def check_columns(columns: Columns, first: int = 0) -> None:
    """Refuse values that break a rule.

    Args:
        columns: the columns with the types of the schema, each a :class:`pyarrow.Array`. Rules that
            need other columns are not checked.
        first: number of the first row in its file.

    Raises:
        ValueError: a value breaks a rule. The message has the number of the row (the first row of a
            file is 0), the column, the value and the rule.

    """
    for find in (_missing, _paths, _ranges, _texts, _labels, _predictions, _embeddings):
        for name, broken, rule in find(columns):
            if broken.any():
                row = int(broken.argmax())
                value = columns[name][row].as_py()
                shown = "" if value is None else f" {_shortened(value)}"
                raise ValueError(f"row {first + row}: {name}{shown} {rule}")


def paths_of(columns: Columns) -> list[bytes | None]:
    """Return the path of each row as bytes; None if it has none."""
    import pyarrow as pa
    from pyarrow import compute

    texts = columns["path"].cast(pa.binary())
    found: list[bytes | None] = compute.coalesce(columns["path_bytes"], texts).to_pylist()
    return found


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _mask(array: Any) -> Bools:
    """Return an array of truth values; a missing one is false."""
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _predicted(columns: Columns) -> Bools:
    """Return whether each row has a prediction."""
    return _mask(columns["model"].is_valid())


def _of_rows(items: Items, broken: Bools, n_rows: int) -> Bools:
    """Return whether each row has an item that breaks a rule."""
    return np.bincount(items.rows[broken], minlength=n_rows) > 0


# --------------------------------------------------------------------------------- the rules


def _missing(columns: Columns) -> Iterator[_Finding]:
    for name in _OF_FILES:
        if name in columns:
            yield name, _mask(columns[name].is_null()), "is missing"
    if "model" not in columns:
        return
    for name in _OF_PREDICTIONS:
        if name in columns:
            absent = _mask(columns[name].is_null()) & _predicted(columns)
            yield name, absent, "of the prediction is missing"


def _paths(columns: Columns) -> Iterator[_Finding]:
    if not {"path", "path_bytes"} <= columns.keys():
        return
    paths = [os.fsdecode(path or b"") for path in paths_of(columns)]
    names = np.array([_is_name(path) for path in paths], bool)
    yield "path", ~names, "is not a file name"
    absolute = np.array([os.path.isabs(path) or is_uri(path) for path in paths], bool)  # noqa: PTH117
    yield "path", ~absolute, "is relative: list without --relative-to"


_PLAIN_NAME = re.compile(r"[^\0]*[^\0/\\.]", re.DOTALL)


def _is_name(path: str) -> bool:
    return _PLAIN_NAME.fullmatch(path) is not None or (
        "\0" not in path and bool(as_path(path).name)
    )


def _ranges(columns: Columns) -> Iterator[_Finding]:
    for name, (low, high) in _RANGES.items():
        if name in columns:
            # A missing value is checked above: here it is compared as a valid one.
            values = columns[name].fill_null(0).to_numpy(zero_copy_only=False)
            outside = ~((values >= low) & (values <= high))  # NaN is outside
            yield name, outside, f"is not in the range {low:g} to {high:g}"
    if {"duration", "heard"} <= columns.keys():
        heard, duration = (columns[name].fill_null(0).to_numpy() for name in ("heard", "duration"))
        yield "heard", heard > duration + 1, "is longer than the recording"


def _texts(columns: Columns) -> Iterator[_Finding]:
    import pyarrow as pa
    from pyarrow import compute

    for name, (pattern, rule) in _PATTERNS.items():
        if name in columns:
            matched = compute.match_substring_regex(columns[name], pattern)
            yield name, ~_mask(matched.fill_null(True)), rule
    if "verdict" in columns:
        unknown = ~_mask(compute.is_in(columns["verdict"], pa.array([*_VERDICTS, None])))
        yield "verdict", unknown, f"is none of the verdicts {', '.join(_VERDICTS)}"


def _labels(columns: Columns) -> Iterator[_Finding]:
    """Check labels and elements, and the values that belong to them."""
    rules = {
        **dict.fromkeys(_PROBABILITIES, (_is_probability, "has a probability outside of 0 to 1")),
        "style_thresholds": (_is_finite, "has a threshold that is not a number"),
        **dict.fromkeys(("genre_applies", "style_parents"), (_has_value, _NO_VALUE)),
        **dict.fromkeys(("changes", "tagged"), (_has_key, "has an element without a value")),
    }
    for name in filter(columns.__contains__, rules):
        items, (is_valid, rule) = Items(columns[name]), rules[name]
        n = len(columns[name])
        if items.values is not None:
            yield name, _of_rows(items, items.repeated(), n), "has a label more than once"
            yield name, _of_rows(items, ~_has_key(items), n), "has a label without a name"
        yield name, _of_rows(items, ~is_valid(items), n), rule


_NO_VALUE = "has a label without a value"


def _is_probability(items: Items) -> Bools:
    return (items.numbers() >= 0) & (items.numbers() <= 1)  # a missing number is NaN


def _is_finite(items: Items) -> Bools:
    return np.isfinite(items.numbers())


def _has_value(items: Items) -> Bools:
    return _mask(items.values.is_valid())


def _has_key(items: Items) -> Bools:
    return _mask(items.keys.is_valid())


def _predictions(columns: Columns) -> Iterator[_Finding]:
    """Check what columns of a prediction have to do with each other."""
    for name, labels in (*_SAME_LABELS.items(), ("style_parents", "style_probabilities")):
        if {name, labels} <= columns.keys():
            yield (
                name,
                _has_other_labels(columns[name], columns[labels], name),
                (f"has other labels than {labels}"),
            )
    if {"model", "genre", "probabilities"} <= columns.keys():
        predicted, items = _predicted(columns), Items(columns["probabilities"])
        sums = np.bincount(items.rows, items.numbers(), minlength=len(predicted))
        yield "probabilities", predicted & ~(abs(sums - 1) <= _TOLERANCE), "do not sum to 1"
        found = Items.of_texts(columns["genre"]).positions_in(items) >= 0
        yield "genre", predicted & ~found, "has no probability"


def _has_other_labels(given: Any, wanted: Any, name: str) -> Bools:
    """Return whether each row has other labels in one column than in another.

    A file of a former version lacks the first column. Not every style has a parent.
    """
    ours, theirs = Items(given), Items(wanted)
    broken = _of_rows(ours, ours.positions_in(theirs) < 0, len(given))
    if name == "style_parents":
        return broken
    fewer = _of_rows(theirs, theirs.positions_in(ours) < 0, len(given))
    return broken | (fewer & _mask(given.is_valid()))


def _embeddings(columns: Columns) -> Iterator[_Finding]:
    if "embedding" not in columns:
        return
    items, n = Items(columns["embedding"]), len(columns["embedding"])
    numbers = np.asarray(items.keys.to_numpy(zero_copy_only=False), dtype=np.float64)
    present = _mask(columns["embedding"].is_valid())
    lengths = np.sqrt(np.bincount(items.rows, numbers**2, minlength=n))
    broken = present & ~(abs(lengths - 1) <= _LENGTH_TOLERANCE)
    yield "embedding", broken, "is not a vector of length 1"
    if "model_digest" in columns:
        yield (
            "embedding",
            _other_sizes(columns["model_digest"], items, present),
            ("has another size than others of its model"),
        )


def _other_sizes(models: Any, items: Items, present: Bools) -> Bools:
    """Return whether each embedding has another size than the first one of its model."""
    codes = models.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    sizes = np.diff(items.ends)
    broken = np.zeros(len(sizes), bool)
    for code in np.unique(codes[present]):
        own = present & (codes == code)
        broken |= own & (sizes != sizes[own][0])
    return broken
