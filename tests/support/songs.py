"""Excerpts of the bundled recordings, and files made of them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import load_audio
from support import synth

RATE = 16_000
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ogg"))


def song(number: int, seconds: float = 5) -> synth.Float32:
    return load_audio(EXAMPLES[number], sample_rate=RATE, offset=1, duration=seconds)


def put(folder: Path, name: str, y: NDArray[np.float32] | bytes, rate: int = RATE) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = {".wav": ("WAV", "FLOAT"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
    kind, subtype = kinds.get(path.suffix, ("", ""))
    path.write_bytes(y if isinstance(y, bytes) else synth.write(y, rate, kind, subtype))
