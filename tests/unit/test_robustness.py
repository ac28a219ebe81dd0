"""Robustness: figures by hand and against scipy, and the classification under conditions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens import AudioError, Classifier, DataError
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.evaluation import robustness as module
from genrelens.evaluation.conditions import CONDITIONS, Condition
from genrelens.evaluation.metrics import wilson_interval
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.robustness import (
    Outcome,
    Robustness,
    compare_conditions,
    measure_robustness,
)
from genrelens.evaluation.run import evaluate
from support import synth, tiny
from support.processes import PATIENCE

LABELS = ("blues", "jazz", "rock")
BY_NAME = {condition.name: condition for condition in CONDITIONS}
FEW = [BY_NAME[name] for name in ("clean", "gain-20db", "noise-10db", "room")]


def table(true: list[int], rows: list[list[float]], **fields: object) -> PredictionTable:
    return PredictionTable(
        labels=LABELS,
        clips=tuple(f"clip{i}" for i in range(len(true))),
        true=np.array(true),
        probabilities=np.array(rows),
        **fields,  # type: ignore[arg-type]
    )


def random_table(
    right: NDArray[np.bool_], groups: tuple[str, ...] | None = None
) -> PredictionTable:
    """Clips of the first genre, of which those of ``right`` are predicted correctly."""
    rows = np.where(right[:, None], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1])
    return table([0] * len(right), rows.tolist(), groups=groups)


CLEAN = table([0, 0, 1, 2], [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.9, 0.0], [0.5, 0.0, 0.5]])
HISS = table([0, 0, 1, 2], [[0.1, 0.5, 0.4], [0.5, 0.3, 0.2], [0.3, 0.1, 0.6], [0.1, 0.1, 0.8]])


def compared(**tables: PredictionTable) -> Robustness:
    return compare_conditions(tables, model="tiny", resamples=200)


def test_by_hand() -> None:
    """Clean: rock is predicted as blues. Hiss: blues as jazz, and jazz as rock."""
    result = compare_conditions(
        {"clean": CLEAN, "hiss": HISS},
        model="tiny",
        descriptions={"hiss": "with hiss"},
        resamples=200,
    )
    clean, hiss = result.rows
    assert (clean.condition, hiss.condition) == ("clean", "hiss")
    assert (clean.description, hiss.description) == ("", "with hiss")
    assert (clean.n, hiss.n) == (4, 4)
    assert (clean.accuracy.value, hiss.accuracy.value) == (0.75, 0.5)
    assert clean.macro_recall.value == pytest.approx((1 + 1 + 0) / 3)
    assert hiss.macro_recall.value == pytest.approx((0.5 + 0 + 1) / 3)
    assert (clean.difference, clean.difference.method) == ((0, 0, 0), "none")
    assert hiss.difference.value == -0.25
    assert hiss.difference.low <= -0.7
    assert hiss.difference.high >= 0.25
    assert hiss.difference.method == "wilson"  # four clips
    assert (clean.changed, hiss.changed) == (0, 0.75)
    assert clean.confidence_change == 0
    assert hiss.confidence_change == pytest.approx(np.mean([0.5, 0.5, 0.6, 0.8]) - 0.7)
    assert result.bootstrap == {"resamples": 200, "seed": 0, "unit": "clip"}
    assert result.tables["hiss"] is HISS


def test_paired_interval() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    before = rng.random(80) < 0.7
    after = np.where(rng.random(80) < 0.25, ~before, before)
    result = compare_conditions(
        {"clean": random_table(before), "hiss": random_table(after)}, model="tiny"
    )
    difference = result.rows[1].difference
    gains = after.astype(float) - before
    expected = stats.bootstrap(
        (gains,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert difference.value == pytest.approx(gains.mean())
    assert difference.low == pytest.approx(expected.low, abs=0.02)
    assert difference.high == pytest.approx(expected.high, abs=0.02)


def test_the_clips_of_a_group_are_one_observation() -> None:
    """Twenty artists with four clips of the same result: the interval is twice as wide."""
    fate = np.repeat(np.arange(20) % 3 == 0, 4)
    groups = tuple(f"artist{i // 4}" for i in range(80))
    everything = np.ones(80, bool)

    def width(groups: tuple[str, ...] | None) -> float:
        clean, hiss = random_table(everything, groups), random_table(~fate, groups)
        row = compare_conditions({"clean": clean, "hiss": hiss}, model="tiny").rows[1]
        return row.difference.high - row.difference.low

    assert width(groups) / width(None) == pytest.approx(2, rel=0.2)


def test_plain_values() -> None:
    result = compare_conditions(
        {"clean": CLEAN, "hiss": HISS}, model="tiny", failed=[AudioError("a.mp3", "is empty")]
    )
    values = json.loads(json.dumps(result.to_dict()))
    assert values["failed"] == [{"path": "a.mp3", "error": "a.mp3: is empty"}]
    assert values["model"] == "tiny"
    assert values["bootstrap"]["unit"] == "clip"
    assert [row["condition"] for row in values["conditions"]] == ["clean", "hiss"]
    hiss = values["conditions"][1]
    assert hiss["difference"]["value"] == -0.25
    low, high = wilson_interval(2, 4)
    assert hiss["accuracy"] == {"value": 0.5, "low": low, "high": high, "method": "wilson"}
    assert (hiss["n"], hiss["changed"]) == (4, 0.75)


@pytest.mark.parametrize(
    "other",
    [
        replace(HISS, clips=("clip0", "clip1", "clip3", "clip2")),
        replace(HISS, labels=("blues", "rock", "jazz")),
        HISS.select([0, 1, 2]),
    ],
)
def test_tables_of_different_clips(other: PredictionTable) -> None:
    with pytest.raises(ValueError, match="of 'hiss' differ"):
        compared(clean=CLEAN, hiss=other)


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no table"):
        compared()


def test_one_clip_has_no_interval() -> None:
    with pytest.raises(DataError, match="an interval needs two"):
        compared(clean=CLEAN.select([0]))


# ------------------------------------------------------------------------- classifying


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
    assert rows["noise-10db"].changed > 0  # this model classifies chords in noise as noise
    assert (result.model, result.failed) == ("tiny", ())


def test_clean_gives_the_predictions_of_evaluate(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    result = measure_robustness(classifier, clips, conditions=FEW, resamples=50)
    expected = evaluate(classifier, clips).table
    clean = result.tables["clean"]
    assert (clean.clips, clean.labels, clean.groups) == (expected.clips, expected.labels, None)
    np.testing.assert_array_equal(clean.true, expected.true)
    np.testing.assert_allclose(clean.probabilities, expected.probabilities, atol=1e-6)
    assert not np.allclose(result.tables["room"].probabilities, clean.probabilities, atol=1e-3)


def test_neither_order_nor_other_clips_matter(
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

    def note(clip: LabelledClip, outcome: Outcome) -> None:
        seen.append((clip.path, isinstance(outcome, AudioError)))

    mixed = [clips[0], bad, *clips[1:]]
    result = measure_robustness(
        classifier, mixed, conditions=FEW[:2], jobs=jobs, resamples=50, on_clip=note
    )
    assert [error.source for error in result.failed] == [str(bad.path)]
    assert [row.n for row in result.rows] == [6, 6]
    assert seen == [(clip.path, clip is bad) for clip in mixed]


def test_an_exception_in_a_condition_fails_one_clip(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    def failing(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if len(y) > 2.2 * rate:  # every other clip
            raise ZeroDivisionError("too long")
        return y

    result = measure_robustness(
        classifier, clips, conditions=[FEW[0], condition("failing", failing)], resamples=50
    )
    assert [row.n for row in result.rows] == [3, 3]
    assert all(
        "cannot be classified (ZeroDivisionError: too long)" in str(e) for e in result.failed
    )


def test_a_missing_encoder_is_reported_before_the_work(
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


def test_long_clips_are_classified_in_part(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    lengths: list[int] = []

    def note(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        lengths.append(len(y))
        return y

    measure_robustness(
        classifier, clips, conditions=[condition("note", note)], longest=1.5, resamples=50
    )
    assert lengths[1:] == [12_000] * 6  # after the trial


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_ends_the_work(
    classifier: Classifier, clips: list[LabelledClip], jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller stops after the first clip: only the others in progress have started.

    All clips but the first take until the work is stopped, whoever is faster.
    """
    started: list[bool] = []
    stopped = Event()
    monkeypatch.setattr(module, "Event", lambda: stopped)
    first = module.load_audio(clips[0].path, sample_rate=tiny.RATE)

    def slow(y: NDArray[np.float64], rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if y.any():  # not the trial on silence
            started.append(np.array_equal(y, first))
            assert started[-1] or stopped.wait(PATIENCE)
        return y

    def stop(clip: LabelledClip, outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_robustness(
            classifier, clips, conditions=[condition("slow", slow)], jobs=jobs, on_clip=stop
        )
    assert started.count(True) == 1
    assert started.count(False) <= (jobs if jobs > 1 else 0)


# ------------------------------------------------------------------------- invalid arguments


def test_unknown_label(classifier: Classifier, clips: list[LabelledClip]) -> None:
    with pytest.raises(DataError, match="no genre 'polka'"):
        measure_robustness(classifier, [LabelledClip(clips[0].path, "polka"), *clips[1:]])


def test_without_a_readable_clip(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips to evaluate"):
        measure_robustness(classifier, [])
    bad = LabelledClip(tmp_path / "bad.mp3", "chords")
    with pytest.raises(DataError, match=r"no clip of 1 could be classified.*bad\.mp3"):
        measure_robustness(classifier, [bad], conditions=FEW[:1])


def test_one_clip_only_cannot_be_measured(
    classifier: Classifier, clips: list[LabelledClip]
) -> None:
    with pytest.raises(DataError, match="an interval needs two"):
        measure_robustness(classifier, clips[:1], conditions=FEW[:1])


@pytest.mark.parametrize("conditions", [[], [FEW[0], FEW[0]]])
def test_conditions_need_names(
    classifier: Classifier, clips: list[LabelledClip], conditions: list[Condition]
) -> None:
    with pytest.raises(ValueError, match="its own name"):
        measure_robustness(classifier, clips, conditions=conditions)


def test_at_least_one_job(classifier: Classifier, clips: list[LabelledClip]) -> None:
    with pytest.raises(ValueError, match="jobs=0 must be at least 1"):
        measure_robustness(classifier, clips, jobs=0)
