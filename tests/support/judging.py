"""A classification in a worker process, in a separate module that workers can import."""

from __future__ import annotations

from genrelens import Classifier

_classifiers: list[Classifier] = []


def load(model: str) -> None:
    _classifiers[:] = [Classifier.load(model, threads=1)]


def genre(path: str) -> str:
    return _classifiers[0].classify(path).genre
