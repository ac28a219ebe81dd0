"""Replace a file by a changed copy in one step, and keep its times, permissions and attributes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from genrelens.errors import TagError
from genrelens.files import sync_file, sync_folder

__all__ = ["replace_with_copy"]


def replace_with_copy(
    path: Path,
    temporary: Path,
    *,
    make: Callable[[Path], None],
    before: Callable[[], None] = lambda: None,
) -> str:
    """Replace a file by the file that ``make`` writes, or leave it unchanged.

    The new file keeps the times, the permissions, the extended attributes (on Linux with the
    access control lists) and, if this user may set it, the owner of the old one. Python cannot
    copy extended attributes on macOS and Windows. The new file is on the disk before it replaces
    the old one in a single step.

    Other hard links to the file keep the old content: they may be a backup, or be shared by a
    program that verifies the content. The caller must resolve symbolic links.

    Args:
        path: path of the file.
        temporary: path of the new file, in the same folder; it must not exist.
        make: writes the new file, which exists and is empty. If it raises an exception, nothing
            is changed and the exception is raised to the caller.
        before: called just before the file is replaced; its exceptions have the same effect.

    Returns:
        A note for the user, or an empty string.

    Raises:
        TagError: the file or its folder is read-only, or another program changes the file.
        OSError: the new file cannot be written, for instance because the disk is full.

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
    """Return the status of a file, or refuse a read-only one.

    Replacing a file needs write permission only for its folder, but users expect that a read-only
    file does not change.
    """
    status = path.stat()
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise TagError(str(path), "is read-only")
    return status


def _create(path: Path, temporary: Path) -> None:
    """Create an empty file that only this user may read, because the old one may be private."""
    try:
        temporary.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise TagError(str(path), "is in a folder that is read-only") from error


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _keep_attributes(path: Path, temporary: Path, status: os.stat_result) -> str:
    """Copy owner, permissions, times and attributes; return a note for the user."""
    notes = []
    if hasattr(os, "chown"):
        for owner in ((-1, status.st_gid), (status.st_uid, -1)):
            with suppress(OSError):  # only root may change the owner
                os.chown(temporary, *owner)
        if temporary.stat().st_uid != status.st_uid:
            notes.append("now belongs to you")
    shutil.copystat(path, temporary)
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    if status.st_nlink > 1:
        others = status.st_nlink - 1
        names = (
            "names (hard links), which keep" if others > 1 else "name (a hard link), which keeps"
        )
        notes.append(f"had {others} other {names} the old content")
    return "; ".join(notes)
