"""A table of predictions that is small enough to check by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.scores import Scores, score

LABELS = ("jazz", "metal", "pop")
# Probability of the first, second, third label, and the true one. Right: 1, 2, 3 and 5.
ROWS = {
    "a1": (0.9, 0.05, 0.05, "jazz"),
    "a2": (0.9, 0.05, 0.05, "jazz"),
    "b1": (0.05, 0.9, 0.05, "metal"),
    "b2": (0.9, 0.06, 0.04, "metal"),
    "b3": (0.1, 0.6, 0.3, "metal"),
    "c1": (0.1, 0.6, 0.3, "pop"),
}


def table(*, sharpness: float = 1.0, **changes: Any) -> PredictionTable:
    """Return six clips; ``sharpness`` is a power of the probabilities, 1 keeps them."""
    powers = np.array([row[:3] for row in ROWS.values()], dtype=np.float64) ** sharpness
    columns: dict[str, Any] = {
        "labels": LABELS,
        "clips": tuple(ROWS),
        "true": np.array([LABELS.index(row[3]) for row in ROWS.values()]),
        "probabilities": powers / powers.sum(axis=1, keepdims=True),
    }
    return PredictionTable(**{**columns, **changes})


def scores(*, sharpness: float = 1.0, **changes: Any) -> Scores:
    """Return the scores of the table."""
    return score(table(sharpness=sharpness, **changes), resamples=200)
