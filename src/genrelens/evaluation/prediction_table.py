"""What a model said of clips whose genre is known: a table that any model can fill.

The file is a CSV with the columns ``clip``, if known ``genre``, ``group``, ``round`` and
``in_training`` (yes or no), and one column of probabilities for each label::

    clip,genre,group,blues,jazz
    blues.00012,blues,Howlin' Wolf,0.75,0.25
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import DataError
from genrelens.evaluation.prediction_csv import (
    CLOSE,
    FLAGS,
    NOT_LABELS,
    Row,
    columns,
    read_rows,
    words,
    write_rows,
)

__all__ = ["PredictionTable", "load_predictions"]

_EXACT = 1e-12  # what is nearer is left as it is, so that a table that was saved reads the same


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionTable:
    """What a model said of clips whose genre is known.

    Attributes:
        labels: of the columns of ``probabilities``; at least two.
        clips: their names, the file names without ending; none twice in a round.
            Repeated draws judge a clip in several rounds.
        true: index of the true genre in ``labels``, (n,) int64.
        probabilities: (n, n_classes) float64; rows that are off 1 by up to 0.001 are normalised.
        groups: what clips have in common that are no independent evidence (the artist), (n,); a
            clip of its own has a group of its own. None where groups are not known.
        rounds: which fold's model judged the clip, (n,) int64 from 1, or None: one model.
        in_training: whether the model had been trained on that very recording, (n,) bool; None
            where it is not known, or where each round was kept back from its model's training.

    Raises:
        ValueError: the shapes do not agree, a name stands there twice, an index or a probability
            is out of its range.

    """

    labels: tuple[str, ...]
    clips: tuple[str, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    groups: tuple[str, ...] | None = None
    rounds: NDArray[np.int64] | None = None
    in_training: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check the columns against each other; bring the rows to a sum of 1."""
        n, n_classes = len(self.clips), len(self.labels)
        shape = np.shape(self.probabilities)
        if shape != (n, n_classes):
            raise ValueError(f"probabilities have the shape {shape}, not {(n, n_classes)}")
        for name in ("true", "groups", "rounds", "in_training"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise ValueError(f"{n} clips but {len(column)} {name}")
        if n_classes < 2 or len(set(self.labels)) < n_classes or _repeats(self):
            raise ValueError("needs two labels or more, and no label and no clip of a round twice")
        if n and not 0 <= np.min(self.true) <= np.max(self.true) < n_classes:
            raise ValueError(f"a true class lies outside 0..{n_classes - 1}")
        object.__setattr__(self, "true", np.asarray(self.true, dtype=np.int64))
        object.__setattr__(self, "probabilities", _normalised(self.probabilities))

    @property
    def n(self) -> int:
        """Number of clips."""
        return len(self.clips)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Index of the most probable label, the first of equals, (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable label is the true one, (n,)."""
        return np.asarray(self.predicted == self.true)

    @property
    def n_in_training(self) -> int | None:
        """Number of clips that the model was trained on; None where it is not known."""
        return None if self.in_training is None else int(self.in_training.sum())

    @property
    def training_warning(self) -> str:
        """A sentence on clips that the model was trained on; empty if there is none or unknown."""
        n = self.n_in_training
        if not n:
            return ""
        if self.n == 1:
            which = "the only clip was"
        else:
            all_or_some = f"all {n}" if n == self.n else f"{n} of {self.n}"
            which = f"{all_or_some} clips {'was' if n == 1 else 'were'}"
        return (
            f"{which} in the model's training; figures on {'it' if n == 1 else 'them'} say "
            f"nothing about unseen music"
        )

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Self:
        """Return the table of some of the clips, in the order of ``indices``."""
        chosen = np.asarray(indices, dtype=np.int64)
        return type(self)(
            labels=self.labels,
            clips=tuple(self.clips[i] for i in chosen),
            true=self.true[chosen],
            probabilities=self.probabilities[chosen],
            groups=None if self.groups is None else tuple(self.groups[i] for i in chosen),
            rounds=None if self.rounds is None else self.rounds[chosen],
            in_training=None if self.in_training is None else self.in_training[chosen],
        )

    # -------------------------------------------------------------------------- as plain values

    def to_dict(self) -> dict[str, Any]:
        """Return the columns as plain values that JSON can hold."""
        return {
            "labels": list(self.labels),
            "clips": list(self.clips),
            "genres": [self.labels[i] for i in self.true],
            "groups": None if self.groups is None else list(self.groups),
            "rounds": None if self.rounds is None else self.rounds.tolist(),
            "in_training": None if self.in_training is None else self.in_training.tolist(),
            "probabilities": self.probabilities.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "predictions") -> Self:
        """Make a table of what ``to_dict`` returned.

        Args:
            values: the columns.
            source: name of the file they come from, for the messages.

        Raises:
            DataError: a column is missing or too short, or a value cannot be (see ``load``).

        """
        try:
            labels, clips = list(values["labels"]), list(values["clips"])
            nothing = [None] * len(clips)
            optional = (values.get(name) or nothing for name in ("groups", "rounds", "in_training"))
            in_columns = (clips, values["genres"], *optional, map(list, values["probabilities"]))
            in_order = enumerate(zip(*in_columns, strict=True), 1)
            rows = [Row(f"{source}, clip {number}", *each) for number, each in in_order]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{source}: holds no table of predictions ({error!r})") from error
        return cls(**columns(source, labels, rows, {}))

    # -------------------------------------------------------------------------- as a file

    def save(self, path: Path, *, safe_csv: bool = False) -> None:
        """Write the table as CSV, at once and complete, or not at all.

        Args:
            path: of the file.
            safe_csv: put an apostrophe before text that a spreadsheet would run as a formula (it
                begins with ``=``, ``+``, ``-`` or ``@``). :meth:`load` removes it again.

        Raises:
            DataError: the file cannot be written, or a label has the name of another column.

        """
        if clash := set(self.labels) & set(NOT_LABELS):
            raise DataError(f"{path}: a label cannot be called {', '.join(sorted(clash))}")
        cells: dict[str, Iterable[Any]] = {
            "clip": self.clips,
            "genre": [self.labels[i] for i in self.true],
        }
        if self.groups is not None:
            cells["group"] = self.groups
        if self.rounds is not None:
            cells["round"] = self.rounds.tolist()
        if self.in_training is not None:
            cells["in_training"] = [FLAGS[flag] for flag in self.in_training.tolist()]
        cells |= zip(self.labels, self.probabilities.T.tolist(), strict=True)
        lines = [list(cells), *zip(*cells.values(), strict=True)]
        write_rows(path, lines, safe_csv=safe_csv)

    @classmethod
    def load(cls, path: Path, *, truth: Mapping[str, str] | None = None) -> Self:
        """Read a table from CSV.

        Args:
            path: of the file; the module's docstring says how it looks.
            truth: name of a clip -> its genre, for a file without the column ``genre``.

        Raises:
            DataError: the file is malformed, or a value cannot be; with its line.

        """
        labels, rows = read_rows(path)
        return cls(**columns(str(path), labels, rows, truth or {}))


def _repeats(table: PredictionTable) -> bool:
    rounds = table.clips if table.rounds is None else table.rounds.tolist()
    return len(set(zip(table.clips, rounds, strict=True))) < table.n


def load_predictions(path: Path, *, truth: Mapping[str, str] | None = None) -> PredictionTable:
    """Read a table from a CSV file, from the ``metrics.json`` of a report, or from its folder.

    Args:
        path: a ``.json`` file holds the table under ``predictions``, or ``predictions.csv`` lies
            beside it; any other file is CSV.
        truth: name of a clip -> its genre, for a CSV file without the column ``genre``.

    Raises:
        DataError: there is no table, or it is malformed.

    """
    if path.is_dir():
        path = path / "predictions.csv"
    if path.suffix.lower() != ".json":
        return PredictionTable.load(path, truth=truth)
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: {words(error)}") from error
    if isinstance(values, dict) and "predictions" in values:
        return PredictionTable.from_dict(values["predictions"], source=str(path))
    beside = path.with_name("predictions.csv")
    if not beside.is_file():
        raise DataError(f"{path}: holds no 'predictions', and there is no {beside.name} beside it")
    return PredictionTable.load(beside, truth=truth)


def _normalised(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring rows to a sum of 1, (n, n_classes)."""
    values = np.asarray(probabilities, dtype=np.float64)
    sums = values.sum(axis=1, keepdims=True)
    if not (np.all(values >= 0) and np.all(np.abs(sums - 1) <= CLOSE + _EXACT)):
        raise ValueError("probabilities must be finite, at least 0, and add up to 1 for each clip")
    return np.where(np.abs(sums - 1) > _EXACT, values / sums, values)
