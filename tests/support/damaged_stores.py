"""Damage a catalogue or a journal, call something that reads it, and look at what is left.

Used by a test and by ``scripts/damaged_stores.py``. Each case is a damage and a call, both chosen
by a number, on a copy of a small library: three recordings, one of which was written and taken
back, one written, and one interrupted.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from genrelens.cli import app
from genrelens.errors import LibraryError
from genrelens.library import (
    Catalog,
    Policy,
    apply_changes,
    audit_library,
    export_entries,
    export_playlists,
    find_files,
    list_runs,
    plan_changes,
    read_plan,
    scan,
    scan_files,
    undo,
    write_plan,
)
from genrelens.library.export import FORMATS
from genrelens.library.records import Failure
from genrelens.library.tagging.journal import Journal
from genrelens.tags import read_tags
from support.library_folder import HerePool, stored
from support.shelf import contents, shelve, song

KINDS = ("mp3", "flac", "vorbis")

TABLES = {
    "catalog": {
        "files": ("path", "size", "mtime_ns", "digest", "tags", "failure"),
        "predictions": (
            "digest",
            "model",
            "model_digest",
            "fast",
            "version",
            "created_at",
            "verdict",
            "genre",
            "probability",
            "probabilities",
            "styles",
            "music",
            "level",
            "embedding",
            "duration",
            "heard",
        ),
    },
    "journal": {
        "runs": ("id", "started", "finished", "genrelens", "model"),
        "writes": (
            "run",
            "n",
            "name",
            "path",
            "temporary",
            "state",
            "digest",
            "before",
            "after",
            "old_hash",
            "new_hash",
            "patch",
        ),
    },
}
"""The tables and columns of each file, written down here once more: as version 1 has them."""

TYPES = ("NULL", "7", "0.5", "'words'", "x'ff00ff'")
"""A value of each of SQLite's types."""

MORE_VALUES = (
    "-1",
    "9223372036854775807",
    "9e999",
    "-9e999",
    "''",
    "x''",
    "x'2f'",
    "x'2f6100'",
    "x'2e2e'",
    "zeroblob(32)",
    "zeroblob(31)",
    "zeroblob(100000)",
    "CAST(x'ff4f' AS TEXT)",
    "char(55296)",
    "'null'",
    "'[]'",
    "'{}'",
    "'1'",
    "'[null]'",
    "'[1]'",
    "'[\"a\"]'",
    "'{\"a\": 1}'",
    "'{\"jazz\": NaN}'",
    "'{\"jazz\": 1e999}'",
    "'[{}]'",
    "'[\"\\ud800\"]'",
    "'{\"reason\": 1}'",
    '\'{"format": "x", "genres": "y"}\'',
    '\'{"format": null, "genres": [1]}\'',
    '\'[{"name": 1, "probability": 1, "threshold": 1}]\'',
    "'{\"jazz\": {}}'",
    "'[[['",
    "replace(zeroblob(30000), x'00', '[')",
    "printf('%.*c', 5000, '7')",
)
"""Values that look right to SQLite or to JSON."""


# ------------------------------------------------------------------------------ the library


@dataclass(frozen=True)
class Shelf:
    """A small library, and a copy of it as it was.

    Attributes:
        work: where a call finds it.
        model: a model file for scans.

    """

    work: Path
    model: Path

    @property
    def template(self) -> Path:
        return self.work.with_name("template")

    @property
    def music(self) -> Path:
        return self.work / "music"

    @property
    def plan(self) -> Path:
        return self.work / "plan.jsonl"

    def store(self, which: str) -> Path:
        return self.work / f"{which}.sqlite"

    def restore(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.template, self.work)


