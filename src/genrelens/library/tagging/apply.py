"""Write the genres of a plan; at any moment, each file is complete: the old or the new version."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrelens.errors import AudioError, TagError
from genrelens.files import reason
from genrelens.library.catalog import Catalog
from genrelens.library.digest import audio_digest, whole_file_digest
from genrelens.library.records import path_fields
from genrelens.library.tagging.delta import apply_delta, file_hash, hash_of, make_delta
from genrelens.library.tagging.journal import Journal, Write
from genrelens.library.tagging.plan import Plan
from genrelens.library.tagging.policy import Change
from genrelens.library.tagging.replace_file import replace_with_copy
from genrelens.logs import logger
from genrelens.tags import read_tags, write_genres

__all__ = [
    "Outcome",
    "Result",
    "apply_changes",
    "failure_reason",
    "update_catalog",
    "verify_audio",
]

_log = logger(__name__)

_AUDIO_CHANGES = "writing tags would change its audio"
_INSEPARABLE = "FFmpeg cannot separate its audio from its tags, so a write could not be verified"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one file.

    Attributes:
        path: path of the file.
        done: whether the file was written or restored.
        reason: why the file was not written or restored; or a note; or an empty string.

    Example::

        for outcome in result.failed:
            print(outcome.path, outcome.reason)

    """

    path: Path
    done: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run, or of undoing a run.

    Attributes:
        run: number of the run in the journal; None if there was no file to write.
        outcomes: the result for each file.

    Example::

        result = apply_changes(plan, catalog=catalog)
        print(result.run, len(result.outcomes), "files,", len(result.failed), "failed")

    """

    run: int | None
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The files that were not written or restored."""
        return tuple(outcome for outcome in self.outcomes if not outcome.done)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, as in ``genrelens undo --json``."""
        return {
            "run": self.run,
            "files": [
                path_fields(each.path) | {"done": each.done, "reason": each.reason}
                for each in self.outcomes
            ],
        }


def apply_changes(
    plan: Plan,
    *,
    catalog: Catalog | None = None,
    journal: str | os.PathLike[str] | None = None,
    on_file: Callable[[Outcome], None] | None = None,
) -> Result:
    """Write the genres of a plan to the files.

    Each file is copied in its folder. The copy is changed and verified: its audio has the digest in
    the plan, its genres are read as they were written, and its other tags are unchanged. Then the
    copy replaces the file. A file that was changed after the plan was made is not written. After an
    interruption of any kind, the next run or :func:`undo` cleans up.

    Args:
        plan: the plan.
        catalog: a catalogue to update, so that the next scan need not classify the files again.
        journal: path of the journal, which :func:`undo` needs; None is the default path.
        on_file: called with the result for each file.

    Returns:
        The number of the run, and the result for each file.

    Raises:
        LibraryError: the journal or the catalogue cannot be written; the remaining files are not
            written.

    Example::

        result = apply_changes(read_plan("plan.jsonl"))
        undo(result.run)

    """
    if not plan.changes:
        return Result(None, ())
    outcomes = []
    with Journal.open(journal) as opened:
        update_catalog(catalog, *opened.recovered)
        writes = opened.begin(plan.changes, model=plan.model)
        try:
            for change, write in zip(plan.changes, writes, strict=True):
                outcome = _apply(change, write, opened, plan.policy.id3_version)
                if outcome.done:
                    update_catalog(catalog, write)
                    opened.mark(write, "written")  # last: until then, recovery handles the file
                outcomes.append(outcome)
                _log.info("%s: %s", change.path, _event(change, outcome))
                if on_file:
                    on_file(outcome)
        finally:
            opened.finish(writes[0].run)
    return Result(writes[0].run, tuple(outcomes))


def _event(change: Change, outcome: Outcome) -> str:
    before, after = ("; ".join(genres) or "(none)" for genres in (change.before, change.after))
    return f"{before} -> {after}" if outcome.done else f"not written: {outcome.reason}"


def _apply(change: Change, write: Write, journal: Journal, id3_version: int | None) -> Outcome:
    try:
        return Outcome(change.path, True, _write(change, write, journal, id3_version))
    except (TagError, AudioError, OSError) as error:
        journal.mark(write, "planned")  # the file has its old content
        return Outcome(change.path, False, failure_reason(error))


def _write(change: Change, write: Write, journal: Journal, id3_version: int | None) -> str:
    """Replace a file by a copy with the new genres; return a note for the user."""
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
        verify_audio(write, temporary)

    def record_delta() -> None:
        delta = make_delta(write.path, write.temporary)
        old_hash = file_hash(write.path)
        if hash_of(apply_delta(delta, write.temporary)) != old_hash:
            raise TagError(path, "is being changed by another program")
        new_hash = file_hash(write.temporary)
        journal.ready(write, after=after, old_hash=old_hash, new_hash=new_hash, delta=delta)

    return replace_with_copy(write.path, write.temporary, make=make, before=record_delta)


def verify_audio(write: Write, temporary: Path) -> None:
    """Check that the audio of a copy has the digest in the journal.

    Raises:
        TagError: the digest differs: the file was changed, or writing tags would change its audio.
        AudioError: a file cannot be read.

    """
    if audio_digest(temporary) == write.digest:
        return
    if audio_digest(write.path) == write.digest:
        is_whole_file = whole_file_digest(write.path) == write.digest
        raise TagError(str(write.path), _INSEPARABLE if is_whole_file else _AUDIO_CHANGES)
    raise TagError(str(write.path), "was changed since the plan was made: its audio is different")


def update_catalog(catalog: Catalog | None, *writes: Write) -> None:
    """Record the current size and tags of files in the catalogue, under each path of a file.

    A write keeps the time of modification and perhaps the size, so a scan would not read the new
    tags.
    """
    if catalog is None:
        return
    for path in dict.fromkeys(path for write in writes for path in (write.name, write.path)):
        known = catalog.file(path)
        if known is not None:
            with suppress(OSError, TagError):  # if the file is gone, the next scan reports it
                status = path.stat()
                catalog.record(
                    path,
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    digest=known.digest,
                    tags=read_tags(path),
                    failure=known.failure,
                )


def failure_reason(error: TagError | AudioError | OSError) -> str:
    """Return the reason of an error without the name of the file."""
    if isinstance(error, FileNotFoundError):
        return "no longer exists"
    return reason(error) if isinstance(error, OSError) else error.reason
