"""Sounds that are not music, made by formulas: noise, tones, babble, applause, wind, engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from genrelens.acoustics.filters import apply_filter, high_pass, low_pass, shaped_noise
from genrelens.acoustics.room import babble

__all__ = ["MADE_SOUNDS", "made_sounds"]

Float64 = NDArray[np.float64]
Rng = np.random.Generator

SECONDS = 12.0
QUIETEST_DB = -35.0  # lowest peak, dBFS


def noise(n: int, rate: int, rng: Rng) -> Float64:
    exponent = rng.uniform(-2.2, 0.8)
    return shaped_noise(n, rate, rng, lambda hz: np.maximum(hz, 40) ** (exponent / 2))


def hum(n: int, rate: int, rng: Rng) -> Float64:
    frequency = rng.choice([50, 60]) * rng.uniform(0.99, 1.01)
    phases = 2 * np.pi * frequency * np.arange(n) / rate
    decay = rng.uniform(0.3, 1.5)
    y = rng.uniform(0, 0.1) * rng.standard_normal(n)
    for k in range(1, int(rng.integers(3, 30))):
        y += rng.uniform(0, 1) / k**decay * np.sin(k * phases + rng.uniform(0, 2 * np.pi))
    return y


def tone(n: int, rate: int, rng: Rng) -> Float64:
    """Make a steady tone, an interrupted tone, or a siren."""
    time = np.arange(n) / rate
    frequency = np.exp(rng.uniform(np.log(50), np.log(6500)))
    kind = rng.integers(3)
    if kind == 2:
        sweep = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 2) * time)
        return np.sin(2 * np.pi * np.cumsum(frequency * sweep) / rate)
    steady = np.sin(2 * np.pi * frequency * time)
    return steady if kind == 0 else steady * (np.sin(2 * np.pi * rng.uniform(0.5, 6) * time) > 0)


def applause(n: int, rate: int, rng: Rng) -> Float64:
    y = np.zeros(n + 2000)
    for start in rng.integers(0, n, int(n / rate * rng.uniform(30, 400))):
        k = int(rng.uniform(60, 400))
        clap = rng.standard_normal(k) * np.exp(-np.arange(k) / k * 5)
        y[start : start + k] += rng.uniform(0.2, 1) * clap
    band = high_pass(rng.uniform(300, 900), 2), low_pass(rng.uniform(3000, 7000), 2)
    return apply_filter(y[:n], rate, *band)


def crackle(n: int, rate: int, rng: Rng) -> Float64:
    clicks = (rng.random(n) < rng.uniform(1e-4, 1e-2)) * rng.standard_normal(n) * 8
    return 0.3 * noise(n, rate, rng) + apply_filter(
        clicks, rate, high_pass(rng.uniform(200, 2000), 2)
    )


def wind(n: int, rate: int, rng: Rng) -> Float64:
    loudness = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, 30), rng.random(30) ** 2)
    return loudness * shaped_noise(n, rate, rng, low_pass(rng.uniform(150, 700), 2))


def engine(n: int, rate: int, rng: Rng) -> Float64:
    speeds = rng.uniform(30, 120) * (1 + 0.3 * rng.random(8))
    speed = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, 8), speeds)
    phases = 2 * np.pi * np.cumsum(speed) / rate
    tones = [rng.uniform(0, 1) / k * np.sin(k * phases) for k in range(1, 20)]
    return np.sum(tones, axis=0) + 0.5 * noise(n, rate, rng)


MADE_SOUNDS: dict[str, Callable[[int, int, Rng], Float64]] = {
    "noise": noise,
    "hum": hum,
    "tone": tone,
    "babble": babble,
    "applause": applause,
    "crackle": crackle,
    "wind": wind,
    "engine": engine,
}


def made_sounds(number: int, rate: int, *, seed: int) -> Iterator[tuple[str, Float64]]:
    """Yield the name and the waveform of sounds at random levels, ``number`` of each kind."""
    for kind, function in MADE_SOUNDS.items():
        for index in range(number):
            rng = np.random.default_rng([seed, index, *kind.encode()])
            y = function(round(SECONDS * rate), rate, rng)
            level = 10 ** (rng.uniform(QUIETEST_DB, 0) / 20)
            yield f"{kind}-{index + 1:03}", y * (level / np.abs(y).max())
