"""Read the paths in collections of DJ programs (Rekordbox, Traktor, Serato), and in XSPF playlists.

The files may come from anywhere. An XML file with a document type is refused, because entities can
grow without bound and can name other files; and the size and the nesting of elements are limited.

Sources: "XML format list" (Pioneer DJ) for Rekordbox; xspf.org/spec for XSPF. The formats of
Traktor and Serato are not published; they are described by the open-source programs that read them,
such as Mixxx.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes
from xml.parsers import expat

from genrelens.errors import LibraryError
from genrelens.files import reason

__all__ = ["crate_tracks", "drive_root", "xml_tracks", "xspf_tracks"]

T = TypeVar("T")

Candidates = list[str]
"""The possible paths of a track, the most probable first."""

_MOST_BYTES = 1 << 30  # of a collection
_MOST_ELEMENT_BYTES = 1 << 24
_MOST_LOCATION = 1 << 16  # characters
_MOST_LEVELS = 200
_MOST_NAMES = 10_000  # different names of elements and attributes
_PIECE = 1 << 20

_DRIVES = ("/Volumes", "/media", "/run/media", "/mnt")
_URL = re.compile(r"file://(?:localhost)?(.*)", re.IGNORECASE | re.DOTALL)
_STREAM = re.compile(r"/[a-z-]+:tracks?:[^/]*", re.IGNORECASE)
_WINDOWS_DRIVE = re.compile(r"[a-z]:", re.IGNORECASE)

# --------------------------------------------------------------- Rekordbox and Traktor


def xml_tracks(path: str | os.PathLike[str]) -> Iterator[Candidates | None]:
    """Yield the tracks in a collection of Rekordbox (XML) or Traktor (NML), in order.

    Args:
        path: path of the collection.

    Yields:
        The possible paths of each track; None for a track of a streaming service.

    Raises:
        LibraryError: the file cannot be read, is damaged or too large, or is no collection.

    """
    yield from map(_track, _elements_of(path, _Elements()))


def xspf_tracks(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    """Yield the locations of each track in an XSPF playlist, in order.

    Args:
        path: path of the playlist.

    Yields:
        The locations of a track, URIs or paths; an empty list if the track has only a title.

    Raises:
        LibraryError: the file cannot be read, is damaged or too large, or is no XSPF playlist.

    """
    yield from _elements_of(path, _XspfTracks())


def _elements_of(path: str | os.PathLike[str], elements: _Xml[T]) -> Iterator[T]:
    try:
        yield from _found_in(Path(path), elements)
    except (OSError, ValueError) as error:
        raise LibraryError(reason(error), path=path) from error
    except (expat.ExpatError, LookupError) as error:  # LookupError: an unknown encoding
        raise LibraryError(f"is no XML file, or is damaged ({error})", path=path) from error


def _found_in(path: Path, elements: _Xml[T]) -> Iterator[T]:
    n_bytes = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            n_bytes += len(piece)
            if n_bytes > _MOST_BYTES:
                raise ValueError(f"is larger than {_MOST_BYTES >> 20} MiB")
            yield from elements.feed(piece)
    yield from elements.feed(b"", last=True)


def _track(attributes: dict[str, str]) -> Candidates | None:
    location = attributes.get("Location")
    return _from_traktor(attributes) if location is None else _from_rekordbox(location)


class _Xml(Generic[T]):
    """What pieces of an XML file contain, with limits on its size and nesting."""

    _roots: tuple[str, ...]
    _kind: str

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_document_type
        self._levels = self._n_bytes = 0
        self._found: list[T] = []

    def feed(self, piece: bytes, *, last: bool = False) -> list[T]:
        """Return what this piece completes."""
        self._found = []
        self._parser.Parse(piece, last)
        self._n_bytes += len(piece)
        if self._n_bytes - self._parser.CurrentByteIndex > _MOST_ELEMENT_BYTES:
            raise ValueError(f"has an element of more than {_MOST_ELEMENT_BYTES >> 20} MiB")
        if len(self._parser.intern) > _MOST_NAMES:
            raise ValueError("has too many different names of elements")
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._levels and name not in self._roots:
            raise ValueError(f"is no {self._kind}")
        self._levels += 1
        if self._levels > _MOST_LEVELS:
            raise ValueError("is nested too deeply")

    def _end(self, name: str) -> None:
        self._levels -= 1

    def _refuse_document_type(self, *declaration: object) -> None:
        raise ValueError("has a document type, which collections and playlists do not have")


class _Elements(_Xml[dict[str, str]]):
    """The attributes of the elements of a collection that name files."""

    _roots = ("DJ_PLAYLISTS", "NML")
    _kind = "collection of Rekordbox (XML) or Traktor (NML)"
    _names_file: Mapping[str, str] = {"TRACK": "Location", "LOCATION": "FILE"}

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        super()._start(name, attributes)
        if attributes.get(self._names_file.get(name, "")):
            self._found.append(attributes)


class _XspfTracks(_Xml[list[str]]):
    """The locations of the tracks of an XSPF playlist: the texts of ``location`` in ``track``."""

    _roots = ("playlist",)
    _kind = "XSPF playlist"

    def __init__(self) -> None:
        super().__init__()
        self._parser.CharacterDataHandler = self._text
        self._locations: list[str] | None = None  # of the track that is open
        self._location: str | None = None  # so far, of the one that is open

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        super()._start(name, attributes)
        if name == "track":
            self._locations = []
        elif name == "location" and self._locations is not None:
            self._location = ""

    def _text(self, text: str) -> None:
        if self._location is not None:
            self._location += text
            if len(self._location) > _MOST_LOCATION:
                raise ValueError(f"has a location of more than {_MOST_LOCATION} characters")

    def _end(self, name: str) -> None:
        super()._end(name)
        if name == "location" and self._location is not None and self._locations is not None:
            self._locations += filter(None, [self._location.strip()])
            self._location = None
        elif name == "track" and self._locations is not None:
            self._found.append(self._locations)
            self._locations = None


def _from_rekordbox(location: str) -> Candidates | None:
    """Return the path in a ``file:`` URL.

    Tracks of streaming services have locations such as ``file://localhosttidal:tracks:1``, and
    some versions write a drive as ``file://localhostC:/``.
    """
    match = _URL.fullmatch(location)
    name = match[1] if match else location
    drive = name.removeprefix("/")
    if _WINDOWS_DRIVE.match(drive):
        name = drive
    elif _STREAM.fullmatch(name) or not name.startswith("/"):
        return None
    path = os.fsdecode(unquote_to_bytes(name))
    return [re.sub("^/+", "/", path) if os.name == "posix" else path]


def _from_traktor(attributes: dict[str, str]) -> Candidates | None:
    """Return the paths for a volume, a folder such as ``/:Music/:Jazz/:``, and a file name.

    On Windows the volume is a drive such as ``C:``, on macOS a name such as ``Macintosh HD``. A
    track of a streaming service has a number as its file name, in the folder ``/:``.
    """
    volume, folder, file = (attributes.get(name, "") for name in ("VOLUME", "DIR", "FILE"))
    name = f"{folder}{file}".replace("/:", "/")
    if _WINDOWS_DRIVE.fullmatch(volume):
        return [volume + name]
    if folder == "/:" and not Path(file).suffix and not os.path.lexists(name):
        return None
    user = os.environ.get("USER", "")
    mounts = (*_DRIVES, f"/media/{user}", f"/run/media/{user}") if volume else ()
    return [name, *(f"{mount}/{volume}{name}" for mount in mounts)]


# ----------------------------------------------------------------------------- Serato


def crate_tracks(path: str | os.PathLike[str]) -> Iterator[Candidates]:
    """Yield the tracks in a crate of Serato, in order.

    A crate is a sequence of fields: a name of four letters, the length of the content as a 32-bit
    big-endian number, and the content. Each field ``otrk`` holds a field ``ptrk``: a path in
    UTF-16, relative to the root of the drive. If the file is not there, the folders above the crate
    are tried.

    Args:
        path: path of the crate.

    Yields:
        The possible paths of each track.

    Raises:
        LibraryError: the file cannot be read, is damaged or too large, or is no crate.

    """
    try:
        content = _content(Path(path))
        folders = map(str, Path(os.path.abspath(path)).parents)  # noqa: PTH100
        roots = dict.fromkeys((drive_root(path), *folders))
        for name in _names(content):
            forms = dict.fromkeys((name, name.replace("\\", "/")))
            yield [os.path.join(root, form) for form in forms for root in roots]  # noqa: PTH118
    except (OSError, ValueError) as error:
        raise LibraryError(reason(error), path=path) from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_ELEMENT_BYTES + 1)
    if len(content) > _MOST_ELEMENT_BYTES:
        raise ValueError(f"is larger than {_MOST_ELEMENT_BYTES >> 20} MiB")
    if not content.startswith(b"vrsn"):
        raise ValueError("is no crate of Serato")
    return content


def _names(content: bytes) -> Iterator[str]:
    for field, body in _fields(content):
        if field == b"otrk":
            for inner, text in _fields(body):
                if inner == b"ptrk":
                    yield text.decode("utf-16-be", errors="replace").lstrip("/\\")


def _fields(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    while start < len(content):
        end = start + 8 + int.from_bytes(content[start + 4 : start + 8])
        if start + 8 > len(content) or end > len(content):
            raise ValueError("is damaged: a field is cut off")
        yield content[start : start + 4], content[start + 8 : end]
        start = end


def drive_root(path: str | os.PathLike[str]) -> str:
    """Return the root of the drive that a file is on, as Serato and Traktor count it.

    It is the mount point of a removable drive (``/Volumes/USB``, ``/media/name/USB``) or of a
    drive letter, and ``/`` for everything else, even if ``/home`` is on a disk of its own.

    Args:
        path: path of a file or folder, which need not exist.

    Example::

        >>> drive_root("/Users/me/Music/song.mp3")
        '/'

    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100
    if str(absolute).startswith(tuple(f"{each}/" for each in _DRIVES)):
        for folder in (absolute, *absolute.parents):
            if str(folder) not in ("/", *_DRIVES) and folder.is_mount():
                return str(folder)
    return absolute.anchor
