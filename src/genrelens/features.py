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
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from genrelens.errors import require
from genrelens.highpass import iter_high_pass
from genrelens.levels import LevelMeter, first_invalid
from genrelens.mel import dct_matrix, hz_to_mel, mel_edges, mel_filterbank, mel_to_hz

__all__ = [
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

DB_FLOOR = -100.0
_SMALL_PRODUCT = 2**18  # multiplications that OpenBLAS leaves to one thread
_FRAMES_AT_ONCE = 512  # bounds memory; the same runs of frames, however a waveform arrives


# ----------------------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """Everything that defines a front end; it travels inside the model file.

    Attributes:
        kind: ``"mel"`` (compressed mel spectrogram) or ``"mfcc"``.
        sample_rate: rate the waveform is resampled to, in Hz.
        n_fft: window length in samples (even).
        hop_length: distance between frames in samples; at most ``n_fft``.
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
        require(self.kind in ("mel", "mfcc"), f"kind={self.kind!r} must be 'mel' or 'mfcc'")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                require(type(value) is int, f"{field.name}={value!r} must be a whole number")
            elif field.type == "float":
                require(isinstance(value, int | float), f"{field.name}={value!r} must be a number")
                object.__setattr__(self, field.name, float(value))  # one digest for 1 and 1.0
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
        require(not unknown, f"unknown feature settings: {', '.join(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"incomplete feature settings: {error}") from error

    def digest(self) -> str:
        """Return 16 hexadecimal digits that name these settings, segmentation left out."""
        values = replace(self, segment_frames=1, segment_hop=1).to_dict()
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _require_frames(n_fft: int, hop_length: int) -> None:
    """Raise ``ValueError`` where frames cannot be cut like this."""
    require(n_fft >= 2 and n_fft % 2 == 0, f"n_fft={n_fft} must be even and at least 2")
    require(1 <= hop_length <= n_fft, f"hop_length={hop_length} must be in 1..n_fft={n_fft}")


ORIGINAL_MEL = FeatureConfig(
    kind="mel", sample_rate=44_100, n_fft=4096, hop_length=1024, n_mels=128, f_min=1, f_max=22_050
)
"""The original system's mel front end: 31 segments of (41, 128) from a 30 s clip."""

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
        ValueError: ``y`` is not one-dimensional, is empty, is not finite, or holds integers.

    """
    _require_frames(n_fft, hop_length)
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
    return _log_mel(mel_spectrogram(y, config), config)


def mfcc(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Mel-frequency cepstral coefficients: orthonormal DCT-II of the mel spectrogram in dB.

    Returns:
        (n_frames, n_mfcc) float32, in dB.

    Source: Davis & Mermelstein (1980), with librosa's conventions (Slaney mel, no liftering).

    """
    return _cepstrum(mel_spectrogram(y, config), config)


def extract_features(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Frames of ``config.kind``: (1 + n_samples // hop_length, n_bins) float32."""
    return np.concatenate(list(iter_features([_as_waveform(y)], config)))


def iter_features(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    """Like :func:`extract_features` for a waveform that arrives in blocks.

    Yields:
        (k, n_bins) float32.

    """
    return _iter_features(map(_as_block, blocks), config)


def power_to_db(power: ArrayLike, *, floor_db: float = DB_FLOOR) -> Float32:
    """``10 log10(power)`` in dB re 1.0, clipped below at ``floor_db``; same shape, float32."""
    floor = np.float32(10 ** (floor_db / 10))
    return 10 * np.log10(np.maximum(np.asarray(power, dtype=np.float32), floor))


def mel_band_centres(config: FeatureConfig) -> NDArray[np.float64]:
    """Centre frequencies of the mel bands in Hz, (n_mels,) float64."""
    return mel_edges(config.n_mels, config.f_min, config.f_max)[1:-1]


def _mel(power: Float32, config: FeatureConfig) -> Float32:
    filters = mel_filterbank(
        sample_rate=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        f_min=config.f_min,
        f_max=config.f_max,
    )
    return _product(power, filters.T)


def _product(rows: Float32, matrix: Float32) -> Float32:
    """Multiply (n, k) by (k, m), few rows at a time.

    OpenBLAS, which numpy comes with, shares larger products out to threads, and these wait for the
    next one in a loop that takes the cores from the network.
    """
    few = max(1, _SMALL_PRODUCT // matrix.size)
    padded = np.pad(rows, ((0, -len(rows) % few), (0, 0)))
    product = padded.reshape(-1, few, len(matrix)) @ matrix
    return product.reshape(-1, matrix.shape[1])[: len(rows)]


def _log_mel(mel: Float32, config: FeatureConfig) -> Float32:
    return np.asarray(np.log1p(config.log_scale * mel), dtype=np.float32)


def _cepstrum(mel: Float32, config: FeatureConfig) -> Float32:
    return _product(power_to_db(mel), dct_matrix(config.n_mels, config.n_mfcc))


# ------------------------------------------------------------------------------ streams


def extract_segments(y: ArrayLike, config: FeatureConfig) -> Float32:
    """Cut a waveform into the segments that a network gets.

    The waveform passes :func:`~genrelens.highpass.high_pass` first. Segments start every
    ``config.segment_hop`` frames. Where the last of these ends before the waveform does, one more
    ends with its last whole hop and overlaps the one before. A waveform shorter than
    ``config.min_samples`` is padded with zeros to exactly one segment.

    Args:
        y: waveform, (n_samples,), full scale 1.0, at ``config.sample_rate``.
        config: the front end.

    Returns:
        (n_segments, segment_frames, n_bins) float32 with at least one segment.

    Raises:
        ValueError: ``y`` is not one-dimensional, is empty, is not finite, or holds integers.

    """
    return np.concatenate(list(iter_segments([np.asarray(y)], config)))


def iter_segments(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    """Like :func:`extract_segments` for a waveform that arrives in blocks.

    Args:
        blocks: consecutive pieces of one waveform, each (n,) float32, n >= 0.
        config: the front end.

    Yields:
        (k, segment_frames, n_bins) float32, k >= 1; all of them together are what
        :func:`extract_segments` returns, to the bit. Memory is bounded by the largest block.

    """
    return (run.features for run in iter_measured_segments(blocks, config))


class MeasuredSegments(NamedTuple):
    """Consecutive segments of a waveform.

    Attributes:
        starts: the frame that each starts with, (k,) int64.
        levels: RMS of each in dBFS, (k,) float64, -120 at least.
        features: (k, segment_frames, n_bins) float32.

    """

    starts: Int64
    levels: NDArray[np.float64]
    features: Float32


def iter_measured_segments(
    blocks: Iterable[Float32], config: FeatureConfig
) -> Iterator[MeasuredSegments]:
    """Like :func:`iter_segments`, with the place and the level of each segment."""
    meter = LevelMeter(hop_length=config.hop_length, segment_frames=config.segment_frames)
    filtered = iter_high_pass(map(_as_block, blocks), config.sample_rate)
    samples = _padded_to_one_segment(meter.through(filtered), config)
    length, hop = config.segment_frames, config.segment_hop
    rest = np.empty((0, config.n_bins), np.float32)  # from the start of the latest segment on
    first, skip = 0, 0  # number of its first frame, and how many frames later the next one starts
    for features in _iter_features(samples, config):
        rest = np.concatenate([rest, features])
        if len(rest) >= skip + length:
            windows = sliding_window_view(rest[skip:], length, axis=0)[::hop]
            starts = first + skip + hop * np.arange(len(windows))
            segments = np.ascontiguousarray(windows.transpose(0, 2, 1))
            yield MeasuredSegments(starts, meter.levels(starts), segments)
            rest = rest[starts[-1] - first :]
            first, skip = int(starts[-1]), hop
    behind = len(rest) - 1 - length
    if behind > 0:
        starts = np.array([first + behind])
        yield MeasuredSegments(starts, meter.levels(starts), rest[None, behind:-1])


def segment_starts(n_frames: int, config: FeatureConfig) -> Int64:
    """Return the frames that the segments of :func:`extract_segments` start with.

    Args:
        n_frames: of the waveform, at least ``config.segment_frames``. The last one stands on the
            end of the last whole hop, and no segment needs to reach it.
        config: the front end.

    Returns:
        (n_segments,) int64, ascending.

    """
    starts = np.arange(0, n_frames - config.segment_frames + 1, config.segment_hop)
    last = n_frames - 1 - config.segment_frames
    return np.append(starts, last) if last > starts[-1] else starts


def segment_weights(starts: Int64, config: FeatureConfig) -> NDArray[np.float64]:
    """Return how much each segment adds to the ones before it, as a share of a hop.

    Args:
        starts: from :func:`segment_starts`, (n_segments,).
        config: the front end.

    Returns:
        (n_segments,) float64: 1, and less for a last segment that overlaps more than the others.

    """
    return np.diff(starts, prepend=starts[0] - config.segment_hop) / config.segment_hop


def _padded_to_one_segment(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    n_samples = 0
    for block in blocks:
        n_samples += len(block)
        yield block
    require(n_samples > 0, "the waveform holds no samples")
    if n_samples < config.min_samples:
        yield np.zeros(config.min_samples - n_samples, np.float32)


def _iter_features(blocks: Iterable[Float32], config: FeatureConfig) -> Iterator[Float32]:
    for power in _iter_spectrogram(blocks, n_fft=config.n_fft, hop_length=config.hop_length):
        mel = _mel(power, config)
        if config.kind == "mel":
            yield _log_mel(mel, config)
        else:
            yield _cepstrum(mel, config)


def _iter_spectrogram(
    blocks: Iterable[Float32], *, n_fft: int, hop_length: int
) -> Iterator[Float32]:
    margin = np.zeros(n_fft // 2, np.float32)
    enough = n_fft + (_FRAMES_AT_ONCE - 1) * hop_length
    rest = np.empty(0, np.float32)
    for block in chain([margin], blocks, [margin]):
        rest = np.concatenate([rest, block])
        while len(rest) >= enough:
            yield _power(rest[:enough], n_fft, hop_length)
            rest = rest[_FRAMES_AT_ONCE * hop_length :]
    if len(rest) >= n_fft:
        yield _power(rest, n_fft, hop_length)


def _power(samples: Float32, n_fft: int, hop_length: int) -> Float32:
    frames = sliding_window_view(samples, n_fft)[::hop_length]
    spectrum = np.fft.rfft(frames * _hann(n_fft))
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> Float32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def _as_waveform(y: ArrayLike) -> Float32:
    waveform = _as_block(y)
    require(waveform.size > 0, "the waveform holds no samples")
    return waveform


def _as_block(y: ArrayLike) -> Float32:
    """Check a piece of a waveform, which may be empty."""
    block = np.asarray(y)
    require(block.ndim == 1, f"a waveform is one-dimensional, not of shape {block.shape}")
    require(block.dtype.kind == "f", f"a waveform is floats of full scale 1.0, not {block.dtype}")
    require(
        block.size == 0 or first_invalid(block) is None,
        "the waveform holds NaN, infinite or absurdly large samples; full scale is 1.0",
    )
    return block.astype(np.float32, copy=False)
