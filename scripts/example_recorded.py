"""Examples cut from recordings under free licences, as Debian packages them.

A `Recording` names the package, the files to add up with their SHA-256, and the excerpt.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from studio import RATE, level


@dataclass(frozen=True)
class Recording:
    """Where an excerpt comes from: the stems of one recording, its start and its length."""

    package: str
    stems: dict[str, str]
    start: float
    seconds: float


SECTOID = "usr/share/games/fretsonfire/data/songs/sectoid/War of freedom"
WAR_OF_FREEDOM = Recording(
    "fretsonfire-songs-sectoid",
    {
        f"{SECTOID}/guitar.ogg": "422f98a0309e8a44fe98253911b0a2f7a6677e386434160af1708f23f9d3f645",
        f"{SECTOID}/song.ogg": "b44e3c119d36cac6713940ff04e750c009b7c3636920414d9be72eeb0407d039",
    },
    start=14.0,
    seconds=18.0,
)
CAVE_THEME = Recording(
    "flare-game",
    {
        "usr/share/games/flare/mods/fantasycore/music/cave_theme.ogg": (
            "228c151a638eb19fb2592a5e89e8621ec9f7fef630232283af908d22ce45a835"
        )
    },
    start=112.0,
    seconds=20.0,
)
GAMEPLAY_3 = Recording(
    "unknown-horizons",
    {
        "usr/share/unknown-horizons/content/audio/music/uh_gameplay3.ogg": (
            "b49e9d5780a9c5bb05f728166da1775d3a32aca09274a87b7e54462fb871b3ee"
        )
    },
    start=78.0,
    seconds=22.0,
)


def _checked(path: Path, sha256: str) -> Path:
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise RuntimeError(f"{path} is not the file that the excerpt was cut from")
    return path


def excerpt(recording: Recording, root: Path) -> np.ndarray:
    """Return the excerpt, faded in and out; `root` is where the package is unpacked."""
    first, frames = round(recording.start * RATE), round(recording.seconds * RATE)
    mix = np.zeros((frames, 2))
    for name, sha256 in recording.stems.items():
        path = _checked(root / name, sha256)
        samples, rate = sf.read(path, frames=frames, start=first, always_2d=True)
        if rate != RATE:
            raise RuntimeError(f"{path} has {rate} samples a second, not {RATE}")
        mix += samples
    ramp = np.minimum(1, np.arange(frames) / (0.05 * RATE))
    ramp *= np.minimum(1, np.arange(frames)[::-1] / (1.5 * RATE))
    return np.tanh(level(mix, -13)) * ramp[:, None]
