"""Write what a plan says, so that each file is old or new, and whole, whatever happens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from genrelens.errors import AudioError, TagError
from genrelens.files import reason
from genrelens.library.catalog import Catalog
from genrelens.library.digest import audio_digest, whole_file_digest
from genrelens.library.tagging.delta import file_hash, hash_of, make_patch, patched
from genrelens.library.tagging.journal import Journal, Write
from genrelens.library.tagging.plan import Plan
from genrelens.library.tagging.policy import Change
from genrelens.library.tagging.replace_file import swap
from genrelens.tags import read_tags, write_genres

__all__ = [
    "Outcome",
    "Result",
    "apply_changes",
    "check_sound",
    "note_in_catalog",
    "reason_of",
]

_ANOTHER_SOUND = "its sound would not stay the same"
_INSEPARABLE = "FFmpeg cannot separate its audio from its tags, so a write could not be verified"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file.

    Attributes:
        path: of the file.
        done: whether it was written.
        reason: why not; or what else there is to know.

    """

    path: Path
    done: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What was done to files.

    Attributes:
        run: its number in the journal; None if there was nothing to do.
        outcomes: one for each file.

    """

    run: int | None
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """What was not done."""
        return tuple(outcome for outcome in self.outcomes if not outcome.done)


def apply_changes(
    plan: Plan,
    *,
    catalog: Catalog | None = None,
    journal: str | os.PathLike[str] | None = None,
    on_file: Callable[[Outcome], None] | None = None,
) -> Result:
    """Write the genres of a plan.

    Each file is copied beside itself, the copy is written to and checked (its sound has the digest
    that the plan names, its genres read as written, its other tags are as before), and takes the
    place of the file. A file that is not what it was when the plan was made stays as it is.
    A run that was stopped, in whatever way, is cleared up by the next one or by ``undo``.

    Args:
        plan: what to write.
        catalog: is told of the new size of the files, so that they are not listened to again.
        journal: the file that remembers how to undo it; see :meth:`Journal.open`.
        on_file: called with each file as it is done.

    Returns:
        The number of the run, for ``undo``, and what became of each file.

    Raises:
        LibraryError: the journal or the catalogue cannot be written; nothing is written after.

    """
    if not plan.changes:
        return Result(None, ())
    outcomes = []
    with Journal.open(journal) as opened:
        note_in_catalog(catalog, *opened.recovered)
        writes = opened.begin(plan.changes, model=plan.model)
        try:
            for change, write in zip(plan.changes, writes, strict=True):
                outcome = _apply(change, write, opened, plan.policy.id3_version)
                if outcome.done:
                    note_in_catalog(catalog, write)
                    opened.mark(write, "written")  # last: what was not noted will be looked at
                outcomes.append(outcome)
                if on_file:
                    on_file(outcome)
        finally:
            opened.finish(writes[0].run)
    return Result(writes[0].run, tuple(outcomes))


def _apply(change: Change, write: Write, journal: Journal, id3_version: int | None) -> Outcome:
    try:
        return Outcome(change.path, True, _write(change, write, journal, id3_version))
    except (TagError, AudioError, OSError) as error:
        journal.mark(write, "planned")  # the file is the old one
        return Outcome(change.path, False, reason_of(error))


def _write(change: Change, write: Write, journal: Journal, id3_version: int | None) -> str:
    """Replace a file; return what there is to know of it."""
    path = str(write.path)
    status = write.path.stat()
    if (status.st_size, status.st_mtime_ns) != (change.size, change.mtime_ns):
        raise TagError(path, "was changed since the plan was made")
    after: tuple[str, ...] = ()

    def make(temporary: Path) -> None:
        nonlocal after
        shutil.copyfile(write.path, temporary)
        if read_tags(temporary).genres != change.before:
            raise TagError(path, "was changed since the plan was made: it has other genres")
        after = write_genres(temporary, change.after, id3_version=id3_version)
        check_sound(write, temporary)

    def ready() -> None:
        patch = make_patch(write.path, write.temporary)
        old_hash = file_hash(write.path)
        if hash_of(patched(patch, write.temporary)) != old_hash:
            raise TagError(path, "is being changed by another program")
        new_hash = file_hash(write.temporary)
        journal.ready(write, after=after, old_hash=old_hash, new_hash=new_hash, patch=patch)

    return swap(write.path, write.temporary, make=make, before=ready)


def check_sound(write: Write, temporary: Path) -> None:
    """Make sure that the sound of a copy is what was listened to.

    Raises:
        TagError: it is not: the file was changed, or writing tags would change its sound.
        AudioError: it cannot be read.

    """
    if audio_digest(temporary) == write.digest:
        return
    if audio_digest(write.path) == write.digest:
        is_whole_file = whole_file_digest(write.path) == write.digest
        raise TagError(str(write.path), _INSEPARABLE if is_whole_file else _ANOTHER_SOUND)
    raise TagError(str(write.path), "was changed since the plan was made: it sounds different")


def note_in_catalog(catalog: Catalog | None, *writes: Write) -> None:
    """Tell the catalogue what files are now, by whichever of their names it knows them.

    Their times stay and even their size may, so that no scan would see that they have other tags.
    """
    for path in dict.fromkeys(path for write in writes for path in (write.name, write.path)):
        known = None if catalog is None else catalog.file(path)
        if catalog is not None and known is not None:
            with suppress(OSError, TagError):  # it is gone already; the next scan will see
                status = path.stat()
                catalog.record(
                    path,
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    digest=known.digest,
                    tags=read_tags(path),
                    failure=known.failure,
                )


def reason_of(error: TagError | AudioError | OSError) -> str:
    """Return what went wrong, without the name of the file."""
    if isinstance(error, FileNotFoundError):
        return "is not there any more"
    if isinstance(error, OSError):
        return reason(error)
    return error.reason
