"""Temperature scaling: known temperatures, scipy as a reference, and limits."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from genrelens.errors import DataError
from genrelens.evaluation.calibration import (
    Abstention,
    abstention,
    apply_temperature,
    cross_fitted,
    fit_temperature,
    held_out_abstention,
)
from genrelens.evaluation.model_calibration import calibrate_model
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.features import ORIGINAL_MEL
from genrelens.metadata import GenreRule, ModelMetadata


def drawn(
    temperature: float, *, n: int = 20_000, classes: int = 5, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw classes from calibrated logits; return the logits multiplied by ``temperature``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, classes))
    noise = rng.gumbel(size=logits.shape)  # the largest of both is a draw from the softmax
    return logits * temperature, (logits + noise).argmax(axis=1)


def made(probabilities: Any, true: Any, **columns: Any) -> PredictionTable:
    n, n_classes = np.shape(probabilities)
    return PredictionTable(
        labels=tuple(f"genre {i}" for i in range(n_classes)),
        clips=tuple(f"clip {i}" for i in range(n)),
        true=np.asarray(true),
        probabilities=np.asarray(probabilities, dtype=np.float64),
        **columns,
    )


def metadata(table: PredictionTable, temperature: float) -> ModelMetadata:
    return ModelMetadata(
        name="tiny",
        labels=table.labels,
        features=ORIGINAL_MEL,
        window_segments=1,
        temperature=temperature,
    )


# ------------------------------------------------------------------------------ fitting


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    """20 000 clips determine a temperature to about 1 %."""
    logits, true = drawn(temperature)
    assert fit_temperature(logits, true) == pytest.approx(temperature, rel=0.03)
    assert fit_temperature(log_softmax(logits, axis=1), true) == pytest.approx(
        fit_temperature(logits, true), rel=1e-9
    )


@given(st.integers(0, 999), st.integers(2, 40), st.floats(0.1, 5))
def test_the_temperature_agrees_with_scipy(seed: int, n: int, temperature: float) -> None:
    logits, true = drawn(temperature, n=n, classes=3, seed=seed)
    logs = np.maximum(log_softmax(logits, axis=1), math.log(1e-12))

    def loss(t: float) -> float:
        return float(-log_softmax(logs / t, axis=1)[range(n), true].mean())

    best = minimize_scalar(
        lambda x: loss(math.exp(x)),
        bounds=(math.log(0.05), math.log(20)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    found = fit_temperature(logits, true)
    assert 0.05 <= found <= 20
    assert loss(found) <= best.fun + 1e-9
    assert loss(found) <= loss(1) + 1e-12  # never worse than before, on the clips of the fit


def test_by_hand() -> None:
    """Odds of 9 to 1 with 3 of 4 right should be 3 to 1, so T is 2."""
    logs = np.log([[0.9, 0.1]] * 4)
    assert fit_temperature(logs, [0, 0, 0, 1]) == pytest.approx(2)


def test_all_right_and_all_wrong_end_at_the_bounds() -> None:
    logs = np.log([[0.6, 0.4], [0.7, 0.3]])
    assert fit_temperature(logs, [0, 0]) == pytest.approx(0.05)
    assert fit_temperature(logs, [1, 1]) == pytest.approx(20)
    assert fit_temperature(logs[:1], [0]) == pytest.approx(0.05)


def test_what_no_temperature_changes() -> None:
    assert fit_temperature(np.log([[1 / 3] * 3] * 4), [0, 1, 2, 0]) == 1


def test_probabilities_of_zero_and_one() -> None:
    """Certain of three right clips and a wrong one: 3 of 4 after the fit."""
    with np.errstate(divide="ignore"):
        logs = np.log([[1.0, 0.0]] * 4)
    temperature = fit_temperature(logs, [0, 0, 0, 1])
    after = apply_temperature([1.0, 0.0], temperature)
    # A probability of 1e-12 would need T = 25 to get there; the bound is 20.
    assert temperature == pytest.approx(20)
    np.testing.assert_allclose(after, [1 / (1 + 1e-12 ** (1 / 20)), 1 - 1 / (1 + 1e-12**0.05)])
    assert fit_temperature(logs, [0, 0, 0, 0]) <= 1


@pytest.mark.parametrize(
    ("logs", "true"),
    [
        (np.zeros((0, 2)), []),
        (np.zeros(2), [0]),
        (np.zeros((2, 2)), [0]),
        ([[math.nan, 0.0]], [0]),
        ([[math.inf, 0.0]], [0]),
        ([[-math.inf, -math.inf]], [0]),
    ],
)
def test_invalid_arguments_of_the_fit(logs: Any, true: list[int]) -> None:
    with pytest.raises(ValueError, match="log_probabilities"):
        fit_temperature(logs, true)


# ------------------------------------------------------------------------------ applying


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(lambda p: sum(p) > 0.01),
    st.floats(0.05, 20),
)
def test_the_answers_stay(weights: list[float], temperature: float) -> None:
    before = np.array(weights) / sum(weights)
    after = apply_temperature(before, temperature)
    assert after.sum() == pytest.approx(1)
    assert (after >= 0).all()
    assert before[after.argmax()] == pytest.approx(before.max(), rel=1e-12)
    order = np.argsort(before)
    assert (np.diff(after[order]) >= -1e-15).all()
    if temperature > 1:
        assert after.max() <= before.max() + 1e-12
    np.testing.assert_allclose(apply_temperature(before, 1), before, atol=1e-11)


def test_against_softmax_of_logits() -> None:
    logits, _ = drawn(1, n=7)
    after = apply_temperature(softmax(logits, axis=1), 1.7)
    np.testing.assert_allclose(after, softmax(logits / 1.7, axis=1), atol=1e-12)


@pytest.mark.parametrize(
    ("probabilities", "temperature", "words"),
    [
        ([0.5, 0.5], 0, "temperature=0"),
        ([0.5, 0.5], -1, "temperature=-1"),
        ([0.5, 0.5], math.nan, "temperature=nan"),
        ([0.5, 0.5], math.inf, "temperature=inf"),
        ([math.nan, 0.5], 1, "probabilities"),
        ([-0.5, 1.5], 1, "probabilities"),
    ],
)
def test_invalid_temperatures_and_probabilities(
    probabilities: Any, temperature: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        apply_temperature(probabilities, temperature)


# ------------------------------------------------------------------------------ held out


def test_each_round_is_calibrated_by_the_others() -> None:
    """Round 1 is right half the time, round 2 always; each gets the temperature of the other."""
    sure = [[0.9, 0.1]]
    rounds = np.array([1] * 4 + [2] * 4)
    before = made(sure * 8, [0, 0, 0, 1, 0, 0, 0, 0], rounds=rounds)
    after, temperatures = cross_fitted(before)
    assert temperatures == {1: pytest.approx(0.05), 2: pytest.approx(2)}
    np.testing.assert_allclose(after.probabilities[rounds == 2], [[0.75, 0.25]] * 4)
    np.testing.assert_allclose(after.probabilities[rounds == 1], [[1, 0]] * 4, atol=1e-12)
    assert (after.clips, after.labels) == (before.clips, before.labels)
    np.testing.assert_array_equal(before.probabilities, sure * 8)


def test_the_held_out_loss_of_an_overconfident_model_falls() -> None:
    logits, true = drawn(3, n=500)
    before = made(softmax(logits, axis=1), true)
    after, temperatures = cross_fitted(before)
    assert sorted(temperatures) == [1, 2, 3, 4, 5]
    assert all(2 < t < 4 for t in temperatures.values())
    assert log_loss(true, after.probabilities) < 0.8 * log_loss(true, before.probabilities)
    np.testing.assert_array_equal(after.predicted, before.predicted)


def test_a_group_is_never_fitted_on_itself() -> None:
    """Clips of a group that is always wrong get the temperature of those that are right."""
    groups = ("bad",) * 6 + tuple("efghij")
    table = made([[0.8, 0.2]] * 12, [1] * 6 + [0] * 6, groups=groups)
    for seed in range(5):
        after, _ = cross_fitted(table, seed=seed)
        np.testing.assert_allclose(after.probabilities[:6, 0], 1, atol=1e-9)


def test_rounds_that_share_a_group_are_not_fitted_on_it() -> None:
    """Random folds: the always wrong artist is in both rounds and in no fit."""
    groups = ("bad", "e", "f", "bad", "g", "h")
    table = made(
        [[0.8, 0.2]] * 6, [1, 0, 0, 1, 0, 0], groups=groups, rounds=np.array([1, 1, 1, 2, 2, 2])
    )
    after, temperatures = cross_fitted(table)
    assert temperatures == {1: pytest.approx(0.05), 2: pytest.approx(0.05)}
    np.testing.assert_allclose(after.probabilities[:, 0], 1, atol=1e-9)


def test_a_clip_of_several_rounds_is_not_fitted_on_itself() -> None:
    """Two draws share clip 0, which is wrong in both; each is fitted on the other's right one."""
    before = replace(
        made([[0.9, 0.1]] * 4, [1, 0, 1, 0], rounds=np.array([1, 1, 2, 2])),
        clips=("x", "y", "x", "z"),
    )
    after, temperatures = cross_fitted(before)
    assert temperatures == {1: pytest.approx(0.05), 2: pytest.approx(0.05)}
    np.testing.assert_allclose(after.probabilities, [[1, 0]] * 4, atol=1e-9)


