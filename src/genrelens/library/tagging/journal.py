"""The journal: what was written to which file, and how to take it back.

One SQLite file beside the catalogue, but apart from it: a catalogue can be made anew, this cannot.
Each write goes through these states, so that whatever stops the program, the next one to open
the journal knows what to look at:

==========  ==============================================================================
state       what there may be
==========  ==============================================================================
planned     the old file; a temporary file beside it
ready       the old file and a temporary one, or the new file; the way back is in the journal
written     the new file
undoing     the new file and a temporary one, or the old file
undone      the old file
==========  ==============================================================================

Only one program has the journal open at a time.
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
from genrelens.library.columns import StoredValueError, Table, table_of
from genrelens.library.store import SqliteStore, StoreKind
from genrelens.library.tagging.delta import file_hash
from genrelens.library.tagging.policy import Change

__all__ = ["Journal", "TagRun", "Write"]


@dataclass(frozen=True, slots=True)
class TagRun:
    """What one call of ``apply_changes`` did.

    Attributes:
        id: its number.
        started: ISO 8601, UTC.
        finished: or None if it was stopped.
        model: whose answers were written.
        written: number of files that have the new tags.
        undone: number of files that have the former tags again.

    """

    id: int
    started: str
    finished: str | None
    model: str
    written: int
    undone: int


@dataclass(frozen=True, slots=True)
class Write:
    """A file that is to be written, or was.

    Attributes:
        run: number of the run.
        n: its place in it.
        name: of the file, as the plan has it.
        path: of the file, links followed.
        temporary: a file beside it, on which the work is done.
        state: see above.
        digest: of the sound.
        before: genres of the old file.
        after: genres of the new file, as they are read from it.
        old_hash: ``file_hash`` of the old file, once it is known.
        new_hash: of the new one.

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


_RUNS = table_of(TagRun, "runs", leave_out=("written", "undone"))
_COUNTED = table_of(TagRun, "runs")
_WRITES = table_of(Write, "writes")
_PATCH = Table("writes", {"patch": bytes})
_LAST = Table("writes", {"run": int | None})
_TEMPORARY = re.compile(r"\.genrelens-[0-9a-f]{12}\.tmp")
_STATES = ("planned", "ready", "written", "undoing", "undone")
_HASH_SIZE = 32  # bytes

_KIND = StoreKind(
    name="journal",
    application=b"gnrj",
    version=1,
    schema=(
        Table("runs", {**_RUNS.types, "genrelens": str}).definition(
            id="INTEGER PRIMARY KEY AUTOINCREMENT"
        ),
        Table("writes", {**_WRITES.types, "patch": bytes | None}).definition(
            "PRIMARY KEY (run, n)", run="INTEGER NOT NULL REFERENCES runs"
        )
        + " WITHOUT ROWID",
        "CREATE INDEX writes_by_path ON writes (path)",
    ),
    # The lock is kept until the file is closed, or its owner dies.
    pragmas=("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"),
    reasons={
        sqlite3.SQLITE_BUSY: "another genrelens is writing tags; try again when it is done",
        sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
        sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is missing, or not to be written",
        sqlite3.SQLITE_NOTADB: "is not a journal of genrelens, or is damaged; check the path, or "
        "restore the journal from a backup",
    },
    remedy="restore it from a backup, or delete it and lose the way back to the former tags; "
    "the recordings are not affected",
    environment="GENRELENS_JOURNAL",
    file_name="journal.sqlite",
    verified=True,  # nothing is written to people's files with a journal that may be wrong
)


