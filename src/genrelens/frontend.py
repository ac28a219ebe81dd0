"""What defines a front end: the settings that travel inside the model file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

__all__ = ["ORIGINAL_MEL", "ORIGINAL_MFCC", "FeatureConfig", "require", "require_frames"]


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
        require_frames(self.n_fft, self.hop_length)
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


def require_frames(n_fft: int, hop_length: int) -> None:
    """Raise ``ValueError`` where frames cannot be cut like this."""
    require(n_fft >= 2 and n_fft % 2 == 0, f"n_fft={n_fft} must be even and at least 2")
    require(1 <= hop_length <= n_fft, f"hop_length={hop_length} must be in 1..n_fft={n_fft}")


def require(condition: bool, message: str) -> None:
    """Raise ``ValueError`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)


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
