"""Write a collection for Traktor, in NML.

The format is not published. This module writes the elements that collections of Traktor Pro 3
(version 19) have and that open-source programs read: tracks with their location, tags and length,
and playlists in folders.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from genrelens.discovery.collections import drive_root
from genrelens.files import replaced
from genrelens.library.dj.tracks import FOLDER, Playlist, Track, fault_in_path, playlists_of

__all__ = ["fault_for_traktor", "is_own_traktor", "write_traktor"]

_MARK = "<!-- Written by genrelens -->"
_STARTUP_VOLUME = "Macintosh HD"
_Location = tuple[str, str, str]  # volume, folder, file


def fault_for_traktor(path: Path) -> str:
    """Return why a path cannot be written to a collection, or an empty string."""
    return fault_in_path(path, xml=True)


def is_own_traktor(start: bytes) -> bool:
    """Return whether a file with this beginning was written by :func:`write_traktor`."""
    return _MARK.encode() in start


def write_traktor(tracks: Sequence[Track], target: Path) -> None:
    """Write tracks and their playlists to an NML file that Traktor imports.

    Args:
        tracks: the tracks; their paths have no fault.
        target: the file to write or replace.

    Raises:
        DataError: the file cannot be written.

    """
    with replaced(target) as file:
        nml = _Writer(file)
        file.write(f'<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n{_MARK}\n'.encode())
        with nml.element("NML", VERSION="19"):
            nml.empty("HEAD", COMPANY="www.native-instruments.com", PROGRAM="Traktor")
            nml.empty("MUSICFOLDERS")
            with nml.element("COLLECTION", ENTRIES=len(tracks)):
                for track in tracks:
                    _write_track(nml, track)
            nml.empty("SETS", ENTRIES="0")
            with nml.element("PLAYLISTS"), nml.folder("$ROOT", 1):
                _write_playlists(nml, playlists_of(tracks))


class _Writer:
    """Writes elements; each ends with an end tag, as in the files of Traktor."""

    def __init__(self, file: BinaryIO) -> None:
        from xml.sax.saxutils import XMLGenerator  # it imports urllib.request
        from xml.sax.xmlreader import AttributesImpl

        self._attributes = AttributesImpl
        self._xml = XMLGenerator(file, "UTF-8", short_empty_elements=False)

    @contextmanager
    def element(self, name: str, **attributes: object) -> Iterator[None]:
        self._start(name, attributes)
        yield
        self._end(name)

    def empty(self, name: str, **attributes: object) -> None:
        self._start(name, attributes)
        self._end(name)

    def _start(self, name: str, attributes: Mapping[str, object]) -> None:
        texts = {key: str(value) for key, value in attributes.items()}
        self._xml.startElement(name, self._attributes(texts))

    def _end(self, name: str) -> None:
        self._xml.endElement(name)
        self._xml.ignorableWhitespace("\n")

    @contextmanager
    def folder(self, name: str, n_nodes: int) -> Iterator[None]:
        with (
            self.element("NODE", TYPE="FOLDER", NAME=name),
            self.element("SUBNODES", COUNT=n_nodes),
        ):
            yield


def _write_track(nml: _Writer, track: Track) -> None:
    volume, folder, file = _location(track.path)
    with nml.element("ENTRY", TITLE=track.title, ARTIST=track.artist):
        nml.empty("LOCATION", DIR=folder, FILE=file, VOLUME=volume, VOLUMEID=volume)
        nml.empty("ALBUM", TITLE=track.album)
        nml.empty("MODIFICATION_INFO", AUTHOR_TYPE="user")
        info = {
            "GENRE": track.genre,
            "COMMENT": track.comment,
            "PLAYTIME": round(track.seconds),
            "FILESIZE": track.size // 1024,
        }
        nml.empty("INFO", **{name: value for name, value in info.items() if value != ""})


def _write_playlists(nml: _Writer, playlists: dict[Playlist, list[Track]]) -> None:
    folders = {kind: list(names) for kind, names in groupby(playlists, lambda each: each[0])}
    with nml.folder(FOLDER, len(folders)):
        for kind, names in folders.items():
            with nml.folder(kind, len(names)):
                for name in names:
                    _write_playlist(nml, name, playlists[name])


def _write_playlist(nml: _Writer, playlist: Playlist, tracks: Sequence[Track]) -> None:
    number = uuid.uuid5(uuid.NAMESPACE_URL, "/".join((FOLDER, *playlist))).hex
    with (
        nml.element("NODE", TYPE="PLAYLIST", NAME=playlist[1]),
        nml.element("PLAYLIST", ENTRIES=len(tracks), TYPE="LIST", UUID=number),
    ):
        for track in tracks:
            with nml.element("ENTRY"):
                nml.empty("PRIMARYKEY", TYPE="TRACK", KEY="".join(_location(track.path)))


def _location(path: Path) -> _Location:
    """Return volume, folder and file: ``("Macintosh HD", "/:Users/:me/:", "song.mp3")``."""
    root = Path(drive_root(path))
    *folders, file = path.relative_to(root).parts
    return _volume(root), "".join(f"/:{name}" for name in folders) + "/:", file


def _volume(root: Path) -> str:
    if root.drive:
        return root.drive
    return root.name or (_startup_volume() if sys.platform == "darwin" else "")


@cache
def _startup_volume() -> str:
    """Return the name of the drive that macOS started from: a link to ``/`` in ``/Volumes``."""
    links = (each for each in Path("/Volumes").glob("*") if each.is_symlink())
    return next((each.name for each in links if each.resolve() == Path("/")), _STARTUP_VOLUME)
