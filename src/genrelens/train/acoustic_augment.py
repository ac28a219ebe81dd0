"""Augmentation of waveforms: small loudspeakers, rooms, noise and telephones.

A network must be trained on such copies to classify recordings from a microphone. The simulation is
that of the robustness tests in ``genrelens.evaluation``, but rooms, devices and noises differ: none
of the eight rooms of the tests occurs here, and babble is only one of several backgrounds. The
signal-to-noise ratio of each copy is known, so a network can learn to estimate it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.acoustics.filters import (
    apply_filter,
    at_snr,
    convolve,
    high_pass,
    low_pass,
    power,
    shaped_noise,
)
from genrelens.acoustics.room import Room, babble, impulse_response

__all__ = ["COPIES", "Augmented", "augment_waveform", "random_rooms"]

Float64 = NDArray[np.float64]
Rng = np.random.Generator

_N_ROOMS = 40
_SIZES = ((2.0, 9.0), (1.8, 7.0), (2.2, 3.6))  # ranges of length, width and height in metres
_ABSORPTION = (0.08, 0.6)  # range of the walls' absorption: tiles to curtains
_TAIL = 0.9  # seconds; impulse responses of rooms are cut to this length

_CONDITIONS = ("room", "room", "room", "noise", "telephone", "plain")
_SPEED = 0.06  # largest relative change of speed, which changes the pitch too
_PLAIN_SPEED = 0.1  # the same in plain copies
_EQUALISER_DB = 3.0  # standard deviation at each of seven frequencies
_QUIETEST_DB = -35.0  # lowest peak of a copy, dBFS
_IDLE_NOISE_DB = (-100.0, -80.0)  # range of the noise of a sound card, dBFS
_MICROPHONE_SNR_DB = (-8.0, 15.0)
_MIXTURE_SNR_DB = (-15.0, 30.0)

COPIES = ("plain", "room", "microphone", "mixture")
"""The kinds of copies.

- ``"plain"``: another speed, equaliser and level, without noise.
- ``"room"``: a small loudspeaker in a simulated room, with noise; or a telephone, or a low-pass
  filter.
- ``"microphone"``: a small loudspeaker in a simulated room, with noise from a real microphone
  recording.
- ``"mixture"``: with noise of any kind, from hardly audible to much louder than the music; half of
  them in a room.
