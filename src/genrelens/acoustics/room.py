"""Simulated recordings of a loudspeaker in a room with people.

The room is a shoebox. Its impulse response is the sum of image sources as in Allen & Berkley,
"Image method for efficiently simulating small-room acoustics" (JASA 65, 1979): each wall is a
mirror that reflects the same share of the energy at all frequencies. Loudspeaker and microphone are
those of small devices. The background is pink noise (street, ventilation) and babble of equal
power.
"""

from __future__ import annotations

import functools
import math
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
    pink,
    power,
    shaped_noise,
    speech,
)

__all__ = ["ROOMS", "Room", "babble", "background", "impulse_response", "record"]

Float64 = NDArray[np.float64]
Point = tuple[float, float, float]

_SPEED_OF_SOUND = 343.0  # m/s
_FINER = 4  # resolution of the arrival times, as a multiple of the sample rate
_LOUDSPEAKER = high_pass(150, 4)  # 24 dB per octave: a small vented box
_MICROPHONE = (high_pass(80, 2), low_pass(12_000, 4))
_TALKERS = 8
_LOUDNESS_RATE = 50  # Hz, sample rate of a talker's loudness
_SYLLABLES = 4.0  # Hz, where the loudness of speech fluctuates most (Houtgast & Steeneken, 1985)


class Room(NamedTuple):
    """A shoebox room with a loudspeaker and a microphone.

    Attributes:
        name: kind of room.
        size: length, width and height in metres.
        loudspeaker: position in metres from a corner.
        microphone: position in metres from the same corner.
        absorption: share of the energy that a wall absorbs, between 0 and 1.
        rt60: reverberation time in seconds (decay by 60 dB above 150 Hz), extrapolated from the
            decay from -5 to -25 dB (T20 of ISO 3382). It follows from the other attributes.

    """

    name: str
    size: Point
    loudspeaker: Point
    microphone: Point
    absorption: float
    rt60: float


ROOMS = (
    Room("bedroom", (4.1, 3.3, 2.5), (0.6, 1.1, 0.9), (1.9, 1.8, 0.7), 0.30, 0.27),
    Room("living room", (5.7, 4.3, 2.6), (0.7, 1.3, 1.0), (2.9, 2.3, 0.8), 0.27, 0.39),
    Room("office", (4.9, 3.6, 2.8), (0.9, 0.8, 1.1), (1.6, 1.4, 0.8), 0.23, 0.41),
    Room("kitchen", (3.9, 2.8, 2.45), (0.4, 0.5, 1.2), (1.7, 1.4, 1.0), 0.17, 0.45),
    Room("bathroom", (2.4, 1.9, 2.5), (0.5, 0.4, 1.1), (1.2, 1.1, 1.3), 0.11, 0.54),
    Room("shop", (7.6, 5.2, 3.0), (1.2, 0.7, 2.3), (3.4, 2.5, 1.3), 0.24, 0.57),
    Room("classroom", (8.7, 6.4, 3.1), (1.0, 2.1, 1.5), (4.1, 3.2, 0.9), 0.23, 0.69),
    Room("café", (10.3, 7.2, 3.4), (1.6, 1.1, 2.4), (3.7, 2.9, 0.8), 0.23, 0.79),
)


def record(y: Float64, sample_rate: int, rng: np.random.Generator, *, snr: float) -> Float64:
    """Simulate the recording of a waveform (n,) in one of the rooms, drawn at random.

    Args:
        y: waveform at the loudspeaker.
        sample_rate: sample rate of ``y`` and of the recording, in Hz.
        rng: random generator for the room and the background.
        snr: level of the music above the background at the microphone, in dB.

    Returns:
        (n,) with the level of ``y``, as after an automatic gain control; silence stays silent.

    """
    room = ROOMS[rng.integers(len(ROOMS))]
    h = impulse_response(room, sample_rate)
    music = convolve(y, h, sample_rate, _LOUDSPEAKER, *_MICROPHONE)
    noise = apply_filter(background(len(y), sample_rate, rng), sample_rate, *_MICROPHONE)
    recorded = music + at_snr(noise, music, snr)
    if not power(recorded):
        return recorded
    return recorded * math.sqrt(power(y) / power(recorded))


