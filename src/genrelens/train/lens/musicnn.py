"""``musicnn``: a network pre-trained on 200 000 songs, frozen here.

Pons & Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging" (2019),
after Pons et al., "End-to-end learning for music audio tagging at scale" (ISMIR 2018). Shapes:
``n`` segments, ``t`` frames, ``b`` = 96 mel bands; a segment is about 3 s at 16 kHz.

There are two differences from the original. Each segment is first scaled to the same level, so that
loudness has no influence. Frames of digital silence, which pad a short recording, are excluded from
the level and from the pooling. The weights are unchanged: nothing here is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genrelens.train.recipe import MUSICNN_BANDS

__all__ = ["EMBEDDING_SIZE", "FrontEnd", "Musicnn", "at_one_level"]

EMBEDDING_SIZE = 200

_MID_WIDTH = 64
_MID_FRAMES = 7
_EPS = 1e-3  # epsilon of the original's batch norms
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")  # weights of a batch norm

_LEVEL = 0.16  # mean mel power of a segment of commercial music: the median over GTZAN
_MAX_GAIN = 1e5  # 50 dB; segments that need more gain are not music
_LOWEST = -1e4  # lower than all outputs of a layer
_LANES = 16  # onnxruntime computes filters in groups of this size
_DEAD = 1e-5  # largest weight of a dead filter, whose weights weight decay reduced to zero

Weights = Mapping[str, NDArray[np.float32]]


def at_one_level(power: Tensor, audible: Tensor) -> Tensor:
    """Scale segments (n, t, b) to the same mean power over the audible frames, (n, t) bool."""
    n_frames = audible.sum(dim=1).clamp_min(1)  # (n,)
    mean = power.sum(dim=(1, 2)) / (n_frames * power.shape[2])
    return power * (_LEVEL / mean.clamp_min(_LEVEL / _MAX_GAIN))[:, None, None]


class FrontEnd(nn.Module):
    """Timbral and temporal filters; the output is the largest response of each over frequency.

    Timbral filters span many bands and 7 frames, temporal filters one band and 32 to 128 frames.
    The original takes the largest response after a batch norm. If the slope of the norm is
    negative, this is the smallest response before it; here the filters include the sign.

    In the original, nine of ten filters have zero weights, so that their output is constant. Only
    the other (live) filters are computed; :attr:`fixed` contains the constants of the dead ones.

    Attributes:
        live: indices of the live filters among the original's 561, (k,) int64.
        dead: indices of the dead filters, (561 - k,) int64.
        fixed: constant outputs of the dead filters, (561 - k,).

    """

    mean: Tensor
    std: Tensor
    sign: Tensor
    bias: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        w = {name: torch.tensor(value) for name, value in weights.items()}
        norm = "batch_normalization"
        std = (w[f"{norm}/moving_variance"] + _EPS).sqrt() / w[f"{norm}/gamma"]
        self.register_buffer("mean", w[f"{norm}/moving_mean"] - w[f"{norm}/beta"] * std)
        self.register_buffer("std", std)

        kernels = [_kernel(w, index) for index in range(5)]
        alive = [kernel.abs().amax(dim=(1, 2)) > _DEAD for kernel in kernels]
        self.live = torch.cat(alive).nonzero().squeeze(1)
        self.dead = (~torch.cat(alive)).nonzero().squeeze(1)
        bias = torch.cat([w[f"{_conv(index)}/bias"] for index in range(5)])
        norms = [
            torch.cat([w[f"{norm}_{index}/{part}"] for index in range(1, 6)]) for part in _NORM
        ]
        with torch.no_grad():
            dead_norm = _loaded_norm(*(values[self.dead] for values in norms)).eval()
            self.fixed = dead_norm(torch.relu(bias[self.dead])[None]).squeeze(0)
        self.norm = _loaded_norm(*(values[self.live] for values in norms))
        self.register_buffer("bias", bias[self.live])
        sign = torch.where(norms[0] < 0, -1.0, 1.0)
        self.register_buffer("sign", sign[self.live])
        groups = _groups(kernels, alive, sign)
        self._sizes = [group.shape for group in groups]  # filters, frames, bands
        for index, group in enumerate(groups):
            spare = -len(group) % _LANES
            self.register_buffer(f"filters_{index}", functional.pad(group, (0, 0, 0, 0, 0, spare)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the responses of the live filters: (n, t, b) -> (n, k, t)."""
        x = ((x - self.mean) / self.std).unsqueeze(1)
        y = torch.cat([self._largest(x, index) for index in range(4)], dim=1)  # (n, k, t)
        y = torch.relu(y * self.sign[:, None] + self.bias[:, None])
        return self.norm(y)  # type: ignore[no-any-return]

    def _largest(self, x: Tensor, index: int) -> Tensor:
        """Return the largest response of filters over the bands: (n, 1, t, b) -> (n, f, t)."""
        filters = self.get_buffer(f"filters_{index}").unsqueeze(1)
        n_filters, n_frames, n_bands = self._sizes[index]
        padded = functional.pad(x, (0, 0, (n_frames - 1) // 2, n_frames // 2))
        y = functional.conv2d(padded, filters)  # (n, f + spare, t, positions)
        return functional.max_pool2d(y, (1, MUSICNN_BANDS - n_bands + 1)).squeeze(3)[:, :n_filters]


def _groups(kernels: Sequence[Tensor], alive: Sequence[Tensor], sign: Tensor) -> list[Tensor]:
    """Combine the original's five kernels (f, frames, bands) into four of live filters."""
    signs = torch.split(sign, [len(kernel) for kernel in kernels])
    low, high, *temporal = (
        (kernel * each[:, None, None])[kept]
        for kernel, each, kept in zip(kernels, signs, alive, strict=True)
    )
    return [low, high, *_two_lengths(temporal)]


def _two_lengths(filters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pad filters (f, frames, 1) of three lengths, longest first, with zeros to two lengths.

    Of the shortest filters, a multiple of ``_LANES`` keep their length.
    """
    *long, short = filters
    n_long = len(short) % _LANES
    longest = long[0].shape[1]
    padded = [
        functional.pad(each, (0, 0, gap := (longest - each.shape[1]) // 2, gap))
        for each in (*long, short[:n_long])
    ]
    return torch.cat(padded), short[n_long:]


class Musicnn(nn.Module):
    """The network from segments to pooled features and embeddings; ``tags`` maps these to 50 tags.

    Args:
        weights: weights of the checkpoint ``MSD_musicnn``.
        scale: scale of the compressed mel spectrogram ``log(1 + scale * mel)``. The original's is
            10 000, with the logarithm to base 10.

    Attributes:
        pooled_size: number ``p`` of pooled features; those of dead filters are left out.

    """

    def __init__(self, weights: Weights, *, scale: float) -> None:
        super().__init__()
        w = {name: torch.tensor(value) for name, value in weights.items()}
        self.scale = scale
        self.front = FrontEnd(weights)
        first, *rest = (_mid_convolution(w, i) for i in range(5, 8))
        self.mid = nn.ModuleList([_without_dead(first, self.front), *rest])
        self.mid_norms = nn.ModuleList(_norm(w, i) for i in range(6, 9))
        self.hidden = _hidden(w, self.front)
        self.hidden_norm = _norm(w, 10)
        self.tags = _linear(w, "dense_1")
        self.pooled_size = self.hidden.in_features

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled features (n, p) and embeddings (n, 200) of segments (n, t, b)."""
        power = (torch.exp(segments) - 1) / self.scale  # ONNX has no expm1
        audible = segments.sum(dim=2) > 0  # (n, t)
        x = self.front(torch.log10(1 + self.scale * at_one_level(power, audible)))  # (n, k, t)
        y = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
        y = self.mid_norms[0](torch.relu(self.mid[0](y)))  # (n, 64, t)
        layers = [x, y]
        for convolution, norm in zip(self.mid[1:], self.mid_norms[1:], strict=True):
            layers.append(norm(torch.relu(convolution(layers[-1]))) + layers[-1])
        pooled = _pooled(torch.cat(layers, dim=1), audible)  # (n, p)
        return pooled, self.hidden_norm(torch.relu(self.hidden(pooled)))


def _pooled(y: Tensor, audible: Tensor) -> Tensor:
    """Return maximum and mean of (n, c, t) over the audible frames: (n, 2c)."""
    kept = (audible | ~audible.any(dim=1, keepdim=True)).unsqueeze(1)  # (n, 1, t)
    largest = torch.where(kept, y, torch.full_like(y, _LOWEST)).amax(dim=2)
    mean = torch.where(kept, y, torch.zeros_like(y)).sum(dim=2) / kept.sum(dim=2)
    return torch.stack([largest, mean], dim=2).flatten(1)


# ------------------------------------------------------------------------ the checkpoint


def _conv(index: int) -> str:
    return f"conv2d_{index}" if index else "conv2d"


def _kernel(w: Mapping[str, Tensor], index: int) -> Tensor:
    """Return a kernel in torch's order: (kt, kb, 1, f) -> (f, kt, kb)."""
    return w[f"{_conv(index)}/kernel"].squeeze(2).permute(2, 0, 1)


def _mid_convolution(w: Mapping[str, Tensor], index: int) -> nn.Conv1d:
    kernel = w[f"{_conv(index)}/kernel"].squeeze(2)  # (7, channels, 64)
    layer = nn.Conv1d(kernel.shape[1], _MID_WIDTH, _MID_FRAMES, padding=_MID_FRAMES // 2)
    layer.weight.data = kernel.permute(2, 1, 0).contiguous()
    layer.bias.data = w[f"{_conv(index)}/bias"]  # type: ignore[union-attr]
    return layer


def _without_dead(layer: nn.Conv1d, front: FrontEnd) -> nn.Conv1d:
    """Remove the input channels of dead filters; a new channel of ones adds their constants.

    A bias would be wrong, because the padding before the first and after the last frame is zero.
    """
    weight = layer.weight.data  # (64, 561, 7)
    ones = torch.einsum("ock,c->ok", weight[:, front.dead], front.fixed)
    layer.weight.data = torch.cat([weight[:, front.live], ones.unsqueeze(1)], dim=1)
    layer.in_channels = len(front.live) + 1
    return layer


def _hidden(w: Mapping[str, Tensor], front: FrontEnd) -> nn.Linear:
    """Merge the norm before the hidden layer, and the constants of dead filters, into the layer."""
    layer = _linear(w, "dense")
    gamma, beta, mean, variance = (w[f"batch_normalization_9/{part}"] for part in _NORM)
    slope = gamma / (variance + _EPS).sqrt()
    weight = layer.weight.data * slope  # (200, 1506)
    bias = layer.bias.data + layer.weight.data @ (beta - slope * mean)
    dead = torch.stack([2 * front.dead, 2 * front.dead + 1], dim=1).flatten()  # largest and mean
    bias += weight[:, dead] @ front.fixed.repeat_interleave(2)
    alive = torch.ones(weight.shape[1], dtype=torch.bool)
    alive[dead] = False
    layer.weight.data, layer.bias.data = weight[:, alive].contiguous(), bias
    layer.in_features = int(alive.sum())
    return layer


def _linear(w: Mapping[str, Tensor], name: str) -> nn.Linear:
    kernel = w[f"{name}/kernel"]
    layer = nn.Linear(*kernel.shape)
    layer.weight.data, layer.bias.data = kernel.t().contiguous(), w[f"{name}/bias"]
    return layer


def _norm(w: Mapping[str, Tensor], index: int) -> nn.BatchNorm1d:
    return _loaded_norm(*(w[f"batch_normalization_{index}/{part}"] for part in _NORM))


def _loaded_norm(gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> nn.BatchNorm1d:
    layer = nn.BatchNorm1d(len(gamma), eps=_EPS)
    layer.weight.data, layer.bias.data = gamma.clone(), beta.clone()
    layer.running_mean, layer.running_var = mean.clone(), variance.clone()
    return layer
