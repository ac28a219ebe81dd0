"""Statistics of a catalogue, against counts over its entries."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from genrelens.errors import LibraryError
from genrelens.library import Catalog, library_stats, versions
from genrelens.library.records import Failure, StoredPrediction
from support.library_folder import MODEL_DIGEST, medley, stored

ODD = os.fsdecode(b"b/caf\xe9\n.mp3")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Four files with a genre, three without, three failures; two files are copies."""
    predictions: dict[str, StoredPrediction] = {
        "a/jazz.mp3": stored("jazz", duration=100.0),
        "a/pop.mp3": stored("pop", duration=20.0),
        "a/pop too.mp3": stored("pop", duration=20.0, name="other"),
        ODD: stored("pop", duration=20.0),
        "b/unsure.mp3": stored("pop", 0.36),
        "b/mix.mp3": medley("jazz", "rock"),
        "c.mp3": stored("pop", level=-100.0),
    }
    with Catalog.open(tmp_path / "catalog.sqlite") as catalog:
        for name, prediction in predictions.items():
            digest = "same" if name.startswith("a/pop") else name.encode(errors="replace").hex()
            _record(catalog, tmp_path / name, digest, prediction)
        for number, reason in enumerate(("crashed (SIGSEGV)", "crashed (SIGBUS)", "is empty")):
            _record(catalog, tmp_path / f"d/{number}", None, failure=Failure(reason))
        yield catalog


def _record(
    catalog: Catalog,
    path: Path,
    digest: str | None,
    prediction: StoredPrediction | None = None,
    failure: Failure | None = None,
) -> None:
    facts = {"size": 1, "mtime_ns": 1, "digest": digest, "tags": None}
    catalog.record(path, prediction=prediction, failure=failure, **facts)  # type: ignore[arg-type]


def test_each_file_is_counted_once(catalog: Catalog) -> None:
    stats = library_stats(catalog)
    # The latest prediction of "same" is by the model "other", for both copies.
    assert list(stats.genres.items()) == [("pop", 3), ("jazz", 1)]
    assert stats.verdicts == {"genre": 4, "changes": 1, "not sure": 1, "silence": 1}
    assert list(stats.failures.items()) == [("crashed", 2), ("is empty", 1)]
    assert stats.models == {"small": 5, "other": 2}
    assert (stats.files, stats.failed, stats.copies) == (10, 3, 1)
    assert stats.seconds == 100 + 3 * 20 + 3 * 200
    assert sum(stats.verdicts.values()) + stats.failed == stats.files


def test_the_counts_equal_those_over_all_entries(catalog: Catalog) -> None:
    entries = list(catalog.query())
    made = [entry.prediction for entry in entries if entry.prediction is not None]
    stats = library_stats(catalog)
    assert stats.verdicts == Counter(each.verdict for each in made)
    assert stats.genres == Counter(each.genre for each in made if each.verdict == "genre")
    assert stats.seconds == pytest.approx(sum(each.duration for each in made))


def test_some_files(catalog: Catalog, tmp_path: Path) -> None:
    below = library_stats(catalog, under=tmp_path / "b")
    assert (below.files, below.copies, below.genres) == (3, 0, {"pop": 1})
    paths = [tmp_path / "a/pop.mp3", tmp_path / ODD, tmp_path / "d/2", tmp_path / "unknown"]
    chosen = library_stats(catalog, paths=paths)
    assert (chosen.files, chosen.copies, chosen.failures) == (3, 0, {"is empty": 1})
    assert library_stats(catalog, paths=paths, under=tmp_path / "a").files == 1
    assert library_stats(catalog, paths=[]).files == 0
    assert library_stats(catalog, under=tmp_path / "none").to_dict() == {
        "files": 0,
        "seconds": 0.0,
        "copies": 0,
        "verdicts": {},
        "genres": {},
        "failures": {},
        "models": {},
        "failed": 0,
    }


def test_a_file_that_fails_with_a_new_version_counts_as_failed(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog.sqlite") as catalog:
        _record(catalog, tmp_path / "a", "digest", stored("jazz"))
        _record(catalog, tmp_path / "a", "digest", failure=Failure("took longer than 600 s"))
        stats = library_stats(catalog)
    assert (stats.files, stats.failed, stats.verdicts) == (1, 1, {})


def test_a_damaged_catalogue(catalog: Catalog, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        connection.execute("UPDATE files SET failure = '[' WHERE failure IS NOT NULL")
    connection.close()
    with pytest.raises(LibraryError, match="is damaged"):
        library_stats(catalog)


def test_names_and_folder_of_the_catalogue(catalog: Catalog, tmp_path: Path) -> None:
    genres, styles = catalog.labels()
    assert (genres, styles) == ({"jazz", "rock", "pop"}, {"house", "techno"})
    assert catalog.common_folder() == tmp_path
    catalog.remove([tmp_path / name for name in ("c.mp3", ODD, "b/unsure.mp3", "b/mix.mp3")])
    catalog.remove(tmp_path / f"d/{number}" for number in range(3))
    assert catalog.common_folder() == tmp_path / "a"
    catalog.remove([entry.path for entry in catalog.query()])
    assert catalog.common_folder() is None


def test_outdated_files_are_counted_if_they_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_MOST_CHECKED", 3)
    names = [f"{number}.mp3" for number in range(6)]
    with Catalog.open(tmp_path / "catalog.sqlite") as catalog:
        for name in names:
            made = stored("jazz", name="lens", model_digest="0" * 64)
            _record(catalog, tmp_path / name, name, made)
        _record(catalog, tmp_path / "other.mp3", "other", stored("jazz"))  # not a packaged model
        assert catalog.models() == [("lens", "0" * 64), ("small", MODEL_DIGEST)]
        assert versions.count_outdated(catalog) == {}
        (tmp_path / names[1]).touch()
        assert versions.count_outdated(catalog, under=tmp_path / names[1]) == {"lens": 1}
        assert versions.count_outdated(catalog) == {"lens": 1 + 3}  # the last three are unchecked
