"""Splits from files, and a random split into training and validation."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import pytest

from genrelens.data.folders import LabelledClip
from genrelens.data.protocols import random_split
from genrelens.data.splits import split_by_file
from genrelens.errors import DataError, DataWarning


def clips_named(*stems: str) -> list[LabelledClip]:
    return [LabelledClip(Path(f"/data/{stem[0]}/{stem}.wav"), stem[0]) for stem in stems]


def split_file(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = folder / "split.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_split_file_gives_each_clip_its_part(encoding: str, tmp_path: Path) -> None:
    text = "clip,artist,group,split\na.0,X,x,train\nb.0,Y,,valid\nb.é,Z,z,test\nc.9,,,train\n"
    clips = clips_named("a.0", "b.0", "b.é")
    placed = split_by_file(split_file(tmp_path, text, encoding=encoding), clips)
    assert [(clip.path.stem, clip.part, clip.group) for clip in placed] == [
        ("a.0", "train", "x"),
        ("b.0", "valid", None),
        ("b.é", "test", "z"),
    ]
    assert [clip.label for clip in placed] == ["a", "b", "b"]


def test_split_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.csv"):
        split_by_file(tmp_path / "absent.csv", clips_named("a.0"))
    with pytest.raises(DataError, match=r"split\.csv.*decode"):
        split_by_file(split_file(tmp_path, "clip,é\n", encoding="latin-1"), clips_named("a.0"))


def test_file_of_several_rounds_is_for_cross_validation(tmp_path: Path) -> None:
    path = split_file(tmp_path, "clip,split_1,split_2\na.0,train,test\na.1,test,train\n")
    with pytest.raises(DataError, match="has 2 rounds; only genrelens crossval uses several"):
        split_by_file(path, clips_named("a.0", "a.1"))


def test_a_divided_group_causes_a_warning(tmp_path: Path) -> None:
    rows = "a.0,train,miles\na.1,test,miles\na.2,train,monk\nb.0,train,miles\n"
    path = split_file(tmp_path, "clip,split,group\n" + rows)
    words = r"divides groups: 1 in all, for instance miles \(in test and train\)"
    with pytest.warns(DataWarning, match=words):
        split_by_file(path, clips_named("a.0", "a.1", "a.2"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_by_file(path, clips_named("a.0", "a.2", "b.0"))  # no group is divided


# ------------------------------------------------------------------------ random splits

MANY = clips_named(
    *(f"{genre}.{i}" for genre, n in (("a", 40), ("b", 20), ("c", 2)) for i in range(n))
)


@pytest.mark.parametrize(
    ("fraction", "valid"),
    [
        (0.15, {"a": 6, "b": 3, "c": 1}),
        (0.5, {"a": 20, "b": 10, "c": 1}),
        (0.01, {"a": 1, "b": 1, "c": 1}),
        (0.99, {"a": 39, "b": 19, "c": 1}),
    ],
)
def test_random_split_takes_the_same_share_of_each_genre(
    fraction: float, valid: dict[str, int]
) -> None:
    split = random_split(MANY, valid_fraction=fraction)
    assert [clip.path for clip in split] == [clip.path for clip in MANY]
    assert {clip.part for clip in split} == {"train", "valid"}
    assert Counter(clip.label for clip in split if clip.part == "valid") == valid
    assert {clip.label for clip in split if clip.part == "train"} == {"a", "b", "c"}


def test_random_split_is_seeded() -> None:
    assert random_split(MANY, seed=1) == random_split(MANY, seed=1)
    assert random_split(MANY, seed=1) != random_split(MANY, seed=2)


def test_random_split_needs_two_clips_of_each_genre() -> None:
    with pytest.raises(DataError, match="genre 'b' has only 1 clip"):
        random_split(clips_named("a.0", "a.1", "b.0"))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_the_fraction_of_a_random_split_is_checked(fraction: float) -> None:
    with pytest.raises(ValueError, match="valid_fraction"):
        random_split(MANY, valid_fraction=fraction)