def test_folds_follow_the_seed_and_not_the_order() -> None:
    logits, true = drawn(2, n=60)
    table = made(softmax(logits, axis=1), true)
    backwards, _ = cross_fitted(table.select(range(59, -1, -1)))
    forwards, _ = cross_fitted(table)
    other, _ = cross_fitted(table, seed=1)
    np.testing.assert_allclose(backwards.probabilities[::-1], forwards.probabilities, rtol=1e-6)
    assert not np.allclose(other.probabilities, forwards.probabilities)


@pytest.mark.parametrize(
    "columns", [{"rounds": np.array([3, 3])}, {"groups": ("a", "a")}], ids=["rounds", "groups"]
)
def test_no_clip_is_left_to_fit_on(columns: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="the 2 clips are all in one round"):
        cross_fitted(made([[0.9, 0.1]] * 2, [0, 1], **columns))
    with pytest.raises(DataError, match="no clip is left to fit"):
        cross_fitted(made([[0.9, 0.1]], [0]))


# ------------------------------------------------------------------------- recalibration


@pytest.mark.parametrize(("factor", "better"), [(1.0, False), (3.0, True), (0.4, True)])
def test_a_better_temperature_is_better_on_other_clips(factor: float, better: bool) -> None:
    """No temperature is better than the optimum of all clips, which is 1 for factor 1."""
    logits, true = drawn(1, n=400)
    logits *= factor / fit_temperature(logits, true)
    table = made(softmax(logits, axis=1), true)
    found = calibrate_model(metadata(table, 1.0), table)
    assert found.better is better
    fitted, _ = cross_fitted(table)
    losses = [log_loss(true, each.probabilities) for each in (table, fitted)]
    assert found.log_losses == pytest.approx(losses)
    assert [each.log_loss.value for each in (found.before, found.after)] == pytest.approx(losses)
    assert found.temperature == pytest.approx(factor, rel=1e-3)


