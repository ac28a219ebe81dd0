"""Folders of labelled clips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genrelens.data.folders import (
    LabelledClip,
    find_audio,
    label_set,
    original_clip,
    read_folder,
    read_folders,
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
    """Files and genres may be links; links to other folders are not followed."""
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


def test_an_empty_label_leaves_a_genre_out(tmp_path: Path) -> None:
    touch(tmp_path, "blues/a.wav", "speech/b.wav")
    assert names(read_folder(tmp_path, label_map={"speech": ""})) == [("a.wav", "blues")]
    with pytest.raises(DataError, match="all its genres are left out"):
        read_folder(tmp_path, label_map={"speech": "", "blues": ""})


def test_several_folders_are_read_as_one(tmp_path: Path) -> None:
    touch(tmp_path, "old/jazz/a.wav", "old/rock/b.wav", "new/bebop/a.wav", "new/talk/c.wav")
    clips = read_folders(
        [tmp_path / "old", tmp_path / "new"], label_map={"bebop": "jazz", "talk": ""}
    )
    assert names(clips) == [("a.wav", "jazz"), ("b.wav", "rock"), ("a.wav", "jazz")]
    assert [(clip.source, clip.folder) for clip in clips] == [
        (0, "jazz"),
        (0, "rock"),
        (1, "bebop"),
    ]


def test_no_clip_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "data/jazz/a.wav", "data/jazz/blue/b.wav", "data2/jazz/a.wav")
    monkeypatch.chdir(tmp_path)
    for again in (Path("data"), tmp_path / "data2" / ".." / "data", Path("data/jazz")):
        with pytest.raises(DataError, match="is given twice, or lies in another folder"):
            read_folders([Path("data"), again])
        with pytest.raises(DataError, match="is given twice, or lies in another folder"):
            read_folders([again, Path("data2"), Path("data")])
    assert len(read_folders([Path("data"), Path("data2")])) == 3


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("pop.00003-snippet-10-20", "pop.00003"),
        ("my song-snippet-7.5-0", "my song"),
        ("pop/a-snippet-1-2", "pop/a"),
        ("pop.00003", None),
        ("-snippet-10-20", None),
        ("a-snippet-10", None),
        ("a-snippet-x-20", None),
    ],
)
def test_names_of_recordings_by_a_microphone(name: str, clip: str | None) -> None:
    assert original_clip(name) == clip


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
