"""Predictions: the verdict, the timeline, JSON and text."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from genrelens.prediction import Prediction, Style
from genrelens.segmentation import Section
from support import predictions

SEGMENTS = np.array([[0.2, 0.5, 0.3], [0.0, 0.1, 0.9]])


def prediction(
    jazz: float = 0.3, pop: float = 0.2, rock: float = 0.5, **changes: Any
) -> Prediction:
    """A prediction for 1.9 s in two segments of 1 s."""
    probabilities = {"jazz": jazz, "pop": pop, "rock": rock}
    values: dict[str, Any] = {
        "segments": SEGMENTS,
        "segment_times": np.array([0.0, 1.0]),
        "duration": 1.9,
        "heard": 1.9,
    }
    return predictions.prediction(probabilities, **values | changes)


def test_genre_and_ranking() -> None:
    ranking = [("rock", 0.5), ("jazz", 0.3), ("pop", 0.2)]
    result = prediction()
    assert result.genre == "rock"
    assert result.top() == ranking
    assert result.top(2) == ranking[:2]
    assert result.top(99) == ranking


def test_a_style_repeats_a_genre_in_any_spelling() -> None:
    assert Style("Hip-Hop", 0.5, 0.4).repeats(("jazz", "hiphop"))
    assert not Style("hard rock", 0.5, 0.4).repeats(("rock", "hard"))


def test_ties_keep_the_order_of_the_model() -> None:
    tied = prediction(0.3, 0.4, 0.4)
    assert [label for label, _ in tied.top()] == ["pop", "rock", "jazz"]
    assert tied.genre == tied.top(1)[0][0]


@pytest.mark.parametrize("k", [0, -1])
def test_top_needs_at_least_one(k: int) -> None:
    with pytest.raises(ValueError, match=f"k={k} must be at least 1"):
        prediction().top(k)


def test_properties_of_the_model() -> None:
    result = prediction(name="lens", sure_threshold=0.4, music_threshold=0.3, temperature=1.5)
    assert (result.model, result.labels) == ("lens", ("jazz", "pop", "rock"))
    assert (result.sure_threshold, result.music_threshold) == (0.4, 0.3)
    assert (result.temperature, result.segment_seconds) == (1.5, 1.0)


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
    result = prediction(0.29, 0.2, 0.51, **changes)
    assert (result.verdict, result.answer) == (verdict, answer)
    assert result.genre == "rock"


def test_a_recording_shorter_than_a_segment_is_not_sure() -> None:
    """Whatever the probabilities are, unless it is silent."""
    for changes in ({}, {"music": 0.1, "music_threshold": 0.5}, {"sure_threshold": 0.4}):
        short = prediction(0.01, 0.0, 0.99, padded=True, **changes)
        assert (short.verdict, short.genre) == ("not sure", "rock")
        assert short.answer == "not sure: rock 99 %, jazz 1 %"
        assert {section.verdict for section in short.sections} == {"not sure"}
    assert prediction(0.01, 0.0, 0.99, padded=True, level=-71.0).verdict == "silence"


def test_styles() -> None:
    styles = (Style("house", 0.5, 0.5), Style("folk", 0.4, 0.5))
    assert [style.applies for style in styles] == [True, False]
    assert prediction(styles=styles).to_dict()["styles"] == [
        {"name": "house", "probability": 0.5, "applies": True, "parent": None},
        {"name": "folk", "probability": 0.4, "applies": False, "parent": None},
    ]


# -------------------------------------------------------------------------------- timeline


def test_sections() -> None:
    """Two segments are not enough for two sections, and one has the recording's probability."""
    assert prediction().sections == (Section(0.0, 1.9, "genre", "rock", 0.5),)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"level": -80.0}, "silence"),
        ({"sure_threshold": 0.7}, "not sure"),
        ({"segment_music": np.full(2, 0.1), "music": 0.1, "music_threshold": 0.5}, "not music"),
        ({"segment_music": np.array([0.9, 0.9]), "music_threshold": 0.5}, "genre"),
    ],
)
def test_verdict_of_a_section(changes: dict[str, Any], verdict: str) -> None:
    assert [section.verdict for section in prediction(**changes).sections] == [verdict]


