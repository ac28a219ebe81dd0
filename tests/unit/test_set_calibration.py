"""The rules of a model with a set head, fitted on held-out sets that are drawn from a known law."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrelens.errors import DataError
from genrelens.evaluation.held_out_sets import HeldOutSets
from genrelens.evaluation.set_calibration import (
    calibrate_sets,
    calibrated_sets,
    calibration_error,
    fit_temperatures,
    noise_rule,
)
from genrelens.metadata import StyleTag
from genrelens.set_head import softmax
from support import tiny

SHARP = 3.0  # the logits are too large by this factor
LENGTHS = (1.0, 3.0, 10.0)


def drawn(n: int = 300, *, seed: int = 0, microphones: int = 20) -> HeldOutSets:
    """Draw clips whose labels follow their probabilities, except that the logits are too sharp."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(n), len(LENGTHS))
    m = len(clip)
    logits = rng.normal(0, 1.5, (m, 3))
    uniform = rng.random((m, 1))
    true = (np.cumsum(softmax(logits), axis=1) < uniform).sum(axis=1)
    microphone = clip >= n - microphones
    return HeldOutSets(
        labels=np.array(tiny.GENRES),
        true=true,
        clips=np.array([f"clip {i}" for i in clip]),
        groups=np.array([f"artist {i // 2}" for i in clip]),
        sources=np.zeros(m, np.int64),
        folders=np.array(tiny.GENRES)[true],
        microphone=microphone,
        rounds=clip % 5 + 1,
        sizes=np.tile(LENGTHS, n),
        whole=np.tile(np.array(LENGTHS) == 10, n),
        logits=SHARP * logits,
        styles=np.where(true == 1, 0.8, 0.1)[:, None] + rng.uniform(-0.05, 0.05, (m, 1)),
        music=np.ones(m),
        snr=np.where(microphone, 0.0, 25.0) + rng.normal(0, 1, m),
    )


def test_temperatures_undo_the_sharpness() -> None:
    found = fit_temperatures(drawn(2000))
    assert set(found) >= {1, 10}
    assert all(value == pytest.approx(SHARP, rel=0.15) for value in found.values())


def test_calibration_of_everything() -> None:
    held = drawn()
    styles = (StyleTag("tag", 0.3), StyleTag("clicking", 0.5))
    recipe = {"recipe": {"head": {"styles": {"clicking": "clicks"}}}}
    metadata = tiny.metadata(styles=styles, provenance=recipe)
    with_tags = replace(held, styles=held.styles)
    found = calibrate_sets(metadata, with_tags, sure=0.8)
    new = found.metadata
    assert new.temperature == new.temperatures[max(new.temperatures)]
    assert new.sure_threshold == found.answers.threshold
    assert found.answers.accuracy == pytest.approx(0.8, abs=0.08)
    assert all(after < before for before, after in found.errors.values())
    assert new.styles[0] == styles[0]
    assert 0.2 < new.styles[1].threshold < 0.85
    assert len(new.genre_rules) == 3
    assert all(rule.slope == pytest.approx(1, abs=0.5) for rule in new.genre_rules)
    (low, highest), (knee, sure) = new.noise_rule
    assert low < knee < 25
    assert (highest, sure) == (0.999, pytest.approx(new.sure_threshold, abs=1e-4))
    assert new.metrics["not sure"]["asked"] == 0.8


def test_without_microphone_recordings_there_is_no_noise_rule() -> None:
    metadata = tiny.metadata(styles=(StyleTag("clicks", 0.5),))
    assert calibrate_sets(metadata, drawn(microphones=0), sure=0.7).metadata.noise_rule == ()


def test_predictions_of_another_model_are_refused() -> None:
    with pytest.raises(DataError, match="the labels are"):
        calibrate_sets(tiny.metadata(labels=("a", "b")), drawn(30))
    with pytest.raises(DataError, match="fewer than 20"):
        calibrate_sets(tiny.metadata(), drawn(15, microphones=0))


def test_noise_rule_leaves_no_answer_that_is_sure_and_wrong() -> None:
    """By hand: the wrong one at 2 dB needs 0.01 per dB; one step more is 0.015."""
    probabilities = np.array([[0.88, 0.12], [0.95, 0.05]])
    rule = noise_rule(probabilities, np.array([1, 0]), np.array([2.0, 12.0]), sure=0.8, knee=12.0)
    (low, highest), (knee, sure) = rule
    assert (knee, sure, highest) == (12.0, 0.8, 0.999)
    assert low == pytest.approx(12 - 0.199 / 0.015, abs=0.01)


def test_calibration_error_by_hand() -> None:
    """Two clips with 0.8, one of them right; one with 0.6, wrong: (2 * 0.3 + 0.6) / 3."""
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.6, 0.4]])
    assert calibration_error(probabilities, np.array([0, 1, 1])) == pytest.approx(0.4)


def test_temperature_depends_on_the_number_of_segments() -> None:
    held = drawn(20)
    found = calibrated_sets(held, {1: 3.0, 10: 1.0})
    np.testing.assert_allclose(found[held.sizes == 1], softmax(held.logits[held.sizes == 1] / 3))
    np.testing.assert_allclose(found[held.sizes == 10], softmax(held.logits[held.sizes == 10]))


def test_held_out_sets_are_saved_and_joined(tmp_path: Path) -> None:
    held = drawn(12)
    path = tmp_path / "sets.npz"
    HeldOutSets.joined([held, held]).save(path)
    again = HeldOutSets.load(path)
    assert len(again.true) == 2 * len(held.true)
    np.testing.assert_array_equal(again.logits[: len(held.true)], held.logits)
    assert again.clips.tolist() == 2 * held.clips.tolist()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="contains no held-out sets"):
        HeldOutSets.load(path)
