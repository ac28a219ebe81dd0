"""How well a trained network does on validation clips, heard as a classifier hears them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrelens.evaluation.calibration import fit_temperature
from genrelens.evaluation.metrics import accuracy, confusion_matrix, macro_recall, wilson_interval
from genrelens.features import FeatureConfig
from genrelens.train.dataset import ClipDataset, TrainingClip
from genrelens.train.original.networks import ClipNetwork, MeanOverSegments

__all__ = ["Measurement", "measure", "window_segments"]

_WINDOW_SECONDS = 30.0  # what the recordings of GTZAN last, and the original's LSTM heard
_MEAN = "mean over segments"


def window_segments(features: FeatureConfig) -> int:
    """Return how many segments a model of a front end hears at once: about 30 s."""
    return max(1, int(_WINDOW_SECONDS / features.segment_hop_seconds))


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a network did on clips that it was not trained on.

    Attributes:
        figures: for the network and, where it is not the same, for ``"mean over segments"``:
            ``n``, ``accuracy``, ``accuracy_interval`` (95 %), ``macro_recall`` and ``confusion``
            (rows true, columns predicted).
        temperature: that makes the network's probabilities on these clips the likeliest.

    """

    figures: dict[str, dict[str, Any]]
    temperature: float


@torch.inference_mode()
def measure(
    name: str,
    network: ClipNetwork,
    clips: Sequence[TrainingClip],
    features: FeatureConfig,
    n_classes: int,
) -> Measurement:
    """Measure a network, and beside it the plain mean over its segments.

    Args:
        name: of the network, for the result.
        network: on the CPU and in eval mode.
        clips: that were not trained on.
        features: the front end.
        n_classes: number of classes.

    """
    dataset = ClipDataset(clips, features)
    probabilities: dict[str, list[Tensor]] = {name: [], _MEAN: []}
    for index in range(len(dataset)):
        segments, weights = dataset.segments(index, offset=0), dataset.weights(index)
        size = window_segments(features)
        own, mean = _clip_probabilities(network, segments, weights, size)
        probabilities[name].append(own)
        probabilities[_MEAN].append(mean)
    if isinstance(network.aggregator, MeanOverSegments):
        del probabilities[_MEAN]  # it is the same
    targets = [clip.target for clip in clips]
    figures = {
        key: _figures(confusion_matrix(targets, [int(row.argmax()) for row in rows], n_classes))
        for key, rows in probabilities.items()
    }
    logs = torch.stack(probabilities[name]).double().log().numpy()
    return Measurement(figures, fit_temperature(logs, targets))


def _clip_probabilities(
    network: ClipNetwork, segments: Tensor, weights: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Probabilities (c,) of a clip: of the network, averaged over windows, and of the segments."""
    pairs = [network(window) for window in torch.split(segments, size)]
    clips = torch.stack([clip for clip, _ in pairs]).softmax(dim=1)  # (windows, c)
    of_windows = torch.stack([share.sum() for share in torch.split(weights, size)])
    of_segments = torch.cat([logits for _, logits in pairs]).softmax(dim=1)  # (n, c)
    mean = weights @ of_segments / weights.sum()
    if isinstance(network.aggregator, MeanOverSegments):
        return mean, mean
    return of_windows @ clips / weights.sum(), mean


def _figures(confusion: NDArray[np.int64]) -> dict[str, Any]:
    n = int(confusion.sum())
    return {
        "n": n,
        "accuracy": accuracy(confusion),
        "accuracy_interval": list(wilson_interval(int(np.trace(confusion)), n)),
        "macro_recall": macro_recall(confusion),
        "confusion": confusion.tolist(),
    }
