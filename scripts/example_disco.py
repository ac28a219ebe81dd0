"""The disco example, composed for this project (MIT licence like the rest)."""

from itertools import pairwise

from midi_score import Note, Part, grid, line, pitch_number, strum
from session import Session, Track
from studio import chorus, compress, high_pass, pan, peak, room, saturate

ELECTRIC_PIANO, CLAVINET, MUTED_GUITAR, FINGER_BASS = 4, 7, 28, 33
STRINGS, BRASS, STANDARD_KIT = 48, 61, 0

# One chord a bar; bar 0 is the pick-up and bar 13 the last chord.
CHORDS = ["E7", "Am", "Am", "F", "G", "Am", "Am", "F", "G", "Dm", "Em", "F", "E7", "Am9"]
ROOTS = {"E7": "E2", "Am": "A1", "F": "F1", "G": "G1", "Dm": "D2", "Em": "E2", "Am9": "A1"}
VOICINGS = {
    "E7": "G#3+D4+E4+B4",
    "Am": "G3+C4+E4+A4",
    "F": "A3+C4+E4+F4",
    "G": "B3+D4+G4+A4",
    "Dm": "A3+C4+D4+F4",
    "Em": "B3+D4+E4+G4",
    "Am9": "G3+B3+C4+E4",
}
CLAVINET_ROWS = ["x..o x.ox ..xo .xo.", "x..o ..ox x.xo ..xx"]
GUITAR_ROWS = [",,x, ,oX, ,,xo ,,Xo", "o,x, ,,Xo ,x,, o,X,"]
PIANO_ROWS = ["..x. ..x. ..x. .ox.", "..x. ..x. .x.. x.x."]

# Strings, bars 5-8 (long notes in octaves) and 9-12 (an answer of falling runs).
STRING_THEME = """
    E5/1.5 D5/.5 C5/1 E5     | D5/.5 E5/1 A5!/1.5 G5/1
    A5/1.5 G5/.5 F5/1 E5     | D5/1 G5 B5!/1 D5/.25 E5 G5 B5
    D6!/1.5 C6/.5 A5/1 F5    | B5/1.5 A5/.5 G5/1 E5
    C6!/1 A5/.25 G5 F5 E5 F5/1 A5 | B5!/1 -/1 E5/.25 F#5 G#5 A5 B5 C6 D6 E6
"""
PICKUP_RUN = "-/2 E4/.25 F#4 G#4 A4 B4 C5 D5 D#5"
STABS = ["-/.5 {c}'!/.5 -/.75 {c}'/.25 {c}'/.5 -/1.5", "-/1.5 {c}'!/.5 -/.5 {c}'/.5 {c}/1"]
BRASS_CHORDS = {"Dm": "D4+F4+A4+D5", "Em": "E4+G4+B4+E5", "F": "F4+A4+C5+F5", "E7": "E4+G#4+D5+E5"}

FLOOR_BEAT = {
    "kick": "X... X... X... X...",
    "open": "..X. ..X. ..X. ..X.",
    "closed": "x.,o x.,o x.,o x.,o",
    "snare": ".... X... .... X...",
    "clap": ".... x... .... x...",
}
CONGA_ROWS = [
    {
        "conga_mute": "x..o .... x..o ....",
        "conga": ".... ..x. .... ..xx",
        "conga_low": ".... ...x ..x. ....",
    },
    {
        "conga_mute": "x... o..o x... ....",
        "conga": "..x. .... ..x. ..o.",
        "conga_low": ".... ..x. .... x..x",
    },
]
PICKUP_FILL = {
    "kick": "X... X... X... X...",
    "snare": "X.x. xxX. xxXx XXXX",
    "open": "..X. ..X. .... ....",
    "high": ".... .... X... ....",
    "floor": ".... .... ..X. ...X",
}
SECTION_FILL = {
    "kick": "X... X... X... X...",
    "open": "..X. ..X. ..X. ....",
    "closed": "x.,o x.,o x... ....",
    "snare": ".... X... ..x. XxXX",
    "clap": ".... x... .... x...",
    "mid": ".... .... ...x ..x.",
}


