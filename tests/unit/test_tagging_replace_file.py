"""A file is replaced by a copy, and keeps its times, permissions and attributes."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.library.tagging.replace_file import replace_with_copy

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def replace(path: Path, content: bytes = b"new") -> str:
    def make(temporary: Path) -> None:
        temporary.write_bytes(content)

    return replace_with_copy(path, path.with_name("t"), make=make)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


@linux
def test_permissions_owner_and_extended_attributes_are_kept(path: Path) -> None:
    path.chmod(0o640)
    attributes = {"user.rating": b"5 \xff", "user.empty": b""}
    # An access control list: for the user, another user (1), the group, the mask and all others.
    acl = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, rights, who in [
            (1, 6, 2**32 - 1),
            (2, 4, 1),
            (4, 4, 2**32 - 1),
            (16, 4, 2**32 - 1),
            (32, 0, 2**32 - 1),
        ]
    )
    try:
        for name, value in {**attributes, "system.posix_acl_access": acl}.items():
            os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no extended attributes on this file system: {error}")
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    assert replace(path) == ""
    after = path.stat()
    assert after.st_ino != before.st_ino  # so it was replaced
    assert stat.S_IMODE(after.st_mode) == stat.S_IMODE(before.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert {name: os.getxattr(path, name) for name in attributes} == attributes
    assert os.getxattr(path, "system.posix_acl_access") == acl


def test_times_are_kept(path: Path) -> None:
    os.utime(path, ns=(10**18 + 3, 10**18 + 7))
    replace(path)
    status = path.stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (10**18 + 3, 10**18 + 7)


def test_a_new_owner_is_noted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no")

    if os.name != "posix" or os.geteuid():
        pytest.skip("needs a file of another user")
    os.chown(path, 12, 34)
    monkeypatch.setattr(os, "chown", refuse)
    assert replace(path) == "now belongs to you"
    assert path.read_bytes() == b"new"


def test_other_hard_links_keep_the_old_content(path: Path) -> None:
    others = [path.with_name(name) for name in ("b", "c")]
    for other in others:
        other.hardlink_to(path)
    assert replace(path) == "had 2 other names (hard links), which keep the old content"
    assert {other.read_bytes() for other in others} == {b"old"}


def test_a_failure_leaves_the_old_file_and_no_other(path: Path) -> None:
    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_with_copy(path, path.with_name("t"), make=fail)
    assert [(each.name, each.read_bytes()) for each in path.parent.iterdir()] == [("file", b"old")]


def test_only_the_user_may_read_the_new_file_until_it_is_complete(path: Path) -> None:
    seen = []

    def make(temporary: Path) -> None:
        seen.append(stat.S_IMODE(temporary.stat().st_mode))

    replace_with_copy(path, path.with_name("t"), make=make)
    assert seen == [0o600] or os.name != "posix"


def test_an_existing_temporary_file_is_not_overwritten(path: Path) -> None:
    path.with_name("t").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        replace(path)
    assert path.with_name("t").read_bytes() == b"theirs"


def test_a_read_only_file_is_refused(path: Path) -> None:
    path.chmod(0o444)
    with pytest.raises(TagError, match="is read-only"):
        replace(path)
    assert path.read_bytes() == b"old"


def test_a_change_by_another_program_is_kept(path: Path) -> None:
    def make(temporary: Path) -> None:
        temporary.write_bytes(b"new")
        path.write_bytes(b"OLD")  # of the same size

    with pytest.raises(TagError, match="by another program"):
        replace_with_copy(path, path.with_name("t"), make=make)
    assert path.read_bytes() == b"OLD"
