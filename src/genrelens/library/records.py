"""What the catalogue keeps of a file and of what was heard in it."""

from __future__ import annotations

import base64
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genrelens import __version__
from genrelens.prediction import Prediction, Style
from genrelens.tags import Tags

__all__ = ["Entry", "Failure", "StoredPrediction", "path_fields"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredPrediction:
    """What stays of a :class:`Prediction`: all but the timeline.

    Attributes:
        model: its name.
        model_digest: SHA-256 of the model file.
        fast: whether only three windows of the recording were heard.
        version: of genrelens.
        created_at: when it was made, ISO 8601 in UTC.
        verdict: ``"genre"``, ``"not sure"``, ``"not music"`` or ``"silence"``.
        genre: the most probable one, whatever the verdict is.
        probabilities: genre -> probability, the most probable first.
        styles: as in a prediction, the likeliest first.
        music: probability that it is music, or None.
        level: of the loudest stretch, in dBFS.
        embedding: (d,) float16 of length 1, or None.
        duration: of the recording, in seconds.
        heard: seconds of it that were heard.

    """

    model: str
    model_digest: str
    fast: bool
    version: str
    created_at: str
    verdict: str
    genre: str
    probabilities: dict[str, float]
    styles: tuple[Style, ...]
    music: float | None
    level: float
    embedding: NDArray[np.float16] | None = field(repr=False)
    duration: float
    heard: float

    @property
    def probability(self) -> float:
        """Of the most probable genre."""
        return self.probabilities[self.genre]

    @classmethod
    def of(cls, prediction: Prediction, *, model_digest: str, fast: bool) -> Self:
        """Take over what this version of genrelens predicts now.

        Args:
            prediction: to be stored.
            model_digest: SHA-256 of the model file.
            fast: whether it was asked for in a hurry; one that heard everything is not fast.

        """
        embedding = prediction.embedding
        return cls(
            model=prediction.model,
            model_digest=model_digest,
            fast=fast and prediction.heard < prediction.duration,
            version=__version__,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            verdict=prediction.verdict,
            genre=prediction.genre,
            probabilities=dict(prediction.top()),
            styles=prediction.styles,
            music=prediction.music,
            level=prediction.level,
            embedding=None if embedding is None else embedding.astype(np.float16),
            duration=prediction.duration,
            heard=prediction.heard,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all but the embedding as plain values that JSON can hold."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "embedding"}
        styles = [asdict(style) | {"applies": style.applies} for style in self.styles]
        return values | {"probability": self.probability, "styles": styles}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file could not be analysed.

    Attributes:
        reason: in a sentence, without the file's name.
        model_digest: of the model that was to hear it; None if the file could not be read, which
            is tried again with every scan.
        version: of genrelens that tried, or None as above.

    """

    reason: str
    model_digest: str | None = None
    version: str | None = None

    def holds(self, model_digest: str) -> bool:
        """Tell whether this genrelens would fare no better with a model."""
        return (self.model_digest, self.version) == (model_digest, __version__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A file in the catalogue.

    Attributes:
        path: absolute; bytes that are no text are held as Python holds them (``os.fsencode``).
        size: in bytes, when it was scanned.
        mtime_ns: its time of modification then, in nanoseconds.
        digest: of its sound (:func:`genrelens.library.digest.audio_digest`), or None.
        tags: as they were then, or None where the format has none or they cannot be read.
        prediction: the latest one, or None.
        failure: why there is none, or None.

    """

    path: Path
    size: int
    mtime_ns: int
    digest: str | None
    tags: Tags | None
    prediction: StoredPrediction | None
    failure: Failure | None

    @property
    def error(self) -> str | None:
        """Why the file could not be analysed, in a sentence."""
        return None if self.failure is None else self.failure.reason

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; keys that do not apply are None."""
        prediction = None if self.prediction is None else self.prediction.to_dict()
        tags = None if self.tags is None else asdict(self.tags)
        return {
            **path_fields(self.path),
            **{name: getattr(self, name) for name in ("size", "mtime_ns", "digest", "error")},
            "tags": tags,
            "prediction": prediction,
        }


def path_fields(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return ``path`` and, if it is not UTF-8, ``path_bytes`` in base64 as well.

    ``path`` then shows the bytes that are no text as U+FFFD.
    """
    content = os.fsencode(path)
    text = content.decode("utf-8", errors="replace")
    if text.encode() == content:
        return {"path": text}
    return {"path": text, "path_bytes": base64.b64encode(content).decode()}
