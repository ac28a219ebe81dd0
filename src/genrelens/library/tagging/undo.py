"""Undo a run: restore the files that it wrote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from genrelens.errors import AudioError, LibraryError, TagError
from genrelens.library.catalog import Catalog
from genrelens.library.tagging.apply import (
    Outcome,
    Result,
    failure_reason,
    update_catalog,
    verify_audio,
)
from genrelens.library.tagging.delta import apply_delta, file_hash
from genrelens.library.tagging.journal import Journal, TagRun, Write
from genrelens.library.tagging.replace_file import replace_with_copy
from genrelens.tags import read_tags, write_genres

__all__ = ["list_runs", "undo"]


def list_runs(
    *, catalog: Catalog | None = None, journal: str | os.PathLike[str] | None = None
) -> list[TagRun]:
    """Return the runs in the journal, the latest first.

    Args:
        catalog: a catalogue to update with the files of an interrupted run; None updates none.
        journal: path of the journal; None is the default path.

    Raises:
        LibraryError: the journal cannot be opened.

    Example::

        for run in list_runs():
            print(run.id, run.started, run.written, "written", run.undone, "undone")

    """
    with Journal.open(journal) as opened:
        update_catalog(catalog, *opened.recovered)
        return opened.runs()


def undo(
    run: int | None = None,
    *,
    catalog: Catalog | None = None,
    journal: str | os.PathLike[str] | None = None,
    on_file: Callable[[Outcome], None] | None = None,
) -> Result:
    """Restore the files that a run wrote.

    A file that was not edited after the run is restored to the last byte. In a file that was
    edited later (other tags, for instance), only the genres are restored, and only if they are
    still those that the run wrote. After an interruption, the next call continues.

    Args:
        run: number of the run; None is the last one that has files to restore.
        catalog: a catalogue to update with the restored tags; None updates none.
        journal: path of the journal; None is the default path.
        on_file: called with the result for each file.

    Raises:
        LibraryError: there is no such run, or the journal or the catalogue cannot be written.

    Example::

        result = undo()
        print(result.run, len(result.outcomes), "files,", len(result.failed), "failed")

    """
    outcomes = []
    with Journal.open(journal) as opened:
        update_catalog(catalog, *opened.recovered)
        chosen = _choose(opened, run)
        for write in opened.writes(chosen):
            outcome = _undo(write, opened)
            if outcome.done:
                update_catalog(catalog, write)
                opened.mark(write, "undone")  # last: until then, recovery handles the file
            outcomes.append(outcome)
            if on_file:
                on_file(outcome)
    return Result(chosen, tuple(outcomes))


def _choose(journal: Journal, run: int | None) -> int:
    runs = journal.runs()
    if run is None:
        found = next((each.id for each in runs if each.written), None)
        if found is None:
            raise LibraryError("there is nothing to undo", path=journal.path)
        return found
    if run not in (each.id for each in runs):
        raise LibraryError(
            f"there is no run {run}; genrelens undo --list lists the runs", path=journal.path
        )
    return run


def _undo(write: Write, journal: Journal) -> Outcome:
    try:
        journal.mark(write, "undoing")
        note = "" if file_hash(write.path) == write.old_hash else _restore(write, journal)
    except (TagError, AudioError, OSError) as error:
        journal.mark(write, "written")
        return Outcome(write.name, False, failure_reason(error))
    return Outcome(write.name, True, note)


def _restore(write: Write, journal: Journal) -> str:
    """Replace the new file by the old one; return a note for the user."""
    if file_hash(write.path) != write.new_hash:
        return _restore_genres(write, journal)
    delta = journal.delta(write)

    def make(temporary: Path) -> None:
        try:
            with temporary.open("wb") as file:
                file.writelines(apply_delta(delta, write.path))
        except LibraryError as error:  # the other files of the run can be restored
            raise TagError(str(write.path), str(error)) from error
        if file_hash(temporary) != write.old_hash:
            raise TagError(str(write.path), "is being changed by another program")

    return replace_with_copy(write.path, write.temporary, make=make)


def _restore_genres(write: Write, journal: Journal) -> str:
    """Restore only the genres of a file that was edited after the run."""
    later = journal.written_later(write)
    if later is not None:
        raise TagError(str(write.path), f"was written again by run {later}: undo that run first")
    genres = read_tags(write.path).genres
    if genres not in (write.after, write.before):
        raise TagError(str(write.path), "was edited after the run: it has other genres")

    def make(temporary: Path) -> None:
        shutil.copyfile(write.path, temporary)
        write_genres(temporary, write.before)
        verify_audio(write, temporary)

    if genres != write.before:
        replace_with_copy(write.path, write.temporary, make=make)
    return "was edited after the run: only its genres were restored"
