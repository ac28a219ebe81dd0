"""Write crates for Serato.

The format is not published. :func:`genrelens.discovery.collections.crate_tracks` describes it. A
crate holds only paths: Serato reads the genre and the comment from the tags of the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from genrelens.discovery.collections import drive_root
from genrelens.errors import LibraryError
from genrelens.files import reason, replaced
from genrelens.library.dj.tracks import FOLDER, Track, fault_in_path, playlists_of

__all__ = ["check_crate_folder", "fault_for_serato", "write_serato"]

_VERSION = "1.0/Serato ScratchLive Crate"
_COLUMNS = ("song", "artist", "genre", "comment", "length")
_BETWEEN_CRATES = "%%"  # between the names of a crate and of a crate in it
_DATABASE = "database V2"


def fault_for_serato(path: Path, drive: Path) -> str:
    """Return why a path cannot be written to a crate, or an empty string.

    Args:
        path: the path of a track.
        drive: root of the drive that the crate is for.

    """
    own = Path(drive_root(path))
    if not path.is_relative_to(drive) or (own != drive and own.is_relative_to(drive)):
        return f"it is on the drive {own}, and the crates are for {drive} (see --drive)"
    return fault_in_path(path, xml=False)


def check_crate_folder(folder: Path) -> None:
    """Refuse a folder that holds the database of Serato, and a file.

    Raises:
        LibraryError: the folder holds ``database V2``, or is a file.

    """
    if folder.exists() and not folder.is_dir():
        raise LibraryError("is a file; crates for Serato need the name of a folder", path=folder)
    if (folder / _DATABASE).exists():
        text = f"holds Serato's {_DATABASE}, and crates belong in its folder Subcrates"
        raise LibraryError(text, path=folder)


def write_serato(tracks: Sequence[Track], folder: Path, drive: Path) -> None:
    """Write a crate for each playlist; other files in the folder are not changed.

    The crates are ``genrelens%%Genres%%Jazz.crate`` and so on, which Serato shows as crates in
    crates, and empty crates for the levels above.

    Args:
        tracks: the tracks; their paths have no fault.
        folder: folder to write to; it is created if necessary.
        drive: root of the drive, which the paths are relative to.

    Raises:
        LibraryError: the folder cannot be created.
        DataError: a crate cannot be written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(reason(error), path=folder) from error
    crates: dict[tuple[str, ...], list[Track]] = {(FOLDER,): []}
    for playlist, members in playlists_of(tracks).items():
        crates.setdefault((FOLDER, playlist[0]), [])
        crates[(FOLDER, *playlist)] = members
    for names, members in crates.items():
        with replaced(folder / _file_name(names)) as file:
            file.write(_crate(track.path.relative_to(drive) for track in members))


def _file_name(names: Iterable[str]) -> str:
    valid = (re.sub(r'[<>:"/\\|?*%\x00-\x1f]', "-", name).strip(". ") or "-" for name in names)
    return f"{_BETWEEN_CRATES.join(valid)}.crate"


def _crate(paths: Iterable[Path]) -> bytes:
    return b"".join((_field("vrsn", _utf16(_VERSION)), *_columns(), *map(_track, paths)))


def _columns() -> Iterator[bytes]:
    """Yield the order of the tracks and the columns that Serato shows."""
    yield _field("osrt", _field("tvcn", _utf16(_COLUMNS[0])) + _field("brev", b"\0"))
    for column in _COLUMNS:
        yield _field("ovct", _field("tvcn", _utf16(column)) + _field("tvcw", _utf16("0")))


def _track(path: Path) -> bytes:
    return _field("otrk", _field("ptrk", _utf16(path.as_posix())))


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


def _field(name: str, content: bytes) -> bytes:
    return name.encode() + len(content).to_bytes(4) + content
