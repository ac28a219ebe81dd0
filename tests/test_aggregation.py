"""From windows and segments to a recording, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

import tiny
from genrelens.aggregation import Heard, Window
from genrelens.artifact import Outputs, StyleTag
from genrelens.prediction import Style

TAGS = (StyleTag("house", 0.6), StyleTag("folk", 0.2))


def logit(p: ArrayLike) -> np.ndarray:
    return np.log(np.asarray(p) / (1 - np.asarray(p))).astype(np.float32)


def outputs(
    clip: ArrayLike, n: int, *, music: ArrayLike | None = None, styles: ArrayLike | None = None,
    embeddings: ArrayLike | None = None,
) -> Outputs:  # fmt: skip
    """A window of n segments with these probabilities; the segments say what the clip says."""
    logits = np.log(np.asarray(clip)).astype(np.float32)
    return Outputs(
        clip_logits=logits,
        segment_logits=np.tile(logits, (n, 1)),
        embeddings=None if embeddings is None else np.asarray(embeddings, np.float32),
        style_logits=None if styles is None else logit(styles),
        music_logits=None if music is None else logit(music),
    )


def heard(*windows: Outputs, music_threshold: float | None = None) -> Heard:
    metadata = tiny.metadata(music_threshold=music_threshold)
    return Heard([Window.of(each, metadata) for each in windows], music_threshold)


ROCK, JAZZ = (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)


def test_windows_count_by_their_segments() -> None:
    of_both = heard(outputs(ROCK, 5), outputs(JAZZ, 2))
    expected = (5 * np.array(ROCK) + 2 * np.array(JAZZ)) / 7
    np.testing.assert_allclose(of_both.probabilities, expected, atol=1e-7)
    assert of_both.segments.shape == (7, 3)
    assert (of_both.music, of_both.segment_music, of_both.embedding) == (None, None, None)
    assert of_both.styles(()) == ()


def test_talk_does_not_count() -> None:
    """Of the second window one segment is music; the third is none at all."""
    windows = [
        outputs(ROCK, 2, music=[0.9, 0.6]),
        outputs(JAZZ, 3, music=[0.3, 0.5, 0.1]),
        outputs(JAZZ, 4, music=[0.01, 0.02, 0.03, 0.04]),
    ]
    radio = heard(*windows, music_threshold=0.5)
    expected = (1.5 * np.array(ROCK) + 0.5 * np.array(JAZZ)) / 2.0
    np.testing.assert_allclose(radio.probabilities, expected, atol=1e-6)
    assert radio.music == pytest.approx(2.5 / 9)
    assert radio.segment_music == pytest.approx([0.9, 0.6, 0.3, 0.5, 0.1, 0.01, 0.02, 0.03, 0.04])


def test_where_nothing_is_music_everything_counts() -> None:
    windows = [outputs(ROCK, 1, music=[0.4]), outputs(JAZZ, 3, music=[0.1, 0.2, 0.3])]
    talk = heard(*windows, music_threshold=0.5)
    expected = (np.array(ROCK) + 3 * np.array(JAZZ)) / 4
    np.testing.assert_allclose(talk.probabilities, expected, atol=1e-7)


def test_styles_are_those_of_the_music() -> None:
    first = outputs(ROCK, 2, music=[0.9, 0.1], styles=[[0.7, 0.2], [0.1, 0.9]])
    second = outputs(ROCK, 1, music=[0.6], styles=[[0.2, 0.4]])
    folk, house = sorted(heard(first, second, music_threshold=0.5).styles(TAGS), key=str)
    assert house == Style("house", pytest.approx((0.9 * 0.7 + 0.6 * 0.2) / 1.5), 0.6)
    assert folk == Style("folk", pytest.approx((0.9 * 0.2 + 0.6 * 0.4) / 1.5), 0.2)
    assert (folk.applies, house.applies) == (True, False)


def test_styles_without_music_logits_and_their_order() -> None:
    plain = heard(outputs(ROCK, 2, styles=[[0.1, 0.3], [0.2, 0.7]])).styles(TAGS)
    assert [style.name for style in plain] == ["folk", "house"]
    assert [style.probability for style in plain] == pytest.approx([0.5, 0.15])


def test_embeddings_are_averaged_and_have_length_one() -> None:
    """(2, 0), (4, 2) and (3, 7) sum up to (9, 9)."""
    first = outputs(ROCK, 2, embeddings=[[2, 0], [4, 2]])
    assert heard(first, outputs(ROCK, 1, embeddings=[[3, 7]])).embedding == pytest.approx(
        [0.5**0.5, 0.5**0.5]
    )


def test_a_direction_that_is_none() -> None:
    assert heard(outputs(ROCK, 2, embeddings=[[2, -1], [-2, 1]])).embedding is None


def test_temperatures() -> None:
    metadata = tiny.metadata(temperature=2.0, segment_temperature=0.5)
    window = Window.of(outputs((0.64, 0.32, 0.04), 1), metadata)
    assert window.clip == pytest.approx(np.array([0.8, 0.5657, 0.2]) / 1.5657, abs=1e-4)
    assert window.segments[0] == pytest.approx(np.array([64**2, 32**2, 16]) / 5136, abs=1e-6)


def test_extreme_logits() -> None:
    sure = Outputs(
        np.array([1e4, 0, 0], np.float32), np.array([[0, -1e4, 0]], np.float32),
        style_logits=np.array([[1e4, -1e4]], np.float32), music_logits=np.array([-1e4], np.float32),
    )  # fmt: skip
    window = Window.of(sure, tiny.metadata())
    assert window.clip.tolist() == [1, 0, 0]
    assert window.segments.tolist() == [[0.5, 0, 0.5]]
    assert window.styles is not None
    assert window.styles.tolist() == [[1, 0]]
    assert window.music is not None
    assert window.music.tolist() == [0]
