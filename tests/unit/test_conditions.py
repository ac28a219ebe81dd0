"""Each condition has the effect of its name and no other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens.evaluation.conditions import CONDITIONS, Condition, rng_for
from support import synth

Float32 = NDArray[np.float32]

RATE = 22_050
BY_NAME = {condition.name: condition for condition in CONDITIONS}
DRAWN = {"noise-20db", "noise-10db", "room"}
every_condition = pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: each.name)


def under(name: str, y: Float32, rate: int = RATE, clip: str = "clip") -> Float32:
    if name == "mp3-64k":
        synth.skip_without_encoder("libmp3lame")
    return BY_NAME[name].apply(y, rate, rng_for(clip))


def gain(name: str, hz: float, rate: int = RATE) -> float:
    """Return the level in dB of the middle of a changed sine of 4 s, at its own frequency."""
    y = synth.sine(hz, 4, rate)
    carrier = np.exp(-2j * np.pi * hz * np.arange(len(y)) / rate)[rate:-rate]
    came = np.abs(np.mean(under(name, y, rate)[rate:-rate] * carrier))
    return float(20 * np.log10(came / np.abs(np.mean(y[rate:-rate] * carrier))))


def frequency(y: Float32, rate: int) -> float:
    """Frequency of a sine by the phase of its analytic signal, away from its ends."""
    from scipy import signal

    middle = signal.hilbert(y.astype(np.float64))[len(y) // 4 : -len(y) // 4]
    return float(np.median(np.diff(np.unwrap(np.angle(middle)))) * rate / (2 * np.pi))


def cents(y: Float32, hz: float, rate: int = RATE) -> float:
    return 1200 * float(np.log2(frequency(y, rate) / hz))


# --------------------------------------------------------------------------- all of them


def test_names() -> None:
    assert [condition.name for condition in CONDITIONS] == [
        "clean",
        "high-pass-30hz",
        "gain-20db",
        "mp3-64k",
        "telephone",
        "noise-20db",
        "noise-10db",
        "room",
        "pitch+1",
        "pitch-1",
        "speed+5%",
        "speed-5%",
    ]
    assert all(condition.description for condition in CONDITIONS)


@every_condition
def test_length_of_the_result(condition: Condition) -> None:
    """At every rate and length the result has the right length and the input is unchanged."""
    speed = {"speed+5%": 1.05, "speed-5%": 0.95}.get(condition.name, 1.0)
    for rate, seconds in ((8000, 0.1), (16_000, 1.0), (RATE, 0.1), (44_100, 0.1), (48_000, 1.0)):
        y = synth.music(seconds, rate)
        before = y.copy()
        came = under(condition.name, y, rate)
        assert (came.dtype, came.shape) == (np.float32, (round(len(y) / speed),))
        assert np.isfinite(came).all()
        assert np.abs(came).max() > 0.005
        np.testing.assert_array_equal(y, before)


@every_condition
def test_very_short_input(condition: Condition) -> None:
    for n in (1, 2, 22, 300):
        came = under(condition.name, np.full(n, 0.5, np.float32))
        assert 1 <= len(came) <= 1.1 * n + 1
        assert np.isfinite(came).all()
    silence = under(condition.name, np.zeros(RATE, np.float32))
    assert np.abs(silence).max() < 1e-4  # G.711 and MP3 may leave a trace


@every_condition
def test_the_same_clip_gives_the_same(condition: Condition) -> None:
    y = synth.music(1, RATE)
    first = under(condition.name, y)
    under(condition.name, synth.noise(1, RATE), clip="another")  # the order does not matter
    np.testing.assert_array_equal(under(condition.name, y), first)
    same = np.array_equal(under(condition.name, y, clip="another"), first)
    assert same == (condition.name not in DRAWN)


@every_condition
def test_nothing_goes_beyond_full_scale(condition: Condition) -> None:
    """A square wave at full scale overshoots in every filter."""
    square = np.sign(synth.sine(100, 1, RATE))
    square[square == 0] = 1
    came = under(condition.name, square)
    assert np.abs(came).max() <= 1
    assert np.mean(np.abs(came) == 1) < 0.01 or condition.name == "clean"  # turned down, not cut


def test_input_beyond_full_scale_may_stay_there() -> None:
    y = 1.5 * synth.music(1, RATE) / np.abs(synth.music(1, RATE)).max()
    np.testing.assert_array_equal(under("clean", y), y)
    assert np.abs(under("noise-10db", y)).max() == pytest.approx(1.5)


def test_generators() -> None:
    def draw(*args: str | int) -> float:
        return rng_for(*args).random()  # type: ignore[arg-type]

    assert draw("a") == draw("a", 0)
    assert len({draw("a"), draw("b"), draw("a", 1), draw("ä"), draw("")}) == 5


# ----------------------------------------------------------------------------- one by one


def test_clean() -> None:
    y = synth.music(1, RATE)
    np.testing.assert_array_equal(under("clean", y), y)


@pytest.mark.parametrize(
    ("hz", "lowest", "highest"),
    [
        (10, -200, -70),
        (20, -30, -25),
        (30, -3.1, -2.9),
        (40, -0.1, 0),
        (100, -0.01, 0.01),
        (5000, -0.01, 0.01),
    ],
)
def test_high_pass(hz: float, lowest: float, highest: float) -> None:
    assert lowest <= gain("high-pass-30hz", hz) <= highest


def test_gain() -> None:
    y = synth.music(1, RATE)
    np.testing.assert_allclose(under("gain-20db", y), 0.1 * y, rtol=1e-6)


def test_mp3() -> None:
    y = synth.music(5, RATE)
    coded = under("mp3-64k", y)
    middle = slice(RATE // 2, -RATE // 2)
    correlations = [
        np.corrcoef(y[middle], np.roll(coded, lag)[middle])[0, 1] for lag in range(-3, 4)
    ]
    assert np.argmax(correlations) == 3  # no delay
    assert 0.99 < correlations[3] < 0.99999
    assert gain("mp3-64k", 1000) == pytest.approx(20 * np.log10(0.95), abs=0.01)  # so does LAME


def test_mp3_has_a_limited_band() -> None:
    """At 64 kbit/s LAME removes the content above about 16 kHz."""
    from scipy import signal

    y = synth.noise(4, 44_100)
    hz, before = signal.welch(y, 44_100, nperseg=1024)
    _, after = signal.welch(under("mp3-64k", y, 44_100), 44_100, nperseg=1024)
    loss = 10 * np.log10(after / before)
    assert np.abs(loss[(hz > 500) & (hz < 15_000)].mean()) < 1
    assert loss[(hz > 17_500) & (hz < 21_000)].max() < -50


@pytest.mark.parametrize(
    ("hz", "lowest", "highest"),
    [
        (50, -np.inf, -60),
        (150, -np.inf, -40),
        (400, -1, 1),
        (1000, -0.5, 0.5),
        (3000, -1, 1),
        (3900, -np.inf, -30),
        (5000, -np.inf, -50),
    ],
)
def test_telephone(hz: float, lowest: float, highest: float) -> None:
    assert lowest <= gain("telephone", hz) <= highest


def test_telephone_has_eight_bits() -> None:
    """G.711 keeps a sine about 38 dB above its noise (ITU-T G.712 requires 33)."""
    y = synth.sine(1004, 4, 8000)
    middle = slice(8000, -8000)
    heard = under("telephone", y, 8000)[middle].astype(np.float64)
    time = np.arange(len(y))[middle] / 8000
    basis = np.stack([f(2 * np.pi * 1004 * time) for f in (np.sin, np.cos)], axis=1)
    sine = basis @ np.linalg.lstsq(basis, heard)[0]
    assert 33 < 10 * np.log10(np.mean(sine**2) / np.mean((heard - sine) ** 2)) < 42


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_telephone_removes_frequencies_outside_its_band(rate: int) -> None:
    from scipy import signal

    hz, density = signal.welch(under("telephone", synth.noise(4, rate), rate), rate, nperseg=4096)
    level = 10 * np.log10(density / density.max())
    assert level[(hz > 20) & (hz < 200)].max() < -40
    assert level[hz > 4100].max() < -40
    assert level[(hz > 400) & (hz < 3000)].min() > -5


@pytest.mark.parametrize(("name", "snr"), [("noise-20db", 20), ("noise-10db", 10)])
def test_noise(name: str, snr: float) -> None:
    from scipy import signal

    y = synth.music(5, RATE)
    noise = under(name, y).astype(np.float64) - y
    assert 10 * np.log10(np.mean(y.astype(np.float64) ** 2) / np.mean(noise**2)) == pytest.approx(
        snr, abs=0.01
    )
    hz, density = signal.welch(noise, RATE, nperseg=1024)
    level = 10 * np.log10(density[2:-2])
    assert np.ptp(level) < 4  # white
    assert np.polyfit(np.log2(hz[2:-2]), level, 1)[0] == pytest.approx(0, abs=0.1)


def test_more_noise_is_the_same_noise() -> None:
    y = synth.music(1, RATE)
    quiet, loud = (under(name, y) - y for name in ("noise-20db", "noise-10db"))
    np.testing.assert_allclose(loud, np.sqrt(10) * quiet, atol=1e-6)


def test_room() -> None:
    """Notes reverberate after their end, and the pauses contain noise 15 dB below."""
    time = np.arange(4 * RATE) / RATE
    y = (0.3 * np.sin(2 * np.pi * 700 * time) * (time % 1 < 0.5)).astype(np.float32)
    heard = under("room", y)
    ringing = heard[(time % 1 > 0.5) & (time % 1 < 0.55)].std()
    pause = heard[(time % 1 > 0.9)].std()
    playing = heard[(time % 1 > 0.2) & (time % 1 < 0.45)].std()
    assert ringing > 1.5 * pause
    # While the note sounds, half of the time, the music is 3 dB louder than on average.
    assert -21 < 20 * np.log10(pause / playing) < -14


@pytest.mark.parametrize(("name", "semitones"), [("pitch+1", 1), ("pitch-1", -1)])
@pytest.mark.parametrize("rate", [8000, RATE, 44_100])
def test_pitch(name: str, semitones: int, rate: int) -> None:
    for hz, tolerance in ((55, 5), (110, 1.5), (440, 1.5), (3520, 1.5)):
        came = under(name, synth.sine(hz, 3, rate), rate)
        assert len(came) == 3 * rate
        assert cents(came, hz, rate) == pytest.approx(100 * semitones, abs=tolerance)


@pytest.mark.parametrize("name", ["pitch+1", "pitch-1"])
def test_pitch_keeps_the_time(name: str) -> None:
    """A tone that starts after two of four seconds still does."""
    y = synth.sine(440, 4, RATE)
    y[: 2 * RATE] = 0
    came = np.abs(under(name, y))
    assert np.argmax(came > 0.1) / RATE == pytest.approx(2, abs=0.05)
    assert np.median(came[-RATE // 10 :]) > 0.2  # and sounds until the end


@pytest.mark.parametrize(("name", "factor"), [("speed+5%", 1.05), ("speed-5%", 0.95)])
def test_speed(name: str, factor: float) -> None:
    came = under(name, synth.sine(440, 3, RATE))
    assert len(came) == round(3 * RATE / factor)
    assert frequency(came, RATE) == pytest.approx(440 * factor, rel=1e-5)
    assert np.abs(came[RATE:-RATE]).max() == pytest.approx(0.5, abs=0.01)
