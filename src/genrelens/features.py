"""The front end: from a waveform to segments of features. Pure numpy, no I/O.

Arrays are time-first. Waveforms are mono float32 with full scale 1.0. Spectra are power spectra
with a periodic Hann window; frames are centred on multiples of the hop, with zeros beyond both
ends, as in librosa. Compression is pointwise: no ``ref=max``, no ``top_db`` and no normalisation
per file. Therefore the features of a segment do not depend on the rest of the file, and a waveform
in blocks gives the same numbers as the whole waveform.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from genrelens.errors import require
from genrelens.highpass import iter_high_pass
from genrelens.levels import LevelMeter, first_invalid
from genrelens.mel import (
    DB_FLOOR,
    dct_matrix,
    hz_to_mel,
    iter_spectrogram,
    mel_edges,
    mel_filterbank,
    mel_to_hz,
    power_to_db,
    row_product,
)

__all__ = [
    "DB_FLOOR",
    "ORIGINAL_MEL",
    "ORIGINAL_MFCC",
    "FeatureConfig",
    "MeasuredSegments",
    "extract_features",
    "extract_segments",
    "hz_to_mel",
    "iter_features",
    "iter_measured_segments",
    "iter_segments",
    "log_mel_spectrogram",
    "mel_band_centres",
    "mel_filterbank",
    "mel_spectrogram",
    "mel_to_hz",
    "mfcc",
    "power_to_db",
    "segment_starts",
    "segment_weights",
    "spectrogram",
]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


# ----------------------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """The settings of a front end; each model file contains the settings of its model.

    Attributes:
        kind: ``"mel"`` (compressed mel spectrogram) or ``"mfcc"``.
        sample_rate: rate of the waveform, in Hz.
        n_fft: window length in samples, even.
        hop_length: distance between frames in samples, at most ``n_fft``.
        n_mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz, at most half the sample rate.
        n_mfcc: number of cepstral coefficients (``"mfcc"`` only, else 0).
        segment_frames: number of frames in a segment.
        segment_hop: frames from the start of a segment to the start of the next.
        log_scale: ``c`` in ``log(1 + c * mel)`` (``"mel"`` only).

    Raises:
        ValueError: a value is out of range; the message names the value and the rule.

    Example::

        >>> config = FeatureConfig(
        ...     kind="mel", sample_rate=16_000, n_fft=512, hop_length=256, n_mels=64,
        ...     f_min=0, f_max=8000, segment_frames=125, segment_hop=125,
        ... )
        >>> config.segment_seconds
        2.0

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
        require(self.kind in ("mel", "mfcc"), f"kind={self.kind!r} must be 'mel' or 'mfcc'")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                require(type(value) is int, f"{field.name}={value!r} must be a whole number")
            elif field.type == "float":
                require(isinstance(value, int | float), f"{field.name}={value!r} must be a number")
                object.__setattr__(self, field.name, float(value))  # 1 and 1.0 have the same digest
        for name in ("sample_rate", "n_mels", "segment_frames"):
            require(getattr(self, name) >= 1, f"{name}={getattr(self, name)} must be at least 1")
        _require_frames(self.n_fft, self.hop_length)
        require(
            1 <= self.segment_hop <= self.segment_frames,
            f"segment_hop={self.segment_hop} must be in 1..segment_frames={self.segment_frames}",
        )
        require(
            0 <= self.f_min < self.f_max <= self.sample_rate / 2,
            f"0 <= f_min={self.f_min} < f_max={self.f_max} <= sample_rate / 2 must hold",
        )
        require(0 < self.log_scale < math.inf, f"log_scale={self.log_scale} must be positive")
        low, high = (1, self.n_mels) if self.kind == "mfcc" else (0, 0)
        require(
            low <= self.n_mfcc <= high,
            f"n_mfcc={self.n_mfcc} must be in {low}..{high} for kind={self.kind!r}",
        )

    @property
    def n_bins(self) -> int:
        """Number of values in one frame of features."""
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
        """Number of samples of one segment; a shorter waveform is padded with zeros."""
        return (self.segment_frames - 1) * self.hop_length

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings that :meth:`to_dict` returned as a dictionary.

        Raises:
            ValueError: a key is unknown or missing, or a value is out of range.

        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        require(not unknown, f"unknown feature settings: {', '.join(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"incomplete feature settings: {error}") from error

    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the settings except the segmentation."""
        values = replace(self, segment_frames=1, segment_hop=1).to_dict()
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _require_frames(n_fft: int, hop_length: int) -> None:
    require(n_fft >= 2 and n_fft % 2 == 0, f"n_fft={n_fft} must be even and at least 2")
    require(1 <= hop_length <= n_fft, f"hop_length={hop_length} must be in 1..n_fft={n_fft}")


ORIGINAL_MEL = FeatureConfig(
    kind="mel", sample_rate=44_100, n_fft=4096, hop_length=1024, n_mels=128, f_min=1, f_max=22_050
)
"""The mel front end of the original project: 31 segments of (41, 128) without overlap in 30 s."""

ORIGINAL_MFCC = FeatureConfig(
    kind="mfcc",
    sample_rate=16_000,
    n_fft=512,
    hop_length=171,
    n_mels=40,
    f_min=0,
    f_max=8000,
    n_mfcc=20,
)
"""The MFCC front end of the original project: 68 segments of (41, 20) without overlap in 30 s."""


# ------------------------------------------------------------------------------- frames


def spectrogram(y: ArrayLike, *, n_fft: int, hop_length: int) -> Float32:
    """Return the power spectrogram of a waveform.

    Args:
        y: waveform, (n_samples,), full scale 1.0.
        n_fft: window length in samples, even.
        hop_length: distance between frames in samples.

    Returns:
        (1 + n_samples // hop_length, 1 + n_fft // 2) float32, at least 0.

    Raises:
        ValueError: ``y`` is not one-dimensional, is empty, is not finite, or holds integers.

    """
    _require_frames(n_fft, hop_length)
    chunks = iter_spectrogram([_as_waveform(y)], n_fft=n_fft, hop_length=hop_length)
    return np.concatenate(list(chunks))


def mel_spectrogram(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Return the mel power spectrogram, (n_frames, n_mels) float32; see :func:`spectrogram`."""
    return _mel(spectrogram(y, n_fft=config.n_fft, hop_length=config.hop_length), config)


def log_mel_spectrogram(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Return the compressed mel spectrogram ``log(1 + config.log_scale * mel)`` of a waveform.

    Returns:
        (n_frames, n_mels) float32, 0 for silence and about 18 at full scale.

    """
    return _log_mel(mel_spectrogram(y, config), config)


def mfcc(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Return the MFCCs of a waveform: the orthonormal DCT-II of its mel spectrogram in dB.

    Returns:
        (n_frames, n_mfcc) float32, in dB.

    Source: Davis & Mermelstein (1980), with librosa's conventions (Slaney mel, no liftering).

    """
    return _cepstrum(mel_spectrogram(y, config), config)


def extract_features(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Return the frames of ``config.kind`` for a waveform.

    Returns:
        (1 + n_samples // hop_length, n_bins) float32.

    """
    return np.concatenate(list(iter_features([_as_waveform(y)], config)))


def iter_features(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    """Yield what :func:`extract_features` returns, for a waveform in blocks.

    Yields:
        (k, n_bins) float32 with k >= 1.

    """
    return _iter_features(map(_as_block, blocks), config)


def mel_band_centres(config: FeatureConfig) -> NDArray[np.float64]:
    """Return the centre frequencies of the mel bands in Hz, (n_mels,) float64."""
    return mel_edges(config.n_mels, config.f_min, config.f_max)[1:-1]


def _mel(power: Float32, config: FeatureConfig) -> Float32:
    filters = mel_filterbank(
        sample_rate=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        f_min=config.f_min,
        f_max=config.f_max,
    )
    return row_product(power, filters.T)


def _log_mel(mel: Float32, config: FeatureConfig) -> Float32:
    return np.asarray(np.log1p(config.log_scale * mel), dtype=np.float32)


def _cepstrum(mel: Float32, config: FeatureConfig) -> Float32:
    return row_product(power_to_db(mel), dct_matrix(config.n_mels, config.n_mfcc))


# ----------------------------------------------------------------------------- segments


def extract_segments(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Return the segments of a waveform, the input of a segment network.

    :func:`~genrelens.highpass.high_pass` filters the waveform first. Segments start every
    ``config.segment_hop`` frames. If the last of these ends before the waveform, one more segment
    ends with the last whole hop; it overlaps the one before. A waveform shorter than
    ``config.min_samples`` is padded with zeros to exactly one segment.

    Args:
        y: waveform, (n_samples,), full scale 1.0, at ``config.sample_rate``.
        config: the front end.

    Returns:
        (n_segments, segment_frames, n_bins) float32 with at least one segment.

    Raises:
        ValueError: ``y`` is not one-dimensional, is empty, is not finite, or holds integers.

    Example::

        >>> y = load_audio("song.mp3", sample_rate=ORIGINAL_MEL.sample_rate, duration=30)
        >>> extract_segments(y, ORIGINAL_MEL).shape
        (32, 41, 128)

    """
    return np.concatenate(list(iter_segments([np.asarray(y)], config)))


def iter_segments(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    """Yield what :func:`extract_segments` returns, for a waveform in blocks.

    Args:
        blocks: consecutive blocks of one waveform, each (n,) float32 with n >= 0.
        config: the front end.

    Yields:
        (k, segment_frames, n_bins) float32 with k >= 1; concatenated, they are bit-identical to
        the result of :func:`extract_segments`. The largest block bounds the memory.

    """
    return (run.features for run in iter_measured_segments(blocks, config))


class MeasuredSegments(NamedTuple):
    """Consecutive segments of a waveform.

    Attributes:
        starts: number of the first frame of each segment, (k,) int64.
        levels: RMS level of each segment in dBFS, (k,) float64, at least -120.
        features: (k, segment_frames, n_bins) float32.

    """

    starts: Int64
    levels: NDArray[np.float64]
    features: Float32


def iter_measured_segments(
    blocks: Iterable[Float32], config: FeatureConfig
) -> Iterator[MeasuredSegments]:
    """Yield the segments of :func:`iter_segments` with their starts and levels."""
    meter = LevelMeter(hop_length=config.hop_length, segment_frames=config.segment_frames)
    filtered = iter_high_pass(map(_as_block, blocks), config.sample_rate)
    samples = _padded_to_one_segment(meter.through(filtered), config)
    length, hop = config.segment_frames, config.segment_hop
    rest = np.empty((0, config.n_bins), np.float32)  # frames from the start of the last segment on
    first, skip = 0, 0  # number of its first frame; frames from there to the next start
    for features in _iter_features(samples, config):
        rest = np.concatenate([rest, features])
        if len(rest) >= skip + length:
            windows = sliding_window_view(rest[skip:], length, axis=0)[::hop]
            starts = first + skip + hop * np.arange(len(windows))
            segments = np.ascontiguousarray(windows.transpose(0, 2, 1))
            yield MeasuredSegments(starts, meter.levels(starts), segments)
            rest = rest[starts[-1] - first :]
            first, skip = int(starts[-1]), hop
    last = len(rest) - 1 - length  # start of one more segment, relative to ``first``
    if last > 0:
        starts = np.array([first + last])
        yield MeasuredSegments(starts, meter.levels(starts), rest[None, last:-1])


def segment_starts(n_frames: int, config: FeatureConfig) -> Int64:
    """Return the number of the first frame of each segment of :func:`extract_segments`.

    Args:
        n_frames: number of frames of the waveform, at least ``config.segment_frames``. The last
            frame is centred on the end of the last whole hop; segments need not include it.
        config: the front end.

    Returns:
        (n_segments,) int64, ascending.

    """
    starts = np.arange(0, n_frames - config.segment_frames + 1, config.segment_hop)
    last = n_frames - 1 - config.segment_frames
    return np.append(starts, last) if last > starts[-1] else starts


def segment_weights(starts: Int64, config: FeatureConfig) -> NDArray[np.float64]:
    """Return the new frames of each segment as a fraction of the segment hop.

    Args:
        starts: from :func:`segment_starts`, (n_segments,).
        config: the front end.

    Returns:
        (n_segments,) float64: 1, or less for a last segment that overlaps more than the others.

    """
    return np.diff(starts, prepend=starts[0] - config.segment_hop) / config.segment_hop


def _padded_to_one_segment(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        yield block
    require(n_samples > 0, "the waveform contains no samples")
    if n_samples < config.min_samples:
        yield np.zeros(config.min_samples - n_samples, np.float32)


def _iter_features(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    compress = _log_mel if config.kind == "mel" else _cepstrum
    for power in iter_spectrogram(blocks, n_fft=config.n_fft, hop_length=config.hop_length):
        yield compress(_mel(power, config), config)


def _as_waveform(y: ArrayLike) -> Float32:
    waveform = _as_block(y)
    require(waveform.size > 0, "the waveform contains no samples")
    return waveform


def _as_block(y: ArrayLike) -> Float32:
    """Check a block of a waveform, which may be empty, and convert it to float32."""
    block = np.asarray(y)
    require(block.ndim == 1, f"a waveform is one-dimensional, not of shape {block.shape}")
    require(block.dtype.kind == "f", f"a waveform holds floats (full scale 1.0), not {block.dtype}")
    require(
        block.size == 0 or first_invalid(block) is None,
        "the waveform contains samples that are NaN, infinite or above 1e6; full scale is 1.0",
    )
    return block.astype(np.float32, copy=False)
