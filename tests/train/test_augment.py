"""Augmentation: results in closed form, and properties of every draw."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from genrelens.features import FeatureConfig, log_mel_spectrogram, mel_band_centres
from genrelens.train.recipe import AugmentConfig
from support import tiny

if TYPE_CHECKING:
    from torch import Tensor

    from genrelens.train.augment import MelAugment

WIDE = FeatureConfig(
    kind="mel", sample_rate=22_050, n_fft=2048, hop_length=512, n_mels=128, f_min=1, f_max=11_025
)
EVERYTHING = AugmentConfig(
    gain_db=6,
    eq_db=3,
    low_pass=0.5,
    high_pass=0.5,
    noise=0.5,
    stretch=0.1,
    shift_bands=3,
    mask_frames=4,
    mask_bands=12,
    mixup=0.2,
)


def augment(config: AugmentConfig, features: FeatureConfig = WIDE, *, seed: int = 0) -> MelAugment:
    import torch

    from genrelens.train.augment import MelAugment

    torch.manual_seed(seed)
    return MelAugment(config, features)


def segments(n: int = 8, *, silent: bool = False) -> Tensor:
    """(n, 41, 128) like those of the front end: 0 for silence, 15 for loud."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return 15 * torch.rand(n, 41, 128, generator=generator) * (not silent)


def gain_db(before: Tensor, after: Tensor) -> Tensor:
    """Return the gain of each value in dB; NaN where both are silent."""
    import torch

    ratio = torch.expm1(after.double()) / torch.expm1(before.double())
    return 10 * torch.log10(ratio)


# ------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("config", [AugmentConfig(), AugmentConfig(mixup=0.3, low_pass_hz=99)])
def test_nothing_switched_on_changes_nothing(config: AugmentConfig) -> None:
    batch = segments()
    assert augment(config)(batch) is batch


def test_gain_is_that_of_a_louder_waveform() -> None:
    """A gain of the waveform equals the same gain of its features."""
    import torch

    waveform = tiny.sound("noise", 1.0)
    before = torch.from_numpy(log_mel_spectrogram(waveform, tiny.MEL)).unsqueeze(0)
    after = augment(AugmentConfig(gain_db=6), tiny.MEL)(before)
    torch.manual_seed(0)
    level_db = 6 * torch.randn(1).item()  # the first number that MelAugment drew
    assert abs(level_db) > 1
    louder = log_mel_spectrogram(waveform * np.float32(10 ** (level_db / 20)), tiny.MEL)
    np.testing.assert_allclose(after[0].numpy(), louder, rtol=1e-4, atol=1e-5)


def test_gains_are_independent_with_the_given_standard_deviation() -> None:
    import torch

    batch = torch.full((4000, 1, 128), 5.0)
    gains = gain_db(batch, augment(AugmentConfig(gain_db=6))(batch))
    per_segment = gains[:, 0, 0]
    torch.testing.assert_close(
        gains, per_segment[:, None, None].expand_as(gains), atol=1e-3, rtol=0
    )
    assert per_segment.mean().item() == pytest.approx(0, abs=4 * 6 / math.sqrt(4000))
    assert per_segment.std().item() == pytest.approx(6, rel=0.05)


def test_equaliser_is_smooth_and_the_same_in_all_frames() -> None:
    import torch

    batch = torch.full((500, 3, 128), 5.0)
    gains = gain_db(batch, augment(AugmentConfig(eq_db=3))(batch))
    torch.testing.assert_close(gains[:, 0], gains[:, 2])
    assert gains[:, 0, 0].std().item() == pytest.approx(3, rel=0.15)  # the first of 6 points
    curvature = gains[:, 0].diff(n=2, dim=1).abs()
    assert (curvature > 1e-3).sum(dim=1).max() <= 2 * 4  # straight except at 4 inner points


def test_low_pass_attenuates_above_its_cut_off_only() -> None:
    import torch

    batch = torch.full((3000, 1, 128), 5.0)
    lowest = float(mel_band_centres(WIDE)[80])
    after = augment(AugmentConfig(low_pass=1, low_pass_hz=lowest))(batch)
    gains = gain_db(batch, after)[:, 0]  # (n, bands)
    assert gains[:, :81].abs().max() < 1e-3
    # 12 dB a band, counted from cut-offs anywhere between band 80 and the last:
    assert -12.01 < gains[:, 81].min() < -11
    assert -24.01 < gains[:, 82].min() < -23
    below = (gains[:, 81:] < -1e-3).float().mean(dim=0)
    expected = (torch.arange(81, 128) - 80) / (128 - 80)  # share of the cut-offs below each band
    torch.testing.assert_close(below, expected, atol=0.04, rtol=0)


def test_high_pass_attenuates_bass_only() -> None:
    import torch

    batch = torch.full((500, 1, 128), 5.0)
    gains = gain_db(batch, augment(AugmentConfig(high_pass=1))(batch))[:, 0]
    centres = torch.from_numpy(mel_band_centres(WIDE))
    assert gains[:, centres >= 200].abs().max() < 1e-3
    assert (gains[:, 0] < -6).float().mean() > 0.5


