"""The linear heads on sets: genres, music or not, and the estimate of the signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genrelens.train.lens.sets import Sets

__all__ = ["SNR_RANGE", "fit_discriminant", "fit_music_head", "fit_snr_head"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SNR_RANGE = (-15.0, 30.0)
"""Range of the estimated signal-to-noise ratio in dB; music without noise has the highest value."""
_ALPHA = 300.0  # regularisation of the ridge regression, on inputs of variance 1
_C = 0.01  # inverse regularisation of the logistic regression, on inputs of variance 1
_TOTAL_WEIGHT = 12_000  # sum over all sets: regularisation is independent of their number
_SMALLEST_STD = 1e-2
_SHRINKAGE = 0.5  # share of the covariance that is replaced by its mean variance
_SOFTNESS = 7.0  # the scores of the discriminant are divided by it: it is far too certain
_CLEAN_WEIGHT = 0.4  # weight of a set without noise; sets with a known ratio have weight 1


def fit_discriminant(x: Tensor, classes: Tensor, weights: Tensor, n_classes: int) -> nn.Linear:
    """Fit a linear discriminant to the means of the features and the logarithm of their number.

    All classes are Gaussian with one covariance, which is shrunk towards a sphere (Friedman,
    1989), and are equally probable.

    Args:
        x: normalised sets, (m, 2 d + 1).
        classes: class of each set, (m,) int64; each class has at least one set.
        weights: weight of each set, (m,), above 0.
        n_classes: number of classes ``k``.

    Returns:
        A layer from normalised sets (m, 2 d + 1) to logits (m, k).

    """
    size = x.shape[1]
    used = torch.tensor([*range((size - 1) // 2), size - 1])  # not the standard deviations
    z, share = x[:, used].double(), (weights / weights.sum()).double()
    members = functional.one_hot(classes, n_classes).double() * share[:, None]  # (m, k)
    means = members.T @ z / members.sum(dim=0)[:, None]
    residuals = z - means[classes]
    covariance = residuals.T @ (residuals * share[:, None])
    sphere = covariance.diagonal().mean() * torch.eye(len(used), dtype=z.dtype)
    directions = torch.linalg.solve(torch.lerp(covariance, sphere, _SHRINKAGE), means.T).T
    layer = nn.Linear(size, n_classes)
    layer.weight.data = torch.zeros(n_classes, size)
    layer.weight.data[:, used] = (directions / _SOFTNESS).float()
    layer.bias.data = (-0.5 * (means * directions).sum(dim=1) / _SOFTNESS).float()
    return layer


def fit_music_head(
    music: Sequence[tuple[Sets, Float64]],
    other: Sequence[Sets],
    mean: Tensor,
    std: Tensor,
) -> nn.Linear:
    """Fit a logistic regression that separates sets of music from sets of other sounds.

    Music and other sounds have the same weight, and so have the groups of each: collections of
    music, and kinds of other sounds.

    Args:
        music: sets of each collection of music, and their weights, (m,).
        other: sets of each kind of other sounds, for instance of speech.
        mean: mean of each input, (2 d + 1,).
        std: standard deviation of each input, (2 d + 1,).

    Returns:
        A layer from normalised sets (m, 2 d + 1) to the logit of music (m, 1).

    """
    from sklearn.linear_model import LogisticRegression

    groups = [*music, *((sets, np.ones(len(sets.rows))) for sets in other)]
    rows = np.concatenate([sets.rows for sets, _ in groups]).astype(np.float32)
    sizes = [len(sets.rows) for sets, _ in groups]
    is_music = np.repeat([True] * len(music) + [False] * len(other), sizes)
    shares = [1 / len(music)] * len(music) + [1 / len(other)] * len(other)
    weights = np.concatenate(
        [share * weight / weight.sum() for share, (_, weight) in zip(shares, groups, strict=True)]
    )
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + _SMALLEST_STD
    fitted = LogisticRegression(C=_C, max_iter=200)
    fitted.fit((rows - centre) / scale, is_music, weights * _TOTAL_WEIGHT / 2)
    slopes = fitted.coef_[0] / scale
    intercept = float(fitted.intercept_[0] + slopes @ (mean.numpy() - centre))
    return _layer(slopes * std.numpy(), intercept)


def fit_snr_head(sets: Sets, known: NDArray[np.bool_], mean: Tensor, std: Tensor) -> nn.Linear:
    """Fit a ridge regression from the mean of the features to the signal-to-noise ratio.

    It is linear in the mean. Therefore the estimate for a set is the mean over its segments.

    Args:
        sets: sets with their ratio.
        known: whether the ratio of each clip is known, (n_clips,) bool; it is not known for
            microphone recordings.
        mean: mean of each input, (2 d + 1,).
        std: standard deviation of each input, (2 d + 1,).

    Returns:
        A layer from normalised sets (m, 2 d + 1) to the ratio in dB (m, 1).

    """
    from sklearn.linear_model import Ridge

    used = sets.whole & known[sets.clips]
    n_features = (sets.rows.shape[1] - 1) // 2
    rows = _normalised(sets.rows[used].astype(np.float32), mean, std)[:, :n_features]
    ratios = np.clip(sets.snr[used], *SNR_RANGE)
    weights = np.where(np.isinf(sets.snr[used]), _CLEAN_WEIGHT, 1.0)
    fitted = Ridge(alpha=_ALPHA).fit(rows, ratios, sample_weight=weights)
    slopes = np.zeros(sets.rows.shape[1])
    slopes[:n_features] = fitted.coef_
    return _layer(slopes, float(fitted.intercept_))


def _normalised(rows: Float32, mean: Tensor, std: Tensor) -> Float32:
    return np.asarray((rows - mean.numpy()) / std.numpy())


def _layer(slopes: Float64, intercept: float) -> nn.Linear:
    layer = nn.Linear(len(slopes), 1)
    layer.weight.data = torch.tensor(slopes[None], dtype=torch.float32)
    layer.bias.data = torch.tensor([intercept], dtype=torch.float32)
    return layer
