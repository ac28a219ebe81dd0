"""A file gives way to a changed copy of itself, at once and with all that belongs to it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from genrelens.errors import TagError
from genrelens.files import sync_file, sync_folder

__all__ = ["swap"]


def swap(
    path: Path,
    temporary: Path,
    *,
    make: Callable[[Path], None],
    before: Callable[[], None],
) -> str:
    """Replace a file by what ``make`` writes, or leave it as it is.

    The new file has the times, the permissions, the extended attributes (with them the access
    control lists of Linux) and, where this user may give files away, the owner of the old one.
    Python cannot copy extended attributes on macOS and Windows. It is on the disk before it takes
    the place of the old one, which it does in one step.

    Other names of the file that are hard links keep the old content: they may be a backup, or
    shared with others by a program that checks it. Symbolic links must have been followed.

    Args:
        path: of the file.
        temporary: of the new file, in the same folder; there must be none.
        make: writes the new file, which is there and empty. What it raises goes through, and
            nothing has changed.
        before: is called when all is ready, just before the file is replaced. Nothing has changed
            if it raises.

    Returns:
        What the user should know of it, or nothing.

    Raises:
        TagError: the file or its folder is read-only, or somebody changes it meanwhile.
        OSError: the new file cannot be written, as the disk is full.

    """
    status = _check_writable(path)
    _create(path, temporary)
    try:
        make(temporary)
        note = _keep_attributes(path, temporary, status)
        sync_file(temporary)
        before()
        if _identity(path.stat()) != _identity(status):
            raise TagError(str(path), "is being changed by another program")
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return note


def _check_writable(path: Path) -> os.stat_result:
    """Return the status of a file that may be written to.

    Replacing a file takes no permission to write to it, but to its folder. Nobody expects that a
    read-only file changes, though.
    """
    status = path.stat()
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise TagError(str(path), "is read-only")
    return status


def _create(path: Path, temporary: Path) -> None:
    """Make an empty file that nobody else may read: the old one may be private."""
    try:
        temporary.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise TagError(str(path), "is in a folder that cannot be written to") from error


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _keep_attributes(path: Path, temporary: Path, status: os.stat_result) -> str:
    notes = []
    if hasattr(os, "chown"):
        for owner in ((-1, status.st_gid), (status.st_uid, -1)):
            with suppress(OSError):  # only root may give files away
                os.chown(temporary, *owner)
        if temporary.stat().st_uid != status.st_uid:
            notes.append("belongs to you now")
    shutil.copystat(path, temporary)
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    if status.st_nlink > 1:
        others = status.st_nlink - 1
        names = (
            "names (hard links), which keep" if others > 1 else "name (a hard link), which keeps"
        )
        notes.append(f"had {others} other {names} the old content")
    return "; ".join(notes)
