"""Fingerprints: copies that are recognised, and music that must not match."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from genrelens import load_audio
from genrelens.data.fingerprint import Match, audio_fingerprint, connected, find_matches
from support import synth

RATE = 22_050
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ogg"))
Words = NDArray[np.uint32]


@pytest.fixture(scope="module")
def songs() -> list[synth.Float32]:
    """The first 12 s of each example."""
    return [load_audio(path, sample_rate=RATE, duration=12) for path in EXAMPLES]


@pytest.fixture(scope="module")
def song(songs: list[synth.Float32]) -> synth.Float32:
    return songs[1]


def words(y: synth.Float32, rate: int = RATE) -> Words:
    return audio_fingerprint([y], sample_rate=rate)


def match(*recordings: synth.Float32) -> Match | None:
    found = find_matches([words(y) for y in recordings])
    assert len(found) <= 1
    return found[0] if found else None


def decoded(file: bytes) -> synth.Float32:
    return load_audio(file, sample_rate=RATE)


# ---------------------------------------------------------------------------------- words


def test_bits_against_librosa(song: synth.Float32) -> None:
    """Haitsma & Kalker's definition, with librosa's spectrogram and filters in float64."""
    import librosa

    y = soxr.resample(song, RATE, 5000)
    filters = librosa.filters.mel(sr=5000, n_fft=2048, n_mels=33, fmin=300, fmax=2000)
    power = np.abs(librosa.stft(y, n_fft=2048, hop_length=64, pad_mode="constant")) ** 2
    energy = (filters.astype(np.float64) @ power).T
    steps = energy[:, :-1] - energy[:, 1:]
    expected = steps[1:] - steps[:-1] > 0
    bits = np.unpackbits(words(song).view(np.uint8)).reshape(-1, 32)
    assert len(bits) == pytest.approx(len(expected), abs=1)  # the resampler may round otherwise
    n = min(len(bits), len(expected)) - 20
    assert (bits[:n] == expected[:n]).mean() > 0.999


def test_blocks_give_the_same_words_as_the_whole_waveform(song: synth.Float32) -> None:
    whole = words(song)
    pieces = [*np.split(song, [1, 700, 100_000, 100_000, 200_001])]
    assert np.array_equal(audio_fingerprint(pieces, sample_rate=RATE), whole)
    assert len(whole) == pytest.approx(12 * 5000 / 64, abs=1)


def test_silence_has_no_words() -> None:
    """Silence with dither or after a codec has no words either."""
    assert not words(np.zeros(3 * RATE, np.float32)).any()
    assert not words(synth.noise(3, RATE, level=2e-5)).any()
    assert words(synth.noise(3, RATE, level=1e-3)).all()


def test_no_samples_give_no_words() -> None:
    assert len(audio_fingerprint([], sample_rate=RATE)) == 0
    assert len(words(np.zeros(1, np.float32))) == 0


# --------------------------------------------------------------------------------- copies


def test_a_recording_matches_itself(song: synth.Float32) -> None:
    found = match(song, song)
    assert found is not None
    assert (found.first, found.second, found.shift, found.similarity) == (0, 1, 0, 1)
    assert found.seconds == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_another_codec_is_recognised(songs: list[synth.Float32], number: int) -> None:
    y = songs[number]
    copies = {
        "mp3 of 64 kbit/s": synth.write(y, RATE, "MP3", compression_level=0.99),
        "Vorbis": synth.write(y, RATE, "OGG", "VORBIS", compression_level=1.0),
        "16 kHz": synth.write(soxr.resample(y, RATE, 16_000), 16_000),
        "8 bits": synth.write(y, RATE, subtype="PCM_U8"),
        "telephone": synth.write(soxr.resample(y, RATE, 8000), 8000, subtype="ULAW"),
    }
    for name, file in copies.items():
        found = match(y, decoded(file))
        assert found is not None, name
        assert found.similarity > 0.85, name
        assert found.seconds > 11, name
        assert abs(found.shift) < 0.1, name


def test_aac_is_recognised(song: synth.Float32) -> None:
    found = match(song, decoded(synth.encode(song, RATE, "aac", "ipod", bit_rate=48_000)))
    assert found is not None
    assert found.similarity > 0.85


@pytest.mark.parametrize("gain", [0.25, -1.0, 2.0])
def test_another_level_or_polarity_is_recognised(song: synth.Float32, gain: float) -> None:
    found = match(song, np.float32(gain) * song)
    assert found is not None
    assert found.similarity > 0.98


def test_an_equalised_copy_is_recognised(song: synth.Float32) -> None:
    """Bass and treble are changed by 10 dB and more, and a soft limiter is applied."""
    import scipy.signal

    shelf = scipy.signal.lfilter([1.0, -0.7], [1.0], song)
    for copy in (shelf, np.tanh(4 * song)):
        found = match(song, copy.astype(np.float32))
        assert found is not None
        assert found.similarity > 0.8


@pytest.mark.parametrize("cut", [0.5, 0.507, 3.3])
def test_a_shifted_start_is_recognised(song: synth.Float32, cut: float) -> None:
    found = match(song, song[round(cut * RATE) :])
    assert found is not None
    assert found.shift == pytest.approx(-cut, abs=0.01)
    assert found.seconds == pytest.approx(12 - cut, abs=0.2)


def test_a_copy_after_silence_is_recognised(song: synth.Float32) -> None:
    found = match(song, np.concatenate([np.zeros(round(0.3 * RATE), np.float32), song]))
    assert found is not None
    assert found.shift == pytest.approx(0.3, abs=0.01)
    assert found.seconds > 11


def test_an_excerpt_of_two_seconds_is_recognised(song: synth.Float32) -> None:
    excerpt = song[round(4.21 * RATE) : round(6.21 * RATE)]
    found = match(song, excerpt)
    assert found is not None
    assert found.shift == pytest.approx(-4.21, abs=0.01)
    assert found.seconds == pytest.approx(2, abs=0.1)


def test_a_part_within_another_recording_is_recognised(songs: list[synth.Float32]) -> None:
    """The shared length is that of the part."""
    five = 5 * RATE
    medley = np.concatenate([songs[0][:five], songs[1][five : 2 * five], songs[4][:five]])
    found = match(songs[1], medley)
    assert found is not None
    assert found.shift == pytest.approx(0, abs=0.01)
    assert found.seconds == pytest.approx(5, abs=0.6)
    assert found.similarity > 0.9


# -------------------------------------------------------------------------------- no copies


def test_different_music_does_not_match(songs: list[synth.Float32]) -> None:
    others = [np.repeat(synth.music(8, RATE // 2, seed), 2) for seed in range(5)]  # on one beat
    noises = [synth.noise(12, RATE, seed=seed) for seed in range(3)]
    assert find_matches([words(y) for y in [*songs, *others, *noises]]) == []


def test_silences_do_not_match(song: synth.Float32) -> None:
    quiet = np.zeros(12 * RATE, np.float32)
    with_tail = np.concatenate([song[: 3 * RATE], quiet])
    assert match(quiet, quiet) is None
    assert match(quiet, with_tail) is None


def test_other_speeds_and_short_excerpts_are_not_recognised(song: synth.Float32) -> None:
    """Another speed and excerpts below 1.3 s are the documented limits."""
    assert match(song, soxr.resample(song, RATE, round(RATE / 1.05))) is None
    assert match(song, song[: round(1.2 * RATE)]) is None
    assert find_matches([]) == []
    assert find_matches([np.empty(0, np.uint32)] * 2) == []


def test_pairs_among_many_recordings(songs: list[synth.Float32]) -> None:
    """Pairs have the right indices, in order."""
    prints = [words(y) for y in songs]
    prints += [words(songs[3][RATE:]), words(songs[0])]
    n = len(songs)
    assert [(it.first, it.second) for it in find_matches(prints)] == [(0, n + 1), (3, n)]


def test_more_copies_than_neighbours_in_the_index(song: synth.Float32) -> None:
    """Not all pairs are compared; all copies are connected."""
    rng = np.random.default_rng(0)
    copies = [song[rng.integers(RATE) :] for _ in range(30)]
    matches = find_matches([words(y) for y in copies])
    assert connected(30, [(it.first, it.second) for it in matches]) == [list(range(30))]


def test_connected() -> None:
    links = [(4, 1), (5, 2), (2, 4), (7, 6), (1, 5)]
    assert connected(9, links) == [[1, 2, 4, 5], [6, 7]]
    assert connected(3, []) == []
