"""Clips for the page, and what the API says of them."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np

import synth
import tiny

HALVES = np.concatenate([tiny.sound("chords", 4, seed=1), tiny.sound("noise", 4, seed=1)])
WAV = synth.write(HALVES, tiny.RATE)  # four seconds of chords, four of noise
NAME = "halves.wav"


def clip(name: str, content: bytes) -> dict[str, Any]:
    """A file as Playwright takes it."""
    return {"name": name, "mimeType": "", "buffer": content}


CLIP = clip(NAME, WAV)
BAD = clip("notes.mp3", b"no music at all " * 100)


def ask(site: str, content: bytes = WAV, name: str = NAME) -> Any:
    """What the API says of a clip, with all it can say."""
    url = f"{site}/v1/classify?timeline=true&spectrogram=true"
    answer = httpx.post(url, files={"file": (name, content)}, timeout=60)
    assert answer.status_code == 200
    return answer.json()