def test_silent_segments() -> None:
    result = prediction(segment_levels=np.array([-69.9, -70.1]))
    assert result.silent_segments.tolist() == [False, True]
    assert prediction().silent_segments.tolist() == [False, False]
    assert prediction(level=-80.0).silent_segments.tolist() == [True, True]


# ------------------------------------------------------------------------------------ JSON


def test_to_dict_survives_json() -> None:
    assert json.loads(json.dumps(prediction().to_dict(), allow_nan=False)) == {
        "path": "song.mp3",
        "answer": "rock",
        "verdict": "genre",
        "genre": "rock",
        "probabilities": {"rock": 0.5, "jazz": 0.3, "pop": 0.2},
        "genres": [
            {"name": "rock", "probability": 0.5, "applies": True},
            {"name": "jazz", "probability": 0.3, "applies": False},
            {"name": "pop", "probability": 0.2, "applies": False},
        ],
        "changes": [],
        "styles": [],
        "music": None,
        "snr": None,
        "noisy": False,
        "level": -20.0,
        "duration": 1.9,
        "heard": 1.9,
        "padded": False,
        "model": "tiny",
    }


def test_timeline() -> None:
    """The last segment ends with the recording."""
    document = json.loads(json.dumps(prediction().to_dict(timeline=True)))
    assert document["labels"] == ["jazz", "pop", "rock"]
    assert document["timeline"] == [
        {"start": 0.0, "end": 1.0, "genre": "pop", "probabilities": [0.2, 0.5, 0.3]},
        {"start": 1.0, "end": 1.9, "genre": "rock", "probabilities": [0.0, 0.1, 0.9]},
    ]
    assert document["sections"] == [
        {"start": 0.0, "end": 1.9, "verdict": "genre", "genre": "rock", "probability": 0.5}
    ]


def test_timeline_with_music() -> None:
    result = prediction(segment_music=np.array([0.75, 0.25]))
    assert [each["music"] for each in result.to_dict(timeline=True)["timeline"]] == [0.75, 0.25]


def test_embedding() -> None:
    result = prediction(embedding=np.array([0.6, -0.8]))
    assert "embedding" not in result.to_dict()
    assert result.to_dict(embedding=True)["embedding"] == [0.6, -0.8]
    assert prediction().to_dict(embedding=True)["embedding"] is None


# ---------------------------------------------------------------------- text and notebooks


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "<Prediction 'song.mp3': rock 50 %>"),
        ({"sure_threshold": 0.6}, "<Prediction 'song.mp3': not sure: rock 50 %, jazz 30 %>"),
        ({"level": -80.0, "source": "it's\n"}, '<Prediction "it\'s\\n": silence>'),
    ],
)
def test_repr_is_one_line(changes: dict[str, Any], text: str) -> None:
    assert repr(prediction(**changes)) == text


def test_html_has_answer_bars_styles_and_timeline() -> None:
    styles = (Style("house", 0.5, 0.5), Style("folk", 0.4, 0.5))
    page = prediction(styles=styles, source="a <b>.mp3")._repr_html_()
    assert "a &lt;b&gt;.mp3 (1.9 s)" in page
    assert "<strong>The predicted genre is: rock</strong>" in page
    assert page.index("50.00 %") < page.index("30.00 %") < page.index("20.00 %")
    assert "width:50.00%" in page
    assert "Styles: house<" in page
    assert (
        'title="rock 50 %, 0:00 to 0:01" style="position:absolute;left:0.00%;width:100.00%' in page
    )
    assert "http" not in page


def test_html_escapes_genres_and_has_no_bars_for_silence() -> None:
    bold = predictions.prediction({"<b>": 0.9, "jazz": 0.1}, level=-20.0)
    assert "<b>" not in bold._repr_html_()
    silence = prediction(level=-80.0)._repr_html_()
    assert "<strong>Silence.</strong>" in silence
    assert "50.00 %" not in silence
