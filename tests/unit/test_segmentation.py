"""Sections, computed by hand and compared with a search through all timelines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrelens.metadata import ModelMetadata
from genrelens.segmentation import Section, find_sections
from support import tiny

THREE_SECONDS = replace(tiny.MEL, hop_length=100, segment_frames=240, segment_hop=240)
LABELS = ("jazz", "pop", "rock")
SURE = {label: [0.98 if each == label else 0.01 for each in LABELS] for label in LABELS}
WEAK = {label: [0.5 if each == label else 0.25 for each in LABELS] for label in LABELS}


def sections(rows: Sequence[Sequence[float]], **options: Any) -> list[Section]:
    """Sections of consecutive segments of 3 s; options can be fields of the metadata, too."""
    fields = {name: options.pop(name) for name in [*options] if name in ModelMetadata.__slots__}
    metadata = tiny.metadata(THREE_SECONDS, labels=LABELS, **fields)
    settings = {"times": 3.0 * np.arange(len(rows)), "end": 3.0 * len(rows), **options}
    return list(find_sections(np.array(rows), metadata=metadata, **settings))


def found(rows: Sequence[Sequence[float]], **options: Any) -> list[tuple[str, float, float]]:
    return [
        (each.genre if each.verdict == "genre" else each.verdict, each.start, each.end)
        for each in sections(rows, **options)
    ]


def test_one_genre_is_one_section() -> None:
    assert sections([WEAK["pop"]] * 10) == [Section(0.0, 30.0, "genre", "pop", 0.5)]
    assert found([SURE["jazz"]]) == [("jazz", 0.0, 3.0)]


def test_two_halves_are_two_sections() -> None:
    rows = [SURE["rock"]] * 4 + [SURE["jazz"]] * 6
    first, second = sections(rows)
    assert first == Section(0.0, 12.0, "genre", "rock", pytest.approx(0.98))
    assert second == Section(12.0, 30.0, "genre", "jazz", pytest.approx(0.98))
    assert found([WEAK["rock"]] * 8 + [WEAK["jazz"]] * 8) == [("rock", 0, 24), ("jazz", 24, 48)]


@pytest.mark.parametrize("row", [0, 4, 9])
@pytest.mark.parametrize("other", [SURE["jazz"], [1.0, 0.0, 0.0]])
def test_one_different_segment_is_not_a_section(row: int, other: list[float]) -> None:
    rows = [SURE["rock"]] * 10
    rows[row] = other
    assert found(rows) == [("rock", 0.0, 30.0)]
    if 0 < row < 9:
        rows[row + 1] = other
        assert found(rows) == [("rock", 0.0, 30.0)]
        rows[row - 1] = other
        assert found(rows) == [("rock", 0, 9), ("jazz", 9, 18), ("rock", 18, 30)]


def test_the_cost_of_a_change() -> None:
    """The evidence of a segment of 2 : 1 is log 2; log 101 is between 6 and 7 times that."""
    assert 6 * math.log(2) < math.log(101) < 7 * math.log(2)
    start = [SURE["rock"]] * 5
    assert found(start + [WEAK["jazz"]] * 6) == [("rock", 0, 33)]
    assert found(start + [WEAK["jazz"]] * 7) == [("rock", 0, 15), ("jazz", 15, 36)]
    assert found(start + [WEAK["jazz"]] * 13 + start) == [("rock", 0, 69)]
    assert len(found(start + [WEAK["jazz"]] * 14 + start)) == 3


def test_sure_threshold() -> None:
    rows = [WEAK["pop"]] * 10
    assert sections(rows, sure_threshold=0.51)[0].verdict == "not sure"
    assert sections(rows, sure_threshold=0.5)[0] == Section(0.0, 30.0, "genre", "pop", 0.5)


# ------------------------------------------------------------------- temperature and music


def test_probabilities_have_the_temperature_of_a_recording() -> None:
    """By hand: 0.5, 0.25, 0.25 with a temperature of 1/2 are squared: 2/3, 1/6, 1/6."""
    (section,) = sections([WEAK["pop"]] * 4, temperature=0.5, sure_threshold=0.6)
    assert section.probability == pytest.approx(2 / 3)
    assert section.verdict == "genre"


def test_talk_between_songs() -> None:
    rows = [SURE["pop"]] * 4 + [WEAK["jazz"]] * 5 + [SURE["rock"]] * 4
    music = np.array([0.99] * 4 + [0.05] * 5 + [0.99] * 4)
    assert found(rows, music=music, music_threshold=0.5) == [
        ("pop", 0, 12),
        ("not music", 12, 27),
        ("rock", 27, 39),
    ]
    talk = sections(rows, music=music, music_threshold=0.5)[1]
    assert (talk.genre, talk.probability) == ("jazz", 0.5)
    all_music = found(rows, music=music, music_threshold=0.01)
    assert [name for name, _, _ in all_music] == ["pop", "rock"]
    music[4] = 0.99  # one segment is not a section
    assert len(found(rows, music=music, music_threshold=0.5)) == 3


@pytest.mark.parametrize(("music", "verdict"), [(0.3, "genre"), (0.15, "not music")])
def test_only_the_threshold_separates_music(music: float, verdict: str) -> None:
    """The probability of the genre has no influence: 0.3 x 0.34 is below 0.7."""
    even = [[0.34, 0.33, 0.33]] * 5
    (section,) = sections(even, music=np.full(5, music), music_threshold=0.2)
    assert (section.verdict, section.genre) == (verdict, "jazz")


def test_probabilities_of_0_and_1() -> None:
    rows = [[1.0, 0.0, 0.0]] * 3 + [[0.0, 1.0, 0.0]] * 3
    music = np.array([1.0] * 6)
    assert len(found(rows, music=music, music_threshold=0.5)) == 2
    assert found(rows, music=1 - music, music_threshold=0.5) == [("not music", 0, 18)]


# ------------------------------------------------------------------------------------ times


def test_the_recording_ends_before_the_segment_does() -> None:
    assert found([SURE["pop"]] * 3, end=8.5) == [("pop", 0.0, 8.5)]


def test_overlapping_segments_share_the_border() -> None:
    """Segments of 3 s, one every 2 s: those at 6 and 8 s share the second from 8 to 9 s."""
    rows = [SURE["rock"]] * 4 + [SURE["jazz"]] * 4
    result = found(rows, times=2.0 * np.arange(8), end=17.0)
    assert result == [("rock", 0.0, 8.5), ("jazz", 8.5, 17.0)]


def test_a_gap_ends_a_section() -> None:
    times = np.array([0.0, 3.0, 50.0, 53.0])
    assert found([SURE["pop"]] * 4, times=times, end=60.0) == [("pop", 0, 6), ("pop", 50, 56)]
    rows = [SURE["rock"], SURE["rock"], SURE["jazz"], SURE["jazz"]]
    assert found(rows, times=times, end=60.0) == [("rock", 0, 6), ("jazz", 50, 56)]


# -------------------------------------------------------------------------------- reference


def cost_of_best(rows: NDArray[np.float64]) -> float:
    """Try each timeline: a segment costs the odds against it, at most 100, a change 101."""
    odds = np.minimum(rows.max(axis=1, keepdims=True) / np.maximum(rows, 1e-12), 100)
    return min(cost(np.log(odds), path) for path in itertools.product(range(3), repeat=len(rows)))


def cost(odds: NDArray[np.float64], path: Sequence[int]) -> float:
    changes = sum(a != b for a, b in itertools.pairwise(path))
    return sum(odds[i, state] for i, state in enumerate(path)) + changes * math.log(101)


@given(st.integers(0, 10_000), st.integers(1, 7), st.floats(0.05, 3))
def test_no_timeline_is_more_probable(seed: int, n: int, spread: float) -> None:
    rows = np.random.default_rng(seed).dirichlet([spread] * 3, size=n)
    path = [0] * n
    for section in sections(rows.tolist()):
        for index in range(round(section.start / 3), round(section.end / 3)):
            path[index] = LABELS.index(section.genre)
    odds = np.log(np.minimum(rows.max(axis=1, keepdims=True) / np.maximum(rows, 1e-12), 100))
    assert cost(odds, path) == pytest.approx(cost_of_best(rows), abs=1e-9)


# -------------------------------------------------------------------------------- silence

EVEN = [1 / 3] * 3


def test_silence_is_a_section() -> None:
    rows = [SURE["rock"]] * 4 + [EVEN] * 5 + [SURE["jazz"]] * 4
    silent = np.array([False] * 4 + [True] * 5 + [False] * 4)
    expected = [("rock", 0, 12), ("silence", 12, 27), ("jazz", 27, 39)]
    assert found(rows, silent=silent) == expected
    music = np.where(silent, 0, 0.99)
    assert found(rows, silent=silent, music=music, music_threshold=0.5) == expected


def test_a_short_pause_is_not_a_section() -> None:
    """One or two silent segments inside, one at an end; they do not count in the mean."""
    for silent_rows in ([4], [4, 5], [0], [9]):
        rows = [SURE["rock"]] * 10
        silent = np.zeros(10, bool)
        silent[silent_rows] = True
        for row in silent_rows:
            rows[row] = EVEN
        (section,) = sections(rows, silent=silent)
        assert section == Section(0.0, 30.0, "genre", "rock", pytest.approx(0.98))


def test_silent_recording() -> None:
    for n in (1, 3):
        (section,) = sections([EVEN] * n, silent=np.ones(n, bool))
        assert section == Section(0.0, 3.0 * n, "silence", "jazz", pytest.approx(1 / 3))


def test_a_last_segment_that_overlaps_is_weighted() -> None:
    """Seven weak segments are a section at an end, six and a half are not."""
    rows = [SURE["rock"]] * 5 + [WEAK["jazz"]] * 7
    times = np.append(3.0 * np.arange(11), 31.5)
    assert found(rows, times=times, end=34.5) == [("rock", 0, 15), ("jazz", 15, 34.5)]
    weights = np.array([1.0] * 11 + [0.5])
    (section,) = sections(rows, times=times, end=34.5, weights=weights)
    mean = (5 * 0.98 + 6.5 * 0.25) / 11.5
    assert section == Section(0.0, 34.5, "genre", "rock", pytest.approx(mean))
