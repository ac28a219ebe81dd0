"""Take back what a run wrote."""

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
    check_sound,
    note_in_catalog,
    reason_of,
)
from genrelens.library.tagging.delta import file_hash, patched
from genrelens.library.tagging.journal import Journal, TagRun, Write
from genrelens.library.tagging.replace_file import swap
from genrelens.tags import read_tags, write_genres

__all__ = ["list_runs", "undo"]


def list_runs(
    *, catalog: Catalog | None = None, journal: str | os.PathLike[str] | None = None
) -> list[TagRun]:
    """Return what was written, the latest run first.

    Args:
        catalog: is told of files at which the last program was stopped.
        journal: see :meth:`Journal.open`.

    Raises:
        LibraryError: the journal cannot be opened.

    """
    with Journal.open(journal) as opened:
        note_in_catalog(catalog, *opened.recovered)
        return opened.runs()


def undo(
    run: int | None = None,
    *,
    catalog: Catalog | None = None,
    journal: str | os.PathLike[str] | None = None,
    on_file: Callable[[Outcome], None] | None = None,
) -> Result:
    """Give the files of a run their former tags.

    A file that nobody else wrote to is what it was before to the last byte. In one that was
    changed since (other tags were edited, say) only the genres are put back, and only where they
    are still those that the run wrote. It can be stopped, and called again to go on.

    Args:
        run: its number; None is the last one that is not undone.
        catalog: is told of the files.
        journal: see :meth:`Journal.open`.
        on_file: called with each file as it is done.

    Raises:
        LibraryError: there is no such run, or the journal or the catalogue cannot be written.

    """
    outcomes = []
    with Journal.open(journal) as opened:
        note_in_catalog(catalog, *opened.recovered)
        chosen = _choose(opened, run)
        for write in opened.writes(chosen):
            outcome = _undo(write, opened)
            if outcome.done:
                note_in_catalog(catalog, write)
                opened.mark(write, "undone")  # last: what was not noted will be looked at
            outcomes.append(outcome)
            if on_file:
                on_file(outcome)
    return Result(chosen, tuple(outcomes))


def _choose(journal: Journal, run: int | None) -> int:
    runs = journal.runs()
    if run is None:
        found = next((each.id for each in runs if each.written), None)
        if found is None:
            raise LibraryError(f"{journal.path}: there is nothing to undo")
        return found
    if run not in (each.id for each in runs):
        raise LibraryError(f"{journal.path}: there is no run {run}; genrelens undo --list")
    return run


def _undo(write: Write, journal: Journal) -> Outcome:
    try:
        journal.mark(write, "undoing")
        note = "" if file_hash(write.path) == write.old_hash else _restore(write, journal)
    except (TagError, AudioError, OSError) as error:
        journal.mark(write, "written")
        return Outcome(write.name, False, reason_of(error))
    return Outcome(write.name, True, note)


def _restore(write: Write, journal: Journal) -> str:
    """Put the old file in the place of the new one; return what there is to know of it."""
    if file_hash(write.path) != write.new_hash:
        return _put_genres_back(write, journal)
    patch = journal.patch(write)

    def make(temporary: Path) -> None:
        try:
            with temporary.open("wb") as file:
                file.writelines(patched(patch, write.path))
        except LibraryError as error:  # the other files of the run can be restored
            raise TagError(str(write.path), str(error)) from error
        if file_hash(temporary) != write.old_hash:
            raise TagError(str(write.path), "is being changed by another program")

    return swap(write.path, write.temporary, make=make, before=lambda: None)


def _put_genres_back(write: Write, journal: Journal) -> str:
    """Change but the genres of a file that somebody changed since."""
    later = journal.written_later(write)
    if later is not None:
        raise TagError(str(write.path), f"was written again by run {later}: undo that first")
    found = read_tags(write.path).genres
    if found not in (write.after, write.before):
        raise TagError(str(write.path), "was changed since: it has other genres")

    def make(temporary: Path) -> None:
        shutil.copyfile(write.path, temporary)
        write_genres(temporary, write.before)
        check_sound(write, temporary)

    if found != write.before:
        swap(write.path, write.temporary, make=make, before=lambda: None)
    return "was changed since: only its genres were put back"
