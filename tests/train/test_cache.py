"""The feature cache: keyed by content and front end, and robust to damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.errors import AudioError, DataError
from genrelens.features import (
    FeatureConfig,
    extract_features,
    extract_segments,
    segment_starts,
)
from genrelens.highpass import high_pass
from support import tiny


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tiny.sound("noise", 1.5), tiny.RATE)
    return path


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Collect the clips that are decoded."""
    from genrelens.train import cache as cache_module

    decoded: list[Path] = []

    def load(path: Path, **options: Any) -> NDArray[np.float32]:
        decoded.append(path)
        return load_audio(path, **options)

    monkeypatch.setattr(cache_module, "load_audio", load)
    return decoded


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_frames_are_those_of_the_front_end(clip: Path, tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache

    frames = FeatureCache(tmp_path / "cache", tiny.MEL).load(clip)
    y = high_pass(load_audio(clip, sample_rate=tiny.RATE), tiny.RATE)
    expected = extract_features(y, tiny.MEL)
    np.testing.assert_array_equal(frames, expected)


def test_check_decodes_a_clip_once_and_stores_no_frames(
    clip: Path, tmp_path: Path, computed: list[Path]
) -> None:
    from genrelens.train.cache import AudioCheck, file_digest

    check = AudioCheck(tmp_path / "cache", tiny.RATE)
    for _ in range(2):
        assert check.load(clip, file_digest(clip)).shape == (0, 0)
    assert computed == [clip]
    assert [path.stat().st_size for path in entries(tmp_path / "cache")] == [0]


def test_check_reports_an_unreadable_clip_each_time(tmp_path: Path, computed: list[Path]) -> None:
    from genrelens.train.cache import AudioCheck, file_digest

    broken = tmp_path / "broken.wav"
    broken.write_text("no audio")
    check = AudioCheck(tmp_path / "cache", tiny.RATE)
    for _ in range(2):
        with pytest.raises(AudioError, match=r"broken\.wav"):
            check.load(broken, file_digest(broken))
    assert computed == [broken, broken]
    assert entries(tmp_path / "cache") == []


def test_second_time_comes_from_the_disk(clip: Path, tmp_path: Path, computed: list[Path]) -> None:
    from genrelens.train.cache import FeatureCache, file_digest

    first = FeatureCache(tmp_path / "cache", tiny.MEL).load(clip)
    second = FeatureCache(tmp_path / "cache", tiny.MEL).load(clip, file_digest(clip))
    assert computed == [clip]
    np.testing.assert_array_equal(first, second)
    assert isinstance(second, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        second[0, 0] = 1


def test_key_is_the_content_not_the_name(clip: Path, tmp_path: Path, computed: list[Path]) -> None:
    from genrelens.train.cache import FeatureCache

    cache = FeatureCache(tmp_path / "cache", tiny.MEL)
    before = np.array(cache.load(clip))
    moved = clip.rename(tmp_path / "moved.flac")
    np.testing.assert_array_equal(cache.load(moved), before)
    assert computed == [clip]
    soundfile.write(clip, tiny.sound("chords", 1.5), tiny.RATE)
    assert not np.array_equal(cache.load(clip), before)
    assert computed == [clip, clip]


@pytest.mark.parametrize(
    ("changes", "hit"),
    [
        ({}, True),
        ({"segment_frames": 10, "segment_hop": 5}, True),
        ({"log_scale": 5.0}, False),
        ({"hop_length": 100}, False),
        ({"kind": "mfcc", "n_mfcc": 8}, False),
    ],
)
def test_key_is_the_front_end_without_its_segments(
    changes: dict[str, Any], hit: bool, clip: Path, tmp_path: Path, computed: list[Path]
) -> None:
    from genrelens.train.cache import FeatureCache

    FeatureCache(tmp_path / "cache", tiny.MEL).load(clip)
    FeatureCache(tmp_path / "cache", replace(tiny.MEL, **changes)).load(clip)
    assert len(computed) == (1 if hit else 2)


def test_short_clip_is_padded_to_one_segment(tmp_path: Path) -> None:
    """The length of a segment is not in the key, so the padding is not stored."""
    from genrelens.train.cache import FeatureCache

    path = tmp_path / "short.wav"
    soundfile.write(path, tiny.sound("noise", 0.1), tiny.RATE)
    waveform = load_audio(path, sample_rate=tiny.RATE)
    for segment_frames in (20, 5, 40, 20):
        config = replace(tiny.MEL, segment_frames=segment_frames, segment_hop=segment_frames)
        frames = FeatureCache(tmp_path / "cache", config).load(path)
        segments = extract_segments(waveform, config)
        starts = segment_starts(len(frames), config)
        expected = np.stack([frames[start : start + segment_frames] for start in starts])
        np.testing.assert_array_equal(segments, expected)
        assert not frames.flags.writeable


def truncate(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-10])


def empty(entry: Path) -> None:
    entry.write_bytes(b"")


def other_bytes(entry: Path) -> None:
    entry.write_bytes(b"not numpy" * 50)


def other_shape(entry: Path) -> None:
    np.save(entry, np.zeros((5, 3), np.float32))


def other_type(entry: Path) -> None:
    np.save(entry, np.zeros((30, 16), np.float64))


def pickled(entry: Path) -> None:
    np.save(entry, np.array([{}], dtype=object), allow_pickle=True)


def header_of_zeros(entry: Path) -> None:
    entry.write_bytes(bytes(len(entry.read_bytes())))


@pytest.mark.parametrize(
    "harm",
    [truncate, empty, other_bytes, other_shape, other_type, pickled, header_of_zeros],
)
def test_damaged_entry_is_computed_again(
    harm: Callable[[Path], None], clip: Path, tmp_path: Path
) -> None:
    from genrelens.train.cache import FeatureCache

    cache = FeatureCache(tmp_path / "cache", tiny.MEL)
    expected = np.array(cache.load(clip))
    [entry] = entries(tmp_path / "cache")
    harm(entry)
    np.testing.assert_array_equal(cache.load(clip), expected)
    np.testing.assert_array_equal(np.load(entry), expected)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left")])
def test_interrupted_write_leaves_nothing(
    interruption: Any, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrelens.train.cache import FeatureCache

    def save(file: Any, *_: Any, **__: Any) -> None:
        file.write(b"the first half")
        raise interruption

    cache = FeatureCache(tmp_path / "cache", tiny.MEL)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", save)
        with pytest.raises((KeyboardInterrupt, DataError)) as caught:
            cache.load(clip)
    if caught.type is DataError:
        assert "No space left" in str(caught.value)
    assert entries(tmp_path / "cache") == []
    assert len(cache.load(clip)) == 94  # 1 + 12000 // 128


def test_folder_that_cannot_be_written(clip: Path, tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache

    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file.*cache cannot be written.*choose another folder"):
        FeatureCache(tmp_path / "file", tiny.MEL).load(clip)


def test_unreadable_clips(tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache

    cache = FeatureCache(tmp_path / "cache", tiny.MEL)
    with pytest.raises(AudioError, match=r"absent\.wav: No such file"):
        cache.load(tmp_path / "absent.wav")
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"text\.wav"):
        cache.load(tmp_path / "text.wav")
    assert not (tmp_path / "cache").exists()


def test_digest_is_sha256(tmp_path: Path) -> None:
    from genrelens.train.cache import file_digest

    (tmp_path / "abc").write_bytes(b"abc")
    fips_180_2 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "abc") == fips_180_2


def test_default_cache_is_named_after_genrelens() -> None:
    from genrelens.train.cache import default_cache_dir

    assert default_cache_dir().name == "features"
    assert "genrelens" in default_cache_dir().parts


@pytest.mark.parametrize("config", [tiny.MEL, tiny.MFCC])
def test_frames_have_the_bins_of_the_front_end(
    config: FeatureConfig, clip: Path, tmp_path: Path
) -> None:
    from genrelens.train.cache import FeatureCache

    assert FeatureCache(tmp_path / "cache", config).load(clip).shape == (94, config.n_bins)
