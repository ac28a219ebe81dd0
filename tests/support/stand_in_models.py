"""Networks that classify chords, clicks and noise without training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from genrelens.features import extract_segments
from genrelens.train.original.networks import ClipNetwork, MeanOverSegments, NetworkOutputs
from support import tiny

SHARPNESS = 6e-4  # so little that no probability is near 0 or 1: a change of the input shows


class Scaled(nn.Module):
    """Scale the logits of a random network, which are nearly equal."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module = module
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.module(x)


def nearest_centroid() -> nn.Module:
    """Return a network whose logits fall with the distance to the mean segment of each genre."""
    sounds = [tiny.sound(genre, 4, seed=9) for genre in tiny.GENRES]
    centroids = np.stack([extract_segments(y, tiny.MEL).mean(axis=0).ravel() for y in sounds])
    layer = nn.Linear(centroids.shape[1], len(tiny.GENRES))
    layer.weight.data = torch.tensor(SHARPNESS * centroids)
    layer.bias.data = torch.tensor(-0.5 * SHARPNESS * (centroids**2).sum(axis=1))
    return nn.Sequential(nn.Flatten(), layer)


class Listener(nn.Module):
    """A network with all outputs that a model may have, each by a simple rule.

    The embedding of a segment is the mean of its frames. Its loudness is the mean of the embedding:
    0 for silence, 4 to 8 for the waveforms of ``tiny``. Loud segments are music; the styles are
    loud and soft.
    """

    def __init__(self) -> None:
        super().__init__()
        self.genres = ClipNetwork(nearest_centroid(), MeanOverSegments())

    def forward(self, segments: Tensor) -> NetworkOutputs:
        embeddings = segments.mean(dim=1)
        loudness = embeddings.mean(dim=1)
        styles = torch.stack([loudness - 5, 2 - loudness], dim=1)
        return NetworkOutputs(*self.genres(segments), embeddings, styles, loudness - 3)
