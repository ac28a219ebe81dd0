"""A small text notation for music, and a Standard MIDI File writer for it.

Used by `render_examples.py` only. Times and lengths are in quarter-note beats.
"""

import math
import random
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

TICKS_PER_BEAT = 480
DRUM_CHANNEL = 9
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TOKEN = re.compile(
    r"(?P<grace>\^?)(?P<pitches>[A-G][^'!/]*|-)(?P<marks>['!]*)(?:/(?P<beats>[\d.]+))?"
)
DRUMS = {
    "kick": 36,
    "stick": 37,
    "snare": 38,
    "clap": 39,
    "closed": 42,
    "pedal": 44,
    "open": 46,
    "floor": 43,
    "low": 45,
    "mid": 47,
    "high": 50,
    "crash": 49,
    "ride": 51,
    "tamb": 54,
    "crash2": 57,
    "conga_mute": 62,
    "conga": 63,
    "conga_low": 64,
    "bell": 53,
    "china": 52,
    "splash": 55,
    "cowbell": 56,
    "bongo": 60,
    "bongo_low": 61,
    "timbale": 65,
    "timbale_low": 66,
    "cabasa": 69,
    "maracas": 70,
    "guiro": 73,
    "claves": 75,
}
GRID_VELOCITY = {"X": 118, "x": 96, "o": 62, ",": 40}


@dataclass(frozen=True)
class Note:
    """One sound: when it starts, how long it is held, its MIDI pitch and its loudness."""

    start: float
    length: float
    pitch: int
    velocity: int
    bend: float = 0.0  # semitones below the pitch from which the note is pulled up

    def shifted(self, beats: float = 0.0, semitones: int = 0) -> "Note":
        """The same note moved in time or transposed."""
        return replace(self, start=self.start + beats, pitch=self.pitch + semitones)


@dataclass
class Part:
    """One instrument: a General MIDI program (counted from 0), its notes and its mixer strip."""

    program: int
    notes: list[Note]
    volume: int = 100
    pan: int = 64
    reverb: int = 40
    looseness: float = 0.008  # spread of the note starts, in beats
    drums: bool = False
    pedal: list[float] = field(default_factory=list)  # beats where the sustain pedal is renewed
    bank: int = 0
    expressive: bool = False  # one note at a time, with bends and vibrato


@dataclass
class Score:
    """A whole piece: its tempo changes, its instruments and where the recording stops."""

    tempi: list[tuple[float, float]]  # (beat, beats per minute)
    parts: list[Part]
    beats: float  # where the fade-out ends

    def seconds(self) -> float:
        """How long the recording lasts."""
        ends = [beat for beat, _ in self.tempi[1:]] + [self.beats]
        return sum(
            (end - beat) * 60 / bpm for (beat, bpm), end in zip(self.tempi, ends, strict=True)
        )


def pitch_number(name: str) -> int:
    """The MIDI number of a note name: C4 is 60, F#3 is 54, Bb2 is 46."""
    letter, accidental, octave = name[0], name[1:-1], int(name[-1])
    return 12 * (octave + 1) + SEMITONES[letter] + accidental.count("#") - accidental.count("b")


def line(
    text: str, start: float = 0.0, velocity: int = 90, gate: float = 0.95, bent: bool = False
) -> list[Note]:
    """Reads "C4/1 E4+G4/.5 -/.5 A4'! ^B4": names joined by + are a chord, - is a rest.

    "/" gives the length and lasts until the next one, ' is staccato, ! an accent, ^ a grace
    note a semitone below, or a bend from there when `bent`. Bar lines (|) are skipped.
    """
    notes: list[Note] = []
    beats = 1.0
    for token in text.replace("|", " ").split():
        match = TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"not a note: {token!r}")
        beats = float(match["beats"] or beats)
        marks = match["marks"]
        loud = min(127, velocity + 14 * ("!" in marks))
        length = beats * (0.55 if "'" in marks else gate)
        names = [] if match["pitches"] == "-" else match["pitches"].split("+")
        for pitch in map(pitch_number, names):
            notes.append(Note(start, length, pitch, loud, 1.0 if bent and match["grace"] else 0.0))
            if match["grace"] and not bent:
                notes.append(Note(start - 0.11, 0.12, pitch - 1, velocity - 12))
        start += beats
    return notes


def grid(start: float, step: float = 0.25, **rows: str) -> list[Note]:
    """Drums drawn as one row of characters per instrument, one character per step."""
    return [
        Note(start + index * step, step * 0.9, DRUMS[name], GRID_VELOCITY[mark])
        for name, row in rows.items()
        for index, mark in enumerate(row.replace(" ", ""))
        if mark != "."
    ]


