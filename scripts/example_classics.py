"""The two public-domain examples, from the scores of Bach and Pachelbel."""

from midi_score import Note, Part, Score, line, pitch_number

PIANO, HARPSICHORD, CELLO, CONTRABASS, STRINGS = 0, 6, 42, 43, 48

# Prelude in C major, BWV 846, bars 1 to 11: the five notes of each bar's broken chord.
PRELUDE_BARS = [
    "C4 E4 G4 C5 E5",
    "C4 D4 A4 D5 F5",
    "B3 D4 G4 D5 F5",
    "C4 E4 G4 C5 E5",
    "C4 E4 A4 E5 A5",
    "C4 D4 F#4 A4 D5",
    "B3 D4 G4 D5 G5",
    "B3 C4 E4 G4 C5",
    "A3 C4 E4 G4 C5",
    "D3 A3 D4 F#4 C5",
    "G3 B3 D4 G4 B4",
]
PRELUDE_LOUDNESS = [62, 66, 70, 64, 72, 70, 76, 66, 64, 72, 62]  # the line swells to bar 7


def _half_bar(names: list[str], start: float, loudness: int) -> list[Note]:
    """Bach's figure: two held bass notes, then the upper three notes played twice."""
    pitches = [pitch_number(name) for name in names]
    notes = [
        Note(start, 2.0, pitches[0], loudness + 8),
        Note(start + 0.25, 1.75, pitches[1], loudness),
    ]
    for step, index in enumerate((2, 3, 4, 2, 3, 4), start=2):
        notes.append(Note(start + step / 4, 0.3, pitches[index], loudness + 5 * (index == 4)))
    return notes


def bach_prelude() -> Score:
    notes: list[Note] = []
    for bar, (names, loudness) in enumerate(zip(PRELUDE_BARS, PRELUDE_LOUDNESS, strict=True)):
        for half in (0.0, 2.0):
            notes += _half_bar(names.split(), 4.0 * bar + half, loudness - int(half))
    pedal = [2.0 * half for half in range(2 * len(PRELUDE_LOUDNESS))]
    piano = Part(PIANO, notes, volume=110, reverb=55, looseness=0.007, pedal=pedal)
    # A slight slowing into the cadence of bar 11, where the recording fades.
    tempi = [(0.0, 91.0), (12.0, 93.0), (36.0, 91.0), (40.0, 87.0), (42.0, 80.0)]
    return Score(tempi, [piano], beats=44.6)


# Canon in D, bars 1 to 8 and the first beat of bar 9. Each violin plays the same line, one
# turn of the eight-note bass after the last.
CANON_GROUND = "D3/1 A2 B2 F#2 | G2 D2 G2 A2"
CANON_VIOLIN = """
    F#5/1 E5 D5 C#5 | B4 A4 B4 C#5 | D5 C#5 B4 A4 | G4 F#4 G4 E4
    D4/.5 F#4 A4 G4 F#4 D4 F#4 E4 | D4 B3 D4 A4 G4 B4 A4 G4
"""
# The continuo player's chords are improvised from the bass; these are a plain reading of it.
CANON_CHORDS = """
    F#4+A4+D5/1 E4+A4+C#5 D4+F#4+B4 C#4+F#4+A4 | B3+D4+G4 A3+D4+F#4 B3+D4+G4 C#4+E4+A4
"""
TURN = 8.0


def _closing_chord(*names: str, velocity: int) -> list[Note]:
    return [Note(4 * TURN, 2.6, pitch_number(name), velocity) for name in names]


def _violins() -> list[Part]:
    parts = []
    # The downbeat of bar 9 has these three notes; held, it closes the excerpt.
    for voice, (pan, last) in enumerate(((34, "F#4"), (64, "D4"), (94, "D5"))):
        start = TURN * (voice + 1)
        notes = [
            n for n in line(CANON_VIOLIN, start, 78 + 2 * voice, gate=1.0) if n.start < 4 * TURN
        ]
        notes += _closing_chord(last, velocity=80)
        parts.append(Part(STRINGS, notes, volume=96, pan=pan, reverb=75))
    return parts


def pachelbel_canon() -> Score:
    ground: list[Note] = []
    chords: list[Note] = []
    for turn in range(4):
        ground += line(CANON_GROUND, TURN * turn, 84, gate=0.98)
        chords += line(CANON_CHORDS, TURN * turn, 70 - 4 * turn, gate=0.85)
    ground += _closing_chord("D3", velocity=84)
    chords += _closing_chord("D4", "F#4", "A4", "D5", velocity=62)
    octave_below = [note.shifted(semitones=-12) for note in ground]
    parts = [
        *_violins(),
        Part(CELLO, ground, volume=94, pan=76, reverb=70),
        Part(CONTRABASS, octave_below, volume=62, pan=70, reverb=60),
        Part(HARPSICHORD, chords, volume=82, pan=50, reverb=60, looseness=0.012),
    ]
    return Score([(0.0, 73.0), (30.0, 70.0), (32.0, 64.0)], parts, beats=35.0)
