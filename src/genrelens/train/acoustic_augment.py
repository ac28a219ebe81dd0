"""Augmentation of waveforms: small loudspeakers, rooms, noise and telephones.

A network must be trained on such copies to classify recordings from a microphone. The simulation is
that of the robustness tests in ``genrelens.evaluation``, but rooms, devices and noises differ: none
of the eight rooms of the tests occurs here, and babble is only one of several backgrounds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

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

__all__ = ["augment_waveform", "random_rooms"]

Float64 = NDArray[np.float64]
Rng = np.random.Generator

_N_ROOMS = 40
_SIZES = ((2.0, 9.0), (1.8, 7.0), (2.2, 3.6))  # ranges of length, width and height in metres
_ABSORPTION = (0.08, 0.6)  # range of the walls' absorption: tiles to curtains
_TAIL = 0.9  # seconds; impulse responses of rooms are cut to this length

_CONDITIONS = ("room", "room", "room", "noise", "telephone", "plain")
_SPEED = 0.06  # largest relative change of speed, which changes the pitch too
_EQUALISER_DB = 3.0  # standard deviation at each of seven frequencies
_QUIETEST_DB = -35.0  # lowest peak of a copy, dBFS
_IDLE_NOISE_DB = (-100.0, -80.0)  # range of the noise of a sound card, dBFS


def augment_waveform(
    y: Float64, sample_rate: int, rng: Rng, recordings: Sequence[Float64] = ()
) -> Float64:
    """Return a randomly changed copy of a waveform.

    Args:
        y: mono waveform, (n,) float64, full scale 1.0.
        sample_rate: sample rate of ``y`` and of the copy, in Hz.
        rng: random generator.
        recordings: backgrounds in addition to noise and babble, each (k,) at ``sample_rate``.

    Returns:
        The copy, (m,) float64 within full scale; m differs from n by up to 6 % if the speed
        changes.

    """
    condition = rng.choice(_CONDITIONS)
    if rng.random() < 0.4:
        speed = rng.uniform(1 - _SPEED, 1 + _SPEED)
        y = np.asarray(soxr.resample(y, sample_rate * speed, sample_rate), np.float64)
    y = _equalised(y, sample_rate, rng)
    if condition == "room":
        y = _in_a_room(y, sample_rate, rng, recordings)
    elif condition == "noise":
        y = y + at_snr(_background(len(y), sample_rate, rng, recordings), y, rng.uniform(2, 30))
    elif condition == "telephone":
        y = _over_telephone(y, sample_rate, rng, recordings)
    elif rng.random() < 0.5:
        y = apply_filter(y, sample_rate, low_pass(rng.uniform(2500, 7500), _order(rng, 2, 8)))
    peak = float(np.abs(y).max())
    level = 10 ** (rng.uniform(_QUIETEST_DB, 0) / 20)
    idle = 10 ** (rng.uniform(*_IDLE_NOISE_DB) / 20) * rng.standard_normal(len(y))
    return y * (level / peak if peak else 0.0) + idle


def _in_a_room(y: Float64, sample_rate: int, rng: Rng, recordings: Sequence[Float64]) -> Float64:
    played = _loudspeaker(y, sample_rate, rng)
    room = random_rooms()[rng.integers(_N_ROOMS)]
    h = impulse_response(room, sample_rate)[: round(_TAIL * sample_rate)]
    recorded = convolve(played, h / math.sqrt(float(np.square(h).sum())), sample_rate)
    noise = _background(len(y), sample_rate, rng, recordings)
    recorded = _equalised(recorded + at_snr(noise, recorded, rng.uniform(-2, 28)), sample_rate, rng)
    return apply_filter(recorded, sample_rate, high_pass(rng.uniform(30, 150), 2))


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
) -> Float64:
    band = (
        high_pass(rng.uniform(200, 350), _order(rng, 4, 8)),
        low_pass(rng.uniform(3000, 3800), 8),
    )
    y = apply_filter(y, sample_rate, *band)
    if rng.random() < 0.5:
        y = y + at_snr(_background(len(y), sample_rate, rng, recordings), y, rng.uniform(8, 35))
    return y


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
