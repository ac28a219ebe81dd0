"""Front ends: from a waveform to the segments a network hears. Pure numpy, no I/O.

Conventions: arrays are time-first; waveforms are mono float32 with full scale 1.0; spectra are
power spectra of a periodic Hann window with frames centred on multiples of the hop and zeros
beyond the ends, as in librosa. Compression is pointwise (no ``ref=max``, no ``top_db``, no
normalisation per file), so a segment's features do not depend on the rest of its file, and a
recording that arrives in blocks gives the very numbers it gives as a whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ORIGINAL_MEL",
    "ORIGINAL_MFCC",
    "FeatureConfig",
    "extract_features",
    "extract_segments",
    "hz_to_mel",
    "iter_segments",
    "log_mel_spectrogram",
    "mel_band_centres",
    "mel_filterbank",
    "mel_spectrogram",
    "mel_to_hz",
    "mfcc",
    "power_to_db",
    "spectrogram",
]

Float32 = NDArray[np.float32]

DB_FLOOR = -100.0
_FRAMES_AT_ONCE = 512  # bounds the memory of the short-time Fourier transform


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """Everything that defines a front end; it travels inside the model file.

    Attributes:
        kind: ``"mel"`` (compressed mel spectrogram) or ``"mfcc"``.
        sample_rate: rate the waveform is resampled to, in Hz.
        n_fft: window length in samples (even).
        hop_length: distance between frames in samples.
        n_mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz; at most half the sample rate.
        n_mfcc: number of cepstral coefficients (``"mfcc"`` only, else 0).
        segment_frames: frames in a segment.
        segment_hop: frames from the start of a segment to the start of the next.
        log_scale: ``c`` in ``log(1 + c * mel)`` (``"mel"`` only).

    Raises:
        ValueError: a value is out of range; the message names it and the rule.

    """

    kind: Literal["mel", "mfcc"]
    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    f_min: float
    f_max: float
    n_mfcc: int = 0
    segment_frames: int = 41
    segment_hop: int = 41
    log_scale: float = 10_000.0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "hop_length", "n_mels", "segment_frames"):
            _require(getattr(self, name) >= 1, f"{name}={getattr(self, name)} must be at least 1")
        _require(self.kind in ("mel", "mfcc"), f"kind={self.kind!r} must be 'mel' or 'mfcc'")
        _require(self.n_fft % 2 == 0, f"n_fft={self.n_fft} must be even")
        _require(
            1 <= self.segment_hop <= self.segment_frames,
            f"segment_hop={self.segment_hop} must be in 1..segment_frames={self.segment_frames}",
        )
        _require(
            0 <= self.f_min < self.f_max <= self.sample_rate / 2,
            f"0 <= f_min={self.f_min} < f_max={self.f_max} <= sample_rate / 2 must hold",
        )
        _require(self.log_scale > 0, f"log_scale={self.log_scale} must be positive")
        low, high = (1, self.n_mels) if self.kind == "mfcc" else (0, 0)
        _require(
            low <= self.n_mfcc <= high,
            f"n_mfcc={self.n_mfcc} must be in {low}..{high} for kind={self.kind!r}",
        )

    @property
    def n_bins(self) -> int:
        """Values in one frame of features."""
        return self.n_mels if self.kind == "mel" else self.n_mfcc

    @property
    def segment_seconds(self) -> float:
        """Length of a segment in seconds."""
        return self.segment_frames * self.hop_length / self.sample_rate

    @property
    def segment_hop_seconds(self) -> float:
        """Time from the start of a segment to the start of the next, in seconds."""
        return self.segment_hop * self.hop_length / self.sample_rate

    @property
    def min_samples(self) -> int:
        """Samples that give one whole segment; a shorter waveform is padded with zeros."""
        return (self.segment_frames - 1) * self.hop_length

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a configuration from :meth:`to_dict`; an unknown key raises ``ValueError``."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        _require(not unknown, f"unknown feature settings: {', '.join(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"incomplete feature settings: {error}") from error

    def digest(self) -> str:
        """Return 16 hexadecimal digits that name these settings, segmentation left out."""
        values = replace(self, segment_frames=1, segment_hop=1).to_dict()
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


ORIGINAL_MEL = FeatureConfig(
    kind="mel", sample_rate=44_100, n_fft=4096, hop_length=1024, n_mels=128, f_min=1, f_max=22_050
)
"""The original system's mel front end: 31 segments of (41, 128) from a 30 s clip."""

