"""The country and the folk example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line, pitch_number, strum
from session import Session, Track
from studio import compress, high_pass, pan, peak, room, saturate

NYLON, STEEL, CLEAN, FIDDLE, BANJO, BASS, HARMONICA, PEDAL_STEEL = 24, 25, 27, 110, 105, 32, 22, 26
ROOM_KIT, CELLO, FLUTE = 8, 42, 73

# --- Country: two-step in G -----------------------------------------------------------------

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
    D5/.5 E5 G5/1 G5/.5 A5 B5 A5 | G5/1 E5/.5 D5 E5/2 | ^E5/.5 G5 A5/1 G5/.5 E5 C5 E5 | D5/1 B4/.5 D5 G4/2
    D5/.5 E5 G5/1 G5/.5 A5 B5 D6 | ^B5/1 A5/.5 G5 E5/2 | ^F#5/.5 A5 D6/1 C6/.5 A5 F#5 A5 | D5/3 -/1
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
        notes += grid(4.0 * bar, 0.25, snare=",,X,,,X,,,X,,,Xo" if bar % 4 == 3 else ",,x,,,x,,,x,,,x,")
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
    return Session([(0.0, 168.0)], 64.0, tracks, loudness=-16)


# --- Folk: one guitar, picked with the thumb on every beat -----------------------------------

FOLK_CHORDS = ["C", "G", "Am", "F", "C", "G", "F", "G", "Am", "Em", "F", "C"]
PICKS = {
    "C": ("C3", "G3", "E3", "C4", "E4", "G4"),
    "G": ("G2", "D3", "B2", "B3", "D4", "G4"),
    "Am": ("A2", "E3", "C3", "C4", "E4", "A4"),
    "F": ("F2", "C3", "A2", "A3", "C4", "F4"),
    "Em": ("E2", "B2", "G2", "B3", "E4", "G4"),
}
TOPS = {"C": "E5", "G": "D5", "Am": "C5", "F": "A4", "Em": "B4"}


def _travis() -> list[Note]:
    """The thumb alternates between bass strings; the fingers fill in between."""
    notes: list[Note] = []
    for bar, chord in enumerate(FOLK_CHORDS):
        root, fifth, third, low, mid, high = map(pitch_number, PICKS[chord])
        start = 4.0 * bar
        for beat, pitch in enumerate((root, fifth, third, fifth)):
            notes.append(Note(start + beat, 0.95, pitch, 92 if beat % 2 == 0 else 80))
        fingers = [(0.0, high, 88), (1.5, mid, 74), (2.5, high, 84), (3.0, low, 66), (3.5, mid, 76)]
        if bar % 2:
            fingers = [(0.5, mid, 76), (1.5, high, 86), (2.0, low, 66), (2.5, mid, 74), (3.5, high, 80)]
        notes += [Note(start + at, 1.4, pitch, loud) for at, pitch, loud in fingers]
        notes.append(Note(start, 2.0, pitch_number(TOPS[chord]), 90))
    return notes + line("C3+G3+E4+C5/4", 4.0 * len(FOLK_CHORDS), 84)


def folk_fingers() -> Session:
    """A steel-string guitar in a small room."""
    guitar = Part(STEEL, _travis(), looseness=0.012)
    tracks = [Track(guitar, -18, [high_pass(70), peak(220, -2), peak(5000, 3), room(0.6, -15)])]
    return Session([(0.0, 126.0), (44.0, 122.0), (48.0, 108.0)], 52.0, tracks, loudness=-18, warmth=1.0)
