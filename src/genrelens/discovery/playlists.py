"""Read the paths in playlists: M3U in any encoding, and collections of DJ programs."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from genrelens.discovery.collections import crate_tracks, xml_tracks
from genrelens.errors import LibraryError
from genrelens.files import reason

__all__ = ["PLAYLIST_SUFFIXES", "STREAMS", "read_playlist"]

STREAMS = "streams"
"""The key under which the streams in playlists are counted."""

# A playlist does not state its encoding. The right one is the one in which the files exist.
_ENCODINGS = ("utf-8", "cp1252", "latin-1", "cp1251", "cp932", "gb18030", "cp949", "big5", "cp437")
_URL = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]+://")


def read_playlist(path: str | os.PathLike[str], left_out: Counter[str] | None = None) -> list[str]:
    """Return the paths in a playlist or a collection, in order.

    Streams are skipped: the tracks of streaming services, and URLs other than ``file:``. Several
    readings of each path are tried. The first one that exists is returned; if none exists, the most
    probable one.

    - M3U: relative paths are relative to the folder of the playlist. Each line is tried unchanged,
      in several encodings, with backslashes as slashes, and with accents composed and decomposed.
    - Collections of Rekordbox (``.xml``) and Traktor (``.nml``): all tracks.
    - Crates of Serato (``.crate``): paths are relative to the root of the drive.

    Args:
        path: path of the playlist.
        left_out: counts the streams under :data:`STREAMS`.

    Raises:
        LibraryError: the playlist cannot be read.

    """
    read = _READERS.get(Path(path).suffix.lower(), _m3u_tracks)
    tracks = list(read(path))
    if left_out is not None and None in tracks:
        left_out[STREAMS] += tracks.count(None)
    return [_existing_path(names) for names in tracks if names is not None]


def _existing_path(names: Iterable[str]) -> str:
    """Return the first path that exists, with accents composed or decomposed; else the first."""
    paths = [form for name in names for form in (name, *_normal_forms(name))]
    return next(filter(os.path.lexists, paths), paths[0])


def _normal_forms(name: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


# ------------------------------------------------------------------------------------ M3U


def _m3u_tracks(path: str | os.PathLike[str]) -> Iterator[list[str] | None]:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LibraryError(reason(error), path=path) from error
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    for line in _lines(content):
        is_stream = _URL.match(line) and not line.lower().startswith(b"file:")
        yield None if is_stream else [os.path.join(folder, name) for name in _readings(line)]  # noqa: PTH118


def _lines(content: bytes) -> Iterator[bytes]:
    """Yield the lines that are not comments, in UTF-8 if the playlist is in UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode("utf-8", "surrogatepass")
    for line in re.split(rb"[\r\n]+", content.removeprefix(codecs.BOM_UTF8)):
        if line.strip() and not line.startswith(b"#"):
            yield line


def _readings(line: bytes) -> Iterator[str]:
    """Yield the possible paths of a line, the most probable first."""
    if line.lower().startswith(b"file:"):
        yield os.fsdecode(unquote_to_bytes(urlsplit(line).path))
        return
    yield os.fsdecode(line)
    for encoding in _ENCODINGS:
        try:
            text = line.decode(encoding).strip()
        except UnicodeDecodeError:
            continue
        yield from (text, text.replace("\\", "/"))


_READERS = {
    ".m3u": _m3u_tracks,
    ".m3u8": _m3u_tracks,
    ".xml": xml_tracks,
    ".nml": xml_tracks,
    ".crate": crate_tracks,
}

PLAYLIST_SUFFIXES = frozenset(_READERS)
"""Endings of playlists and collections, in lower case."""