class Journal(SqliteStore):
    """An open journal. Only one program has it open at a time.

    All methods raise ``LibraryError`` where it cannot be read or written, or is damaged. Where it
    is by default: ``$GENRELENS_JOURNAL``, or in the platform's data folder.

    Attributes:
        path: of the file.
        recovered: files that were under way when the last program that had it open was stopped;
            opening it cleared up after them.

    """

    kind = _KIND
    patience = 2.0

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self.recovered = self._recover()

    # ---------------------------------------------------------------------------- reading

    def runs(self) -> list[TagRun]:
        """Return the runs that wrote something, the latest first."""
        statement = (
            f"SELECT {_RUNS.names()}, count(*) FILTER (WHERE state = 'written'), "
            "count(*) FILTER (WHERE state = 'undone') "
            "FROM runs JOIN writes ON run = id GROUP BY id ORDER BY id DESC"
        )
        return list(self._select(statement, (), lambda row: TagRun(**_COUNTED.values(row))))

    def writes(self, run: int) -> list[Write]:
        """Return what a run wrote and was not taken back, the last first."""
        condition = "run = ? AND state = 'written' ORDER BY n DESC"
        statement = f"SELECT {_WRITES.names()} FROM writes WHERE {condition}"
        return list(self._select(statement, (run,), _write))

    def patch(self, write: Write) -> bytes:
        """Return the way from the new file to the old one."""
        statement = "SELECT patch FROM writes WHERE run = ? AND n = ?"
        found = self._select(statement, (write.run, write.n), _PATCH.values)
        patch: bytes = next(found)["patch"]
        return patch

    def written_later(self, write: Write) -> int | None:
        """Return the last run that wrote to the same file after another one, or None."""
        statement = "SELECT max(run) FROM writes WHERE path = ? AND run > ? AND state = 'written'"
        found = self._select(statement, (os.fsencode(write.path), write.run), _LAST.values)
        run: int | None = next(found)["run"]
        return run

    # ---------------------------------------------------------------------------- writing

    def begin(self, changes: Sequence[Change], *, model: str) -> list[Write]:
        """Note what is about to be written; return it in the order of the changes."""
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
        self, write: Write, *, after: Sequence[str], old_hash: bytes, new_hash: bytes, patch: bytes
    ) -> None:
        """Note the way back, just before the new file takes its place. It is safe on return.

        Args:
            write: to which file.
            after: how the new genres are read from it.
            old_hash: of the old file.
            new_hash: of the new one.
            patch: from the new file to the old one.

        """
        statement = (
            "UPDATE writes SET state = 'ready', after = ?, old_hash = ?, new_hash = ?, patch = ? "
            "WHERE run = ? AND n = ?"
        )
        values = (json.dumps(after), old_hash, new_hash, patch, write.run, write.n)
        self._execute(statement, *values)

    def mark(self, write: Write, state: str) -> None:
        """Note another state of a file."""
        statement = "UPDATE writes SET state = ? WHERE run = ? AND n = ?"
        self._execute(statement, state, write.run, write.n)

    def finish(self, run: int) -> None:
        """Note the end of a run; what it did not write is forgotten."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM writes WHERE run = ? AND state = 'planned'", (run,))
            connection.execute("UPDATE runs SET finished = ? WHERE id = ?", (_now(), run))

    # ---------------------------------------------------------------------------- recovery

    def _recover(self) -> tuple[Write, ...]:
        """Find out what became of the files that were under way, and remove temporary ones."""
        condition = "state NOT IN ('written', 'undone')"
        statement = f"SELECT {_WRITES.names()} FROM writes WHERE {condition}"
        writes = tuple(self._select(statement, (), _write))
        for write in writes:
            with suppress(OSError):
                write.temporary.unlink(missing_ok=True)
            if write.state != "planned":
                self.mark(write, _found(write))
        self._execute("DELETE FROM writes WHERE state = 'planned'")
        return tuple(write for write in writes if write.state != "planned")


def _found(write: Write) -> str:
    """Return the state of a file that was about to be replaced, by its content."""
    try:
        found = file_hash(write.path)
    except OSError:  # it may come back, and can be undone then
        return "written"
    if found != write.old_hash:
        return "written"  # or changed since, which an undo will see
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
    """Return the columns of a file; of the temporary one, only the name is stored."""
    return _WRITES.row(replace(write, temporary=Path(write.temporary.name)))


def _write(row: tuple[Any, ...]) -> Write:
    """Return the file of a row, or refuse it: what is done to files follows from it."""
    values = _WRITES.values(row)
    if not _TEMPORARY.fullmatch(str(values["temporary"])):  # it would be removed
        raise StoredValueError("writes.temporary: is not the name of a temporary file")
    if not values["path"].is_absolute():
        raise StoredValueError("writes.path: is not absolute")
    if values["state"] not in _STATES:
        raise StoredValueError(f"writes.state: there is no {values['state'][:20]!r}")
    known = [values[name] for name in ("old_hash", "new_hash") if values["state"] != "planned"]
    if any(digest is None or len(digest) != _HASH_SIZE for digest in known):
        raise StoredValueError(f"writes.old_hash, new_hash: are not of {_HASH_SIZE} bytes")
    return Write(**values | {"temporary": values["path"].with_name(values["temporary"].name)})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
