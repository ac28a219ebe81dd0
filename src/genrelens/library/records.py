"""Records of the catalogue: files, predictions and failures."""

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
from genrelens.prediction import Genre, Prediction, Style
from genrelens.tags import Tags

__all__ = ["Entry", "Failure", "StoredPrediction", "now", "path_fields"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredPrediction:
    """A prediction in the catalogue: a :class:`genrelens.Prediction` without its timeline.

    Attributes:
        model: name of the model.
        model_digest: SHA-256 of the model file.
        fast: whether only three excerpts of the recording were classified.
        version: version of genrelens.
        created_at: time of the prediction, ISO 8601 in UTC.
        verdict: ``"genre"``, ``"changes"``, ``"not sure"``, ``"not music"`` or ``"silence"``.
        genre: the most probable genre, for any verdict.
        probabilities: genre -> probability, the most probable first.
        styles: the styles of the prediction, the most probable first.
        music: probability that the recording is music; None if the model does not predict it.
        level: level of the loudest part, in dBFS.
        embedding: (d,) float16 of length 1, or None.
        duration: length of the recording in seconds.
        heard: seconds of the recording that were classified.
        genres: the genres of the prediction, the most probable first; empty for predictions of
            former versions of genrelens.
        changes: the genres of a recording that changes, in order; empty if it does not.
        snr: estimated signal-to-noise ratio in dB; None if the model does not estimate it.

    Example::

        prediction = catalog.entry("Music/song.mp3").prediction
        prediction.genre, prediction.probability  # ('rock', 0.91)
        prediction.found_genres                   # ('rock',)

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
    genres: tuple[Genre, ...] = ()
    changes: tuple[str, ...] = ()
    snr: float | None = None

    @property
    def found_genres(self) -> tuple[str, ...]:
        """The genres under which the recording can be found.

        For a recording that changes they are :attr:`changes`. Otherwise they are the predicted
        genre, if the verdict is ``"genre"``, and all other genres that apply, the most probable
        first.
        """
        if self.changes:
            return self.changes
        first = [self.genre] if self.verdict == "genre" else []
        return tuple(dict.fromkeys([*first, *(each.name for each in self.genres if each.applies)]))

    @property
    def probability(self) -> float:
        """Probability of the most probable genre."""
        return self.probabilities[self.genre]

    @classmethod
    def of(cls, prediction: Prediction, *, model_digest: str, fast: bool) -> Self:
        """Return the record of a new prediction.

        Args:
            prediction: the prediction.
            model_digest: SHA-256 of the model file.
            fast: whether only excerpts were requested. A short recording is classified completely
                and is not stored as fast.

        """
        embedding = prediction.embedding
        return cls(
            model=prediction.model,
            model_digest=model_digest,
            fast=fast and prediction.heard < prediction.duration,
            version=__version__,
            created_at=now(),
            verdict=prediction.verdict,
            genre=prediction.genre,
            probabilities=dict(prediction.top()),
            styles=prediction.styles,
            music=prediction.music,
            level=prediction.level,
            embedding=None if embedding is None else embedding.astype(np.float16),
            duration=prediction.duration,
            heard=prediction.heard,
            genres=prediction.genres,
            changes=prediction.changes,
            snr=prediction.snr,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values of all fields except the embedding."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "embedding"}
        return values | {
            "probability": self.probability,
            "genres": [asdict(genre) for genre in self.genres],
            "changes": list(self.changes),
            "styles": [asdict(style) | {"applies": style.applies} for style in self.styles],
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a file could not be analysed.

    Attributes:
        reason: the reason, without the name of the file.
        model_digest: SHA-256 of the model file; None if the file could not even be read, which
            every scan tries again.
        version: version of genrelens that tried; None if the file could not even be read.

    Example::

        for entry in catalog.query(errors=True):
            print(entry.path, entry.failure.reason)

    """

    reason: str
    model_digest: str | None = None
    version: str | None = None

    def holds(self, model_digest: str) -> bool:
        """Return whether this version of genrelens would fail again with a model."""
        return (self.model_digest, self.version) == (model_digest, __version__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A file in the catalogue, as it was at its latest scan.

    Attributes:
        path: absolute path; bytes that are not UTF-8 are escaped as ``os.fsdecode`` does. An object
            in a store has an :class:`~genrelens.discovery.locations.ObjectPath`, the URI.
        size: size in bytes.
        mtime_ns: time of modification in nanoseconds.
        digest: digest of the audio (:func:`genrelens.library.audio_digest`), or None.
        tags: tags of the file; None if its format has none or they cannot be read.
        prediction: the latest prediction, or None.
        failure: why there is no prediction, or None.
        scanned_at: time of the scan, ISO 8601 in UTC; None for files that were scanned by former
            versions of genrelens.

    Example::

        entry = catalog.entry("Music/song.mp3")
        if entry is not None and entry.prediction is not None:
            print(entry.path, entry.prediction.genre)

    """

    path: Path
    size: int
    mtime_ns: int
    digest: str | None
    tags: Tags | None
    prediction: StoredPrediction | None
    failure: Failure | None
    scanned_at: str | None = None

    @property
    def error(self) -> str | None:
        """The reason why the file could not be analysed, or None."""
        return None if self.failure is None else self.failure.reason

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values of all fields; those without a value are None."""
        prediction = None if self.prediction is None else self.prediction.to_dict()
        tags = None if self.tags is None else asdict(self.tags)
        return {
            **path_fields(self.path),
            **{name: getattr(self, name) for name in ("size", "mtime_ns", "digest", "error")},
            "tags": tags,
            "prediction": prediction,
        }


def now() -> str:
    """Return the time as it is stored: ISO 8601 in UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def path_fields(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the JSON fields of a path: ``path`` and, if it is not UTF-8, ``path_bytes``.

    ``path_bytes`` is in base64; ``path`` then has U+FFFD for the bytes that are not UTF-8.
    """
    content = os.fsencode(path)
    text = content.decode("utf-8", errors="replace")
    if text.encode() == content:
        return {"path": text}
    return {"path": text, "path_bytes": base64.b64encode(content).decode()}
