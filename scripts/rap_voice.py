"""A rapping voice: espeak-ng speaks half a bar at a time, stretched to fit the beat."""

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.signal import resample_poly
from studio import RATE


def _spoken(text: str, speed: int, pitch: int, voice: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "line.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-g", "0"]
        subprocess.run([*command, "-w", str(wav), text], check=True, capture_output=True)
        samples, rate = sf.read(wav)
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return resample_poly(samples[loud[0] : loud[-1]], RATE, rate)


def fitted(text: str, seconds: float, pitch: int, voice: str) -> np.ndarray:
    """Return the words at the speed at which they last about the given time."""
    speed = 220
    for _ in range(3):
        spoken = _spoken(text, speed, pitch, voice)
        speed = int(np.clip(speed * len(spoken) / RATE / seconds, 90, 430))
    return _spoken(text, speed, pitch, voice)


def verse(
    lines: str, beat: float, voice: str = "en-us+m3"
) -> list[tuple[float, float, np.ndarray]]:
    """Return (start, loudness, samples) for each half bar of a text; / divides the halves."""
    events = []
    for number, half in enumerate(re.split(r"[/\n]", lines.strip())):
        words = half.strip()
        if words:
            accent = 38 if number % 2 == 0 else 30
            sound = fitted(words, 1.78 * beat, accent, voice)
            events.append(((2 * number + 0.02) * beat, 1.0, sound))
    return events
