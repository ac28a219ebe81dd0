"""Scans: which files are classified, which are not classified again, and which fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from genrelens import worker_pool
from genrelens.discovery.find import Found, find_files
from genrelens.errors import AudioError, LibraryError, ModelError, TagError
from genrelens.library import Catalog, StoredPrediction, records
from genrelens.library import scan as scanning
from genrelens.library.digest import audio_digest
from genrelens.library.scan import Scanned, scan_files
from genrelens.model_file import model_digest
from genrelens.tags import Tags, write_genres
from support import synth, tiny
from support.catalogs import entry
from support.library_folder import HerePool, NoPool, wav, write_files

Run = Callable[..., dict[str, str]]
Pools = list[HerePool]
Patch = pytest.MonkeyPatch


@pytest.fixture
def music(tmp_path: Path) -> Path:
    names = {f"{genre}.wav": wav(genre) for genre in tiny.GENRES}
    return write_files(tmp_path / "music", names)


@pytest.fixture
def pools(monkeypatch: Patch) -> Pools:
    """The pools that scans create; they work in this process."""
    made: Pools = []

    def make(*args: Any, **options: Any) -> HerePool:
        made.append(HerePool(*args, **options))
        return made[-1]

    monkeypatch.setattr(scanning, "ClassifierPool", make)
    return made


@pytest.fixture
def run(catalog: Catalog, music: Path, model: Path, pools: Pools) -> Run:
    """Return a function that scans the folder and returns the status of each file."""

    def run(**options: Any) -> dict[str, str]:
        outcomes = outcomes_of(catalog, music, **{"model": str(model), **options})
        return {Path(each.path).name: each.status for each in outcomes}

    return run


def outcomes_of(catalog: Catalog, folder: Path, **options: Any) -> list[Scanned]:
    problems: list[tuple[str, str]] = []
    files = find_files([folder], on_problem=lambda *problem: problems.append(problem))
    outcomes = list(scan_files(catalog, files, **options))
    assert not problems
    return outcomes


def steps(pools: Pools) -> list[str]:
    """Return the names of the functions that workers called."""
    return [job.func.__name__ for pool in pools for job in pool.jobs]  # type: ignore[attr-defined]


def all_of(status: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names or [f"{genre}.wav" for genre in tiny.GENRES], status)


def prediction(catalog: Catalog, path: Path | str) -> StoredPrediction:
    found = entry(catalog, path).prediction
    assert found is not None
    return found


# ------------------------------------------------------------------------------ first scan


@pytest.mark.parametrize("jobs", [1, 2])
def test_new_files_are_classified_and_stored(
    catalog: Catalog, music: Path, model: Path, run: Run, jobs: int
) -> None:
    write_genres(music / "clicks.wav", ["Clicks", "Pops"])
    assert run(jobs=jobs) == all_of("analysed")
    for genre in tiny.GENRES:
        stored, found = (
            entry(catalog, music / f"{genre}.wav"),
            prediction(catalog, music / f"{genre}.wav"),
        )
        assert (found.genre, found.model) == (genre, "tiny")
        assert found.model_digest == model_digest(model)
        assert found.duration == found.heard == 1.0
        status = stored.path.stat()
        assert (stored.size, stored.mtime_ns) == (status.st_size, status.st_mtime_ns)
        assert stored.digest == audio_digest(stored.path)
    tags = entry(catalog, music / "clicks.wav").tags
    assert tags is not None
    assert tags.genres == ("Clicks", "Pops")


def test_a_result_is_stored_before_it_is_yielded(
    catalog: Catalog, music: Path, model: Path, pools: Pools
) -> None:
    files = find_files([music], on_problem=pytest.fail)
    for scanned in scan_files(catalog, files, model=str(model)):
        assert scanned.prediction is not None
        assert scanned.prediction.to_dict() == prediction(catalog, scanned.path).to_dict()


def test_a_damaged_recording_is_classified_with_a_note(
    catalog: Catalog, music: Path, model: Path, pools: Pools
) -> None:
    flac = synth.write(tiny.sound("noise", 4), tiny.RATE, "FLAC")
    write_files(music, {"torn.flac": flac[: len(flac) * 3 // 4]})
    notes = [note for each in outcomes_of(catalog, music, model=str(model)) for note in each.notes]
    assert len(notes) == 1
    assert notes[0].startswith(f"{music / 'torn.flac'}: is damaged; ")


def test_a_file_without_tags_is_classified(catalog: Catalog, music: Path, run: Run) -> None:
    """AU has no tags."""
    au = synth.write(tiny.sound("noise", 1, seed=1), tiny.RATE, "AU")
    write_files(music, {"x.au": au})
    assert run()["x.au"] == "analysed"
    assert entry(catalog, music / "x.au").tags is None


# ----------------------------------------------------------------------------- second scan


def test_an_unchanged_file_is_not_opened(run: Run, music: Path, pools: Pools) -> None:
    run()
    for path in music.iterdir():  # reading it would give another result
        status = path.stat()
        path.write_bytes(os.urandom(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run() == all_of("unchanged")
    assert len(pools) == 1


def test_moved_tagged_and_copied_files_are_known(
    catalog: Catalog, music: Path, run: Run, pools: Pools
) -> None:
    run()
    (music / "noise.wav").rename(music / "moved.wav")
    write_genres(music / "clicks.wav", ["Clicks"])
    shutil.copy(music / "chords.wav", music / "copy.wav")
    assert run() == {
        **all_of("known", "moved.wav", "clicks.wav", "copy.wav"),
        "chords.wav": "unchanged",
    }
    assert steps(pools[1:]) == ["identify"] * 3
    found = {entry.path.name: entry for entry in catalog.query()}
    genres = {name: entry.prediction and entry.prediction.genre for name, entry in found.items()}
    assert genres == {
        "moved.wav": "noise",
        "noise.wav": "noise",
        "clicks.wav": "clicks",
        "chords.wav": "chords",
        "copy.wav": "chords",
    }
    assert found["clicks.wav"].tags is not None
    assert found["clicks.wav"].tags.genres == ("Clicks",)


@pytest.mark.parametrize("jobs", [1, 3])
def test_copies_are_classified_once(music: Path, run: Run, pools: Pools, jobs: int) -> None:
    for number in range(5):
        shutil.copy(music / "noise.wav", music / f"copy{number}.wav")
    write_genres(music / "copy3.wav", ["Noise"])
    statuses = run(jobs=jobs)
    copies = [status for name, status in statuses.items() if name.startswith(("copy", "noise"))]
    assert sorted(copies) == ["analysed"] + 5 * ["known"]
    assert steps(pools).count("_classify_file") == 3


def test_a_changed_file_is_classified_again(catalog: Catalog, music: Path, run: Run) -> None:
    run()
    (music / "noise.wav").write_bytes(wav("clicks", seed=5))
    assert run() == all_of("unchanged") | {"noise.wav": "analysed"}
    assert [each.path.name for each in catalog.query(genre="clicks")] == [
        "clicks.wav",
        "noise.wav",
    ]


def test_a_file_that_changes_during_the_scan(
    catalog: Catalog, music: Path, model: Path, pools: Pools
) -> None:
    """Its former status is stored, so that the next scan reads it again."""
    files = list(find_files([music / "noise.wav"], on_problem=pytest.fail))
    (music / "noise.wav").write_bytes(wav("clicks", 2))
    assert [each.status for each in scan_files(catalog, files, model=str(model))] == ["analysed"]
    assert [each.status for each in outcomes_of(catalog, music, model=str(model))] == [
        "analysed",
        "analysed",
        "known",
    ]


# --------------------------------------------------------------- other models, fast scans


def test_another_model_classifies_all_files_and_reuses_their_digests(
    catalog: Catalog, run: Run, recurrent_model: Path, pools: Pools
) -> None:
    run()
    assert run(model=str(recurrent_model)) == all_of("analysed")
    assert steps(pools[1:]) == ["_classify_file"] * 3
    assert {each.prediction and each.prediction.model for each in catalog.query()} == {"recurrent"}
    assert run() == run(model=str(recurrent_model)) == all_of("unchanged")


def test_fast_predictions_are_replaced_by_a_complete_scan(
    catalog: Catalog, music: Path, run: Run
) -> None:
    write_files(music, {"long.wav": wav("noise", 100)})

    def seconds() -> tuple[bool, float, float]:
        found = prediction(catalog, music / "long.wav")
        return found.fast, found.duration, found.heard

    assert run(fast=True)["long.wav"] == "analysed"
    assert seconds() == (True, 100.0, pytest.approx(90.0, abs=0.5))
    assert set(run(fast=True).values()) == {"unchanged"}
    assert run() == all_of("unchanged") | {"long.wav": "analysed"}
    assert seconds() == (False, 100.0, 100.0)
    assert set(run(fast=True).values()) == {"unchanged"}


# -------------------------------------------------------------------------------- failures


@pytest.fixture
def broken(music: Path) -> Path:
    return write_files(music, {"text.mp3": b"no music " * 99, "empty.wav": b""})


def reasons(catalog: Catalog) -> dict[str, str | None]:
    return {each.path.name: each.error for each in catalog.query(errors=True)}


def test_bad_files_are_reported_and_stored(
    catalog: Catalog, broken: Path, model: Path, run: Run, pools: Pools
) -> None:
    outcomes = {
        Path(each.path).name: each for each in outcomes_of(catalog, broken, model=str(model))
    }
    assert {name: each.status for name, each in outcomes.items()} == {
        **all_of("analysed"),
        **all_of("failed", "text.mp3", "empty.wav"),
    }
    expected = {
        "empty.wav": "is empty",
        "text.mp3": "is not audio that any decoder can read (libsndfile: Format not recognised; "
        "FFmpeg: Invalid data found when processing input)",
    }
    assert reasons(catalog) == expected
    failure = outcomes["text.mp3"].failure
    assert failure is not None
    assert failure.reason == expected["text.mp3"]
    assert run() == {**all_of("unchanged"), **all_of("failed before", "text.mp3", "empty.wav")}
    assert len(pools) == 1
    assert reasons(catalog) == expected


@pytest.mark.parametrize("change", ["content", "retry", "version", "model"])
def test_when_a_bad_file_is_tried_again(
    broken: Path, run: Run, recurrent_model: Path, change: str, monkeypatch: Patch
) -> None:
    run()
    options: dict[str, Any] = {}
    if change == "content":
        (broken / "text.mp3").write_bytes(b"other text")
    elif change == "version":
        monkeypatch.setattr(records, "__version__", "99.0")
    else:
        options = {"retry": True} if change == "retry" else {"model": str(recurrent_model)}
    assert run(**options)["text.mp3"] == "failed"


def test_a_repaired_file_is_known(catalog: Catalog, broken: Path, run: Run) -> None:
    run()
    (broken / "text.mp3").write_bytes(wav("noise"))
    assert run()["text.mp3"] == "known"
    assert set(reasons(catalog)) == {"empty.wav"}


def test_copies_of_a_bad_file_fail_together(broken: Path, run: Run, pools: Pools) -> None:
    shutil.copy(broken / "text.mp3", broken / "copy.mp3")
    assert run(jobs=4)["copy.mp3"] == "failed"
    assert steps(pools).count("_classify_file") == 5


def test_a_file_without_read_permission_is_tried_by_every_scan(
    catalog: Catalog, music: Path, run: Run, monkeypatch: Any
) -> None:
    def refuse(path: str) -> str:
        raise AudioError(path, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "audio_digest", refuse)
        assert run() == all_of("failed")
    assert reasons(catalog) == all_of("Permission denied")
    assert run() == all_of("analysed")
    assert reasons(catalog) == {}


@pytest.mark.parametrize("moment", ["found", "identified"])
def test_a_file_that_disappears_is_tried_by_the_next_scan(
    catalog: Catalog, music: Path, model: Path, pools: Pools, moment: str, monkeypatch: Patch
) -> None:
    (noise,) = files = list(find_files([music / "noise.wav"], on_problem=pytest.fail))
    away = music / "away"
    if moment == "found":
        Path(noise.path).rename(away)
    else:

        def gone(path: str) -> Tags:
            Path(path).rename(away)
            raise TagError(path, "gone")

        monkeypatch.setattr(scanning, "read_tags", gone)
    (outcome,) = scan_files(catalog, files, model=str(model))
    assert (outcome.status, reasons(catalog)) == (
        "failed",
        {"noise.wav": "No such file or directory"},
    )
    away.rename(noise.path)
    monkeypatch.undo()
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    assert [each.status for each in scan_files(catalog, files, model=str(model))] == ["analysed"]


def test_an_unexpected_error_affects_one_file(
    catalog: Catalog, run: Run, monkeypatch: Patch
) -> None:
    def fail(path: str, name: str, *args: Any, **options: Any) -> Any:
        if "noise" in path:
            raise RuntimeError("Traceback ...\n  File ...\nKeyError: 'x'\n")
        return judge(path, name, *args, **options)

    judge = worker_pool._classify_file
    monkeypatch.setattr(worker_pool, "_classify_file", fail)
    assert run() == all_of("analysed") | {"noise.wav": "failed"}
    assert reasons(catalog) == {"noise.wav": "caused an unexpected error (KeyError: 'x')"}


@pytest.mark.parametrize(
    "reason", [BrokenProcessPool("All workers expired"), TimeoutError("the computer slept")]
)
def test_lost_workers_are_replaced(
    catalog: Catalog, music: Path, model: Path, reason: Exception, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(scanning, "ClassifierPool", NoPool)
    monkeypatch.setattr(NoPool, "refusals", 1)
    monkeypatch.setattr(NoPool, "reason", reason)
    statuses = [each.status for each in outcomes_of(catalog, music, model=str(model))]
    assert statuses == ["analysed"] * 3


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (BrokenProcessPool("All workers expired"), "no worker process can be started"),
        (None, "the worker processes do not respond"),
    ],
)
def test_workers_that_never_start_or_answer(
    catalog: Catalog, music: Path, model: Path, reason: Any, message: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(scanning, "ClassifierPool", NoPool)
    monkeypatch.setattr(scanning, "_PATIENCE", 0.0)
    monkeypatch.setattr(NoPool, "refusals", 10)
    monkeypatch.setattr(NoPool, "reason", reason)
    with pytest.raises(LibraryError, match=message):
        outcomes_of(catalog, music, model=str(model), timeout=0.05)
    assert list(catalog.query()) == []


def test_an_invalid_model(catalog: Catalog, music: Path, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="is not a complete ONNX file"):
        outcomes_of(catalog, music, model=str(tmp_path / "x.onnx"))
    with pytest.raises(ModelError, match="is neither a file nor"):
        scan_files(catalog, [], model=str(tmp_path / "gone.onnx"))


@pytest.mark.parametrize("options", [{"jobs": 0}, {"timeout": 0}, {"timeout": float("nan")}])
def test_arguments_out_of_range(catalog: Catalog, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        scan_files(catalog, [], **options)


def test_closing_the_iterator_keeps_the_yielded_results(
    catalog: Catalog, music: Path, model: Path, pools: Pools
) -> None:
    files = list(find_files([music], on_problem=pytest.fail))
    outcomes = scan_files(catalog, files, model=str(model))
    first = next(outcomes)
    outcomes.close()
    assert catalog.entry(first.path) is not None
    assert steps(pools).count("_classify_file") < 3
    assert (
        sum(each.status == "unchanged" for each in scan_files(catalog, files, model=str(model)))
        >= 1
    )


def test_files_are_taken_as_they_are_needed(
    catalog: Catalog, music: Path, model: Path, pools: Pools
) -> None:
    """Memory does not grow with the number of files."""
    write_files(music, {f"{number}.wav": wav("noise", seed=number) for number in range(20)})
    taken: list[Found] = []

    def files() -> Iterator[Found]:
        for found in find_files([music], on_problem=pytest.fail):
            taken.append(found)
            yield found

    for n_done, _ in enumerate(scan_files(catalog, files(), model=str(model), jobs=2), 1):
        assert len(taken) <= n_done + 4
