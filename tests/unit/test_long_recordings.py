"""``scripts/long_recordings.py``: songs, mixes and podcasts that are joined from clips."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from genrelens.data import LabelledClip
from support import tiny
from support.numpy_model import numpy_classifier
from support.synth import sine

SCRIPTS = Path(__file__).parents[2] / "scripts"
SECONDS = 12  # of a clip


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    module = importlib.import_module("long_recordings")
    sizes = {"SHORTEST": 10, "EXCERPT": 2, "SONG": 95, "REPEATED": 1, "MIXES": 2, "PODCASTS": 1}
    for name, value in sizes.items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.fixture
def clips(tmp_path: Path) -> list[LabelledClip]:
    """Four clips of one artist and one clip of each of two others, for each genre."""
    found = []
    for genre in tiny.GENRES:
        for number in range(6):
            path = tmp_path / f"{genre}.{number}.wav"
            soundfile.write(path, tiny.sound(genre, SECONDS, seed=number), tiny.RATE)
            found.append(LabelledClip(path, genre, group=f"{genre}-{max(0, number - 3)}"))
    return found


def test_pieces_are_joined_at_one_level(script: ModuleType) -> None:
    quiet, loud = 0.01 * np.ones(script.RATE), 0.9 * np.ones(2 * script.RATE)
    pieces = [("a", quiet), ("a", loud), ("b", quiet)]
    y, spans = script.joined([(genre, y.astype(np.float32)) for genre, y in pieces])
    assert y == pytest.approx(script.LEVEL, rel=1e-5)
    assert len(y) == 4 * script.RATE - 2 * script.FADE
    assert spans == [(0, 2.625, "a"), (2.625, 3.5, "b")]


def test_a_song_of_too_few_clips_repeats_all_excerpts(script: ModuleType) -> None:
    y = np.repeat(np.arange(6, dtype=np.float32), 2 * script.RATE)
    found = script.excerpts([y], 20, np.random.default_rng(0))
    order = [int(excerpt[0]) for excerpt in found]
    assert len(order) == 12  # of 2 s, less a crossfade
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
    assert order[:6] != order[6:]


def test_clips_by_microphone_and_short_clips_are_left_out(
    script: ModuleType, clips: list[LabelledClip], tmp_path: Path
) -> None:
    for name, seconds in (("short", 5), ("chords.0-snippet-12-0", SECONDS)):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, tiny.sound("chords", seconds), tiny.RATE)
        clips.append(LabelledClip(path, "chords"))
    assert sorted(map(len, script.artists_of(clips))) == [1] * 6 + [4] * 3


def test_the_tables_of_a_model_that_is_right(
    script: ModuleType, clips: list[LabelledClip], tmp_path: Path
) -> None:
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, sine(60, 45, tiny.RATE), tiny.RATE)  # for the model not music
    artists = script.artists_of(clips)
    found = list(script.recordings(numpy_classifier(), artists, [speech], ["data"], 1))
    kinds = ["joined, data"] * 3 + ["repeated, data", script.MIX[0], script.LONG_MIX[0]]
    assert [each.kind for each in found] == [*kinds, "the two clips alone", "podcast"]
    assert found[3].fast.heard == 90
    assert all(each.full.verdict == "genre" for each in found[:4])
    assert all(set(each.full.changes) == set(tiny.GENRES) for each in found[4:6])
    podcast = found[-1]
    verdicts = [section.verdict for section in podcast.full.sections]
    assert verdicts == ["not music", "genre", "not music", "genre", "not music"]
    assert podcast.genres == {podcast.full.genre}
    songs, fast, changes, sections, errors, podcasts = script.report(found).split("\n\n")
    assert "| all, fast | 4 | 100.0 (51.0 to 100.0, Wilson) |" in songs
    assert "| all | 4 |" in fast
    assert "| all | 2 | 100.0 (34.2 to 100.0, Wilson) | 0.0" in changes
    assert "| all | 3.00 |" in sections
    assert "| sections of mixes | 6 | 100.0 |" in errors
    assert podcasts.splitlines()[2].startswith("| podcast | 1 | 100.0")
