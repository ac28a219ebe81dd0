"""Codecs and tempo: lengths, alignment, an independent decoder, losses."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrelens import AudioError
from genrelens.acoustics.codec import change_tempo, encode, through_codec
from support import synth

Float64 = NDArray[np.float64]

MP3 = {"codec": "libmp3lame", "container": "mp3", "bit_rate": 64_000}
G711 = {"codec": "pcm_mulaw", "container": "au", "bit_rate": 64_000}


def music(seconds: float, rate: int) -> Float64:
    synth.skip_without_encoder("libmp3lame")
    return synth.music(seconds, rate).astype(np.float64)


def test_mp3_has_64_kbit() -> None:
    file = encode(music(10, 44_100), 44_100, **MP3)
    info = soundfile.info(io.BytesIO(file))
    assert (info.format, info.samplerate, info.channels) == ("MP3", 44_100, 1)
    assert 8 * len(file) / 10 == pytest.approx(64_000, rel=0.02)


def test_mp3_is_lossy_and_aligned() -> None:
    y = music(3, 44_100)
    coded = through_codec(y, 44_100, **MP3)
    lags = range(-1500, 1501)
    products = [np.dot(y[5000:-5000], np.roll(coded, lag)[5000:-5000]) for lag in lags]
    assert lags[int(np.argmax(products))] == 0
    error = 10 * np.log10(np.mean(y**2) / np.mean((y - coded) ** 2))
    assert 15 < error < 40  # dB; 16 bits without loss would be 80


@pytest.mark.parametrize("n", [1, 100, 4410, 44_100])
def test_length_is_kept(n: int) -> None:
    assert through_codec(music(1, 44_100)[:n], 44_100, **MP3).shape == (n,)
    assert through_codec(music(1, 44_100)[:n], 8000, **G711).shape == (n,)


def test_g711_equals_that_of_libsndfile() -> None:
    y = np.linspace(-1, 1, 4001)
    file = io.BytesIO()
    soundfile.write(file, y, 8000, format="WAV", subtype="ULAW")
    expected, _ = soundfile.read(io.BytesIO(file.getvalue()))
    coded = through_codec(y, 8000, **G711)
    # Where a sample lies between two steps the two may round apart: a step is 1/32 of the level.
    np.testing.assert_allclose(coded, expected, atol=1 / 32 + 1e-3)
    assert np.mean(coded == expected) > 0.95
    assert len(np.unique(coded)) > 200  # 8 bits


def test_missing_encoder() -> None:
    with pytest.raises(AudioError, match="no encoder quadraphonic"):
        encode(np.zeros(99), 8000, codec="quadraphonic", container="wav", bit_rate=1)


# -------------------------------------------------------------------------------- tempo


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.06, 2.0])
@pytest.mark.parametrize("n", [1, 50, 2205, 44_100])
def test_tempo_changes_the_length(factor: float, n: int) -> None:
    y = synth.sine(440, 2, 22_050)[:n].astype(np.float64)
    assert len(change_tempo(y, 22_050, factor)) == max(1, round(n / factor))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_tempo_keeps_the_pitch_and_moves_the_beats(factor: float) -> None:
    rate = 22_050
    time = np.arange(4 * rate) / rate
    beats = np.sin(2 * np.pi * 1000 * time) * (time % 0.5 < 0.05)  # two a second
    changed = change_tempo(beats, rate, factor)
    spectrum = np.abs(np.fft.rfft(changed))
    assert np.argmax(spectrum) * rate / len(changed) == pytest.approx(1000, rel=0.005)
    loud = np.add.reduceat(np.abs(changed), np.arange(0, len(changed), rate // 100))
    starts = np.flatnonzero((loud[1:] > 50) & (loud[:-1] <= 50)) / 100
    assert np.median(np.diff(starts)) == pytest.approx(0.5 / factor, abs=0.02)


def test_the_end_is_kept() -> None:
    y = synth.sine(440, 1, 22_050).astype(np.float64)
    changed = change_tempo(y, 22_050, 0.95)
    assert np.abs(changed[-500:]).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("factor", [0.4, 2.1])
def test_tempo_out_of_range(factor: float) -> None:
    with pytest.raises(ValueError, match=rf"factor={factor} must be in 0.5..2.0"):
        change_tempo(np.zeros(99), 8000, factor)
