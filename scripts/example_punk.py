"""The punk example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, grid, line, pitch_number, strum
from session import DRUM_KIT, Session, Track
from studio import amplifier, compress, high_pass, low_pass, pan, room, saturate

CLEAN, STEEL, BASS, RECORDED_KIT = 27, 25, 34, 0
CHORDS = ["A", "A", "F", "G", "A", "A", "F", "G", "C", "G", "A", "F", "C", "G", "A", "F"]
POWER = {"A": "A2+E3+A3", "C": "C3+G3+C4", "F": "F2+C3+F3", "G": "G2+D3+G3"}
BEAT = {"kick": "X... ..X. X.X. ....", "snare": ".... X... .... X..."}
FILL = {"kick": "X... ..X. X... X...", "snare": ".... X... XxXx XXXX"}
EIGHTHS = "X.x. X.x. X.x. X.x."


def _guitar() -> list[Note]:
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        notes += strum("XxxxXxxx", POWER[chord], 4.0 * bar, 0.46, 0.5)
    return notes + line(f"{POWER['A']}/4", 4.0 * len(CHORDS), 110)


def _bass() -> list[Note]:
    """The root on every eighth."""
    notes: list[Note] = []
    for bar, chord in enumerate(CHORDS):
        root = pitch_number(POWER[chord].split("+")[0]) - 12
        notes += [Note(4.0 * bar + step / 2, 0.45, root, 105) for step in range(8)]
    return notes + line("A1/4", 4.0 * len(CHORDS), 110)


def _drums() -> list[Note]:
    """Open hi-hats in the verse, the ride cymbal in the chorus, a fill in every fourth bar."""
    notes: list[Note] = []
    for bar in range(len(CHORDS)):
        start = 4.0 * bar
        notes += grid(start, **(FILL if bar % 4 == 3 else BEAT))
        if bar % 4 != 3:
            notes += grid(start, **{"open" if bar < 8 else "ride": EIGHTHS})
        if bar % 4 == 0:
            notes += grid(start, crash="X")
    return notes + grid(4.0 * len(CHORDS), crash="X")


def punk_chords() -> Session:
    """Two guitars at full gain, bass and drums, fast, on a cheap tape."""
    tape = [compress(-16, 2.5, 15, 120), high_pass(120), low_pass(7000), saturate(3)]
    tracks = [
        Track(Part(CLEAN, _guitar(), looseness=0.014), -18, [amplifier(40, 5), pan(-0.7)], seed=1),
        Track(Part(STEEL, _guitar(), looseness=0.016), -18, [amplifier(50, 6), pan(0.7)], seed=2),
        Track(
            Part(BASS, _bass(), looseness=0.01),
            -19,
            [low_pass(3500), saturate(3), compress(-22, 4)],
        ),
        Track(
            Part(RECORDED_KIT, _drums(), looseness=0.01),
            -16,
            [room(0.7, -14, 9000, seed=32), saturate(1.3)],
            soundfont=DRUM_KIT,
        ),
    ]
    return Session([(0.0, 200.0)], 68.0, tracks, tape, -12, 1.6)
