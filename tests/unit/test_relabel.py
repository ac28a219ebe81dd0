"""Tables that rename genres."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrelens.data.folders import LabelledClip
from genrelens.data.relabel import applied_label_map, read_label_map
from genrelens.errors import DataError

MODERN = Path(__file__).parents[2] / "scripts" / "modern-genres.toml"
MODERN_AUDIO = MODERN.parents[2] / "shared" / "modern" / "audio"
GENRES = (
    "ambient blues classical country disco electronic folk hiphop jazz latin metal pop punk reggae "
    "rnb rock"
)


def table(folder: Path, text: str) -> Path:
    path = folder / "genres.toml"
    path.write_text(text)
    return path


def test_a_table_renames_and_leaves_out(tmp_path: Path) -> None:
    text = '# comment\nhip-hop = "hiphop"\n"R&B / Soul" = "rnb"\nspeech = ""\n'
    assert read_label_map(table(tmp_path, text)) == {
        "hip-hop": "hiphop",
        "R&B / Soul": "rnb",
        "speech": "",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "renames no genre"),
        ("jazz", "is not a TOML file"),
        ('jazz = "a"\njazz = "b"', "is not a TOML file"),
        ("jazz = 1", '"jazz" = "genre", or "jazz" = "" to leave it out'),
        ('hip.hop = "hiphop"', "hip must be a line such as"),
        ('[genres]\njazz = "a"', "genres must be a line such as"),
    ],
)
def test_invalid_tables(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"genres\.toml: .*{reason}"):
        read_label_map(table(tmp_path, text))


def test_unreadable_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.toml: No such file"):
        read_label_map(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"bytes\.toml: is not a TOML file"):
        read_label_map(tmp_path / "bytes.toml")


def test_only_renamings_of_clips_are_applied() -> None:
    clips = [LabelledClip(Path("1.wav"), "bebop").renamed("jazz"), LabelledClip(Path("2"), "rock")]
    assert applied_label_map(clips) == {"bebop": "jazz"}


def test_the_table_of_the_modern_recordings_has_sixteen_genres() -> None:
    assert sorted({*read_label_map(MODERN).values()} - {""}) == GENRES.split()


@pytest.mark.skipif(not MODERN_AUDIO.is_dir(), reason="the modern recordings are absent")
def test_the_table_of_the_modern_recordings_has_each_folder() -> None:
    assert set(read_label_map(MODERN)) == {path.name for path in MODERN_AUDIO.iterdir()}
