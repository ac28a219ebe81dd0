"""Rooms, telephones and background noise for mel power spectrograms.

What a microphone hears of music, made in the mel picture at next to no cost. A late reverberation
is noise with the envelope of an exponential decay, so in power it is a convolution along time
(Polack, 1988); powers of independent sounds add. Phases, and with them the fine structure of
interference, are left out: networks are tested on waveforms played in simulated rooms, which these
functions know nothing of.

``n`` segments or clips, ``t`` frames, ``b`` bands. Random numbers come from torch's generator.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genrelens.features import FeatureConfig, mel_band_centres

__all__ = ["Surroundings"]

_RT60 = (0.15, 1.2)  # s: a furnished bedroom to a café, at low frequencies
_DIRECT_TO_LATE_DB = (-4.0, 10.0)
_LATE_SECONDS = 1.0  # of the decay that are computed

_TELEPHONE_HZ = (300.0, 3400.0)
_TELEPHONE_STOP_DB = -40.0

_SLOPES = (-2.2, 0.6)  # exponents of noise spectra: brown is -2, pink -1, white 0
_BUMPS_DB = 4.0  # standard deviation of a noise's deviations from its slope
_RHYTHM_DB = 6.0  # of its loudness over time, at most
_GRAIN = 3.0  # shape of the gamma distribution of a band's power in a frame


class Surroundings:
    """Draws rooms, telephones and backgrounds.

    Args:
        features: the front end of the spectrograms.
        snr_db: lowest and highest level of the music over the background.
        recordings: mel power of recorded speech and noise, (n_frames, b), longer than a segment;
            None makes all backgrounds from noise.

    """

    def __init__(
        self,
        features: FeatureConfig,
        *,
        snr_db: tuple[float, float],
        recordings: Tensor | None = None,
    ) -> None:
        self._hz = torch.tensor(mel_band_centres(features), dtype=torch.float32)
        self._octaves = torch.log2(self._hz.clamp_min(50) / 50)
        self._height = self._octaves / self._octaves[-1]  # 0 at the lowest bands, 1 at the top
        self._frame_seconds = features.hop_length / features.sample_rate
        self._snr_db = snr_db
        self._recordings = recordings

    def reverberate(self, power: Tensor) -> Tensor:
        """Add a late reverberation to (n, t, b); what came before the segment is not heard."""
        n, t, _ = power.shape
        rt60 = _log_uniform(n, *_RT60)[:, None] * (1 - 0.5 * torch.rand(n, 1) * self._height)
        per_frame = 10 ** (-6 * self._frame_seconds / rt60)  # (n, b)
        late = math.ceil(_LATE_SECONDS / self._frame_seconds)
        frames = torch.arange(late)[:, None]
        decay = per_frame[:, None] ** frames * (1 - per_frame)[:, None]  # (n, late, b), sums to 1
        size = t + late
        spectrum = torch.fft.rfft(power, size, dim=1) * torch.fft.rfft(decay, size, dim=1)
        tail = torch.fft.irfft(spectrum, size, dim=1)[:, : t - 1].clamp_min(0)
        level = 10 ** (-_uniform(n, *_DIRECT_TO_LATE_DB) / 10)
        result = power.clone()
        result[:, 1:] += level[:, None, None] * tail
        return result

    def telephone(self, power: Tensor) -> Tensor:
        """Keep the band of a telephone of (n, t, b)."""
        low, high = _TELEPHONE_HZ
        outside = (self._hz < low) | (self._hz > high)
        return torch.where(outside, power * 10 ** (_TELEPHONE_STOP_DB / 10), power)

    def add_background(self, power: Tensor) -> Tensor:
        """Add noise or a recording to each of (n, t, b)."""
        n, t, _ = power.shape
        noise = torch.stack([self._background(t) for _ in range(n)])
        ratio = power.mean((1, 2)) / noise.mean((1, 2)).clamp_min(1e-20)
        ratio = ratio / 10 ** (_uniform(n, *self._snr_db) / 10)
        return power + noise * ratio[:, None, None]

    def _background(self, t: int) -> Tensor:
        if self._recordings is None or torch.rand(()) < 0.5:
            return self._noise(t)
        voices = 1 if torch.rand(()) < 0.5 else int(torch.randint(2, 7, ()))
        return sum((self._recorded(t) for _ in range(voices)), start=torch.zeros(()))

    def _recorded(self, t: int) -> Tensor:
        assert self._recordings is not None
        start = int(torch.randint(len(self._recordings) - t + 1, ()))
        return self._recordings[start : start + t]

    def _noise(self, t: int) -> Tensor:
        """Noise of a random colour, half of it as uneven as talk or traffic: (t, b)."""
        colour = (self._hz.clamp_min(60) / 1000) ** _uniform(1, *_SLOPES)
        bumps = _smooth(_BUMPS_DB * torch.randn(6), self._height * 5)
        spectrum = colour * 10 ** (bumps / 10)
        grain = torch._standard_gamma(torch.full((t, len(self._hz)), _GRAIN)) / _GRAIN
        noise = spectrum * grain
        if torch.rand(()) < 0.5:
            knots = int(torch.randint(6, 40, ()))
            loudness = _RHYTHM_DB * torch.rand(()) * torch.randn(knots)
            places = torch.linspace(0, knots - 1, t)
            noise = noise * 10 ** (_smooth(loudness, places) / 10)[:, None]
        return noise


def _smooth(knots: Tensor, places: Tensor) -> Tensor:
    """Interpolate between knots (k,) at places in 0..k-1."""
    left = places.long().clamp(0, len(knots) - 2)
    share = places - left
    return knots[left] * (1 - share) + knots[left + 1] * share


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.empty(n).uniform_(low, high)


def _log_uniform(n: int, low: float, high: float) -> Tensor:
    return low * (high / low) ** torch.rand(n)