def _octave_bass() -> list[Note]:
    """Low note on the beat, its octave off the beat; the last beat leads to the next root."""
    notes: list[Note] = []
    for bar, (chord, after) in enumerate(pairwise(CHORDS[1:]), start=1):
        root, target = pitch_number(ROOTS[chord]), pitch_number(ROOTS[after])
        approach = target - 2 if target > root else target + 2 if target < root else root + 7
        steps = [(0, 0), (2, 12), (4, 0), (6, 12), (8, 0), (10, 12), (12, 0), (14, approach - root)]
        if bar % 2 == 0:
            steps += [(7, 12), (13, 12)]
        notes += [Note(4.0 * bar + s / 4, 0.22, root + up, 104 - 8 * (up > 0)) for s, up in steps]
    return notes + line("E2/.5 E3 E2 E3 E2 E3 F#2 G#2", 0.0, 100, gate=0.6) + line("A1/3", 52.0)


def _rhythm(rows: list[str], first: int, length: float, softer: int, up: int = 0) -> list[Note]:
    """A chord pattern, alternating its rows bar by bar from the given bar to bar 12."""
    notes: list[Note] = []
    for bar in range(first, 13):
        row, chord = rows[bar % len(rows)], VOICINGS[CHORDS[bar]]
        notes += strum(row, chord, 4.0 * bar, length, softer=softer)
    return [note.shifted(semitones=up) for note in notes]


def _strings() -> list[Note]:
    upper = line(PICKUP_RUN, 0.0, 96, gate=1.0) + line(STRING_THEME, 20.0, 92, gate=0.98)
    lower = [note.shifted(semitones=-12) for note in upper if note.start >= 20.0]
    # Held tones under the first groove, so that the strings do not vanish after the pick-up.
    held = line("E5!/.5 -/3.5 -/2 A4+E5/2 | A4+C5/4 B4+D5/4", 4.0, 76)
    return upper + lower + held + line("E5+A5+B5/3", 52.0, 96)


def _brass() -> list[Note]:
    notes = line("E4+G#4+D5'!/.5 -/1.5", 0.0, 96) + line("A4+C5+E5'!/.5", 4.0, 100)
    for bar in range(9, 13):
        text = STABS[bar % 2].format(c=BRASS_CHORDS[CHORDS[bar]])
        notes += line(text, 4.0 * bar, 98)
    return notes + line("G4+C5+E5!/1.5", 52.0, 100)


def _drums() -> list[Note]:
    notes = grid(0.0, **PICKUP_FILL)
    for bar in range(1, 13):
        notes += grid(4.0 * bar, **(SECTION_FILL if bar % 4 == 0 else FLOOR_BEAT))
        notes += grid(4.0 * bar, **CONGA_ROWS[bar % 2])
        if bar >= 5:
            notes += grid(4.0 * bar, tamb="..o, ..o, ..o, ..o,")
    crashes = [note for start in (4.0, 20.0, 36.0, 52.0) for note in grid(start, crash="X")]
    return notes + crashes + grid(52.0, kick="X", snare="X")


def disco_groove() -> Session:
    """Bass in octaves, clavinet, guitar, electric piano, strings, brass and drums.

    The mix has little below 90 Hz and bright cymbals, as records of the 1970s have.
    """
    hall = room(1.4, -10, 9000, seed=71)
    studio = room(0.5, -15, 9000, seed=72)
    tracks = [
        Track(
            Part(FINGER_BASS, _octave_bass(), looseness=0.005),
            -17,
            [peak(90, 3), compress(-24, 4), saturate(2)],
        ),
        Track(Part(CLAVINET, _rhythm(CLAVINET_ROWS, 1, 0.15, 8)), -25, [high_pass(250), pan(-0.4)]),
        Track(
            Part(MUTED_GUITAR, _rhythm(GUITAR_ROWS, 1, 0.1, 6, up=12)),
            -28,
            [high_pass(300), peak(3000, 4), pan(0.6), studio],
        ),
        Track(Part(ELECTRIC_PIANO, _rhythm(PIANO_ROWS, 5, 0.3, 14)), -26, [chorus(), pan(-0.3)]),
        Track(Part(STRINGS, _strings()), -19, [high_pass(250), peak(3500, 2), hall]),
        Track(Part(BRASS, _brass()), -19, [high_pass(200), pan(0.2), hall]),
        Track(
            Part(STANDARD_KIT, _drums(), looseness=0.003, drums=True),
            -15,
            [peak(60, 3), compress(-22, 3), studio, saturate(1.4)],
        ),
    ]
    bus = [high_pass(90), peak(8000, 3)]
    return Session([(0.0, 120.0)], 57.4, tracks, bus, loudness=-12, warmth=1.5)
