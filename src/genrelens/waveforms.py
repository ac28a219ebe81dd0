"""Arrays of samples of any type, rate and number of channels, made ready for a front end."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from genrelens.decoders.mono import mixed
from genrelens.errors import AudioError

__all__ = ["as_mono", "resampled"]

Float32 = NDArray[np.float32]

_MIN_RATE, _MAX_RATE = 1_000, 3_000_000  # Hz
_MAX_CHANNELS = 256
_LOUDEST = 1e6  # as for files: 120 dB over full scale is no sound


def as_mono(y: ArrayLike, sample_rate: float) -> Float32:
    """Scale to 1.0 and mix the channels as those of a file: (n,) or (n, channels) -> (n,) float32.

    Raises:
        AudioError: there are no samples, or some are not finite or far beyond full scale.
        TypeError: numbers of this type have no full scale that everybody agrees on.
        ValueError: ``y`` or ``sample_rate`` has an invalid shape or range.

    """
    _require_rate(sample_rate)
    samples = np.asarray(y)
    if samples.ndim not in (1, 2):
        raise ValueError(f"a waveform has one or two dimensions, not shape {samples.shape}")
    if samples.size == 0:
        raise AudioError("<waveform>", "holds no audio samples")
    if samples.ndim == 2 and samples.shape[1] > _MAX_CHANNELS:
        raise ValueError(
            f"shape {samples.shape} means {samples.shape[1]} channels; a waveform is "
            "(n_samples, n_channels): did you mean y.T?"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
        waveform = _as_float(samples)
        mono = waveform if waveform.ndim == 1 else _mixed(waveform, sample_rate)
    if not -_LOUDEST <= mono.min() <= mono.max() <= _LOUDEST:
        index = int(np.argmin(np.abs(mono) <= _LOUDEST))
        raise AudioError("<waveform>", f"holds the sample {mono[index]:g}; full scale is 1")
    return mono


def _mixed(waveform: Float32, sample_rate: float) -> Float32:
    return np.concatenate(list(mixed([waveform.T], round(sample_rate), len(waveform))))


def _require_rate(sample_rate: float) -> None:
    """Raise ``ValueError`` where a rate in Hz is not that of a sound."""
    if not _MIN_RATE <= sample_rate <= _MAX_RATE:
        raise ValueError(f"sample_rate={sample_rate} must be in {_MIN_RATE}..{_MAX_RATE} Hz")


def _as_float(samples: NDArray[np.generic]) -> Float32:
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "f":
        return samples.astype(np.float32)
    if kind not in "iu" or bits > 32:
        raise TypeError(
            f"samples of type {samples.dtype} have no known full scale; use floats of full scale "
            "1.0 or integers of 8, 16 or 32 bits"
        )
    full_scale = np.float32(2 ** (bits - 1))
    waveform = samples.astype(np.float32) / full_scale
    return waveform - np.float32(1) if kind == "u" else waveform


def resampled(mono: Float32, rate_in: float, rate_out: int) -> Float32:
    """Convert the rate of a waveform (n,), both in Hz.

    Raises:
        AudioError: it is so short that no sample is left.
        ValueError: ``rate_in`` is not the rate of a sound.

    """
    _require_rate(rate_in)
    if rate_in == rate_out:
        return mono
    converted = np.asarray(soxr.resample(mono, rate_in, rate_out), dtype=np.float32)
    if converted.size == 0:
        raise AudioError("<waveform>", "holds no audio samples")
    return converted
