"""A table of predictions of any model on clips whose genre is known.

The file is a CSV with the columns ``clip``, optionally ``genre``, ``group``, ``round`` and
``in_training`` (yes or no), and one column of probabilities for each label::

    clip,genre,group,blues,jazz
    blues.00012,blues,Howlin' Wolf,0.75,0.25
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrelens.counts import count_of, plural
from genrelens.data.folders import LabelledClip
from genrelens.errors import DataError
from genrelens.evaluation.prediction_csv import (
    CLOSE,
    FLAGS,
    NOT_LABELS,
    Row,
    columns,
    read_rows,
    write_rows,
)
from genrelens.files import reason

__all__ = ["PredictionTable", "load_predictions"]

_EXACT = 1e-12  # rows whose sum is closer to 1 stay as they are: a saved table reads back the same


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionTable:
    """Predictions of a model on clips whose genre is known.

    Attributes:
        labels: labels of the columns of ``probabilities``; at least two.
        clips: names of the clips, usually the file names without extension. A name occurs at most
            once in a round; with repeated draws, a clip is in several rounds.
        true: index of the true genre in ``labels``, (n,) int64.
        probabilities: (n, n_classes) float64, 0..1; rows whose sum differs from 1 by up to 0.001
            are normalised.
        groups: the group of each clip, usually the artist, (n,); clips of one group are not
            independent evidence. None if groups are not known.
        rounds: number of the round whose model classified the clip, (n,) int64 from 1; None for a
            single model.
        in_training: whether the model was trained on this recording, (n,) bool; None if that is
            not known, or if each round was held out from the training of its model.

    Raises:
        ValueError: the shapes do not agree, a name occurs twice, an index or a probability is
            out of range.

    Example:
        >>> table = PredictionTable(
        ...     labels=("blues", "jazz"),
        ...     clips=("blues.00012", "jazz.00007"),
        ...     true=np.array([0, 1]),
        ...     probabilities=np.array([[0.75, 0.25], [0.6, 0.4]]),
        ... )
        >>> table.right.tolist()
        [True, False]

    """

    labels: tuple[str, ...]
    clips: tuple[str, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    groups: tuple[str, ...] | None = None
    rounds: NDArray[np.int64] | None = None
    in_training: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check the columns against each other and normalise the rows."""
        n, n_classes = len(self.clips), len(self.labels)
        shape = np.shape(self.probabilities)
        if shape != (n, n_classes):
            raise ValueError(f"probabilities have the shape {shape}, not {(n, n_classes)}")
        for name in ("true", "groups", "rounds", "in_training"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise ValueError(f"{count_of(n, 'clip')} and {len(column)} of {name}")
        if n_classes < 2 or len(set(self.labels)) < n_classes or _repeats(self):
            raise ValueError("needs two labels or more, each once, and each clip once in a round")
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
        """Index of the most probable label, (n,); the first one of equally probable labels."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable label is the true one, (n,)."""
        return np.asarray(self.predicted == self.true)

    @property
    def n_in_training(self) -> int | None:
        """Number of clips that the model was trained on; None if that is not known."""
        return None if self.in_training is None else int(self.in_training.sum())

    @property
    def training_warning(self) -> str:
        """A sentence about clips that the model was trained on; empty without such clips."""
        n = self.n_in_training
        if not n:
            return ""
        if self.n == 1:
            which = "the only clip was"
        else:
            all_or_some = f"all {n}" if n == self.n else f"{n} of {self.n}"
            which = f"{all_or_some} clips {plural(n, 'was', 'were')}"
        return (
            f"{which} in the model's training; figures on {plural(n, 'it', 'them')} do "
            f"not apply to unseen music"
        )

    @classmethod
    def of(
        cls,
        clips: Sequence[LabelledClip],
        probabilities: ArrayLike,
        *,
        labels: Sequence[str],
        names: Sequence[str],
        label_map: Mapping[str, str] | None = None,
        in_training: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Return the table of labelled clips and their probabilities.

        Args:
            clips: the classified clips. If any clip has a group, a clip without one is its own
                group.
            probabilities: (n, n_classes).
            labels: labels of the columns.
            names: name of each clip, see :func:`~genrelens.data.folders.clip_names`.
            label_map: label of a clip -> label of a column, if they differ.
            in_training: whether the model was trained on the clip, (n,); None if not known.

        Raises:
            DataError: the label of a clip has no column.

        """
        renamed = dict(label_map or {})
        genres = [renamed.get(clip.label, clip.label) for clip in clips]
        if unknown := sorted(set(genres) - set(labels)):
            raise DataError(f"{unknown[0]!r} is not one of the labels {', '.join(labels)}")
        pairs = zip(clips, names, strict=True)
        grouped = any(clip.group is not None for clip in clips)
        return cls(
            labels=tuple(labels),
            clips=tuple(names),
            true=np.array([labels.index(genre) for genre in genres], np.int64),
            probabilities=np.asarray(probabilities, np.float64),
            groups=tuple(clip.group or name for clip, name in pairs) if grouped else None,
            in_training=in_training,
        )

    def relabel(self, label_map: Mapping[str, str]) -> Self:
        """Return the table with renamed labels; probabilities of equal labels are added.

        Args:
            label_map: old label -> new label, for instance ``{"blues": "jazz"}``; may name labels
                that the table does not have.

        Raises:
            DataError: fewer than two labels would be left.

        """
        renamed = [label_map.get(label, label) for label in self.labels]
        labels = list(dict.fromkeys(renamed))
        if len(labels) < 2:
            raise DataError(
                f"only the label {labels[0]!r} would be left of {', '.join(self.labels)}"
            )
        indices = np.array([labels.index(label) for label in renamed], np.int64)
        sums = np.eye(len(labels))[indices]  # (old, new): 1 where an old label is renamed to a new
        return replace(
            self,
            labels=tuple(labels),
            true=indices[self.true],
            probabilities=self.probabilities @ sums,
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
        """Return the columns as plain values for JSON."""
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
        """Return the table that :meth:`to_dict` returned as ``values``.

        Args:
            values: the columns.
            source: name of the file that they come from, for messages.

        Raises:
            DataError: a column is missing or too short, or a value is invalid.

        """
        try:
            labels, clips = list(values["labels"]), list(values["clips"])
            nothing = [None] * len(clips)
            optional = (values.get(name) or nothing for name in ("groups", "rounds", "in_training"))
            in_columns = (clips, values["genres"], *optional, map(list, values["probabilities"]))
            in_order = enumerate(zip(*in_columns, strict=True), 1)
            rows = [Row(source, f"clip {number}", *each) for number, each in in_order]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"contains no table of predictions ({error!r})", path=source) from error
        return cls(**columns(source, labels, rows, {}))

    # -------------------------------------------------------------------------- as a file

    def save(self, path: Path, *, safe_csv: bool = False) -> None:
        """Write the table as a CSV file, completely or not at all.

        Args:
            path: the file.
            safe_csv: put an apostrophe before text that a spreadsheet would run as a formula (it
                begins with ``=``, ``+``, ``-`` or ``@``). :meth:`load` removes it again.

        Raises:
            DataError: the file cannot be written, or a label has the name of another column.

        """
        if clash := set(self.labels) & set(NOT_LABELS):
            raise DataError(f"a label cannot be named {', '.join(sorted(clash))}", path=path)
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
        """Read a table from a CSV file; the module's docstring shows the format.

        Args:
            path: the file.
            truth: name of a clip -> its genre, for a file without the column ``genre``.

        Raises:
            DataError: the file is malformed or a value is invalid; the message names the line.

        """
        labels, rows = read_rows(path)
        return cls(**columns(str(path), labels, rows, truth or {}))


def _repeats(table: PredictionTable) -> bool:
    rounds = table.clips if table.rounds is None else table.rounds.tolist()
    return len(set(zip(table.clips, rounds, strict=True))) < table.n


def load_predictions(path: Path, *, truth: Mapping[str, str] | None = None) -> PredictionTable:
    """Read a table from a CSV file, from the ``metrics.json`` of a report, or from its folder.

    Args:
        path: a folder, a ``.json`` file that contains the table under ``predictions`` or has a
            ``predictions.csv`` beside it, or a CSV file.
        truth: name of a clip -> its genre, for a CSV file without the column ``genre``.

    Raises:
        DataError: there is no table, or it is malformed.

    Example::

        table = load_predictions(Path("predictions.csv"))

    """
    if path.is_dir():
        path = path / "predictions.csv"
    if path.suffix.lower() != ".json":
        return PredictionTable.load(path, truth=truth)
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(reason(error), path=path) from error
    if isinstance(values, dict) and "predictions" in values:
        return PredictionTable.from_dict(values["predictions"], source=str(path))
    beside = path.with_name("predictions.csv")
    if not beside.is_file():
        raise DataError(
            f"contains no 'predictions', and {beside.name} is not in its folder", path=path
        )
    return PredictionTable.load(beside, truth=truth)


def _normalised(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows normalised to a sum of 1, (n, n_classes)."""
    values = np.asarray(probabilities, dtype=np.float64)
    sums = values.sum(axis=1, keepdims=True)
    if not (np.all(values >= 0) and np.all(np.abs(sums - 1) <= CLOSE + _EXACT)):
        raise ValueError("probabilities must be finite, at least 0, and add up to 1 for each clip")
    return np.where(np.abs(sums - 1) > _EXACT, values / sums, values)
