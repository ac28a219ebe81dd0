"""A scan: what is heard, what is not heard again, and what fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from genrelens import worker_pool as isolation
from genrelens.discovery.find import Found, find_files
from genrelens.errors import AudioError, LibraryError, ModelError, TagError
from genrelens.library import identity, records
from genrelens.library import scan as scanning
from genrelens.library.catalog import Catalog, Query
from genrelens.library.digest import audio_digest
from genrelens.library.scan import Scanned, scan_files
from genrelens.model_file import model_digest
from genrelens.tags import Tags, write_genres
from support import synth, tiny
from support.library_folder import HerePool, wav, write_files


@pytest.fixture
def music(tmp_path: Path) -> Path:
    names = {f"{genre}.wav": wav(genre) for genre in tiny.GENRES}
    return write_files(tmp_path / "music", names)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.sqlite") as catalog:
        yield catalog


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[HerePool]:
    """The pools that scans make, which do their work in this process."""
    made: list[HerePool] = []

    def make(*args: Any, **options: Any) -> HerePool:
        made.append(HerePool(*args, **options))
        return made[-1]

    monkeypatch.setattr(scanning, "ClassifierPool", make)
    return made


@pytest.fixture
def run(
    catalog: Catalog, music: Path, model: Path, pools: list[HerePool]
) -> Callable[..., dict[str, str]]:
    """Scan a folder; return what became of each file."""

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


def steps(pools: list[HerePool]) -> list[str]:
    """What workers were asked to do."""
    return [job.func.__name__ for pool in pools for job in pool.jobs]  # type: ignore[attr-defined]


def all_of(status: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names or [f"{genre}.wav" for genre in tiny.GENRES], status)


# ------------------------------------------------------------------------------ first time


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_heard(
    catalog: Catalog, music: Path, model: Path, run: Callable[..., dict[str, str]], jobs: int
) -> None:
    write_genres(music / "clicks.wav", ["Clicks", "Pops"])
    assert run(jobs=jobs) == all_of("analysed")
    for genre in tiny.GENRES:
        entry = catalog.entry(music / f"{genre}.wav")
        assert entry is not None
        assert entry.prediction is not None
        assert (entry.prediction.genre, entry.prediction.model) == (genre, "tiny")
        assert entry.prediction.model_digest == model_digest(model)
        assert entry.prediction.duration == entry.prediction.heard == 1.0
        status = entry.path.stat()
        assert (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
        assert entry.digest == audio_digest(entry.path)
    clicks = catalog.entry(music / "clicks.wav")
    assert clicks is not None
    assert clicks.tags is not None
    assert clicks.tags.genres == ("Clicks", "Pops")


def test_outcomes_tell_what_was_heard(
    catalog: Catalog, music: Path, model: Path, pools: list[HerePool]
) -> None:
    for outcome in outcomes_of(catalog, music, model=str(model)):
        entry = catalog.entry(outcome.path)  # it is safe already
        assert entry is not None
        assert entry.prediction is not None
        assert outcome.prediction is not None
        assert outcome.prediction.to_dict() == entry.prediction.to_dict()


def test_a_damaged_recording_is_heard_and_noted(
    catalog: Catalog, music: Path, model: Path, pools: list[HerePool]
) -> None:
    flac = synth.write(tiny.sound("noise", 4), tiny.RATE, "FLAC")
    write_files(music, {"torn.flac": flac[: len(flac) * 3 // 4]})
    notes = [note for each in outcomes_of(catalog, music, model=str(model)) for note in each.notes]
    assert len(notes) == 1
    assert notes[0].startswith(f"{music / 'torn.flac'}: is damaged; ")


def test_a_file_whose_tags_cannot_be_read(
    catalog: Catalog, music: Path, run: Callable[..., dict[str, str]]
) -> None:
    """A format that has none."""
    au = synth.write(tiny.sound("noise", 1, seed=1), tiny.RATE, "AU")
    write_files(music, {"x.au": au})
    assert run()["x.au"] == "analysed"
    entry = catalog.entry(music / "x.au")
    assert entry is not None
    assert entry.tags is None


# ------------------------------------------------------------------------------ once more


def test_an_unchanged_file_is_not_even_opened(
    run: Callable[..., dict[str, str]], music: Path, pools: list[HerePool]
) -> None:
    run()
    for path in music.iterdir():  # whoever looks finds something else
        status = path.stat()
        path.write_bytes(os.urandom(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run() == all_of("unchanged")
    assert len(pools) == 1


def test_moved_tagged_and_copied_files_are_known(
    catalog: Catalog, music: Path, run: Callable[..., dict[str, str]], pools: list[HerePool]
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
    found = {entry.path.name: entry for entry in catalog.files()}
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
def test_copies_are_heard_once(
    music: Path, run: Callable[..., dict[str, str]], pools: list[HerePool], jobs: int
) -> None:
    for number in range(5):
        shutil.copy(music / "noise.wav", music / f"copy{number}.wav")
    write_genres(music / "copy3.wav", ["Noise"])
    statuses = run(jobs=jobs)
    copies = [status for name, status in statuses.items() if name.startswith(("copy", "noise"))]
    assert sorted(copies) == ["analysed"] + 5 * ["known"]
    assert steps(pools).count("_classify_file") == 3


def test_a_changed_file_is_heard_again(
    catalog: Catalog, music: Path, run: Callable[..., dict[str, str]]
) -> None:
    run()
    (music / "noise.wav").write_bytes(wav("clicks", seed=5))
    assert run() == all_of("unchanged") | {"noise.wav": "analysed"}
    assert [each.path.name for each in catalog.query(Query(genre="clicks"))] == [
        "clicks.wav",
        "noise.wav",
    ]


def test_a_file_that_changes_meanwhile(
    catalog: Catalog, music: Path, model: Path, pools: list[HerePool]
) -> None:
    """It is known as it was when it was found, so that the next scan looks at it again."""
    files = list(find_files([music / "noise.wav"], on_problem=pytest.fail))
    (music / "noise.wav").write_bytes(wav("clicks", 2))
    assert [each.status for each in scan_files(catalog, files, model=str(model))] == ["analysed"]
    assert [each.status for each in outcomes_of(catalog, music, model=str(model))] == [
        "analysed",
        "analysed",
        "known",
    ]


# ---------------------------------------------------------------------- models, and in haste


def test_a_new_model_hears_all_but_reads_no_file_twice(
    catalog: Catalog,
    run: Callable[..., dict[str, str]],
    recurrent_model: Path,
    pools: list[HerePool],
) -> None:
    run()
    assert run(model=str(recurrent_model)) == all_of("analysed")
    assert steps(pools[1:]) == ["_classify_file"] * 3
    assert {each.prediction and each.prediction.model for each in catalog.files()} == {"recurrent"}
    assert run() == run(model=str(recurrent_model)) == all_of("unchanged")


def test_what_was_heard_in_haste_is_heard_whole_on_demand(
    catalog: Catalog, music: Path, run: Callable[..., dict[str, str]]
) -> None:
    write_files(music, {"long.wav": wav("noise", 100)})

    def entry() -> tuple[bool, float, float]:
        found = catalog.entry(music / "long.wav")
        assert found is not None
        assert found.prediction is not None
        return found.prediction.fast, found.prediction.duration, found.prediction.heard

    assert run(fast=True)["long.wav"] == "analysed"
    assert entry() == (True, 100.0, pytest.approx(90.0, abs=0.5))
    assert set(run(fast=True).values()) == {"unchanged"}
    assert run() == all_of("unchanged") | {"long.wav": "analysed"}
    assert entry() == (False, 100.0, 100.0)
    assert set(run(fast=True).values()) == {"unchanged"}


# -------------------------------------------------------------------------------- failures


@pytest.fixture
def broken(music: Path) -> Path:
    return write_files(music, {"text.mp3": b"no music " * 99, "empty.wav": b""})


def reasons(catalog: Catalog) -> dict[str, str | None]:
    return {each.path.name: each.error for each in catalog.query(Query(errors=True))}


def test_bad_files_are_told_and_remembered(
    catalog: Catalog,
    broken: Path,
    model: Path,
    run: Callable[..., dict[str, str]],
    pools: list[HerePool],
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
    broken: Path,
    run: Callable[..., dict[str, str]],
    recurrent_model: Path,
    change: str,
    monkeypatch: pytest.MonkeyPatch,
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


def test_a_bad_file_that_is_repaired(
    catalog: Catalog, broken: Path, run: Callable[..., dict[str, str]]
) -> None:
    run()
    (broken / "text.mp3").write_bytes(wav("noise"))
    assert run()["text.mp3"] == "known"
    assert set(reasons(catalog)) == {"empty.wav"}


def test_copies_of_a_bad_file_fail_together(
    broken: Path, run: Callable[..., dict[str, str]], pools: list[HerePool]
) -> None:
    shutil.copy(broken / "text.mp3", broken / "copy.mp3")
    assert run(jobs=4)["copy.mp3"] == "failed"
    assert steps(pools).count("_classify_file") == 5


def test_a_file_that_may_not_be_read_is_tried_every_time(
    catalog: Catalog, music: Path, run: Callable[..., dict[str, str]], monkeypatch: Any
) -> None:
    def refuse(path: str) -> str:
        raise AudioError(path, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(identity, "audio_digest", refuse)
        assert run() == all_of("failed")
    assert reasons(catalog) == all_of("Permission denied")
    assert run() == all_of("analysed")
    assert reasons(catalog) == {}


@pytest.mark.parametrize("moment", ["found", "identified"])
def test_a_file_that_goes_away_is_no_bad_file(
    catalog: Catalog,
    music: Path,
    model: Path,
    pools: list[HerePool],
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (noise,) = files = list(find_files([music / "noise.wav"], on_problem=pytest.fail))
    away = music / "away"
    if moment == "found":
        Path(noise.path).rename(away)
    else:

        def gone(path: str) -> Tags:
            Path(path).rename(away)
            raise TagError(path, "gone")

        monkeypatch.setattr(identity, "read_tags", gone)
    (outcome,) = scan_files(catalog, files, model=str(model))
    assert (outcome.status, reasons(catalog)) == (
        "failed",
        {"noise.wav": "No such file or directory"},
    )
    away.rename(noise.path)
    monkeypatch.undo()
    monkeypatch.setattr(scanning, "ClassifierPool", HerePool)
    assert [each.status for each in scan_files(catalog, files, model=str(model))] == ["analysed"]


def test_a_fault_of_ours_costs_one_file(
    catalog: Catalog, run: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str, name: str, *args: Any, **options: Any) -> Any:
        if "noise" in path:
            raise RuntimeError("Traceback ...\n  File ...\nKeyError: 'x'\n")
        return judge(path, name, *args, **options)

    judge = isolation._classify_file
    monkeypatch.setattr(isolation, "_classify_file", fail)
    assert run() == all_of("analysed") | {"noise.wav": "failed"}
    assert reasons(catalog) == {"noise.wav": "is more than genrelens can handle (KeyError: 'x')"}


class NoPool(HerePool):
    """Does nothing a number of times."""

    refusals = 0
    reason: Exception | None = None

    def run(self, job: Callable[[], Any], *, timeout: float | None = None) -> Future[Any]:
        if type(self).refusals:
            type(self).refusals -= 1
            future: Future[Any] = Future()
            if self.reason is not None:
                future.set_exception(self.reason)
            return future
        return super().run(job, timeout=timeout)


@pytest.mark.parametrize(
    "reason", [BrokenProcessPool("All workers expired"), TimeoutError("the computer slept")]
)
def test_workers_that_are_gone_are_replaced(
    catalog: Catalog, music: Path, model: Path, reason: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "ClassifierPool", NoPool)
    monkeypatch.setattr(NoPool, "refusals", 1)
    monkeypatch.setattr(NoPool, "reason", reason)
    statuses = [each.status for each in outcomes_of(catalog, music, model=str(model))]
    assert statuses == ["analysed"] * 3


def test_workers_that_never_come(
    catalog: Catalog, music: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "ClassifierPool", NoPool)
    monkeypatch.setattr(NoPool, "refusals", 10)
    monkeypatch.setattr(NoPool, "reason", BrokenProcessPool("All workers expired"))
    with pytest.raises(LibraryError, match="the worker processes end before they begin"):
        outcomes_of(catalog, music, model=str(model))
    assert list(catalog.files()) == []


def test_workers_that_never_answer(
    catalog: Catalog, music: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "ClassifierPool", NoPool)
    monkeypatch.setattr(scanning, "_PATIENCE", 0.0)
    monkeypatch.setattr(NoPool, "refusals", 10)
    with pytest.raises(LibraryError, match="the worker processes do not answer"):
        outcomes_of(catalog, music, model=str(model), timeout=0.05)


def test_a_model_that_is_none(catalog: Catalog, music: Path, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="is not a complete ONNX file"):
        outcomes_of(catalog, music, model=str(tmp_path / "x.onnx"))
    with pytest.raises(ModelError, match="there is no such file"):
        scan_files(catalog, [], model=str(tmp_path / "gone.onnx"))


@pytest.mark.parametrize("options", [{"jobs": 0}, {"timeout": 0}, {"timeout": float("nan")}])
def test_arguments_out_of_range(catalog: Catalog, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        scan_files(catalog, [], **options)


def test_whoever_stops_early_keeps_what_was_told(
    catalog: Catalog, music: Path, model: Path, pools: list[HerePool]
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


def test_no_more_than_asked_is_under_way(
    catalog: Catalog, music: Path, model: Path, pools: list[HerePool]
) -> None:
    """Files are taken as they are needed, so that memory does not grow with their number."""
    write_files(music, {f"{number}.wav": wav("noise", seed=number) for number in range(20)})
    taken: list[Found] = []

    def files() -> Iterator[Found]:
        for found in find_files([music], on_problem=pytest.fail):
            taken.append(found)
            yield found

    for n_done, _ in enumerate(scan_files(catalog, files(), model=str(model), jobs=2), 1):
        assert len(taken) <= n_done + 4
