"""The country example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line, pitch_number, strum
from session import Session, Track
from studio import compress, high_pass, pan, peak, room, saturate

STEEL, FIDDLE, BANJO, BASS, PEDAL_STEEL, ROOM_KIT = 25, 110, 105, 32, 26, 8

CHORDS = ["G", "G", "C", "G", "G", "Em", "D", "D", "G", "G", "C", "G", "C", "D", "G", "G"]
VOICES = {
    "G": "G3+B3+D4+G4+B4",
    "C": "G3+C4+E4+G4+C5",
    "D": "A3+D4+F#4+A4+D5",
    "Em": "G3+B3+E4+G4+B4",
}
LOW = {"G": ("G1", "D2"), "C": ("C2", "G1"), "D": ("D2", "A1"), "Em": ("E2", "B1")}
ROLL = {
    "G": "G3 B3 D4 G4 B3 D4 G4 D4",
    "C": "G3 C4 E4 G4 C4 E4 G4 E4",
    "D": "A3 D4 F#4 A4 D4 F#4 A4 F#4",
    "Em": "G3 B3 E4 G4 B3 E4 G4 E4",
}
FIDDLE_TUNE = """
    D5/.5 E5 G5/1 G5/.5 A5 B5 A5 | G5/1 E5/.5 D5 E5/2 | ^E5/.5 G5 A5/1 G5/.5 E5 C5 E5 |
    D5/1 B4/.5 D5 G4/2 D5/.5 E5 G5/1 G5/.5 A5 B5 D6 | ^B5/1 A5/.5 G5 E5/2 |
    ^F#5/.5 A5 D6/1 C6/.5 A5 F#5 A5 | D5/3 -/1
"""
STEEL_TUNE = """
    ^B4+D5/2 ^D5+G5/2 | B4+D5/1 ^B4+D5/1 G4+B4/2 | ^C5+E5/2 E5+G5/2 | ^B4+D5/4
    ^C5+E5/1 E5+G5/1 G5+C6/2 | ^F#5+A5/2 D5+F#5/2 | ^B4+D5/1 D5+G5/1 ^B4+D5/2 | G4+B4/4
"""


def _two_step() -> list[Note]:
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        root, fifth = map(pitch_number, LOW[chord])
        notes += [Note(4.0 * bar, 1.5, root, 104), Note(4.0 * bar + 2, 1.5, fifth, 98)]
    return notes


def _strummed() -> list[Note]:
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        for step, mark in enumerate(",.X.,oXo"):
            hit = strum(mark, VOICES[chord], 4.0 * bar + step / 2, 0.42, softer=14)
            up = step % 2
            order = sorted(hit, key=lambda n: -n.pitch if up else n.pitch)
            notes += [n.shifted(beats=0.018 * i) for i, n in enumerate(order)]
    return notes


def _rolls() -> list[Note]:
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        text = " ".join(f"{name}/.5" for name in ROLL[chord].split())
        notes += line(text, 4.0 * bar, 84 + 6 * (bar % 2))
    return notes


def _train_beat() -> list[Note]:
    notes: list[Note] = []
    for bar in range(len(CHORDS)):
        notes += grid(
            4.0 * bar, 0.25, snare=",,X,,,X,,,X,,,Xo" if bar % 4 == 3 else ",,x,,,x,,,x,,,x,"
        )
        notes += grid(4.0 * bar, 0.25, kick="X.......X.......", pedal="....x.......x...")
    return notes


def country_two_step() -> Session:
    """Fiddle, pedal steel, banjo, acoustic guitar, bass and a train beat."""
    parlour = room(0.7, -15, 8000, seed=41)
    tracks = [
        Track(Part(BASS, _two_step(), looseness=0.01), -18, [peak(90, 3), compress(-24, 3)]),
        Track(Part(STEEL, _strummed(), looseness=0.008), -21, [high_pass(150), pan(-0.6), parlour]),
        Track(Part(BANJO, _rolls(), looseness=0.012), -26, [high_pass(250), pan(0.6), parlour]),
        Track(
            Part(FIDDLE, line(FIDDLE_TUNE, 0.0, 96), looseness=0.015),
            -20,
            [high_pass(200), peak(2800, -2), pan(0.2), parlour],
        ),
        Track(
            Part(PEDAL_STEEL, line(STEEL_TUNE, 32.0, 98, 1.05), bank=8, looseness=0.012),
            -19,
            [high_pass(200), peak(1500, 2), pan(-0.2), room(1.2, -11)],
        ),
        Track(
            Part(ROOM_KIT, _train_beat(), looseness=0.01, drums=True),
            -22,
            [room(0.5, -14), saturate(1.2)],
        ),
    ]
    return Session([(0.0, 168.0)], 48.0, tracks, loudness=-16)
