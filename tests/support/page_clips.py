"""Clips for the page, and the responses of the API to them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np

from support import synth, tiny
from support.browser import Visit
from support.processes import PATIENCE

HALVES = np.concatenate([tiny.sound("chords", 4, seed=1), tiny.sound("noise", 4, seed=1)])
WAV = synth.write(HALVES, tiny.RATE)  # four seconds of chords, four of noise
NAME = "halves.wav"


def clip(name: str, content: bytes) -> dict[str, Any]:
    """Return a file in the form that Playwright accepts."""
    return {"name": name, "mimeType": "", "buffer": content}


CLIP = clip(NAME, WAV)
BAD = clip("notes.mp3", b"no music at all " * 100)


def ask(site: str, content: bytes = WAV, name: str = NAME) -> Any:
    """Return the response of the API to a clip, with timeline and spectrogram."""
    url = f"{site}/v1/classify?timeline=true&spectrogram=true"
    answer = httpx.post(url, files={"file": (name, content)}, timeout=PATIENCE)
    assert answer.status_code == 200
    return answer.json()


def section(start: float, end: float, verdict: str, genre: str) -> dict[str, Any]:
    return {"start": start, "end": end, "verdict": verdict, "genre": genre, "probability": 0.6}


UNSURE = {
    "verdict": "not sure",
    "answer": "not sure: noise 45 %, chords 41 %",
    "sections": [
        section(0, 2, "genre", "noise"),
        section(2, 4, "not music", "noise"),
        section(5, 8, "not sure", "chords"),
    ],
    "styles": [
        {"name": f"style {number}", "probability": 0.956 - number / 20, "applies": number < 9}
        for number in range(12)
    ],
    "music": 0.75,
    "heard": 7.0,  # the second from 4 to 5 was not classified
}
"""Fields of a response that the tiny models of these tests never give, but larger ones do."""


def respond_with(visit: Visit, **changes: Any) -> None:
    """Make the page receive the API's response with some fields changed."""
    body = json.dumps(ask(visit.address) | changes)
    visit.page.unroute("**/v1/classify*")
    visit.page.route(
        "**/v1/classify*",
        lambda route: route.fulfill(body=body, content_type="application/json"),
    )
