"""Effects of a recording studio, on float arrays of shape (frames, 2) at 44.1 kHz.

Used by the scripts that render the example recordings. An effect takes samples and returns
samples; `chain` puts several of them in a row.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

RATE = 44100
Effect = Callable[[np.ndarray], np.ndarray]


def chain(*effects: Effect) -> Effect:
    """Return one effect that applies all the given ones in order."""

    def apply(x: np.ndarray) -> np.ndarray:
        for effect in effects:
            x = effect(x)
        return x

    return apply


def gain(db: float) -> Effect:
    """Change the level by decibels."""
    return lambda x: x * 10 ** (db / 20)


def high_pass(hertz: float, order: int = 2) -> Effect:
    """Remove what lies below a frequency."""
    sos = butter(order, hertz, "high", fs=RATE, output="sos")
    return lambda x: sosfilt(sos, x, axis=0)


def low_pass(hertz: float, order: int = 2) -> Effect:
    """Remove what lies above a frequency."""
    sos = butter(order, hertz, "low", fs=RATE, output="sos")
    return lambda x: sosfilt(sos, x, axis=0)


def peak(hertz: float, db: float, q: float = 1.0) -> Effect:
    """Boost or cut around a frequency (the peaking filter of the Audio EQ Cookbook)."""
    a, w = 10 ** (db / 40), 2 * np.pi * hertz / RATE
    alpha = np.sin(w) / (2 * q)
    b = np.array([1 + alpha * a, -2 * np.cos(w), 1 - alpha * a])
    d = np.array([1 + alpha / a, -2 * np.cos(w), 1 - alpha / a])
    sos = np.concatenate([b, d])[None] / d[0]
    return lambda x: sosfilt(sos, x, axis=0)


def saturate(drive: float) -> Effect:
    """Round off the peaks as a tape does; the level of quiet sounds stays."""
    return lambda x: np.tanh(drive * x) / drive


def amplifier(drive: float, bright: float = 0.0) -> Effect:
    """Distort as a guitar amplifier does: two valve stages, tone control, loudspeaker."""
    before = chain(high_pass(110), peak(750, 5, 0.7))
    after = chain(
        high_pass(75),
        low_pass(4800, 4),
        peak(110, 3, 1.0),
        peak(420, -4, 0.9),
        peak(2600, 4 + bright, 0.9),
    )

    def apply(x: np.ndarray) -> np.ndarray:
        x = before(x)
        x = x / (np.sqrt(np.mean(x**2)) + 1e-9) * 0.1
        fine = resample_poly(x, 4, 1, axis=0)
        fine = np.tanh(drive * fine + 0.15) - np.tanh(0.15)
        fine = np.tanh(1.6 * fine)
        return 0.3 * after(resample_poly(fine, 1, 4, axis=0)[: len(x)])

    return apply


def compress(threshold: float, ratio: float, attack: float = 5, release: float = 120) -> Effect:
    """Reduce levels over a threshold (dBFS) by a ratio; times in milliseconds."""

    def apply(x: np.ndarray) -> np.ndarray:
        step = 32
        frames = -(-len(x) // step)
        padded = np.zeros(frames * step)
        padded[: len(x)] = np.max(np.abs(x), axis=1)
        over = 20 * np.log10(padded.reshape(frames, step).max(1) + 1e-9) - threshold
        wanted = -np.maximum(over, 0) * (1 - 1 / ratio)
        fall, rise = (np.exp(-step / (RATE * t / 1000)) for t in (attack, release))
        reduction = np.empty(frames)
        now = 0.0
        for i, target in enumerate(wanted):
            keep = fall if target < now else rise
            now = keep * now + (1 - keep) * target
            reduction[i] = now
        smooth = np.interp(np.arange(len(x)), np.arange(frames) * step, reduction)
        return x * (10 ** (smooth / 20))[:, None]

    return apply


@lru_cache
def _room(seconds: float, dark: float, seed: int) -> np.ndarray:
    """Return the impulse response of a room: early reflections, then a decaying noise."""
    rng = np.random.default_rng(seed)
    n = round(1.3 * seconds * RATE)
    t = np.arange(n) / RATE
    tail = np.zeros((n, 2))
    for low, high, part in ((60, 400, 1.1), (400, 2500, 1.0), (2500, dark, 0.6)):
        band = butter(2, (low, high), "band", fs=RATE, output="sos")
        noise = sosfilt(band, rng.standard_normal((n, 2)), axis=0)
        tail += noise * (10 ** (-3 * t / (seconds * part)))[:, None]
    tail *= np.minimum(1, t / 0.02)[:, None]
    for at in rng.uniform(0.004, 0.06, 14):
        tail[round(at * RATE), rng.integers(2)] += rng.uniform(0.5, 2) * (0.06 - at) / 0.06
    return tail / np.sqrt(np.sum(tail**2) / 2)


def room(seconds: float = 0.8, wet_db: float = -12, dark: float = 8000, seed: int = 1) -> Effect:
    """Add the sound of a room with the given time of reverberation."""

    def apply(x: np.ndarray) -> np.ndarray:
        answer = _room(seconds, dark, seed)
        wet = fftconvolve(x, answer, axes=0)[: len(x)]
        cross = 0.75 * wet + 0.25 * wet[:, ::-1]
        return x + 10 ** (wet_db / 20) * cross

    return apply


def echo(seconds: float, wet_db: float = -10, feedback: float = 0.4) -> Effect:
    """Add repeats that swap sides and grow dull, as a tape echo does."""
    dull = chain(low_pass(3000), high_pass(250))
    shift = round(seconds * RATE)

    def apply(x: np.ndarray) -> np.ndarray:
        out, last = x.copy(), x
        for turn in range(6):
            last = dull(np.concatenate([np.zeros((shift, 2)), last[: len(x) - shift, ::-1]]))
            out += 10 ** (wet_db / 20) * feedback**turn * last
        return out

    return apply


def chorus(depth_ms: float = 2.5, hertz: float = 0.6, wet: float = 0.5) -> Effect:
    """Thicken with a copy whose delay moves, in opposite ways left and right."""

    def apply(x: np.ndarray) -> np.ndarray:
        n = np.arange(len(x))
        out = x.copy()
        for side, phase in ((0, 0.0), (1, np.pi)):
            wave = np.sin(2 * np.pi * hertz * n / RATE + phase)
            delay = (8 + depth_ms * wave) * RATE / 1000
            out[:, side] += wet * np.interp(n - delay, n, x[:, side])
        return out / (1 + wet / 2)

    return apply


def pan(position: float) -> Effect:
    """Place the sound: -1 is left, 0 the middle, 1 right."""
    angle = (position + 1) * np.pi / 4
    sides = np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])
    return lambda x: x.mean(axis=1, keepdims=True) * sides


def duck(beats: np.ndarray, depth: float = 0.7, release: float = 0.28) -> Effect:
    """Lower the level at each beat (in seconds), as a kick drum's side chain does."""

    def apply(x: np.ndarray) -> np.ndarray:
        t = np.arange(len(x)) / RATE
        since = t - beats[np.maximum(np.searchsorted(beats, t, "right") - 1, 0)]
        since = np.where(since < 0, np.inf, since)
        return x * (1 - depth * np.exp(-((since / release) ** 2) * 3))[:, None]

    return apply


def level(x: np.ndarray, db: float) -> np.ndarray:
    """Return the samples at a root mean square level, measured where they sound."""
    power = np.mean(x**2, axis=1)
    blocks = power[: len(power) // 4410 * 4410].reshape(-1, 4410).mean(1)
    sounding = blocks[blocks > 1e-4 * (blocks.max() + 1e-20)]
    return x * 10 ** (db / 20) / np.sqrt(sounding.mean() + 1e-20)


def mastered(mix: np.ndarray, loudness: float = -14, warmth: float = 1.2) -> np.ndarray:
    """Finish a mix: filter, glue, saturate and limit to a loudness in dB below full scale."""
    x = level(high_pass(28)(mix), -20)
    x = compress(-20, 1.8, 20, 200)(x)
    x = level(saturate(warmth)(level(x, -18)), loudness)
    return np.tanh(x * 0.9) / 0.9 * 0.95