def make_shelf(folder: Path, model: Path) -> Shelf:
    """Make a library whose journal holds a file in every state; call it in :func:`surroundings`."""
    shelf = Shelf(folder / "work", model)
    shelf.work.mkdir(parents=True)
    with Catalog.open() as catalog:
        for kind in KINDS:
            shelve(catalog, song(shelf.music, f"{kind}.mp3", kind, "Rock"))
        catalog.record(
            "/gone.mp3",
            size=1,
            mtime_ns=2,
            digest=None,
            tags=None,
            failure=Failure("crashed", "d", "1"),
        )
        catalog.record(
            "/none.mp3", size=1, mtime_ns=2, digest="f" * 40, tags=None, prediction=stored("rock")
        )
        plan = plan_changes(catalog, [shelf.music], Policy(existing="replace"))
        write_plan(plan, shelf.plan)
        apply_changes(plan, catalog=catalog)
        undo(catalog=catalog)
        apply_changes(plan, catalog=catalog)
    _interrupt(shelf)
    shutil.copytree(shelf.work, shelf.template)
    return shelf


@contextlib.contextmanager
def surroundings(folder: Path) -> Iterator[None]:
    """Make the library's files the default ones, and let scans start no processes."""
    names = {"GENRELENS_DB": "catalog", "GENRELENS_JOURNAL": "journal"}
    files = {name: str(folder / "work" / f"{which}.sqlite") for name, which in names.items()}
    with mock.patch.dict(os.environ, files), mock.patch.object(scan, "ClassifierPool", HerePool):
        yield


def _interrupt(shelf: Shelf) -> None:
    """Leave the journal as a program that was killed does."""
    with contextlib.closing(sqlite3.connect(shelf.store("journal"))) as connection:
        for n, state in enumerate(("ready", "undoing")):
            connection.execute("UPDATE writes SET state = ? WHERE run = 2 AND n = ?", (state, n))
        connection.commit()


def variants(shelf: Shelf) -> dict[str, set[bytes]]:
    """What each recording may hold: the old content and the new one."""
    shelf.restore()
    new = contents(shelf.music)
    while True:
        try:
            undo()
        except LibraryError:
            break
    old = contents(shelf.music)
    shelf.restore()
    return {name: {old[name], new[name]} for name in old}


def columns_in(path: Path, table: str) -> list[str]:
    """Return the columns that a table of a file has."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


# ----------------------------------------------------------------------------- the damages


def damage(path: Path, which: str, number: int) -> str:
    """Damage a file; return how. The first numbers go through all columns and types."""
    chance = random.Random(number)
    cells = [(t, c, value) for t, cs in TABLES[which].items() for c in cs for value in TYPES]
    if number < len(cells):
        return _edit(path, *cells[number], 0)
    kind = chance.choice((_flip, _flip, _cut, _overwrite, _edit_any, _edit_any, _edit_any, _schema))
    return kind(path, which, chance)


def _flip(path: Path, which: str, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    places = [chance.randrange(len(content)) for _ in range(chance.choice((1, 3, 30, 1000)))]
    for place in places:
        content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return f"bits flipped: {len(places)}, the first at {places[0]}"


def _cut(path: Path, which: str, chance: random.Random) -> str:
    size = chance.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"cut at {size}"


def _overwrite(path: Path, which: str, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    page = 4096 * chance.randrange(max(1, len(content) // 4096))
    filler = chance.choice((bytes(4096), b"\xff" * 4096, chance.randbytes(4096), content[:4096]))
    content[page : page + 4096] = filler
    path.write_bytes(content)
    return f"page at {page} overwritten"


def _edit_any(path: Path, which: str, chance: random.Random) -> str:
    table = chance.choice(list(TABLES[which]))
    column = chance.choice(TABLES[which][table])
    return _edit(path, table, column, chance.choice((*TYPES, *MORE_VALUES)), chance.randrange(6))


def _edit(path: Path, table: str, column: str, value: str, row: int) -> str:
    """Set a cell, or with row 0 the whole column, to a value that the schema forbids."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
        connection.execute("PRAGMA writable_schema = RESET")
        keys = {"files": "path", "predictions": "digest", "runs": "id", "writes": "n"}
        place = f"ORDER BY {keys[table]} LIMIT 1 OFFSET {row - 1}"
        where = f"WHERE {keys[table]} = (SELECT {keys[table]} FROM {table} {place})" if row else ""
        try:
            connection.execute(f"UPDATE OR REPLACE {table} SET {column} = {value} {where}")
        except sqlite3.IntegrityError:
            return f"{table}.{column} cannot be {value}"
    return f"{table}.{column} = {value} {where}"