def test_own_predictions_contain_the_present_temperature() -> None:
    """2 times 3 is 6. Predictions of a cross-validation contain no temperature."""
    logits, true = drawn(1, n=400)
    logits *= 3 / fit_temperature(logits, true)
    own = made(softmax(logits, axis=1), true)
    assert calibrate_model(metadata(own, 2.0), own).temperature == pytest.approx(6, rel=1e-3)
    folds = replace(own, rounds=np.arange(400) % 4 + 1)
    found = calibrate_model(metadata(own, 3.0), folds)
    assert found.temperature == pytest.approx(3, rel=1e-3)
    present = log_loss(true, softmax(logits / 3, axis=1))
    assert found.before.log_loss.value == pytest.approx(present, rel=1e-3)
    assert not found.better  # the temperature is 3 already


def test_all_temperatures_are_multiplied_and_the_genre_rules_keep_their_results() -> None:
    """The temperature of a clip was 2 and becomes 6."""
    logits, true = drawn(1, n=400, classes=2)
    logits *= 3 / fit_temperature(logits, true)
    own = made(softmax(logits, axis=1), true)
    former = replace(
        metadata(own, 2.0),
        temperatures={1: 5.0, 10: 2.0},
        genre_rules=(GenreRule(0.5, 0.1, 0.4),) * 2,
    )
    found = calibrate_model(former, own)
    assert found.present_temperature == 2
    assert found.metadata.temperatures == pytest.approx({1: 15.0, 10: 6.0}, rel=1e-3)
    assert found.temperature == pytest.approx(6, rel=1e-3)
    new = apply_temperature([0.8, 0.2], found.temperature / 2)
    rules = former.genre_rules[0], found.metadata.genre_rules[0]
    assert rules[1].probability(float(new[0])) == pytest.approx(rules[0].probability(0.8))


