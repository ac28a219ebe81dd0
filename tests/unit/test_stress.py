"""A classifier that hears clips under conditions, one at a time and side by side."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens import AudioError, Classifier, DataError
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.evaluation import stress as module
from genrelens.evaluation.conditions import CONDITIONS, Condition
from genrelens.evaluation.evaluate import evaluate
from genrelens.evaluation.stress import Heard, measure_robustness
from support import synth, tiny
from support.processes import PATIENCE

BY_NAME = {condition.name: condition for condition in CONDITIONS}
FEW = [BY_NAME[name] for name in ("clean", "gain-20db", "noise-10db", "room")]


@pytest.fixture(scope="module")
def classifier(model: Path) -> Classifier:
    return Classifier.load(model, threads=1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledClip]:
    return read_folder(tiny.write_clips(tmp_path_factory.mktemp("data"), per_genre=2))


def condition(name: str, change: Any) -> Condition:
    return Condition(name, "made up", change)


def test_every_condition(classifier: Classifier, clips: list[LabelledClip]) -> None:
    synth.skip_without_encoder("libmp3lame")
    result = measure_robustness(classifier, clips, resamples=50)
    rows = {row.condition: row for row in result.rows}
    assert list(rows) == list(BY_NAME)
    assert all(
        row.n == 6 and row.description == BY_NAME[row.condition].description for row in result.rows
    )
    assert rows["clean"].accuracy.value == rows["high-pass-30hz"].accuracy.value == 1
    assert rows["noise-10db"].changed > 0  # chords in noise are noise to this model
    assert (result.model, result.failed) == ("tiny", ())


def test_clean_is_what_evaluate_hears(classifier: Classifier, clips: list[LabelledClip]) -> None:
    result = measure_robustness(classifier, clips, conditions=FEW, resamples=50)
    expected = evaluate(classifier, clips).table
    clean = result.tables["clean"]
    assert (clean.clips, clean.labels, clean.groups) == (expected.clips, expected.labels, None)
    np.testing.assert_array_equal(clean.true, expected.true)
    np.testing.assert_allclose(clean.probabilities, expected.probabilities, atol=1e-6)
    assert not np.allclose(result.tables["room"].probabilities, clean.probabilities, atol=1e-3)


def test_neither_order_nor_company_matters(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    def probabilities(chosen: list[LabelledClip], jobs: int, seed: int = 0) -> dict[str, Any]:
        result = measure_robustness(
            classifier, chosen, conditions=FEW, jobs=jobs, seed=seed, resamples=50
        )
        return {
            f"{name} {clip}": row.tolist()
            for name, table in result.tables.items()
            for clip, row in zip(table.clips, table.probabilities, strict=True)
        }

    alone = probabilities(clips, 1)
    assert probabilities(clips[::-1], 3) == alone
    some = probabilities(clips[2:5], 2)
    assert some == {key: alone[key] for key in some}
    other = probabilities(clips, 1, seed=1)
    assert {key.split()[0] for key in alone if alone[key] != other[key]} == {"noise-10db", "room"}


def test_groups_are_kept(classifier: Classifier, clips: list[LabelledClip]) -> None:
    artists = [LabelledClip(clip.path, clip.label, None, "duo") for clip in clips[:2]] + clips[2:]
    result = measure_robustness(classifier, artists, conditions=FEW[:1], resamples=50)
    assert result.tables["clean"].groups == ("duo", "duo", *(c.path.stem for c in clips[2:]))
    assert result.bootstrap["unit"] == "group"


@pytest.mark.parametrize("jobs", [1, 3])
def test_unreadable_clips_are_collected(
    classifier: Classifier, clips: list[LabelledClip], tmp_path: Path, jobs: int
) -> None:
    bad = LabelledClip(tmp_path / "bad.mp3", "chords")
    bad.path.write_bytes(b"text")
    seen: list[tuple[Path, bool]] = []

    def note(clip: LabelledClip, heard: Heard) -> None:
        seen.append((clip.path, isinstance(heard, AudioError)))

    mixed = [clips[0], bad, *clips[1:]]
    result = measure_robustness(
        classifier, mixed, conditions=FEW[:2], jobs=jobs, resamples=50, on_clip=note
    )
    assert [error.source for error in result.failed] == [str(bad.path)]
    assert [row.n for row in result.rows] == [6, 6]
    assert seen == [(clip.path, clip is bad) for clip in mixed]


def test_a_fault_in_a_condition_costs_one_clip(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    def picky(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if len(y) > 2.2 * rate:  # every other clip
            raise ZeroDivisionError("so long")
        return y

    result = measure_robustness(
        classifier, clips, conditions=[FEW[0], condition("picky", picky)], resamples=50
    )
    assert [row.n for row in result.rows] == [3, 3]
    assert all("cannot be heard (ZeroDivisionError: so long)" in str(e) for e in result.failed)


def test_what_is_missing_is_told_before_the_work(
    classifier: Classifier, clips: list[LabelledClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        raise AudioError("<waveform>", "this FFmpeg has no encoder libmp3lame")

    monkeypatch.setattr(module, "load_audio", lambda *args, **more: pytest.fail("work was done"))
    with pytest.raises(AudioError, match="no encoder libmp3lame"):
        measure_robustness(classifier, clips, conditions=[FEW[0], condition("mp3", unable)])


def test_a_clip_is_read_once(
    classifier: Classifier, clips: list[LabelledClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = module.load_audio

    def counted(path: Path, **more: Any) -> NDArray[np.float32]:
        read.append(path)
        return load(path, **more)

    monkeypatch.setattr(module, "load_audio", counted)
    measure_robustness(classifier, clips, conditions=FEW, resamples=50)
    assert read == [clip.path for clip in clips]


def test_long_clips_are_heard_in_part(classifier: Classifier, clips: list[LabelledClip]) -> None:
    lengths: list[int] = []

    def note(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        lengths.append(len(y))
        return y

    measure_robustness(
        classifier, clips, conditions=[condition("note", note)], longest=1.5, resamples=50
    )
    assert lengths[1:] == [12_000] * 6  # after the rehearsal


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_ends_the_work(
    classifier: Classifier, clips: list[LabelledClip], jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller stops after the first clip: of the others only those in hand are begun.

    All clips but the first take until the work is stopped, whoever is faster.
    """
    begun: list[bool] = []
    stopped = Event()
    monkeypatch.setattr(module, "Event", lambda: stopped)
    first = module.load_audio(clips[0].path, sample_rate=tiny.RATE)

    def slow(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if y.any():  # it is not the rehearsal
            begun.append(np.array_equal(y, first))
            assert begun[-1] or stopped.wait(PATIENCE)
        return y

    def stop(clip: LabelledClip, heard: Heard) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_robustness(
            classifier, clips, conditions=[condition("slow", slow)], jobs=jobs, on_clip=stop
        )
    assert begun.count(True) == 1
    assert begun.count(False) <= (jobs if jobs > 1 else 0)


# ------------------------------------------------------------------------- impossible wishes


def test_unknown_label(classifier: Classifier, clips: list[LabelledClip]) -> None:
    with pytest.raises(DataError, match="no genre 'polka'"):
        measure_robustness(classifier, [LabelledClip(clips[0].path, "polka"), *clips[1:]])


def test_no_clip_at_all(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips to judge on"):
        measure_robustness(classifier, [])
    bad = LabelledClip(tmp_path / "bad.mp3", "chords")
    with pytest.raises(DataError, match=r"no clip of 1 could be heard.*bad\.mp3"):
        measure_robustness(classifier, [bad], conditions=FEW[:1])


def test_one_clip_only(classifier: Classifier, clips: list[LabelledClip]) -> None:
    with pytest.raises(DataError, match="an interval needs two"):
        measure_robustness(classifier, clips[:1], conditions=FEW[:1])


@pytest.mark.parametrize("conditions", [[], [FEW[0], FEW[0]]])
def test_conditions_need_names(
    classifier: Classifier, clips: list[LabelledClip], conditions: list[Condition]
) -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        measure_robustness(classifier, clips, conditions=conditions)


def test_jobs(classifier: Classifier, clips: list[LabelledClip]) -> None:
    with pytest.raises(ValueError, match="jobs=0 must be at least 1"):
        measure_robustness(classifier, clips, jobs=0)
