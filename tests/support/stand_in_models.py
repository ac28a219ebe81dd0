"""Networks that tell chords, clicks and noise apart without training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from genrelens.features import extract_segments
from genrelens.train.original.networks import ClipNetwork, MeanOverSegments, NetworkOutputs
from support import tiny

SHARPNESS = 6e-4  # so little that no probability is near 0 or 1: a change of the input shows


class Scaled(nn.Module):
    """Logits of a random network are all alike; these are not."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module = module
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.module(x)


def nearest_centroid() -> nn.Module:
    """Logits that fall with the distance to the mean segment of each of ``tiny.GENRES``."""
    sounds = [tiny.sound(genre, 4, seed=9) for genre in tiny.GENRES]
    centroids = np.stack([extract_segments(y, tiny.MEL).mean(axis=0).ravel() for y in sounds])
    layer = nn.Linear(centroids.shape[1], len(tiny.GENRES))
    layer.weight.data = torch.tensor(SHARPNESS * centroids)
    layer.bias.data = torch.tensor(-0.5 * SHARPNESS * (centroids**2).sum(axis=1))
    return nn.Sequential(nn.Flatten(), layer)


class Listener(nn.Module):
    """Has everything that a model may have, each by a rule that a hand can follow.

    A segment's embedding is the mean of its frames. Its loudness is the mean of that: 0 for
    silence, 4 to 8 for the sounds of ``tiny``. Loud is music, and loud and soft are the styles.
    """

    def __init__(self) -> None:
        super().__init__()
        self.genres = ClipNetwork(nearest_centroid(), MeanOverSegments())

    def forward(self, segments: Tensor) -> NetworkOutputs:
        embeddings = segments.mean(dim=1)
        loudness = embeddings.mean(dim=1)
        styles = torch.stack([loudness - 5, 2 - loudness], dim=1)
        return NetworkOutputs(*self.genres(segments), embeddings, styles, loudness - 3)
