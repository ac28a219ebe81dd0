"""How a run measures its network: in windows, as a classifier hears a long recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from torch import nn

from genrelens.evaluation.calibration import fit_temperature
from genrelens.evaluation.metrics import wilson_interval
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig
from support import tiny

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 93  # segments of 0.32 s


class Third(nn.Module):
    """Says of each segment that it is of the third class."""

    def forward(self, segments: Tensor) -> Tensor:
        import torch

        return torch.tensor([0.0, 0.0, 9.0]).expand(len(segments), 3)


class ByLength(nn.Module):
    """Leans to the first class in a whole window, is sure of the second one in the short rest."""

    def forward(self, segment_logits: Tensor) -> Tensor:
        import torch

        n = segment_logits.shape[1]
        known = {WINDOW: [0.59, 0.40, 0.01], 2: [0.005, 0.99, 0.005]}
        return torch.tensor([known.get(n, [0.0, 0.0, 1.0])]).log()


@pytest.mark.parametrize(
    ("features", "expected"), [(ORIGINAL_MEL, 31), (ORIGINAL_MFCC, 68), (tiny.MEL, WINDOW)]
)
def test_window_is_about_30_seconds(features: FeatureConfig, expected: int) -> None:
    from genrelens.train.measure import window_segments

    assert window_segments(features) == expected
    assert 29 < expected * features.segment_hop_seconds <= 30


def test_windows_count_by_their_length() -> None:
    """95 segments: 93 at 40 % and 2 at 99 % are 41 % for the second class, the first has 58 %."""
    from genrelens.train.measure import measure
    from genrelens.train.original.networks import ClipNetwork

    frames = tiny.random_segments(WINDOW + 2).reshape(-1, tiny.MEL.n_bins).numpy()
    clips = [tiny.training_clip(frames, target=target) for target in (0, 0, 1)]
    measured = measure("mine", ClipNetwork(Third(), ByLength()), clips, tiny.MEL, 3)
    figures = measured.figures
    assert figures["mine"] == {
        "n": 3,
        "accuracy": pytest.approx(2 / 3),
        "accuracy_interval": list(wilson_interval(2, 3)),
        "macro_recall": 0.5,  # of the two classes that have clips
        "confusion": [[2, 0, 0], [1, 0, 0], [0, 0, 0]],
    }
    assert figures["mean over segments"]["confusion"] == [[0, 0, 2], [0, 0, 1], [0, 0, 0]]
    share = 0.59 * WINDOW + 0.005 * 2, 0.40 * WINDOW + 0.99 * 2, 0.01 * WINDOW + 0.005 * 2
    logs = np.log(np.array([share] * 3) / (WINDOW + 2))
    assert measured.temperature == pytest.approx(fit_temperature(logs, [0, 0, 1]), rel=1e-5)


def test_the_mean_is_not_told_twice() -> None:
    from genrelens.train.measure import measure
    from genrelens.train.original.networks import ClipNetwork, MeanOverSegments

    clip = tiny.training_clip(tiny.random_segments(3).reshape(-1, 16).numpy(), target=2)
    network = ClipNetwork(Third(), MeanOverSegments())
    figures = measure("mel-cnn", network, [clip], tiny.MEL, 3).figures
    assert list(figures) == ["mel-cnn"]
    assert figures["mel-cnn"]["accuracy"] == 1
