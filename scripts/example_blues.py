"""The two shuffles, composed for this project (MIT licence like the rest).

One is a blues on two acoustic guitars. The other, by a band, stands between blues, country,
jazz and rock: the example of which a model should be unsure.
"""

from midi_score import Note, Part, grid, line, pitch_number
from session import Session, Track
from studio import (
    Effect,
    amplifier,
    chain,
    compress,
    high_pass,
    low_pass,
    pan,
    peak,
    room,
    saturate,
)

STEEL, CLEAN, BASS, ROOM_KIT = 25, 27, 33, 8
THIRD = 1 / 3
CHORDS = ["E", "A", "E", "E", "A", "A", "E", "B"]
SOLO = """
    -/1 ^B4!/.667 D5/.333 E5/1.333 ^G5/.333 E5 D5
    ^C#5!/1 A4/.333 G4 E4 ^G4/.667 A4/1.333 -/.667
    -/.333 E5 ^G#5 B5!/1 ^A5/.333 G5 E5 D5 ^B4/1
    E4/.333 G4 A4 ^B4!/1.333 D5/.333 ^E5!/1.333 -/.333
    ^E5/.333 G5 ^A5! A5/.667 G5/.333 E5/.667 D5/.333 C5/1
    ^E5/.667 D5/.333 C5 A4 G4 A4/1.667 -/.333 E4
    ^G4/.667 B4/.333 ^D5/.667 E5/1.667 -/.333 D5/.333 B4/.333
    ^F#5!/1 D#5/.333 B4 A4 ^G4/.667 E4/1.333
    E4+B4+E5/3
"""
SHUFFLE = {"E": "E2 B2 C#3 D3", "A": "A2 E3 F#3 G3", "B": "B2 F#3 G#3 A3"}


def _rhythm() -> list[Note]:
    """The boogie figure: the root with the fifth, sixth and seventh above it in turn."""
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        root, fifth, sixth, seventh = map(pitch_number, SHUFFLE[chord].split())
        for beat, upper in enumerate((fifth, sixth, seventh, sixth)):
            for at, loud in ((0.0, 98), (2 * THIRD, 80)):
                start = 4.0 * bar + beat + at
                notes += [Note(start, 0.3, root, loud), Note(start + 0.01, 0.3, upper, loud)]
    return notes


def blues_shuffle() -> Session:
    """One guitar keeps the shuffle, another answers on its low strings with bent notes."""
    body: list[Effect] = [peak(250, 4), low_pass(6000)]
    solo = [n.shifted(semitones=-12) for n in line(SOLO, velocity=104, gate=1.0, bent=True)]
    close = chain(peak(1200, 4), saturate(3), room(0.5, -14))
    tracks = [
        Track(Part(STEEL, _rhythm(), looseness=0.018), -20, [*body, room(0.4, -16)]),
        Track(Part(STEEL, solo, looseness=0.02, expressive=True), -15, [*body, close], seed=3),
    ]
    return Session([(0.0, 104.0)], 34.0, tracks, loudness=-16, mono=True)


def _bass() -> list[Note]:
    """An arpeggio of each chord that walks up to the sixth."""
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        root = pitch_number(SHUFFLE[chord].split()[0]) - 12
        for beat, step in enumerate((0, 4, 7, 9)):
            notes.append(Note(4.0 * bar + beat, 0.62, root + step, 100))
            notes.append(Note(4.0 * bar + beat + 2 * THIRD, 0.28, root + step, 84))
    return notes


def _drums() -> list[Note]:
    notes: list[Note] = []
    for bar in range(len(CHORDS)):
        start = 4.0 * bar
        notes += grid(start, THIRD, ride="x.o x.o x.o x.o", kick="X.. ..o x.. ..o")
        if bar % 4 == 3:
            notes += grid(start, THIRD, snare="... X.. ..x Xxx", floor="... ... ... ..X")
        else:
            notes += grid(start, THIRD, snare="..,X.,..oX.,")
    return notes + grid(4.0 * len(CHORDS), crash="x", kick="X")


def between_genres() -> Session:
    """Two electric guitars, bass and drums."""
    club = room(0.7, -14, 7000, seed=11)
    solo = line(SOLO, velocity=104, gate=1.0)
    tracks = [
        Track(Part(BASS, _bass(), looseness=0.012), -18, [low_pass(2500), compress(-24, 3)]),
        Track(
            Part(CLEAN, _rhythm(), looseness=0.012),
            -22,
            [amplifier(2.0), high_pass(90), pan(-0.5), club],
        ),
        Track(
            Part(CLEAN, solo, looseness=0.02),
            -17,
            [amplifier(5.0, 2), compress(-24, 3), peak(1500, 2), pan(0.1), club],
        ),
        Track(
            Part(ROOM_KIT, _drums(), looseness=0.012, drums=True),
            -19,
            [peak(70, 2), room(0.6, -12), compress(-22, 2), saturate(1.2)],
        ),
    ]
    return Session([(0.0, 84.0)], 25.0, tracks, loudness=-16)
