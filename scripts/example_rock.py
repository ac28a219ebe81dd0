"""The rock example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line
from session import DRUM_KIT, Session, Track
from studio import (
    Effect,
    amplifier,
    compress,
    echo,
    low_pass,
    pan,
    peak,
    room,
    saturate,
)

CLEAN, STEEL, BASS, RECORDED_KIT = 27, 25, 34, 0

A, D, G, E = "A2+E3+A3+C#4", "D3+A3+D4+F#4", "G2+D3+G3+B3+D4+G4", "E2+B2+E3+G#3"
ROCK_RIFF = f"""
    {A}!/1 -/.5 {A}'/.5 {D}!/.5 {D} -/.5 {A}'/.5 | -/.5 {G}!/1 {G}'/.5 {D}!/1 {A}/1
    {A}!/1 -/.5 {A}'/.5 {D}!/.5 {D} -/.5 {A}'/.5 | -/.5 {G}!/1 {D}!/.5 E3/.5 G3 A3/1
"""
ROCK_CHORUS = f"""
    {D}!/1.5 {D}/.5 {D}/1 {D}/1 | {A}!/1.5 {A}/.5 {A}/1 {A}/1
    {G}!/1.5 {G}/.5 {G}/1 {D}/1 | {A}!/1.5 {A}/.5 {E}!/1 {E}/1
"""
ROCK_LEAD = """
    ^A5!/1.5 F#5/.5 D5/1 E5/.5 F#5 | ^E5!/2 C#5/.5 D5 E5 C#5
    ^B4!/1 D5/.5 G5 ^A5!/1 G5/.5 F#5 | E5/.5 C#5 A4 E5 ^G#5!/2
"""
ROCK_FILL = """
    -/2 -/.5 C5/.25 D5 ^E5/.5 G5 | ^A5!/1 G5/.25 E5 D5 C5 ^D5/.5 C5 A4/1
    -/2 ^E5/.5 G5 A5 C6 | ^D6!/1 C6/.25 A5 G5 E5 ^G5/.5 E5/.5 ^A4/1
"""
ROCK_BASS = """
    A1/1 -/.5 A1/.5 D2 D2 -/.5 A1/.5 | A1/.5 G1/1 G1/.5 D2/1 A1/.5 A1
    A1/1 -/.5 A1/.5 D2 D2 -/.5 A1/.5 | A1/.5 G1/1 D2/.5 E1/.5 G1 A1/1
"""
ROCK_BASS_CHORUS = """
    D2/.5 D2 D2 D2 D2 D2 C#2 B1 | A1 A1 A1 A1 A1 A1 A1 F#1
    G1 G1 G1 G1 G1 G1 D2 D2 | A1 A1 A1 A1 E1 E1 G#1 B1
"""


def _guitar(drive: float, side: float, bright: float = 0.0) -> list[Effect]:
    return [amplifier(drive, bright), pan(side), room(0.5, -17, 7000, seed=31)]


def _rock_drums() -> list[Note]:
    verse = {
        "kick": "X... ..X. X.X. ....",
        "snare": ".... X... .... X...",
        "closed": "X.x. X.x. X.x. X.x.",
    }
    chorus = {
        **verse,
        "closed": "....",
        "crash2": "X... x... X... x...",
        "ride": "..x. ..x. ..x. ..x.",
    }
    fill = {
        "kick": "X... ..X. X... X...",
        "snare": ".... X... ..XX xXX.",
        "floor": ".... .... .... ..XX",
    }
    bars = [verse, verse, verse, fill, *[chorus] * 3, fill, verse, verse, verse, fill]
    notes = [note for bar, rows in enumerate(bars) for note in grid(4.0 * bar, **rows)]
    crashes = [note for start in (0.0, 16.0, 32.0, 48.0) for note in grid(start, crash="X")]
    return notes + crashes + grid(48.0, kick="X", snare="X")


def rock_riff() -> Session:
    """Two rhythm guitars, lead guitar, bass and drums: riff, chorus, riff."""
    guitar = line(ROCK_RIFF, 0, 104) + line(ROCK_CHORUS, 16, 106) + line(ROCK_RIFF, 32, 106)
    guitar += line(f"{A}!/4", 48, 108)
    lead = line(ROCK_LEAD, 16, 108, 1.0, bent=True) + line(ROCK_FILL, 32, 108, 1.0, bent=True)
    lead = [note.shifted(semitones=-12) for note in lead]
    low = line(ROCK_BASS, 0, 106) + line(ROCK_BASS_CHORUS, 16, 106) + line(ROCK_BASS, 32, 106)
    tracks = [
        Track(Part(CLEAN, guitar, looseness=0.010), -19, _guitar(7, -0.8), seed=1),
        Track(Part(STEEL, guitar, looseness=0.014), -19, _guitar(9, 0.8, 2), seed=2),
        Track(
            Part(CLEAN, lead, looseness=0.012, expressive=True),
            -24,
            [amplifier(18, 3), echo(0.36, -14, 0.4), room(0.9, -13), pan(0.1)],
        ),
        Track(
            Part(BASS, low + line("A1/4", 48, 106), looseness=0.008),
            -18,
            [peak(90, 3), low_pass(3500), saturate(3), compress(-22, 4)],
        ),
        Track(
            Part(RECORDED_KIT, _rock_drums(), looseness=0.006),
            -15,
            [room(0.7, -14, 9000, seed=32), saturate(1.3)],
            soundfont=DRUM_KIT,
        ),
    ]
    return Session([(0.0, 124.0)], 40.5, tracks, [compress(-16, 2.5, 15, 120)], -12, 1.6)
