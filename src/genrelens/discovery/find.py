"""From folders, patterns, playlists and files to the audio files that they name."""

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
from genrelens.discovery.patterns import matches
from genrelens.discovery.playlists import PLAYLIST_SUFFIXES, read_playlist
from genrelens.errors import LibraryError
from genrelens.files import reason

__all__ = ["Found", "find_files", "is_gone"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it lies there.

    Attributes:
        path: absolute; links are not followed in it.
        size: in bytes.
        mtime_ns: time of modification, in nanoseconds.

    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def at(cls, path: str) -> Found:
        """Look at a file; raises ``OSError`` if there is none."""
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "is not a file")
        return cls(os.path.abspath(path), status.st_size, status.st_mtime_ns)  # noqa: PTH100

    @property
    def is_unchanged(self) -> bool:
        """Whether it still lies there so, and may be read."""
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

    A folder stands for the audio files below it. Links to folders are followed, and no folder is
    searched twice, so that links in a circle do no harm. Names that begin with a dot are left out:
    hidden files, and what macOS leaves beside files on other systems (``._song.mp3``). A pattern
    (``*``, ``?``, ``[]``, ``**``) stands for what it matches, a playlist (M3U) for the files that
    it names (not for addresses in it), and every other file for itself, whatever its ending.

    Args:
        inputs: folders, patterns, playlists, files.
        exclude: patterns of files and folders to leave out. One without ``/`` is compared with
            names, one with ``/`` with the end of paths.
        on_problem: called with the path and the reason where something cannot be read.
        left_out: counts the other files of the folders by their endings (``".jpg"``, ``""`` for
            none); hidden and excluded ones do not count.

    Yields:
        Files, those of a folder by name; what is reached by links to folders comes last.

    """
    search = _Search(exclude, on_problem, Counter() if left_out is None else left_out)
    for each in inputs:
        yield from search.named(os.fspath(each))
    yield from search.linked()


def is_gone(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is there no more; one that may not be looked at is not gone."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class _Search:
    """What was found already, and what is left out."""

    def __init__(
        self,
        exclude: Sequence[str],
        on_problem: Callable[[str, str], None],
        left_out: Counter[str],
    ) -> None:
        self._exclude = [pattern.rstrip("/") for pattern in exclude]
        self._problem = on_problem
        self._left_out = left_out
        self._files: set[str] = set()
        self._folders: set[tuple[int, int]] = set()  # device and inode
        self._links: list[str] = []

    def named(self, name: str) -> Iterator[Found]:
        """Find what an argument names."""
        if not name:
            self._problem("''", "is not the name of a file")
        elif os.path.isdir(name):  # noqa: PTH112 (Path's raises on a name that is too long)
            yield from self._below(name)
        elif glob.has_magic(name) and not os.path.lexists(name):
            yield from self._matching(name)
        elif Path(name).suffix.lower() in PLAYLIST_SUFFIXES:
            yield from self._in_playlist(name)
        else:
            yield from self._file(name)

    def linked(self) -> Iterator[Found]:
        """Find what is below the links to folders that were met."""
        while self._links:
            yield from self._below(self._links.pop())

    def _matching(self, pattern: str) -> Iterator[Found]:
        chosen = [
            match
            for match in matches(pattern)
            if os.path.isdir(match) or Path(match).suffix.lower() in AUDIO_SUFFIXES  # noqa: PTH112
        ]
        if not chosen:
            self._problem(pattern, "matches no folder and no audio file")
        for match in chosen:
            yield from self.named(match)

    def _in_playlist(self, name: str) -> Iterator[Found]:
        try:
            paths = read_playlist(name)
        except LibraryError as error:
            self._problem(name, error.reason)
            return
        for path in paths:
            yield from self._file(path)

    def _below(self, folder: str) -> Iterator[Found]:
        """Search a folder and, not by recursion since paths may be deep, those in it."""
        open_folders = [self._entries(os.path.abspath(folder))]  # noqa: PTH100
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
            elif entry.is_dir(follow_symlinks=False):
                open_folders.append(self._entries(entry.path))
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112
                self._links.append(entry.path)
            elif (suffix := Path(entry.name).suffix.lower()) in AUDIO_SUFFIXES:
                yield from self._file(entry.path)
            else:
                self._left_out[suffix] += 1

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """List what counts in a folder, by name; nothing if that was done already."""
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

    def _file(self, path: str) -> Iterator[Found]:
        try:
            found = Found.at(path)
        except (OSError, ValueError) as error:
            self._problem(path, reason(error))
            return
        if found.path not in self._files and not self._is_excluded(found.path):
            self._files.add(found.path)
            yield found

    def _is_excluded(self, path: str) -> bool:
        name = os.path.basename(path)  # noqa: PTH119 (this is done for every file)
        return any(
            fnmatch.fnmatchcase(path, f"*/{pattern.lstrip('/')}")
            if "/" in pattern
            else fnmatch.fnmatchcase(name, pattern)
            for pattern in self._exclude
        )