def _schema(path: Path, which: str, chance: random.Random) -> str:
    table = chance.choice(list(TABLES[which]))
    column = chance.choice(TABLES[which][table])
    statement = chance.choice(
        (
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} RENAME TO other",
            f"DELETE FROM {table}",
            f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
            "CREATE VIEW more AS SELECT 1",
            f"ALTER TABLE {table} DROP COLUMN {column}",
            f"CREATE TABLE more AS SELECT * FROM {table}",
            f"PRAGMA user_version = {chance.choice((-1, 0, 2, 2**31 - 1))}",
            f"PRAGMA application_id = {chance.choice((0, 1, -1))}",
            f"CREATE TRIGGER t BEFORE UPDATE ON {table} BEGIN SELECT RAISE(FAIL, 'no'); END",
            f"CREATE TRIGGER t BEFORE DELETE ON {table} BEGIN SELECT nothing(); END",
        )
    )
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            return f"{statement}: {error}"
    return statement


# -------------------------------------------------------------------------------- the calls


def calls(shelf: Shelf, which: str) -> dict[str, Callable[[], Any]]:
    """Return all public functions and commands that read a file, by name."""
    return _catalog_calls(shelf) if which == "catalog" else _journal_calls(shelf)


def _catalog_calls(shelf: Shelf) -> dict[str, Callable[[], Any]]:
    song_path = shelf.music / "mp3.mp3"

    def reading(read: Callable[[Catalog], Any]) -> Callable[[], Any]:
        def call() -> None:
            with Catalog.open(readonly=True) as catalog:
                read(catalog)

        return call

    def writing(write: Callable[[Catalog], Any]) -> Callable[[], Any]:
        def call() -> None:
            with Catalog.open() as catalog:
                write(catalog)

        return call

    def exported(kind: str) -> Callable[[Catalog], Any]:
        return lambda catalog: export_entries(catalog.query(), io.BytesIO(), kind)

    functions = {
        "entry": reading(lambda catalog: catalog.entry(song_path)),
        "file": reading(lambda catalog: catalog.file(song_path)),
        "query": reading(lambda catalog: [entry.to_dict() for entry in catalog.query()]),
        "query genres": reading(lambda catalog: list(catalog.query(genre="jazz", minimum=0.1))),
        "query styles": reading(lambda catalog: list(catalog.query(style="house"))),
        "query errors": reading(lambda catalog: list(catalog.query(errors=True))),
        "query a model": reading(lambda catalog: list(catalog.query(model="small"))),
        "has_prediction": reading(lambda c: c.has_prediction("f" * 40, "d1", fast=True)),
        "record": writing(
            lambda catalog: catalog.record(
                song_path,
                size=1,
                mtime_ns=1,
                digest="f" * 40,
                tags=read_tags(song_path),
                prediction=stored(),
            )
        ),
        "remove": writing(lambda catalog: catalog.remove([song_path, "/gone.mp3"])),
        "audit_library": reading(lambda catalog: audit_library(catalog, [shelf.music])),
        "plan_changes": reading(lambda catalog: plan_changes(catalog, [shelf.music])),
        "export_playlists": reading(lambda c: export_playlists(c, shelf.work / "lists")),
        "scan_files": writing(
            lambda catalog: list(
                scan_files(
                    catalog, find_files([shelf.music], on_problem=print), model=str(shelf.model)
                )
            )
        ),
        "apply_changes": writing(lambda c: apply_changes(read_plan(shelf.plan), catalog=c)),
        "undo": writing(lambda catalog: undo(catalog=catalog)),
        "list_runs": writing(lambda catalog: list_runs(catalog=catalog)),
        **{f"export {kind}": reading(exported(kind)) for kind in FORMATS},
    }
    music, out = str(shelf.music), str(shelf.work / "out")
    lines = [
        "list",
        "list -f json",
        "list -f csv",
        "list -f jsonl",
        "list -f m3u8",
        "list --missing",
        f"list --out {out}.parquet",
        f"list --playlists {out}",
        "list --style house",
        "list --genre jazz --min 0.2",
        "list --errors",
        f"audit {music}",
        f"audit --csv {music}",
        f"audit --json {music}",
        f"audit --html {out}.html {music}",
        f"tag {music}",
        f"tag --json --existing replace {music}",
        f"tag --plan {out}.jsonl {music}",
        f"tag --apply --yes --existing replace {music}",
        "undo",
        "undo --list",
        "undo --list --json",
        f"scan -j 1 --model {shelf.model} --prune {music}",
    ]
    return functions | {line.replace(str(shelf.work), "."): _command(line) for line in lines}


