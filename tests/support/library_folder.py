"""A library to scan: tiny recordings, and a pool of workers that are none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from genrelens import worker_pool as isolation
from genrelens.library.records import StoredPrediction
from genrelens.prediction import Prediction, Style
from support import predictions, synth, tiny


def wav(genre: str, seconds: float = 1, seed: int = 0) -> bytes:
    """A recording of one of ``tiny.GENRES``."""
    return synth.write(tiny.sound(genre, seconds, seed), tiny.RATE)


class HerePool(isolation.ClassifierPool):
    """Does in this process, and before it returns, what workers would do."""

    def __init__(self, model: str | None, *, workers: int, limits: isolation.Limits) -> None:
        self._limits = limits
        self.jobs: list[Callable[[], Any]] = []
        isolation._start(model, 0)

    def run(self, job: Callable[[], Any], *, timeout: float | None = None) -> Future[Any]:
        self.jobs.append(job)
        future: Future[Any] = Future()
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        isolation._classifiers.clear()


def prediction(genre: str = "rock", probability: float = 0.8, **changes: Any) -> Prediction:
    """A prediction of three genres, the given one first; the others share the rest."""
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
    model_digest: str = "d1",
    fast: bool = False,
    **changes: Any,
) -> StoredPrediction:
    heard = prediction(genre, probability, **changes)
    return StoredPrediction.of(heard, model_digest=model_digest, fast=fast)


def write_files(folder: Path, contents: dict[str, bytes]) -> Path:
    """Write files of these names below a folder."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
