"""The hip-hop example, composed and synthesised for this project (MIT licence)."""

import numpy as np
from midi_score import Part, line
from rap_voice import fitted, verse
from session import Session, Sound, Track
from studio import chain, compress, echo, high_pass, low_pass, pan, peak, room, saturate
from synth_voices import clap, hat, kick, placed, snare, sub_bass

TEMPO = 88.0
BEAT = 60 / TEMPO
BARS = 8
EPIANO, STRINGS = 4, 48

KICK = ["X..x..X...X....x", "X..x..X..XX....."]
SNARE = ["....X.......X...", "....X..o....X..o"]
HATS = ["x.x.x.xox.x.x.x.", "x.x.x.x.xoxox.xx"]
SUB = [(0, 33, 1.4), (1.5, 33, 0.9), (2.5, 36, 0.8), (3.75, 31, 0.3)]
SUB_TURN = [0, 0, -4, -2]
LOOP = """
    A3+C4+E4+G4/1.5 A3+C4+E4/.5 -/1 E5/.5 D5 | A3+C4+E4+G4/1 C5/.5 A4 -/1 G4/.5 A4
    F3+A3+C4+E4/1.5 F3+A3+C4/.5 -/1 C5/.5 B4 | G3+B3+D4+F4/1 D5/.5 B4 -/1 G4/.5 E4
"""
RAP = """
    Two turntables and a box of old records / needle in the groove when the evening beckons
    Kick on the one and the snare on the three / listen to the rhythm of machinery
    Spectrum to the pixel and the pixel to the name / sixteen styles but they never sound the same
    Windows of the music going three by three / tell me what you hear in the frequency
    Bass in the basement rolling like a wave / every little sample that the dust could save
    Horns in the corner and the hats in the rain / carry that loop like a midnight train
    Blues to the jazz and the jazz to the street / everybody moving to the very same beat
    Turn it up louder let the needle run / nobody is leaving till the song is done
"""


def _steps(
    rows: list[str], sound: np.ndarray, swing: float
) -> list[tuple[float, float, np.ndarray]]:
    """Place a sound on a row of sixteenths a bar; every second sixteenth comes late."""
    rng = np.random.default_rng(len(sound))
    events = []
    for bar in range(BARS):
        for step, mark in enumerate(rows[bar % len(rows)]):
            if mark != ".":
                at = 4 * bar + (step + swing * (step % 2)) / 4
                loud = {"X": 1.0, "x": 0.7, "o": 0.35}[mark] * rng.uniform(0.9, 1.05)
                events.append((at * BEAT + max(0, rng.normal(0.004, 0.003)), loud, sound))
    return events


def _drums(frames: int) -> np.ndarray:
    events = _steps(KICK, kick(0.35, 160, 52, 0.5), 0.25)
    events += _steps(SNARE, 0.9 * snare(190, tail=16), 0.25) + _steps(SNARE, 0.4 * clap(), 0.25)
    events += _steps(HATS, 0.35 * hat(0.05), 0.25)
    return placed(events, frames)


def _sub(frames: int) -> np.ndarray:
    events = []
    for bar in range(BARS):
        for at, pitch, length in SUB:
            shift = SUB_TURN[bar % 4]
            events.append(((4 * bar + at) * BEAT, 1.0, sub_bass(pitch + shift, length * BEAT)))
    return placed(events, frames)


def _crackle(frames: int) -> np.ndarray:
    """The surface of an old record: hiss and clicks."""
    rng = np.random.default_rng(9)
    x = 0.02 * rng.standard_normal((frames, 2))
    for at in rng.integers(0, frames, frames // 2500):
        x[at] += rng.normal(0, 0.5) * rng.uniform(0.5, 1, 2)
    return high_pass(500)(low_pass(6000)(x))


def _rap(frames: int) -> np.ndarray:
    return placed(verse(RAP, BEAT), frames)


def _shouts(frames: int) -> np.ndarray:
    """A second voice doubles the end of every line."""
    lines = [half.split()[-2:] for text in RAP.strip().split("\n") for half in text.split("/")]
    events = []
    for number, words in enumerate(lines):
        sound = fitted(" ".join(words), 0.62 * BEAT, 55, "en-us+m7")
        events.append(((2 * number + 1.25) * BEAT, 1.0, sound))
    return placed(events, frames)


def hip_hop_verse() -> Session:
    """A slow beat, deep bass, an electric piano from an old record, and its crackle."""
    old = chain(high_pass(180), low_pass(3800), saturate(2.5), peak(900, 2))
    microphone = chain(high_pass(120), peak(3000, 3), peak(250, 3), compress(-24, 4), saturate(3))
    loop = [note for turn in range(2) for note in line(LOOP, 16.0 * turn, 88)]
    tracks = [
        Sound(_drums, -15, [peak(70, 2), compress(-18, 3, 15, 100), saturate(2), room(0.3, -18)]),
        Sound(_sub, -18, [low_pass(400)]),
        Track(Part(EPIANO, loop, looseness=0.03), -22, [old, echo(0.75 * BEAT, -14), pan(-0.2)]),
        Track(Part(STRINGS, [n.shifted(semitones=12) for n in loop if n.length > 0.9]), -29, [old]),
        Sound(_rap, -14, [microphone, room(0.3, -18)]),
        Sound(_shouts, -20, [microphone, pan(0.4), room(0.5, -12)]),
        Sound(_crackle, -42),
    ]
    return Session([(0.0, TEMPO)], 4.0 * BARS - 4, tracks, [compress(-18, 2)], -12, 1.6)
