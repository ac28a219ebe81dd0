"""Write plans: all tag formats, links, and every failure leaves the old file."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genrelens.library import (
    Catalog,
    Outcome,
    apply_changes,
    list_runs,
    plan_changes,
    undo,
)
from genrelens.library.tagging import apply as apply_module
from genrelens.library.tagging import replace_file as replace_module
from genrelens.tags import read_tags
from support import tagged
from support.shelf import contents, only, shelve, song
from support.tagging_fixtures import Planned, catalog, journal, music, planned, tmp_path

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


__all__ = ["catalog", "journal", "music", "planned", "tmp_path"]  # the fixtures


# ------------------------------------------------------------------------- formats


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


def test_the_catalogue_is_updated_with_the_files(
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


def test_an_empty_plan_makes_no_run(planned: Planned, music: Path) -> None:
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


def test_the_version_of_id3_can_be_chosen(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3")
    apply_changes(planned(id3_version=3))
    assert read_tags(path).format == "ID3v2.3"


# --------------------------------------------------------------------- links and file names


def test_a_symbolic_link_is_kept_and_its_target_written(
    planned: Planned, catalog: Catalog, music: Path
) -> None:
    target = song(music.parent / "elsewhere", "target.mp3", "mp3", "Rock")
    before = target.read_bytes()
    music.mkdir()
    link = music / "link.mp3"
    link.symlink_to(Path("..") / "elsewhere" / "target.mp3")
    shelve(catalog, target)
    assert only(apply_changes(planned(), catalog=catalog).outcomes) == Outcome(link, True)
    assert link.is_symlink()
    assert read_tags(target).genres == ("Jazz",)
    for path in (link, target):  # both names are in the catalogue
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
def test_file_names_in_any_encoding(planned: Planned, music: Path) -> None:
    path = song(music, os.fsdecode(b"caf\xe9 \xff\n" + b"x" * 230 + b".mp3"), "mp3", "Rock")
    before = path.read_bytes()
    assert only(apply_changes(planned()).outcomes).done
    assert read_tags(path).genres == ("Jazz",)
    undo()
    assert path.read_bytes() == before


# ------------------------------------------------------------------------------- failures


def test_a_file_changed_after_the_plan_is_not_written(planned: Planned, music: Path) -> None:
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
        if path == recut:  # a byte of the audio
            offset = len(data) // 2
            path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
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
        "d.mp3": "was changed since the plan was made: its audio is different",
    }
    after = contents(music)
    assert [name for name in before if after[name] != before[name]] == ["e.mp3"]
    assert set(after) == set(before)


def test_a_read_only_file_is_not_written(planned: Planned, music: Path) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    path.chmod(0o444)
    assert only(apply_changes(planned()).outcomes) == Outcome(path, False, "is read-only")
    assert read_tags(path).genres == ("Rock",)


def as_nobody(act: Callable[[], object]) -> None:
    """Call a function in a child process without the rights of root."""
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
def test_a_file_in_a_read_only_folder_is_not_written(
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
        words = "is in a folder that is read-only"
        assert only(result.outcomes) == Outcome(path, False, words)

    as_nobody(attempt)
    music.chmod(0o755)
    assert read_tags(path).genres == ("Rock",)


@linux
@pytest.mark.parametrize("limit", [0, 100, 3000])
def test_a_full_disk_while_the_copy_is_made_leaves_the_file_unchanged(
    limit: int, planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses to let a file grow beyond a limit while the copy is made."""
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
def test_a_full_disk_while_tags_are_written_leaves_the_file_unchanged(
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


def test_a_file_that_another_program_changes_is_not_replaced(
    planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(music, "song.mp3", "mp3", "Rock")
    plan = planned()

    def busy(temporary: Path) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(replace_module, "sync_file", busy)
    outcome = only(apply_changes(plan).outcomes)
    assert outcome == Outcome(path, False, "is being changed by another program")
    assert path.read_bytes().endswith(b"more")
    assert list(contents(music)) == ["song.mp3"]


def test_a_file_that_the_system_refuses_to_replace_can_be_tried_again(
    planned: Planned, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows does while a player has the file open."""
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


def test_a_chained_ogg_is_refused_with_its_reason(planned: Planned, music: Path) -> None:
    """FFmpeg does not separate several recordings in one file, so the digest covers the tags."""
    path = song(music, "chained.ogg", "vorbis", "Rock")
    path.write_bytes(path.read_bytes() + tagged.recording("opus"))
    before = path.read_bytes()
    outcome = only(apply_changes(planned()).outcomes)
    assert (outcome.done, outcome.reason) == (
        False,
        "FFmpeg cannot separate its audio from its tags, so a write could not be verified",
    )
    assert path.read_bytes() == before
