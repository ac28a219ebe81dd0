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
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genrelens.library.journal_file import connect, explained
from genrelens.library.patch import file_hash
from genrelens.library.policy import Change
from genrelens.library.sqlite_file import transaction

__all__ = ["Journal", "Run", "Write"]

_WRITE = "run, n, name, path, temporary, state, digest, before, after, old_hash, new_hash"


@dataclass(frozen=True, slots=True)
class Run:
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


class Journal:
    """An open journal. All methods raise ``LibraryError`` where it cannot be read or written.

    Attributes:
        path: of the file.
        recovered: files that were under way when the last program that had it open was stopped.

    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self.recovered = self._recover()

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Open a journal, make it if there is none, and clear up what was interrupted.

        Args:
            path: of the file; None takes ``$GENRELENS_JOURNAL`` or that in the platform's data
                folder.

        Raises:
            LibraryError: it cannot be opened, another program has it open, or it is no journal.

        """
        place, connection = connect(path)
        try:
            return cls(place, connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---------------------------------------------------------------------------- reading

    def runs(self) -> list[Run]:
        """Return the runs that wrote something, the latest first."""
        rows = self._execute(
            "SELECT id, started, finished, model, count(*) FILTER (WHERE state = 'written'), "
            "count(*) FILTER (WHERE state = 'undone') "
            "FROM runs JOIN writes ON run = id GROUP BY id ORDER BY id DESC"
        )
        return [Run(*row) for row in rows]

    def writes(self, run: int) -> list[Write]:
        """Return what a run wrote and was not taken back, the last first."""
        rows = self._execute(
            f"SELECT {_WRITE} FROM writes WHERE run = ? AND state = 'written' ORDER BY n DESC",
            run,
        )
        return [_write(row) for row in rows]

    def patch(self, write: Write) -> bytes:
        """Return the way from the new file to the old one."""
        statement = "SELECT patch FROM writes WHERE run = ? AND n = ?"
        [(patch,)] = self._execute(statement, write.run, write.n)
        return bytes(patch)

    def written_later(self, write: Write) -> int | None:
        """Return the last run that wrote to the same file after another one, or None."""
        statement = "SELECT max(run) FROM writes WHERE path = ? AND run > ? AND state = 'written'"
        [(run,)] = self._execute(statement, os.fsencode(write.path), write.run)
        return None if run is None else int(run)

    # ---------------------------------------------------------------------------- writing

    def begin(self, changes: Sequence[Change], *, model: str) -> list[Write]:
        """Note what is about to be written; return it in the order of the changes."""
        from genrelens import __version__

        with explained(self.path), transaction(self._connection):
            run = self._connection.execute(
                "INSERT INTO runs (started, genrelens, model) VALUES (?, ?, ?)",
                (_now(), __version__, model),
            ).lastrowid
            assert run is not None
            writes = [_planned(run, n, change) for n, change in enumerate(changes)]
            self._connection.executemany(
                f"INSERT INTO writes ({_WRITE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                [
                    (run, write.n, os.fsencode(write.name), os.fsencode(write.path),
                     os.fsencode(write.temporary.name), write.state, write.digest,
                     json.dumps(write.before), json.dumps(write.after))
                    for write in writes
                ],
            )  # fmt: skip
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
        self._execute(
            "UPDATE writes SET state = 'ready', after = ?, old_hash = ?, new_hash = ?, patch = ? "
            "WHERE run = ? AND n = ?",
            json.dumps(after), old_hash, new_hash, patch, write.run, write.n,
        )  # fmt: skip

    def mark(self, write: Write, state: str) -> None:
        """Note another state of a file."""
        statement = "UPDATE writes SET state = ? WHERE run = ? AND n = ?"
        self._execute(statement, state, write.run, write.n)

    def finish(self, run: int) -> None:
        """Note the end of a run; what it did not write is forgotten."""
        with explained(self.path), transaction(self._connection):
            self._connection.execute(
                "DELETE FROM writes WHERE run = ? AND state = 'planned'", (run,)
            )
            self._connection.execute("UPDATE runs SET finished = ? WHERE id = ?", (_now(), run))

    def _execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    # ---------------------------------------------------------------------------- recovery

    def _recover(self) -> tuple[Write, ...]:
        """Find out what became of the files that were under way, and remove temporary ones."""
        rows = self._execute(
            f"SELECT {_WRITE} FROM writes WHERE state IN ('planned', 'ready', 'undoing')"
        )
        writes = tuple(map(_write, rows))
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
    temporary = path.with_name(f".genrelens-{secrets.token_hex(6)}.tmp")
    return Write(
        run, n, change.path, path, temporary, "planned", change.digest, change.before, change.after
    )


def _write(row: Sequence[Any]) -> Write:
    run, n, name, place, temporary, state, digest, before, after, old_hash, new_hash = row
    path = Path(os.fsdecode(place))
    beside = path.with_name(os.fsdecode(temporary))
    return Write(
        run, n, Path(os.fsdecode(name)), path, beside, state, digest,
        tuple(json.loads(before)), tuple(json.loads(after)), old_hash, new_hash,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
