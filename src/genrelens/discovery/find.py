"""Find the audio files that folders, patterns, playlists and paths name.

All commands and functions that take such inputs use this module, so the rules for links, hidden
files and empty matches are the same everywhere.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genrelens.audio import AUDIO_SUFFIXES
from genrelens.discovery.locations import is_uri
from genrelens.discovery.patterns import matches
from genrelens.discovery.playlists import PLAYLIST_SUFFIXES, read_playlist
from genrelens.discovery.uris import why_missing, without_scheme
from genrelens.errors import LibraryError
from genrelens.files import reason

__all__ = ["Found", "find_files", "find_names", "is_excluded", "is_gone", "is_single_file"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file and its status at the time it was found.

    Attributes:
        path: absolute path; symbolic links are not resolved.
        size: size in bytes.
        mtime_ns: time of modification in nanoseconds.

    Example::

        for found in find_files(["Music"], on_problem=print):
            print(found.path, found.size)

    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def at(cls, path: str) -> Found:
        """Return the status of a file.

        Raises:
            OSError: there is no such file, or it is not a regular file.
            ValueError: ``path`` contains a null byte.

        """
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "is not a file")
        return cls(os.path.abspath(path), status.st_size, status.st_mtime_ns)  # noqa: PTH100

    @property
    def is_unchanged(self) -> bool:
        """Whether the file still has this status and may be read."""
        try:
            with Path(self.path).open("rb"):
                return Found.at(self.path) == self
        except OSError:
            return False


def find_files(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    exclude: Sequence[str] = (),
    on_problem: Callable[[str, str], None],
    left_out: Counter[str] | None = None,
) -> Iterator[Found]:
    """Find audio files, each once.

    - A folder names the files below it that have the extension of an audio format. Names that begin
      with a dot are skipped: hidden files, and the files that macOS leaves on other file systems
      (``._song.mp3``). No folder is searched twice, so circular links are harmless.
    - A pattern (``*``, ``?``, ``[]``, ``**``) names the folders and audio files that it matches;
      if there are none, the other files that it matches.
    - A playlist (M3U, PLS, XSPF) or a collection of a DJ program names its files, see
      :func:`genrelens.discovery.playlists.read_playlist`; entries that are not files on this
      computer are skipped.
    - Any other path, or ``file:`` URI, names one file with any extension.

    Args:
        inputs: folders, patterns, playlists and files.
        exclude: patterns of files and folders to skip. A pattern without ``/`` must match the
            name; a pattern with ``/`` must match the end of the absolute path.
        on_problem: called with (path, reason) for each input, folder or audio file that cannot be
            read: missing files, dangling links, pipes, missing permissions.
        left_out: counts the skipped files in folders by extension (``".jpg"``, ``""`` for none);
            hidden and excluded files are not counted. Entries of playlists that are not files
            on this computer count under :data:`genrelens.discovery.playlists.STREAMS`.

    Yields:
        The files, sorted by name within each folder. Folders behind symbolic links come last.

    Example::

        for found in find_files(["Music", "new/*.flac"], on_problem=print):
            print(found.path, found.size)

    """
    search = _Search(on_problem, left_out, exclude=exclude)
    for _, found in search.run(inputs):
        yield found


def find_names(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    follow_links: bool = True,
    on_problem: Callable[[str, str], None],
    left_out: Counter[str] | None = None,
) -> Iterator[str]:
    """Find audio files as :func:`find_files` does, and yield relative paths for relative inputs.

    Args:
        inputs: folders, patterns, playlists and files.
        follow_links: search the folders behind symbolic links.
        on_problem: called with (path, reason) as in :func:`find_files`.
        left_out: counts the skipped files as in :func:`find_files`.

    """
    search = _Search(on_problem, left_out, follow_links=follow_links, absolute=False)
    for name, _ in search.run(inputs):
        yield str(Path(name))


def is_single_file(name: str) -> bool:
    """Return whether an input names one file, and is no folder, pattern or playlist."""
    return not (os.path.isdir(name) or _is_pattern(name) or _is_playlist(name))  # noqa: PTH112


def is_gone(path: str | os.PathLike[str]) -> bool:
    """Return whether a file does not exist; False if that cannot be determined, as for a URI."""
    if is_uri(path):
        return False
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name) and not os.path.lexists(name)


def _is_playlist(name: str) -> bool:
    return Path(name).suffix.lower() in PLAYLIST_SUFFIXES


def _has_audio_suffix(name: str) -> bool:
    return Path(name).suffix.lower() in AUDIO_SUFFIXES


_Names = Iterator[tuple[str, Found]]


class _Search:
    """A search for files: its rules, and the files and folders that were found so far."""

    def __init__(
        self,
        on_problem: Callable[[str, str], None],
        left_out: Counter[str] | None,
        *,
        exclude: Sequence[str] = (),
        follow_links: bool = True,
        absolute: bool = True,
    ) -> None:
        self._exclude = exclude
        self._problem = on_problem
        self._left_out = Counter() if left_out is None else left_out
        self._follow_links, self._absolute = follow_links, absolute
        self._files: set[str] = set()
        self._folders: set[tuple[int, int]] = set()  # device and inode
        self._links: list[str] = []

    def run(self, inputs: Iterable[str | os.PathLike[str]]) -> _Names:
        for each in inputs:
            yield from self._input(without_scheme(os.fspath(each)))
        while self._links:
            yield from self._below(self._links.pop())

    def _input(self, name: str) -> _Names:
        if not name:
            self._problem("''", "is not the name of a file")
        elif os.path.isdir(name):  # noqa: PTH112 (Path.is_dir raises an error for a name that is too long)
            yield from self._below(os.path.abspath(name) if self._absolute else name)  # noqa: PTH100
        elif _is_pattern(name):
            yield from self._matching(name)
        elif _is_playlist(name):
            yield from self._in_playlist(name)
        else:
            yield from self._file(name)

    def _matching(self, pattern: str) -> _Names:
        matched = list(dict.fromkeys(matches(pattern)))
        if not matched:
            self._problem(pattern, "matches no file")
        audio = [each for each in matched if os.path.isdir(each) or _has_audio_suffix(each)]  # noqa: PTH112
        for match in audio or matched:
            yield from self._input(match)

    def _in_playlist(self, name: str) -> _Names:
        try:
            paths = read_playlist(name, self._left_out)
        except LibraryError as error:
            self._problem(name, error.reason)
            return
        for path in paths:
            yield from self._file(path)

    def _below(self, folder: str) -> _Names:
        """Find the files below a folder. No recursion, because folders may be nested deeply."""
        open_folders = [self._entries(folder)]
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
            elif entry.is_dir(follow_symlinks=False):
                open_folders.append(self._entries(entry.path))
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112
                self._links += [entry.path] * self._follow_links
            elif _has_audio_suffix(entry.name):
                yield from self._file(entry.path)
            else:
                self._left_out[Path(entry.name).suffix.lower()] += 1

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Yield the visible entries of a folder by name; none if it was searched before."""
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in self._folders:
                return
            self._folders.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._problem(folder, reason(error))
            return
        for entry in entries:
            if not entry.name.startswith(".") and not self._is_excluded(entry.path):
                yield entry

    def _file(self, name: str) -> _Names:
        try:
            found = Found.at(name)
        except (OSError, ValueError) as error:
            self._problem(name, why_missing(name, error))
            return
        if found.path not in self._files and not self._is_excluded(found.path):
            self._files.add(found.path)
            yield name, found

    def _is_excluded(self, path: str) -> bool:
        return is_excluded(path, self._exclude)


def is_excluded(path: str, exclude: Sequence[str]) -> bool:
    """Return whether a file or folder, or the URI of an object, matches one of some patterns.

    Args:
        path: the path or URI.
        exclude: the patterns, as for :func:`find_files`.

    """
    name = os.path.basename(path)  # noqa: PTH119 (faster, for every file)
    return any(
        fnmatch.fnmatchcase(_absolute(path), f"*/{pattern.strip('/')}")
        if "/" in pattern.rstrip("/")
        else fnmatch.fnmatchcase(name, pattern.rstrip("/"))
        for pattern in exclude
    )


def _absolute(path: str) -> str:
    return path if is_uri(path) else os.path.abspath(path)  # noqa: PTH100
