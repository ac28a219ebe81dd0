"""The journal: a record of every file that was written, and of its old content.

The journal is a separate SQLite file, because a catalogue can be created again and a journal
cannot. Each write passes through these states. From the state, the next program that opens the
journal cleans up after an interruption:

==========  ==============================================================================
state       possible files
==========  ==============================================================================
planned     the old file; a temporary file beside it
ready       the old file and a temporary one, or the new file; the delta is in the journal
written     the new file
undoing     the new file and a temporary one, or the old file
undone      the old file
==========  ==============================================================================

Only one program can open the journal at a time.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genrelens.files import temporary_beside
from genrelens.library.columns import StoredValueError, Table
from genrelens.library.store import SqliteStore
from genrelens.library.tagging.delta import file_hash
from genrelens.library.tagging.policy import Change

__all__ = ["Journal", "TagRun", "Write"]


@dataclass(frozen=True, slots=True)
class TagRun:
    """A run: the files that one call of :func:`apply_changes` wrote.

    Attributes:
        id: number of the run.
        started: start time, ISO 8601 in UTC.
        finished: end time; None if the run was interrupted.
        model: names of the models that made the predictions.
        written: number of files that still have the new tags.
        undone: number of files that have been restored.

    Example::

        for run in list_runs():
            print(run.id, run.started, run.written, run.undone)

    """

    id: int
    started: str
    finished: str | None
    model: str
    written: int
    undone: int


@dataclass(frozen=True, slots=True)
class Write:
    """A file of a run.

    Attributes:
        run: number of the run.
        n: index of the file in the run.
        name: path of the file in the plan.
        path: path of the file with symbolic links resolved.
        temporary: temporary file beside it.
        state: one of the states in the table of this module.
        digest: digest of the audio.
        before: genres of the old file.
        after: genres of the new file, as they are read from it.
        old_hash: ``file_hash`` of the old file; None in the state ``planned``.
        new_hash: ``file_hash`` of the new file; None in the state ``planned``.

    """

    run: int
    n: int
    name: Path
    path: Path
    temporary: Path
    state: str
    digest: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    old_hash: bytes | None = None
    new_hash: bytes | None = None


_RUNS = Table.of(TagRun, "runs", leave_out=("written", "undone"))
_COUNTED = Table.of(TagRun, "runs")
_WRITES = Table.of(Write, "writes")
_DELTA = Table("writes", {"patch": bytes})
_LAST = Table("writes", {"run": int | None})
_TEMPORARY = re.compile(r"\.genrelens-[0-9a-f]{12}\.tmp")
_STATES = ("planned", "ready", "written", "undoing", "undone")
_HASH_SIZE = 32  # bytes


class Journal(SqliteStore):
    """An open journal. Only one program can open it at a time.

    Every method raises ``LibraryError`` if the file cannot be read or written, or is damaged. The
    default path is ``$GENRELENS_JOURNAL``, or ``journal.sqlite`` in the platform's data folder. An
    empty file is opened as a new journal, because an interrupted creation leaves an empty file.

    Attributes:
        path: path of the file.
        recovered: files that were in progress when the last program was interrupted; opening the
            journal cleaned them up.

    """

    kind = "journal"
    application = b"gnrj"
    version = 1
    schema = (
        Table("runs", {**_RUNS.types, "genrelens": str}).definition(
            id="INTEGER PRIMARY KEY AUTOINCREMENT"
        ),
        Table("writes", {**_WRITES.types, "patch": bytes | None}).definition(
            "PRIMARY KEY (run, n)", run="INTEGER NOT NULL REFERENCES runs"
        )
        + " WITHOUT ROWID",
        "CREATE INDEX writes_by_path ON writes (path)",
    )
    # The lock is held until the file is closed or the program ends.
    pragmas = ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL")
    reasons = {  # noqa: RUF012 (a ClassVar of the base)
        sqlite3.SQLITE_BUSY: "another genrelens is writing tags; try again when it is done",
        sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
        sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is missing or cannot be written",
        sqlite3.SQLITE_NOTADB: "is not a journal of genrelens, or is damaged; check the path, or "
        "restore the journal from a backup",
    }
    remedy = (
        "restore it from a backup, or delete it: then the old tags cannot be restored, but the "
        "recordings are not affected"
    )
    environment = "GENRELENS_JOURNAL"
    file_name = "journal.sqlite"
    verified = True  # no file is written if the journal may be damaged
    patience = 2.0

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self.recovered = self._recover()

    # ---------------------------------------------------------------------------- reading

    def runs(self) -> list[TagRun]:
        """Return the runs that wrote a file, the latest first."""
        statement = (
            f"SELECT {_RUNS.names()}, count(*) FILTER (WHERE state = 'written'), "
            "count(*) FILTER (WHERE state = 'undone') "
            "FROM runs JOIN writes ON run = id GROUP BY id ORDER BY id DESC"
        )
        return list(self._select(statement, (), lambda row: TagRun(**_COUNTED.values(row))))

    def writes(self, run: int) -> list[Write]:
        """Return the files of a run that still have the new tags, in reverse order."""
        condition = "run = ? AND state = 'written' ORDER BY n DESC"
        statement = f"SELECT {_WRITES.names()} FROM writes WHERE {condition}"
        return list(self._select(statement, (run,), _write))

    def delta(self, write: Write) -> bytes:
        """Return the delta from the new content of a file to the old one."""
        statement = "SELECT patch FROM writes WHERE run = ? AND n = ?"
        found = self._select(statement, (write.run, write.n), _DELTA.values)
        delta: bytes = next(found)["patch"]
        return delta

    def written_later(self, write: Write) -> int | None:
        """Return the number of the last later run that wrote to the same file, or None."""
        statement = "SELECT max(run) FROM writes WHERE path = ? AND run > ? AND state = 'written'"
        found = self._select(statement, (os.fsencode(write.path), write.run), _LAST.values)
        run: int | None = next(found)["run"]
        return run

    # ---------------------------------------------------------------------------- writing

    def begin(self, changes: Sequence[Change], *, model: str) -> list[Write]:
        """Record the files that are about to be written, and return them in this order."""
        from genrelens import __version__

        with self._transaction() as connection:
            run = connection.execute(
                "INSERT INTO runs (started, genrelens, model) VALUES (?, ?, ?)",
                (_now(), __version__, model),
            ).lastrowid
            assert run is not None
            writes = [_planned(run, n, change) for n, change in enumerate(changes)]
            connection.executemany(_WRITES.insertion(), map(_row, writes))
        return writes

    def ready(
        self, write: Write, *, after: Sequence[str], old_hash: bytes, new_hash: bytes, delta: bytes
    ) -> None:
        """Record the delta on disk, just before the new file replaces the old one.

        Args:
            write: the file.
            after: genres as they are read from the new file.
            old_hash: ``file_hash`` of the old file.
            new_hash: ``file_hash`` of the new file.
            delta: delta from the new file to the old one.

        """
        statement = (
            "UPDATE writes SET state = 'ready', after = ?, old_hash = ?, new_hash = ?, patch = ? "
            "WHERE run = ? AND n = ?"
        )
        values = (json.dumps(after), old_hash, new_hash, delta, write.run, write.n)
        self._execute(statement, *values)

    def mark(self, write: Write, state: str) -> None:
        """Record another state of a file."""
        statement = "UPDATE writes SET state = ? WHERE run = ? AND n = ?"
        self._execute(statement, state, write.run, write.n)

    def finish(self, run: int) -> None:
        """Record the end of a run, and remove the files that it did not write."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM writes WHERE run = ? AND state = 'planned'", (run,))
            connection.execute("UPDATE runs SET finished = ? WHERE id = ?", (_now(), run))

    # ---------------------------------------------------------------------------- recovery

    def _recover(self) -> tuple[Write, ...]:
        """Set the state of files in progress by their content, and remove temporary files."""
        condition = "state NOT IN ('written', 'undone')"
        statement = f"SELECT {_WRITES.names()} FROM writes WHERE {condition}"
        writes = tuple(self._select(statement, (), _write))
        for write in writes:
            with suppress(OSError):
                write.temporary.unlink(missing_ok=True)
            if write.state != "planned":
                self.mark(write, _actual_state(write))
        self._execute("DELETE FROM writes WHERE state = 'planned'")
        return tuple(write for write in writes if write.state != "planned")


