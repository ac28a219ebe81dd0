"""``musicnn``: a network that knows music from 200 000 songs, and how it starts from there.

Pons & Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging" (2019),
after Pons et al., "End-to-end learning for music audio tagging at scale" (ISMIR 2018). Mathematics
only. ``n`` segments, ``t`` frames, ``b`` = 96 mel bands; a segment is about 3 s at 16 kHz.

Two things are not the original's: a segment is brought to one level first, so that loudness is no
evidence; and the filters step over ``stride`` bands at a time, which costs ``1 / stride``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EMBEDDING_SIZE", "N_BANDS", "N_TAGS", "FrontEnd", "LevelNorm", "Musicnn"]

N_BANDS, N_TAGS, EMBEDDING_SIZE = 96, 50, 200

_N_TIMBRAL, _N_TEMPORAL = 204, 51  # filters of each kind
_TEMPORAL_FRAMES = (128, 64, 32)
_MID_WIDTH = 64
_MID_FRAMES = 7
_EPS = 1e-3  # of the original's batch norms

_LEVEL = 0.16  # mean mel power of a segment of commercial music: the median over GTZAN
_MAX_GAIN = 1e5  # 50 dB; what is quieter is no music any more

Weights = Mapping[str, NDArray[np.float32]]


class LevelNorm(nn.Module):
    """Bring compressed mel segments ``log(1 + scale * mel)`` to one mean power."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, segments: Tensor) -> Tensor:
        """(n, t, b) -> (n, t, b)."""
        power = torch.expm1(segments) / self.scale
        mean = power.mean(dim=(1, 2), keepdim=True)  # (n, 1, 1)
        return torch.log1p(power * (self.scale * _LEVEL / mean.clamp_min(_LEVEL / _MAX_GAIN)))


class _MaxOverBands(torch.autograd.Function):
    """The largest response of each filter over all bands, for each frame.

    The same as a convolution and a maximum, in a third of the time on a CPU and without keeping
    the responses: only the largest ones have a gradient, and where they were is all it takes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Take (n, t', b) and filters (f, kt, kb) to (n, t, f)."""
        flat = weight.flatten(1).t().contiguous()  # (kt * kb, f)
        patches = _patches(x, weight, stride)  # (n, t, p, kt, kb)
        n, t, p = patches.shape[:3]
        best = x.new_empty(n, t, len(weight))
        places = torch.empty(best.shape, dtype=torch.int64, device=x.device)
        for i in range(n):  # one by one: the responses stay in the processor's cache
            responses = (patches[i].reshape(t * p, -1) @ flat).view(t, p, -1)
            torch.max(responses, dim=1, out=(best[i], places[i]))
        ctx.save_for_backward(x, weight, places)
        ctx.stride = stride
        return best

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        """Gradient of the weight; the input needs none."""
        x, weight, places = ctx.saved_tensors
        patches = _patches(x, weight, ctx.stride)
        n, t, p = patches.shape[:3]
        result = weight.new_zeros(len(weight), weight[0].numel())
        for i in range(n):
            spread = x.new_zeros(t, p, len(weight))
            spread.scatter_(1, places[i].unsqueeze(1), gradients[0][i].unsqueeze(1))
            result += spread.view(t * p, -1).t() @ patches[i].reshape(t * p, -1)
        return None, result.view_as(weight), None


