"""Synthesiser voices and drum machines, computed sample by sample with numpy.

Pitches are MIDI numbers, times seconds. Every voice returns samples of shape (frames,) or
(frames, 2) at 44.1 kHz; `placed` puts many of them on one time line.
"""

from collections.abc import Iterable

import numpy as np
from scipy.signal import butter, sosfilt
from studio import RATE


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch."""
    return 440 * 2 ** ((pitch - 69) / 12)


def envelope(n: int, attack: float, release: float, held: float = 1.0) -> np.ndarray:
    """Return a rise, a slow fall to `held`, and a release at the end."""
    out = np.linspace(1, held, n)
    up, down = min(n, round(attack * RATE)), min(n, round(release * RATE))
    out[:up] *= np.linspace(0, 1, up)
    out[n - down :] *= np.linspace(1, 0, down)
    return out


def saw(frequency: np.ndarray | float, n: int, phase: float = 0.0) -> np.ndarray:
    """Return a sawtooth wave with little aliasing (its step is rounded over two samples)."""
    step = np.broadcast_to(frequency, n) / RATE
    at = (phase + np.cumsum(step)) % 1
    wave = 2 * at - 1
    early, late = at < step, at > 1 - step
    x = at[early] / step[early]
    wave[early] -= 2 * x - x * x - 1
    x = (at[late] - 1) / step[late]
    wave[late] -= x * x + 2 * x + 1
    return wave


def supersaw(
    pitch: float, seconds: float, rng: np.random.Generator, spread: float = 0.12
) -> np.ndarray:
    """Return seven detuned sawtooth waves across the stereo image."""
    n = round(seconds * RATE)
    out = np.zeros((n, 2))
    for k in range(-3, 4):
        wave = saw(hertz(pitch + spread * k / 3), n, rng.random())
        side = 0.5 + k / 7
        out += wave[:, None] * np.sqrt([1 - side, side])
    return out / 4


def swept(x: np.ndarray, start: float, end: float, blocks: int = 24) -> np.ndarray:
    """Filter with a low-pass whose frequency moves from start to end along the samples."""
    out = np.empty_like(x)
    state = None
    for k, part in enumerate(np.array_split(np.arange(len(x)), blocks)):
        cut = start * (end / start) ** (k / max(1, blocks - 1))
        sos = butter(2, min(cut, 18000), "low", fs=RATE, output="sos")
        if state is None:
            state = np.zeros((1, 2, *x.shape[1:]))
        out[part], state = sosfilt(sos, x[part], axis=0, zi=state)
    return out


def pluck(
    pitch: float, seconds: float, rng: np.random.Generator, bright: float = 9000
) -> np.ndarray:
    """Return a short supersaw whose filter closes."""
    x = supersaw(pitch, seconds, rng)
    return swept(x, bright, 300, 12) * envelope(len(x), 0.002, 0.04, 0.3)[:, None]


def bass(pitch: float, seconds: float, bright: float = 900) -> np.ndarray:
    """Return a sawtooth bass with a sine an octave below."""
    n = round(seconds * RATE)
    t = np.arange(n) / RATE
    x = swept(saw(hertz(pitch), n), bright, 150, 8) + 0.8 * np.sin(2 * np.pi * hertz(pitch) * t)
    return x * envelope(n, 0.004, 0.02, 0.7)


def sub_bass(pitch: float, seconds: float) -> np.ndarray:
    """Return the long decaying sine of a drum machine's bass drum, slightly overdriven."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (hertz(pitch) * t + 12 * (1 - np.exp(-t * 40)) / 40)
    return np.tanh(2.2 * np.sin(phase) * np.exp(-t * 1.6)) * envelope(len(t), 0.002, 0.03)


def kick(
    seconds: float = 0.4, punch: float = 190, body: float = 48, click: float = 0.3
) -> np.ndarray:
    """Return an electronic bass drum: a falling sine and a click."""
    t = np.arange(round(seconds * RATE)) / RATE
    fall = body * t + (punch / 30) * (1 - np.exp(-30 * t))
    x = np.sin(2 * np.pi * fall) * np.exp(-t * 7)
    x += click * np.random.default_rng(1).standard_normal(len(t)) * np.exp(-t * 600)
    return np.tanh(1.8 * x) * envelope(len(t), 0.0005, 0.05)


def _noise(n: int, low: float, high: float, seed: int) -> np.ndarray:
    band = butter(2, (low, high), "band", fs=RATE, output="sos")
    x = sosfilt(band, np.random.default_rng(seed).standard_normal(n))
    return x / np.abs(x).max()


def clap(seed: int = 2) -> np.ndarray:
    """Return four quick bursts of noise and a tail."""
    n = round(0.25 * RATE)
    t = np.arange(n) / RATE
    bursts = sum(np.where(t >= d, np.exp(-(t - d) * 250), 0) for d in (0, 0.011, 0.021))
    return _noise(n, 700, 5000, seed) * (
        bursts + 0.9 * np.where(t > 0.03, np.exp(-(t - 0.03) * 22), 0)
    )


def snare(tone: float = 185, seed: int = 3, tail: float = 18) -> np.ndarray:
    """Return a snare drum: two falling tones and filtered noise."""
    t = np.arange(round(0.3 * RATE)) / RATE
    body = np.sin(2 * np.pi * tone * t) + 0.6 * np.sin(2 * np.pi * tone * 1.78 * t)
    noise = _noise(len(t), 900, 12000, seed)
    return np.tanh(1.6 * (0.6 * body * np.exp(-t * 28) + noise * np.exp(-t * tail)))


def hat(seconds: float = 0.06, seed: int = 4) -> np.ndarray:
    """Return a hi-hat: bright noise that dies within the given time."""
    n = round(max(0.05, seconds * 1.5) * RATE)
    return _noise(n, 6500, 16000, seed) * np.exp(-np.arange(n) / RATE * 4 / seconds)


def placed(events: Iterable[tuple[float, float, np.ndarray]], frames: int) -> np.ndarray:
    """Return samples of shape (frames, 2) with each sound (start, loudness, samples) added."""
    out = np.zeros((frames, 2))
    for start, loudness, sound in events:
        at = round(start * RATE)
        part = sound[: max(0, frames - at)]
        out[at : at + len(part)] += loudness * (part[:, None] if part.ndim == 1 else part)
    return out
