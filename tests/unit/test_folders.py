"""Folders of labelled clips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genrelens.data.folders import (
    LabelledClip,
    find_audio,
    label_set,
    read_folder,
)
from genrelens.errors import DataError, DataWarning


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(clips: list[LabelledClip]) -> list[tuple[str, str]]:
    return [(clip.path.name, clip.label) for clip in clips]


# ------------------------------------------------------------------------------ folders


def test_subfolders_are_the_genres_however_deep_the_files_lie(tmp_path: Path) -> None:
    touch(tmp_path, "rock/b.mp3", "rock/album/cd 1/a.FLAC", "jazz/x.wav", "jazz/y.au", "loose.wav")
    clips = read_folder(tmp_path)
    assert names(clips) == [
        ("x.wav", "jazz"),
        ("y.au", "jazz"),
        ("a.FLAC", "rock"),
        ("b.mp3", "rock"),
    ]
    assert clips[2].path == tmp_path / "rock" / "album" / "cd 1" / "a.FLAC"
    assert {(clip.part, clip.group) for clip in clips} == {(None, None)}
    assert label_set(clips) == ["jazz", "rock"]


def test_hidden_and_other_files_are_skipped(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "jazz/a.wav",
        "jazz/.b.wav",
        "jazz/._a.wav",
        "jazz/.trash/c.wav",
        ".git/d.wav",
        "jazz/cover.jpg",
        "jazz/notes.txt",
        "jazz/no_ending",
        "jazz/folder.wav/e.txt",
    )
    assert names(read_folder(tmp_path)) == [("a.wav", "jazz")]


def test_symbolic_links(tmp_path: Path) -> None:
    """Files and genres may be links; links to deeper folders are not followed."""
    touch(tmp_path / "elsewhere", "a.wav", "b.wav")
    touch(tmp_path / "data", "jazz/c.wav")
    jazz = tmp_path / "data" / "jazz"
    (jazz / "link.wav").symlink_to(tmp_path / "elsewhere" / "a.wav")
    (jazz / "dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    (jazz / "circle").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "rock").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(DataWarning, match=r"dangling\.wav is skipped: No such file"):
        clips = read_folder(tmp_path / "data")
    assert names(clips) == [
        ("c.wav", "jazz"),
        ("link.wav", "jazz"),
        ("a.wav", "rock"),
        ("b.wav", "rock"),
    ]


def test_label_map_renames(tmp_path: Path) -> None:
    touch(tmp_path, "blues/a.wav", "jazz/b.wav", "rock/c.wav")
    clips = read_folder(tmp_path, label_map={"blues": "jazz", "absent": "x"})
    assert names(clips) == [("a.wav", "jazz"), ("b.wav", "jazz"), ("c.wav", "rock")]


@pytest.mark.parametrize("content", [[], ["loose.wav"], ["jazz/notes.txt"], [".hidden/a.wav"]])
def test_folder_without_labelled_audio(content: list[str], tmp_path: Path) -> None:
    touch(tmp_path, *content)
    with pytest.raises(DataError, match=r"no audio in subfolders.*jazz.track\.mp3"):
        read_folder(tmp_path)


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "file")
    with pytest.raises(DataError, match="file: Not a directory"):
        read_folder(tmp_path / "file")
    with pytest.raises(DataError, match="absent: No such file"):
        read_folder(tmp_path / "absent")
    with pytest.raises(DataError, match="absent: No such file"):
        find_audio(tmp_path / "absent")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user with limits")
def test_folder_that_may_not_be_listed(tmp_path: Path) -> None:
    touch(tmp_path, "jazz/a.wav", "rock/b.wav")
    (tmp_path / "rock").chmod(0)
    with pytest.raises(DataError, match="rock: Permission denied"):
        read_folder(tmp_path)