def _journal_calls(shelf: Shelf) -> dict[str, Callable[[], Any]]:
    def recorded(read: Callable[[Journal], Any]) -> Callable[[], Any]:
        def call() -> None:
            with Journal.open() as journal:
                read(journal)

        return call

    functions = {
        "open": recorded(lambda journal: journal.recovered),
        "runs and writes": recorded(
            lambda journal: [
                (journal.delta(write), journal.written_later(write))
                for run in journal.runs()
                for write in journal.writes(run.id)
            ]
        ),
        "list_runs": list_runs,
        "undo": undo,
        "undo 1": lambda: undo(1),
        "undo 2": lambda: undo(2),
        "apply_changes": lambda: apply_changes(read_plan(shelf.plan)),
    }
    lines = [
        "undo",
        "undo 1",
        "undo 2",
        "undo --json",
        "undo --list",
        "undo --list --json",
        f"tag --apply --yes {shelf.plan}",
        f"tag --apply --yes --existing append {shelf.music}",
    ]
    return functions | {line.replace(str(shelf.work), "."): _command(line) for line in lines}


def _command(line: str) -> Callable[[], None]:
    def call() -> None:
        with _nothing_shown(), contextlib.suppress(SystemExit):
            app(line.split())

    call.__name__ = line
    return call


@contextlib.contextmanager
def _nothing_shown() -> Iterator[None]:
    out, err = (io.TextIOWrapper(io.BytesIO(), errors="backslashreplace") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


# -------------------------------------------------------------------------------- the cases


@dataclass(frozen=True)
class Case:
    """What a call did on a damaged file: ``outcome`` is "fine", "LibraryError", or a fault."""

    which: str
    damage: str
    call: str
    outcome: str
    message: str = ""

    @property
    def is_fault(self) -> bool:
        return self.outcome not in ("fine", "LibraryError")


def run_case(shelf: Shelf, allowed: dict[str, set[bytes]], number: int) -> Case:
    """Damage a file, call something, and check that no recording was lost or changed."""
    which = ("catalog", "journal")[number % 2]
    shelf.restore()
    how = damage(shelf.store(which), which, number // 2)
    every = calls(shelf, which)
    name = list(every)[random.Random(f"call {number}").randrange(len(every))]
    outcome, message = outcome_of(every[name])
    left = contents(shelf.music)
    if set(left) != set(allowed):
        outcome = f"files lost or left over: {sorted(set(left) ^ set(allowed))}"
    elif which == "journal" and "append" not in name:
        changed = [each for each in left if left[each] not in allowed[each]]
        outcome = f"changed: {changed}" if changed else outcome
    return Case(which, how, name, outcome, message)


def outcome_of(call: Callable[[], Any]) -> tuple[str, str]:
    """Return what a call did, and the message of a ``LibraryError``."""
    try:
        call()
    except LibraryError as error:
        return "LibraryError", str(error)
    except Exception as error:  # what the test is looking for
        return f"{type(error).__name__}: {error}", ""
    return "fine", ""
