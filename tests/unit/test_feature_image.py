"""The image of the features, computed by hand."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens.feature_image import FeatureImage
from genrelens.features import FeatureConfig, mel_band_centres
from support import tiny

OVERLAPPING = FeatureConfig(
    kind="mel",
    sample_rate=8000,
    n_fft=256,
    hop_length=100,
    n_mels=2,
    f_min=0,
    f_max=4000,
    segment_frames=16,
    segment_hop=8,
)


def decoded(image: dict[str, Any]) -> NDArray[np.uint8]:
    data = np.frombuffer(base64.b64decode(image["data"]), np.uint8)
    return data.reshape(image["columns"], image["bands"])


def test_segments_that_overlap_are_drawn_once() -> None:
    """Eight columns for each segment, without its overlap with the next one."""
    frames = np.arange(32, dtype=np.float32)
    bands = np.stack([frames, 51 - frames], axis=1)  # (32, 2), from 0 to 51
    segments = np.stack([bands[start : start + 16] for start in (0, 8, 16)])
    whole, parts = FeatureImage(OVERLAPPING), FeatureImage(OVERLAPPING)
    whole.add(segments)
    for segment in segments:
        parts.add(segment[None])
    image = whole.to_dict()
    assert image == parts.to_dict()
    assert (image["minimum"], image["maximum"]) == (0, 51)
    np.testing.assert_array_equal(decoded(image), 5 * bands[:24])  # 255 / 51 = 5
    assert image["seconds_per_column"] == pytest.approx(100 / 8000)
    np.testing.assert_allclose(image["hz"], mel_band_centres(OVERLAPPING), atol=0.05)


def test_only_the_end_of_an_overlapping_segment_is_drawn() -> None:
    """Eight columns of three frames; the second segment adds six frames, which are two columns."""
    config = FeatureConfig(**{**OVERLAPPING.to_dict(), "segment_frames": 24, "segment_hop": 24})
    frames = np.repeat(np.arange(10, dtype=np.float32), 3)
    bands = np.stack([frames, frames], axis=1)
    image = FeatureImage(config)
    for start in (0, 6):
        image.add(bands[None, start : start + 24])
    result = image.to_dict(np.array([1, 0.25]))
    assert (result["columns"], result["maximum"]) == (10, 9)
    np.testing.assert_array_equal(decoded(result)[:, 0], np.round(255 * np.arange(10) / 9))


def test_columns_are_means() -> None:
    config = FeatureConfig(**{**OVERLAPPING.to_dict(), "segment_frames": 24, "segment_hop": 24})
    frames = np.repeat(np.arange(8, dtype=np.float32), 3) + np.tile([-1, 0, 1], 8)
    image = FeatureImage(config)
    image.add(np.stack([frames, frames], axis=1)[None].astype(np.float32))
    result = image.to_dict()
    assert (result["minimum"], result["maximum"]) == (0, 7)
    np.testing.assert_array_equal(decoded(result)[:, 0], np.round(255 * np.arange(8) / 7))
    assert result["seconds_per_column"] == pytest.approx(3 * 100 / 8000)


def test_a_long_recording_fits_on_a_screen() -> None:
    """1208 columns become 604."""
    config = FeatureConfig(**{**OVERLAPPING.to_dict(), "segment_frames": 8})
    segments = np.zeros((151, 8, 2), np.float32)
    segments[-1, -1] = 10  # column 1208 of 1208
    image = FeatureImage(config)
    image.add(segments)
    result = image.to_dict()
    assert (result["columns"], result["maximum"]) == (604, 5)
    assert result["seconds_per_column"] == pytest.approx(2 * 100 / 8000)
    assert decoded(result)[-1].tolist() == [255, 255]
    assert not decoded(result)[:-1].any()


def test_an_odd_number_of_columns() -> None:
    """The last column of the image is the mean of the two columns that remain."""
    config = FeatureConfig(**{**OVERLAPPING.to_dict(), "segment_frames": 8})
    segments = np.zeros((301, 8, 2), np.float32)  # 2408 columns: in runs of 3, two are left
    segments[-1, -2:] = 10
    image = FeatureImage(config)
    image.add(segments)
    result = image.to_dict()
    assert (result["columns"], result["maximum"]) == (803, 10)


def test_mfccs_have_no_frequencies() -> None:
    image = FeatureImage(tiny.MFCC)
    segments = 10 * np.random.default_rng(0).random((2, tiny.MFCC.segment_frames, 8))
    image.add(segments.astype(np.float32))
    result = image.to_dict()
    assert (result["kind"], result["hz"], result["bands"]) == ("mfcc", None, 8)


def test_silence_is_black() -> None:
    image = FeatureImage(OVERLAPPING)
    image.add(np.zeros((1, 16, 2), np.float32))
    result = image.to_dict()
    assert (result["minimum"], result["maximum"]) == (0, 0)
    assert not decoded(result).any()