def test_the_metadata_hold_figures_and_threshold() -> None:
    logits, true = drawn(3, n=400)
    table = made(softmax(logits, axis=1), true, in_training=np.arange(400) < 10)
    found = calibrate_model(metadata(table, 1.0), table, sure=0.8, predictions_sha256="ab")
    stored = found.metadata.provenance["calibration"]
    assert (stored["clips"], stored["in_training"], stored["rounds"]) == (400, 10, None)
    assert stored["ece"]["after"] == list(found.after.ece)
    assert found.answers == held_out_abstention(cross_fitted(table)[0], 0.8)
    assert found.metadata.sure_threshold == found.answers.threshold
    assert found.metadata.metrics["not sure"]["coverage"] == found.answers.coverage
    with pytest.raises(DataError, match="was calibrated with these predictions"):
        calibrate_model(found.metadata, table, predictions_sha256="ab")


def test_predictions_that_cannot_calibrate() -> None:
    table = made([[0.9, 0.1], [0.2, 0.8]] * 6, [0, 0] * 6)
    with pytest.raises(DataError, match="there are 12 clips; a temperature needs 20 or more"):
        calibrate_model(metadata(table, 1.0), table)
    assert calibrate_model(metadata(table, 1.0), table, force=True).temperature > 1
    other = replace(metadata(table, 1.0), labels=("a", "b"))
    with pytest.raises(DataError, match="the labels are genre 0, genre 1; those of tiny are a, b"):
        calibrate_model(other, table)


# ------------------------------------------------------------------------- abstention


def confident(tops: list[float], right: list[bool], rounds: list[int] | None = None) -> Any:
    """Return a table of two genres from the top probabilities and whether they are right."""
    return PredictionTable(
        labels=("a", "b"),
        clips=tuple(f"clip{i}" for i in range(len(tops))),
        true=np.array([0 if each else 1 for each in right]),
        probabilities=np.array([[top, 1 - top] for top in tops]),
        rounds=None if rounds is None else np.array(rounds),
    )


def test_the_threshold_is_the_lowest() -> None:
    table = confident([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    assert abstention(table, 0.75) == Abstention(0.6, 1.0, 0.75, 4)
    assert abstention(table, 0.76) == Abstention(0.8, 0.5, 1.0, 2)


def test_equal_probabilities_get_the_same_answer() -> None:
    table = confident([0.9, 0.8, 0.8, 0.6], [True, True, False, False])
    assert abstention(table, 0.9) == Abstention(0.9, 0.25, 1.0, 1)


def test_a_threshold_that_does_not_exist() -> None:
    with pytest.raises(DataError, match="no threshold makes 90 % of the 2 clips' answers right"):
        abstention(confident([0.9, 0.8], [False, True]), 0.9)


def test_each_round_gets_the_threshold_of_the_others() -> None:
    table = confident(
        [0.9, 0.7, 0.8, 0.6], [True, True, True, False], [1, 1, 2, 2]
    )  # round 1 by 0.8 answers one of two, round 2 by 0.7 one of two
    measured = held_out_abstention(table, 1.0)
    assert measured == Abstention(0.7, 0.5, 1.0, 2)
