"""Read M3U playlists in any encoding."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from genrelens.errors import LibraryError
from genrelens.files import reason

__all__ = ["PLAYLIST_SUFFIXES", "read_playlist"]

PLAYLIST_SUFFIXES = frozenset((".m3u", ".m3u8"))
"""Endings of playlists, in lower case."""

# A playlist does not state its encoding. The right one is the one in which the files exist.
_ENCODINGS = ("utf-8", "cp1252", "latin-1", "cp1251", "cp932", "gb18030", "cp949", "big5", "cp437")
_URL = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]+://")


def read_playlist(path: str | os.PathLike[str]) -> list[str]:
    """Return the paths in a playlist, in order; URLs other than ``file:`` are skipped.

    Relative paths are relative to the folder of the playlist. Each line is tried unchanged, in
    several encodings, with backslashes as slashes, and with accents composed and decomposed. The
    first path that exists is returned; if none exists, the unchanged line.

    Args:
        path: path of the playlist.

    Raises:
        LibraryError: the playlist cannot be read.

    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LibraryError(reason(error), path=path) from error
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    return [
        _existing_path(line, folder)
        for line in _lines(content)
        if not _URL.match(line) or line.lower().startswith(b"file:")
    ]


def _lines(content: bytes) -> Iterator[bytes]:
    """Yield the lines that are not comments, in UTF-8 if the playlist is in UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode("utf-8", "surrogatepass")
    for line in re.split(rb"[\r\n]+", content.removeprefix(codecs.BOM_UTF8)):
        if line.strip() and not line.startswith(b"#"):
            yield line


def _existing_path(line: bytes, folder: str) -> str:
    paths = [os.path.join(folder, name) for name in _readings(line)]  # noqa: PTH118
    return next(filter(os.path.lexists, paths), paths[0])


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
        for name in (text, text.replace("\\", "/")):
            yield from (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
