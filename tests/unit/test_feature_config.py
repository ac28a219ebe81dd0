"""FeatureConfig: validation, JSON and the digest."""

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig

VALUES: dict[str, Any] = {
    "kind": "mfcc",
    "sample_rate": 8000,
    "n_fft": 256,
    "hop_length": 100,
    "n_mels": 20,
    "f_min": 0.0,
    "f_max": 4000.0,
    "n_mfcc": 12,
    "segment_frames": 10,
    "segment_hop": 7,
    "log_scale": 100.0,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "chroma"}, "kind='chroma' must be 'mel' or 'mfcc'"),
        ({"sample_rate": 0}, "sample_rate=0 must be at least 1"),
        ({"sample_rate": 8000.0}, "sample_rate=8000.0 must be a whole number"),
        ({"sample_rate": True}, "sample_rate=True must be a whole number"),
        ({"n_fft": "256"}, "n_fft='256' must be a whole number"),
        ({"n_fft": 255}, "n_fft=255 must be even and at least 2"),
        ({"n_fft": 0}, "n_fft=0 must be even and at least 2"),
        ({"hop_length": 0}, "hop_length=0 must be in 1..n_fft=256"),
        ({"hop_length": 257}, "hop_length=257 must be in 1..n_fft=256"),
        ({"n_mels": 0}, "n_mels=0 must be at least 1"),
        ({"f_min": -1}, "0 <= f_min=-1.0 < f_max"),
        ({"f_min": 4000}, "f_min=4000.0 < f_max=4000.0"),
        ({"f_min": float("nan")}, "f_min=nan"),
        ({"f_max": 4000.5}, "f_max=4000.5 <= sample_rate / 2 must hold"),
        ({"f_max": "4000"}, "f_max='4000' must be a number"),
        ({"n_mfcc": 0}, "n_mfcc=0 must be in 1..20 for kind='mfcc'"),
        ({"n_mfcc": 21}, "n_mfcc=21 must be in 1..20 for kind='mfcc'"),
        ({"kind": "mel"}, "n_mfcc=12 must be in 0..0 for kind='mel'"),
        ({"segment_frames": 0}, "segment_frames=0 must be at least 1"),
        ({"segment_hop": 0}, "segment_hop=0 must be in 1..segment_frames=10"),
        ({"segment_hop": 11}, "segment_hop=11 must be in 1..segment_frames=10"),
        ({"log_scale": 0}, "log_scale=0.0 must be positive"),
        ({"log_scale": float("inf")}, "log_scale=inf must be positive"),
        ({"log_scale": float("nan")}, "log_scale=nan must be positive"),
    ],
    ids=str,
)
def test_an_invalid_value_is_named_with_its_rule(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        FeatureConfig(**{**VALUES, **change})
    assert message in str(caught.value)
    with pytest.raises(ValueError) as again:  # noqa: PT011
        FeatureConfig.from_dict({**VALUES, **change})
    assert str(again.value) == str(caught.value)


@pytest.mark.parametrize(
    "edge",
    [
        {"hop_length": 256},
        {"hop_length": 1},
        {"n_fft": 2, "hop_length": 2},
        {"n_mels": 1, "n_mfcc": 1},
        {"segment_hop": 10},
        {"segment_frames": 1, "segment_hop": 1},
        {"f_max": 0.001},
    ],
    ids=str,
)
def test_the_limits_are_allowed(edge: dict[str, Any]) -> None:
    assert FeatureConfig(**{**VALUES, **edge}).to_dict() == {**VALUES, **edge}


@pytest.mark.parametrize("config", [ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig(**VALUES)])
def test_settings_survive_json(config: FeatureConfig) -> None:
    again = FeatureConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.digest() == config.digest()


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown feature settings: hop, window"):
        FeatureConfig.from_dict({**VALUES, "window": "hann", "hop": 1})


def test_a_missing_setting_is_an_error() -> None:
    del (values := dict(VALUES))["n_fft"]
    with pytest.raises(ValueError, match=r"incomplete feature settings: .*n_fft"):
        FeatureConfig.from_dict(values)


def test_a_configuration_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        ORIGINAL_MEL.n_fft = 2048  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "mel", "n_mfcc": 0},
        {"sample_rate": 8001},
        {"n_fft": 258},
        {"hop_length": 101},
        {"n_mels": 21},
        {"f_min": 0.5},
        {"f_max": 3999.0},
        {"n_mfcc": 13},
        {"log_scale": 101.0},
    ],
    ids=str,
)
def test_the_digest_depends_on_the_settings_of_frames(change: dict[str, Any]) -> None:
    config = FeatureConfig(**VALUES)
    assert len(config.digest()) == 16
    assert replace(config, **change).digest() != config.digest()


@pytest.mark.parametrize("change", [{"segment_frames": 11}, {"segment_hop": 3}], ids=str)
def test_the_digest_does_not_depend_on_the_segmentation(change: dict[str, int]) -> None:
    config = FeatureConfig(**VALUES)
    assert replace(config, **change).digest() == config.digest()


def test_equal_settings_have_the_same_digest() -> None:
    whole = FeatureConfig(**{**VALUES, "f_min": 1, "f_max": 4000, "log_scale": 100})
    assert whole == FeatureConfig(**{**VALUES, "f_min": 1.0})
    assert whole.digest() == FeatureConfig(**{**VALUES, "f_min": 1.0}).digest()


def test_derived_values() -> None:
    assert (ORIGINAL_MEL.n_bins, ORIGINAL_MFCC.n_bins) == (128, 20)
    assert ORIGINAL_MEL.min_samples == 40 * 1024
    assert ORIGINAL_MEL.segment_seconds == pytest.approx(41 * 1024 / 44_100)
    assert FeatureConfig(**VALUES).segment_hop_seconds == pytest.approx(0.0875)
