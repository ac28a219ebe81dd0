"""Augmented copies of waveforms, and their signal-to-noise ratios."""

from __future__ import annotations

import numpy as np
import pytest

from genrelens.acoustics.room import ROOMS
from genrelens.train.acoustic_augment import augment_waveform, random_rooms
from support import tiny


@pytest.mark.parametrize("kind", ["plain", "room", "microphone", "mixture"])
@pytest.mark.parametrize("seed", range(4))
def test_augmentation_gives_a_waveform_of_similar_length(kind: str, seed: int) -> None:
    def augmented() -> tuple[np.ndarray, float]:
        rng = np.random.default_rng(seed)
        return augment_waveform(y, tiny.RATE, rng, other, kind=kind, microphone=other)

    y = tiny.sound("chords", 1.5).astype(np.float64)
    other = [tiny.sound("noise", 0.5).astype(np.float64)]
    waveform, snr = augmented()
    assert len(waveform) == pytest.approx(len(y), rel=0.11)
    assert np.isfinite(waveform).all()
    assert 0 < np.abs(waveform).max() <= 1.01
    assert (snr == np.inf) if kind == "plain" else (-15 <= snr <= 35 or snr == np.inf)
    np.testing.assert_array_equal(augmented()[0], waveform)


def test_the_ratio_of_a_mixture_is_right() -> None:
    """Of the copies of a tone in noise, the tone has the share of power that the ratio states."""
    time = np.arange(2 * tiny.RATE) / tiny.RATE
    y = 0.5 * np.sin(2 * np.pi * 440 * time)
    noise = [np.random.default_rng(9).standard_normal(5 * tiny.RATE)]
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        copy, snr = augment_waveform(y, tiny.RATE, rng, kind="microphone", microphone=noise)
        power = np.abs(np.fft.rfft(copy * np.hanning(len(copy)))) ** 2
        peak = int(power.argmax())
        tone = power[max(0, peak - 3) : peak + 4].sum()
        found.append((snr, 10 * np.log10(tone / (power.sum() - tone))))
    stated, measured = np.array(found).T
    assert np.corrcoef(stated, measured)[0, 1] > 0.7
    assert -8 <= stated.min() < stated.max() <= 15


def test_augmented_silence_stays_below_the_noise_of_a_sound_card() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        waveform, _ = augment_waveform(np.zeros(4000), tiny.RATE, rng)
        assert np.abs(waveform).max() < 1e-3


def test_training_uses_no_room_of_the_robustness_tests() -> None:
    assert {room.size for room in ROOMS}.isdisjoint({room.size for room in random_rooms()})
