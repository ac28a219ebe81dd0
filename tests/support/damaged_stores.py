"""Damage a catalogue or a journal, call a function that reads it, and check the recordings.

Used by a test and by ``scripts/damaged_stores.py``. Each case is a damage and a call, both chosen
by a number, on a copy of a small library of three recordings: one whose write was undone, one that
was written, and one whose write was interrupted.
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
from support.store_damage import damage

KINDS = ("mp3", "flac", "vorbis")

# ------------------------------------------------------------------------------ the library


@dataclass(frozen=True)
class Shelf:
    """A small library, and a copy of its original state.

    Attributes:
        work: folder of the library.
        model: path of a model file for scans.

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
    """Make a library whose journal has a file in every state, within :func:`surroundings`."""
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
    """Make the library's files the default ones, and scan without worker processes."""
    names = {"GENRELENS_DB": "catalog", "GENRELENS_JOURNAL": "journal"}
    files = {name: str(folder / "work" / f"{which}.sqlite") for name, which in names.items()}
    with mock.patch.dict(os.environ, files), mock.patch.object(scan, "ClassifierPool", HerePool):
        yield


def _interrupt(shelf: Shelf) -> None:
    """Leave the journal in the state of a killed program."""
    with contextlib.closing(sqlite3.connect(shelf.store("journal"))) as connection:
        for n, state in enumerate(("ready", "undoing")):
            connection.execute("UPDATE writes SET state = ? WHERE run = 2 AND n = ?", (state, n))
        connection.commit()


def variants(shelf: Shelf) -> dict[str, set[bytes]]:
    """Return the two contents that each recording may have: the old one and the new one."""
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
    """The result of a call on a damaged file: "fine", "LibraryError", or a fault."""

    which: str
    damage: str
    call: str
    outcome: str
    message: str = ""

    @property
    def is_fault(self) -> bool:
        return self.outcome not in ("fine", "LibraryError")


def run_case(shelf: Shelf, allowed: dict[str, set[bytes]], number: int) -> Case:
    """Damage a file, call a function, and check that no recording was lost or changed."""
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
    """Return the outcome of a call, and the message of a ``LibraryError``."""
    try:
        call()
    except LibraryError as error:
        return "LibraryError", str(error)
    except Exception as error:  # a fault
        return f"{type(error).__name__}: {error}", ""
    return "fine", ""
