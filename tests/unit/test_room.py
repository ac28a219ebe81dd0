"""The simulated room: geometry by hand, decay by Schroeder's method, noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from genrelens.acoustics.filters import high_pass
from genrelens.acoustics.room import ROOMS, Room, babble, background, impulse_response, record

Float64 = NDArray[np.float64]

RATE = 22_050
SPEED = 343.0


def decay_time(h: Float64, rate: int) -> float:
    """T20 of ISO 3382 by backward integration (Schroeder, 1965), above 150 Hz."""
    from scipy import signal

    high = signal.sosfilt(signal.butter(4, 150, "high", fs=rate, output="sos"), h)
    level = 10 * np.log10(np.cumsum(high[::-1] ** 2)[::-1] / np.sum(high**2))
    fitted = np.flatnonzero((level <= -5) & (level >= -25))
    slope, _ = np.polyfit(fitted / rate, level[fitted], 1)
    return -60 / float(slope)


def distance(room: Room) -> float:
    return math.dist(room.loudspeaker, room.microphone)


# -------------------------------------------------------------------------- the response


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_geometry_of_a_room_is_plausible(room: Room) -> None:
    for place in (room.loudspeaker, room.microphone):
        assert all(0.3 < at < side - 0.3 for at, side in zip(place, room.size, strict=True))
    assert 0.9 < distance(room) < 4
    assert 0.25 < room.rt60 < 0.85


def test_rooms_differ() -> None:
    assert len({room.name for room in ROOMS}) == len({room.size for room in ROOMS}) == len(ROOMS)
    assert min(room.rt60 for room in ROOMS) < 0.3
    assert max(room.rt60 for room in ROOMS) > 0.75


@pytest.mark.parametrize("rate", [RATE, 44_100])
@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_decay(room: Room, rate: int) -> None:
    measured = decay_time(impulse_response(room, rate), rate)
    assert measured == pytest.approx(room.rt60, rel=0.05)
    # Mirrors scatter nothing, so the sound lives longer than Eyring's formula (1930) says, the
    # more so in flat rooms.
    length, width, height = room.size
    surface = 2 * (length * width + width * height + height * length)
    eyring = (
        24
        * math.log(10)
        * length
        * width
        * height
        / (-SPEED * surface * math.log(1 - room.absorption))
    )
    assert 0.98 < measured / eyring < 1.45


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_direct_sound_comes_first(room: Room) -> None:
    h = impulse_response(room, 44_100)
    arrival = round(distance(room) / SPEED * 44_100)
    assert np.abs(h[: arrival - 20]).max() < 0.02 * np.abs(h).max()
    assert np.abs(h[arrival - 2 : arrival + 3]).max() > 0.5 / distance(room)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_direct_to_reverberant_ratio(room: Room) -> None:
    """Against the diffuse field: both are equal at the critical distance (Kuttruff)."""
    from scipy import signal

    high = signal.sosfilt(
        signal.butter(4, 150, "high", fs=RATE, output="sos"), impulse_response(room, RATE)
    )
    end_of_direct = round((distance(room) / SPEED + 0.001) * RATE)
    measured = np.sum(high[:end_of_direct] ** 2) / np.sum(high[end_of_direct:] ** 2)
    critical = 0.057 * math.sqrt(math.prod(room.size) / room.rt60)
    expected = 20 * math.log10(critical / distance(room))
    assert 10 * math.log10(measured) == pytest.approx(expected, abs=3)


def test_the_response_runs_until_it_has_decayed() -> None:
    from scipy import signal

    h = impulse_response(ROOMS[-1], RATE)
    high = signal.sosfilt(signal.butter(4, 150, "high", fs=RATE, output="sos"), h)
    assert 10 * np.log10(np.sum(high[-200:] ** 2) / np.sum(high**2)) < -60


def test_without_reflections_only_the_direct_sound_remains() -> None:
    room = Room("meadow", (5, 4, 3), (1, 1, 1), (3, 2, 1), 1 - 1e-12, 0.05)
    h = impulse_response(room, 48_000)
    metres = math.sqrt(5)
    assert h.sum() == pytest.approx(1 / metres, rel=1e-3)
    assert np.argmax(h) == pytest.approx(metres / SPEED * 48_000, abs=0.6)


def test_images_one_by_one() -> None:
    """All images within reach, enumerated as in equation 9 of Allen & Berkley (1979)."""
    room = Room("cupboard", (1.1, 0.9, 1.3), (0.3, 0.2, 0.5), (0.8, 0.7, 0.6), 0.4, 0.02)
    rate, seconds = 16_000, 1.3 * room.rt60
    fine = np.zeros(math.ceil(seconds * 4 * rate) + 1)
    kept = math.sqrt(0.6)
    shifts = range(-12, 13)
    for mirrored in itertools.product((0, 1), repeat=3):
        for tile in itertools.product(shifts, repeat=3):
            gaps = [
                (1 - 2 * q) * room.loudspeaker[i] + 2 * m * room.size[i] - room.microphone[i]
                for i, (q, m) in enumerate(zip(mirrored, tile, strict=True))
            ]
            metres = math.hypot(*gaps)
            if metres < seconds * SPEED:
                walls = sum(abs(m - q) + abs(m) for q, m in zip(mirrored, tile, strict=True))
                fine[round(metres / SPEED * 4 * rate)] += kept**walls / metres
    expected = 4 * soxr.resample(fine, 4 * rate, rate)
    np.testing.assert_allclose(impulse_response(room, rate), expected, atol=1e-9)


def test_a_cached_response_cannot_be_modified() -> None:
    with pytest.raises(ValueError, match="read-only"):
        impulse_response(ROOMS[0], RATE)[0] = 1.0


# ------------------------------------------------------------------------- the recording


def white(seconds: float, seed: int = 1) -> Float64:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


@pytest.mark.parametrize("snr", [0.0, 15.0])
def test_background_has_the_requested_level(snr: float) -> None:
    """With the noise 300 dB below it, only the music remains."""
    y = white(20)
    heard = record(y, RATE, np.random.default_rng(3), snr=snr)
    music = record(y, RATE, np.random.default_rng(3), snr=300.0)
    share = np.dot(heard, music) / np.dot(music, music)
    noise = heard - share * music
    found = 10 * np.log10(np.mean((share * music) ** 2) / np.mean(noise**2))
    assert found == pytest.approx(snr, abs=0.1)


def test_level_is_kept() -> None:
    y = white(2)
    heard = record(y, RATE, np.random.default_rng(3), snr=15.0)
    assert np.std(heard) == pytest.approx(np.std(y), rel=0.01)
    assert len(heard) == len(y)


def test_a_small_loudspeaker_has_no_bass() -> None:
    from scipy import signal

    heard = record(white(30), RATE, np.random.default_rng(3), snr=300.0)
    hz, density = signal.welch(heard, RATE, nperseg=8192)
    bass = density[(hz > 40) & (hz < 80)].mean()
    middle = density[(hz > 300) & (hz < 1000)].mean()
    loudspeaker = high_pass(150, 4)(np.array([60.0]))[0]
    microphone = high_pass(80, 2)(np.array([60.0]))[0]
    expected = 20 * np.log10(loudspeaker * microphone)  # -36 dB
    # The room's lowest modes and its drift raise the bass again.
    assert expected - 10 < 10 * np.log10(bass / middle) < expected + 12


def test_clips_are_played_in_different_rooms() -> None:
    """The decay of a click identifies the room."""
    click = np.zeros(RATE)
    click[0] = 1.0
    decays = {
        round(decay_time(record(click, RATE, np.random.default_rng(seed), snr=300.0), RATE), 2)
        for seed in range(12)
    }
    assert len(decays) >= 4


def test_silence() -> None:
    assert not record(np.zeros(999), RATE, np.random.default_rng(0), snr=15.0).any()


# ------------------------------------------------------------------------ the background


def test_babble_has_the_rhythm_of_syllables() -> None:
    """Its loudness fluctuates below 8 Hz, more than that of steady noise of the same spectrum."""
    from scipy import signal

    def fluctuation(y: Float64, low: float, high: float) -> float:
        sos = signal.butter(2, 20, fs=RATE, output="sos")
        loudness = signal.sosfiltfilt(sos, y**2)[RATE:-RATE]
        hz, density = signal.welch(loudness / loudness.mean(), RATE, nperseg=4 * RATE)
        return float(density[(hz > low) & (hz < high)].mean())

    rng = np.random.default_rng(0)
    talk = babble(60 * RATE, RATE, rng)
    assert fluctuation(talk, 0.5, 4) > 5 * fluctuation(talk, 8, 16)
    steady = signal.sosfilt(
        signal.butter(2, 500, fs=RATE, output="sos"), rng.standard_normal(60 * RATE)
    )
    assert fluctuation(talk, 0.5, 4) > 3 * fluctuation(steady, 0.5, 4)


def test_background_is_half_talk_half_pink_noise() -> None:
    """Above 4 kHz and below 60 Hz nearly all is pink noise, which is half of the power."""
    from scipy import signal

    y = background(60 * RATE, RATE, np.random.default_rng(0))
    hz, density = signal.welch(y, RATE, nperseg=1 << 15)
    step = hz[1]
    octave = density[(hz >= 5000) & (hz < 10_000)].sum() * step
    # Pink noise has the same power in each octave: log2(11025 / 20) of them, and one below 20 Hz.
    octaves = math.log2(RATE / 2 / 20) + 1 / math.log(2)
    assert octave * octaves / (density.sum() * step) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("n", [1, 10, 2205])
def test_short_background(n: int) -> None:
    y = background(n, RATE, np.random.default_rng(0))
    assert y.shape == (n,)
    assert np.isfinite(y).all()
