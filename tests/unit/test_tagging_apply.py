"""Writing a plan and taking it back: all formats, all that belongs to a file, all that fails."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mutagen.id3
import pytest

from genrelens import LibraryError
from genrelens.library import (
    Catalog,
    Outcome,
    Plan,
    Policy,
    apply_changes,
    list_runs,
    plan_changes,
    undo,
)
from genrelens.library.tagging import apply as apply_module
from genrelens.library.tagging import replace_file as swap_module
from genrelens.library.tagging.journal import Journal
from genrelens.tags import read_tags, write_genres
from support import tagged
from support.shelf import contents, shelve, song

linux = pytest.mark.skipif(sys.platform != "linux", reason="only here")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one, since every step waits for the disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "data" / "journal.sqlite"
    path.parent.mkdir()
    monkeypatch.setenv("GENRELENS_JOURNAL", str(path))
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "data" / "catalog.sqlite") as catalog:
        yield catalog


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return tmp_path / "music"


Planned = Callable[..., Plan]


@pytest.fixture
def planned(catalog: Catalog, music: Path) -> Planned:
    """Plan what is to be written to the files in the folder, all of which sound like jazz."""

    def plan(**policy: Any) -> Plan:
        for path in sorted(music.rglob("*.*")):
            shelve(catalog, path)
        return plan_changes(catalog, [music], Policy(**{"existing": "replace", **policy}))

    return plan


def only(outcomes: tuple[Outcome, ...]) -> Outcome:
    [outcome] = outcomes
    return outcome


# ------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("kind", tagged.FORMATS)
def test_every_format_is_written_and_restored_to_the_last_byte(
    kind: str, planned: Planned, catalog: Catalog, music: Path
) -> None:
    path = song(music, "song.mp3", kind, "Rock")
    os.utime(path, ns=(10**18 + 5, 10**18 + 7))
    before = path.read_bytes()
    result = apply_changes(planned(), catalog=catalog)
    assert only(result.outcomes) == Outcome(path, True)
    assert read_tags(path).genres == ("Jazz",)
    assert path.stat().st_mtime_ns == 10**18 + 7
    assert list(contents(music)) == ["song.mp3"]

    assert only(undo(catalog=catalog).outcomes) == Outcome(path, True)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == 10**18 + 7
    assert list(contents(music)) == ["song.mp3"]


@pytest.mark.parametrize("kind", ["mp3", "vorbis", "opus", "alac-faststart", "wma", "flac"])
def test_the_way_back_is_short_however_much_moves(
    kind: str, planned: Planned, music: Path, journal: Path
) -> None:
    """A cover of 200 kB, and genres that fill more than the room that is left beside it."""
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


def test_the_catalogue_goes_on_knowing_the_files(
    planned: Planned, catalog: Catalog, music: Path
) -> None:
    song(music, "song.mp3", "wavpack", "Rock")
    plan = planned()
    apply_changes(plan, catalog=catalog)
    again = plan_changes(catalog, [music], plan.policy)
    assert (again.changes, again.unscanned) == ((), ())
    assert again.reasons == {"has these genres": 1}
    undo(catalog=catalog)
    again = plan_changes(catalog, [music], plan.policy)
    assert again.changes == plan.changes


def test_undo_goes_back_run_by_run(planned: Planned, catalog: Catalog, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    first = apply_changes(planned(), catalog=catalog)
    middle = path.read_bytes()
    for entry in catalog.query():
        shelve(catalog, entry.path, "pop")
    second = apply_changes(plan_changes(catalog, [music], Policy(existing="replace")))
    assert [(run.id, run.written, run.undone) for run in list_runs()] == [(2, 1, 0), (1, 1, 0)]
    refused = only(undo(first.run).outcomes)
    assert refused == Outcome(path, False, "was written again by run 2: undo that first")
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


def test_other_tags_edited_since_are_kept(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock", "Pop")
    apply_changes(planned())
    tags = mutagen.id3.ID3(path)
    tags.add(mutagen.id3.TIT2(text=["Another title"]))
    tags.save()
    outcome = only(undo().outcomes)
    assert outcome == Outcome(path, True, "was changed since: only its genres were put back")
    assert read_tags(path).genres == ("Rock", "Pop")
    assert read_tags(path).title == "Another title"


def test_genres_edited_since_are_kept(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    apply_changes(planned())
    write_genres(path, ["Blues"])
    outcome = only(undo().outcomes)
    assert outcome == Outcome(path, False, "was changed since: it has other genres")
    assert read_tags(path).genres == ("Blues",)


def test_a_file_that_is_gone_can_come_back(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    apply_changes(planned())
    path.rename(music / "elsewhere")
    assert only(undo().outcomes) == Outcome(path, False, "is not there any more")
    (music / "elsewhere").rename(path)
    assert only(undo().outcomes) == Outcome(path, True)
    assert path.read_bytes() == before


def test_nothing_to_do(planned: Planned, music: Path) -> None:
    music.mkdir()
    assert apply_changes(planned()) == apply_module.Result(None, ())
    assert list_runs() == []


def test_genres_can_be_removed(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    plan = planned()
    apply_changes(replace(plan, changes=(replace(plan.changes[0], after=()),)))
    assert read_tags(path).genres == ()
    undo()
    assert read_tags(path).genres == ("Rock",)


def test_the_asked_version_of_id3(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3")
    apply_changes(planned(id3_version=3))
    assert read_tags(path).format == "ID3v2.3"


# ------------------------------------------------------------------ what belongs to a file


def test_a_symbolic_link_stays_one(planned: Planned, catalog: Catalog, music: Path) -> None:
    target = song(music.parent / "elsewhere", "target.mp3", "mp3", "Rock")
    before = target.read_bytes()
    music.mkdir()
    link = music / "link.mp3"
    link.symlink_to(Path("..") / "elsewhere" / "target.mp3")
    shelve(catalog, target)
    assert only(apply_changes(planned(), catalog=catalog).outcomes) == Outcome(link, True)
    assert link.is_symlink()
    assert read_tags(target).genres == ("Jazz",)
    for path in (link, target):  # the catalogue knows both names
        entry = catalog.file(path)
        assert entry is not None
        assert entry.size == target.stat().st_size
    undo()
    assert link.is_symlink()
    assert target.read_bytes() == before


def test_other_hard_links_keep_the_former_tags(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    backup = music.parent / "backup"
    backup.hardlink_to(path)
    outcome = only(apply_changes(planned()).outcomes)
    assert outcome == Outcome(
        path, True, "had 1 other name (a hard link), which keeps the old content"
    )
    assert (read_tags(path).genres, read_tags(backup).genres) == (("Jazz",), ("Rock",))
    undo()
    assert path.read_bytes() == backup.read_bytes()


@linux
def test_names_in_any_encoding(planned: Planned, music: Path) -> None:
    path = song(music, os.fsdecode(b"caf\xe9 \xff\n" + b"x" * 230 + b".mp3"), "mp3", "Rock")
    before = path.read_bytes()
    assert only(apply_changes(planned()).outcomes).done
    assert read_tags(path).genres == ("Jazz",)
    undo()
    assert path.read_bytes() == before


# ------------------------------------------------------------------------------- failures


def test_a_file_changed_since_the_plan_is_left_alone(planned: Planned, music: Path) -> None:
    touched, grown, retagged, recut = (
        song(music, f"{name}.mp3", "mp3", "Rock") for name in ("a", "b", "c", "d")
    )
    song(music, "e.mp3", "mp3", "Rock")
    plan = planned()
    os.utime(touched, ns=(1, 1))
    with grown.open("ab") as file:
        file.write(b"x")
    for path, change in ((retagged, (b"Rock", b"Funk")), (recut, (b"Lavf", b"LaVf"))):
        status = path.stat()
        data = path.read_bytes()
        if path == recut:  # a byte of the sound
            place = len(data) // 2
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        else:
            path.write_bytes(data.replace(*change))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    before = contents(music)
    result = apply_changes(plan)
    reasons = {outcome.path.name: outcome.reason for outcome in result.failed}
    assert reasons == {
        "a.mp3": "was changed since the plan was made",
        "b.mp3": "was changed since the plan was made",
        "c.mp3": "was changed since the plan was made: it has other genres",
        "d.mp3": "was changed since the plan was made: it sounds different",
    }
    after = contents(music)
    assert [name for name in before if after[name] != before[name]] == ["e.mp3"]
    assert set(after) == set(before)


def test_a_read_only_file_is_left_alone(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    path.chmod(0o444)
    assert only(apply_changes(planned()).outcomes) == Outcome(path, False, "is read-only")
    assert read_tags(path).genres == ("Rock",)


def as_nobody(act: Callable[[], object]) -> None:
    """Run something in a child process that has no right to everything."""
    child = os.fork()
    if not child:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65_534)
                os.setuid(65_534)
            act()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@linux
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_read_only_folder_is_left_alone(
    planned: Planned, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    plan = planned()
    path.chmod(0o666)
    plan = replace(plan, changes=(replace(plan.changes[0], mtime_ns=path.stat().st_mtime_ns),))
    music.chmod(0o555)
    for folder in [tmp_path, *list(tmp_path.parents)[:-2]]:
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o111)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    def attempt() -> None:
        result = apply_changes(plan, journal=tmp_path / "open" / "journal.sqlite")
        words = "is in a folder that cannot be written to"
        assert only(result.outcomes) == Outcome(path, False, words)

    as_nobody(attempt)
    music.chmod(0o755)
    assert read_tags(path).genres == ("Rock",)


@linux
@pytest.mark.parametrize("limit", [0, 100, 3000])
def test_a_full_disk_leaves_the_file_as_it_was(
    limit: int, planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses to let a file grow beyond a limit, while the copy is made."""
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    plan = planned()
    copy = shutil.copyfile

    def limited(*paths: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            copy(*paths)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(shutil, "copyfile", limited)
    outcome = only(apply_changes(plan).outcomes)
    assert outcome == Outcome(path, False, "File too large")
    assert contents(music) == {"song.mp3": before}
    monkeypatch.undo()


@linux
def test_a_disk_that_is_full_when_tags_grow(
    planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    plan = planned()
    write = apply_module.write_genres

    def limited(*args: Any, **options: Any) -> Any:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
        try:
            return write(args[0], ["x" * 5000], **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(apply_module, "write_genres", limited)
    outcome = only(apply_changes(plan).outcomes)
    assert not outcome.done
    assert "File too large" in outcome.reason
    assert contents(music) == {"song.mp3": before}


def test_a_journal_that_cannot_be_written_stops_it(
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


def test_a_file_that_another_program_writes_to(
    planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    plan = planned()

    def busy(temporary: Path) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(swap_module, "sync_file", busy)
    outcome = only(apply_changes(plan).outcomes)
    assert outcome == Outcome(path, False, "is being changed by another program")
    assert path.read_bytes().endswith(b"more")
    assert list(contents(music)) == ["song.mp3"]


def test_a_file_that_the_system_will_not_replace(
    planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows does while a player has it open; the next run starts from a clean slate."""
    path = song(music, "song.mp3", "mp3", "Rock")
    before = path.read_bytes()
    plan = planned()

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Is in use")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        assert only(apply_changes(plan).outcomes) == Outcome(path, False, "Is in use")
    assert contents(music) == {"song.mp3": before}
    assert list_runs() == []
    assert only(apply_changes(plan).outcomes).done


def test_a_damaged_file_does_not_stop_the_others(planned: Planned, music: Path) -> None:
    good = song(music, "good.mp3", "mp3", "Rock")
    bad = song(music, "bad.flac", "flac", "Rock")
    plan = planned()
    data = bad.read_bytes()
    status = bad.stat()
    bad.write_bytes(b"fLaC" + b"\xff" * (len(data) - 4))
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    seen: list[Outcome] = []
    result = apply_changes(plan, on_file=seen.append)
    assert list(result.outcomes) == seen
    assert [(outcome.path, outcome.done) for outcome in seen] == [(bad, False), (good, True)]


def test_a_chained_ogg_is_refused_with_the_true_reason(planned: Planned, music: Path) -> None:
    """FFmpeg does not take several recordings in one file apart: the digest covers the tags."""
    path = song(music, "chained.ogg", "vorbis", "Rock")
    path.write_bytes(path.read_bytes() + tagged.recording("opus"))
    before = path.read_bytes()
    outcome = only(apply_changes(planned()).outcomes)
    assert (outcome.done, outcome.reason) == (
        False,
        "FFmpeg cannot separate its audio from its tags, so a write could not be verified",
    )
    assert path.read_bytes() == before


def test_one_program_at_a_time(
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
def test_what_is_no_journal(content: bytes | None, journal: Path) -> None:
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


def test_the_catalogue_is_no_journal(tmp_path: Path) -> None:
    with (
        Catalog.open(tmp_path / "catalog.sqlite") as catalog,
        pytest.raises(LibraryError, match="is not a journal of genrelens"),
    ):
        list_runs(catalog=catalog, journal=catalog.path)


def test_a_journal_of_a_newer_version(journal: Path) -> None:
    list_runs()
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(LibraryError, match=r"version 9.*update genrelens"):
        list_runs()


def test_a_journal_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="folder is missing"):
        list_runs(journal=tmp_path / "none" / "journal.sqlite")
