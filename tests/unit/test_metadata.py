"""Metadata: rules for several genres, temperatures, noise, and a choice of genres."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from genrelens.metadata import GenreRule, ModelMetadata, StyleTag
from support import tiny

RULES = tuple(GenreRule(slope, 0.5, 0.4) for slope in (1.0, 2.0, 3.0))
WHOLE: dict[str, Any] = {
    "styles": (StyleTag("house", 0.5, "clicks"), StyleTag("sad", 0.5)),
    "genre_rules": RULES,
    "temperatures": {1: 2.0, 4: 1.0},
    "sure_threshold": 0.6,
    "noise_rule": ((-5.0, 0.9), (5.0, 0.7), (10.0, 0.5)),
}


def test_json_and_back() -> None:
    metadata = tiny.metadata(**WHOLE)
    assert ModelMetadata.from_json(metadata.to_json()) == metadata
    values = json.loads(metadata.to_json())
    assert values["temperatures"] == {"1": 2.0, "4": 1.0}
    assert values["genre_rules"][1] == {"slope": 2.0, "intercept": 0.5, "threshold": 0.4}
    assert values["noise_rule"][0] == [-5.0, 0.9]
    assert values["styles"][0] == {"name": "house", "threshold": 0.5, "parent": "clicks"}


def test_metadata_of_the_second_version() -> None:
    values = json.loads(tiny.metadata(styles=(StyleTag("house", 0.5),)).to_json())
    for name in ("genre_rules", "temperatures", "noise_rule"):
        del values[name]
    del values["styles"][0]["parent"]
    metadata = ModelMetadata.from_json(json.dumps(values | {"format_version": 2}))
    assert metadata == tiny.metadata(styles=(StyleTag("house", 0.5),), format_version=2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"genre_rules": [{"slope": 1}]}, "a genre rule has 3 numbers"),
        (
            {"genre_rules": 2 * [{"slope": 1, "intercept": 0, "threshold": 0.5}]},
            "2 genre rules for",
        ),
        ({"genre_rules": 3 * [{"slope": 0, "intercept": 0, "threshold": 0.5}]}, "slope .* above 0"),
        ({"genre_rules": 3 * [{"slope": 1, "intercept": 0, "threshold": 1}]}, "genre rule is 1"),
        ({"temperatures": {"one": 1.0}}, "temperatures="),
        ({"temperatures": {"1": "2"}}, "temperatures="),
        ({"temperatures": {"0": 1.0}}, "segments below 1: 0"),
        ({"temperatures": {"3": 0}}, r"temperatures\[3\]=0 must be positive"),
        ({"noise_rule": [[1, 2, 3]]}, "noise_rule has pairs of numbers"),
        ({"noise_rule": [[5, 0.5], [0, 0.7]]}, "do not ascend"),
        ({"noise_rule": [[5, 1.5]]}, "a threshold of noise_rule=1.5"),
        (
            {"styles": [{"name": "a", "threshold": 0.5, "parent": "polka"}]},
            "unknown parents: polka",
        ),
        ({"styles": [{"name": "a", "threshold": 0.5, "parent": 3}]}, "a style has a name"),
    ],
)
def test_wrong_values_are_named(changes: dict[str, Any], words: str) -> None:
    values = json.loads(tiny.metadata().to_json())
    with pytest.raises(ValueError, match=words):
        ModelMetadata.from_json(json.dumps(values | changes))


def test_a_genre_rule() -> None:
    """By hand: the logit of 0.8 is log 4; with slope 2 and intercept -log 4 it is log 4 again."""
    rule = GenreRule(2.0, -math.log(4), 0.5)
    assert rule.probability(0.8) == pytest.approx(0.8)
    assert rule.probability(0.5) == pytest.approx(0.2)
    assert 0 <= rule.probability(0.0) < 1e-12
    assert rule.probability(1.0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("n_segments", "temperature"), [(0.3, 2), (1, 2), (2, 1.5), (4, 1), (100, 1)]
)
def test_the_temperature_falls_with_the_logarithm_of_the_number(
    n_segments: float, temperature: float
) -> None:
    metadata = tiny.metadata(temperatures={4: 1.0, 1: 2.0}, temperature=9, segment_temperature=9)
    assert metadata.temperature_for(n_segments) == pytest.approx(temperature)
    assert metadata.timeline_temperature == 2


def test_temperatures_of_former_models() -> None:
    metadata = tiny.metadata(temperature=0.6, segment_temperature=1.2)
    assert (metadata.temperature_for(1), metadata.temperature_for(10)) == (0.6, 0.6)
    assert metadata.timeline_temperature == 1.2


@pytest.mark.parametrize(
    ("snr", "threshold"),
    [(None, 0.6), (-5.1, math.inf), (-5, 0.9), (0, 0.8), (5, 0.7), (9, 0.6), (30, 0.6)],
)
def test_more_is_required_in_noise(snr: float | None, threshold: float) -> None:
    """At 9 dB the rule alone has 0.54, and above its last point 0.5: less than always."""
    assert tiny.metadata(**WHOLE).sure_threshold_for(snr) == pytest.approx(threshold)


def test_thresholds_without_a_noise_rule() -> None:
    assert tiny.metadata().sure_threshold_for(-20) is None
    assert tiny.metadata(sure_threshold=0.3).sure_threshold_for(-20) == 0.3
    assert tiny.metadata(noise_rule=((0, 0.4),)).sure_threshold_for(3) == 0.4


# ------------------------------------------------------------------------- a choice of genres


def test_restricted_metadata_keep_the_order_of_the_model() -> None:
    whole = tiny.metadata(**WHOLE, label_map={"hiss": "noise", "click": "clicks"})
    some = whole.restricted(["noise", "chords", "noise"])
    assert some.labels == ("chords", "noise")
    assert some.genre_rules == ()  # they are for probabilities among all genres
    assert some.label_map == {"hiss": "noise"}
    assert some.styles == (StyleTag("house", 0.5), StyleTag("sad", 0.5))
    assert whole.restricted(tiny.GENRES) == whole


@pytest.mark.parametrize(
    ("genres", "words"),
    [
        (
            ["chords", "click"],
            r"tiny has no genre 'click' \(did you mean 'clicks'\?\); it has chords,",
        ),
        (["polka", "noise"], "no genre 'polka'; it has chords, clicks, noise"),
        (["noise"], "1 genre was given; at least 2 are needed"),
        ([], "no genres were given; at least 2 are needed"),
    ],
)
def test_wrong_choices(genres: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tiny.metadata().restricted(genres)