ORIGINAL_MFCC = FeatureConfig(
    kind="mfcc", sample_rate=16_000, n_fft=512, hop_length=171, n_mels=40, f_min=0, f_max=8000,
    n_mfcc=20,
)  # fmt: skip
"""The original system's MFCC front end: 68 segments of (41, 20) from a 30 s clip."""


# ------------------------------------------------------------------------------- frames


def spectrogram(y: ArrayLike, *, n_fft: int, hop_length: int) -> Float32:
    """Power spectrogram.

    Args:
        y: waveform, (n_samples,), full scale 1.0.
        n_fft: window length in samples, even.
        hop_length: distance between frames in samples.

    Returns:
        (1 + n_samples // hop_length, 1 + n_fft // 2) float32, at least 0.

    Raises:
        ValueError: ``y`` is not one-dimensional, is empty or is not finite.

    """
    chunks = _iter_spectrogram([_as_waveform(y)], n_fft=n_fft, hop_length=hop_length)
    return np.concatenate(list(chunks))


def mel_spectrogram(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Mel power spectrogram, (n_frames, n_mels) float32, at least 0; see :func:`spectrogram`."""
    return _mel(spectrogram(y, n_fft=config.n_fft, hop_length=config.hop_length), config)


def log_mel_spectrogram(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Compressed mel spectrogram ``log(1 + config.log_scale * mel)``.

    Returns:
        (n_frames, n_mels) float32, 0 for silence and about 18 at full scale.

    """
    return np.log1p(config.log_scale * mel_spectrogram(y, config), dtype=np.float32)


def mfcc(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Mel-frequency cepstral coefficients: orthonormal DCT-II of the mel spectrogram in dB.

    Returns:
        (n_frames, n_mfcc) float32, in dB.

    Source: Davis & Mermelstein (1980), with librosa's conventions (Slaney mel, no liftering).

    """
    return _cepstrum(mel_spectrogram(y, config), config)


def extract_features(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Frames of ``config.kind``: (1 + n_samples // hop_length, n_bins) float32."""
    return np.concatenate(list(_iter_features([_as_waveform(y)], config)))


def power_to_db(power: ArrayLike, *, floor_db: float = DB_FLOOR) -> Float32:
    """``10 log10(power)`` in dB re 1.0, clipped below at ``floor_db``; same shape, float32."""
    floor = np.float32(10 ** (floor_db / 10))
    return 10 * np.log10(np.maximum(np.asarray(power, dtype=np.float32), floor))


@lru_cache(maxsize=16)
def mel_filterbank(
    *, sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> Float32:
    """Triangular mel filters of unit area (Slaney's Auditory Toolbox, 1998).

    Returns:
        (n_mels, 1 + n_fft // 2) float32, read-only. A filter narrower than the distance of two
        Fourier bins can be all zero.

    """
    edges = _mel_edges(n_mels, f_min, f_max)
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters = (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    filters.flags.writeable = False
    return filters


def mel_band_centres(config: FeatureConfig) -> NDArray[np.float64]:
    """Centre frequencies of the mel bands in Hz, (n_mels,) float64."""
    return _mel_edges(config.n_mels, config.f_min, config.f_max)[1:-1]


def _mel_edges(n_mels: int, f_min: float, f_max: float) -> NDArray[np.float64]:
    """Lower edge, centres and upper edge of the bands in Hz, (n_mels + 2,)."""
    low, high = hz_to_mel(np.array([f_min, f_max]))
    return mel_to_hz(np.linspace(low, high, n_mels + 2))


# Slaney's scale is linear below 1 kHz (15 mel at 1 kHz) and logarithmic above.
_LINEAR_HZ_PER_MEL = 200 / 3
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies in Hz to Slaney's mel scale; same shape."""
    logarithmic = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale to frequencies in Hz; same shape."""
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


@lru_cache(maxsize=4)
def _dct_matrix(n_in: int, n_out: int) -> Float32:
    """Orthonormal DCT-II as a matrix, (n_in, n_out)."""
    angles = np.pi * np.outer(np.arange(n_in) + 0.5, np.arange(n_out)) / n_in
    matrix = np.sqrt(2 / n_in) * np.cos(angles)
    matrix[:, 0] = np.sqrt(1 / n_in)
    return matrix.astype(np.float32)


def _mel(power: Float32, config: FeatureConfig) -> Float32:
    filters = mel_filterbank(
        sample_rate=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels,
        f_min=config.f_min, f_max=config.f_max,
    )  # fmt: skip
    return power @ filters.T


def _cepstrum(mel: Float32, config: FeatureConfig) -> Float32:
    return power_to_db(mel) @ _dct_matrix(config.n_mels, config.n_mfcc)


# ------------------------------------------------------------------------------ streams


def extract_segments(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Cut the features of a waveform into segments.

    Frames that do not fill a last segment are left out; a waveform shorter than
    ``config.min_samples`` is padded with zeros to exactly one segment.

    Args:
        y: waveform, (n_samples,), at ``config.sample_rate``.
        config: the front end.

    Returns:
        (n_segments, segment_frames, n_bins) float32 with at least one segment.

    """
    return np.concatenate(list(iter_segments([_as_waveform(y)], config)))


def iter_segments(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    """Like :func:`extract_segments` for a waveform that arrives in blocks.

    Args:
        blocks: consecutive pieces of one waveform, each (n,) float32.
        config: the front end.

    Yields:
        (k, segment_frames, n_bins) float32, k >= 1; all of them together are what
        :func:`extract_segments` returns. Memory is bounded by the largest block.

    """
    rest = np.empty((0, config.n_bins), np.float32)
    for features in _iter_features(_padded_to_one_segment(blocks, config), config):
        rest = np.concatenate([rest, features])
        if len(rest) >= config.segment_frames:
            windows = sliding_window_view(rest, config.segment_frames, axis=0)
            segments = windows[:: config.segment_hop]  # (k, n_bins, segment_frames)
            yield np.ascontiguousarray(segments.transpose(0, 2, 1))
            rest = rest[len(segments) * config.segment_hop :]


def _padded_to_one_segment(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        yield block
    if n_samples == 0:
        raise ValueError("the waveform holds no samples")
    if n_samples < config.min_samples:
        yield np.zeros(config.min_samples - n_samples, np.float32)


def _iter_features(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    for power in _iter_spectrogram(blocks, n_fft=config.n_fft, hop_length=config.hop_length):
        mel = _mel(power, config)
        if config.kind == "mel":
            yield np.log1p(config.log_scale * mel, dtype=np.float32)
        else:
            yield _cepstrum(mel, config)


def _iter_spectrogram(
    blocks: Iterable[Float32], *, n_fft: int, hop_length: int
) -> Iterator[Float32]:
    window = _hann(n_fft)
    margin = np.zeros(n_fft // 2, np.float32)
    rest = margin
    for block in _followed_by(blocks, margin):
        rest = np.concatenate([rest, block])
        n_frames = max(0, 1 + (len(rest) - n_fft) // hop_length)
        for start in range(0, n_frames, _FRAMES_AT_ONCE):
            stop = min(start + _FRAMES_AT_ONCE, n_frames)
            samples = rest[start * hop_length : (stop - 1) * hop_length + n_fft]
            frames = sliding_window_view(samples, n_fft)[::hop_length]
            spectrum = np.fft.rfft(frames * window)
            yield spectrum.real**2 + spectrum.imag**2
        rest = rest[n_frames * hop_length :]


def _followed_by(blocks: Iterable[Float32], last: Float32) -> Iterator[Float32]:
    yield from blocks
    yield last


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> Float32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def _as_waveform(y: ArrayLike) -> Float32:
    waveform = np.asarray(y, dtype=np.float32)
    _require(waveform.ndim == 1, f"a waveform is one-dimensional, not of shape {waveform.shape}")
    _require(waveform.size > 0, "the waveform holds no samples")
    _require(bool(np.isfinite(waveform).all()), "the waveform holds NaN or infinite samples")
    return waveform
