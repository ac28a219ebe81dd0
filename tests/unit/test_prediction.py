"""What a prediction says, to programs and to people."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from genrelens.prediction import Prediction, Style
from genrelens.segmentation import Section

SEGMENTS = np.array([[0.2, 0.5, 0.3], [0.0, 0.1, 0.9]])


def prediction(*probabilities: float, **changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "labels": ("jazz", "pop", "rock"),
        "probabilities": np.array(probabilities),
        "segments": SEGMENTS,
        "segment_times": np.array([0.0, 1.0]),
        "segment_seconds": 1.0,
        "duration": 1.9,
        "heard": 1.9,
        "padded": False,
        "level": -20.0,
        "model": "tiny",
        "source": "song.mp3",
    }
    return Prediction(**values | changes)


def test_genre_and_ranking() -> None:
    ranking = [("rock", 0.5), ("jazz", 0.3), ("pop", 0.2)]
    said = prediction(0.3, 0.2, 0.5)
    assert said.genre == "rock"
    assert said.top() == ranking
    assert said.top(2) == ranking[:2]
    assert said.top(99) == ranking


def test_ties_keep_the_order_of_the_model() -> None:
    tied = prediction(0.3, 0.4, 0.4)
    assert [label for label, _ in tied.top()] == ["pop", "rock", "jazz"]
    assert tied.genre == tied.top(1)[0][0]


@pytest.mark.parametrize("k", [0, -1])
def test_top_of_nothing(k: int) -> None:
    with pytest.raises(ValueError, match=f"k={k} must be at least 1"):
        prediction(0.3, 0.2, 0.5).top(k)


# --------------------------------------------------------------------------------- verdict


@pytest.mark.parametrize(
    ("changes", "verdict", "answer"),
    [
        ({}, "genre", "rock"),
        ({"sure_threshold": 0.52}, "not sure", "not sure: rock 51 %, jazz 29 %"),
        ({"sure_threshold": 0.51}, "genre", "rock"),
        ({"music": 0.69, "music_threshold": 0.7}, "not music", "not music"),
        ({"music": 0.7, "music_threshold": 0.7}, "genre", "rock"),
        ({"music": 0.1, "music_threshold": 0.7, "sure_threshold": 0.9}, "not music", "not music"),
        ({"level": -69.9}, "genre", "rock"),
        ({"level": -70.1, "music": 0.1, "music_threshold": 0.7}, "silence", "silence"),
    ],
)
def test_verdict(changes: dict[str, Any], verdict: str, answer: str) -> None:
    said = prediction(0.29, 0.2, 0.51, **changes)
    assert (said.verdict, said.answer) == (verdict, answer)
    assert said.genre == "rock"


def test_styles() -> None:
    styles = (Style("house", 0.5, 0.5), Style("folk", 0.4, 0.5))
    assert [style.applies for style in styles] == [True, False]
    assert prediction(0.3, 0.2, 0.5, styles=styles).to_dict()["styles"] == [
        {"name": "house", "probability": 0.5, "applies": True},
        {"name": "folk", "probability": 0.4, "applies": False},
    ]


def test_sections() -> None:
    """Two rows of evidence do not make two sections; together they are for rock."""
    section = Section(0.0, 1.9, "genre", "rock", pytest.approx(0.6))
    assert prediction(0.3, 0.2, 0.5).sections == (section,)
    quiet = prediction(0.3, 0.2, 0.5, level=-80.0)
    assert [each.verdict for each in quiet.sections] == ["silence"]
    unsure = prediction(0.3, 0.2, 0.5, sure_threshold=0.7)
    assert [each.verdict for each in unsure.sections] == ["not sure"]
    talk = {"music": 0.1, "segment_music": np.array([0.1, 0.1]), "music_threshold": 0.5}
    assert [each.verdict for each in prediction(0.3, 0.2, 0.5, **talk).sections] == ["not music"]


# ------------------------------------------------------------------------------------ JSON


def test_round_trip_through_json() -> None:
    assert json.loads(json.dumps(prediction(0.3, 0.2, 0.5).to_dict(), allow_nan=False)) == {
        "path": "song.mp3",
        "answer": "rock",
        "verdict": "genre",
        "genre": "rock",
        "probabilities": {"rock": 0.5, "jazz": 0.3, "pop": 0.2},
        "styles": [],
        "music": None,
        "level": -20.0,
        "duration": 1.9,
        "heard": 1.9,
        "padded": False,
        "model": "tiny",
    }


def test_timeline() -> None:
    """The last segment ends with the recording, which may be before the segment does."""
    document = json.loads(json.dumps(prediction(0.3, 0.2, 0.5).to_dict(timeline=True)))
    assert document["labels"] == ["jazz", "pop", "rock"]
    assert document["timeline"] == [
        {"start": 0.0, "end": 1.0, "genre": "pop", "probabilities": [0.2, 0.5, 0.3]},
        {"start": 1.0, "end": 1.9, "genre": "rock", "probabilities": [0.0, 0.1, 0.9]},
    ]
    assert document["sections"] == [
        {"start": 0.0, "end": 1.9, "verdict": "genre", "genre": "rock", "probability": 0.6}
    ]


def test_timeline_with_music() -> None:
    said = prediction(0.3, 0.2, 0.5, segment_music=np.array([0.75, 0.25]))
    assert [each["music"] for each in said.to_dict(timeline=True)["timeline"]] == [0.75, 0.25]


def test_embedding() -> None:
    said = prediction(0.3, 0.2, 0.5, embedding=np.array([0.6, -0.8]))
    assert "embedding" not in said.to_dict()
    assert said.to_dict(embedding=True)["embedding"] == [0.6, -0.8]
    assert prediction(0.3, 0.2, 0.5).to_dict(embedding=True)["embedding"] is None


def test_what_is_shorter_than_a_segment_is_not_sure() -> None:
    """However sure the model is, and whether it takes it for music or not."""
    for changes in ({}, {"music": 0.1, "music_threshold": 0.5}, {"sure_threshold": 0.4}):
        short = prediction(0.01, 0.0, 0.99, padded=True, **changes)
        assert (short.verdict, short.genre) == ("not sure", "rock")
        assert short.answer == "not sure: rock 99 %, jazz 1 %"
        assert {section.verdict for section in short.sections} == {"not sure"}
    assert prediction(0.01, 0.0, 0.99, padded=True, level=-71.0).verdict == "silence"


def test_silent_segments() -> None:
    said = prediction(0.3, 0.2, 0.5, segment_levels=np.array([-69.9, -70.1]))
    assert said.silent_segments.tolist() == [False, True]
    assert prediction(0.3, 0.2, 0.5).silent_segments.tolist() == [False, False]
    assert prediction(0.3, 0.2, 0.5, level=-80.0).silent_segments.tolist() == [True, True]
