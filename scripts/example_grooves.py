"""The blues and the rock example, composed for this project (MIT licence like the rest)."""

from midi_score import Note, Part, Score, grid, line, strum, swung

PIANO, JAZZ_GUITAR, OVERDRIVEN, DISTORTED = 0, 26, 29, 30
ACOUSTIC_BASS, PICKED_BASS = 32, 34
STANDARD_KIT, POWER_KIT = 0, 16

# --- Twelve-bar blues in F. Written in straight eighths, then swung. -----------------------

WALKING_BASS = """
    F2/1 A2 C3 D3   | Bb2 Ab2 G2 Gb2  | F2 G2 A2 C3     | F3/1 Eb3/.5 Eb3 D3/1 B2
    Bb2/1 D3 F3 D3  | B2 D3 F3 B2     | C3 F2 A2 C#3    | D3/1 C3/.5 A2 A2/1 Ab2
    G2/1 Bb2 D3 Db3 | C3 E3 G2 E2     | F2 A2 D3 F#2    | G2/1 Bb2/.5 D3 C3/1 E2
    F2/3
"""
# Voicings without their roots, which are the bass player's. Two chords to the bar.
VOICINGS = {
    "F": "Eb4+A4+D5",
    "F9": "A3+Eb4+G4",
    "Bb": "Ab3+D4+G4",
    "Bo": "Ab3+D4+F4",
    "D": "C4+F#4+B4",
    "Gm": "Bb3+D4+F4",
    "C": "Bb3+E4+A4",
    "Cb9": "Bb3+E4+Db5",
}
BLUES_CHORDS = [
    "F F",
    "Bb Bb",
    "F9 F9",
    "F F",
    "Bb Bb",
    "Bo Bo",
    "F9 F",
    "D D",
    "Gm Gm",
    "C Cb9",
    "F D",
    "Gm C",
]
COMPING = ["x..o .o..", "..x. ..o.", "o..x ...x", ".x.. o.xo"]
# Call (bars 1-2), answer (3-4), the call higher (5-6), and so on; ^ slurs into the note.
BLUES_SOLO = """
    -/1 C5/.5 D5 F5 Ab5 ^A5! F5      | Ab5/1 F5/.5 D5/1.5 -/1
    -/.5 C5 Eb5 F5! Eb5 C5 ^A4 C5    | F4/1.5 -/1.5 C5/.5 Eb5
    F5/.5 Ab5 F5 Ab5 Bb5!/1 Ab5/.5 F5 | Ab5/.5 F5 D5 B4 D5/1 -
    -/.5 C5 D5 F5 ^A5!/1 C6          | C6/.5 A5 F#5 Eb5 D5/1 -
    -/.5 G4 Bb4 D5 F5 A5 G5 F5       | ^E5/.5 G5 Bb5! Ab5 G5 E5 Db5 C5
    ^A4/.5 C5 Eb5 F5 F#5! D5 C5 A4   | Bb4/.5 D5 F5 D5 E5 C5 Bb4 G4
    ^A4+F5/3
"""


def _blues_piano() -> list[Note]:
    notes: list[Note] = []
    for bar, chords in enumerate(BLUES_CHORDS):
        rows = COMPING[bar % len(COMPING)].split()
        for half, (row, chord) in enumerate(zip(rows, chords.split(), strict=True)):
            start = 4.0 * bar + 2.0 * half
            notes += strum(row, VOICINGS[chord], start, 0.4, step=0.5, softer=4)
    return notes + line("F3+A3+Eb4+G4+D5/3", 48.0, 92)


def _blues_drums() -> list[Note]:
    notes: list[Note] = []
    for bar in range(12):
        start, last_of_phrase = 4.0 * bar, bar % 4 == 3
        notes += grid(start, 0.5, ride="x.Xx x.Xx", pedal="..X. ..X.", kick="x.o. x.oo")
        if last_of_phrase:
            notes += grid(start, 0.5, snare="..Xo oxoX", mid=".... ..x.", floor=".... ...x")
        else:
            notes += grid(start, 0.5, snare=["..X. ..X,", "..X, .oX.", ",.X. ..Xo"][bar % 4])
    crash = grid(0.0, crash="x") + grid(48.0, crash="X", kick="X")
    return notes + crash


def blues_shuffle() -> Score:
    parts = [
        Part(ACOUSTIC_BASS, swung(line(WALKING_BASS, velocity=100, gate=0.9)), 122, 60, 20),
        Part(PIANO, swung(_blues_piano()), 122, 44, 40),
        Part(JAZZ_GUITAR, swung(line(BLUES_SOLO, velocity=96)), 88, 82, 45, looseness=0.012),
        Part(STANDARD_KIT, swung(_blues_drums()), 127, 64, 35, drums=True),
    ]
    return Score([(0.0, 112.0), (46.0, 106.0)], parts, beats=52.6, drive=1.6)


# --- Rock in E minor: intro riff, gallop, chorus with a lead guitar, riff again ------------

