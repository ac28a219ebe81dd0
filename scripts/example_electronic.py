"""The trance example, composed and synthesised for this project (MIT licence)."""

import numpy as np
from session import Session, Sound
from studio import compress, duck, echo, high_pass, low_pass, peak, room, saturate
from synth_voices import bass, clap, hat, kick, placed, pluck, supersaw

# Four chords, a bar each: F, G, A minor twice.
TEMPO = 138.0
BEAT = 60 / TEMPO
BARS = 10
ROOTS = [41, 43, 45, 45]
CHORDS = [(65, 69, 72, 76), (67, 71, 74, 79), (69, 72, 76, 81), (69, 72, 76, 79)]
ARPEGGIO = [0, 2, 3, 1, 2, 3, 0, 2, 3, 2, 1, 3, 2, 0, 3, 1]
HOOK = [(0, 81), (0.75, 81), (1.5, 84), (2.25, 83), (3, 79), (3.5, 76)]
HOOK_END = [(0, 81), (0.75, 88), (1.5, 86), (2.25, 84), (3, 83), (3.5, 84)]


def _beats(first: int, last: int, step: float, offset: float = 0.0) -> np.ndarray:
    return BEAT * (np.arange(first * 4, last * 4, step) + offset)


def _trance_kick(frames: int) -> np.ndarray:
    return placed([(t, 1.0, kick()) for t in _beats(0, BARS, 1)], frames)


def _trance_tops(frames: int) -> np.ndarray:
    events = [(t, 0.7, hat(0.16, 5)) for t in _beats(0, BARS, 1, 0.5)]
    events += [(t, 0.25 + 0.15 * (i % 2), hat(0.05)) for i, t in enumerate(_beats(0, BARS, 0.25))]
    events += [(t, 0.9, clap()) for t in _beats(0, BARS, 2, 1.0)]
    return placed(events, frames)


def _trance_bass(frames: int) -> np.ndarray:
    events = []
    for i, t in enumerate(_beats(0, BARS, 0.25)):
        if i % 4:
            events.append((t, 1.0, bass(ROOTS[i // 16 % 4], 0.22 * BEAT)))
    return placed(events, frames)


def _trance_chords(frames: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    events = []
    for bar in range(BARS):
        for pitch in CHORDS[bar % 4]:
            for at, length in ((0, 0.7), (0.75, 0.7), (1.5, 0.95), (2.5, 0.45), (3.0, 0.95)):
                events.append(((4 * bar + at) * BEAT, 0.5, supersaw(pitch, length * BEAT, rng)))
    return placed(events, frames)


def _trance_lead(frames: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    events = []
    for bar in range(BARS):
        hook = HOOK_END if bar % 4 == 3 else HOOK
        for at, pitch in hook:
            events.append(((4 * bar + at) * BEAT, 1.0, pluck(pitch, 0.7 * BEAT, rng)))
    return placed(events, frames)


def _trance_arpeggio(frames: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    events = []
    for i, t in enumerate(_beats(0, BARS, 0.25)):
        pitch = CHORDS[i // 16 % 4][ARPEGGIO[i % 16]] + 12
        events.append((t, 0.6 + 0.3 * (i % 4 == 0), pluck(pitch, 0.3 * BEAT, rng, 5000)))
    return placed(events, frames)


def trance() -> Session:
    """Bass drum on every beat, rolling bass, supersaw chords and a plucked tune."""
    pump = duck(_beats(0, BARS + 1, 1), 0.85, 0.3)
    hall = room(1.6, -11, 9000, seed=21)
    tracks = [
        Sound(_trance_kick, -15, [peak(60, 2)]),
        Sound(_trance_tops, -23, [room(0.4, -18)]),
        Sound(_trance_bass, -18, [low_pass(3000), pump, saturate(1.5)]),
        Sound(_trance_chords, -20, [high_pass(250), hall, pump]),
        Sound(_trance_lead, -19, [high_pass(300), echo(0.75 * BEAT, -9, 0.5), hall, pump]),
        Sound(_trance_arpeggio, -24, [high_pass(500), echo(0.5 * BEAT, -8, 0.5), pump]),
    ]
    return Session([(0.0, TEMPO)], 4.0 * BARS + 2, tracks, [compress(-18, 2)], loudness=-12)
