"""Read M3U playlists of any encoding."""

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

# Which one a playlist is in does not stand in it. It is the one in which the files exist.
_ENCODINGS = ("utf-8", "cp1252", "latin-1", "cp1251", "cp932", "gb18030", "cp949", "big5", "cp437")
_ADDRESS = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]+://")


def read_playlist(path: str | os.PathLike[str]) -> list[str]:
    """Return the files that a playlist names, in order; addresses on the network are left out.

    Relative names are relative to the playlist. A line is tried as it is, in several encodings,
    with backslashes as slashes, and with accents composed and decomposed; the first that is there
    counts. If none is, the line stands for itself.

    Raises:
        LibraryError: the playlist cannot be read.

    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LibraryError(reason(error), path=path) from error
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    return [
        _resolved(line, folder)
        for line in _lines(content)
        if not _ADDRESS.match(line) or line.lower().startswith(b"file:")
    ]


def _lines(content: bytes) -> Iterator[bytes]:
    """Split into lines without comments; UTF-16 becomes UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode("utf-8", "surrogatepass")
    for line in re.split(rb"[\r\n]+", content.removeprefix(codecs.BOM_UTF8)):
        if line.strip() and not line.startswith(b"#"):
            yield line


def _resolved(line: bytes, folder: str) -> str:
    paths = [os.path.join(folder, name) for name in _readings(line)]  # noqa: PTH118
    return next(filter(os.path.lexists, paths), paths[0])


def _readings(line: bytes) -> Iterator[str]:
    """Yield what a line may mean, the likeliest first."""
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
