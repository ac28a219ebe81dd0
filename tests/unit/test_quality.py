"""Duplicates and unfit files in a collection of clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrelens.data import quality as inspection
from genrelens.data.fingerprint import Match
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.data.quality import (
    Inspection,
    divided_duplicates,
    inspect_clips,
    ungrouped_duplicates,
)
from genrelens.errors import AudioError
from support import synth
from support.songs import RATE, put, song


def inspected(folder: Path, jobs: int = 1) -> Inspection:
    return inspect_clips(read_folder(folder), jobs=jobs)


def names(found: Inspection) -> list[list[str]]:
    return [[path.name for path in group.paths] for group in found.duplicates]


# ----------------------------------------------------------------------------- duplicates


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two exact copies, two near ones with another label, an excerpt, and two other clips."""
    folder = tmp_path_factory.mktemp("data")
    steps = np.round(song(0) * 2**15) / np.float32(2**15)  # what 16 bits hold
    put(folder, "blues/a.wav", steps)
    put(folder, "blues/b.flac", steps)
    put(folder, "blues/c.wav", song(1))
    put(folder, "jazz/d.ogg", 0.25 * song(1)[RATE // 3 :])
    put(folder, "jazz/e.wav", song(2))
    put(folder, "rock/f.wav", song(3))
    put(folder, "rock/g.wav", song(1)[RATE : 3 * RATE])
    return folder


@pytest.fixture(scope="module")
def found(data: Path) -> Inspection:
    return inspected(data)


def test_duplicates(found: Inspection) -> None:
    assert found.n == 7
    assert names(found) == [["a.wav", "b.flac"], ["c.wav", "d.ogg", "g.wav"]]
    exact, near = found.duplicates
    assert (exact.kind, exact.similarity, exact.seconds) == ("exact", 1, 5)
    assert near.kind == "near"
    assert 0.85 < near.similarity < 1
    assert (found.unreadable, found.silent, found.clipped, found.short) == ((), (), (), ())


def test_contradictions(found: Inspection) -> None:
    assert found.contradictions == (found.duplicates[1],)
    assert found.duplicates[1].labels == {"blues", "jazz", "rock"}


def test_similarity_is_that_of_the_least_similar_clip() -> None:
    """Two copies can differ from each other while each resembles the original."""
    clips = tuple(LabelledClip(Path(name), "a") for name in "xyz")
    matches = [Match(0, 1, 0, 9, 0.9), Match(0, 2, 0, 8, 0.95), Match(1, 2, 0, 7, 0.75)]
    group = inspection._group(clips, matches, 10)
    assert (group.kind, group.similarity, group.seconds) == ("near", 0.9, 9)


def test_several_jobs_give_the_same_result(data: Path, found: Inspection) -> None:
    assert inspected(data, jobs=3) == found


def test_equal_samples_at_another_rate_are_not_an_exact_copy(tmp_path: Path) -> None:
    put(tmp_path, "a/1.wav", song(0))
    put(tmp_path, "a/2.wav", song(0), 2 * RATE)
    assert inspected(tmp_path).duplicates == ()


# ----------------------------------------------------------------------------- both sides


def placed(data: Path, **places: tuple[str, str | None]) -> list[LabelledClip]:
    return [
        replace(clip, part=places[clip.path.stem][0], group=places[clip.path.stem][1])
        for clip in read_folder(data)
        if clip.path.stem in places
    ]


def test_duplicates_that_a_split_divides(data: Path, found: Inspection) -> None:
    clips = placed(
        data,
        a=("train", None),
        b=("train", None),
        c=("train", None),
        d=("train", None),
        g=("test", None),
        e=("test", None),
    )
    (divided,) = divided_duplicates(found, clips)
    assert [(clip.path.stem, clip.part) for clip in divided.clips] == [
        ("c", "train"),
        ("d", "train"),
        ("g", "test"),
    ]
    assert (divided.kind, divided.similarity) == ("near", found.duplicates[1].similarity)


def test_clips_outside_the_split_are_ignored(data: Path, found: Inspection) -> None:
    assert divided_duplicates(found, placed(data, c=("train", None), d=("train", None))) == ()
    assert divided_duplicates(found, read_folder(data)) == ()  # before a split


def test_duplicates_of_different_groups(data: Path, found: Inspection) -> None:
    clips = placed(
        data,
        a=("train", "x"),
        b=("train", "y"),
        c=("train", "z"),
        d=("test", "z"),
        g=("train", None),
    )
    (group,) = ungrouped_duplicates(found, clips)
    assert [clip.group for clip in group.clips] == ["x", "y"]


# ---------------------------------------------------------------------------- single clips


def test_unreadable(tmp_path: Path) -> None:
    put(tmp_path, "a/1.mp3", b"no music")
    put(tmp_path, "a/2.wav", song(0))
    put(tmp_path, "a/3.wav", b"")
    seen: list[tuple[str, AudioError | None]] = []
    result = inspect_clips(
        read_folder(tmp_path),
        jobs=2,
        on_clip=lambda clip, error: seen.append((clip.path.name, error)),
    )
    assert [Path(error.source).name for error in result.unreadable] == ["1.mp3", "3.wav"]
    assert seen == [
        ("1.mp3", result.unreadable[0]),
        ("2.wav", None),
        ("3.wav", result.unreadable[1]),
    ]
    assert result.n == 3


def test_an_exception_in_a_decoder_fails_one_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a/1.wav", song(0))
    put(tmp_path, "a/2.wav", song(1))
    probe = inspection.probe

    def faulty(path: Path) -> object:
        return probe(path) if path.name == "2.wav" else 1 / 0

    monkeypatch.setattr(inspection, "probe", faulty)
    (error,) = inspected(tmp_path).unreadable
    assert str(error) == (
        f"{tmp_path / 'a' / '1.wav'}: cannot be read (ZeroDivisionError: division by zero)"
    )


def test_silent(tmp_path: Path) -> None:
    """Below -60 dBFS in the loudest second; a silent clip is never a duplicate."""
    pause = np.zeros(3 * RATE, np.float32)
    put(tmp_path, "a/digital.wav", pause)
    put(tmp_path, "a/digital2.wav", pause)
    put(tmp_path, "a/hiss.wav", synth.noise(3, RATE, level=0.0008))
    put(tmp_path, "a/quiet.wav", synth.noise(3, RATE, level=0.0012))
    put(tmp_path, "a/with pauses.wav", np.concatenate([pause, 0.01 * song(0), pause]))
    result = inspected(tmp_path)
    levels = {finding.clip.path.name: finding.value for finding in result.silent}
    assert levels == {
        "digital.wav": -120,
        "digital2.wav": -120,
        "hiss.wav": pytest.approx(20 * np.log10(0.0008), abs=0.3),
    }
    assert result.duplicates == ()


@pytest.mark.parametrize("jobs", [1, 2])
def test_clipped(tmp_path: Path, jobs: int) -> None:
    """Flat tops are clipped; a loud master with single samples at full scale is not."""
    loud = song(3) / np.abs(song(3)).max()
    put(tmp_path, "a/loud.wav", loud)
    put(tmp_path, "b/clipped.wav", np.clip(4 * loud, -1, 1))
    put(tmp_path, "c/sine.wav", synth.sine(440, 3, RATE, level=1.0))
    put(tmp_path, "c/square.wav", np.sign(synth.sine(100, 3, RATE) + np.float32(1e-6)))
    result = inspected(tmp_path, jobs)
    shares = {finding.clip.path.name: finding.value for finding in result.clipped}
    assert list(shares) == ["clipped.wav", "square.wav"]
    assert 0.002 < shares["clipped.wav"] < 0.5
    assert shares["square.wav"] == pytest.approx(1, abs=1e-3)


def test_share_of_clipped_samples_by_hand(tmp_path: Path) -> None:
    """Runs of 2, 3 and 10 samples in 2 s: from the third on, samples of a run count, 1 + 8.

    The longest lies on the border between two blocks of a second.
    """
    y = synth.noise(2, RATE, level=0.1)
    for start, n in [(100, 2), (200, 3), (RATE - 4, 10)]:
        y[start : start + n] = -1
    measured = inspection._Measured(LabelledClip(tmp_path, "a"), RATE)
    assert len(list(measured.measure([y[:RATE], y[RATE:]]))) == 2
    assert measured.n_clipped == 9
    assert measured.clipped == 9 / (2 * RATE)


def test_short(tmp_path: Path) -> None:
    put(tmp_path, "a/1.wav", song(0, 1.4))
    put(tmp_path, "a/2.wav", song(0, 1.6))
    put(tmp_path, "a/3.wav", np.ones(1, np.float32))
    result = inspected(tmp_path)
    assert [(each.clip.path.name, each.value) for each in result.short] == [
        ("1.wav", pytest.approx(1.4)),
        ("3.wav", 1 / RATE),
    ]
    assert result.unreadable == ()


def test_nothing_to_inspect() -> None:
    assert inspect_clips([]) == Inspection(
        n=0, unreadable=(), silent=(), clipped=(), short=(), duplicates=()
    )


def test_to_dict_is_json(data: Path, found: Inspection) -> None:
    bad = AudioError("x.wav", "is empty")
    values = json.loads(json.dumps(replace(found, unreadable=(bad,)).to_dict(), allow_nan=False))
    assert values["unreadable"] == [{"path": "x.wav", "error": "x.wav: is empty"}]
    assert values["duplicates"][0] == {
        "kind": "exact",
        "similarity": 1.0,
        "seconds": 5.0,
        "clips": [
            {"path": str(data / "blues" / name), "label": "blues"} for name in ("a.wav", "b.flac")
        ],
    }
    assert values["contradictions"] == values["duplicates"][1:]