@pytest.mark.parametrize("name", ["low_pass", "high_pass", "noise"])
def test_probability_is_the_share_that_changes(name: str) -> None:
    import torch

    batch = torch.full((2000, 2, 128), 5.0, dtype=torch.float64)
    change = (augment(AugmentConfig(**{name: 0.3}))(batch) - batch).abs().amax(dim=(1, 2))
    changed = change > 1e-8
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_noise_lies_10_to_60_db_below_the_segment() -> None:
    import torch

    batch = torch.full((400, 20, 128), 5.0)
    after = augment(AugmentConfig(noise=1))(batch)
    added = torch.expm1(after.double()) - torch.expm1(batch.double())
    assert added.min() >= -1e-3
    middle = added[:, :, 54:74].mean(dim=(1, 2))  # where the tilt is next to nothing
    levels = 10 * torch.log10(middle / math.expm1(5))
    assert -64 < levels.min() < -50
    assert -20 < levels.max() < -7


def test_shift_moves_segments_along_the_bands() -> None:
    import torch

    ramp = torch.arange(128.0).div(10).expand(300, 5, 128)
    shifts = 10 * (augment(AugmentConfig(shift_bands=3))(ramp) - ramp)[:, :, 4:-4]
    torch.testing.assert_close(shifts, shifts[:, :1, :1].expand_as(shifts), atol=2e-3, rtol=0)
    assert 2.8 < shifts.max() <= 3.01
    assert -3.01 <= shifts.min() < -2.8


def test_stretch_scales_time_about_the_middle() -> None:
    import torch

    ramp = torch.arange(41.0).sub(20).expand(300, 41).unsqueeze(2) / 10 + 5
    after = augment(AugmentConfig(stretch=0.1))(ramp.expand(300, 41, 128))
    speeds = 10 * (after[:, 30, 0] - after[:, 10, 0]) / 20
    torch.testing.assert_close(after[:, 20, 0], torch.full((300,), 5.0), atol=1e-4, rtol=0)
    assert 0.9 - 1e-3 < speeds.min() < 0.91
    assert 1.09 < speeds.max() < 1.1 + 1e-3


@pytest.mark.parametrize(("name", "dim"), [("mask_frames", 1), ("mask_bands", 2)])
def test_mask_silences_one_run(name: str, dim: int) -> None:
    import torch

    batch = 1 + segments(1000)
    after = augment(AugmentConfig(**{name: 6}))(batch)
    masked = (after == 0).all(dim=3 - dim)  # (n, frames or bands)
    assert (after == 0).sum() == masked.sum() * batch.shape[3 - dim]
    torch.testing.assert_close(after[after > 0], batch[after > 0], atol=1e-4, rtol=1e-4)
    assert set(masked.sum(dim=1).tolist()) == set(range(7))
    assert (masked.float().diff(dim=1) != 0).sum(dim=1).max() <= 2  # a single run


# --------------------------------------------------------------------------- properties


@pytest.mark.parametrize("silent", [False, True])
def test_everything_at_once_stays_in_range(silent: bool) -> None:
    import torch

    batch = segments(64, silent=silent)
    kept = batch.clone()
    after = augment(EVERYTHING)(batch)
    assert after.shape == batch.shape
    assert after.dtype == torch.float32
    assert torch.isfinite(after).all()
    assert after.min() >= 0
    assert torch.equal(batch, kept)


def test_same_seed_gives_the_same_numbers() -> None:
    import torch

    batch = segments()
    first = augment(EVERYTHING, seed=1)(batch)
    assert torch.equal(first, augment(EVERYTHING, seed=1)(batch))
    assert not torch.equal(first, augment(EVERYTHING, seed=2)(batch))


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(gain_db=6, eq_db=3, low_pass=0.5, high_pass=0.5),
        AugmentConfig(stretch=0.1, shift_bands=3),
    ],
)
def test_segments_of_one_clip_share_level_filters_and_pitch(config: AugmentConfig) -> None:
    import torch

    batch = segments(1).expand(5, 41, 128)
    together = augment(config)(batch, one_clip=True)
    torch.testing.assert_close(together, together[:1].expand_as(together))
    apart = augment(config)(batch)
    assert not torch.allclose(apart[0], apart[1])


def test_mixed_precision_does_not_change_augmentation() -> None:
    """In bfloat16 a grid of 128 bands would be off by a quarter of a band."""
    import torch

    batch = segments()
    config = AugmentConfig(gain_db=3, stretch=0.1, shift_bands=3)
    expected = augment(config)(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(augment(config)(batch), expected)


# -------------------------------------------------------------------------------- mixup


def test_mixup_blends_segments_and_targets_alike() -> None:
    import torch

    from genrelens.train.augment import mixup

    torch.manual_seed(0)
    targets = torch.eye(64)
    values = torch.arange(64.0)
    mixed, shares = mixup(values[:, None, None].expand(64, 3, 4), targets, 0.3)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(64))
    assert shares.diagonal().min() >= 0.5
    assert shares.diagonal().min() < 0.9
    # The value of a blend follows from its shares: sum of share * value.
    torch.testing.assert_close(mixed[:, 0, 0], shares @ values, atol=1e-3, rtol=1e-4)
    assert torch.equal(mixed, mixed[:, :1, :1].expand_as(mixed))
