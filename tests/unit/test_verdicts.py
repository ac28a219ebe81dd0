"""Several genres, noise, styles below genres, and "not sure" with a sure style."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genrelens.findings import Genre, Style
from genrelens.metadata import GenreRule
from support.predictions import prediction

SHARES = {"jazz": 0.1, "pop": 0.4, "rock": 0.5}
DOUBLE = GenreRule(2.0, 0.0, 0.25)  # the odds of a share are squared
RULES = (DOUBLE, DOUBLE, GenreRule(1.0, 0.0, 0.9))
NOISE = ((-10.0, 0.8), (0.0, 0.4))


def applying(**changes: Any) -> list[str]:
    return [genre.name for genre in prediction(SHARES, **changes).genres if genre.applies]


# ------------------------------------------------------------------------------ several genres


def test_without_rules_only_the_answer_applies() -> None:
    assert prediction(SHARES).genres == (
        Genre("rock", 0.5, True),
        Genre("pop", 0.4, False),
        Genre("jazz", 0.1, False),
    )
    assert applying(sure_threshold=0.6) == []


def test_rules_give_each_genre_a_probability_of_its_own() -> None:
    """Pop: odds of 2 : 3, squared 4 : 9. Rock is below its threshold and applies as the answer."""
    found = {genre.name: genre for genre in prediction(SHARES, genre_rules=RULES).genres}
    assert [*found] == ["rock", "pop", "jazz"]
    assert found["pop"].probability == pytest.approx(4 / 13)
    assert found["jazz"].probability == pytest.approx(1 / 82)
    assert {name for name, genre in found.items() if genre.applies} == {"rock", "pop"}


def test_rules_apply_where_no_single_genre_is_sure() -> None:
    assert applying(genre_rules=RULES, sure_threshold=0.6) == ["pop"]
    assert applying(genre_rules=(DOUBLE,) * 3, sure_threshold=0.6) == ["rock", "pop"]


@pytest.mark.parametrize(
    "changes",
    [{"level": -80.0}, {"padded": True}, {"music": 0.1, "music_threshold": 0.5}],
)
def test_no_genre_applies_without_music(changes: dict[str, Any]) -> None:
    assert applying(genre_rules=RULES, **changes) == []


# ---------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize(
    ("snr", "verdict", "noisy"),
    [
        (None, "genre", False),
        (0.0, "genre", False),
        (-2.6, "not sure", True),  # 0.504 is required
        (-2.4, "genre", False),  # 0.496
        (-11.0, "not sure", True),
    ],
)
def test_noise_makes_a_genre_unsure(snr: float | None, verdict: str, noisy: bool) -> None:
    result = prediction(SHARES, snr=snr, noise_rule=NOISE, sure_threshold=0.45)
    assert (result.verdict, result.noisy) == (verdict, noisy)
    assert result.to_dict()["noisy"] is noisy
    assert result.to_dict()["snr"] == snr


def test_noise_is_not_the_reason_if_no_genre_is_sure_anyway() -> None:
    result = prediction(SHARES, snr=-20.0, noise_rule=NOISE, sure_threshold=0.6)
    assert (result.verdict, result.noisy) == ("not sure", False)
    short = prediction(SHARES, snr=-20.0, noise_rule=NOISE, padded=True)
    assert (short.verdict, short.noisy) == ("not sure", False)


def test_rules_need_more_in_noise() -> None:
    """Pop has 0.31: the noise rule requires 0.8 at -10 dB, and no probability is enough below."""
    rules = {"genre_rules": (DOUBLE,) * 3, "noise_rule": NOISE, "sure_threshold": 0.45}
    assert applying(snr=30.0, **rules) == ["rock"]
    assert applying(snr=-10.0, **rules) == applying(snr=-10.1, **rules) == []


def test_sections_and_segments_in_noise() -> None:
    """Three buried segments, three clear ones, and a silent one."""
    rows = np.array([[0.9, 0.05, 0.05]] * 3 + [[0.05, 0.05, 0.9]] * 3 + [[1 / 3] * 3])
    result = prediction(
        SHARES,
        segments=rows,
        segment_times=np.arange(7.0),
        segment_levels=np.array([-20.0] * 6 + [-90.0]),
        segment_snr=np.array([-15.0] * 3 + [20.0] * 3 + [np.nan]),
        noise_rule=NOISE,
        sure_threshold=0.3,
        duration=7.0,
    )
    first, second = result.sections
    assert (first.genre, first.verdict) == ("jazz", "not sure")
    assert (second.genre, second.verdict) == ("rock", "genre")
    entries = result.to_dict(timeline=True)["timeline"]
    assert [entry["snr"] for entry in entries] == [-15.0] * 3 + [20.0] * 3 + [None]


# --------------------------------------------------------------------------------------- styles

STYLES = (
    Style("electronic", 0.9, 0.5),
    Style("pop", 0.8, 0.5),
    Style("ambient", 0.7, 0.5),
    Style("house", 0.6, 0.5, "electronic"),
    Style("dance", 0.55, 0.5),
    Style("folk", 0.1, 0.5),
)


def test_not_sure_with_sure_styles() -> None:
    """At most three; a style with the name of a genre of the answer is left out."""
    unsure = prediction(SHARES, sure_threshold=0.6, styles=STYLES)
    text = "not sure: rock 50 %, pop 40 %; sounds electronic, ambient, house"
    assert (unsure.answer, unsure.headline) == (text, text.capitalize())
    assert prediction(SHARES, styles=STYLES).answer == "rock"


@pytest.mark.parametrize("changes", [{"padded": True}, {"snr": -30.0, "noise_rule": NOISE}])
def test_no_styles_where_nothing_can_be_sure(changes: dict[str, Any]) -> None:
    unsure = prediction(SHARES, styles=STYLES, **changes)
    assert unsure.answer == "not sure: rock 50 %, pop 40 %"


def test_styles_below_genres() -> None:
    assert [style.path for style in STYLES[2:4]] == ["ambient", "electronic > house"]
    result = prediction(SHARES, styles=STYLES)
    assert result.to_dict()["styles"][3] == {
        "name": "house",
        "probability": 0.6,
        "applies": True,
        "parent": "electronic",
    }
    assert "electronic &gt; house" in result._repr_html_()