def strum(
    row: str, chord: str, start: float, length: float, step: float = 0.25, softer: int = 0
) -> list[Note]:
    """One chord ("A3+C4+E4") struck where the row has a mark."""
    return [
        Note(start + index * step, length, pitch, GRID_VELOCITY[mark] - softer)
        for index, mark in enumerate(row.replace(" ", ""))
        if mark != "."
        for pitch in map(pitch_number, chord.split("+"))
    ]


def swung(notes: Iterable[Note]) -> list[Note]:
    """Straight eighth notes turned into long-short pairs, two thirds and one third of a beat."""

    def move(beat: float) -> float:
        whole, part = divmod(beat, 1.0)
        return whole + (part * 4 / 3 if part < 0.5 else 2 / 3 + (part - 0.5) * 2 / 3)

    return [
        replace(n, start=move(n.start), length=move(n.start + n.length) - move(n.start))
        for n in notes
    ]


def _humanised(part: Part, rng: random.Random) -> list[Note]:
    return [
        replace(
            note,
            start=max(0.0, note.start + rng.gauss(0.0, part.looseness)),
            velocity=max(1, min(127, note.velocity + rng.randint(-5, 5))),
        )
        for note in part.notes
    ]


def _without_overlaps(notes: list[Note]) -> Iterator[Note]:
    """Shortens each note to end before its pitch sounds again: a note-off ends both otherwise."""
    next_start: dict[int, float] = {}
    for note in sorted(notes, key=lambda n: (n.start, n.pitch), reverse=True):
        room = next_start.get(note.pitch, float("inf")) - note.start
        next_start[note.pitch] = note.start
        if room > 0.02:
            yield replace(note, length=max(0.02, min(note.length, room - 0.01)))


Event = tuple[int, int, bytes]  # tick, order among the events of one tick, MIDI message


def _part_events(part: Part, channel: int, rng: random.Random) -> Iterator[Event]:
    def control(beat: float, order: int, number: int, value: int) -> Event:
        return _tick(beat), order, bytes([0xB0 | channel, number, value])

    if part.bank:
        yield 0, -1, bytes([0xB0 | channel, 0, part.bank])
    yield 0, 0, bytes([0xC0 | channel, part.program])
    for number, value in ((7, part.volume), (10, part.pan), (91, part.reverb)):
        yield control(0.0, 0, number, value)
    for beat in part.pedal:
        yield control(beat, 1, 64, 0)
        yield control(beat + 0.06, 3, 64, 127)
    notes = list(_without_overlaps(_humanised(part, rng)))
    if part.expressive:
        yield from _expression(notes, channel)
    for note in notes:
        yield _tick(note.start), 2, bytes([0x90 | channel, note.pitch, note.velocity])
        yield _tick(note.start + note.length), 1, bytes([0x80 | channel, note.pitch, 0])


def _expression(notes: list[Note], channel: int) -> Iterator[Event]:
    """Pitch wheel: a note with a bend starts below its pitch; a long one gets vibrato."""
    for note in notes:
        for step in range(int(note.length / 0.04)):
            at = 0.04 * step
            wheel = -note.bend * max(0.0, 1 - at / 0.22)
            if at > 0.45:
                wheel += 0.22 * min(1.0, (at - 0.45) / 0.4) * math.sin(2 * math.pi * at * 3.6)
            value = max(0, min(16383, round(8192 + 4096 * wheel)))
            yield _tick(note.start + at), 2, bytes([0xE0 | channel, value & 127, value >> 7])


def _tick(beat: float) -> int:
    return round(beat * TICKS_PER_BEAT)


def _variable_length(value: int) -> bytes:
    """MIDI's own number format: seven bits a byte, the high bit set on all but the last."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | (value & 0x7F))
    return bytes(reversed(groups))


def midi_file(score: Score, seed: int) -> bytes:
    """The score as a one-track (format 0) Standard MIDI File."""
    rng = random.Random(seed)
    channels = iter(c for c in range(16) if c != DRUM_CHANNEL)
    events: list[Event] = [
        (_tick(beat), 0, b"\xff\x51\x03" + round(60_000_000 / bpm).to_bytes(3, "big"))
        for beat, bpm in score.tempi
    ]
    for part in score.parts:
        channel = DRUM_CHANNEL if part.drums else next(channels)
        events.extend(_part_events(part, channel, rng))
    # An empty text keeps the synthesiser running until the last sound has died away.
    events.append((_tick(score.beats), 4, b"\xff\x01\x00"))

    track = bytearray()
    now = 0
    for tick, _, message in sorted(events):
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS_PER_BEAT)
    return header + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)
