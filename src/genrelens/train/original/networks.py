"""The networks of the original system of 2018, layer for layer.

Shapes: ``n`` segments, ``t`` frames per segment, ``b`` bins per frame, ``c`` classes, ``k`` clips
in a batch. Widths, order and dropout rates are those of the original. The only addition is an
optional batch norm over the bins of the input (``input_norm``), which makes the statistics of the
features a part of the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

MEL_CNN_CHANNELS = (32, 64, 128, 256)


class NetworkOutputs(NamedTuple):
    """Outputs of a network for the n segments of a clip; missing outputs are None.

    Only a network with a set head lacks the first two.
    """

    clip_logits: Tensor | None  # (c,)
    segment_logits: Tensor | None  # (n, c)
    embeddings: Tensor | None = None  # (n, d)
    style_logits: Tensor | None = None  # (n, styles)
    music_logits: Tensor | None = None  # (n,)
    snr: Tensor | None = None  # (n,), in dB
    features: Tensor | None = None  # (n, d), for a set head


class InputNorm(nn.BatchNorm1d):
    """Batch norm over the bins of a spectrogram: (n, t, b) -> (n, t, b)."""

    def forward(self, segments: Tensor) -> Tensor:
        """Normalise each bin over segments and frames."""
        return super().forward(segments.transpose(1, 2)).transpose(1, 2)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with padding 2, max pooling by 3, and a batch norm."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=1, padding=2)
        self.conv2 = nn.Conv2d(channels_out, channels_out, kernel_size=3, stride=1, padding=2)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=3)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) -> (n, channels_out, (h + 4) // 3, (w + 4) // 3)."""
        x = torch.relu(self.conv1(x))  # (n, channels_out, h + 2, w + 2)
        x = torch.relu(self.conv2(x))  # (n, channels_out, h + 4, w + 4)
        x = self.norm(self.pool(x))  # (n, channels_out, (h + 4) // 3, (w + 4) // 3)
        return torch.relu(x)


class MelCNN(nn.Module):
    """``mel-cnn``: from mel segments to logits."""

    def __init__(
        self, *, n_classes: int, segment_frames: int, n_bins: int, input_norm: bool
    ) -> None:
        super().__init__()
        self.input_norm = InputNorm(n_bins) if input_norm else nn.Identity()
        sizes = zip((1, *MEL_CNN_CHANNELS), MEL_CNN_CHANNELS, strict=False)
        self.blocks = nn.Sequential(*(ConvBlock(*pair) for pair in sizes))
        height, width = segment_frames, n_bins
        for _ in MEL_CNN_CHANNELS:
            height, width = (height + 4) // 3, (width + 4) // 3
        self.hidden = nn.Linear(MEL_CNN_CHANNELS[-1] * height * width, 1024)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(1024, n_classes)

    def forward(self, segments: Tensor) -> Tensor:
        """(n, t, b) -> (n, c)."""
        x = self.input_norm(segments).unsqueeze(1)  # (n, 1, t, b)
        x = self.blocks(x)  # (n, 256, t', b'); (n, 256, 2, 3) for (41, 128)
        x = torch.relu(self.hidden(x.flatten(1)))  # (n, 1024)
        return self.output(self.dropout(x))  # type: ignore[no-any-return]


class MfccLSTM(nn.Module):
    """``mfcc-lstm``, the baseline: from MFCC segments to logits."""

    def __init__(self, *, n_classes: int, n_bins: int, input_norm: bool) -> None:
        super().__init__()
        self.input_norm = InputNorm(n_bins) if input_norm else nn.Identity()
        self.lstm = nn.LSTM(n_bins, 450, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(450, n_classes)

    def forward(self, segments: Tensor) -> Tensor:
        """(n, t, b) -> (n, c)."""
        steps, _ = self.lstm(self.input_norm(segments))  # (n, t, 450)
        return self.output(self.dropout(steps[:, -1]))  # type: ignore[no-any-return]


class SegmentLSTM(nn.Module):
    """``segment-lstm``: from the logits of a clip's segments, in order, to those of the clip."""

    def __init__(self, *, n_classes: int) -> None:
        super().__init__()
        self.lstm1 = nn.LSTM(n_classes, 16, batch_first=True)
        self.dropout1 = nn.Dropout(0.3)
        self.lstm2 = nn.LSTM(16, 32, batch_first=True)
        self.dropout2 = nn.Dropout(0.3)
        self.output = nn.Linear(32, n_classes)

    def forward(self, segment_logits: Tensor) -> Tensor:
        """Return the logits of clips: (k, n, c) -> (k, c) with n >= 1."""
        steps, _ = self.lstm1(segment_logits)  # (k, n, 16)
        steps, _ = self.lstm2(self.dropout1(steps))  # (k, n, 32)
        return self.output(self.dropout2(steps[:, -1]))  # type: ignore[no-any-return]


class MeanOverSegments(nn.Module):
    """A simple alternative to ``segment-lstm``: the mean of the segments' probabilities."""

    def forward(self, segment_logits: Tensor) -> Tensor:
        """Return logits whose softmax is the mean of the segments' softmax: (k, n, c) -> (k, c)."""
        return segment_logits.softmax(dim=-1).mean(dim=1).clamp_min(1e-30).log()


class ClipNetwork(nn.Module):
    """A segment network applied to the segments of one clip, then an aggregator."""

    def __init__(self, segment_network: nn.Module, aggregator: nn.Module) -> None:
        super().__init__()
        self.segment_network = segment_network
        self.aggregator = aggregator

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Return clip logits (c,) and segment logits (n, c) of segments (n, t, b)."""
        segment_logits = self.segment_network(segments)
        clip_logits = self.aggregator(segment_logits.unsqueeze(0)).squeeze(0)
        return clip_logits, segment_logits
