"""Conditions that change a recording but not its genre: noise, a room, a codec, and more.

Each condition is a function of a waveform, its sample rate and a random generator. It acts at the
sample rate of the model, so the stated level, signal-to-noise ratio or band refers to the model's
input. Most follow the degradations of Mauch & Ewert, "The Audio Degradation Toolbox and its
application to robustness evaluation" (ISMIR 2013). The high-pass is the test of
Rodríguez-Algarra, Sturm & Maruri-Aguilar (ISMIR 2016), whose systems used content below 20 Hz.

Nothing is clipped: if the peak of a result exceeds both full scale and the peak of the input, the
whole waveform is scaled down.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.acoustics.codec import change_tempo, through_codec
from genrelens.acoustics.filters import apply_filter, at_snr, high_pass, low_pass
from genrelens.acoustics.room import record

__all__ = ["CONDITIONS", "Condition", "rng_for"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Change = Callable[[Float64, int, np.random.Generator], Float64]

_MP3_RATE = 44_100  # Hz, usual for music; MPEG allows only certain sample rates
_LINE_RATE = 8_000  # Hz, sample rate of a telephone line
_TELEPHONE_BAND = (high_pass(300, 8), low_pass(3400, 16))
_SEMITONE = 2 ** (1 / 12)


@dataclass(frozen=True, slots=True)
class Condition:
    """A named change to a recording, for robustness tests.

    Attributes:
        name: short name without spaces, for tables and files.
        description: what is done, in one phrase.
        change: function of the waveform (n,) float64, its sample rate in Hz and a generator; it
            returns the new waveform, float64, which may exceed full scale.

    Example::

        quieter = Condition("gain-40db", "40 dB quieter", lambda y, rate, rng: 0.01 * y)
        measure_robustness(classifier, clips, conditions=[CONDITIONS[0], quieter])

    """

    name: str
    description: str
    change: Change

    def apply(self, y: Float32, sample_rate: int, rng: np.random.Generator) -> Float32:
        """Change a waveform.

        Args:
            y: (n_samples,) float32, full scale 1.0, at least one sample; is not modified.
            sample_rate: sample rate of ``y`` and of the result, in Hz.
            rng: random generator, see :func:`rng_for`.

        Returns:
            (n_samples,) float32, or (n_samples / speed,) if the speed changes; within full scale if
            ``y`` is.

        """
        ceiling = max(1.0, float(np.abs(y).max()))
        result = self.change(y.astype(np.float64), sample_rate, rng)
        return _turned_down(result, ceiling=ceiling).astype(np.float32)


def rng_for(clip: str, seed: int = 0) -> np.random.Generator:
    """Return the random generator of a clip.

    The generator depends only on ``seed`` and the name of the clip, not on the order or number of
    clips. Each condition gets a new generator, so the noise at 10 dB is the same noise as at 20 dB,
    but louder.
    """
    return np.random.default_rng((seed, zlib.crc32(clip.encode())))


def _turned_down(y: Float64, *, ceiling: float) -> Float64:
    peak = float(np.abs(y).max())
    return y * (ceiling / peak) if peak > ceiling else y


# ------------------------------------------------------------------------- the changes


def _unchanged(y: Float64, sample_rate: int, rng: np.random.Generator) -> Float64:
    return y


def _without_rumble(y: Float64, sample_rate: int, rng: np.random.Generator) -> Float64:
    return apply_filter(y, sample_rate, high_pass(30, 8))


def _quiet(y: Float64, sample_rate: int, rng: np.random.Generator) -> Float64:
    return y * 10 ** (-20 / 20)


def _mp3(y: Float64, sample_rate: int, rng: np.random.Generator) -> Float64:
    song = _resampled(y, sample_rate, _MP3_RATE)
    coded = through_codec(song, _MP3_RATE, codec="libmp3lame", container="mp3", bit_rate=64_000)
    return _resampled(coded, _MP3_RATE, sample_rate, len(y))


def _telephone(y: Float64, sample_rate: int, rng: np.random.Generator) -> Float64:
    """Apply the band limits of G.712 at both ends of the line, and G.711 between them."""
    sent = apply_filter(y, sample_rate, *_TELEPHONE_BAND)
    line = _turned_down(_resampled(sent, sample_rate, _LINE_RATE), ceiling=1.0)
    coded = through_codec(line, _LINE_RATE, codec="pcm_mulaw", container="au", bit_rate=64_000)
    received = _resampled(coded, _LINE_RATE, sample_rate, len(y))
    return apply_filter(received, sample_rate, *_TELEPHONE_BAND)


def _noise(y: Float64, sample_rate: int, rng: np.random.Generator, *, snr: float) -> Float64:
    return y + at_snr(rng.standard_normal(len(y)), y, snr)


def _room(y: Float64, sample_rate: int, rng: np.random.Generator) -> Float64:
    return record(y, sample_rate, rng, snr=15.0)


def _speed(y: Float64, sample_rate: int, rng: np.random.Generator, *, factor: float) -> Float64:
    return _resampled(y, factor * sample_rate, sample_rate)


def _pitch(y: Float64, sample_rate: int, rng: np.random.Generator, *, factor: float) -> Float64:
    shifted = change_tempo(_speed(y, sample_rate, rng, factor=factor), sample_rate, 1 / factor)
    return _fitted(shifted, len(y))


def _resampled(
    y: Float64, rate_in: float, rate_out: float, n_samples: int | None = None
) -> Float64:
    """Resample to ``n_samples``, or to the length that follows from the rates (at least 1)."""
    wanted = round(len(y) * rate_out / rate_in) if n_samples is None else n_samples
    return _fitted(np.asarray(soxr.resample(y, rate_in, rate_out)), max(1, wanted))


def _fitted(y: Float64, n_samples: int) -> Float64:
    """Cut or pad with silence to ``n_samples``; rounding can cause a small difference in length."""
    return np.pad(y[:n_samples], (0, max(0, n_samples - len(y))))


CONDITIONS = (
    Condition("clean", "unchanged", _unchanged),
    Condition("high-pass-30hz", "without content below 30 Hz", _without_rumble),
    Condition("gain-20db", "20 dB quieter", _quiet),
    Condition("mp3-64k", "as an MP3 of 64 kbit/s", _mp3),
    Condition("telephone", "through a telephone: 300-3400 Hz, 8 kHz, G.711", _telephone),
    Condition("noise-20db", "with white noise 20 dB below it", partial(_noise, snr=20.0)),
    Condition("noise-10db", "with white noise 10 dB below it", partial(_noise, snr=10.0)),
    Condition(
        "room", "from a small loudspeaker in a room with people, 15 dB above their noise", _room
    ),
    Condition("pitch+1", "a semitone higher", partial(_pitch, factor=_SEMITONE)),
    Condition("pitch-1", "a semitone lower", partial(_pitch, factor=1 / _SEMITONE)),
    Condition("speed+5%", "5 % faster and therefore higher", partial(_speed, factor=1.05)),
    Condition("speed-5%", "5 % slower and therefore lower", partial(_speed, factor=0.95)),
)
"""All conditions, ``clean`` first."""
