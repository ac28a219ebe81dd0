"""Files that are either old or new, never half written, and what several modules do with files."""

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

    Yields:
        The open temporary file.

    """
    with replaced_path(path) as temporary, temporary.open("wb") as file:
        yield file


@contextmanager
def replaced_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write to a temporary file by its name and rename it to ``path`` on success.

    The temporary file is empty, lies in the same folder, and is removed if an exception is raised.
    A file that is replaced keeps its permissions; a new one has those that the umask allows.
    The content is on the disk before the rename, and the rename before the return. The target of
    a symbolic link is replaced, not the link. A pipe or a device is written to directly.

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
    """Return an unused name in the folder of ``path``, however long its own name is."""
    return path.with_name(f".genrelens-{secrets.token_hex(6)}.tmp")


def _create_like(path: Path, temporary: Path) -> None:
    """Create an empty file with the permissions of ``path``, or those that the umask allows."""
    temporary.touch(mode=0o666, exist_ok=False)
    with suppress(FileNotFoundError):
        temporary.chmod(path.stat().st_mode & 0o777)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file (UTF-8, line ends as given) and rename it to ``path`` on success.

    File names that are not UTF-8 are written as their bytes.

    Raises:
        DataError: the file cannot be written.

    """
    with replaced(path) as file:
        file.write(text.encode("utf-8", errors="surrogateescape"))


def sync_file(path: Path) -> None:
    """Write the content of a file to the disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk, on systems that allow it."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some network drives cannot
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        DataError: the file cannot be read.

    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(reason(error), path=path) from error


def reason(error: BaseException) -> str:
    """Return what an error says, without the path and the number of the error."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