def _actual_state(write: Write) -> str:
    """Return the state of a file whose replacement was interrupted, from its content."""
    try:
        content = file_hash(write.path)
    except OSError:  # the file may come back and can then be restored
        return "written"
    if content != write.old_hash:
        return "written"  # or edited later, which undo detects
    return "planned" if write.state == "ready" else "undone"


def _planned(run: int, n: int, change: Change) -> Write:
    path = Path(os.path.realpath(change.path))
    return Write(
        run=run,
        n=n,
        name=change.path,
        path=path,
        temporary=temporary_beside(path),
        state="planned",
        digest=change.digest,
        before=change.before,
        after=change.after,
    )


def _row(write: Write) -> tuple[Any, ...]:
    """Return the stored row of a file; only the name of the temporary file is stored."""
    return _WRITES.row(replace(write, temporary=Path(write.temporary.name)))


def _write(row: tuple[Any, ...]) -> Write:
    """Return the file of a row; refuse invalid values, because files are written by them."""
    values = _WRITES.values(row)
    if not _TEMPORARY.fullmatch(str(values["temporary"])):  # this file will be deleted
        raise StoredValueError("writes.temporary: is not the name of a temporary file")
    if not values["path"].is_absolute():
        raise StoredValueError("writes.path: is not absolute")
    if values["state"] not in _STATES:
        raise StoredValueError(f"writes.state: {values['state'][:20]!r} is not a state")
    known = [values[name] for name in ("old_hash", "new_hash") if values["state"] != "planned"]
    if any(digest is None or len(digest) != _HASH_SIZE for digest in known):
        raise StoredValueError(f"writes.old_hash, new_hash: must have {_HASH_SIZE} bytes")
    return Write(**values | {"temporary": values["path"].with_name(values["temporary"].name)})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
