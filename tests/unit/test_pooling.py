"""Pooling of windows and segments, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from genrelens.model_file import Outputs, StyleTag
from genrelens.pooling import PooledRecording
from genrelens.prediction import Style
from support import tiny

TAGS = (StyleTag("house", 0.6), StyleTag("folk", 0.2))


def logit(p: ArrayLike) -> np.ndarray:
    return np.log(np.asarray(p) / (1 - np.asarray(p))).astype(np.float32)


def outputs(
    clip: ArrayLike,
    n: int,
    *,
    music: ArrayLike | None = None,
    styles: ArrayLike | None = None,
    embeddings: ArrayLike | None = None,
) -> Outputs:
    """The outputs for a window of n segments, all with the probabilities of the window."""
    logits = np.log(np.asarray(clip)).astype(np.float32)
    return Outputs(
        clip_logits=logits,
        segment_logits=np.tile(logits, (n, 1)),
        embeddings=None if embeddings is None else np.asarray(embeddings, np.float32),
        style_logits=None if styles is None else logit(styles),
        music_logits=None if music is None else logit(music),
    )


def pooled(
    *windows: Outputs,
    last: float = 1.0,
    silent: ArrayLike | None = None,
    styles: tuple[StyleTag, ...] = TAGS,
    **metadata: float | None,
) -> PooledRecording:
    """Pool windows of a recording whose last segment that is not silent has the share ``last``."""
    n = sum(len(each.segment_logits) for each in windows)
    silence = np.zeros(n, bool) if silent is None else np.asarray(silent, bool)
    shares = np.ones(len(silence))
    if n:
        shares[np.flatnonzero(~silence)[-1]] = last
    values = tiny.metadata(styles=styles, **metadata)
    return PooledRecording(windows, values, shares=shares, silent=silence)


ROCK, JAZZ = (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)


def test_windows_are_weighted_by_their_segments() -> None:
    of_both = pooled(outputs(ROCK, 5), outputs(JAZZ, 2), styles=())
    expected = (5 * np.array(ROCK) + 2 * np.array(JAZZ)) / 7
    np.testing.assert_allclose(of_both.probabilities, expected, atol=1e-7)
    assert of_both.segments.shape == (7, 3)
    assert (of_both.music, of_both.segment_music, of_both.embedding) == (None, None, None)
    assert of_both.styles == ()


def test_only_music_counts() -> None:
    """In the second window one segment is music, in the third none."""
    windows = [
        outputs(ROCK, 2, music=[0.9, 0.6]),
        outputs(JAZZ, 3, music=[0.3, 0.5, 0.1]),
        outputs(JAZZ, 4, music=[0.01, 0.02, 0.03, 0.04]),
    ]
    radio = pooled(*windows, music_threshold=0.5)
    expected = (1.5 * np.array(ROCK) + 0.5 * np.array(JAZZ)) / 2.0
    np.testing.assert_allclose(radio.probabilities, expected, atol=1e-6)
    assert radio.music == pytest.approx(2.5 / 9)
    assert radio.segment_music == pytest.approx([0.9, 0.6, 0.3, 0.5, 0.1, 0.01, 0.02, 0.03, 0.04])


def test_all_segments_count_if_none_is_music() -> None:
    windows = [outputs(ROCK, 1, music=[0.4]), outputs(JAZZ, 3, music=[0.1, 0.2, 0.3])]
    talk = pooled(*windows, music_threshold=0.5)
    expected = (np.array(ROCK) + 3 * np.array(JAZZ)) / 4
    np.testing.assert_allclose(talk.probabilities, expected, atol=1e-7)


def test_styles_are_weighted_by_music() -> None:
    first = outputs(ROCK, 2, music=[0.9, 0.1], styles=[[0.7, 0.2], [0.1, 0.9]])
    second = outputs(ROCK, 1, music=[0.6], styles=[[0.2, 0.4]])
    folk, house = sorted(pooled(first, second, music_threshold=0.5).styles, key=str)
    assert house == Style("house", pytest.approx((0.9 * 0.7 + 0.6 * 0.2) / 1.5), 0.6)
    assert folk == Style("folk", pytest.approx((0.9 * 0.2 + 0.6 * 0.4) / 1.5), 0.2)
    assert (folk.applies, house.applies) == (True, False)


def test_styles_without_music_logits_and_their_order() -> None:
    plain = pooled(outputs(ROCK, 2, styles=[[0.1, 0.3], [0.2, 0.7]])).styles
    assert [style.name for style in plain] == ["folk", "house"]
    assert [style.probability for style in plain] == pytest.approx([0.5, 0.15])


def test_embeddings_are_averaged_and_have_length_one() -> None:
    """(2, 0), (4, 2) and (3, 7) sum up to (9, 9)."""
    first = outputs(ROCK, 2, embeddings=[[2, 0], [4, 2]])
    assert pooled(first, outputs(ROCK, 1, embeddings=[[3, 7]])).embedding == pytest.approx(
        [0.5**0.5, 0.5**0.5]
    )


def test_an_overlapping_segment_is_weighted_by_its_share() -> None:
    """In its window and among the windows, for genres, styles, music and the embedding."""
    first = outputs(
        ROCK, 2, music=[0.8, 0.6], styles=[[0.5, 0.2], [0.1, 0.2]], embeddings=[[1, 0], [1, 0]]
    )
    mixed = Outputs(
        np.log(np.mean([ROCK, JAZZ], axis=0)).astype(np.float32),
        np.log([ROCK, JAZZ]).astype(np.float32),
        np.array([[1, 0], [0, 1]], np.float32),
        logit([[0.5, 0.2], [0.9, 0.2]]),
        logit([0.8, 0.9]),
    )
    result = pooled(first, mixed, music_threshold=0.5, last=0.25)
    second = (np.array(ROCK) + 0.25 * np.array(JAZZ)) / 1.25
    weights = 0.8 + 0.6, 0.8 + 0.25 * 0.9
    expected = np.average([ROCK, second], axis=0, weights=weights)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
    assert result.music == pytest.approx((0.8 + 0.6 + 0.8 + 0.25 * 0.9) / 3.25)
    style = next(each for each in result.styles if each.name == "house")
    total = 0.8 * 0.5 + 0.6 * 0.1 + 0.8 * 0.5 + 0.225 * 0.9
    assert style.probability == pytest.approx(total / sum(weights))
    assert result.embedding == pytest.approx(np.array([3, 0.25]) / np.hypot(3, 0.25))


def test_the_temperature_is_applied_to_the_weighted_mean() -> None:
    both = Outputs(
        np.log(np.mean([ROCK, JAZZ], axis=0)).astype(np.float32),
        np.log([ROCK, JAZZ]).astype(np.float32),
    )
    mean = (np.array(ROCK) + 0.5 * np.array(JAZZ)) / 1.5
    expected = np.sqrt(mean) / np.sqrt(mean).sum()
    result = pooled(both, last=0.5, temperature=2.0)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)


def test_the_answer_of_a_graph_without_a_mean_is_kept() -> None:
    own = Outputs(np.log(JAZZ).astype(np.float32), np.log([ROCK, ROCK]).astype(np.float32))
    np.testing.assert_allclose(pooled(own, last=0.5).probabilities, JAZZ, atol=1e-6)


def test_silent_segments_do_not_count() -> None:
    loud = outputs(
        ROCK, 2, music=[0.9, 0.7], styles=[[0.4, 0.2], [0.6, 0.2]], embeddings=[[3, 4], [3, 4]]
    )
    result = pooled(loud, music_threshold=0.5, silent=[True, False, True, False, True])
    np.testing.assert_allclose(result.probabilities, ROCK, atol=1e-6)
    np.testing.assert_allclose(result.segments[[1, 3]], [ROCK, ROCK], atol=1e-6)
    np.testing.assert_array_equal(result.segments[[0, 2, 4]], np.full((3, 3), 1 / 3))
    assert result.segment_music == pytest.approx([0, 0.9, 0, 0.7, 0])
    assert result.music == pytest.approx(0.8)
    assert result.embedding == pytest.approx([0.6, 0.8])
    assert result.styles[0].probability == pytest.approx((0.9 * 0.4 + 0.7 * 0.6) / 1.6)


def test_a_silent_recording() -> None:
    result = pooled(music_threshold=0.5, silent=[True, True])
    np.testing.assert_array_equal(result.probabilities, np.full(3, 1 / 3))
    np.testing.assert_array_equal(result.segments, np.full((2, 3), 1 / 3))
    assert (result.music, result.embedding) == (0, None)
    assert [style.probability for style in result.styles] == [0, 0]


def test_embeddings_that_cancel_give_none() -> None:
    assert pooled(outputs(ROCK, 2, embeddings=[[2, -1], [-2, 1]])).embedding is None


def test_temperatures() -> None:
    result = pooled(outputs((0.64, 0.32, 0.04), 1), temperature=2.0, segment_temperature=0.5)
    expected = np.array([0.8, 0.5657, 0.2]) / 1.5657
    assert result.probabilities == pytest.approx(expected, abs=1e-4)
    assert result.segments[0] == pytest.approx(np.array([64**2, 32**2, 16]) / 5136, abs=1e-6)


def test_extreme_logits() -> None:
    extreme = Outputs(
        np.array([1e4, 0, 0], np.float32),
        np.array([[0, -1e4, 0]], np.float32),
        style_logits=np.array([[1e4, -1e4]], np.float32),
        music_logits=np.array([-1e4], np.float32),
    )
    result = pooled(extreme, music_threshold=0.5)
    assert result.probabilities.tolist() == [1, 0, 0]
    assert result.segments.tolist() == [[0.5, 0, 0.5]]
    assert [style.probability for style in result.styles] == [1, 0]
    assert result.music == 0


# ------------------------------------------------------------------- segments that are not music


def mixed(rows: ArrayLike, music: ArrayLike, snr: ArrayLike | None = None) -> Outputs:
    """The outputs for a window whose segments differ; its answer is their mean."""
    return Outputs(
        np.log(np.mean(rows, axis=0)).astype(np.float32),
        np.log(rows).astype(np.float32),
        style_logits=logit([[0.5, 0.5]] * len(np.asarray(rows))),
        music_logits=logit(music),
        snr=None if snr is None else np.asarray(snr, np.float32),
    )


def test_segments_of_a_window_that_are_not_music_do_not_count() -> None:
    result = pooled(mixed([ROCK, JAZZ, ROCK], [0.9, 0.2, 0.6]), music_threshold=0.5)
    np.testing.assert_allclose(result.probabilities, ROCK, atol=1e-6)
    np.testing.assert_allclose(result.segments[1], JAZZ, atol=1e-6)


def test_a_window_without_music_does_not_count() -> None:
    talk, song = mixed([JAZZ, JAZZ], [0.1, 0.2]), mixed([ROCK], [0.9])
    for temperatures in ({}, {1: 1.0}):
        result = pooled(talk, song, music_threshold=0.5, temperatures=temperatures)
        np.testing.assert_allclose(result.probabilities, ROCK, atol=1e-6)


def test_temperatures_apply_to_the_mean_over_all_segments_that_count() -> None:
    """Four segments in two windows, of which three are music: the temperature for 3 is 2."""
    windows = mixed([ROCK, JAZZ], [0.9, 0.8]), mixed([JAZZ, ROCK], [0.1, 0.7])
    result = pooled(*windows, music_threshold=0.5, temperatures={1: 0.5, 3: 2.0}, temperature=9.0)
    roots = np.sqrt((2 * np.array(ROCK) + np.array(JAZZ)) / 3)
    np.testing.assert_allclose(result.probabilities, roots / roots.sum(), atol=1e-6)
    squares = np.array(ROCK) ** 2
    np.testing.assert_allclose(result.segments[0], squares / squares.sum(), atol=1e-6)


def test_the_answer_of_a_graph_without_a_mean_has_the_temperature_of_a_clip() -> None:
    """Also if one of its windows has a single segment, which is its own mean."""
    own = Outputs(np.log(JAZZ).astype(np.float32), np.log([ROCK, ROCK]).astype(np.float32))
    result = pooled(own, outputs(ROCK, 1), temperature=2.0, temperatures={1: 0.5}, styles=())
    roots = [np.sqrt(row) / np.sqrt(row).sum() for row in (JAZZ, ROCK)]
    expected = (2 * roots[0] + roots[1]) / 3
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)


def test_a_recording_of_one_segment_has_the_probabilities_of_the_segment() -> None:
    for temperature in (0.5, 3.0):
        result = pooled(outputs(ROCK, 1), temperatures={1: temperature, 10: 1.0})
        np.testing.assert_allclose(result.probabilities, result.segments[0], atol=1e-9)


def test_the_signal_to_noise_ratio_is_that_of_the_music() -> None:
    window = mixed([ROCK, JAZZ, ROCK], [0.9, 0.2, 0.6], snr=[4, -20, 8])
    result = pooled(window, music_threshold=0.5, silent=[False, True, False, False])
    assert result.snr == pytest.approx(6)
    np.testing.assert_array_equal(result.segment_snr, [4, np.nan, -20, 8])
    plain = pooled(window)
    assert plain.snr == pytest.approx(-8 / 3)
    without = pooled(outputs(ROCK, 2))
    assert (without.snr, without.segment_snr) == (None, None)
    silence = pooled(silent=[True])
    assert (silence.snr, silence.segment_snr) == (None, None)