E5, G5, A5, BB5 = "E2+B2+E3", "G2+D3+G3", "A2+E3+A3", "Bb2+F3+Bb3"
RIFF = f"""
    {E5}!/1 E2'/.25 E2' E2'/.5 {G5} E2' {A5}/1 | {E5}!/1 E2'/.25 E2' E2'/.5 {BB5}! {A5} {G5}/1
"""
GALLOP_BAR = "E2'!/.5 E2'/.25 E2' " * 3
GALLOP = f"""
    {GALLOP_BAR} {G5}/.5 F#2+C#3+F#3 | {GALLOP_BAR} {A5}/.5 {G5}
    {GALLOP_BAR} {G5}/.5 {A5}        | E2'!/.5 E2'/.25 E2' E2'/.5 E2' C3+G3+C4/1 D3+A3+D4
"""
CHORUS = f"""
    {E5}!/2.5 {E5}/.5 {E5}/1           | C3+G3+C4!/2.5 C3+G3+C4/.5 C3+G3+C4/1
    {G5}!/2.5 {G5}/.5 F#2+D3+F#3/1     | D3+A3+D4!/2 B2+F#3+B3!/1 B2+F#3+B3/.5 B2+F#3+B3
"""
LAST_BAR = f"{E5}!/.5 E2' {G5}! E2' {A5}! E2'/.25 E2' {BB5}!/.5 {A5}! | {E5}!/4"
CHORUS_BASS = """
    E1/.5 E1 E1 E1 E1 E1 G1 B1 | C2 C2 C2 C2 C2 C2 B1 A1
    G1/.5 G1 G1 G1 G1 G1 F#1 E1 | D2 D2 D2 D2 B1 B1 A1 F#1
"""
LEAD_CHORUS = """
    B4/1.5 E5/.5 G5/1 F#5/.5 E5 | G5/2 E5/1 D5/.5 E5
    B5!/1.5 A5/.5 G5/1 D5       | ^F#5!/1 A5 D6!/1.5 B5/.5
"""
LEAD_RUN = """
    E6!/1 D6/.25 B5 A5 B5 G5/.5 A5 E5/1 | B5/.25 D6 B5 A5 G5 A5 G5 E5 D5 E5 G5 A5 ^B5!/1
"""
INTRO_BEATS = [
    {"kick": "X... ..X. X.X. X...", "crash": "X... .... .... ...."},
    {"kick": "X... ..X. X.X. ....", "snare": ".... .... .... xxXX", "floor": ".... .... X.X. ...."},
]
RIFF_BEATS = [
    {"kick": "X... xxx. x... x.x.", "snare": ".... X... .... X...", "open": "X.x. X.x. X.x. X.x."},
    {"kick": "X... xxx. ..x. x...", "snare": ".... X... .... X..o", "open": "X.x. X.x. X.x. X.x."},
]
GALLOP_BEATS = [
    {
        "kick": "X.xx X.xx X.xx x.x.",
        "snare": ".... X... .... X...",
        "closed": "X.x. X.x. X.x. X.x.",
    },
    {
        "kick": "X.xx X.xx X.xx x...",
        "snare": ".... X... .... X.oX",
        "closed": "X.x. X.x. X.x. X...",
    },
]
GALLOP_FILL = {
    "kick": "X.xx X... x.x. x.x.",
    "snare": ".... X.xx .... ....",
    "high": ".... .... XxX. ....",
    "mid": ".... .... ...X Xx..",
    "floor": ".... .... .... ..XX",
}
CHORUS_BEAT = {
    "kick": "X.x. ..x. X.x. ..x.",
    "snare": ".... X... .... X...",
    "crash2": "X... x... X... x...",
}
FINAL_FILL = {
    "kick": "X... X... X... X.X.",
    "snare": "X.xx X.xx XxXx ....",
    "high": ".... .... .... XX..",
    "floor": ".... .... .... ..XX",
    "crash": "X... X... X... ....",
}


def _rock_guitar() -> list[Note]:
    sections = [(RIFF, 0), (RIFF, 8), (GALLOP, 16), (CHORUS, 32), (RIFF, 48), (LAST_BAR, 56)]
    return [note for text, start in sections for note in line(text, start, 104)]


def _rock_bass() -> list[Note]:
    """An octave under the lowest guitar note, but running eighths under the chorus."""
    lowest: dict[float, Note] = {}
    for note in sorted(_rock_guitar(), key=lambda n: n.pitch):
        if not 32.0 <= note.start < 48.0:
            lowest.setdefault(note.start, note)
    under = [note.shifted(semitones=-12) for note in lowest.values()]
    return under + line(CHORUS_BASS, 32.0, 106, gate=0.85)


def _rock_drums() -> list[Note]:
    bars = [
        *INTRO_BEATS,
        *RIFF_BEATS,
        *GALLOP_BEATS,
        GALLOP_BEATS[0],
        GALLOP_FILL,
        CHORUS_BEAT,
        CHORUS_BEAT,
        CHORUS_BEAT,
        GALLOP_FILL,
        *RIFF_BEATS,
        FINAL_FILL,
        {"kick": "X", "crash": "X", "crash2": "X", "snare": "X"},
    ]
    notes = [note for bar, rows in enumerate(bars) for note in grid(4.0 * bar, **rows)]
    section_starts = (8.0, 16.0, 32.0, 48.0)
    return notes + [note for start in section_starts for note in grid(start, crash="X")]


def rock_riff() -> Score:
    lead = line(LEAD_CHORUS, 32.0, 108) + line(LEAD_RUN, 48.0, 110) + line("B5+E6/4", 60.0, 96)
    parts = [
        Part(DISTORTED, _rock_guitar(), 100, 14, 22, looseness=0.010),
        Part(DISTORTED, _rock_guitar(), 100, 114, 22, looseness=0.014),
        Part(OVERDRIVEN, lead, 100, 70, 60),
        Part(PICKED_BASS, _rock_bass(), 118, 64, 5),
        Part(POWER_KIT, _rock_drums(), 120, 64, 30, looseness=0.004, drums=True),
    ]
    return Score([(0.0, 138.0)], parts, beats=66.0, drive=1.9)