def _patches(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return x.unfold(1, weight.shape[1], 1).unfold(2, weight.shape[2], stride)


class FrontEnd(nn.Module):
    """Filters as high as a chord and as long as a bar, each at its best place in frequency.

    Timbral filters span many bands and 7 frames, temporal ones a band and 32 to 128 frames. The
    original takes the largest response after a batch norm whose slope may be negative, which is
    the smallest before it: here the slopes' signs are folded into the filters.

    Args:
        weights: of the checkpoint.
        stride: bands from one place of a filter to the next.

    """

    mean: Tensor
    std: Tensor
    sign: Tensor
    temporal_mask: Tensor

    def __init__(self, weights: Weights, stride: int) -> None:
        super().__init__()
        self.stride = stride
        w = {name: torch.tensor(value) for name, value in weights.items()}
        norm = "batch_normalization"
        std = (w[f"{norm}/moving_variance"] + _EPS).sqrt() / w[f"{norm}/gamma"]
        self.register_buffer("mean", w[f"{norm}/moving_mean"] - w[f"{norm}/beta"] * std)
        self.register_buffer("std", std)

        def joined(part: str) -> Tensor:
            return torch.cat([w[f"{norm}_{i}/{part}"] for i in range(1, 6)])

        self.register_buffer("sign", torch.where(joined("gamma") < 0, -1.0, 1.0))
        kernels = [_kernel(w, i) for i in range(5)]
        signs = torch.split(self.sign, [_N_TIMBRAL] * 2 + [_N_TEMPORAL] * 3)
        filters = [k * s[:, None, None] for k, s in zip(kernels, signs, strict=True)]
        self.low = nn.Parameter(filters[0])  # (204, 7, 38)
        self.high = nn.Parameter(filters[1])  # (204, 7, 67)
        self.temporal = nn.Parameter(torch.cat([_centred(kernel) for kernel in filters[2:]]))
        self.register_buffer("temporal_mask", (self.temporal != 0).float())  # (153, 128, 1)
        self.bias = nn.Parameter(torch.cat([w[f"{_conv(i)}/bias"] for i in range(5)]))
        self.norm = _loaded_norm(
            joined("gamma"), joined("beta"), joined("moving_mean"), joined("moving_variance")
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, b) -> (n, 561, t)."""
        x = (x - self.mean) / self.std
        around = functional.pad(x, (0, 0, _MID_FRAMES // 2, _MID_FRAMES // 2))
        longest = _TEMPORAL_FRAMES[0]
        along = functional.pad(x, (0, 0, (longest - 1) // 2, longest // 2))
        responses = [
            self._largest(around, self.low),
            self._largest(around, self.high),
            self._largest(along, self.temporal * self.temporal_mask),
        ]
        y = torch.cat(responses, dim=2).transpose(1, 2)  # (n, 561, t)
        y = torch.relu(y * self.sign[:, None] + self.bias[:, None])
        return self.norm(y)  # type: ignore[no-any-return]

    def _largest(self, x: Tensor, weight: Tensor) -> Tensor:
        """(n, t', b) -> (n, t, f)."""
        if torch.onnx.is_in_onnx_export():
            y = functional.conv2d(x.unsqueeze(1), weight.unsqueeze(1), stride=(1, self.stride))
            return y.amax(dim=3).transpose(1, 2)
        return _MaxOverBands.apply(x, weight, self.stride)  # type: ignore[no-any-return, no-untyped-call]


class Musicnn(nn.Module):
    """From segments to what they have in common with songs, and to their listeners' tags.

    Args:
        weights: of the checkpoint ``MSD_musicnn``.
        stride: see :class:`FrontEnd`.
        scale: of the compressed mel spectrogram ``log(1 + scale * mel)``; the original's is
            10 000, with the logarithm to base 10.

    """

    def __init__(self, weights: Weights, *, stride: int, scale: float) -> None:
        super().__init__()
        w = {name: torch.tensor(value) for name, value in weights.items()}
        self.level = LevelNorm(scale)
        self.front = FrontEnd(weights, stride)
        self.mid = nn.ModuleList(_mid_convolution(w, i) for i in range(5, 8))
        self.mid_norms = nn.ModuleList(_norm(w, i) for i in range(6, 9))
        self.pool_norm = _norm(w, 9)
        self.dropout = nn.Dropout(0.5)
        self.hidden = _linear(w, "dense")
        self.hidden_norm = _norm(w, 10)
        self.tags = _linear(w, "dense_1")

    def forward(self, segments: Tensor) -> Tensor:
        """(n, t, b) -> embeddings (n, 200)."""
        x = self.level(segments) / np.log(10)
        x = self.front(x)  # (n, 561, t)
        layers = [x]
        for number, (convolution, norm) in enumerate(zip(self.mid, self.mid_norms, strict=True)):
            y = norm(torch.relu(convolution(layers[-1])))  # (n, 64, t)
            layers.append(y + layers[-1] if number else y)
        y = torch.cat(layers, dim=1)  # (n, 753, t)
        pooled = torch.stack([y.amax(dim=2), y.mean(dim=2)], dim=2).flatten(1)  # (n, 1506)
        hidden = self.hidden(self.dropout(self.pool_norm(pooled)))
        return self.hidden_norm(torch.relu(hidden))  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Musicnn:
        """Set the mode of all but the batch norms, whose statistics stay those of the songs."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        return self


# ------------------------------------------------------------------------ the checkpoint


def _conv(index: int) -> str:
    return f"conv2d_{index}" if index else "conv2d"


def _kernel(w: Mapping[str, Tensor], index: int) -> Tensor:
    """(kt, kb, 1, f) -> (f, kt, kb)."""
    return w[f"{_conv(index)}/kernel"].squeeze(2).permute(2, 0, 1)


def _centred(kernel: Tensor) -> Tensor:
    """Put a temporal filter into the middle of one of the longest: (f, kt, 1) -> (f, 128, 1)."""
    missing = _TEMPORAL_FRAMES[0] - kernel.shape[1]
    return functional.pad(kernel, (0, 0, missing // 2, missing // 2))


def _mid_convolution(w: Mapping[str, Tensor], index: int) -> nn.Conv1d:
    kernel = w[f"{_conv(index)}/kernel"].squeeze(2)  # (7, channels, 64)
    layer = nn.Conv1d(kernel.shape[1], _MID_WIDTH, _MID_FRAMES, padding=_MID_FRAMES // 2)
    layer.weight.data = kernel.permute(2, 1, 0).contiguous()
    layer.bias.data = w[f"{_conv(index)}/bias"]  # type: ignore[union-attr]
    return layer


def _linear(w: Mapping[str, Tensor], name: str) -> nn.Linear:
    kernel = w[f"{name}/kernel"]
    layer = nn.Linear(*kernel.shape)
    layer.weight.data, layer.bias.data = kernel.t().contiguous(), w[f"{name}/bias"]
    return layer


def _norm(w: Mapping[str, Tensor], index: int) -> nn.BatchNorm1d:
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    return _loaded_norm(*(w[f"batch_normalization_{index}/{part}"] for part in parts))


def _loaded_norm(gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> nn.BatchNorm1d:
    layer = nn.BatchNorm1d(len(gamma), eps=_EPS)
    layer.weight.data, layer.bias.data = gamma.clone(), beta.clone()
    layer.running_mean, layer.running_var = mean.clone(), variance.clone()
    return layer
