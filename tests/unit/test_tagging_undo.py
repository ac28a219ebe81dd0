"""Undo runs, and the journal that makes it possible."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mutagen.id3
import pytest

from genrelens import LibraryError
from genrelens.library import (
    Catalog,
    Outcome,
    Policy,
    apply_changes,
    list_runs,
    plan_changes,
    undo,
)
from genrelens.library.tagging.journal import Journal
from genrelens.tags import read_tags, write_genres
from support.shelf import contents, only, shelve, song
from support.tagging_fixtures import Planned, catalog, journal, music, planned, tmp_path

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


__all__ = ["catalog", "journal", "music", "planned", "tmp_path"]  # the fixtures


# -------------------------------------------------------------------------------------- undo


@pytest.mark.parametrize("kind", ["mp3", "vorbis", "opus", "alac-faststart", "wma", "flac"])
def test_the_delta_is_short_even_if_all_audio_moves(
    kind: str, planned: Planned, music: Path, journal: Path
) -> None:
    """A cover of 200 kB, and genres that need more than the padding beside it."""
    path = song(music, "song.mp3", kind)
    cover = bytes(range(256)) * 800
    if kind in ("vorbis", "opus"):
        file = mutagen.File(path)
        file["metadata_block_picture"] = ["".join(f"{b:02x}" for b in cover)]
        file.save()
    elif kind == "mp3":
        tags = mutagen.id3.ID3(path)
        tags.add(mutagen.id3.APIC(mime="image/png", type=3, data=cover))
        tags.save(path, padding=lambda _: 0)
    before = path.read_bytes()
    plan = planned()
    long = tuple(f"A genre of many words, number {n}" for n in range(2500))
    apply_changes(replace(plan, changes=(replace(plan.changes[0], after=long),)))
    assert read_tags(path).genres == long
    with sqlite3.connect(journal) as connection:
        [(size,)] = connection.execute("SELECT length(patch) FROM writes")
    connection.close()
    assert size < 1500
    undo()
    assert path.read_bytes() == before


def test_runs_are_undone_one_by_one(planned: Planned, catalog: Catalog, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    first = apply_changes(planned(), catalog=catalog)
    middle = path.read_bytes()
    for entry in catalog.query():
        shelve(catalog, entry.path, "pop")
    second = apply_changes(plan_changes(catalog, [music], Policy(existing="replace")))
    assert [(run.id, run.written, run.undone) for run in list_runs()] == [(2, 1, 0), (1, 1, 0)]
    refused = only(undo(first.run).outcomes)
    assert refused == Outcome(path, False, "was written again by run 2: undo that run first")
    assert undo().run == second.run
    assert path.read_bytes() == middle
    assert undo().run == first.run
    assert path.read_bytes() == before
    assert [(run.id, run.written, run.undone) for run in list_runs()] == [(2, 0, 1), (1, 0, 1)]
    with pytest.raises(LibraryError, match="nothing to undo"):
        undo()
    with pytest.raises(LibraryError, match="no run 7"):
        undo(7)
    assert undo(first.run).outcomes == ()


def test_other_tags_edited_after_the_run_are_kept(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock", "Pop")
    apply_changes(planned())
    tags = mutagen.id3.ID3(path)
    tags.add(mutagen.id3.TIT2(text=["Another title"]))
    tags.save()
    outcome = only(undo().outcomes)
    assert outcome == Outcome(path, True, "was edited after the run: only its genres were restored")
    assert read_tags(path).genres == ("Rock", "Pop")
    assert read_tags(path).title == "Another title"


def test_genres_edited_after_the_run_are_kept(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    apply_changes(planned())
    write_genres(path, ["Blues"])
    outcome = only(undo().outcomes)
    assert outcome == Outcome(path, False, "was edited after the run: it has other genres")
    assert read_tags(path).genres == ("Blues",)


def test_a_missing_file_can_be_restored_when_it_returns(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    apply_changes(planned())
    path.rename(music / "elsewhere")
    assert only(undo().outcomes) == Outcome(path, False, "no longer exists")
    (music / "elsewhere").rename(path)
    assert only(undo().outcomes) == Outcome(path, True)
    assert path.read_bytes() == before


# ----------------------------------------------------------------------------------- journal


def test_a_journal_that_cannot_be_written_stops_the_run(
    planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    plan = planned()

    def full(self: Journal, *_: Any, **__: Any) -> None:
        self._connection.execute("PRAGMA max_page_count = 1")
        self._execute("CREATE TABLE big AS SELECT zeroblob(100000)")

    monkeypatch.setattr(Journal, "ready", full)
    with pytest.raises(LibraryError, match="the disk is full"):
        apply_changes(plan)
    assert contents(music) == {"song.mp3": before}


def test_only_one_program_opens_the_journal(
    planned: Planned, music: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song(music, "song.mp3", "mp3", "Rock")
    plan = planned()
    monkeypatch.setattr(Journal, "patience", 0.05)
    with (
        Journal.open(journal),
        pytest.raises(LibraryError, match="another genrelens is writing tags"),
    ):
        apply_changes(plan)


@pytest.mark.parametrize("content", [b"no database" * 100, None])
def test_a_file_of_another_kind_is_refused_and_not_changed(
    content: bytes | None, journal: Path
) -> None:
    if content is None:
        connection = sqlite3.connect(journal)
        connection.execute("CREATE TABLE t (x)")
        connection.close()
    else:
        journal.write_bytes(content)
    before = journal.read_bytes()
    with pytest.raises(LibraryError, match="is not a journal of genrelens"):
        list_runs()
    assert journal.read_bytes() == before


def test_a_catalogue_is_refused_as_a_journal(tmp_path: Path) -> None:
    with (
        Catalog.open(tmp_path / "catalog.sqlite") as catalog,
        pytest.raises(LibraryError, match="is not a journal of genrelens"),
    ):
        list_runs(catalog=catalog, journal=catalog.path)


def test_a_journal_of_a_newer_version_is_refused(journal: Path) -> None:
    list_runs()
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(LibraryError, match=r"version 9.*update genrelens"):
        list_runs()


def test_a_journal_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="folder is missing"):
        list_runs(journal=tmp_path / "none" / "journal.sqlite")