# ----------------------------------------------------------------------------- the room


@functools.lru_cache(maxsize=4 * len(ROOMS))
def impulse_response(room: Room, sample_rate: int) -> Float64:
    """Compute the impulse response from loudspeaker to microphone.

    Args:
        room: the room.
        sample_rate: sample rate of the result, in Hz.

    Returns:
        (n,) sound pressure, relative to that at 1 m from the loudspeaker in free field; n is large
        enough for a decay of at least 65 dB. The slow drift of image sources without phase shift
        is included; the high-pass of the loudspeaker removes it, as in the paper.

    """
    seconds = 1.3 * room.rt60
    fine_rate = _FINER * sample_rate
    fine = np.zeros(math.ceil(seconds * fine_rate) + 1)
    for distance, amplitude in _image_sources(room, seconds * _SPEED_OF_SOUND):
        samples = np.rint(distance / _SPEED_OF_SOUND * fine_rate).astype(np.intp)
        fine += np.bincount(samples, amplitude / distance, len(fine))
    # Each image is one fine sample long; the factor preserves its area at the lower rate.
    response: Float64 = _FINER * soxr.resample(fine, fine_rate, sample_rate)
    response.flags.writeable = False  # it is cached
    return response


def _image_sources(room: Room, reach: float) -> list[tuple[Float64, Float64]]:
    """Return distances (k,) in metres and factors (k,) of the images within ``reach`` metres."""
    kept = math.sqrt(1 - room.absorption)  # share of the pressure that a wall reflects
    x, y, z = (
        _images_along(*axis, reach)
        for axis in zip(room.size, room.loudspeaker, room.microphone, strict=True)
    )
    plane = y[0][:, None] + z[0]
    plane_factor = kept ** (y[1][:, None] + z[1])
    found = []
    for square, reflections in zip(*x, strict=True):  # plane by plane, to save memory
        distance = np.sqrt(square + plane)
        near = distance < reach
        found.append((distance[near], kept**reflections * plane_factor[near]))
    return found


def _images_along(
    length: float, source: float, microphone: float, reach: float
) -> tuple[Float64, Float64]:
    """Return squared distances and numbers of reflections of the images along one axis, (k,) each.

    The images of the room are tiles of its size; every other tile is mirrored.
    """
    n_tiles = math.ceil(reach / length) + 1
    tile = np.arange(-n_tiles, n_tiles + 1, dtype=np.float64)
    position = np.where(tile % 2 == 0, tile * length + source, (tile + 1) * length - source)
    return np.square(position - microphone), np.abs(tile)


# ----------------------------------------------------------------------- the background


def background(n_samples: int, sample_rate: int, rng: np.random.Generator) -> Float64:
    """Return the sum of pink noise and babble of equal power, (n_samples,)."""
    talk = babble(n_samples, sample_rate, rng)
    return talk + at_snr(shaped_noise(n_samples, sample_rate, rng, pink), talk, 0.0)


def babble(n_samples: int, sample_rate: int, rng: np.random.Generator) -> Float64:
    """Return babble, the speech-like noise of several talkers without words, (n_samples,).

    A talker is noise with the spectrum of speech whose loudness changes at the rate of syllables.
    The sum of independent noises is one noise whose power is the sum of their powers.
    """
    n_coarse = n_samples * _LOUDNESS_RATE // sample_rate + 2
    rhythm = low_pass(_SYLLABLES, 2)
    total = np.zeros(n_coarse)
    for _ in range(_TALKERS):
        total += np.square(shaped_noise(n_coarse, _LOUDNESS_RATE, rng, rhythm))
    times = np.arange(n_samples) * (_LOUDNESS_RATE / sample_rate)
    loudness = np.sqrt(np.interp(times, np.arange(n_coarse), total))
    return apply_filter(loudness * rng.standard_normal(n_samples), sample_rate, speech)
