"""Sets of segments: their description and windows, and the results of a model with a set head."""

from __future__ import annotations

import numpy as np
import pytest

from genrelens.metadata import ModelMetadata, StyleTag
from genrelens.model_file import Outputs
from genrelens.pooling import PooledRecording
from genrelens.segmentation import find_sections
from genrelens.set_head import SegmentSets, SetOutputs, describe, softmax
from support import tiny

HALF = np.array([0.0, 0.0, 0.0], np.float32)


class MeanHead:
    """A set head: the first three features are the genres, the fourth is music, the fifth noise."""

    n_features, n_classes, n_styles = 5, 3, 1
    has_music = has_snr = True

    def __init__(self) -> None:
        self.sizes: list[float] = []

    def __call__(self, sets: np.ndarray) -> SetOutputs:
        self.sizes += np.exp(sets[:, -1]).round(2).tolist()
        return SetOutputs(sets[:, :3], sets[:, :1] - 1, sets[:, 3], sets[:, 4])

    def of_segments(self, features: np.ndarray) -> SetOutputs:
        return self(np.concatenate([features, np.zeros((len(features), 6), np.float32)], axis=1))


def segment(*genres: float, music: float = 5.0, snr: float = 20.0) -> list[float]:
    return [*genres, music, snr]


ROCK, JAZZ = (2.0, 0.0, 0.0), (0.0, 0.0, 4.0)
METADATA = {"temperatures": {1: 2.0, 10: 1.0}, "music_threshold": 0.5, "window_segments": 10}


def pooled(rows: list[list[float]], **changes: object) -> PooledRecording:
    values = np.array(rows, np.float32)
    head = MeanHead()
    each = head.of_segments(values)
    window = Outputs(
        clip_logits=HALF,
        segment_logits=each.genre_logits,
        style_logits=np.concatenate([values[:, :1], each.style_logits], axis=1),
        music_logits=each.music_logits,
        snr=each.snr,
        features=values,
    )
    head.sizes.clear()
    given = {"shares": np.ones(len(rows)), "silent": np.zeros(len(rows), bool), **changes}
    tags = (StyleTag("tag", 0.5), StyleTag("own", 0.5))
    metadata = tiny.metadata(styles=tags, **METADATA)
    return PooledRecording([window], metadata, head=head, **given)  # type: ignore[arg-type]


def test_a_set_is_described_by_weighted_mean_and_deviation() -> None:
    """By hand: weights 3 and 1 give the mean 1.5, and the variance 0.75 * 0.25 + 0.25 * 2.25."""
    features = np.array([[1.0], [3.0]], np.float32)
    found = describe(features, np.array([3.0, 1.0]))
    np.testing.assert_allclose(found, [1.5, np.sqrt(0.75), np.log(4)], rtol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(describe(features[:1], np.array([0.5])), [1, 0, 0], atol=1e-7)


def test_segment_section_and_recording_have_the_same_probabilities_if_they_are_the_same() -> None:
    result = pooled([segment(*ROCK)])
    expected = softmax(np.array(ROCK) / 2)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(result.segments[0], expected, atol=1e-6)
    assert result.sets is not None
    run = np.array([0])
    np.testing.assert_allclose(result.sets.probabilities(run), expected, atol=1e-6)


def test_only_music_counts_in_the_set() -> None:
    talk = segment(*JAZZ, music=-5.0)
    result = pooled([segment(*ROCK), talk, segment(*ROCK)])
    expected = softmax(np.array(ROCK) / tiny.metadata(**METADATA).temperature_for(2))
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
    assert result.sets is not None
    alone = result.sets.probabilities(np.array([1]))
    np.testing.assert_allclose(alone, softmax(np.array(JAZZ) / 2), atol=1e-6)
    assert result.music == pytest.approx(1 / (1 + np.exp(-5 / 3)))


def test_silent_segments_are_in_no_set() -> None:
    silent = np.array([False, True, False])
    result = pooled([segment(*ROCK), segment(*JAZZ)], silent=silent, shares=np.ones(3))
    assert result.sets is not None
    np.testing.assert_allclose(result.sets.probabilities(np.array([1])), [1 / 3] * 3)
    np.testing.assert_allclose(
        result.sets.probabilities(np.array([1, 2])), softmax(np.array(JAZZ) / 2), atol=1e-6
    )


@pytest.mark.parametrize(
    ("n", "last", "sizes"),
    [(10, 1.0, [10]), (11, 0.3, [10.3]), (11, 1.0, [5, 6]), (30, 1.0, [10, 10, 10])],
)
def test_long_recordings_are_split_into_windows_of_about_equal_size(
    n: int, last: float, sizes: list[float]
) -> None:
    shares = np.ones(n)
    shares[-1] = last
    result = pooled([segment(*ROCK)] * n, shares=shares)
    assert result.sets is not None
    head = result.sets._head
    assert isinstance(head, MeanHead)
    probabilities = result.probabilities
    assert head.sizes == pytest.approx(sizes, abs=0.01)
    assert probabilities.sum() == pytest.approx(1)


def test_styles_of_the_set_head_follow_those_of_segments() -> None:
    styles = {style.name: style.probability for style in pooled([segment(*ROCK)] * 2).styles}
    assert styles["tag"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert styles["own"] == pytest.approx(1 / (1 + np.exp(-1)))


def test_a_choice_of_genres_is_renormalised() -> None:
    sets = pooled([segment(*ROCK)]).sets
    assert sets is not None
    whole, chosen = sets.probabilities(), sets.restricted([0, 2]).probabilities()
    np.testing.assert_allclose(chosen, whole[[0, 2]] / whole[[0, 2]].sum())
    np.testing.assert_allclose(sets.restricted([0, 2]).restricted([1]).probabilities(), [1.0])


def test_runs_are_evaluated_without_calibration() -> None:
    sets = pooled([segment(*ROCK), segment(*JAZZ, snr=10.0)]).sets
    assert sets is not None
    outputs, sizes = sets.evaluate([np.array([0]), np.array([0, 1])])
    np.testing.assert_allclose(outputs.genre_logits, [ROCK, (1.0, 0.0, 2.0)])
    assert outputs.snr is not None
    assert outputs.snr.tolist() == [20.0, 15.0]
    assert sizes.tolist() == [1.0, 2.0]


def test_sections_come_from_sets() -> None:
    rows = [segment(*ROCK)] * 8 + [segment(*JAZZ)] * 8
    result = pooled(rows)
    metadata: ModelMetadata = tiny.metadata(**METADATA)
    seconds = metadata.features.segment_seconds
    assert isinstance(result.sets, SegmentSets)
    sections = find_sections(
        result.segments,
        np.arange(16) * seconds,
        metadata,
        end=16 * seconds,
        probabilities_of=result.sets.probabilities,
    )
    assert [section.genre for section in sections] == [tiny.GENRES[0], tiny.GENRES[2]]
    expected = softmax(np.array(ROCK) / metadata.temperature_for(8)).max()
    assert sections[0].probability == pytest.approx(expected)
