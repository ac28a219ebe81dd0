"""The jazz example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line, strum, swung
from session import Session, Track
from studio import compress, high_pass, low_pass, pan, peak, room

PIANO, ACOUSTIC_BASS, TENOR, JAZZ_KIT = 0, 32, 66, 32

# Sixteen bars in B flat, after the changes of many standards; the bass walks in quarters.
CHORDS = "Bb6 G7 | Cm7 F7 | Dm7 G7 | Cm7 F7 | Fm7 Bb7 | Eb6 Ab7 | Dm7 G7 | Cm7 F7"
WALK = """
    Bb1/1 D2 G2 F2 | C2 Eb2 F2 A1 | D2 F2 G2 B1 | C2 G1 F1 A1
    F2 Ab2 Bb2 D2  | Eb2 G2 Ab2 C2 | D2 A2 G2 F2 | C2 Eb2 F1 A1
    Bb1 F2 G2 B1   | C2 D2 Eb2 F2 | D2 C2 B1 G1 | C2 Bb1 A1 F1
    F1 C2 Bb1 D2   | Eb2 D2 C2 Ab1 | D2 F2 G1 B1 | C2 F1 A1 C2 | Bb1/4
"""
VOICINGS = {
    "Bb6": "D3+G3+C4+F4",
    "G7": "F3+B3+E4+Ab4",
    "Cm7": "Eb3+G3+Bb3+D4",
    "F7": "Eb3+A3+D4+G4",
    "Dm7": "F3+A3+C4+E4",
    "Fm7": "Eb3+Ab3+C4+G4",
    "Bb7": "D3+Ab3+C4+G4",
    "Eb6": "G3+C4+F4+Bb4",
    "Ab7": "Gb3+C4+F4+Bb4",
}
COMPS = ["...x ..x.", "x... ...o", "..x. .o..", "...x ...x", "x..o ....", ".x.. ..x."]
SOLO = """
    -/.5 F4 D4 F4 Ab4 G4 F4 D4 | Eb4 G4 Bb4 D5 ^C5! A4 F4 Eb4 | D4 F4 A4 C5 B4 G4 F4 Ab4 |
    G4/1 -/.5 C5! Bb4/.5 A4 G4 F4 Ab4/.5 C5 Eb5 G5 F5 D5 Bb4 Ab4 |
    G4/1 -/.5 Bb4 C5 Gb4 F4 Eb4 | F4/.5 A4 C5 E5 D5 B4 Ab4 F4 |
    Eb4/.5 D4 C4 Eb4 G4 ^A4!/1 -/.5 F5!/1.5 D5/.5 ^B4/1 G4 | -/.5 C5 Eb5 D5 C5 A4 Gb4 F4 |
    ^A4/.5 C5 D5 F5 Eb5 Db5 B4 Ab4 | G4/.5 Bb4 D5 C5 A4/1 - -/.5 Ab4 C5 Eb5 D5 Bb4 F4 Ab4 |
    G4/.5 Bb4 Eb5 G5! F#5 Eb5 C5 Ab4 | A4/.5 F4 D4 F4 ^B4!/1 Ab4/.5 F4 |
    G4/.5 Eb4 C4 Eb4 D4 F4 A4 C5 | ^D5/2
"""
BARS = 16


def _comping() -> list[Note]:
    notes: list[Note] = []
    bars = [bar.split() for bar in CHORDS.split("|")] * 2
    for bar, chords in enumerate(bars):
        for half, chord in enumerate(chords):
            row = COMPS[(2 * bar + half) % len(COMPS)].split()[half]
            notes += strum(row, VOICINGS[chord], 4.0 * bar + 2 * half, 0.45, 0.5, softer=14)
    return notes + line("D3+G3+C4+F4+A4/4", 4.0 * BARS, 84)


def _drums() -> list[Note]:
    notes: list[Note] = []
    snares = ["...o ....", ".... .,.o", "..,. ...o", "...o .o.,"]
    for bar in range(BARS):
        start = 4.0 * bar
        notes += grid(start, 0.5, ride="x.xo x.xo", pedal="..x. ..x.", kick=",.,. ,.,.")
        notes += grid(start, 0.5, snare=snares[bar % 4])
        if bar % 8 == 7:
            notes += grid(start, 0.5, snare="..oo xoxo", high=".... .x..", kick=".... ...x")
    return notes + grid(4.0 * BARS, crash="o", kick="o", ride="x")


def jazz_quartet() -> Session:
    """Tenor saxophone, piano, double bass and drums in a small club."""
    club = room(0.9, -13, 7000, seed=3)
    tracks = [
        Track(
            Part(ACOUSTIC_BASS, swung(line(WALK, velocity=98, gate=0.92)), looseness=0.012),
            -19,
            [peak(90, 3), low_pass(5000), compress(-24, 3), room(0.6, -20)],
        ),
        Track(
            Part(PIANO, swung(_comping()), looseness=0.014),
            -23,
            [high_pass(120), pan(-0.35), club],
        ),
        Track(
            Part(TENOR, swung(line(SOLO, velocity=92)), looseness=0.018),
            -19,
            [high_pass(150), peak(1200, -2), pan(0.15), club],
        ),
        Track(
            Part(JAZZ_KIT, swung(_drums()), looseness=0.008, drums=True),
            -22,
            [high_pass(40), peak(8000, 2), club],
        ),
    ]
    return Session([(0.0, 168.0)], 4.0 * BARS + 3.5, tracks, loudness=-16, warmth=1.1)
