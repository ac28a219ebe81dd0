"""``musicnn``: a network that knows music from 200 000 songs, and how it starts from there.

Pons & Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging" (2019),
after Pons et al., "End-to-end learning for music audio tagging at scale" (ISMIR 2018). Mathematics
only. ``n`` segments, ``t`` frames, ``b`` = 96 mel bands; a segment is about 3 s at 16 kHz.

Two things are not the original's: a segment is brought to one level first, so that loudness is no
evidence, and frames of digital silence, with which a short recording is padded, are left out of
the level and of the pooling. The weights stay as they are: nothing here is trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EMBEDDING_SIZE", "N_BANDS", "POOLED_SIZE", "FrontEnd", "Musicnn", "at_one_level"]

N_BANDS, EMBEDDING_SIZE, POOLED_SIZE = 96, 200, 1506

_N_TIMBRAL, _N_TEMPORAL = 204, 51  # filters of each kind
_TEMPORAL_FRAMES = (128, 64, 32)
_MID_WIDTH = 64
_MID_FRAMES = 7
_EPS = 1e-3  # of the original's batch norms

_LEVEL = 0.16  # mean mel power of a segment of commercial music: the median over GTZAN
_MAX_GAIN = 1e5  # 50 dB; what is quieter is no music any more
_LOWEST = -1e4  # below all that a layer gives

Weights = Mapping[str, NDArray[np.float32]]


def at_one_level(power: Tensor, sounding: Tensor) -> Tensor:
    """Bring segments (n, t, b) to one mean power over the frames (n, t) that are not silent."""
    n_frames = sounding.sum(dim=1).clamp_min(1)  # (n,)
    mean = power.sum(dim=(1, 2)) / (n_frames * power.shape[2])
    return power * (_LEVEL / mean.clamp_min(_LEVEL / _MAX_GAIN))[:, None, None]


class FrontEnd(nn.Module):
    """Filters as high as a chord and as long as a bar, each at its best place in frequency.

    Timbral filters span many bands and 7 frames, temporal ones a band and 32 to 128 frames. The
    original takes the largest response after a batch norm whose slope may be negative, which is
    the smallest before it: here the slopes' signs are folded into the filters.
    """

    mean: Tensor
    std: Tensor
    sign: Tensor
    low: Tensor
    high: Tensor
    bias: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
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
        self.register_buffer("low", filters[0])  # (204, 7, 38)
        self.register_buffer("high", filters[1])  # (204, 7, 67)
        for n_frames, kernel in zip(_TEMPORAL_FRAMES, filters[2:], strict=True):
            self.register_buffer(f"temporal_{n_frames}", kernel)  # (51, n_frames, 1)
        self.register_buffer("bias", torch.cat([w[f"{_conv(i)}/bias"] for i in range(5)]))
        self.norm = _loaded_norm(
            joined("gamma"), joined("beta"), joined("moving_mean"), joined("moving_variance")
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, b) -> (n, 561, t)."""
        x = (x - self.mean) / self.std
        around = functional.pad(x, (0, 0, _MID_FRAMES // 2, _MID_FRAMES // 2))
        responses = [_largest(around, self.low), _largest(around, self.high)]
        for n_frames in _TEMPORAL_FRAMES:
            along = functional.pad(x, (0, 0, (n_frames - 1) // 2, n_frames // 2))
            responses.append(_largest(along, self.get_buffer(f"temporal_{n_frames}")))
        y = torch.cat(responses, dim=2).transpose(1, 2)  # (n, 561, t)
        y = torch.relu(y * self.sign[:, None] + self.bias[:, None])
        return self.norm(y)  # type: ignore[no-any-return]


def _largest(x: Tensor, filters: Tensor) -> Tensor:
    """Take the largest response of filters (f, kt, kb) over the bands: (n, t', b) -> (n, t, f)."""
    if torch.onnx.is_in_onnx_export():
        y = functional.conv2d(x.unsqueeze(1), filters.unsqueeze(1))  # (n, f, t, p)
        return y.amax(dim=3).transpose(1, 2)
    # The same as products of matrices, one segment at a time, which stay in the processor's cache:
    # two thirds of the time.
    patches = x.unfold(1, filters.shape[1], 1).unfold(2, filters.shape[2], 1)  # (n, t, p, kt, kb)
    flat = filters.flatten(1).t()
    t, p = patches.shape[1:3]
    return torch.stack([(one.reshape(t * p, -1) @ flat).view(t, p, -1).amax(1) for one in patches])


class Musicnn(nn.Module):
    """From segments to what they have in common with songs, and to their listeners' tags.

    Args:
        weights: of the checkpoint ``MSD_musicnn``.
        scale: of the compressed mel spectrogram ``log(1 + scale * mel)``; the original's is
            10 000, with the logarithm to base 10.

    """

    def __init__(self, weights: Weights, *, scale: float) -> None:
        super().__init__()
        w = {name: torch.tensor(value) for name, value in weights.items()}
        self.scale = scale
        self.front = FrontEnd(weights)
        self.mid = nn.ModuleList(_mid_convolution(w, i) for i in range(5, 8))
        self.mid_norms = nn.ModuleList(_norm(w, i) for i in range(6, 9))
        self.pool_norm = _norm(w, 9)
        self.hidden = _linear(w, "dense")
        self.hidden_norm = _norm(w, 10)
        self.tags = _linear(w, "dense_1")

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """(n, t, b) -> pooled features (n, 1506) and embeddings (n, 200)."""
        power = (torch.exp(segments) - 1) / self.scale  # ONNX knows no expm1
        sounding = segments.sum(dim=2) > 0  # (n, t)
        x = self.front(torch.log10(1 + self.scale * at_one_level(power, sounding)))  # (n, 561, t)
        layers = [x]
        for number, (convolution, norm) in enumerate(zip(self.mid, self.mid_norms, strict=True)):
            y = norm(torch.relu(convolution(layers[-1])))  # (n, 64, t)
            layers.append(y + layers[-1] if number else y)
        pooled = _pooled(torch.cat(layers, dim=1), sounding)  # (n, 1506)
        hidden = torch.relu(self.hidden(self.pool_norm(pooled)))
        return pooled, self.hidden_norm(hidden)


def _pooled(y: Tensor, sounding: Tensor) -> Tensor:
    """Largest and mean of (n, 753, t) over the frames that are not silent: (n, 1506)."""
    kept = (sounding | ~sounding.any(dim=1, keepdim=True)).unsqueeze(1)  # (n, 1, t)
    largest = torch.where(kept, y, torch.full_like(y, _LOWEST)).amax(dim=2)
    mean = torch.where(kept, y, torch.zeros_like(y)).sum(dim=2) / kept.sum(dim=2)
    return torch.stack([largest, mean], dim=2).flatten(1)


# ------------------------------------------------------------------------ the checkpoint


def _conv(index: int) -> str:
    return f"conv2d_{index}" if index else "conv2d"


def _kernel(w: Mapping[str, Tensor], index: int) -> Tensor:
    """(kt, kb, 1, f) -> (f, kt, kb)."""
    return w[f"{_conv(index)}/kernel"].squeeze(2).permute(2, 0, 1)


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
