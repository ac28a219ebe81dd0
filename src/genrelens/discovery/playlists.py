"""Read the paths in playlists (M3U in any encoding, PLS, XSPF) and collections of DJ programs."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from genrelens.discovery.collections import crate_tracks, xml_tracks, xspf_tracks
from genrelens.discovery.uris import file_uri_path, is_windows_path, uri_scheme
from genrelens.errors import LibraryError
from genrelens.files import reason

__all__ = ["PLAYLIST_SUFFIXES", "STREAMS", "entry_path", "read_playlist"]

STREAMS = "streams"
"""The key under which entries that are not files on this computer are counted."""

# A playlist does not state its encoding. The right one is the one in which the files exist.
_ENCODINGS = ("utf-8", "cp1252", "latin-1", "cp1251", "cp932", "gb18030", "cp949", "big5", "cp437")
_PLS_ENTRY = re.compile(rb"file\d+\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)


def read_playlist(path: str | os.PathLike[str], left_out: Counter[str] | None = None) -> list[str]:
    """Return the paths in a playlist or a collection, in order.

    Entries that are not files on this computer are skipped: URIs other than ``file:``, such as
    ``http://radio.example`` and ``spotify:track:1``, and the tracks of streaming services. Several
    readings of each path are tried. The first one that exists is returned; if none exists, the most
    probable one.

    - M3U and PLS: relative paths are relative to the folder of the playlist. Each line is tried
      unchanged, in several encodings, with backslashes as slashes, and with accents composed and
      decomposed.
    - XSPF: the URIs and paths of all tracks, relative to the folder of the playlist.
    - Collections of Rekordbox (``.xml``) and Traktor (``.nml``): all tracks.
    - Crates of Serato (``.crate``): paths are relative to the root of the drive.

    Args:
        path: path of the playlist.
        left_out: counts the skipped entries under :data:`STREAMS`.

    Raises:
        LibraryError: the playlist cannot be read.

    """
    read = _READERS.get(Path(path).suffix.lower(), _m3u_tracks)
    tracks = list(read(path))
    if left_out is not None and None in tracks:
        left_out[STREAMS] += tracks.count(None)
    return [_existing_path(names) for names in tracks if names is not None]


def entry_path(text: str, folder: str) -> str | None:
    """Return the path that an entry of a list names; None if it is not a file on this computer.

    Args:
        text: a path, or a URI such as ``file:///song.mp3``.
        folder: the folder that relative paths are relative to.

    """
    names = _candidates([text], folder)
    return None if names is None else _existing_path(names)


def _candidates(readings: Iterable[str], folder: str) -> list[str] | None:
    """Return the possible paths for the readings of an entry; None if it names no file."""
    texts = list(readings)
    uri = texts[0].strip()
    scheme = uri_scheme(uri)
    if scheme == "file":
        return [_joined(folder, file_uri_path(uri))]
    names = [_joined(folder, text) for text in texts]
    return None if scheme and not any(map(os.path.lexists, names)) else names


def _joined(folder: str, name: str) -> str:
    return name if is_windows_path(name) else os.path.join(folder, name)  # noqa: PTH118


def _existing_path(names: Iterable[str]) -> str:
    """Return the first path that exists, with accents composed or decomposed; else the first."""
    paths = [form for name in names for form in (name, *_normal_forms(name))]
    return next(filter(os.path.lexists, paths), paths[0])


def _normal_forms(name: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


# ---------------------------------------------------------------------- M3U, PLS and XSPF


def _m3u_tracks(path: str | os.PathLike[str]) -> Iterator[list[str] | None]:
    for line in _lines(path):
        if not line.startswith(b"#"):
            yield _candidates(_readings(line), _folder_of(path))


def _pls_tracks(path: str | os.PathLike[str]) -> Iterator[list[str] | None]:
    for line in _lines(path):
        if (entry := _PLS_ENTRY.fullmatch(line)) and entry[1].strip():
            yield _candidates(_readings(entry[1]), _folder_of(path))


def _xspf_tracks(path: str | os.PathLike[str]) -> Iterator[list[str] | None]:
    """Yield the tracks; the locations of one track are the same recording in several places."""
    for locations in xspf_tracks(path):
        found = [_candidates(_decoded(each), _folder_of(path)) for each in locations]
        yield [name for names in found if names is not None for name in names] or None


def _folder_of(path: str | os.PathLike[str]) -> str:
    return os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120


def _lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yield the lines that are not blank, in UTF-8 if the playlist is in UTF-16."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LibraryError(reason(error), path=path) from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode("utf-8", "surrogatepass")
    for line in re.split(rb"[\r\n]+", content.removeprefix(codecs.BOM_UTF8)):
        if line.strip():
            yield line


def _readings(line: bytes) -> Iterator[str]:
    """Yield the possible texts of a line, the most probable first."""
    yield os.fsdecode(line)
    for encoding in _ENCODINGS:
        try:
            text = line.decode(encoding).strip()
        except UnicodeDecodeError:
            continue
        yield from (text, text.replace("\\", "/"))


def _decoded(location: str) -> Iterator[str]:
    """Yield the possible texts of a location: a URI, or a path with or without ``%20``."""
    if not uri_scheme(location) and not is_windows_path(location):
        yield os.fsdecode(unquote_to_bytes(location))
    yield from (location, location.replace("\\", "/"))


_READERS = {
    ".m3u": _m3u_tracks,
    ".m3u8": _m3u_tracks,
    ".pls": _pls_tracks,
    ".xspf": _xspf_tracks,
    ".xml": xml_tracks,
    ".nml": xml_tracks,
    ".crate": crate_tracks,
}

PLAYLIST_SUFFIXES = frozenset(_READERS)
"""Endings of playlists and collections, in lower case."""
