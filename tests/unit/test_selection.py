"""Selection of clips: a folder, a part of a split, groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrelens.data.selection import select_clips
from genrelens.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("jazz/a.wav", "jazz/b.wav", "rock/c.wav"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    return tmp_path / "data"


@pytest.fixture
def split(tmp_path: Path) -> Path:
    path = tmp_path / "split.csv"
    path.write_text("clip,split,artist\na,train,x\nb,test,y\nc,test,z\n")
    return path


def test_all_clips_or_a_part_of_a_split_with_groups(folder: Path, split: Path) -> None:
    assert [clip.path.name for clip in select_clips(folder)] == ["a.wav", "b.wav", "c.wav"]
    clips = select_clips(folder, split=split, part="test", groups=split, group_column="artist")
    assert [(clip.path.name, clip.group, clip.part) for clip in clips] == [
        ("b.wav", "y", None),
        ("c.wav", "z", None),
    ]


def test_genres_are_left_out(folder: Path) -> None:
    clips = select_clips(folder, left_out={"jazz", "polka"})
    assert [clip.path.name for clip in clips] == ["c.wav"]
    with pytest.raises(DataError, match="all its genres are left out"):
        select_clips(folder, left_out={"jazz", "rock"})


def test_an_empty_part_and_an_empty_genre_are_errors(folder: Path, split: Path) -> None:
    with pytest.raises(DataError, match="is in part 'valid'"):
        select_clips(folder, split=split)
    (folder / "polka").mkdir()
    with pytest.raises(DataError, match="polka: holds no audio"):
        select_clips(folder)
