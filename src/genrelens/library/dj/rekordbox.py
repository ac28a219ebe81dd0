"""Write a collection for Rekordbox, in XML (pyrekordbox)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrelens import __version__
from genrelens.errors import MissingExtraError
from genrelens.files import replaced
from genrelens.library.dj.tracks import FOLDER, Track, fault_in_path, playlists_of

__all__ = ["fault_for_rekordbox", "is_own_rekordbox", "write_rekordbox"]

_PRODUCT = "genrelens"
# Rekordbox requires this line; an XML writer of Python quotes in another way.
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def fault_for_rekordbox(path: Path) -> str:
    """Return why a path cannot be written to a collection, or an empty string."""
    if os.name == "posix" and "\\" in str(path):
        return "its name has a backslash, which Rekordbox reads as a folder"
    return fault_in_path(path, xml=False)


def is_own_rekordbox(start: bytes) -> bool:
    """Return whether a file with this beginning was written by :func:`write_rekordbox`."""
    return f'<PRODUCT Name="{_PRODUCT}"'.encode() in start


def write_rekordbox(tracks: Sequence[Track], target: Path) -> None:
    """Write tracks and their playlists to an XML file that Rekordbox imports.

    Args:
        tracks: the tracks; their paths have no fault.
        target: the file to write or replace.

    Raises:
        MissingExtraError: pyrekordbox is not installed (the extra ``dj``).
        DataError: the file cannot be written.

    """
    try:
        from pyrekordbox.rbxml import RekordboxXml
    except ImportError as error:
        raise MissingExtraError("pyrekordbox", "dj") from error
    collection = RekordboxXml(name=_PRODUCT, version=__version__, company=_PRODUCT)
    numbers: dict[Path, int] = {}
    for number, track in enumerate(tracks, 1):
        # The format has "file://localhost/Users/...", and pyrekordbox adds the slash.
        location = str(track.path).removeprefix("/")
        collection.add_track(location, TrackID=number, **_fields(track))
        numbers[track.path] = number
    _add_playlists(collection.add_playlist_folder(FOLDER), tracks, numbers)
    text = collection.tostring().partition("\n")[2]
    with replaced(target) as file:
        file.write(f"{_DECLARATION}{text}\n".encode())


def _fields(track: Track) -> dict[str, Any]:
    fields = {
        "Name": track.title,
        "Artist": track.artist,
        "Album": track.album,
        "Genre": track.genre,
        "Kind": _kind(track.path),
        "Size": track.size,
        "TotalTime": round(track.seconds),
        "Comments": track.comment,
    }
    return {name: value for name, value in fields.items() if value != ""}


def _kind(path: Path) -> str:
    suffix = path.suffix.removeprefix(".")
    return f"{suffix.upper()} File" if suffix.isalnum() else ""


def _add_playlists(folder: Any, tracks: Sequence[Track], numbers: dict[Path, int]) -> None:
    folders: dict[str, Any] = {}
    for (kind, name), members in playlists_of(tracks).items():
        if kind not in folders:
            folders[kind] = folder.add_playlist_folder(kind)
        playlist = folders[kind].add_playlist(name)
        for track in members:
            playlist.add_track(numbers[track.path])
