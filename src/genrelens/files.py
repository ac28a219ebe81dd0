"""Files written completely or not at all, their SHA-256, and the reason of an error."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from genrelens.errors import DataError

__all__ = [
    "reason",
    "replaced",
    "replaced_path",
    "sha256",
    "sync_file",
    "sync_folder",
    "temporary_beside",
    "write_text_atomically",
]


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write to a temporary file and rename it to ``path`` on success.

    See :func:`replaced_path` for permissions, links and errors.

    Args:
        path: the file to write or replace.

    Yields:
        The open temporary file.

    Raises:
        DataError: the file cannot be written.

    Example::

        with replaced("figures.json") as file:
            file.write(b"{}")

    """
    with replaced_path(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def replaced_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of a temporary file and rename the file to ``path`` on success.

    The temporary file is empty, is in the same folder, and is removed if an exception is raised.
    A replaced file keeps its permissions; a new file gets those that the umask allows. The content
    is on the disk before the rename, and the rename before the return. If ``path`` is a symbolic
    link, its target is replaced. A pipe or device is written to directly.

    Args:
        path: the file to write or replace.

    Yields:
        The path of the temporary file.

    Raises:
        DataError: the file cannot be written.

    """
    try:
        if _is_pipe_or_device(Path(path)):
            yield Path(path)
            return
        target = Path(os.path.realpath(path))
        temporary = temporary_beside(target)
        try:
            _create_like(target, temporary)
            yield temporary
            sync_file(temporary)
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as error:
        raise DataError(f"cannot be written ({reason(error)})", path=path) from error


def _is_pipe_or_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def temporary_beside(path: Path) -> Path:
    """Return the path of a new temporary file in the folder of ``path``, with a short name."""
    return path.with_name(f".genrelens-{secrets.token_hex(6)}.tmp")


def _create_like(path: Path, temporary: Path) -> None:
    """Create an empty file with the permissions of ``path``, or those that the umask allows."""
    temporary.touch(mode=0o666, exist_ok=False)
    with suppress(FileNotFoundError):
        temporary.chmod(path.stat().st_mode & 0o777)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file in UTF-8 completely or not at all; line ends are written as given.

    Surrogate escapes, which stand for bytes in file names, are written as those bytes.

    Raises:
        DataError: the file cannot be written.

    """
    with replaced(path) as file:
        file.write(text.encode("utf-8", errors="surrogateescape"))


def sync_file(path: Path) -> None:
    """Flush the content of a file to the disk (fsync)."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, on systems that support it."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some network drives do not support it
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of the content of a file, 64 hexadecimal digits.

    Raises:
        DataError: the file cannot be read.

    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(reason(error), path=path) from error


def reason(error: BaseException) -> str:
    """Return the message of an error without a path or an error number.

    Example::

        >>> reason(FileNotFoundError(2, "No such file or directory", "song.mp3"))
        'No such file or directory'

    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
