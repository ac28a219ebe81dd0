"""Augmentation of compressed mel segments, on the device of the batch.

A gain or an equaliser of the waveform can be applied exactly to ``log(1 + c * mel)``: invert the
logarithm, scale the bands, apply the logarithm again. In real collections, level, equalisation and
bandwidth differ between genres. With augmentation all of them occur in every genre, so that a
network cannot use them as shortcuts.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from genrelens.features import FeatureConfig, hz_to_mel
from genrelens.train.recipe import AugmentConfig

__all__ = ["MelAugment", "mixup"]

_EQ_POINTS = 6
_SLOPE_DB_PER_BAND = 12.0


class MelAugment:
    """Random changes to batches of compressed mel segments.

    Args:
        augment: ranges of the changes.
        features: the mel front end of the segments.

    """

    def __init__(self, augment: AugmentConfig, features: FeatureConfig) -> None:
        self.augment = augment
        self.features = features
        low, high = hz_to_mel(np.array([features.f_min, features.f_max]))
        self._mel_low, self._mel_per_band = float(low), float(high - low) / (features.n_mels + 1)

    def __call__(self, segments: Tensor, *, one_clip: bool = False) -> Tensor:
        """Change a batch.

        Args:
            segments: (n, t, b).
            one_clip: whether the segments belong to one recording and share level, filters and
                pitch.

        Returns:
            (n, t, b), finite, at least 0.

        """
        if not self.augment.changes_segments:
            return segments
        with torch.autocast(segments.device.type, enabled=False):  # resampling needs float32
            return self._change(segments, 1 if one_clip else len(segments))

    def _change(self, segments: Tensor, n: int) -> Tensor:
        """Change a batch with ``n`` independent draws: one for all segments, or one per segment."""
        segments = self._warp(segments, n)
        power = torch.expm1(segments) / self.features.log_scale
        power = self._add_noise(power * self._filters(n, segments), n)
        segments = torch.log1p(self.features.log_scale * power.clamp_min(0))
        return self._mask(
            self._mask(segments, 1, self.augment.mask_frames), 2, self.augment.mask_bands
        )

    def _warp(self, segments: Tensor, n: int) -> Tensor:
        """Stretch time and shift bands by resampling; the edge values are repeated."""
        if not (self.augment.stretch or self.augment.shift_bands):
            return segments
        speed = 1 + self.augment.stretch * (2 * _uniform(segments, n) - 1)
        shift = self.augment.shift_bands * (2 * _uniform(segments, n) - 1)
        theta = segments.new_zeros(n, 2, 3)
        theta[:, 0, 0] = 1
        theta[:, 0, 2] = 2 * shift / segments.shape[2]
        theta[:, 1, 1] = speed
        theta = theta.expand(len(segments), 2, 3)
        images = segments.unsqueeze(1)  # (n, 1, t, b)
        grid = torch.nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
        warped = torch.nn.functional.grid_sample(
            images, grid, padding_mode="border", align_corners=False
        )
        return warped.squeeze(1)

    def _filters(self, n: int, segments: Tensor) -> Tensor:
        """Return the power gain of each clip and band, (n, 1, b)."""
        bands = torch.arange(segments.shape[2], device=segments.device, dtype=segments.dtype)
        gain = self.augment.gain_db * _normal(segments, n, 1)
        if self.augment.eq_db:
            points = self.augment.eq_db * _normal(segments, n, 1, _EQ_POINTS)
            gain = gain + torch.nn.functional.interpolate(
                points, size=len(bands), mode="linear", align_corners=True
            ).squeeze(1)
        low = self._cutoffs(segments, n, self.augment.low_pass_hz, self.features.f_max)
        low[_uniform(segments, n, 1) >= self.augment.low_pass] = math.inf
        high = self._cutoffs(segments, n, 30.0, 200.0)
        high[_uniform(segments, n, 1) >= self.augment.high_pass] = -math.inf
        excess = (bands - low).clamp_min(0) + (high - bands).clamp_min(0)
        gain_db = gain - _SLOPE_DB_PER_BAND * excess
        return torch.pow(10, gain_db / 10).unsqueeze(1)

    def _cutoffs(self, segments: Tensor, n: int, low_hz: float, high_hz: float) -> Tensor:
        """Draw cut-off bands (n, 1), uniform in mel between two frequencies.

        Band 0 is centred one band width above ``f_min``.
        """
        mels = hz_to_mel(np.array([low_hz, high_hz]))
        low, high = (float(mel - self._mel_low) / self._mel_per_band - 1 for mel in mels)
        return low + (high - low) * _uniform(segments, n, 1)

    def _add_noise(self, power: Tensor, n: int) -> Tensor:
        """Add stationary noise with a random tilt, 10 to 60 dB below the mean of the segment."""
        if not self.augment.noise:
            return power
        level_db = -10 - 50 * _uniform(power, n, 1, 1)
        tilt_db = (
            10
            * _normal(power, n, 1, 1)
            * torch.linspace(-1, 1, power.shape[2], device=power.device, dtype=power.dtype)
        )
        on = _uniform(power, n, 1, 1) < self.augment.noise
        spectrum = torch.pow(10, (level_db + tilt_db) / 10) * power.mean(dim=(1, 2), keepdim=True)
        grain = torch.empty_like(power).exponential_()  # power of noise in Fourier bins
        return power + on * spectrum * grain

    @staticmethod
    def _mask(segments: Tensor, dim: int, longest: int) -> Tensor:
        """Silence a random range along ``dim`` in each segment."""
        if not longest:
            return segments
        n, size = len(segments), segments.shape[dim]
        length = (longest + 1) * _uniform(segments, n, 1)
        start = (size - length) * _uniform(segments, n, 1)
        position = torch.arange(size, device=segments.device)
        masked = (position >= start) & (position + 1 <= start + length)  # (n, size)
        return segments.masked_fill(masked.unsqueeze(3 - dim), 0.0)


def mixup(segments: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend each segment and its target with another segment of the batch (Zhang et al., 2018).

    Args:
        segments: (n, t, b), or features of segments (n, d).
        targets: (n, c) probabilities.
        alpha: both parameters of the Beta distribution of the blending share.

    Returns:
        Segments of the same shape and targets (n, c).

    """
    share = torch.distributions.Beta(alpha, alpha).sample((len(segments),)).to(segments.device)
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(len(segments), device=segments.device)
    shares = share.view(-1, *[1] * (segments.ndim - 1))
    mixed = torch.lerp(segments[other], segments, shares)
    return mixed, torch.lerp(targets[other], targets, share[:, None])


def _uniform(like: Tensor, *shape: int) -> Tensor:
    """Draw uniform numbers in 0..1 on the device of another tensor."""
    return like.new_empty(shape).uniform_()


def _normal(like: Tensor, *shape: int) -> Tensor:
    """Draw standard normal numbers on the device of another tensor."""
    return like.new_empty(shape).normal_()
