"""A library to scan: tiny recordings, predictions, and pools without worker processes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrelens import worker_pool
from genrelens.discovery.locations import as_path
from genrelens.library.records import Entry, StoredPrediction
from genrelens.prediction import Genre, Prediction, Style
from support import predictions, synth, tiny

MODEL_DIGEST = 64 * "d"
"""SHA-256 of the model file of made predictions."""


def wav(genre: str, seconds: float = 1, seed: int = 0) -> bytes:
    """Return a WAV recording of one of ``tiny.GENRES``."""
    return synth.write(tiny.sound(genre, seconds, seed), tiny.RATE)


class HerePool(worker_pool.ClassifierPool):
    """Runs the jobs of the workers in this process, before ``run`` returns."""

    def __init__(self, model: str | None, *, workers: int, limits: worker_pool.Limits) -> None:
        self._limits = limits
        self.jobs: list[Callable[[], Any]] = []
        worker_pool._start(model, 0)

    def run(self, job: Callable[[], Any], *, timeout: float | None = None) -> Future[Any]:
        self.jobs.append(job)
        future: Future[Any] = Future()
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        worker_pool._classifiers.clear()


class NoPool(HerePool):
    """Fails ``refusals`` times with ``reason``, or never answers if that is None."""

    refusals = 0
    reason: Exception | None = None

    def run(self, job: Callable[[], Any], *, timeout: float | None = None) -> Future[Any]:
        if type(self).refusals:
            type(self).refusals -= 1
            future: Future[Any] = Future()
            if self.reason is not None:
                future.set_exception(self.reason)
            return future
        return super().run(job, timeout=timeout)


def prediction(genre: str = "rock", probability: float = 0.8, **changes: Any) -> Prediction:
    """Return a prediction of three genres; the other two share the rest of the probability."""
    rest = (1 - probability) / 2
    others = [name for name in ("jazz", "rock", "pop") if name != genre][:2]
    values: dict[str, Any] = {
        "name": "small",
        "segments": np.ones((1, 3)) / 3,
        "duration": 200.0,
        "heard": 200.0,
        "level": -10.0,
        "styles": (Style("house", 0.7, 0.5), Style("techno", 0.2, 0.3)),
        "embedding": np.array([0.6, -0.8]),
        "music": 0.99,
        "music_threshold": 0.5,
        "sure_threshold": 0.4,
    }
    probabilities = {genre: probability, **dict.fromkeys(others, rest)}
    return predictions.prediction(probabilities, **values | changes)


def stored(
    genre: str = "rock",
    probability: float = 0.8,
    *,
    model_digest: str = MODEL_DIGEST,
    fast: bool = False,
    **changes: Any,
) -> StoredPrediction:
    """Return the stored form of :func:`prediction`."""
    made = prediction(genre, probability, **changes)
    return StoredPrediction.of(made, model_digest=model_digest, fast=fast)


def several(genre: str, probability: float, **own: float) -> StoredPrediction:
    """Return a stored prediction whose genres have these probabilities; from 50 % on they apply."""
    genres = tuple(Genre(name, each, applies=each >= 0.5) for name, each in own.items())
    return replace(stored(genre, probability, styles=()), genres=genres)


def medley(*genres: str) -> StoredPrediction:
    """Return a stored prediction for a recording that changes between these genres."""
    return replace(stored(genres[0], 0.36), verdict="changes", changes=genres)


def write_files(folder: Path, contents: dict[str, bytes]) -> Path:
    """Write files with these names below a folder; return the folder."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def data_row(path: str, genre: str = "rock", day: int = 1) -> Entry:
    """Return an entry for a data set, scanned at some day."""
    time = f"2026-01-{day + 1:02}T00:00:00.000000+00:00"
    return Entry(
        path=as_path(path),
        size=5,
        mtime_ns=1_600_000_000_123_456_789,
        digest=f"{zlib.crc32(path.encode()):040x}",
        tags=None,
        prediction=replace(stored(genre), created_at=time),
        failure=None,
        scanned_at=time,
    )
