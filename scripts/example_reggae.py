"""The reggae example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line, strum
from session import DRUM_KIT, Session, Track
from studio import compress, echo, high_pass, low_pass, pan, peak, room, saturate

ORGAN, PIANO, GUITAR, BASS, RECORDED_KIT = 16, 0, 27, 33, 0
BARS = 8
CHORDS = ["Am", "Am", "Dm", "G", "Am", "Am", "Dm", "Em"]
LOW = {"Am": "A3+C4+E4", "Dm": "A3+D4+F4", "G": "B3+D4+G4", "Em": "B3+E4+G4"}
HIGH = {"Am": "A4+C5+E5", "Dm": "A4+D5+F5", "G": "G4+B4+D5", "Em": "G4+B4+E5"}
BASS_LINE = """
    A1/.75 A1/.25 C2/.5 E2/1 -/.5 D2/.5 C2 | A1/1 -/.5 G1/.5 A1/1 C2/.5 A1
    D2/.75 D2/.25 F2/.5 A2/1 -/.5 G2/.5 F2 | G1/1 -/.5 B1/.5 D2/1 B1/.5 G1
    A1/.75 A1/.25 C2/.5 E2/1 -/.5 D2/.5 C2 | A1/1 -/.5 G1/.5 A1/1 C2/.5 A1
    D2/.75 D2/.25 F2/.5 A2/1 -/.5 G2/.5 F2 | E2/1 -/.5 E2/.5 G2/1 B1/.5 G1
    A1/3
"""


def _drums() -> list[Note]:
    """One drop: bass drum and rim together on the third beat."""
    notes: list[Note] = []
    for bar in range(BARS):
        start = 4.0 * bar
        hats = ["x.o, x.o, x.ox x.o,", "x.o, x,o, x.o, xoo,"][bar % 2]
        notes += grid(start, 0.25, closed=hats, kick=".... .... X... ....")
        notes += grid(
            start, 0.25, stick=".... .... X... ...o" if bar % 2 else ".... ..o. X... ...."
        )
        if bar % 4 == 3:
            notes += grid(start, 0.25, snare=".... .... .... x.Xx", high=".... .... ..x. ....")
            notes += grid(start, 0.25, open=".... .... .... ..X.")
    return notes + grid(4.0 * BARS, crash="x", kick="X")


def _skank(chords: dict[str, str], row: str, length: float, softer: int) -> list[Note]:
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        notes += strum(row, chords[chord], 4.0 * bar, length, 0.25, softer=softer)
    return notes


def reggae_one_drop() -> Session:
    """A riddim: drums, bass, guitar and piano off the beat, bubbling organ, tape echo."""
    beat = 60 / 74
    plate = room(1.2, -14, 6000, seed=7)
    after = "..X. ..X. ..X. ..X."
    bubble = ".x.x .x.x .x.x .x.x"
    tracks = [
        Track(
            Part(BASS, line(BASS_LINE, velocity=110, gate=0.85), looseness=0.012),
            -11,
            [low_pass(900), peak(75, 5), compress(-22, 3), saturate(1.5)],
        ),
        Track(
            Part(RECORDED_KIT, _drums(), looseness=0.01),
            -20,
            [peak(70, 3), room(0.5, -16), compress(-22, 2), echo(0.75 * beat, -14, 0.5)],
            soundfont=DRUM_KIT,
        ),
        Track(
            Part(GUITAR, _skank(HIGH, after, 0.13, 10), looseness=0.01),
            -21,
            [high_pass(400), peak(2500, 3), pan(-0.5), plate, echo(0.75 * beat, -10, 0.5)],
        ),
        Track(
            Part(PIANO, _skank(LOW, after, 0.18, 14), looseness=0.01),
            -24,
            [high_pass(250), pan(0.4), plate],
        ),
        Track(
            Part(ORGAN, _skank(LOW, bubble, 0.14, 20), looseness=0.012),
            -22,
            [high_pass(200), low_pass(3500), pan(0.6)],
        ),
    ]
    return Session([(0.0, 74.0)], 33.0, tracks, loudness=-15, warmth=1.4)
