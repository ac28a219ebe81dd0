"""A recording session: every instrument is rendered alone, treated, then mixed and mastered.

`Track` holds notes for one instrument of a soundfont, `Sound` a function that computes samples.
"""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
from midi_score import Part, Score, midi_file
from studio import RATE, Effect, level, mastered

SOUNDFONT = Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3")
# A recorded drum kit. It is an instrument of bank 0, so its part has program 0 and no `drums`.
DRUM_KIT = Path("/usr/share/sounds/sf2/Black_Pearl_4_LV2.sf2")


@dataclass
class Track:
    """One instrument: its part, its level in the mix (dB RMS), its effects and its soundfont."""

    part: Part
    db: float = -20
    effects: list[Effect] = field(default_factory=list)
    seed: int = 1
    soundfont: Path = SOUNDFONT


@dataclass
class Sound:
    """Computed samples: a function of the number of frames, a level and effects."""

    make: Callable[[int], np.ndarray]
    db: float = -20
    effects: list[Effect] = field(default_factory=list)


@dataclass
class Session:
    """A whole recording: tempo, tracks, and the effects and loudness of the finished mix."""

    tempi: list[tuple[float, float]]
    beats: float
    tracks: list[Track | Sound]
    bus: list[Effect] = field(default_factory=list)
    loudness: float = -14
    warmth: float = 1.2
    fade: float = 1.8
    mono: bool = False

    def seconds(self) -> float:
        """Return the length of the recording."""
        return Score(self.tempi, [], self.beats).seconds()


def played(midi: bytes, soundfont: Path, options: list[str]) -> np.ndarray:
    """Return what FluidSynth plays from a MIDI file."""
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder) / "score.mid", Path(folder) / "mix.wav"
        score.write_bytes(midi)
        # Float output: peaks over full scale survive until the mastering.
        command = ["fluidsynth", "-ni", "-q", "-g", "0.4", "-O", "float", "-r", str(RATE)]
        command += [*options, "-F", str(wav), str(soundfont), str(score)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not wav.exists():
            raise RuntimeError(f"fluidsynth failed: {done.stderr.strip()}")
        samples, _ = sf.read(wav, dtype="float64", always_2d=True)
    return samples


def synthesise(track: Track, session: Session) -> np.ndarray:
    """Return one instrument as the synthesiser plays it, without effects."""
    score = Score(session.tempi, [track.part], session.beats)
    dry = ["-R", "0", "-C", "0", "-o", "synth.dynamic-sample-loading=1"]
    return played(midi_file(score, track.seed), track.soundfont, dry)


def _fitted(x: np.ndarray, frames: int) -> np.ndarray:
    return np.concatenate([x, np.zeros((max(0, frames - len(x)), 2))])[:frames]


def mix(session: Session) -> np.ndarray:
    """Return the finished recording as samples of shape (frames, channels)."""
    frames = round(session.seconds() * RATE)
    total = np.zeros((frames, 2))
    for track in session.tracks:
        is_sound = isinstance(track, Sound)
        dry = track.make(frames) if is_sound else synthesise(track, session)
        wet = _fitted(dry, frames)
        for effect in track.effects:
            wet = effect(wet)
        total += level(wet, track.db)
    for effect in session.bus:
        total = effect(total)
    out = mastered(total, session.loudness, session.warmth)
    fade = round(session.fade * RATE)
    out[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade))[:, None]
    return out.mean(axis=1, keepdims=True) if session.mono else out
