"""The salsa example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line, pitch_number
from session import Session, Track
from studio import compress, high_pass, pan, peak, room

PIANO, BASS, TRUMPET, TROMBONE = 1, 32, 56, 57
BARS = 16

# One chord a bar, a turn of four bars: i, iv, V7, i in A minor.
TURN = ["Am", "Dm", "E7", "Am"]
ROOTS = {"Am": "A1", "Dm": "D2", "E7": "E2"}
FIFTHS = {"Am": "E2", "Dm": "A2", "E7": "B2"}
# The notes of the montuno: two upper voices alternate with the doubled root or third.
MONTUNO = {
    "Am": ["A4", "C5+E5", "A4", "C5+E5", "G4", "C5+E5", "A4", "C5+E5"],
    "Dm": ["D5", "F4+A4", "D5", "F4+A4", "C5", "F4+A4", "D5", "F4+A4"],
    "E7": ["D5", "E4+G#4", "D5", "E4+G#4", "C5", "E4+G#4", "B4", "E4+G#4"],
}
TWO_SIDE, THREE_SIDE = "X.xx.x.x", ".x.x.x.x"  # the piano's rhythm on either side of the clave
HORNS = """
    -/4 | -/1.5 A4/.5 C5 D5 E5'! -/.5 | -/.5 E5' D5 E5 G5!/1 E5'/.5 -/.5 | D5/.5 C5 A4!/1.5 -/1.5
    -/.5 A4'! -/.5 A4'! -/.5 C5/1 D5/.5 | -/.5 F5'! -/.5 F5'! E5/.5 D5 C5 D5 | E5!/2 -/.5 B4'/.5 D5 C5 | A4!/1 -/3
"""


def _bass() -> list[Note]:
    """The tumbao: the fifth before the third beat, the next root on the fourth, held over."""
    notes = [Note(0.0, 1.3, pitch_number("A1"), 100)]
    for bar in range(BARS):
        chord, after = TURN[bar % 4], TURN[(bar + 1) % 4]
        notes.append(Note(4.0 * bar + 1.5, 1.4, pitch_number(FIFTHS[chord]), 104))
        notes.append(Note(4.0 * bar + 3.0, 2.3, pitch_number(ROOTS[after]), 108))
    return notes


def _piano() -> list[Note]:
    notes: list[Note] = []
    for bar in range(BARS):
        rhythm = (TWO_SIDE, THREE_SIDE)[bar % 2]
        voices = MONTUNO[TURN[bar % 4]]
        for step, mark in enumerate(rhythm):
            if mark == ".":
                continue
            for pitch in map(pitch_number, voices[step].split("+")):
                loud = 108 if mark == "X" else 94
                for octave in (0, -12):
                    notes.append(Note(4.0 * bar + step / 2, 0.42, pitch + octave, loud))
    return notes


def _percussion() -> list[Note]:
    notes: list[Note] = []
    for bar in range(BARS):
        start, two = 4.0 * bar, bar % 2 == 0
        notes += grid(start, 0.5, claves="..X.X..." if two else "X..X..X.")
        notes += grid(start, 0.5, conga_mute=",oX,,oX.", conga="......xx")
        notes += grid(start, 0.5, conga_low="........" if two else "...xx...")
        notes += grid(start, 0.5, bongo="XoxoXoxo" if two else "Xoxo.oxo", bongo_low="......x.")
        notes += grid(start, 0.5, cabasa="xoxoxoxo")
        if bar >= 4:
            notes += grid(start, 0.5, cowbell="X.xoX.xo" if two else "X.xoXoxo")
        else:
            notes += grid(start, 0.5, stick="x.xx.xox" if two else "x.ox.xxo")
    for start in (14.0, 30.0, 46.0, 60.0):
        notes += grid(start, 0.25, timbale="X.xxX.xX", timbale_low="..........xX")
    return notes + [n for s in (16.0, 32.0, 48.0) for n in grid(s, crash="x", kick="x")]


def salsa_montuno() -> Session:
    """Piano, bass, percussion and brass."""
    horns = line(HORNS, 16.0, 104) + line(HORNS, 32.0, 108)
    below = [note.shifted(semitones=-12) for note in horns]
    third = [note.shifted(semitones=-5) for note in horns]
    hall = room(0.8, -13, 9000, seed=5)
    brass = [high_pass(180), peak(2500, 2), hall]
    tracks = [
        Track(Part(BASS, _bass(), looseness=0.01), -18, [peak(80, 3), compress(-24, 3)]),
        Track(Part(PIANO, _piano(), looseness=0.01), -19, [high_pass(150), peak(3000, 3), hall]),
        Track(Part(TRUMPET, horns, looseness=0.012), -21, [*brass, pan(-0.4)]),
        Track(Part(TRUMPET, third, looseness=0.014), -25, [*brass, pan(0.1)], seed=2),
        Track(Part(TROMBONE, below, looseness=0.014), -22, [*brass, pan(0.5)], seed=3),
        Track(
            Part(0, _percussion(), looseness=0.012, drums=True),
            -16,
            [high_pass(70), peak(5000, 2), hall],
        ),
    ]
    return Session([(0.0, 186.0)], 4.0 * BARS, tracks, loudness=-15)
