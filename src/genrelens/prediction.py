"""What a classifier says of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prediction", "format_percent"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Genres of one recording.

    Attributes:
        labels: the model's genres, in its order.
        probabilities: of the whole recording, (n_classes,) float64 that sum to 1.
        segments: probabilities of each segment alone, (n_segments, n_classes) float64.
        segment_times: start of each segment in seconds, (n_segments,) float64.
        segment_seconds: length of a segment in seconds.
        duration: seconds of audio that were heard.
        padded: the recording was shorter than one segment and was padded with silence; trust
            such a prediction less.
        model: name of the model.
        source: name of the recording.

    """

    labels: tuple[str, ...]
    probabilities: Float64
    segments: Float64
    segment_times: Float64
    segment_seconds: float
    duration: float
    padded: bool
    model: str
    source: str

    @property
    def genre(self) -> str:
        """The most probable genre."""
        return self.labels[int(self.probabilities.argmax())]

    def top(self, k: int | None = None) -> list[tuple[str, float]]:
        """Return the ``k`` most probable genres (all by default) with their probabilities.

        Raises:
            ValueError: ``k`` is below 1.

        """
        if k is not None and k < 1:
            raise ValueError(f"k={k} must be at least 1")
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def to_dict(self, *, timeline: bool = False) -> dict[str, Any]:
        """Return the prediction as plain values that JSON can hold.

        Args:
            timeline: add ``timeline``, one entry for each segment: ``start`` and ``end`` in
                seconds, ``genre`` and ``probabilities`` in the order of ``labels``.

        """
        result: dict[str, Any] = {
            "path": self.source,
            "genre": self.genre,
            "probabilities": dict(self.top()),
            "duration": self.duration,
            "padded": self.padded,
            "model": self.model,
        }
        if timeline:
            result["labels"] = list(self.labels)
            result["timeline"] = [
                {
                    "start": float(start),
                    "end": float(min(start + self.segment_seconds, self.duration)),
                    "genre": self.labels[int(row.argmax())],
                    "probabilities": row.tolist(),
                }
                for start, row in zip(self.segment_times, self.segments, strict=True)
            ]
        return result


def format_percent(probability: float) -> str:
    """Write a probability in percent with four significant digits, never with an exponent.

    ``0.8512`` is ``"85.12 %"``; what is below a billionth of a percent is ``"0.000 %"``.
    """
    percent = 100 * probability
    if percent < 1e-9:
        return "0.000 %"
    exponent = int(f"{percent:.3e}".partition("e")[2])  # once it is rounded: 99.996 is 1.000e+02
    return f"{percent:.{max(0, 3 - exponent)}f} %"
