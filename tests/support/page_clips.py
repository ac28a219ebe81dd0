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
        {
            "name": f"style {number}",
            "probability": 0.956 - number / 20,
            "applies": number < 9,
            "parent": None,
        }
        for number in range(12)
    ],
    "music": 0.75,
    "heard": 7.0,  # the second from 4 to 5 was not classified
}
"""Fields of a response that the tiny models of these tests never give, but larger ones do."""


def _style(name: str, probability: float, parent: str | None) -> dict[str, Any]:
    applies = probability > 0.5
    return {"name": name, "probability": probability, "applies": applies, "parent": parent}


SEVERAL = {
    "verdict": "genre",
    "answer": "electronic",
    "genre": "electronic",
    "labels": ["electronic", "pop", "rock"],
    "probabilities": {"electronic": 0.6, "pop": 0.3, "rock": 0.1},
    "genres": [
        {"name": "electronic", "probability": 0.9, "applies": True},
        {"name": "pop", "probability": 0.7, "applies": True},
        {"name": "rock", "probability": 0.2, "applies": False},
    ],
    "sections": [section(0, 8, "genre", "electronic")],
    "styles": [
        _style("house", 0.71, "electronic"),
        _style("techno", 0.62, "electronic"),
        _style("hard rock", 0.6, "rock"),
        _style("female vocalist", 0.55, None),
        _style("dance pop", 0.4, "pop"),
    ],
}
"""The response to a clip with several genres and styles below them."""

CHANGES = {
    **SEVERAL,
    "verdict": "changes",
    "answer": "changes: rock, pop",
    "changes": ["rock", "pop"],
    "genres": [
        {"name": name, "probability": 0.5, "applies": name != "electronic"}
        for name in ("rock", "pop", "electronic")
    ],
    "sections": [section(0, 4, "genre", "rock"), section(4, 8, "genre", "pop")],
    "snr": -4.6,
}
"""The response to a noisy clip of two genres."""


def respond_with(visit: Visit, **changes: Any) -> None:
    """Make the page receive the API's response with some fields changed."""
    body = json.dumps(ask(visit.address) | changes)
    visit.page.unroute("**/v1/classify*")
    visit.page.route(
        "**/v1/classify*",
        lambda route: route.fulfill(body=body, content_type="application/json"),
    )