"""


class Augmented(NamedTuple):
    """A changed copy of a waveform."""

    waveform: Float64  # (m,), within full scale
    snr: float  # signal-to-noise ratio in dB; infinity without noise


def augment_waveform(
    y: Float64,
    sample_rate: int,
    rng: Rng,
    recordings: Sequence[Float64] = (),
    *,
    kind: str = "room",
    microphone: Sequence[Float64] = (),
) -> Augmented:
    """Return a randomly changed copy of a waveform.

    Args:
        y: mono waveform, (n,) float64, full scale 1.0.
        sample_rate: sample rate of ``y`` and of the copy, in Hz.
        rng: random generator.
        recordings: backgrounds in addition to noise and babble, each (k,) at ``sample_rate``.
        kind: one of :data:`COPIES`.
        microphone: recordings by microphones, whose noise is a background, each (k,); without any,
            the kind ``"microphone"`` is a ``"room"``.

    Returns:
        The copy and its signal-to-noise ratio. The length of the copy differs from n by up to 10 %
        if the speed changes.

    """
    if kind == "plain":
        y = _equalised(_at_another_speed(y, sample_rate, rng, _PLAIN_SPEED, 0.9), sample_rate, rng)
        return Augmented(_at_a_random_level(y, rng), math.inf)
    y = _equalised(_at_another_speed(y, sample_rate, rng, _SPEED, 0.4), sample_rate, rng)
    if kind == "mixture":
        y, snr = _mixture(y, sample_rate, rng, recordings, microphone)
    elif kind == "microphone" and len(microphone):
        noise = _excerpt(len(y), rng, microphone)
        y, snr = _in_a_room(y, sample_rate, rng, noise, rng.uniform(*_MICROPHONE_SNR_DB))
    else:
        y, snr = _in_a_condition(y, sample_rate, rng, recordings)
    return Augmented(_at_a_random_level(y, rng), snr)


def _at_another_speed(
    y: Float64, sample_rate: int, rng: Rng, largest: float, probability: float
) -> Float64:
    if rng.random() >= probability:
        return y
    speed = rng.uniform(1 - largest, 1 + largest)
    return np.asarray(soxr.resample(y, sample_rate * speed, sample_rate), np.float64)


def _at_a_random_level(y: Float64, rng: Rng) -> Float64:
    """Scale to a random level, and add the noise of a sound card."""
    peak = float(np.abs(y).max())
    level = 10 ** (rng.uniform(_QUIETEST_DB, 0) / 20)
    idle = 10 ** (rng.uniform(*_IDLE_NOISE_DB) / 20) * rng.standard_normal(len(y))
    return y * (level / peak if peak else 0.0) + idle


def _in_a_condition(
    y: Float64, sample_rate: int, rng: Rng, recordings: Sequence[Float64]
) -> Augmented:
    condition = rng.choice(_CONDITIONS)
    if condition == "room":
        noise = _background(len(y), sample_rate, rng, recordings)
        return _in_a_room(y, sample_rate, rng, noise, rng.uniform(-2, 28))
    if condition == "noise":
        noise = _background(len(y), sample_rate, rng, recordings)
        return _with_noise(y, noise, rng.uniform(2, 30))
    if condition == "telephone":
        return _over_telephone(y, sample_rate, rng, recordings)
    if rng.random() < 0.5:
        y = apply_filter(y, sample_rate, low_pass(rng.uniform(2500, 7500), _order(rng, 2, 8)))
    return Augmented(y, math.inf)


def _mixture(
    y: Float64,
    sample_rate: int,
    rng: Rng,
    recordings: Sequence[Float64],
    microphone: Sequence[Float64],
) -> Augmented:
    if rng.random() < 0.5:
        y = _played_in_a_room(y, sample_rate, rng)
    if len(microphone) and rng.random() < 0.3:
        noise = _excerpt(len(y), rng, microphone)
    elif rng.random() < 0.1:
        noise = _hum(len(y), sample_rate, rng)
    else:
        noise = _background(len(y), sample_rate, rng, recordings)
    mixed, snr = _with_noise(y, noise, rng.uniform(*_MIXTURE_SNR_DB))
    return Augmented(_equalised(mixed, sample_rate, rng), snr)


def _with_noise(y: Float64, noise: Float64, snr: float) -> Augmented:
    return Augmented(y + at_snr(noise, y, snr), snr)


def _in_a_room(y: Float64, sample_rate: int, rng: Rng, noise: Float64, snr: float) -> Augmented:
    recorded = _played_in_a_room(y, sample_rate, rng)
    recorded = _equalised(recorded + at_snr(noise, recorded, snr), sample_rate, rng)
    return Augmented(apply_filter(recorded, sample_rate, high_pass(rng.uniform(30, 150), 2)), snr)


def _played_in_a_room(y: Float64, sample_rate: int, rng: Rng) -> Float64:
    played = _loudspeaker(y, sample_rate, rng)
    h = _response(int(rng.integers(_N_ROOMS)), sample_rate)
    return convolve(played, h, sample_rate)


@functools.lru_cache(maxsize=_N_ROOMS)
def _response(number: int, sample_rate: int) -> Float64:
    """Return the impulse response of a random room, with energy 1."""
    h = impulse_response(random_rooms()[number], sample_rate)[: round(_TAIL * sample_rate)]
    return np.asarray(h / math.sqrt(float(np.square(h).sum())))


def _loudspeaker(y: Float64, sample_rate: int, rng: Rng) -> Float64:
    """Simulate a small loudspeaker: little bass, often little treble, sometimes distortion."""
    responses = [high_pass(rng.uniform(60, 400), _order(rng, 2, 4))]
    if rng.random() < 0.6:
        responses.append(low_pass(rng.uniform(3000, 7500), _order(rng, 2, 4)))
    y = apply_filter(y, sample_rate, *responses)
    peak = float(np.abs(y).max())
    if peak and rng.random() < 0.3:
        y = np.tanh(y * (rng.uniform(1, 4) / peak))
    return y


def _over_telephone(
    y: Float64, sample_rate: int, rng: Rng, recordings: Sequence[Float64]
) -> Augmented:
    band = (
        high_pass(rng.uniform(200, 350), _order(rng, 4, 8)),
        low_pass(rng.uniform(3000, 3800), 8),
    )
    y = apply_filter(y, sample_rate, *band)
    if rng.random() < 0.5:
        noise = _background(len(y), sample_rate, rng, recordings)
        return _with_noise(y, noise, rng.uniform(8, 35))
    return Augmented(y, math.inf)


@functools.cache
def random_rooms() -> tuple[Room, ...]:
    """Return the rooms, from a bathroom to a café, with random loudspeakers and microphones."""
    rng = np.random.default_rng(1979)
    rooms = []
    for number in range(_N_ROOMS):
        size = np.array([rng.uniform(*side) for side in _SIZES])
        source, microphone = (size * rng.uniform(0.1, 0.9, 3) for _ in range(2))
        absorption = float(rng.uniform(*_ABSORPTION))
        points = (_point(size), _point(source), _point(microphone))
        rooms.append(Room(f"room {number}", *points, absorption, _sabine(size, absorption)))
    return tuple(rooms)


def _point(position: Float64) -> tuple[float, float, float]:
    x, y, z = position.tolist()
    return x, y, z


def _sabine(size: Float64, absorption: float) -> float:
    """Return the reverberation time in seconds (Sabine), at most the length that is used."""
    x, y, z = size
    surface = 2 * (x * y + y * z + x * z)
    return float(min(0.161 * x * y * z / (absorption * surface), _TAIL / 1.3))


# ----------------------------------------------------------------------- the background


def _background(n: int, sample_rate: int, rng: Rng, recordings: Sequence[Float64]) -> Float64:
    """Draw coloured noise, babble with noise, or a mix of recordings: (n,)."""
    kind = rng.random()
    if recordings and kind < 0.5:
        voices = int(rng.integers(1, 5))
        mix: Float64 = np.sum([_excerpt(n, rng, recordings) for _ in range(voices)], axis=0)
        if mix.any():
            return mix
    if kind < 0.65:
        talk = babble(n, sample_rate, rng)
        return talk + at_snr(_noise(n, sample_rate, rng), talk, rng.uniform(-6, 6))
    return _noise(n, sample_rate, rng)


def _hum(n: int, sample_rate: int, rng: Rng) -> Float64:
    """Draw the hum of a mains supply: (n,)."""
    frequency = rng.choice([50, 60]) * rng.uniform(0.99, 1.01)
    time = np.arange(n) / sample_rate
    decay = rng.uniform(0.3, 1.5)
    tones = [
        rng.uniform(0, 1) / k**decay * np.sin(2 * np.pi * (frequency * k * time + rng.random()))
        for k in range(1, int(rng.integers(3, 30)))
    ]
    return np.asarray(np.sum(tones, axis=0) + rng.uniform(0, 0.1) * rng.standard_normal(n))


def _excerpt(n: int, rng: Rng, recordings: Sequence[Float64]) -> Float64:
    recording = recordings[int(rng.integers(len(recordings)))]
    start = int(rng.integers(max(1, len(recording) - n + 1)))
    return np.resize(recording[start : start + n], n) * rng.uniform(0.3, 1.0)


def _noise(n: int, sample_rate: int, rng: Rng) -> Float64:
    """Draw noise between brown and blue, (n,); in two of five cases its loudness varies."""
    exponent = rng.uniform(-2.2, 0.8)

    def colour(hz: Float64) -> Float64:
        return np.asarray(np.maximum(hz, 40) ** (exponent / 2))

    noise = shaped_noise(n, sample_rate, rng, colour)
    if rng.random() < 0.4:
        knots = rng.standard_normal(int(rng.integers(8, 60))) * rng.uniform(1, 6)
        loudness = np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots)
        noise = noise * 10 ** (loudness / 20)
    return noise if power(noise) else rng.standard_normal(n)


def _equalised(y: Float64, sample_rate: int, rng: Rng) -> Float64:
    """Apply an equaliser of seven bands with random gains."""
    gains_db = _EQUALISER_DB * rng.standard_normal(7)
    octaves = np.log2(sample_rate / 2 / 50)

    def gain(hz: Float64) -> Float64:
        band = np.log2(np.maximum(hz, 50) / 50) / octaves * (len(gains_db) - 1)
        return np.asarray(10 ** (np.interp(band, np.arange(len(gains_db)), gains_db) / 20))

    return apply_filter(y, sample_rate, gain)


def _order(rng: Rng, *orders: int) -> int:
    return int(rng.choice(orders))
