"""A file gives way to another one, and all that belongs to it stays."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from genrelens import TagError
from genrelens.library.tagging.replace_file import swap

linux = pytest.mark.skipif(sys.platform != "linux", reason="only here")


def replace(path: Path, content: bytes = b"new") -> str:
    def make(temporary: Path) -> None:
        temporary.write_bytes(content)

    return swap(path, path.with_name("t"), make=make, before=lambda: None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


@linux
def test_permissions_owner_and_extended_attributes(path: Path) -> None:
    path.chmod(0o640)
    attributes = {"user.rating": b"5 \xff", "user.empty": b""}
    # For the user, another user (1), the group, the mask and all others: an access control list.
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
    assert after.st_ino != before.st_ino  # else nothing was replaced
    assert stat.S_IMODE(after.st_mode) == stat.S_IMODE(before.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert {name: os.getxattr(path, name) for name in attributes} == attributes
    assert os.getxattr(path, "system.posix_acl_access") == acl


def test_times(path: Path) -> None:
    os.utime(path, ns=(10**18 + 3, 10**18 + 7))
    replace(path)
    status = path.stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (10**18 + 3, 10**18 + 7)


def test_who_may_not_give_files_away_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no")

    if os.name != "posix" or os.geteuid():
        pytest.skip("the file must be somebody else's")
    os.chown(path, 12, 34)
    monkeypatch.setattr(os, "chown", refuse)
    assert replace(path) == "belongs to you now"
    assert path.read_bytes() == b"new"


def test_other_hard_links_keep_the_old_content(path: Path) -> None:
    others = [path.with_name(name) for name in ("b", "c")]
    for other in others:
        other.hardlink_to(path)
    assert replace(path) == "had 2 other names (hard links), which keep the old content"
    assert {other.read_bytes() for other in others} == {b"old"}


def test_what_fails_leaves_no_trace(path: Path) -> None:
    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        swap(path, path.with_name("t"), make=fail, before=lambda: None)
    assert [(each.name, each.read_bytes()) for each in path.parent.iterdir()] == [("file", b"old")]


def test_the_new_file_is_private_until_it_is_like_the_old_one(path: Path) -> None:
    seen = []

    def make(temporary: Path) -> None:
        seen.append(stat.S_IMODE(temporary.stat().st_mode))

    swap(path, path.with_name("t"), make=make, before=lambda: None)
    assert seen == [0o600] or os.name != "posix"


def test_a_temporary_file_is_never_one_of_somebody_else(path: Path) -> None:
    path.with_name("t").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        replace(path)
    assert path.with_name("t").read_bytes() == b"theirs"


def test_a_read_only_file(path: Path) -> None:
    path.chmod(0o444)
    with pytest.raises(TagError, match="is read-only"):
        replace(path)
    assert path.read_bytes() == b"old"


def test_a_change_at_the_last_moment(path: Path) -> None:
    def make(temporary: Path) -> None:
        temporary.write_bytes(b"new")
        path.write_bytes(b"OLD")  # of the same size

    with pytest.raises(TagError, match="by another program"):
        swap(path, path.with_name("t"), make=make, before=lambda: None)
    assert path.read_bytes() == b"OLD"
